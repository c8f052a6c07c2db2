"""`groundcheck show`: a sample of a task as a picture."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .completion import task_names
from .puzzles import PuzzleFile
from .shell import (
    Classes,
    DataRoot,
    Download,
    Images,
    Lenient,
    Set,
    consoles,
    print_notes,
    task_named,
    user_errors,
    with_lenient,
    writable,
)


def show(
    task: Annotated[
        str | None,
        typer.Argument(
            help="A task's name, or package.module:attribute or file.py:attribute of yours; left out with "
            "--puzzles.",
            autocompletion=task_names,
        ),
    ] = None,
    puzzles: PuzzleFile = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="PNG, PDF or SVG by its ending; by default TASK.png."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=16, help="Puzzles in the picture.")] = 2,
    split: Annotated[str, typer.Option(help="train, validation, test or ood.")] = "test",
    seed: Annotated[int, typer.Option(min=0, help="Which puzzles.")] = 0,
    settings: Set = None,
    lenient: Lenient = False,
    images: Images = "digits",
    classes: Classes = None,
    data_root: DataRoot = None,
    download: Download = False,
) -> None:
    """Draw a sample of a task as a picture: its images, its givens, its signs and its solution."""
    with user_errors():
        if (task is None) == (puzzles is None):
            raise UsageError("show draws a task or --puzzles FILE: name one of the two")
        # of a task in a file, the file's own name
        name = Path(task).name.partition(":")[0].removesuffix(".py") if task else Path(str(puzzles)).stem
        path = output or Path(f"{name}.png")
        if path.suffix.lower() not in (".png", ".pdf", ".svg"):
            raise UsageError(f"{path}: a picture ends in .png, .pdf or .svg, name it so")
        writable(path)
        from ...datasets.drawing import draw  # noqa: PLC0415
        from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
        from ...datasets.task import as_split  # noqa: PLC0415
        from ..suite.settings import apply_task_settings, parse_settings  # noqa: PLC0415
        from .puzzles import read_puzzles  # noqa: PLC0415

        found = task_named(task) if task is not None else read_puzzles(Path(str(puzzles)), consoles()[1])
        told = parse_settings(with_lenient(settings, lenient=lenient))
        chosen = apply_task_settings(told, found).drawn(seed)
        part = as_split(split)
        source = ImageSource(images, data_root, download, classes=parse_classes(classes))
        loaded = source.load()
        loaded.require(chosen)
        print_notes(source, consoles()[1])
        bank = loaded.bank(part, chosen.shift)
        figure = draw(chosen, chosen.generate(part, count, seed), bank)
        figure.savefig(path, dpi=200)
        leaky = " (leaky supervision: never passes)" if chosen.supervision == "leaky" else ""
        drawn = f"{path}: {count} of {chosen.name}, {part}, seed {seed}{leaky}"
        consoles()[0].print(drawn, highlight=False)
