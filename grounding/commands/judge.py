"""`groundcheck judge`: whether a model behind an endpoint reads what it answers."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .judge_endpoint import (
    PREFIX,
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
from .shell import DataRoot, Download, Images, Json, Set, user_errors


def judge(
    targets: Annotated[list[str], typer.Argument(metavar="TARGET...", help="vlm:MODEL.")],
    task: Annotated[str | None, typer.Option(help="A task's name.")] = None,
    settings: Set = None,
    images: Images = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    seed: Annotated[int, typer.Option(min=0, help="Which puzzles.")] = 0,
    puzzles: Annotated[int | None, typer.Option(min=1, help="How many boards; by default 50.")] = None,
    run: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Keep every exchange there.")] = None,
    resume: Resume = False,
    json: Json = None,
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the report.")] = False,
) -> None:
    """Judge a model behind an endpoint: does it read what it answers?"""
    with user_errors():
        from ...datasets.image_source import ImageSource  # noqa: PLC0415

        options = EndpointOptions(
            url=url, samples=samples, temperature=temperature, max_tokens=max_tokens, timeout=timeout,
            concurrency=concurrency, budget=budget, legend=legend, prompts=prompts, size=size, grid=grid,
            font=font, resume=resume,
        )  # fmt: skip
        if len(targets) != 1 or not targets[0].startswith(PREFIX):
            raise UsageError(f"{targets[0]!r} is no model: say vlm:MODEL, and one at a time")
        code = judge_model(
            targets[0], options, task=task, settings=settings or [], puzzles=puzzles, seed=seed,
            images=ImageSource(images, data_root, download), run=run, json=json, quiet=quiet,
        )  # fmt: skip
    raise typer.Exit(code)
