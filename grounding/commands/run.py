"""`groundcheck run`: one training run with its learning curve."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...datasets.errors import UsageError
from .completion import solver_names, task_names
from .puzzles import PuzzleFile
from .shell import (
    Classes,
    DataRoot,
    Device,
    Download,
    Epochs,
    Images,
    Json,
    Lenient,
    Perception,
    Robust,
    Set,
    consoles,
    loading,
    print_notes,
    require_folder,
    task_named,
    tell_fresh,
    user_errors,
    with_lenient,
    writable,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ...datasets.image_source import ImageSource
    from ..results.report import Report
    from ..results.run_directory import Record
    from ..trials.trial import Outcome, Trial


def run(
    task: Annotated[
        str,
        typer.Argument(
            metavar="[TASK]",
            help="A task's name, or package.module:attribute or file.py:attribute of yours; left out with "
            "--puzzles.",
            autocompletion=task_names,
        ),
    ],
    solver: Annotated[
        str | None,
        typer.Argument(
            metavar="SOLVER",
            help="A solver's name, or package.module:attribute or file.py:attribute of yours.",
            show_default=False,
            autocompletion=solver_names,
        ),
    ] = None,
    puzzles: PuzzleFile = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides every random draw of the run.")] = 0,
    settings: Set = None,
    lenient: Lenient = False,
    robust: Robust = False,
    images: Images = "digits",
    classes: Classes = None,
    perception: Perception = "lenet",
    data_root: DataRoot = None,
    download: Download = False,
    epochs: Epochs = None,
    device: Device = "cpu",
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the run there, and a checkpoint as it goes.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in that folder, from its checkpoint.")
    ] = False,
    json: Json = None,
) -> None:
    """Train a solver once, and show its learning curve and what it scores."""
    with user_errors():
        output = writable(json)
        require_folder(run, resume=resume)
        if puzzles is None and solver is None:
            raise UsageError(f"run {task}: name a task and a solver, as groundcheck run sudoku satnet")
        if puzzles is not None and solver is not None:
            raise UsageError(
                f"run {task} {solver} --puzzles {puzzles}: the boards are the task, name the solver alone"
            )
        console, progress = consoles()
        with loading(progress, f"running {solver or task}"):
            from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
            from ..perception.spec import PerceptionSpec  # noqa: PLC0415
            from ..report.curve import print_outcome  # noqa: PLC0415
            from ..results.environment import environment  # noqa: PLC0415
            from ..results.run_directory import open_run  # noqa: PLC0415
            from ..suite.settings import (  # noqa: PLC0415
                apply_evaluation_settings,
                apply_perception_settings,
                apply_settings,
                parse_settings,
            )
            from ..suite.single import asked_of, report_trial  # noqa: PLC0415
            from ..suite.suite import import_solver  # noqa: PLC0415
            from ..trials.budget import budget_for  # noqa: PLC0415
            from ..trials.corrupted import require_givens  # noqa: PLC0415
            from ..trials.roles import subject_of  # noqa: PLC0415
            from ..trials.spec import SolverSpec  # noqa: PLC0415
            from ..trials.trial import Trial  # noqa: PLC0415
            from .closing import print_whereabouts  # noqa: PLC0415
            from .puzzles import read_puzzles  # noqa: PLC0415

        spec = SolverSpec.of(solver or task)
        import_solver(spec)
        chosen = task_named(task) if puzzles is None else read_puzzles(puzzles, progress)
        rest, evaluation = apply_evaluation_settings(
            parse_settings(with_lenient(settings, lenient=lenient)), robust=robust
        )
        rest, reader = apply_perception_settings(rest, PerceptionSpec.of(perception))
        [chosen], spec, [budget] = apply_settings(rest, [chosen], spec, [budget_for(chosen, epochs)])
        require_givens(chosen, evaluation)
        spec.try_options(chosen.problem)
        source = ImageSource(images, data_root, download, device, parse_classes(classes))
        loaded = source.load()
        loaded.require(chosen.drawn(seed))
        reader.try_on(loaded.shape, len(chosen.classes))
        print_notes(source, progress)
        tell_fresh(progress, run, resume=resume)
        trial = Trial(
            task=chosen,
            solver=spec,
            role=subject_of(chosen.seen),
            seed=seed,
            training=budget,
            images=source,
            perception=reader,
            evaluation=evaluation,
        )
        asked = {**asked_of(trial), "images_digest": loaded.digest}
        with open_run(run, asked, environment(device), resume=resume) as record:
            outcome = _train(trial, record, console, progress, run)
            report = report_trial(trial, outcome, loaded)
            record.finish(report.as_dict())
            printed = record.logs.close()
        _write(report, output, run, source)
        print_outcome(trial, outcome, console)
        print_whereabouts(
            console,
            run,
            output,
            interrupted=False,
            kept_by="--run",
            resume="--resume",
            printed=[] if printed is None else [printed],
        )
    raise typer.Exit(1 if outcome.error else 0)


def _train(
    trial: "Trial", record: "Record", console: "Console", progress: "Console", run: Path | None
) -> "Outcome":
    """The outcome of the trial, which the record keeps; it may have it already, or a checkpoint."""
    from ..report.curve import follow, tell_estimate  # noqa: PLC0415
    from ..trials.run import run_trial  # noqa: PLC0415
    from .closing import print_whereabouts  # noqa: PLC0415

    if (known := record.recall(trial)) is not None:
        return known
    log, folder = record.log(trial), record.checkpoint(trial)
    trial = replace(trial, trace=record.trace(trial), log=log, checkpoint=folder)
    tell_estimate(trial, progress)
    try:
        with follow(trial, progress) as after_epoch:
            outcome = run_trial(trial, after_epoch)
    except KeyboardInterrupt:
        stands = "its last checkpoint is kept" if folder and folder.exists() else "no checkpoint was due yet"
        print_whereabouts(
            console, run, None, interrupted=True, kept_by="--run", resume="--resume", stands=stands
        )
        raise
    record.logs.ended(log, broke=outcome.error is not None)
    record.keep(trial, outcome)
    return outcome


def _write(report: "Report", output: Path | None, run: Path | None, source: "ImageSource") -> None:
    from ..report.html import write_page  # noqa: PLC0415

    if output:
        report.write(output)
    if run:
        write_page(run / "report.html", report, source)
