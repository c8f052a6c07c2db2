"""How commands talk: errors in one sentence with their exit code, files tried before anything is computed."""

import os
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ...datasets.errors import UsageError
from .completion import solver_names, task_names

if TYPE_CHECKING:
    from rich.console import Console

    from ...datasets.image_source import ImageSource
    from ...datasets.task import Task

SolverName = Annotated[
    str,
    typer.Argument(
        help="A solver's name, or package.module:attribute or file.py:attribute of yours.",
        autocompletion=solver_names,
    ),
]
TaskName = Annotated[
    str,
    typer.Option(
        help="A task's name, or package.module:attribute or file.py:attribute of yours.",
        autocompletion=task_names,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(envvar="GROUNDCHECK_DATA", help="Folder that holds MNIST/raw and the like."),
]

Images = Annotated[
    str,
    typer.Option(
        help="Image set: digits, mnist, fashion; yours: folder:PATH, arrays:FILE.npz, torchvision:NAME or "
        "package.module:attribute; or several joined by +."
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,…",
        help="Classes of the image set that stand for the symbols, in order: names or numbers.",
    ),
]
_PERCEPTION = (
    "What reads the images: lenet, mlp, hashed, hypernetwork, resnet18, torchvision:NAME, or "
    "package.module:attribute or file.py:attribute of yours. Its options: --set perception.NAME=VALUE, of "
    "any perception perception.weights=FILE."
)
Perception = Annotated[str, typer.Option(help=_PERCEPTION)]
PerceptionOrProfile = Annotated[str | None, typer.Option(help=_PERCEPTION)]  # None: as the profile has it
Download = Annotated[bool, typer.Option("--download", help="Let torchvision fetch missing images.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Training epochs, for another budget than the default.")
]
NoCache = Annotated[
    bool,
    typer.Option("--no-cache", help="Run everything anew, and keep nothing of it in the cache of trials."),
]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Parallel processes; by default one per core. 0: in this one.")
]
Device = Annotated[str, typer.Option(help="Where networks run: cpu, cuda, cuda:1 …")]
Page = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it as a page, .html.")
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report there as well.")]

Lenient = Annotated[
    bool,
    typer.Option(
        "--lenient",
        help="Read a CNF file without a header, or with another number of clauses than it announces.",
    ),
]

Robust = Annotated[
    bool,
    typer.Option(
        "--robust",
        help="Ask trained networks beyond the test set: out of distribution, on corrupted boards, and "
        "how sure they are.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the task, solver or training; repeatable. One that a solver takes by **options is "
        "written solver.NAME=VALUE.",
    ),
]


@contextmanager
def user_errors() -> Generator[None]:
    """Tells what a user got wrong in one sentence, with the exit code for it.

    What nobody foresaw keeps its traceback, and is told as a fault with what to report.
    """
    from ...datasets.errors import DataUnavailableError, UsageError  # noqa: PLC0415
    from ...solvers.extras import MissingExtraError  # noqa: PLC0415
    from .faults import FAULT, describe_fault, is_users_file  # noqa: PLC0415

    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except DataUnavailableError as error:
        fail(str(error), 4)
    except (UsageError, MissingExtraError) as error:
        fail(str(error), 2)
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except Exception as error:
        if isinstance(error, OSError) and is_users_file(error):
            fail(f"{error.filename}: {error.strerror}", 2)
        traceback.print_exc()
        fail(describe_fault(error), FAULT)


def fail(message: str, code: int) -> NoReturn:
    """Ends the command with a message."""
    typer.echo(f"groundcheck: {message}", err=True)
    raise typer.Exit(code)


def writable(path: Path | None) -> Path | None:
    """The path, after making sure that it can be written, so that nothing is computed in vain."""
    if path is None:
        return None
    existed = path.exists()
    try:
        with path.open("a"):
            pass
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    if not existed:
        path.unlink()
    return path


def writable_page(path: Path | None) -> Path | None:
    """As `writable`; raises `UsageError` for a page that does not end in .html."""
    path = writable(path)
    if path is not None and path.suffix.lower() != ".html":
        raise UsageError(f"{path}: a page ends in .html, name it so")
    return path


def with_lenient(settings: list[str] | None, *, lenient: bool) -> list[str]:
    """The settings of a command line, --lenient among them."""
    return [*(settings or []), *(["lenient=True"] if lenient else [])]


def consoles() -> "tuple[Console, Console]":
    """Where results go, and where progress goes. Colours follow NO_COLOR, and whether there is a terminal.

    They hold on to the streams of this moment: what a solver prints may be kept meanwhile.
    """
    from rich.console import Console  # noqa: PLC0415

    from ..trials.printed import lasting  # noqa: PLC0415

    # A log has no width of its own: 80 columns would fold every table.
    width = None if os.isatty(1) or "COLUMNS" in os.environ else 120
    # folder:two: names a folder, no emoji.
    return (
        Console(width=width, file=lasting(sys.stdout), emoji=False),
        Console(file=lasting(sys.stderr), emoji=False),
    )


@contextmanager
def loading(console: "Console", what: str, *, quiet: bool = False) -> Generator[None]:
    """Says in a terminal what a command is at, while what it needs is imported; a log hears what follows."""
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(f"{what}: loading"):
        yield


def require_folder(run: Path | None, *, resume: bool) -> None:
    """Raises `UsageError` where a run is to be continued, and nobody says which."""
    if resume and run is None:
        raise UsageError("--resume continues a run: name its folder with --run FOLDER")


def tell_fresh(
    console: "Console", run: Path | None, *, resume: bool, quiet: bool = False, asked: str = "run.json"
) -> None:
    """Says that nothing is there to go on with, as where the name of the folder was mistyped."""
    if resume and run is not None and not quiet and not (run / asked).exists():
        console.print(
            f"--resume: {run} holds nothing to go on with; this begins there from the start",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


def print_notes(source: "ImageSource", console: "Console") -> None:
    """What a user should know of the image set before anything is made of it."""
    loaded = source.load()
    for note in filter(None, (loaded.naming, *loaded.notes)):
        console.print(f"images {loaded.name}: {note}", highlight=False, markup=False, soft_wrap=True)


def task_named(name: str) -> "Task":
    """A task of the catalogue, or of a user's file or module, with its default settings."""
    from ...datasets.own_task import find_task  # noqa: PLC0415

    return find_task(name)


def print_written(console: "Console", *paths: Path | None) -> None:
    """A line for each file that was written."""
    for path in filter(None, paths):
        console.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
