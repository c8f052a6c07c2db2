"""Configurations on the seeds they are chosen on: run together over an engine, and given up where their curve
stays behind.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from ...datasets.errors import UsageError
from ..bars import Bars, bars, unfit
from ..engines.engine import Running
from ..results.cache import TrialCache
from ..results.run_directory import Record
from ..suite.suite import Listener, Suite, identify
from ..trials.trial import Outcome, Point, Trial
from ..verdict import seed_verdict
from .record import ChoiceSeed, broken

POLL = 0.5  # seconds between looks at the curves of trials that run
STOPPED = "given up after epoch {epoch}: its curve stayed behind those of other configurations"


class OutOfTimeError(Exception):
    """The time is over in the middle of a configuration."""


@runtime_checkable
class Stops(Protocol):
    """Tells from a curve whether a configuration is given up."""

    def stops(self, curve: Sequence[float], epochs: int) -> int | None:
        """The epoch after which it is; None: not yet."""
        ...


@dataclass
class Chooser:
    """Runs the trials of a choice.

    Args:
        running: An engine that is open.
        record: What keeps outcomes, and knows those that ended before.
        cache: Trials of earlier runs.
        keeps: Whether what ran may be kept in the cache.
        listener: Hears of trials and outcomes.
        usual: The solver as it is: its ceilings set the bars for all.
        until: A time of `time.monotonic` after which nothing begins, and what runs is ended.
    """

    running: Running
    record: Record
    cache: TrialCache
    keeps: bool
    listener: Listener
    usual: Suite
    until: float | None
    ceilings: dict[int, Bars] = field(default_factory=dict)
    submitted: int = 0

    def prepare(self, seeds: Sequence[int]) -> None:
        """Trains the ceilings of these seeds, and counts which relabellings their puzzles leave open.

        Raises:
            UsageError: Where nothing can be held against a ceiling.
            OutOfTimeError: Where the time is over.
        """
        [run] = self.usual.runs
        identify(run, seeds)
        for outcome in self.run([trial_of(self.usual, "ceiling", seed) for seed in seeds]):
            high = bars(outcome)
            if high is None:
                why = unfit(outcome) if outcome.scores else broken(outcome)
                raise UsageError(
                    f"{why}, on seed {outcome.seed}: nothing can be chosen by that; take more epochs or "
                    "puzzles, or another perception"
                )
            self.ceilings[outcome.seed] = high

    def score(
        self, suites: Sequence[Suite], seed: int, watched: Sequence[Stops] | None = None
    ) -> list[ChoiceSeed]:
        """What each of these configurations reaches on a seed.

        Args:
            suites: Each with one task.
            seed: Of the choice.
            watched: What gives each of them up; None: each comes to its end.
        """
        trials = [trial_of(suite, "grounding", seed) for suite in suites]
        return [self._scored(outcome) for outcome in self.run(trials, watched)]

    def run(self, trials: Sequence[Trial], watched: Sequence[Stops] | None = None) -> list[Outcome]:
        """The outcomes of these trials, in their order; of one that was given up with its curve so far."""
        if not trials:
            return []
        found: dict[int, Outcome] = {}
        flying: dict[int, int] = {}  # number at the engine: place among these
        placed = [self.record.placed(trial) for trial in trials]
        self.listener.wave(trials)
        for place, trial in enumerate(trials):
            if (known := self.record.recall(trial) or self.cache.look_up(trial)) is not None:
                self._end(found, place, trial, known, watched)
                continue
            flying[self.submitted] = place
            self.running.submit(self.submitted, placed[place])
            self.submitted += 1
        try:
            while flying:
                if self.until is not None and time.monotonic() >= self.until:
                    raise OutOfTimeError
                for number, outcome in self.running.hear(POLL):
                    if (place := flying.pop(number, None)) is not None:
                        self.record.logs.ended(placed[place].log, broke=outcome.error is not None)
                        if self.keeps:
                            self.cache.keep(trials[place], outcome)
                        self._end(found, place, trials[place], outcome, watched)
                for number, place in list(flying.items() if watched else ()):
                    points = read_trace(placed[place].trace)
                    if points and (outcome := self._given_up(trials[place], points, watched, place)):
                        self.running.drop([number])
                        del flying[number]
                        self._end(found, place, trials[place], outcome, None)
        finally:
            self.running.drop(flying)
        return [found[place] for place in range(len(trials))]

    def _end(
        self,
        found: dict[int, Outcome],
        place: int,
        trial: Trial,
        outcome: Outcome,
        watched: Sequence[Stops] | None,
    ) -> None:
        """Takes in an outcome. One that came to its end before anybody looked is given up all the same."""
        if outcome.error is None or is_stopped(outcome):
            outcome = self._given_up(trial, outcome.curve, watched, place) or outcome
        if self.record.recall(trial) is None:
            self.record.keep(trial, outcome)
        found[place] = outcome
        self.listener.outcome(outcome)

    def _given_up(
        self, trial: Trial, curve: Sequence[Point], watched: Sequence[Stops] | None, place: int
    ) -> Outcome | None:
        if watched is None:
            return None
        epoch = watched[place].stops([progress_of(point) for point in curve], trial.training.epochs)
        if epoch is None:
            return None
        return Outcome(
            trial.role, trial.task.name, trial.solver.name, trial.seed, curve=list(curve[: epoch + 1]),
            error=STOPPED.format(epoch=epoch),
        )  # fmt: skip

    def _scored(self, outcome: Outcome) -> ChoiceSeed:
        """What an outcome comes to beside the ceiling of its seed."""
        if is_stopped(outcome):
            last = outcome.curve[-1]
            return ChoiceSeed(outcome.seed, "", progress_of(last), stopped=last.epoch)
        scores, high = outcome.scores, self.ceilings[outcome.seed]
        [run] = self.usual.runs
        identified = run.identified.get(outcome.seed)
        given = self.usual.rules_given
        verdict = seed_verdict(
            outcome, high, rules_given=given,
            possible=identified.possible if identified and identified.complete else None,
        )  # fmt: skip
        if scores is None or scores.aligned is None or scores.raw is None:
            return ChoiceSeed(outcome.seed, verdict, 0.0)
        parts = [scores.task / high.task, scores.aligned / high.grounding]
        return ChoiceSeed(outcome.seed, verdict, min(1.0, *parts), scores.task, scores.raw, scores.aligned)


def trial_of(suite: Suite, role: str, seed: int) -> Trial:
    """The trial of a role, of a suite with one task."""
    [run] = suite.runs
    return next(trial for trial in suite.trials(run, seed) if trial.role == role)


def is_stopped(outcome: Outcome) -> bool:
    """Whether a trial was given up by its curve."""
    return (outcome.error or "").startswith(STOPPED.partition("{")[0])


def progress_of(point: Point) -> float:
    """How far a trial has come, on validation puzzles: the less of task accuracy and aligned grounding."""
    return min(point.task, point.aligned or 0.0)


def read_trace(path: Path | None) -> list[Point]:
    """The learning curve of a trial on its way, as far as it stands in its file."""
    try:
        lines = path.read_bytes() if path is not None else b""
    except OSError:
        return []
    whole = lines[: lines.rfind(b"\n") + 1].splitlines()
    decoded: list[Mapping[str, Any]] = [msgspec.json.decode(line) for line in whole]
    return [msgspec.convert(each, Point, strict=False) for each in decoded]
