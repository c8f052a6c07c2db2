"""`groundcheck run`: one training run with its learning curve."""

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
    Perception,
    Set,
    consoles,
    print_notes,
    task_named,
    user_errors,
    writable,
)


def run(
    task: Annotated[str, typer.Argument(help="A task's name.")],
    solver: Annotated[str, typer.Argument(help="A solver's name, or package.module:attribute of yours.")],
    seed: Annotated[int, typer.Option(min=0, help="Decides every random draw of the run.")] = 0,
    settings: Set = None,
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
        from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
        from ..perception.spec import PerceptionSpec  # noqa: PLC0415
        from ..report.curve import follow, print_outcome  # noqa: PLC0415
        from ..suite.settings import (  # noqa: PLC0415
            apply_perception_settings,
            apply_settings,
            parse_settings,
        )
        from ..suite.single import report_trial  # noqa: PLC0415
        from ..trials.budget import budget_for  # noqa: PLC0415
        from ..trials.roles import subject_of  # noqa: PLC0415
        from ..trials.run import run_trial  # noqa: PLC0415
        from ..trials.spec import SolverSpec  # noqa: PLC0415
        from ..trials.trial import Trial  # noqa: PLC0415
        from .closing import print_whereabouts  # noqa: PLC0415

        chosen, spec = task_named(task), SolverSpec.of(solver)
        rest, reader = apply_perception_settings(
            parse_settings(settings or []), PerceptionSpec.of(perception)
        )
        [chosen], spec, [budget] = apply_settings(rest, [chosen], spec, [budget_for(chosen, epochs)])
        spec.load()
        spec.try_options(chosen.problem)
        source = ImageSource(images, data_root, download, device, parse_classes(classes))
        loaded = source.load()
        loaded.require(chosen.drawn(seed))
        reader.try_on(loaded.shape, len(chosen.classes))
        console, progress = consoles()
        print_notes(source, progress)
        trial = Trial(
            task=chosen,
            solver=spec,
            role=subject_of(chosen.seen),
            seed=seed,
            training=budget,
            images=source,
            perception=reader,
        )
        with follow(trial, progress) as after_epoch:
            outcome = run_trial(trial, after_epoch)
        if output:
            report_trial(trial, outcome, loaded).write(output)
        print_outcome(trial, outcome, console)
        print_whereabouts(console, None, output, interrupted=False, kept_by="", resume="")
    raise typer.Exit(1 if outcome.error else 0)
