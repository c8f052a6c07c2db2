"""Judging networks trained elsewhere: asked to read and to answer, and intervened on where they can be."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ...datasets.batch import Examples, assemble
from ...datasets.devices import require_device
from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.images import ImageSet
from ...datasets.own_task import find_task
from ...datasets.task import Split, Task
from ..checks.beyond import check_beyond, lost_elsewhere
from ..checks.finding import Finding
from ..checks.robust import BeyondSeeds
from ..engines.children import OUTSIDE_LIMITS, Limits
from ..measures.metrics import Scores
from ..results.report import Report
from ..results.run_directory import timestamp
from ..trials.answers import Held
from ..trials.beyond import BeyondTest, score_elsewhere
from ..trials.evaluation import Evaluation
from ..trials.guessing import with_guesses
from ..trials.scoring import EvaluationSet, evaluate, make_evaluation_set
from ..trials.training import Training
from ..trials.trial import Outcome
from .arrays import Source, as_ceiling, each
from .ceilings import Beside, ceilings_for
from .interface import check_interface, intervene_on
from .judged import Judged, require_rules
from .network import METHODS, AskedNetwork, Call, NetworkError, as_network, ask_network, import_network
from .predictions import Completions
from .process import network_process

NO_COMPLETE = (
    "no complete(beliefs, given): nothing was intervened on, so that it is not known where answers come from"
)

ASKED_ANYWAY = ("ood", "correction", "worlds")  # or not asked of what was trained elsewhere

OOD_LESS = (
    "The verdict holds for puzzles and images as in training: show more of what differs there in training."
)


@dataclass(frozen=True)
class HeldOut:
    """What a network is judged on: held-out puzzles and images of one seed."""

    task: Task
    test: EvaluationSet
    validation: EvaluationSet
    ood: EvaluationSet
    slanted: EvaluationSet | None  # the test puzzles with slanted images; None where the ood split has those
    training: Examples  # for what guessing reaches; no network sees them
    seed: int = 0

    @classmethod
    def of(cls, task: Task, images: ImageSet, seed: int, puzzles: int) -> "HeldOut":
        """Those of a seed; as many puzzles to test on as `puzzles`."""
        drawn = task.drawn(seed)
        images.require(drawn)
        sizes: dict[Split, int] = {"test": puzzles, "validation": 100, "ood": puzzles}
        made = {split: make_evaluation_set(drawn, split, size, seed, images) for split, size in sizes.items()}
        training = make_evaluation_set(drawn, "train", Training.puzzles, seed, images).examples
        slanted = None
        if drawn.shift == "puzzles":
            bank = images.leaning
            slanted = EvaluationSet(
                drawn, *assemble(drawn, drawn.generate("test", puzzles, seed), bank), bank
            )
        return cls(drawn, made["test"], made["validation"], made["ood"], slanted, training, seed)

    @property
    def puzzles(self) -> Completions:
        """The test puzzles; nothing is answered of them."""
        solution = self.test.sealed.solution.numpy(force=True).astype(np.int64)
        blank = np.full((*solution.shape, self.task.problem.symbols), np.nan)
        image = self.test.examples.image.numpy(force=True).astype(np.int64)
        return Completions(solution, self.test.examples.given.numpy(force=True), blank, image)

    @property
    def beyond(self) -> BeyondTest:
        """Corrupted test puzzles, as many as a trial of the usual length has."""
        return BeyondTest(self.test, None, Evaluation(robust=True), Training(), self.seed)

    def asked(
        self, call: Call, name: str, test: EvaluationSet, further: Mapping[Held, EvaluationSet] | None = None
    ) -> AskedNetwork:
        """The network on these puzzles, and further ones, of which the labels stay here."""
        sets: dict[Held, EvaluationSet] = {"test": test, "validation": self.validation, **(further or {})}
        sealed: dict[Held, Examples] = {
            split: replace(chosen.examples, answer=torch.full_like(chosen.examples.answer, -1))
            for split, chosen in sets.items()
        }
        return AskedNetwork(call, name, self.task, sealed)


@dataclass
class JudgedNetwork:
    """What came of one network: its outcome, findings, and what could not be looked at."""

    outcome: Outcome
    puzzles: Completions
    findings: list[Finding] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    ood: Scores | None = None
    slanted: Scores | None = None


def judge(
    *networks: Any,
    task: str | Task,
    images: str | ImageSource = "digits",
    ceiling: float | Source | Sequence[float | Source] | None = None,
    rules: str = "learned",
    name: str | None = None,
    seed: int = 0,
    puzzles: int = 300,
    robust: bool = False,
    isolate: bool = True,
    limits: Limits | None = None,
    listener: Callable[[Outcome], None] = lambda _: None,
) -> Report:
    """Judges networks trained elsewhere: reads, answers, and interventions where there is an interface.

    A network has `read(images)` and `answer(images, place, given)`, and may have `complete(beliefs, given)`.
    It sees images, places and givens; labels stay with the scoring.

    Args:
        *networks: One for each seed: `package.module:attribute`, or the object itself; a class, or a function
            without arguments, is called.
        task: A task or its name.
        images: An image set or its name.
        ceiling: As in `score`.
        rules: As in `score`.
        name: What the report calls it.
        seed: Of the first network; it draws the held-out puzzles, and a task that draws part of itself.
        puzzles: How many are scored, and as many out of distribution.
        robust: Whether it is asked on corrupted puzzles as well; without a baseline no suite can be ROBUST.
        isolate: Whether a network that is named by a word lies in a process of its own.
        limits: Time of each call and memory of such a process.
        listener: Hears of each outcome.

    Returns:
        The report, as `check` returns it.

    Raises:
        UsageError: For what is no network, or one that returns what it should not.
        DataUnavailableError: For missing or damaged images.
    """
    if not networks:
        raise UsageError("no network to judge: name at least one, as package.module:attribute")
    names = [one if isinstance(one, str) else type(one).__name__ for one in networks]
    if twins := [one for one in names if ":" in one and names.count(one) > 1]:
        raise UsageError(f"{twins[0]} is named twice: every seed counts once")
    if puzzles < 1:
        raise UsageError(f"puzzles={puzzles}: at least 1 is needed")
    chosen = find_task(task) if isinstance(task, str) else task
    if chosen.seen == "symbols":
        raise UsageError("seen=symbols: a network is judged by what it reads of images")
    named, began = require_rules(rules), timestamp()
    ceilings = [as_ceiling(one) for one in each(ceiling)]
    source = ImageSource.of(images)
    require_device(source.device)
    loaded = replace(source, device="cpu").load()
    judged: list[JudgedNetwork] = []
    for number, network in enumerate(networks, seed):
        held_out = HeldOut.of(chosen, loaded, number, puzzles)
        found = _judge_one(
            network, names[number - seed], held_out, number, source, isolate, limits, first=not judged,
            robust=robust,
        )  # fmt: skip
        listener(found.outcome)
        judged.append(found)
    outcomes = [one.outcome for one in judged]
    elsewhere = _elsewhere(judged, chosen)
    return Judged(
        name=name or names[0],
        outcomes=outcomes,
        ceilings=ceilings_for(ceilings, [Beside(one.outcome, one.puzzles) for one in judged]),
        task=chosen,
        rules=named,
        images=source.name,
        classes=source.classes,
        digest=loaded.digest,
        device=source.device,
        findings=[
            *(finding for one in judged for finding in one.findings),
            *elsewhere,
            *(f for f in check_beyond(BeyondSeeds(outcomes), chosen.name) if f.check not in ASKED_ANYWAY),
        ],
        notes=[finding.reason for finding in elsewhere],
        lacking=list(dict.fromkeys(sentence for one in judged for sentence in one.lacking)),
        started=began,
    ).report()


def _judge_one(
    network: Any, name: str, held_out: HeldOut, seed: int, source: ImageSource, isolate: bool,
    limits: Limits | None, *, first: bool, robust: bool,
) -> JudgedNetwork:  # fmt: skip
    """One network, whatever it raises; the contract is looked at once."""
    started = time.perf_counter()
    broken = Outcome("grounding", held_out.task.name, name, seed)
    try:
        with _opened(network, name, source.device, isolate, limits or OUTSIDE_LIMITS) as (call, methods):
            found = _score(call, methods, name, held_out, broken, first=first)
            if robust and (scores := found.outcome.scores) is not None:
                further = held_out.beyond
                asked = held_out.asked(call, name, held_out.test, further.sets)
                found.outcome = replace(found.outcome, beyond=further.score(asked, scores))
    except NetworkError as error:
        found = JudgedNetwork(replace(broken, error=str(error)), held_out.puzzles)
    found.outcome = replace(found.outcome, seconds=time.perf_counter() - started)
    return found


@contextmanager
def _opened(
    network: Any, name: str, device: str, isolate: bool, limits: Limits
) -> Generator[tuple[Call, tuple[str, ...]]]:
    """How a network is asked, and for what."""
    if isinstance(network, str) and isolate:
        with network_process(network, device, limits) as process:
            yield process.call, process.methods
        return
    here = import_network(network) if isinstance(network, str) else as_network(network, name)
    methods = tuple(method for method in METHODS if callable(getattr(here, method, None)))
    yield (lambda method, arrays: ask_network(here, method, arrays, device)), methods


def _score(
    call: Call, methods: Sequence[str], name: str, held_out: HeldOut, outcome: Outcome, *, first: bool
) -> JudgedNetwork:
    network = held_out.asked(call, name, held_out.test)
    scores = evaluate(network, held_out.test, held_out.validation)
    scores = with_guesses(scores, held_out.training, held_out.test)
    judged = JudgedNetwork(replace(outcome, scores=scores), held_out.puzzles)
    if "complete" in methods:
        if first:
            judged.findings.extend(check_interface(network, held_out.task))
        intervened = intervene_on(network, held_out.test, held_out.validation, scores)
        judged.outcome = replace(judged.outcome, interventions=intervened.found)
        judged.lacking += [intervened.why_not] if intervened.why_not else []
    else:
        judged.lacking.append(NO_COMPLETE)
    elsewhere = held_out.asked(call, name, held_out.ood)
    judged.ood = score_elsewhere(elsewhere, held_out.ood, scores.relabelling, "test")
    if held_out.slanted is not None:
        leaning = held_out.asked(call, name, held_out.slanted)
        judged.slanted = score_elsewhere(leaning, held_out.slanted, scores.relabelling, "test")
    return judged


def _elsewhere(judged: Sequence[JudgedNetwork], task: Task) -> list[Finding]:
    """What is left out of distribution: `ood`, on new kinds of puzzles, and `robustness`, on slanted images.

    A task whose ood split has slanted images is looked at once. Inconclusive where clearly fewer puzzles are
    answered there, by Newcombe's interval of the difference: that fails no network, as a verdict does not
    reach so far.
    """
    what = "puzzles of another kind" if task.shift == "puzzles" else "slanted images"
    found = [
        _left("ood", what, [(one.ood, one.outcome.scores) for one in judged], task),
        _left("robustness", "slanted images", [(one.slanted, one.outcome.scores) for one in judged], task),
    ]
    return [finding for finding in found if finding is not None]


def _left(
    check: str, what: str, pairs: Sequence[tuple[Scores | None, Scores | None]], task: Task
) -> Finding | None:
    scored = [(there, known) for there, known in pairs if there and known]
    if not scored:
        return None
    elsewhere, here = [there for there, _ in scored], [known for _, known in scored]
    lost = lost_elsewhere(f"on {what}", elsewhere, here)
    assert lost.interval is not None
    status, advice = ("inconclusive", OOD_LESS) if lost.interval[0] > 0 else ("pass", "")
    return Finding(check, status, lost.reason, advice, lost.figure, None, lost.interval, task.name)
