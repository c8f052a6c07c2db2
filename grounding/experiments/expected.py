"""What an experiment will take, before it runs: trials, time and memory, and which of it was measured."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from typing import Literal

from ..engines.children import Died, Worker, settle
from ..results.run_directory import key_of
from ..suite.estimate import STARTING
from ..trials.printed import print_to
from ..trials.roles import ROLE_NAMES
from ..trials.timing import seconds_of, seconds_per_step
from ..trials.trial import Outcome, Role, Trial
from .plan import Plan

MANY_TRIALS = 10_000  # more are looked at in a sample, and asked for with --yes
SAMPLE = 8  # cells of an experiment with more trials
TIMING = 20.0  # seconds for timing steps; what is not timed by then is taken for the mean of its role
PATIENCE = 6.0  # times as long may pass by the clock, on a machine that does other work,
BEGINNING = 60.0  # besides the seconds until the first step

Source = Literal["measured", "timed", "unknown"]


@dataclass(frozen=True)
class Expected:
    """What an experiment will take.

    Attributes:
        cells: How many.
        trials: At least, where every cell is decided as soon as it can be, and at most, by role. A trial
            that several cells share counts once.
        kept: How many of those at most are there already, in the folder or in the cache.
        seconds: Of all that is missing, one trial after the other, at least and at most; None where nothing
            is known of any.
        longest: Seconds of the longest trial.
        sources: How many kinds of trials (all but the seed) were measured before, timed for a few steps now,
            or are unknown, and taken for the mean of their role.
        memory: Bytes that a process had at its peak, over the kinds that were timed; None where none was.
        sampled: How many cells this was taken from; None for all of them.
    """

    cells: int
    trials: dict[Role, tuple[int, int]]
    kept: int = 0
    seconds: tuple[float, float] | None = None
    longest: float = 0.0
    sources: Mapping[Source, int] = field(default_factory=dict)
    memory: int | None = None
    sampled: int | None = None

    @property
    def least(self) -> int:
        """How many trials there are at least."""
        return sum(least for least, _ in self.trials.values())

    @property
    def most(self) -> int:
        """How many trials there are at most."""
        return sum(most for _, most in self.trials.values())

    def lasting(self, at_once: int) -> tuple[float, float] | None:
        """Seconds until the end, at least and at most, with so many trials at once."""
        if self.seconds is None:
            return None
        least, most = (max(self.longest, total / max(1, at_once)) for total in self.seconds)
        return least, most


@dataclass
class _Kind:
    """Trials that differ in their seed alone."""

    trial: Trial  # on seed 0
    known: list[float] = field(default_factory=list)  # seconds of those that ran before
    kept: list[int] = field(default_factory=list)  # their seeds
    seconds: float | None = None
    source: Source = "unknown"


def expect(
    plan: Plan,
    recall: Callable[[Trial], Outcome | None] = lambda _: None,
    *,
    timing: float = TIMING,
) -> Expected:
    """Counts trials, and estimates what they take.

    Args:
        plan: The experiment.
        recall: What came of a trial, in the folder or in the cache; None where it is not there.
        timing: Seconds that may be spent on timing steps of trials of which nothing is known.
    """
    whole = plan.at_most <= MANY_TRIALS
    numbers = range(len(plan)) if whole else _spread(len(plan))
    kinds = _kinds(plan, numbers, recall)
    memory = _time_kinds(list(kinds.values()), timing)
    _guess(list(kinds.values()))
    scale = 1.0 if whole else len(plan) / len(numbers)
    counts = Counter(kind.trial.role for kind in kinds.values())
    limits = {key: _seeds(kind.trial, plan) for key, kind in kinds.items()}
    trials: dict[Role, tuple[int, int]] = {
        role: (
            round(scale * sum(limits[key][0] for key, kind in kinds.items() if kind.trial.role == role)),
            round(scale * sum(limits[key][1] for key, kind in kinds.items() if kind.trial.role == role)),
        )
        for role in ROLE_NAMES
        if counts[role]
    }
    told = [(limits[key], kind) for key, kind in kinds.items() if kind.seconds is not None]
    seconds = None
    if told:
        totals = [
            scale
            * sum(
                (kind.seconds + STARTING) * (seeds[end] - sum(seed < seeds[end] for seed in kind.kept))
                for seeds, kind in told
                if kind.seconds is not None
            )
            for end in (0, 1)
        ]
        seconds = (totals[0], totals[1])
    return Expected(
        cells=len(plan),
        trials=trials,
        kept=round(scale * sum(len(kind.kept) for kind in kinds.values())),
        seconds=seconds,
        longest=max(
            (k.seconds or 0.0 for key, k in kinds.items() if len(k.kept) < limits[key][1]), default=0.0
        ),
        sources=Counter(kind.source for kind in kinds.values()),
        memory=memory,
        sampled=None if whole else len(numbers),
    )


def _seeds(trial: Trial, plan: Plan) -> tuple[int, int]:
    """How many seeds of a kind there are, at least and at most."""
    least, most = plan.seeds
    if trial.task.seen == "symbols" and plan.experiment.until_decided:
        return min(2, most), min(2, most)
    return least, most


def _spread(cells: int) -> list[int]:
    """Numbers of cells all over a product, its first and last among them."""
    return sorted({round(place * (cells - 1) / (SAMPLE - 1)) for place in range(SAMPLE)})


def _kinds(plan: Plan, numbers: Sequence[int], recall: Callable[[Trial], Outcome | None]) -> dict[str, _Kind]:
    kinds: dict[str, _Kind] = {}
    for number in numbers:
        planned = plan[number]
        for _, trial in () if planned.lacking else planned.suite.trials_of(0):
            key = key_of(trial)
            if key in kinds:
                continue
            kinds[key] = kind = _Kind(trial)
            for seed in range(_seeds(trial, plan)[1]):
                outcome = recall(replace(trial, seed=seed))
                if outcome is not None:
                    kind.kept.append(seed)
                    kind.known.append(outcome.seconds)
    return kinds


def _time_kinds(kinds: Sequence[_Kind], timing: float) -> int | None:
    """Fills in what is measured, and what a few steps tell; returns the peak memory of a process (bytes)."""
    for kind in kinds:
        if kind.known:
            kind.seconds, kind.source = fmean(kind.known), "measured"
    # Memory is not kept of a trial: where all were measured, the longest tells of it.
    missing = [kind for kind in kinds if not kind.known] or sorted(kinds, key=lambda k: -(k.seconds or 0.0))[
        :1
    ]
    by_step: dict[str, list[_Kind]] = {}
    for kind in missing:
        alike = replace(kind.trial.training, epochs=1, puzzles=kind.trial.training.batch)
        by_step.setdefault(key_of(replace(kind.trial, training=alike)), []).append(kind)
    memory: int | None = None
    measured = _steps([group[0].trial for group in by_step.values()], timing)
    for group, (step, peak) in zip(by_step.values(), measured, strict=False):  # it may end early
        memory = peak
        for kind in group:
            if step is not None and not kind.known:
                kind.seconds, kind.source = seconds_of(kind.trial, step), "timed"
    return memory


def _guess(kinds: Sequence[_Kind]) -> None:
    """What nothing is known of is taken for the mean of its role, else of all."""
    told = [kind for kind in kinds if kind.seconds is not None]
    for kind in kinds:
        if kind.seconds is None and told:
            alike = [k.seconds for k in told if k.trial.role == kind.trial.role and k.seconds is not None]
            kind.seconds = fmean(alike or [k.seconds for k in told if k.seconds is not None])


def _steps(trials: Sequence[Trial], seconds: float) -> Iterator[tuple[float | None, int]]:
    """Seconds of a step and peak memory so far, for one trial after the other while there is time.

    In a process of its own, as a trial; those that cannot be told to another process are not timed.
    """
    portable = [t for t in trials if t.solver.portable and t.images.portable and t.perception.portable]
    if len(portable) < len(trials) or not trials:
        return
    until = time.monotonic() + BEGINNING + PATIENCE * seconds
    with Worker.running(_measure, (list(trials), seconds)) as worker:
        for _ in trials:
            said = worker.hear(max(0.0, until - time.monotonic()))
            if isinstance(said, Died):
                return
            yield said


def _measure(trials: Sequence[Trial], seconds: float, sender: Connection) -> None:
    """Until so many seconds of this process's own time are over; the first step is always taken."""
    import resource  # noqa: PLC0415 - not on every platform

    settle(None)
    print_to(Path(os.devnull))
    for trial in trials:
        step = seconds_per_step(trial)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sender.send((step, peak if sys.platform == "darwin" else peak * 1024))  # KiB elsewhere
        if time.process_time() > seconds:
            return
