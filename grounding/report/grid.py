"""The verdicts of an experiment in a terminal, with the figures of others beside ours."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from ...datasets.task import Setting
from ..measures.counts import count_of
from ..results.experiment import Cell, ExperimentRecord
from .table import COLOURS

MAX_ROWS = 40  # of a table in a terminal; the page has them all
SHOWN = ("task", "aligned")
Place = tuple[str, ...]  # values on some axes, in words


def print_grid(record: ExperimentRecord, console: Console) -> None:
    """Prints the verdict of every cell, and what others published beside what is ours.

    Two axes make a grid where it fits the width of the terminal; else every cell has a line.

    Args:
        record: The experiment as far as it went.
        console: Where to; its width decides.
    """
    axes = [axis for axis in record.axes if axis in _varying(record)] or ["solver", "task"]
    grid = _grid(record, axes)
    if grid is not None and _width(grid, console) <= console.width:
        console.print(grid)
    else:
        console.print(_list(record, axes))
    if len(record.cells) > MAX_ROWS:
        console.print(f"[dim]{count_of(len(record.cells), 'cell')} in all[/]", highlight=False)
    if record.published:
        _print_published(record, console)
    decided = f"{len(record.reports)} of {count_of(len(record.cells), 'cell')} decided"
    ran = sum(not row.cached for row in record.trials)
    cached = len(record.trials) - ran
    kept = f", {cached} taken from the cache" if cached else ""
    console.print(f"{decided}; {count_of(ran, 'trial')} ran{kept}", highlight=False)
    if record.spent is not None and record.spent.sentence:
        console.print(record.spent.sentence, highlight=False)


def _width(table: Table, console: Console) -> int:
    """How wide a table is where nothing keeps it narrow."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum


def _varying(record: ExperimentRecord) -> set[str]:
    return {axis for axis, values in record.axes.items() if len(values) > 1}


def word(value: Setting) -> str:
    """A value on an axis; a dash where a cell does not have the setting."""
    if value is None:
        return "–"
    return " ".join(word(each) for each in value) if isinstance(value, tuple | list) else str(value)


def _verdict(record: ExperimentRecord, cell: Cell) -> str:
    report = record.reports.get(cell.number)
    if report is None:
        return "[yellow]not decided[/]"
    verdict = report.judgement.verdict
    return f"[{COLOURS.get(verdict, 'red')}]{verdict}[/]"


def _figures(record: ExperimentRecord, cell: Cell) -> list[str]:
    """The figures that are shown, mean over seeds."""
    return [_told(_ours(record, cell, figure)[0]) for figure in SHOWN]


def _ours(record: ExperimentRecord, cell: Cell, figure: str) -> tuple[float | None, int]:
    """A figure of a cell, mean over its seeds, and over how many."""
    report = record.reports.get(cell.number)
    if report is None:
        return None, 0
    return report.mean(report.subject, figure), len(report.scores(report.subject))


def _told(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"


def _seeds(record: ExperimentRecord, cell: Cell) -> str:
    report = record.reports.get(cell.number)
    return "" if report is None else f"{report.judgement.grounded} of {report.judgement.seeds}"


def _grid(record: ExperimentRecord, axes: Sequence[str]) -> Table | None:
    """From left to right tasks, or else the axis with the most values after the first; None with one axis."""
    if len(axes) < 2:
        return None
    others = axes[1:]
    across = "task" if "task" in others else max(others, key=lambda axis: len(record.axes[axis]))
    down = [axis for axis in axes if axis != across]
    cells: dict[Place, dict[str, Cell]] = {}
    for cell in record.cells:
        place = tuple(word(cell.varied[axis]) for axis in down)
        cells.setdefault(place, {})[word(cell.varied[across])] = cell
    columns = list(dict.fromkeys(word(cell.varied[across]) for cell in record.cells))
    table = _table("task / aligned accuracy, seeds grounded")
    for axis in down:
        table.add_column(escape(axis), no_wrap=True)
    for column in columns:
        table.add_column(escape(column if across == "task" else f"{across} {column}"), no_wrap=True)
    for place, row in list(cells.items())[:MAX_ROWS]:
        told = [_cell(record, row[column]) if column in row else "" for column in columns]
        table.add_row(*map(escape, place), *told)
    return table


def _cell(record: ExperimentRecord, cell: Cell) -> str:
    if cell.number not in record.reports:
        return _verdict(record, cell)
    figures = " / ".join(_figures(record, cell))
    return f"{_verdict(record, cell)}\n[dim]{figures}, {_seeds(record, cell)}[/]"


def _list(record: ExperimentRecord, axes: Sequence[str]) -> Table:
    table = _table("")
    for axis in axes:
        table.add_column(escape(axis), overflow="fold")
    for heading in SHOWN:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("seeds", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for cell in record.cells[:MAX_ROWS]:
        place = [escape(word(cell.varied[axis])) for axis in axes]
        table.add_row(*place, *_figures(record, cell), _seeds(record, cell), _verdict(record, cell))
    return table


def _table(caption: str) -> Table:
    return Table(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=caption or None, caption_justify="left", pad_edge=False
    )


def _print_published(record: ExperimentRecord, console: Console) -> None:
    """What others published, each with ours in a column of its own and where it stands."""
    console.print("Published by others, beside ours", highlight=False)
    table = _table("")
    table.add_column("of", overflow="fold")
    table.add_column("figure", no_wrap=True)
    table.add_column("ours", justify="right", no_wrap=True)
    table.add_column("published", justify="right", no_wrap=True)
    notes: list[str] = []
    for published in record.published:
        note = published.source + (f"; {published.note}" if published.note else "")
        if note not in notes:
            notes.append(note)
        beside = [cell for cell in record.cells if _has(cell, published.where)]
        figures = [f for cell in beside if (f := _ours(record, cell, published.figure))[0] is not None]
        mean = fmean(f for f, _ in figures if f is not None) if figures else None
        seeds = figures[0][1] if len(figures) == 1 else 0
        over = f"n = {seeds}" if seeds else f"mean of {count_of(len(figures), 'cell')}"
        ours = f"{_told(mean)} ({over})" if figures else "–"
        of = ", ".join(_named(axis, value) for axis, value in published.where.items()) or "all"
        told = f"{published.value:.3f} [dim]\\[{notes.index(note) + 1}][/]"
        table.add_row(escape(of), published.figure, ours, told)
    console.print(table)
    for number, note in enumerate(notes, 1):
        console.print(f"[dim]\\[{number}] {escape(note)}[/]", highlight=False)


def _named(axis: str, value: Setting) -> str:
    """A value with its axis, but of what is known by its own name."""
    return word(value) if axis in ("solver", "task", "combination") else f"{axis}={word(value)}"


def _has(cell: Cell, where: Mapping[str, Setting]) -> bool:
    return all(word(cell.varied.get(axis)) == word(value) for axis, value in where.items())
