"""`groundcheck check`: does a solver ground its symbols?"""

from pathlib import Path
from typing import Annotated

import typer

from .completion import solver_names, task_names
from .puzzles import PuzzleFile
from .shell import (
    Classes,
    DataRoot,
    Device,
    Download,
    Epochs,
    Json,
    Lenient,
    NoCache,
    PerceptionOrProfile,
    Robust,
    Set,
    Workers,
    consoles,
    loading,
    print_notes,
    require_folder,
    tell_fresh,
    user_errors,
    with_lenient,
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
    solver: Annotated[
        str,
        typer.Argument(
            help="A solver's name, package.module:attribute or file.py:attribute of yours, or a name from "
            "groundcheck.toml.",
            autocompletion=solver_names,
        ),
    ],
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="A task's name, or package.module:attribute or file.py:attribute of yours; repeatable; by "
            "default mapping and sudoku.",
            autocompletion=task_names,
        ),
    ] = None,
    puzzles: PuzzleFile = None,
    images: Annotated[
        str | None,
        typer.Option(
            help="Image set: digits (the default), mnist, fashion; yours: folder:PATH, arrays:FILE.npz, "
            "torchvision:NAME or package.module:attribute; or several joined by +."
        ),
    ] = None,
    classes: Classes = None,
    perception: PerceptionOrProfile = None,
    data_root: DataRoot = None,
    download: Download = False,
    seeds: Annotated[
        int | None, typer.Option(help="At most this many, 12 by default; 2 failures or 6 successes decide.")
    ] = None,
    epochs: Epochs = None,
    settings: Set = None,
    lenient: Lenient = False,
    robust: Robust = False,
    contract: Annotated[
        bool,
        typer.Option(
            "--contract",
            help="Only the checks of the contract, of solver and perception, and of leaks: seconds.",
        ),
    ] = False,
    device: Device = "cpu",
    workers: Workers = None,
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
    no_cache: NoCache = False,
    isolate: Isolate = None,
    time_limit: TimeLimit = 1800,
    memory_limit: MemoryLimit = 8,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ids of checks that are expected to fail.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the report.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line for every check.")] = False,
) -> None:
    """Train a solver end to end on several seeds and tell whether it grounds its symbols.

    A groundcheck.toml in this folder says what is not said here: the profile of the solver, or of the gate,
    decides tasks, images, perception, seeds, epochs and settings.
    """
    with user_errors():
        output = writable(json)
        require_folder(run, resume=resume)
        console, progress = consoles()
        with loading(progress, f"checking {solver}", quiet=quiet):
            from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
            from ..engines.children import Limits  # noqa: PLC0415
            from ..engines.processes import Processes  # noqa: PLC0415
            from ..report.contract import contract_exit_code, print_contract  # noqa: PLC0415
            from ..report.html import write_page  # noqa: PLC0415
            from ..report.progress import follow_suite  # noqa: PLC0415
            from ..report.table import print_report  # noqa: PLC0415
            from ..report.tracking import tracked  # noqa: PLC0415
            from ..results.accounting import read_expected  # noqa: PLC0415
            from ..results.cache import TrialCache  # noqa: PLC0415
            from ..suite.budget import Budget  # noqa: PLC0415
            from ..suite.check import check  # noqa: PLC0415
            from ..suite.settings import parse_settings  # noqa: PLC0415
            from ..trials.spec import SolverSpec  # noqa: PLC0415
            from .closing import print_whereabouts  # noqa: PLC0415
            from .defaults import asked_for  # noqa: PLC0415
            from .puzzles import read_puzzles  # noqa: PLC0415

        asked = asked_for(
            solver,
            tasks=task,
            puzzles=puzzles,
            images=images,
            classes=parse_classes(classes),
            perception=perception,
            seeds=seeds,
            epochs=epochs,
            settings=parse_settings(with_lenient(settings, lenient=lenient)),
            robust=robust,
        )
        if asked.source and not quiet:
            progress.print(asked.source, highlight=False, markup=False, soft_wrap=True)
        boards = [] if asked.puzzles is None else [read_puzzles(asked.puzzles, progress, quiet=quiet)]
        source = ImageSource(asked.images, data_root, download, device, asked.classes)
        if not quiet:
            print_notes(source, progress)
        tell_fresh(progress, run, resume=resume, quiet=quiet)
        cache = TrialCache(None) if no_cache else TrialCache.of_user()
        printed: list[Path] = []
        with (
            follow_suite(progress, quiet=quiet, verbose=verbose, printed=printed.append) as followed,
            tracked(track, run, followed) as listener,
        ):
            found = check(
                SolverSpec(asked.solver, dict(asked.options)),
                tasks=[*(asked.tasks or ()), *boards],
                images=source,
                perception=asked.perception,
                budget=Budget(
                    asked.seeds, asked.epochs, asked.settings, train=not contract, robust=asked.robust
                ),
                engine=Processes(workers, isolate, Limits(time_limit, memory_limit)),
                cache=cache,
                listener=listener,
                run=run,
                resume=resume,
                expect=read_expected(expect) if expect else (),
            )
        if output:
            found.write(output)
        if run:
            write_page(run / "report.html", found, source)
        if contract:
            print_contract(found, console)
        else:
            print_report(found, console)
        print_whereabouts(
            console,
            run,
            output,
            interrupted=found.interrupted,
            kept_by="--run",
            resume="--resume",
            printed=printed,
            trained=not contract,
        )
    raise typer.Exit(contract_exit_code(found) if contract else found.exit_code)
