"""`groundcheck compare`: paired differences between reports."""

from pathlib import Path
from typing import Annotated

import typer

from .shell import consoles, user_errors, writable


def compare(
    reports: Annotated[
        list[Path], typer.Argument(help="Two reports or more: JSON files, run folders, experiments.")
    ],
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the comparison there as well.")
    ] = None,
    any_budget: Annotated[
        bool, typer.Option("--any-budget", help="Compare reports of different budgets as well.")
    ] = False,
) -> None:
    """Compare reports over the seeds they share; refuse where tasks, images or budgets differ."""
    with user_errors():
        output = writable(json)
        from dataclasses import asdict  # noqa: PLC0415

        from ..report.differences import print_differences  # noqa: PLC0415
        from ..results.comparison import compare as pair  # noqa: PLC0415
        from ..results.comparison import report_names  # noqa: PLC0415
        from ..results.files import write_json  # noqa: PLC0415
        from ..suite.report_io import read_reports  # noqa: PLC0415

        found = [(path, report) for path in reports for report in read_reports(path)]
        read = [report for _, report in found]
        rows = pair(read, any_budget=any_budget)
        print_differences(rows, read, consoles()[0])
        if output:
            solvers = [
                {"path": str(path), "solver": report.solver, "name": name}
                for (path, report), name in zip(found, report_names(read), strict=True)
            ]
            write_json(output, {"schema": 1, "reports": solvers, "rows": [asdict(row) for row in rows]})
