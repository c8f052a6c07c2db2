"""`groundcheck generate` and `groundcheck certify`: puzzles on disk, and proofs about them."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .completion import task_names
from .shell import Lenient, Set, consoles, task_named, user_errors, with_lenient

if TYPE_CHECKING:
    from rich.console import Console


def generate(
    task: Annotated[
        str,
        typer.Argument(
            help="A task's name, or package.module:attribute or file.py:attribute of yours.",
            autocompletion=task_names,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the set goes.")],
    puzzles: Annotated[int, typer.Option(min=1, help="How many.")] = 10_000,
    split: Annotated[str, typer.Option(help="train, validation, test or ood.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="Which puzzles.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes; the set is the same.")] = 1,
    settings: Set = None,
    lenient: Lenient = False,
) -> None:
    """Write a set of puzzles to a folder; an interrupted one is taken up where it stopped."""
    with user_errors():
        from ...datasets.storage import generate_set  # noqa: PLC0415
        from ...datasets.task import as_split  # noqa: PLC0415
        from ..suite.settings import apply_task_settings, parse_settings  # noqa: PLC0415

        told = parse_settings(with_lenient(settings, lenient=lenient))
        chosen = apply_task_settings(told, task_named(task)).drawn(seed)
        console, progress = consoles()
        with _bar(progress, f"{puzzles:,} of {chosen.name}", puzzles) as advance:
            generate_set(chosen, as_split(split), puzzles, seed, output, workers=workers, progress=advance)
        made = f"{puzzles:,} puzzles of {chosen.name}, {split}, seed {seed}"
        console.print(f"{output}: {made}", highlight=False, soft_wrap=True)


def certify(
    folder: Annotated[Path, typer.Argument(help="A set, as generate writes it, or a file of boards.")],
) -> None:
    """Prove that every puzzle of a set, or every board of a file, has exactly one solution.

    A set is proved by SAT, with the rules alone; a file of boards by a search that counts solutions.
    """
    with user_errors():
        from ...datasets.boards.kept import proved_boards  # noqa: PLC0415
        from ...datasets.boards.tensors import FEATURES  # noqa: PLC0415
        from ...datasets.certify import certify  # noqa: PLC0415
        from ...datasets.storage import HEADER, load_set  # noqa: PLC0415

        console, progress = consoles()
        if not folder.is_dir() or ((folder / FEATURES).exists() and not (folder / HEADER).exists()):
            boards = proved_boards(folder)
            proved = f"all {len(boards):,} boards of {boards.task.name} have exactly one solution"
            console.print(f"{folder}: {proved}", highlight=False, soft_wrap=True)
            raise typer.Exit(0)
        loaded = load_set(folder)
        with _bar(progress, f"proving {folder}", len(loaded.puzzles)) as advance:
            certificate = certify(loaded.task, loaded.puzzles, advance)
        console.print(f"{folder}: {certificate.summary}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if certificate.holds else 1)


@contextmanager
def _bar(console: "Console", title: str, total: int) -> Generator[Callable[[int], None]]:
    """A progress bar; what it yields is called with how many are done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(title, total=total)
        yield lambda done: progress.update(bar, completed=done)
