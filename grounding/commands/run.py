"""`groundcheck run`: one training run with its learning curve."""

from typing import Annotated

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
    Set,
    consoles,
    loading,
    print_notes,
    task_named,
    user_errors,
    with_lenient,
    writable,
)


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
    images: Images = "digits",
    classes: Classes = None,
    perception: Perception = "lenet",
    data_root: DataRoot = None,
    download: Download = False,
    epochs: Epochs = None,
    device: Device = "cpu",
    json: Json = None,
) -> None:
    """Train a solver once, and show its learning curve and what it scores."""
    with user_errors():
        output = writable(json)
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
            from ..report.curve import follow, print_outcome, tell_estimate  # noqa: PLC0415
            from ..results.logs import Logs  # noqa: PLC0415
            from ..suite.settings import (  # noqa: PLC0415
                apply_perception_settings,
                apply_settings,
                parse_settings,
            )
            from ..suite.single import report_trial  # noqa: PLC0415
            from ..suite.suite import import_solver  # noqa: PLC0415
            from ..trials.budget import budget_for  # noqa: PLC0415
            from ..trials.roles import subject_of  # noqa: PLC0415
            from ..trials.run import run_trial  # noqa: PLC0415
            from ..trials.spec import SolverSpec  # noqa: PLC0415
            from ..trials.trial import Trial  # noqa: PLC0415
            from .closing import print_whereabouts  # noqa: PLC0415
            from .puzzles import read_puzzles  # noqa: PLC0415

        spec, logs = SolverSpec.of(solver or task), Logs()
        import_solver(spec)
        chosen = task_named(task) if puzzles is None else read_puzzles(puzzles, progress)
        rest, reader = apply_perception_settings(
            parse_settings(with_lenient(settings, lenient=lenient)), PerceptionSpec.of(perception)
        )
        [chosen], spec, [budget] = apply_settings(rest, [chosen], spec, [budget_for(chosen, epochs)])
        spec.try_options(chosen.problem)
        source = ImageSource(images, data_root, download, device, parse_classes(classes))
        loaded = source.load()
        loaded.require(chosen.drawn(seed))
        reader.try_on(loaded.shape, len(chosen.classes))
        print_notes(source, progress)
        trial = Trial(
            task=chosen,
            solver=spec,
            role=subject_of(chosen.seen),
            seed=seed,
            training=budget,
            images=source,
            perception=reader,
            log=logs.path("trial"),
        )
        tell_estimate(trial, progress)
        with follow(trial, progress) as after_epoch:
            outcome = run_trial(trial, after_epoch)
        if output:
            report_trial(trial, outcome, loaded).write(output)
        print_outcome(trial, outcome, console)
        logs.ended(trial.log, broke=outcome.error is not None)
        printed = logs.close()
        print_whereabouts(
            console,
            None,
            output,
            interrupted=False,
            kept_by="",
            resume="",
            printed=[] if printed is None else [printed],
        )
    raise typer.Exit(1 if outcome.error else 0)
