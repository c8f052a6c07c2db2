"""`groundcheck leaderboard`: many runs on one page."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .shell import consoles, user_errors, writable


def leaderboard(
    folder: Annotated[Path, typer.Argument(help="Where reports, runs and experiments lie, at any depth.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The page.")] = Path(
        "leaderboard.html"
    ),
    any_budget: Annotated[
        bool, typer.Option("--any-budget", help="Put runs of different budgets into one table.")
    ] = False,
) -> None:
    """Put many runs on one HTML page, a table for each set of runs that can be compared."""
    with user_errors():
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder: name the one that your runs lie in")
        writable(output)
        from ..report.leaderboard import gather, render_leaderboard  # noqa: PLC0415
        from ..results.files import write_text  # noqa: PLC0415

        found, passed_over = gather(folder)
        if not found:
            raise UsageError(f"{folder} holds no report" + "".join(f"; {line}" for line in passed_over))
        write_text(output, render_leaderboard(found, output.resolve().parent, any_budget=any_budget))
        console, progress = consoles()
        for line in passed_over:
            progress.print(f"passed over: {line}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"{output}: {len(found)} reports", highlight=False, markup=False, soft_wrap=True)
