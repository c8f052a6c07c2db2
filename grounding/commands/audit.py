"""`groundcheck audit`: does a user's own training code see the labels of the givens?"""

from typing import Annotated, Any

import typer

from ...datasets.errors import UsageError
from .completion import task_names
from .shell import Classes, DataRoot, Download, Images, consoles, fail, task_named, user_errors


def audit(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            help="package.module:attribute of yours: loss(model, images, given, labels), or a training step, "
            "step(model, optimiser, batch), where batch holds images, given and labels.",
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            help="A task's name, or package.module:attribute or file.py:attribute of yours.",
            autocompletion=task_names,
        ),
    ] = "sudoku",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the task; repeatable."),
    ] = None,
    images: Images = "digits",
    classes: Classes = None,
    data_root: DataRoot = None,
    download: Download = False,
    seed: Annotated[int, typer.Option(min=0, help="Decides puzzles, initial weights and labels.")] = 0,
    steps: Annotated[
        int, typer.Option(min=1, help="Of each training; a leak that needs more is not seen.")
    ] = 44,
    batch: Annotated[
        int, typer.Option(min=1, help="Rows of a batch; a few steps are tried with eight times as many.")
    ] = 32,
) -> None:
    """Change the labels of the givens and tell whether your training code notices.

    Exit code 0 where it does not, 1 where it does (or trains nothing), 2 where it cannot be run, 3 where
    chance that no seed reaches leaves it undecided, 4 where image files are missing.
    """
    from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
    from ..checks.audit import audit as run_audit  # noqa: PLC0415
    from ..checks.audit_code import AuditCrashError  # noqa: PLC0415
    from ..suite.settings import apply_task_settings, parse_settings  # noqa: PLC0415

    with user_errors():
        chosen = apply_task_settings(parse_settings(settings or []), task_named(task))
        try:
            found = run_audit(
                _load(code),
                chosen,
                name=code,
                images=ImageSource(images, data_root, download, classes=parse_classes(classes)),
                seed=seed,
                steps=steps,
                batch=batch,
            )
        except AuditCrashError as crash:
            typer.echo(crash.traceback, err=True, nl=False)
            fail(str(crash), 2)
        console = consoles()[0]
        for finding in found.findings:
            remedy = f" {finding.remedy}" if finding.remedy else ""
            text = f"{finding.id}: {finding.status}: {finding.reason}.{remedy}"
            console.print(text, highlight=False, markup=False)
            typer.echo(finding.traceback, err=True, nl=False)
    statuses = {finding.check: finding.status for finding in found.findings}
    if "error" in statuses.values():
        raise typer.Exit(2)
    if "fail" in statuses.values():
        raise typer.Exit(1)
    raise typer.Exit(3 if statuses["audit/labels"] == "inconclusive" else 0)


def _load(name: str) -> Any:
    from ...datasets.outside import import_attribute  # noqa: PLC0415

    found = import_attribute(name, "loss")
    if not callable(found):
        raise UsageError(f"loss {name!r} is a {type(found).__name__}, not a function")
    return found
