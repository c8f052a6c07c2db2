"""The command line. Nothing heavy is imported before a command needs it, so that help answers at once."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .commands.audit import audit
from .commands.compare import compare
from .commands.gate import gate
from .commands.leaderboard import leaderboard
from .commands.report import report
from .commands.sets import certify, generate
from .commands.shell import DataRoot, Set, consoles, told, writable

if TYPE_CHECKING:
    from ..datasets.task import Task

app = typer.Typer(
    name="groundcheck",
    help="Tests whether differentiable symbolic solvers really ground their symbols.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Images = Annotated[str, typer.Option(help="Image set: digits, mnist, fashion, or several joined by +.")]
Download = Annotated[bool, typer.Option("--download", help="Let torchvision fetch missing images.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Training epochs, for another budget than the default.")
]
Device = Annotated[str, typer.Option(help="Where networks run: cpu, cuda, cuda:1 …")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report there as well.")]


@app.command()
def check(
    solver: Annotated[str, typer.Argument(help="A solver's name, or package.module:attribute of yours.")],
    task: Annotated[list[str] | None, typer.Option(help="Tasks; by default mapping and sudoku.")] = None,
    images: Images = "digits",
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
    isolate: Annotated[
        bool | None,
        typer.Option(
            "--isolate/--no-isolate",
            help="Checks and trials in processes with limits; by default for solvers from outside.",
        ),
    ] = None,
    time_limit: Annotated[
        float, typer.Option(metavar="SECONDS", help="Of one trial, and one check, when isolated.")
    ] = 1800,
    memory_limit: Annotated[
        float, typer.Option(metavar="GIB", help="Of one trial, and one check, when isolated.")
    ] = 8,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ids of checks that are expected to fail.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the report.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line for every check.")] = False,
) -> None:
    """Train a solver end to end on several seeds and tell whether it grounds its symbols."""
    with told():
        output = writable(json)
        if resume and run is None:
            raise ValueError("--resume continues a run: name its folder with --run FOLDER")
        from .accounting import read_expected  # noqa: PLC0415
        from .report.html import write_page  # noqa: PLC0415
        from .report.progress import follow_suite  # noqa: PLC0415
        from .report.table import print_report  # noqa: PLC0415
        from .running import Limits  # noqa: PLC0415
        from .settings import parse_settings  # noqa: PLC0415
        from .suite import DEFAULT_TASKS, check  # noqa: PLC0415
        from .tracking import tracked  # noqa: PLC0415

        console, progress = consoles()
        with (
            follow_suite(progress, quiet=quiet, verbose=verbose) as followed,
            tracked(track, run, followed) as listener,
        ):
            found = check(
                solver,
                tasks=task or DEFAULT_TASKS,
                images=images,
                data_root=data_root,
                download=download,
                seeds=seeds,
                epochs=epochs,
                settings=parse_settings(settings or []),
                device=device,
                workers=workers,
                listener=listener,
                run=run,
                resume=resume,
                isolate=isolate,
                limits=Limits(time_limit, memory_limit),
                expect=read_expected(expect) if expect else (),
            )
        if output:
            found.write(output)
        if run:
            write_page(run / "report.html", found, data_root)
        print_report(found, console)
    raise typer.Exit(found.exit_code)


@app.command()
def run(
    task: Annotated[str, typer.Argument(help="A task's name.")],
    solver: Annotated[str, typer.Argument(help="A solver's name, or package.module:attribute of yours.")],
    seed: Annotated[int, typer.Option(min=0, help="Decides every random draw of the run.")] = 0,
    settings: Set = None,
    images: Images = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    epochs: Epochs = None,
    device: Device = "cpu",
    json: Json = None,
) -> None:
    """Train a solver once, and show its learning curve and what it scores."""
    with told():
        output = writable(json)
        from ..datasets.images import load_images  # noqa: PLC0415
        from .budget import budget_for  # noqa: PLC0415
        from .building import SolverSpec  # noqa: PLC0415
        from .report.curve import follow, print_outcome  # noqa: PLC0415
        from .report.files import write_json  # noqa: PLC0415
        from .settings import apply_settings, parse_settings  # noqa: PLC0415
        from .trial import Trial, run_trial  # noqa: PLC0415

        chosen, spec = _task(task), SolverSpec.of(solver)
        [chosen], spec, [budget] = apply_settings(
            parse_settings(settings or []), [chosen], spec, [budget_for(chosen, epochs)]
        )
        spec.load()
        load_images(images, data_root, download=download, device=device)
        console, progress = consoles()
        trial = Trial(
            task=chosen,
            solver=spec,
            role="grounding" if chosen.seen == "images" else "reasoning",
            seed=seed,
            training=budget,
            images=images,
            data_root=data_root,
            device=device,
        )
        with follow(trial, progress) as after_epoch:
            outcome = run_trial(trial, after_epoch)
        if output:
            write_json(output, outcome.as_dict())
        print_outcome(trial, outcome, console)
    raise typer.Exit(1 if outcome.error else 0)


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="A task's name.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="By default TASK.png here.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=16, help="Puzzles in the picture.")] = 2,
    split: Annotated[str, typer.Option(help="train, validation, test or ood.")] = "test",
    seed: Annotated[int, typer.Option(min=0, help="Which puzzles.")] = 0,
    settings: Set = None,
    images: Images = "digits",
    data_root: DataRoot = None,
    download: Download = False,
) -> None:
    """Draw a sample of a task as a PNG: its images, its givens and its solution."""
    with told():
        path = output or Path(f"{task}.png")
        writable(path)
        from ..datasets.drawing import draw  # noqa: PLC0415
        from ..datasets.images import load_images  # noqa: PLC0415
        from ..datasets.task import as_split  # noqa: PLC0415
        from .settings import apply_task_settings, parse_settings  # noqa: PLC0415

        chosen = apply_task_settings(parse_settings(settings or []), _task(task)).drawn(seed)
        part = as_split(split)
        bank = load_images(images, data_root, download=download).bank(part, chosen.shift)
        figure = draw(chosen, chosen.generate(part, count, seed), bank)
        figure.savefig(path, dpi=200)
        leaky = " (leaky supervision: never passes)" if chosen.supervision == "leaky" else ""
        drawn = f"{path}: {count} of {chosen.name}, {part}, seed {seed}{leaky}"
        consoles()[0].print(drawn, highlight=False)


app.command()(gate)
app.command()(report)
app.command()(compare)
app.command()(audit)
app.command()(leaderboard)
app.command()(generate)
app.command()(certify)


@app.command("list")
def list_() -> None:
    """List tasks, solvers and image sets, each with one line and its source."""
    with told():
        from .report.listing import print_listing  # noqa: PLC0415

        print_listing(consoles()[0])


def _task(name: str) -> "Task":
    from ..datasets.catalogue import TASKS  # noqa: PLC0415

    return TASKS.load(name)()


def main() -> None:
    """Entry point of the command `groundcheck`."""
    # Spinning OpenMP threads make everything many times slower where cores are shared; this must be set
    # before torch starts them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path.insert(0, "")  # solvers named module:attribute are found in the working directory
    app()
