"""The page of an experiment: verdicts, heat maps, curves and cells; its script only chooses and draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..measures.counts import count_of
from ..measures.figures import ACROSS_SEEDS, FIGURE, Figure, Place, figures_at
from ..results.cells import CellResult, cell_results, value_on
from ..results.comparison import Estimate
from ..results.experiment import Cell, ExperimentRecord, Published
from ..results.files import write_text
from ..results.terms import common_terms, told
from .dates import period
from .experiment_data import VERDICTS, axes_of, embedded_json, mean_seconds, page_data
from .html import TRACEBACKS, page

COMMON = 60  # characters of a value that is told of all cells


@dataclass(frozen=True)
class Line:
    """One cell in the table of cells."""

    result: CellResult
    varied: list[str]  # in the order of the axes
    figures: list[Estimate | None]
    ceiling: Estimate | None
    seconds: float | None


@dataclass(frozen=True)
class Beside:
    """A published figure, and ours in a cell that it stands beside."""

    published: Published
    figure: str  # its title
    cell: str  # what the cell is
    ours: Estimate | None


def render_experiment(record: ExperimentRecord) -> str:
    """The page, which holds all that it needs."""
    results = cell_results(record)
    axes = axes_of(record)
    shown = figures_at(Place.VERDICTS)
    outcomes = [row.outcome for row in record.trials]
    broken = [o for o in outcomes if o.error]
    cached = sum(row.cached for row in record.trials)
    return page(
        "experiment.html.j2",
        scripts=("page.js", "experiment.js"),
        record=record,
        axes=[axis.name for axis in axes],
        figures=shown,
        interval=ACROSS_SEEDS,
        lines=[_line(result, [axis.name for axis in axes], shown) for result in results],
        verdicts=count_verdicts(results),
        summary=_summary(results, len(outcomes), cached),
        unfinished=_unfinished(record, results),
        common=common_of(record.cells, [axis.name for axis in axes]),
        beside=beside(results, [axis.name for axis in axes]),
        period=period(record.started, record.ended, [r.outcome for r in record.trials if not r.cached]),
        broken=[(f"{o.role}/{o.task} {o.solver} seed {o.seed}", o.error) for o in broken][:TRACEBACKS],
        broken_count=len(broken),
        spent=record.spent.sentence if record.spent is not None else "",
        environment=_environment(record),
        data=embedded_json(page_data(record, results)),
    )


def write_experiment_page(path: Path, record: ExperimentRecord) -> None:
    """Writes the page of an experiment.

    Args:
        path: The HTML file.
        record: What the page is of.

    Raises:
        UnusableFileError: Where the file cannot be written.
    """
    write_text(path, render_experiment(record))


def count_verdicts(results: Sequence[CellResult]) -> list[tuple[str, int]]:
    """How many cells have each verdict, in the order of `VERDICTS`; those that none has are left out."""
    found = [result.verdict for result in results]
    return [(verdict, found.count(verdict)) for verdict in VERDICTS if verdict in found]


def describe_cell(cell: Cell, axes: Sequence[str]) -> str:
    """A cell by what tells it from the others: "satnet, mapping, lr=0.002"."""
    named = [told(value_on(cell, axis)) for axis in axes if axis in ("solver", "task")]
    named += [f"{axis}={told(value_on(cell, axis))}" for axis in axes if axis not in ("solver", "task")]
    return ", ".join(named)


def beside(results: Sequence[CellResult], axes: Sequence[str]) -> list[Beside]:
    """Published figures beside ours, cell by cell; never mixed."""
    return [
        Beside(
            published,
            FIGURE[published.figure].title if published.figure in FIGURE else published.figure,
            describe_cell(result.cell, axes),
            result.estimate(published.figure) if published.figure in FIGURE else None,
        )
        for result in results
        for published in result.published
    ]


def _line(result: CellResult, axes: Sequence[str], shown: Sequence[Figure]) -> Line:
    return Line(
        result,
        [told(value_on(result.cell, axis)) for axis in axes],
        [result.estimate(figure) for figure in shown],
        result.estimate("aligned", "ceiling"),
        mean_seconds(result),
    )


def _summary(results: Sequence[CellResult], trials: int, cached: int) -> str:
    decided, cells = sum(result.decided for result in results), count_of(len(results), "cell")
    told_of = f"{decided} of {cells} decided" if decided < len(results) else f"{cells}, all decided"
    taken = f", {cached} of them from the cache" if cached else ""
    return f"{told_of}; {count_of(trials, 'trial')}{taken}"


def _unfinished(record: ExperimentRecord, results: Sequence[CellResult]) -> str:
    """What a reader must know of an experiment that has not ended; "" of one that has."""
    missing = sum(not result.decided for result in results)
    if record.interrupted:
        return "It was interrupted: what follows rests on the trials that had ended."
    if not record.ended:
        return "It still runs, or was killed: what follows rests on the trials that have ended."
    return f"{count_of(missing, 'cell')} of it got no verdict." if missing else ""


def common_of(cells: Sequence[Cell], axes: Sequence[str]) -> list[tuple[str, str]]:
    """What all cells have in common, which is told once."""
    terms = common_terms([cell_terms(cell) for cell in cells])
    kept = [(name, told(value)) for name, value in terms.items() if value is not None and name not in axes]
    return [(n, v if len(v) <= COMMON else f"{v[:COMMON]}…") for n, v in kept]


def cell_terms(cell: Cell) -> dict[str, Any]:
    """Everything that a cell was asked, by name."""
    return {
        "solver": cell.solver,
        **cell.options,
        "task": cell.task,
        **cell.settings,
        "images": cell.images,
        "perception": cell.perception,
        **cell.training,
        "at most seeds": cell.seeds,
    }


def _environment(record: ExperimentRecord) -> list[tuple[str, str]]:
    around = {**record.environment, **{f"SHA-256 of {n}": digest for n, digest in record.sources.items()}}
    plain = [(name, told(value)) for name, value in around.items() if name != "versions"]
    versions = around.get("versions")
    return [
        *plain,
        *sorted((n, told(v)) for n, v in (versions if isinstance(versions, dict) else {}).items()),
    ]
