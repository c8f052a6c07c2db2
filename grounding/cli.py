"""The command line. Nothing heavy is imported before a command needs it, so that help answers at once."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..datasets.task import Task
    from .suite import Listener

app = typer.Typer(
    name="groundcheck",
    help="Tests whether differentiable symbolic solvers really ground their symbols.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Images = Annotated[str, typer.Option(help="Image set: digits, mnist, fashion, or several joined by +.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(envvar="GROUNDCHECK_DATA", help="Folder that holds MNIST/raw and the like."),
]
Download = Annotated[bool, typer.Option("--download", help="Let torchvision fetch missing images.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Training epochs, for another budget than the default.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A setting of the task, solver or training; repeatable."
    ),
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
    json: Json = None,
) -> None:
    """Train a solver end to end on several seeds and tell whether it grounds its symbols."""
    with _told():
        output = _writable(json)
        if resume and run is None:
            raise ValueError("--resume continues a run: name its folder with --run FOLDER")
        from .report.table import print_report  # noqa: PLC0415
        from .settings import parse_settings  # noqa: PLC0415
        from .suite import DEFAULT_TASKS, check  # noqa: PLC0415

        console, progress = _consoles()
        report = check(
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
            listener=_listener(progress),
            run=run,
            resume=resume,
        )
        if output:
            report.write(output)
        print_report(report, console)
    raise typer.Exit(report.exit_code)


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
    with _told():
        output = _writable(json)
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
        console, progress = _consoles()
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
    seed: Annotated[int, typer.Option(min=0, help="Which puzzles.")] = 0,
    settings: Set = None,
    images: Images = "digits",
    data_root: DataRoot = None,
    download: Download = False,
) -> None:
    """Draw a sample of a task as a PNG: its images, its givens and its solution."""
    with _told():
        path = output or Path(f"{task}.png")
        _writable(path)
        from ..datasets.drawing import draw  # noqa: PLC0415
        from ..datasets.images import load_images  # noqa: PLC0415
        from .settings import apply_task_settings, parse_settings  # noqa: PLC0415

        chosen = apply_task_settings(parse_settings(settings or []), _task(task)).drawn(seed)
        bank = load_images(images, data_root, download=download).test
        figure = draw(chosen, chosen.generate("test", count, seed), bank)
        figure.savefig(path, dpi=200)
        _consoles()[0].print(f"{path}: {count} of {chosen.name}, seed {seed}", highlight=False)


@app.command()
def generate(
    task: Annotated[str, typer.Argument(help="A task's name.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the set goes.")],
    puzzles: Annotated[int, typer.Option(min=1, help="How many.")] = 10_000,
    split: Annotated[str, typer.Option(help="train, validation, test or ood.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="Which puzzles.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes; the set is the same.")] = 1,
    settings: Set = None,
) -> None:
    """Write a set of puzzles to a folder; an interrupted one is taken up where it stopped."""
    with _told():
        from ..datasets.storage import generate_set  # noqa: PLC0415
        from ..datasets.task import as_split  # noqa: PLC0415
        from .settings import apply_task_settings, parse_settings  # noqa: PLC0415

        chosen = apply_task_settings(parse_settings(settings or []), _task(task)).drawn(seed)
        console, progress = _consoles()
        with _bar(progress, f"{puzzles:,} of {chosen.name}", puzzles) as advance:
            generate_set(chosen, as_split(split), puzzles, seed, output, workers=workers, progress=advance)
        console.print(
            f"{output}: {puzzles:,} puzzles of {chosen.name}, {split}, seed {seed}", highlight=False
        )


@app.command()
def certify(
    folder: Annotated[Path, typer.Argument(help="A set of puzzles, as generate writes it.")],
) -> None:
    """Prove by SAT that every puzzle of a set has exactly the solution that is stored with it."""
    with _told():
        from ..datasets.certify import certify  # noqa: PLC0415
        from ..datasets.storage import load_set  # noqa: PLC0415

        console, progress = _consoles()
        loaded = load_set(folder)
        with _bar(progress, f"proving {folder}", len(loaded.puzzles)) as advance:
            certificate = certify(loaded.task, loaded.puzzles, advance)
        console.print(f"{folder}: {certificate.summary}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if certificate.holds else 1)


@app.command("list")
def list_() -> None:
    """List tasks, solvers and image sets, each with one line and its source."""
    with _told():
        from .report.listing import print_listing  # noqa: PLC0415

        print_listing(_consoles()[0])


@contextmanager
def _told() -> Generator[None]:
    """Tells what a user got wrong in one sentence, with the exit code for it."""
    from ..datasets.catalogue import DataUnavailableError  # noqa: PLC0415

    try:
        yield
    except DataUnavailableError as error:
        _fail(str(error), 4)
    except (ValueError, OSError) as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _fail(message: str, code: int) -> None:
    typer.echo(f"groundcheck: {message}", err=True)
    raise typer.Exit(code)


def _writable(path: Path | None) -> Path | None:
    """The path, after making sure that it can be written, so that nothing is computed in vain."""
    if path is None:
        return None
    existed = path.exists()
    try:
        with path.open("a"):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error
    if not existed:
        path.unlink()
    return path


def _task(name: str) -> "Task":
    from ..datasets.catalogue import TASKS  # noqa: PLC0415

    return TASKS.load(name)()


def _consoles() -> "tuple[Console, Console]":
    """Where results go, and where progress goes."""
    from rich.console import Console  # noqa: PLC0415

    return Console(), Console(stderr=True)


@contextmanager
def _bar(console: "Console", title: str, total: int) -> "Generator[Callable[[int], None]]":
    """A progress bar; what it yields is called with how many are done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(title, total=total)
        yield lambda done: progress.update(bar, completed=done)


def _listener(console: "Console") -> "Listener":
    """Plain lines of progress: what is about to run, and what each trial came to."""
    from .suite import Listener  # noqa: PLC0415

    def finding(found: Any) -> None:
        console.print(f"{found.check}: {found.status}", highlight=False, markup=False)

    def wave(trials: Any) -> None:
        console.print(f"{len(trials)} trials", highlight=False)

    def outcome(ended: Any) -> None:
        figures = "broke"
        if scores := ended.scores:
            aligned = "" if scores.aligned is None else f", aligned grounding {scores.aligned:.2f}"
            figures = f"task {scores.task:.2f}{aligned}"
        line = (
            f"  {ended.role}/{ended.task} {ended.solver} seed {ended.seed}: {figures} ({ended.seconds:.0f} s)"
        )
        console.print(line, highlight=False, markup=False)

    return Listener(finding, wave, outcome)


def main() -> None:
    """Entry point of the command `groundcheck`."""
    # Spinning OpenMP threads make everything many times slower where cores are shared; this must be set
    # before torch starts them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path.insert(0, "")  # solvers named module:attribute are found in the working directory
    app()
