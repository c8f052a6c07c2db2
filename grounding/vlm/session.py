"""A model behind an endpoint, judged: what is asked, what it costs, and the report that comes of it."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from ..measures.asked import Asked
from ..measures.statistics import SequentialTest
from ..results.environment import environment
from ..results.report import Report, TaskReport
from ..results.run_directory import RunDirectory, open_run
from ..trials.trial import Outcome
from .asking import Boards, Progress, Replies, ask_all
from .boards import Style
from .client import Client
from .endpoint import Endpoint
from .exchanges import Log
from .findings import findings_of
from .forms import form_of, written
from .legends import legend_faces, usual_faces
from .prompts import Prompts, read_prompts
from .questions import QUESTIONS, Name
from .samples import Sample, sample_of, truth_of
from .scoring import allowed_scores, asked_figures, scores_of, text_scores
from .spending import RETRIES, Limits, Spending
from .verdicts import Sampled, best_possible, judge_samples

PREFIX = "vlm:"
NEEDED: Mapping[Name, str] = {"read": "what it reads", "answer": "what it answers"}  # for a verdict
USABLE = 0.5  # of the replies of reading, and of answering, for scores to be about what a model does


@dataclass(frozen=True)
class Asking:
    """What a model is asked, beside the task.

    Args:
        puzzles: How many boards.
        samples: How often everything is repeated, as seeds; at a temperature above 0.
        seed: Which puzzles.
        legend: The other faces of question (f): letters, digits or clothes.
        style: How boards are drawn.
        limits: The budget; what it leaves open is set by what is asked.

    Raises:
        UsageError: For numbers that cannot be meant.
    """

    puzzles: int = 50
    samples: int = 1
    seed: int = 0
    legend: str = "letters"
    style: Style = field(default_factory=Style)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.puzzles < 1 or self.samples < 1:
            raise UsageError(f"puzzles={self.puzzles}, samples={self.samples}: ask about 1 or more")


@dataclass(frozen=True)
class Plan:
    """What a run will send at most: told before it starts."""

    boards: int
    samples: int
    requests: int
    tokens: int
    limits: Limits

    @property
    def told(self) -> str:
        """In a line."""
        times = f" × {self.samples} samples" if self.samples > 1 else ""
        return (
            f"{self.boards} boards × {len(QUESTIONS)} questions{times}: {self.requests:,} requests, up to "
            f"{self.tokens:,} tokens; budget, repeated requests as well: {self.limits.told}"
        )


@dataclass(frozen=True)
class Judged:
    """What came of a run."""

    report: Report
    replies: Replies
    spending: Spending
    asked: int  # questions that were sent now
    recalled: int  # and that were answered in an earlier part of the run


def judge_endpoint(
    endpoint: Endpoint,
    task: Task,
    *,
    asking: Asking | None = None,
    images: str | ImageSource = "digits",
    prompts: Path | Prompts | None = None,
    run: Path | None = None,
    resume: bool = False,
    announce: Callable[[Plan], None] = lambda _plan: None,
    progress: Progress = lambda _done, _of: None,
) -> Judged:
    """Asks a model about boards of a task and judges its answers.

    Args:
        endpoint: The model.
        task: What the boards are of.
        asking: How many boards and samples, how drawn, and the budget.
        images: What givens are shown with: an image set, or "printed".
        prompts: A folder whose files replace ours, or the prompts themselves.
        run: Keeps every exchange there; None keeps nothing.
        resume: Whether to go on with a run in that folder.
        announce: Is told the plan before anything is sent.
        progress: Is told of every board that is done.

    Raises:
        UsageError: For what cannot be asked, or what the endpoint refuses.
        DataUnavailableError: Where the endpoint is down, or an image set is missing.
        MissingExtraError: Where httpx or Pillow is not installed.
    """
    asking = asking or Asking()
    if asking.samples > 1 and endpoint.temperature <= 0:
        raise UsageError(
            f"samples={asking.samples} at temperature {endpoint.temperature:g}: every sample would be the "
            "same; give --temperature a value above 0"
        )
    texts = prompts if isinstance(prompts, Prompts) else read_prompts(prompts)
    source = ImageSource.of(images)
    drawn = task.drawn(asking.seed)
    boards = _boards(drawn, asking, source, texts)
    plan = plan_of(boards, asking, endpoint)
    asked_of = _asked_of(endpoint, boards, asking)
    with open_run(run, asked_of, environment(), resume=resume) as record:
        log = Log(record.path if isinstance(record, RunDirectory) else None)
        spending = Spending(plan.limits)
        client = Client(endpoint, spending, log)
        announce(plan)
        started = time.monotonic()
        try:
            replies = _run(ask_all(client, boards, asking.samples, progress))
        except BaseException:
            if log.empty:
                log.discard()
            raise
        unanswered = sum(bool(exchange.error) for exchange in log.kept.values())
        report = report_of(
            endpoint, boards, asking, replies, spending,
            unanswered=unanswered, seconds=time.monotonic() - started,
        )  # fmt: skip
        record.finish(report.as_dict())
    return Judged(report, replies, spending, client.asked, client.recalled)


def _run(asking: Coroutine[Any, Any, Replies]) -> Replies:
    """Runs it to its end: in a thread of its own where a loop runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(asking)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asking).result()


def _boards(task: Task, asking: Asking, source: ImageSource, prompts: Prompts) -> Boards:
    """The boards, after making sure that the task is one that questions are written for."""
    form_of(task, tuple(map(str, task.classes)))
    usual = usual_faces(task, source, asking.style)
    legend = legend_faces(asking.legend, task, source, asking.style)
    puzzles = task.generate("test", asking.puzzles, asking.seed)
    return Boards(task, puzzles, usual, legend, asking.style, prompts)


def plan_of(boards: Boards, asking: Asking, endpoint: Endpoint) -> Plan:
    """What is sent at most, and the budget: what a user did not limit is limited by what is asked.

    Raises:
        UsageError: Where the budget does not cover a single board.
    """
    wording, picture = boards.wording, boards.picture(0)
    transcript = json.dumps(written(wording.form.reading, boards.seen[0]))
    one = [
        wording.read(picture),
        wording.answer(picture),
        wording.symbols(boards.seen[0]),
        wording.exchanged(picture, transcript),
        wording.relabelled(boards.picture(0, legend=True)),
    ]
    unspent = Spending()
    bounds = [unspent.bound(question.name, question.text_bytes, question.patches) for question in one]
    least = Limits(len(one), sum(bounds) + len(one) * endpoint.max_tokens)
    for name in ("requests", "tokens"):
        wanted, needed = getattr(asking.limits, name), getattr(least, name)
        if wanted is not None and wanted < needed:
            advice = "raise it, or lower --max-tokens" if name == "tokens" else "raise it"
            raise UsageError(
                f"a budget of {wanted:,} {name} does not cover one board, which may take {needed:,}: {advice}"
            )
    rounds, limits = asking.puzzles * asking.samples, asking.limits
    requests, tokens = rounds * (least.requests or 0), rounds * (least.tokens or 0)
    room = Limits(limits.requests or int(RETRIES * requests), limits.tokens or int(RETRIES * tokens))
    return Plan(asking.puzzles, asking.samples, requests, tokens, room)


def _asked_of(endpoint: Endpoint, boards: Boards, asking: Asking) -> dict[str, Any]:
    """What a run was asked, as its record keeps it; the budget, and how fast it goes, decide nothing."""
    return {
        "kind": "vlm",
        "model": endpoint.model,
        "url": endpoint.url,
        "temperature": endpoint.temperature,
        "max_tokens": endpoint.max_tokens,
        "tasks": [
            {"task": boards.task.name, "version": boards.task.version, "settings": boards.task.settings}
        ],
        "puzzles": asking.puzzles,
        "samples": asking.samples,
        "seed": asking.seed,
        "images": {"name": boards.usual.origin, "digest": boards.usual.digest},
        "legend": {"name": boards.legend.name, "digest": boards.legend.digest},
        "style": {"size": asking.style.size, "grid": asking.style.grid, "font": asking.style.font},
        "prompts": {"version": boards.prompts.version, "sha256": boards.prompts.digests},
    }


def report_of(
    endpoint: Endpoint,
    boards: Boards,
    asking: Asking,
    replies: Replies,
    spending: Spending,
    *,
    unanswered: int = 0,
    seconds: float = 0.0,
) -> Report:
    """The report: reading and answers as a seed's trial, (d) as its ceiling, (c) as that on true symbols."""
    truth = truth_of(boards)
    samples = [sample_of(boards, replies, number) for number in range(asking.samples)]
    asked = asked_figures(boards, truth, samples, replies, spending)
    name, task = f"{PREFIX}{endpoint.model}", boards.task
    sampled: list[Sampled] = []
    for sample in samples:
        end_to_end = Outcome("grounding", task.name, name, sample.number, seconds=seconds / len(samples))
        if sentence := _unusable(sample, replies):
            sampled.append(Sampled(replace(end_to_end, error=sentence)))
            continue
        allowed, text = allowed_scores(boards, truth, sample), text_scores(boards, truth, sample)
        end_to_end = replace(end_to_end, scores=scores_of(boards, truth, sample))
        if end_to_end.scores and allowed:
            allowed = replace(allowed, read=best_possible(end_to_end.scores, allowed))
        sampled.append(
            Sampled(
                end_to_end,
                allowed and replace(end_to_end, role="ceiling", scores=allowed, seconds=0.0),
                text and replace(end_to_end, role="reasoning", scores=text, seconds=0.0),
            )
        )
    judgement = judge_samples(sampled, asked, SequentialTest())
    outcomes = [o for one in sampled for o in (one.outcome, one.allowed, one.on_text) if o is not None]
    described = TaskReport(
        task=task.name,
        version=task.version,
        settings=task.settings,
        training={"puzzles": asking.puzzles, "seed": asking.seed, "temperature": endpoint.temperature},
        judgement=judgement,
        findings=findings_of(task.name, judgement, asked, boards.legend.name, unanswered=unanswered),
        outcomes=outcomes,
        asked=asked,
    )
    return Report(
        solver=name,
        options=_options(endpoint, boards, asking),
        rules="given",
        images=boards.usual.origin,
        images_digest=boards.usual.digest,
        device=endpoint.url,
        environment=environment(),
        tasks=[described],
    )


def _options(endpoint: Endpoint, boards: Boards, asking: Asking) -> dict[str, Any]:
    return {
        "max_tokens": endpoint.max_tokens,
        "samples": asking.samples,
        "legend": boards.legend.name,
        "prompts": boards.prompts.version,
        "size": asking.style.size,
        "grid": asking.style.grid,
        "font": asking.style.font,
    }


def _unusable(sample: Sample, replies: Replies) -> str:
    """Why nothing can be said of what a model reads, where too few of its replies can be parsed."""
    for name, tells in NEEDED.items():
        told = sample.told[name]
        asked, usable = int(told.asked.sum()), int(told.usable.sum())
        if not asked or usable >= USABLE * asked:
            continue
        kept = [exchange for exchange in replies.every(name) if exchange.sample == sample.number]
        cut = sum(exchange.truncated for exchange in kept)
        example = next((exchange.content for exchange in kept if exchange.content), "")
        return (
            f"{usable} of {asked} replies to {name!r} can be understood, too few to say {tells}: "
            f"{told.kinds.get('refused', 0)} refused, {cut} cut off; one of them begins "
            f"{' '.join(example.split())[:60]!r}"
        )
    return ""


def figures(report: Report) -> Asked:
    """The figures of the one task of such a report."""
    [task] = report.tasks
    assert task.asked is not None
    return task.asked
