"""`groundcheck show`: a sample of a task as a picture."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .shell import (
    Classes,
    DataRoot,
    Download,
    Images,
    Set,
    consoles,
    print_notes,
    task_named,
    user_errors,
    writable,
)


def show(
    task: Annotated[str, typer.Argument(help="A task's name.")],
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
    images: Images = "digits",
    classes: Classes = None,
    data_root: DataRoot = None,
    download: Download = False,
) -> None:
    """Draw a sample of a task as a picture: its images, its givens, its signs and its solution."""
    with user_errors():
        path = output or Path(f"{task}.png")
        if path.suffix.lower() not in (".png", ".pdf", ".svg"):
            raise UsageError(f"{path}: a picture ends in .png, .pdf or .svg, name it so")
        writable(path)
        from ...datasets.drawing import draw  # noqa: PLC0415
        from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
        from ...datasets.task import as_split  # noqa: PLC0415
        from ..suite.settings import apply_task_settings, parse_settings  # noqa: PLC0415

        chosen = apply_task_settings(parse_settings(settings or []), task_named(task)).drawn(seed)
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
