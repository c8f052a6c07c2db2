"""`groundcheck remedy`: which change makes a solver ground its symbols?"""

from dataclasses import replace
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
    NoCache,
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

NOT_FOUND = 1
UNDECIDED = 3  # the time was over before the search was
INTERRUPTED = 130  # by Ctrl-C


def remedy(
    solver: SolverName,
    task: TaskName = "mapping",
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="Begin no trial after 2h, 30m, 90s; none: no end.")
    ] = "30m",
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A setting that may be changed; repeatable; by default all."),
    ] = None,
    changes: Annotated[int, typer.Option(min=1, help="How many settings may be changed at most.")] = 4,
    tries: Annotated[
        int, typer.Option(min=0, help="Combinations that are tried of each size, from two settings on.")
    ] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Of the search, and of the seeds it chooses on.")] = 0,
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep every trial there as it ends.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the search in that folder.")] = False,
    epochs: Epochs = None,
    settings: Set = None,
    images: Images = "digits",
    classes: Classes = None,
    perception: Perception = "lenet",
    data_root: DataRoot = None,
    download: Download = False,
    device: Device = "cpu",
    workers: Workers = None,
    no_cache: NoCache = False,
    page: Page = None,
    json: Json = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only what was found.")] = False,
) -> None:
    """Search the smallest change of settings under which a solver grounds, and confirm it on other seeds."""
    with user_errors():
        output, drawn = writable(json), writable_page(page)
        if resume and run is None:
            raise UsageError("--resume continues a search: name its folder with --run FOLDER")
        console, progress = consoles()
        with loading(progress, f"searching a remedy for {solver}", quiet=quiet):
            from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
            from ..engines.processes import Processes  # noqa: PLC0415
            from ..experiments.duration import parse_duration  # noqa: PLC0415
            from ..remedy.search import find_remedy  # noqa: PLC0415
            from ..report.progress import follow_suite  # noqa: PLC0415
            from ..report.remedy import print_remedy, summary_of, write_remedy  # noqa: PLC0415
            from ..results.cache import TrialCache  # noqa: PLC0415
            from ..results.files import plain, write_json  # noqa: PLC0415
            from ..suite.settings import parse_settings  # noqa: PLC0415

        seconds = None if budget == "none" else parse_duration(budget)
        source = ImageSource(images, data_root, download, device, parse_classes(classes))
        print_notes(source, progress)

        def tell(line: str) -> None:
            if not quiet:
                progress.print(line, highlight=False, markup=False, soft_wrap=True)

        with follow_suite(progress, quiet=quiet, printed=lambda _: None) as listener:
            found = find_remedy(
                solver,
                task=task,
                images=source,
                perception=perception,
                settings=parse_settings(settings or []),
                epochs=epochs,
                seed=seed,
                seconds=seconds,
                per_size=tries,
                changes=changes,
                only=only or (),
                engine=Processes(workers),
                cache=TrialCache(None) if no_cache else TrialCache.of_user(),
                listener=replace(listener, estimate=None),
                told=tell,
                run=run,
                resume=resume,
            )
        if output is not None:
            write_json(output, {"schema": 1, "summary": summary_of(found), **plain(found)})
        if drawn is not None:
            write_remedy(drawn, found)
        print_remedy(found, console)
        if run is not None and (found.out_of_time or found.interrupted):
            console.print(f"kept in {run}: continue with --resume", highlight=False, markup=False)
        print_written(console, drawn, output)
    if found.smallest is not None:
        raise typer.Exit
    raise typer.Exit(INTERRUPTED if found.interrupted else UNDECIDED if found.out_of_time else NOT_FOUND)
