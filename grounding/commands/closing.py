"""The last lines of a command: where its page is, and how to go on after Ctrl-C."""

import shlex
import sys
from pathlib import Path

from rich.console import Console


def print_whereabouts(
    console: Console, run: Path | None, json: Path | None, *, interrupted: bool, kept_by: str, resume: str
) -> None:
    """Where the page and the report of a run are; after Ctrl-C how it is continued.

    `kept_by` is the option that would have kept it, `resume` the one that continues it, "" where the same
    command does.
    """
    lines: list[str] = []
    if run is not None:
        lines.append(f"page: {run / 'report.html'}")
    if json is not None:
        lines.append(f"report: {json} (groundcheck report {shlex.quote(str(json))} makes its page)")
    if interrupted and run is None:
        lines.append(f"nothing of this run was kept; with {kept_by} FOLDER it can be continued")
    elif interrupted:
        words = [word for word in sys.argv[1:] if word != resume]
        command = shlex.join(["groundcheck", *words, *([resume] if resume else [])])
        lines.append(f"every trial that ended is kept; to continue: {command}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
