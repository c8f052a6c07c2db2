"""`groundcheck compare`: paired differences between reports."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .shell import consoles, user_errors, writable

if TYPE_CHECKING:
    from ..results.comparison import Estimate


def compare(
    reports: Annotated[list[Path], typer.Argument(help="Two reports or more: JSON files or run folders.")],
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the comparison there as well.")
    ] = None,
) -> None:
    """Compare reports over the seeds they share; refuse where tasks, images or budgets differ."""
    with user_errors():
        output = writable(json)
        from dataclasses import asdict  # noqa: PLC0415

        from rich.markup import escape  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        from ..measures.figures import ACROSS_SEEDS, FIGURE  # noqa: PLC0415
        from ..results.comparison import compare as pair  # noqa: PLC0415
        from ..results.files import write_json  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415

        read = [read_report(path) for path in reports]
        rows = pair(read)
        told = f"in brackets the {ACROSS_SEEDS.name} (95 %, {ACROSS_SEEDS.over})"
        table = Table(title=f"difference: to the first report, paired by seed; {told}", title_justify="left")
        for heading in ("task", "figure", "report"):
            table.add_column(heading, overflow="fold")
        for heading in ("mean", "seeds", "difference", "common"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(
                escape(row.task),
                FIGURE[row.figure].title,
                f"{row.report + 1}: {escape(read[row.report].solver)}",
                _figure(row.estimate, ".3f"),
                str(row.estimate.seeds if row.estimate else 0),
                _figure(row.difference, "+.3f"),
                str(row.difference.seeds) if row.difference else "",
                end_section=row.report == len(read) - 1,
            )
        consoles()[0].print(table)
        if output:
            solvers = [{"path": str(p), "solver": r.solver} for p, r in zip(reports, read, strict=True)]
            write_json(output, {"schema": 1, "reports": solvers, "rows": [asdict(row) for row in rows]})


def _figure(estimate: "Estimate | None", form: str) -> str:
    if estimate is None:
        return ""
    if estimate.interval is None:
        return f"{estimate.mean:{form}}"
    low, high = estimate.interval
    return f"{estimate.mean:{form}} ({low:{form}} to {high:{form}})"
