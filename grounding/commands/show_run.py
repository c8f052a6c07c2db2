"""`groundcheck show-run`: a report again, in the terminal."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .shell import consoles, user_errors


def show_run(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or the JSON of a report.")],
) -> None:
    """Print the report of a run again, as check printed it; of a run that did not end, what it has."""
    with user_errors():
        if not run.exists():
            raise UsageError(f"{run} does not exist: name the folder of a run, or the JSON of a report")
        from ..report.table import print_report  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415

        console = consoles()[0]
        print_report(read_report(run), console)
        page = run / "report.html"
        if page.is_file():
            console.print(f"page: {page}", highlight=False, markup=False, soft_wrap=True)
