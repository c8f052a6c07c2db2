"""`groundcheck judge`: whether what was trained elsewhere grounds its symbols."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...datasets.errors import UsageError
from .judge_endpoint import (
    Budget,
    Concurrency,
    EndpointOptions,
    Font,
    Grid,
    Legend,
    MaxTokens,
    PromptFolder,
    Resume,
    Samples,
    Size,
    Temperature,
    Timeout,
    Url,
    judge_model,
)
from .shell import (
    Classes,
    DataRoot,
    Device,
    Download,
    Images,
    Json,
    consoles,
    print_notes,
    user_errors,
    writable,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ...datasets.task import Task
    from ..trials.trial import Outcome

PUZZLES = 300  # that a network is scored on


def judge(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            help="One for each seed: a file of predictions (.npz, .csv, .parquet), or a network, "
            "package.module:attribute, with read(images) and answer(images, place, given); or, alone, "
            "vlm:MODEL behind an endpoint.",
        ),
    ],
    task: Annotated[str | None, typer.Option(help="A task's name; a network needs one.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the task; repeatable."),
    ] = None,
    ceiling: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER|FILE",
            help="Aligned accuracy, or predictions, of the same perception trained with labels; once for all "
            "seeds, or once for each.",
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Predictions of the same network without logic; once for each seed."
        ),
    ] = None,
    rules: Annotated[
        str, typer.Option(help="Whether the method learned the rules or was given them.")
    ] = "learned",
    name: Annotated[str | None, typer.Option(help="What the report calls it.")] = None,
    images: Images = "digits",
    classes: Classes = None,
    data_root: DataRoot = None,
    download: Download = False,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Of the first network: draws its held-out puzzles.")] = 0,
    puzzles: Annotated[
        int | None,
        typer.Option(min=1, help="How many a network is scored on (300), or a model is asked about (50)."),
    ] = None,
    robust: Annotated[
        bool, typer.Option("--robust", help="Ask a network on corrupted puzzles as well, and how sure it is.")
    ] = False,
    run: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Keep report and page there.")] = None,
    json: Json = None,
    isolate: Annotated[
        bool, typer.Option("--isolate/--no-isolate", help="A network in a process of its own, with limits.")
    ] = True,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Of one call of a network.")] = 1800,
    memory_limit: Annotated[float, typer.Option(metavar="GIB", help="Of a network's process.")] = 8,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the report.")] = False,
    url: Url = None,
    samples: Samples = None,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    timeout: Timeout = None,
    concurrency: Concurrency = None,
    budget: Budget = None,
    legend: Legend = None,
    prompts: PromptFolder = None,
    size: Size = None,
    grid: Grid = None,
    font: Font = None,
    resume: Resume = False,
) -> None:
    """Judge what was trained elsewhere: from what it predicted, or by asking it.

    Exit code 0 where it is grounded, 1 where it is not, 2 where the input cannot be meant, 3 where too little
    is known to decide, 4 where image files are missing or an endpoint does not answer.
    """
    options = EndpointOptions(
        url=url, samples=samples, temperature=temperature, max_tokens=max_tokens, timeout=timeout,
        concurrency=concurrency, budget=budget, legend=legend, prompts=prompts, size=size, grid=grid,
        font=font, resume=resume,
    )  # fmt: skip
    with user_errors():
        output = writable(json)
        from ...datasets.image_source import ImageSource, parse_classes  # noqa: PLC0415
        from ..judging.targets import kind_of_all  # noqa: PLC0415

        kind = kind_of_all(targets)
        if robust and kind != "network":
            raise UsageError(f"--robust is for networks, which can be asked: {targets[0]} is none")
        if classes and kind != "network":
            raise UsageError(f"--classes is for networks, which are shown images: {targets[0]} is none")
        source = ImageSource(images, data_root, download, device, parse_classes(classes))
        if kind == "endpoint":
            _only_a_model(targets, ceiling=ceiling, baseline=baseline, name=name)
            code = judge_model(
                targets[0], options, task=task, settings=settings or [], puzzles=puzzles, seed=seed,
                images=source, run=run, json=json, quiet=quiet,
            )  # fmt: skip
            raise typer.Exit(code)
        options.refuse_for(targets[0])
        from ..engines.children import Limits  # noqa: PLC0415
        from ..judging.arrays import score  # noqa: PLC0415
        from ..judging.networks import judge as judge_networks  # noqa: PLC0415
        from ..report.html import write_page  # noqa: PLC0415
        from ..report.table import print_report  # noqa: PLC0415
        from ..results.environment import environment  # noqa: PLC0415
        from ..results.run_directory import open_run  # noqa: PLC0415
        from .closing import print_whereabouts  # noqa: PLC0415

        chosen = _task(task, settings or [])
        console, progress = consoles()
        listed: dict[str, Any] = {"ceiling": ceiling or None, "rules": rules, "name": name, "task": chosen}
        with (
            open_run(run, {"judged": targets}, environment(device), resume=False) as record,
            _freed_again(run),
        ):
            if kind == "predictions":
                if images != "digits":
                    raise UsageError("--images is for networks: a file of predictions holds what was read")
                found = score(*targets, baseline=baseline or None, **listed)
            else:
                _require_network_options(targets[0], task, baseline)
                listed |= {
                    "seed": seed, "puzzles": puzzles or PUZZLES, "isolate": isolate, "robust": robust,
                }  # fmt: skip
                if not quiet:
                    print_notes(source, progress)
                limits, listener = Limits(time_limit, memory_limit), _tell(progress, quiet=quiet)
                found = judge_networks(*targets, images=source, limits=limits, listener=listener, **listed)
            record.finish(found.as_dict())
        if output:
            found.write(output)
        if run:
            write_page(run / "report.html", found, source if kind == "network" else None)
        print_report(found, console)
        print_whereabouts(console, run, output, interrupted=False, kept_by="", resume="")
    raise typer.Exit(found.exit_code)


@contextmanager
def _freed_again(run: Path | None) -> Generator[None]:
    """Leaves no run in the folder where there is nothing to report, so that it can be named again."""
    try:
        yield
    except BaseException:
        if run is not None:
            (run / "run.json").unlink(missing_ok=True)
            (run / "traces").rmdir()
        raise


def _only_a_model(targets: Sequence[str], **others: object) -> None:
    """Raises `UsageError` where several models are named, or what is only for what was trained."""
    if len(targets) > 1:
        raise UsageError(
            f"{targets[0]} is asked by itself: --samples repeats it, {targets[1]} is another run"
        )
    for name, value in others.items():
        if value:
            raise UsageError(
                f"--{name} is about networks and files of predictions, and {targets[0]} is neither"
            )


def _task(name: str | None, settings: Sequence[str]) -> "Task | None":
    from ..suite.settings import apply_task_settings, parse_settings  # noqa: PLC0415
    from .shell import task_named  # noqa: PLC0415

    if name is None:
        if settings:
            raise UsageError(f"--set {settings[0]} sets an option of a task: name the task with --task")
        return None
    return apply_task_settings(parse_settings(settings), task_named(name))


def _require_network_options(target: str, task: str | None, baseline: Sequence[str] | None) -> None:
    if task is None:
        raise UsageError(f"{target} is a network: say what it is judged on with --task")
    if baseline:
        raise UsageError("--baseline stands beside files of predictions, not beside a network")


def _tell(console: "Console", *, quiet: bool) -> "Callable[[Outcome], None]":
    """A line for each network that was judged."""

    def tell(outcome: "Outcome") -> None:
        scores = outcome.scores
        figures = (
            "broke" if scores is None else f"task {scores.task:.2f}, aligned {scores.aligned or 0.0:.2f}"
        )
        line = f"{outcome.solver} seed {outcome.seed}: {figures} ({outcome.seconds:.0f} s)"
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    return (lambda _: None) if quiet else tell
