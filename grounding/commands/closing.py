"""The last lines of a command: where its page is, and how to go on after Ctrl-C."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console


def print_whereabouts(
    console: Console,
    run: Path | None,
    json: Path | None,
    *,
    interrupted: bool,
    kept_by: str,
    resume: str,
    printed: Sequence[Path] = (),
    trained: bool = False,
    stands: str = "every trial that ended is kept",
) -> None:
    """Where the page and the report of a run are; after Ctrl-C how it is continued.

    Args:
        console: Where to.
        run: The folder of the run, if it was kept.
        json: The report as JSON, if it was written.
        interrupted: Whether Ctrl-C ended the run.
        kept_by: The option that would have kept it.
        resume: The option that continues it, "" where the same command does.
        printed: Where what a solver printed is kept, which broke.
        trained: Whether what was found cost training, so that it is worth keeping.
        stands: What the run goes on from after Ctrl-C.
    """
    lines: list[str] = [f"what the solver printed: {path}" for path in printed]
    if run is not None and (run / "report.html").exists():
        again = f"groundcheck show-run {shlex.quote(str(run))}"
        lines.append(f"page: {run / 'report.html'} ({again} prints this again)")
    if json is not None:
        lines.append(f"report: {json} (groundcheck report {shlex.quote(str(json))} makes its page)")
    if interrupted and run is None:
        lines.append(f"nothing of this run was kept; with {kept_by} FOLDER it can be continued")
    elif interrupted:
        lines.append(_continued(resume, stands))
    elif run is None and json is None and trained:
        lines.append(f"no page was kept; {kept_by} FOLDER keeps one, and a run that can be continued")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def print_experiment_whereabouts(
    console: Console, run: Path, *, interrupted: bool, printed: Sequence[Path] = ()
) -> None:
    """Where the folder of an experiment is and what makes its tables; how it is continued.

    Args:
        console: Where to.
        run: The folder.
        interrupted: Whether cells are left that are not decided.
        printed: Where what solvers printed is kept, which broke.
    """
    lines = [f"what the solver printed: {path}" for path in printed]
    lines.append(f"folder: {run} (groundcheck results {shlex.quote(str(run))} makes its tables and its page)")
    if interrupted:
        lines.append(_continued("--resume"))
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _continued(resume: str, stands: str = "every trial that ended is kept") -> str:
    """How the command that ran is continued."""
    words = [word for word in sys.argv[1:] if word != resume]
    command = shlex.join(["groundcheck", *words, *([resume] if resume else [])])
    return f"{stands}; to continue: {command}"
