"""`groundcheck diagnose`: why does a solver not ground its symbols?"""

from pathlib import Path
from typing import Annotated

import typer

from .shell import (
    Classes,
    DataRoot,
    Device,
    Download,
    Epochs,
    Images,
    Json,
    Page,
    Perception,
    Set,
    SolverName,
    TaskName,
    Workers,
    consoles,
    loading,
    print_notes,
    print_written,
    user_errors,
    writable,
    writable_page,
)


def diagnose(
    solver: SolverName,
    task: TaskName = "mapping",
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="A check that was kept there is read; else the trials are kept there."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="That are trained where no check is read.")] = 2,
    epochs: Epochs = None,
    settings: Set = None,
    images: Images = "digits",
    classes: Classes = None,
    perception: Perception = "lenet",
    data_root: DataRoot = None,
    download: Download = False,
    device: Device = "cpu",
    workers: Workers = None,
    page: Page = None,
    json: Json = None,
) -> None:
    """Tell why a solver does not ground: causes with figures, most likely first, and what refutes them."""
    with user_errors():
        output, drawn = writable(json), writable_page(page)
        console, progress = consoles()
        with loading(progress, f"diagnosing {solver}"):
            from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
            from ..report.diagnosis import print_diagnosis, write_diagnosis  # noqa: PLC0415
            from ..report.progress import follow_suite  # noqa: PLC0415
            from ..results.files import write_json  # noqa: PLC0415
            from ..suite.diagnose import diagnose as named  # noqa: PLC0415
            from ..suite.settings import parse_settings  # noqa: PLC0415

        source = ImageSource(images, data_root, download, device, parse_classes(classes))
        print_notes(source, progress)
        with follow_suite(progress, quiet=False, verbose=False, printed=lambda _: None) as listener:
            found = named(
                solver,
                task=task,
                run=run,
                images=source,
                perception=perception,
                listener=listener,
                seeds=seeds,
                epochs=epochs,
                settings=parse_settings(settings or []),
                workers=workers,
            )
        if output is not None:
            write_json(output, found)
        if drawn is not None:
            write_diagnosis(drawn, found)
        print_diagnosis(found, console)
        print_written(console, drawn, output)
    raise typer.Exit(1 if found.explanations or any(seed.failing for seed in found.seeds) else 0)
