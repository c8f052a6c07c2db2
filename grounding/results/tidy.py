"""An experiment as one table: a row per trial and cell, every setting and figure a column."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..measures.figures import FIGURES
from ..trials.trial import Outcome
from .cells import cell_results, value_on, varying
from .experiment import Cell, ExperimentRecord
from .files import plain

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Tidy:
    """Rows of equal length under the names of their columns."""

    columns: list[str]
    rows: list[list[Value]]

    def records(self) -> Iterator[dict[str, Value]]:
        """Each row as an object, for JSON."""
        for row in self.rows:
            yield dict(zip(self.columns, row, strict=True))

    def column(self, name: str) -> list[Value]:
        """The values of a column, by row."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def as_csv(self) -> str:
        """With a heading; what has no value is empty, and truth is `true` or `false`."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow([str(v).lower() if isinstance(v, bool) else v for v in row])
        return buffer.getvalue()


def tidy(record: ExperimentRecord) -> Tidy:
    """Every trial of an experiment, once for each cell that it belongs to.

    Columns, in this order: `experiment`, `cell`, `trial` (the key: a ceiling that several cells share has the
    same in each), `varied.NAME` per axis, `solver`, `option.NAME`, `task`, `task_version`, `setting.NAME`,
    `images`, `perception`, `training.NAME`, `role`, `seed`, `counted` (whether the cell's verdict rests on
    it), `figure.NAME` with `figure.NAME.low` and `.high` (95 %, over test puzzles and images), `seconds`,
    `cached`, `error`, and of the cell `verdict`, `seeds_grounded`, `seeds_judged`.
    """
    axes = list(varying(record))
    found: list[dict[str, Value]] = []
    for result in cell_results(record):
        of_cell = _of_cell(record.name, result.cell, axes)
        judged = result.task.judgement
        counted = {(o.role, o.seed) for o in result.outcomes}
        verdict: dict[str, Value] = {
            "verdict": result.verdict,
            "seeds_grounded": judged.grounded if result.decided else None,
            "seeds_judged": judged.seeds if result.decided else None,
        }
        for row in result.trials:
            outcome = row.outcome
            found.append(
                of_cell
                | {"trial": row.key, "role": outcome.role, "seed": outcome.seed}
                | {"counted": (outcome.role, outcome.seed) in counted}
                | _figures(outcome)
                | {"seconds": outcome.seconds, "cached": row.cached, "error": _last_line(outcome.error)}
                | verdict
            )
    return _table(found)


ORDER = (  # of columns; those with a name of their own stand in the order in which cells bring them
    "experiment", "cell", "trial", "varied.", "solver", "option.", "task", "task_version", "setting.",
    "images", "perception", "training.", "role", "seed", "counted", "figure.", "seconds", "cached", "error",
    "verdict", "seeds_grounded", "seeds_judged",
)  # fmt: skip
PLACES = {name: place for place, name in enumerate(ORDER)}


def _table(found: list[dict[str, Value]]) -> Tidy:
    names = list(dict.fromkeys(name for row in found for name in row)) or [n for n in ORDER if n[-1] != "."]
    intervals = {name for name in names if name.endswith((".low", ".high"))}
    empty = {name for name in intervals if all(row.get(name) is None for row in found)}
    columns = sorted((name for name in names if name not in empty), key=_place)
    return Tidy(columns, [[row.get(name) for name in columns] for row in found])


def _place(column: str) -> int:
    kind, dot, _ = column.partition(".")
    return PLACES[kind + dot]


def _of_cell(experiment: str, cell: Cell, axes: list[str]) -> dict[str, Value]:
    return {
        "experiment": experiment,
        "cell": cell.number,
        **{f"varied.{axis}": _flat(value_on(cell, axis)) for axis in axes},
        "solver": cell.solver,
        **_named("option", cell.options),
        "task": cell.task,
        "task_version": cell.version,
        **_named("setting", cell.settings),
        "images": cell.images,
        "perception": cell.perception,
        **_named("training", cell.training),
    }


def _named(kind: str, settings: Mapping[str, Any]) -> dict[str, Value]:
    return {f"{kind}.{name}": _flat(value) for name, value in settings.items()}


def _flat(value: Any) -> Value:
    """What fits in one field: lists and objects as JSON."""
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _figures(outcome: Outcome) -> dict[str, Value]:
    told: dict[str, Value] = {}
    for figure in FIGURES:
        scores = outcome.scores
        name = f"figure.{figure.name}"
        told[name] = None if scores is None else plain(figure.value(scores))
        ends = scores.intervals.get(figure.name) if scores is not None and told[name] is not None else None
        told[f"{name}.low"], told[f"{name}.high"] = plain(ends) if ends else (None, None)
    return told


def _last_line(error: str | None) -> str | None:
    """What a traceback ends with: the error itself."""
    lines = [line for line in (error or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else error
