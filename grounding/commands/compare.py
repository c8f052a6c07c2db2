"""`groundcheck compare`: paired differences between reports."""

from pathlib import Path
from typing import Annotated

import typer

from .shell import consoles, user_errors, writable


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

        from ..report.differences import print_differences  # noqa: PLC0415
        from ..results.comparison import compare as pair  # noqa: PLC0415
        from ..results.files import write_json  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415

        read = [read_report(path) for path in reports]
        rows = pair(read)
        print_differences(rows, read, consoles()[0])
        if output:
            solvers = [{"path": str(p), "solver": r.solver} for p, r in zip(reports, read, strict=True)]
            write_json(output, {"schema": 1, "reports": solvers, "rows": [asdict(row) for row in rows]})
