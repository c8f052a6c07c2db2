"""`groundcheck check`: does a solver ground its symbols?"""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .shell import (
    Classes,
    DataRoot,
    Device,
    Download,
    Epochs,
    Images,
    Json,
    Perception,
    Set,
    consoles,
    print_notes,
    user_errors,
    writable,
)

Isolate = Annotated[
    bool | None,
    typer.Option(
        "--isolate/--no-isolate",
        help="Checks and trials in processes with limits; by default for solvers from outside.",
    ),
]
TimeLimit = Annotated[
    float, typer.Option(metavar="SECONDS", help="Of one trial, and one check, when isolated.")
]
MemoryLimit = Annotated[
    float, typer.Option(metavar="GIB", help="Of one trial, and one check, when isolated.")
]


def check(
    solver: Annotated[str, typer.Argument(help="A solver's name, or package.module:attribute of yours.")],
    task: Annotated[list[str] | None, typer.Option(help="Tasks; by default mapping and sudoku.")] = None,
    images: Images = "digits",
    classes: Classes = None,
    perception: Perception = "lenet",
    data_root: DataRoot = None,
    download: Download = False,
    seeds: Annotated[int, typer.Option(help="At most this many; 2 failures or 6 successes decide.")] = 12,
    epochs: Epochs = None,
    settings: Set = None,
    device: Device = "cpu",
    workers: Annotated[
        int | None, typer.Option(min=0, help="Parallel processes; by default one per core. 0: in this one.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep every trial there as it ends.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in that folder: run what is missing.")
    ] = False,
    track: Annotated[
        str | None, typer.Option(help="Log every trial as well to: tensorboard or mlflow.")
    ] = None,
    json: Json = None,
    isolate: Isolate = None,
    time_limit: TimeLimit = 1800,
    memory_limit: MemoryLimit = 8,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ids of checks that are expected to fail.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the report.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line for every check.")] = False,
) -> None:
    """Train a solver end to end on several seeds and tell whether it grounds its symbols."""
    with user_errors():
        output = writable(json)
        if resume and run is None:
            raise UsageError("--resume continues a run: name its folder with --run FOLDER")
        from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
        from ..report.html import write_page  # noqa: PLC0415
        from ..report.progress import follow_suite  # noqa: PLC0415
        from ..report.table import print_report  # noqa: PLC0415
        from ..report.tracking import tracked  # noqa: PLC0415
        from ..results.accounting import read_expected  # noqa: PLC0415
        from ..suite.budget import Budget  # noqa: PLC0415
        from ..suite.engines import Processes  # noqa: PLC0415
        from ..suite.processes import Limits  # noqa: PLC0415
        from ..suite.settings import parse_settings  # noqa: PLC0415
        from ..suite.suite import DEFAULT_TASKS, check  # noqa: PLC0415
        from .closing import print_whereabouts  # noqa: PLC0415

        source = ImageSource(images, data_root, download, device, parse_classes(classes))
        console, progress = consoles()
        if not quiet:
            print_notes(source, progress)
        with (
            follow_suite(progress, quiet=quiet, verbose=verbose) as followed,
            tracked(track, run, followed) as listener,
        ):
            found = check(
                solver,
                tasks=task or DEFAULT_TASKS,
                images=source,
                perception=perception,
                budget=Budget(seeds, epochs, parse_settings(settings or [])),
                engine=Processes(workers, isolate, Limits(time_limit, memory_limit)),
                listener=listener,
                run=run,
                resume=resume,
                expect=read_expected(expect) if expect else (),
            )
        if output:
            found.write(output)
        if run:
            write_page(run / "report.html", found, source)
        print_report(found, console)
        print_whereabouts(
            console, run, output, interrupted=found.interrupted, kept_by="--run", resume="--resume"
        )
    raise typer.Exit(found.exit_code)
