"""Boards of a user's file, for any command: read, proved and split while somebody watches."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ...datasets.task import Task

PuzzleFile = Annotated[
    Path | None,
    typer.Option(
        "--puzzles",
        metavar="FILE",
        help="Boards of yours: one a line, a CSV, SATNet's tensors, or a folder that generate wrote.",
    ),
]


def read_puzzles(path: Path, console: "Console", *, quiet: bool = False) -> "Task":
    """The boards of a file as a task; what was read is told once it is proved.

    Raises `UsageError` for a file that holds no boards, or one, by its line, without exactly one solution.
    """
    from ...datasets.boards.kept import proved_boards  # noqa: PLC0415
    from ...datasets.boards.task import FileBoards  # noqa: PLC0415

    if quiet:
        return FileBoards(file=str(path))
    with console.status(f"reading {path}") as status:
        proved_boards(path, lambda done: status.update(f"reading {path}: {done:,} boards proved"))
        task = FileBoards(file=str(path))
    console.print(task.summary, highlight=False, markup=False, soft_wrap=True)
    return task
