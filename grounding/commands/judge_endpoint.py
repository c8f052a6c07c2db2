"""The part of `groundcheck judge` that asks a model behind an endpoint: its options, and what it prints."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...datasets.errors import UsageError
from .shell import consoles, require_folder, tell_fresh, writable

if TYPE_CHECKING:
    from rich.console import Console

    from ...datasets.image_source import ImageSource
    from ..vlm.asking import Progress as Follow
    from ..vlm.session import Judged, Plan

PREFIX = "vlm:"
PANEL = "A model behind an endpoint (vlm:MODEL)"
DEFAULT_TASK = "sudoku"

Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="OpenAI-compatible endpoint, up to and with /v1.", rich_help_panel=PANEL
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(min=1, help="Repetitions, as seeds; with a --temperature.", rich_help_panel=PANEL),
]
Temperature = Annotated[
    float | None, typer.Option(min=0, help="Of its answers; 0 by default.", rich_help_panel=PANEL)
]
MaxTokens = Annotated[
    int | None, typer.Option(min=16, help="The most tokens of one reply; 2048.", rich_help_panel=PANEL)
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="Of one reply; 120.", rich_help_panel=PANEL),
]
Concurrency = Annotated[
    int | None, typer.Option(min=1, max=256, help="Requests under way at once; 4.", rich_help_panel=PANEL)
]
Budget = Annotated[
    str | None,
    typer.Option(
        metavar="LIMITS", help="'400 requests', '2M tokens' or both with a comma; never exceeded.",
        rich_help_panel=PANEL,
    ),
]  # fmt: skip
Legend = Annotated[
    str | None,
    typer.Option(
        help="Other faces of the symbols: letters (by default), digits or clothes.", rich_help_panel=PANEL
    ),
]
PromptFolder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Texts that replace those of the questions.", rich_help_panel=PANEL),
]
Size = Annotated[int | None, typer.Option(help="Pixels of a cell's side; 48.", rich_help_panel=PANEL)]
Grid = Annotated[
    float | None, typer.Option(help="Width of the grid's lines; 1, and 0 for none.", rich_help_panel=PANEL)
]
Font = Annotated[
    str | None,
    typer.Option(help="Of signs, letters, and givens under --images printed.", rich_help_panel=PANEL),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the run in that folder: nothing is asked twice.", rich_help_panel=PANEL
    ),
]


@dataclass(frozen=True)
class EndpointOptions:
    """What a user said of the endpoint; None for what was left to its default."""

    url: str | None = None
    samples: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    concurrency: int | None = None
    budget: str | None = None
    legend: str | None = None
    prompts: Path | None = None
    size: int | None = None
    grid: float | None = None
    font: str | None = None
    resume: bool = False

    @property
    def said(self) -> dict[str, Any]:
        """Those that were given, by name."""
        return {name: value for name, value in vars(self).items() if value is not None and value is not False}

    def refuse_for(self, target: str) -> None:
        """Raises `UsageError` where options of an endpoint were given for something else."""
        for name in self.said:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is about a model behind an endpoint, vlm:MODEL, and {target} is none")

    def pick(self, *names: str, **renamed: str) -> dict[str, Any]:
        """Those of these that were given, for a constructor that has the defaults."""
        wanted = {name: name for name in names} | renamed
        return {theirs: self.said[ours] for theirs, ours in wanted.items() if ours in self.said}


def judge_model(
    target: str,
    options: EndpointOptions,
    *,
    task: str | None,
    settings: Sequence[str],
    puzzles: int | None,
    seed: int,
    images: "ImageSource",
    run: Path | None,
    json: Path | None,
    quiet: bool,
) -> int:
    """Asks the model, prints what came of it, and returns the exit code.

    Raises:
        UsageError: For what cannot be asked.
        DataUnavailableError: Where the endpoint is down.
    """
    output = writable(json)
    if options.url is None:
        raise UsageError(f"{target} needs the address of its server: --url http://127.0.0.1:11434/v1")
    require_folder(run, resume=options.resume)
    from ..report.asked import print_asked  # noqa: PLC0415
    from ..report.html import write_page  # noqa: PLC0415
    from ..report.table import print_report  # noqa: PLC0415
    from ..suite.settings import apply_task_settings, parse_settings  # noqa: PLC0415
    from ..vlm.boards import Style  # noqa: PLC0415
    from ..vlm.endpoint import Endpoint  # noqa: PLC0415
    from ..vlm.session import Asking, judge_endpoint  # noqa: PLC0415
    from ..vlm.spending import parse_limits  # noqa: PLC0415
    from .shell import task_named  # noqa: PLC0415

    endpoint = Endpoint(
        options.url,
        target.removeprefix(PREFIX),
        **options.pick("temperature", "max_tokens", "timeout", "concurrency"),
    )
    asking: Mapping[str, Any] = {
        "style": Style(**options.pick("size", "grid", "font")),
        "seed": seed,
        **({"limits": parse_limits(options.budget)} if options.budget else {}),
        **({} if puzzles is None else {"puzzles": puzzles}),
        **options.pick("samples", "legend"),
    }
    console, progress = consoles()
    tell_fresh(progress, run, resume=options.resume, quiet=quiet)
    try:
        with nullcontext() if quiet else _following(progress) as follow:
            judged = judge_endpoint(
                endpoint,
                apply_task_settings(parse_settings(settings), task_named(task or DEFAULT_TASK)),
                asking=Asking(**asking),
                images=images,
                prompts=options.prompts,
                run=run,
                resume=options.resume,
                announce=lambda plan: _announce(endpoint.url, plan, console),
                progress=follow or (lambda _done, _of: None),
            )
    except KeyboardInterrupt:
        if run:
            _tell(
                console, f"every exchange that ended is kept in {run}; the same command with --resume goes on"
            )
        raise
    if output:
        judged.report.write(output)
    if run:
        write_page(run / "report.html", judged.report, images)
    print_report(judged.report, console)
    print_asked(judged.report, console)
    _close(judged, console, run, output)
    return judged.report.exit_code


def _announce(url: str, plan: "Plan", console: "Console") -> None:
    _tell(console, f"{url}: {plan.told}")


def _close(judged: "Judged", console: "Console", run: Path | None, output: Path | None) -> None:
    """What it took, and where it is kept."""
    spending = judged.spending
    told = f"sent {spending.requests:,} requests, {spending.tokens:,} tokens"
    _tell(console, f"{told}; {judged.recalled:,} replies were known" if judged.recalled else told)
    if spending.exceeded:
        _tell(
            console,
            "the server used more tokens for a reply than it was allowed, and the budget was exceeded by it",
        )
    if judged.replies.budget_spent:
        kept = "the same command with --resume goes on" if run else "--run FOLDER keeps what was answered"
        _tell(console, f"the budget was spent before every question was asked: {kept}")
    if run:
        _tell(console, f"page: {run / 'report.html'}")
        _tell(console, f"exchanges: {run / 'exchanges.jsonl'}")
    if output:
        _tell(console, f"report: {output}")


def _tell(console: "Console", line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


class _following:  # noqa: N801 - used as a function
    """A bar of the boards that are done, where there is a terminal."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = (TextColumn("boards"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("boards", total=None)

    def __enter__(self) -> "Follow":
        self._bar.start()
        return self._moved

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _moved(self, done: int, of: int) -> None:
        self._bar.update(self._task, completed=done, total=of)
