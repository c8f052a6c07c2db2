"""A comparison in a terminal: one table, or where it would not fit one per task and figure."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..measures.figures import ACROSS_SEEDS, FIGURE
from ..results.comparison import Compared, Estimate, report_names
from ..results.report import Report

WIDE = 130  # columns from which task, figure and report have one each
STACKED = 100  # below which intervals stand under their means
NARROW = 80  # below which reports are numbers, told above, and lines between columns are left out


def print_differences(rows: Sequence[Compared], reports: Sequence[Report], console: Console) -> None:
    """Prints every figure of every report, and its difference to the first.

    Args:
        rows: What `compare` found.
        reports: The reports that were compared, in their order.
        console: Where to; its width decides how the figures are laid out.
    """
    names = [f"{number}: {escape(name)}" for number, name in enumerate(report_names(reports), 1)]
    told = f"in brackets the {ACROSS_SEEDS.name} (95 %, {ACROSS_SEEDS.over})"
    title = f"difference: to the first report, paired by seed; {told}"
    if console.width >= WIDE:
        table = _table(("task", "figure", "report"), console.width)
        table.title, table.title_justify = title, "left"
        for row in rows:
            first = (escape(row.task), FIGURE[row.figure].title, names[row.report])
            table.add_row(*first, *_cells(row, " "), end_section=row.report == len(reports) - 1)
        console.print(table)
        return
    console.print(title, highlight=False)
    if console.width < NARROW:
        for name in names:
            console.print(f"  {name}", highlight=False)
    between = "\n" if console.width < STACKED else " "
    for (task, figure), group in groupby(rows, lambda row: (row.task, row.figure)):
        table = _table(("report" if console.width >= NARROW else "#",), console.width)
        table.title, table.title_justify = f"{escape(task)}, {FIGURE[figure].title}", "left"
        for row in group:
            name = str(row.report + 1) if console.width < NARROW else names[row.report]
            table.add_row(name, *_cells(row, between))
        console.print(table)


def _table(names: Sequence[str], width: int) -> Table:
    table = Table(
        box=HEAVY_HEAD if width >= NARROW else SIMPLE_HEAD,
        padding=(0, 1) if width >= NARROW else (0, 1, 0, 0),
    )
    for heading in names:
        table.add_column(heading, overflow="fold")
    for heading in ("mean", "seeds", "difference", "common"):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cells(row: Compared, between: str) -> Iterator[str]:
    """Mean, seeds, difference and common seeds; an interval stands behind its mean, or under it."""
    yield _figure(row.estimate, ".3f", between)
    yield str(row.estimate.seeds if row.estimate else 0)
    yield _figure(row.difference, "+.3f", between)
    yield str(row.difference.seeds) if row.difference else ""


def _figure(estimate: Estimate | None, form: str, between: str) -> str:
    if estimate is None:
        return ""
    if estimate.interval is None:
        return f"{estimate.mean:{form}}"
    low, high = estimate.interval
    return f"{estimate.mean:{form}}{between}({low:{form}} to {high:{form}})"
