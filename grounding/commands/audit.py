"""`groundcheck audit`: does a user's own training loss see the labels of the givens?"""

from typing import Annotated, Any

import typer

from ...datasets.errors import UsageError
from .shell import consoles, user_errors


def audit(
    loss: Annotated[
        str,
        typer.Argument(help="package.module:loss of yours, called as loss(model, images, given, labels)."),
    ],
    task: Annotated[str, typer.Option(help="A task's name.")] = "sudoku",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the task; repeatable."),
    ] = None,
    images: Annotated[str, typer.Option(help="Image set.")] = "digits",
    seed: Annotated[int, typer.Option(min=0, help="Decides puzzles and initial weights.")] = 0,
) -> None:
    """Change the labels of the givens and tell whether your training loss notices.

    Exit code 1 where it does.
    """
    from ...datasets.catalogue import TASKS  # noqa: PLC0415
    from ..checks.audit import audit as run_audit  # noqa: PLC0415
    from ..suite.settings import apply_task_settings, parse_settings  # noqa: PLC0415

    with user_errors():
        chosen = apply_task_settings(parse_settings(settings or []), TASKS.load(task)())
        found = run_audit(_load(loss), chosen, images=images, seed=seed)
        console = consoles()[0]
        for finding in found.findings:
            remedy = f" {finding.remedy}" if finding.remedy else ""
            text = f"{finding.id}: {finding.status}: {finding.reason}.{remedy}"
            console.print(text, highlight=False, markup=False)
    raise typer.Exit(1 if any(f.status in ("fail", "error") for f in found.findings) else 0)


def _load(name: str) -> Any:
    from ...datasets.outside import import_attribute  # noqa: PLC0415

    found = import_attribute(name, "loss")
    if not callable(found):
        raise UsageError(f"loss {name!r} is a {type(found).__name__}, not a function")
    return found
