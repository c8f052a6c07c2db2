"""What causes are looked for in: the trials of one task, each seed beside what it could have reached."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..bars import Bars, bars, perfect_ceiling
from ..measures.identifiability import Identifiability
from ..measures.interface import InterfaceRecord
from ..measures.metrics import Confusion, relabel
from ..trials.trial import Outcome, Point


@dataclass(frozen=True)
class Seed:
    """One seed: what it came to, and what it is held against.

    Attributes:
        outcome: Of the solver trained end to end.
        bars: What counts as high for it: those of its ceiling, or of a perfect perception where no ceiling
            that decides anything is known.
        reached: What the ceiling reads.
        rules_given: Whether names count.
    """

    outcome: Outcome
    bars: Bars
    reached: float
    rules_given: bool

    @property
    def scores(self) -> Any:
        """Of the trained network; a seed is only made where there are some."""
        return self.outcome.scores

    @property
    def aligned(self) -> float:
        """Images read right after relabelling."""
        return self.scores.aligned

    @property
    def grounding(self) -> float:
        """Images read right under the names that count: as they are where the rules are given."""
        return self.scores.raw if self.rules_given else self.scores.aligned

    @cached_property
    def chance(self) -> float:
        """What reading every image as the same symbol reaches."""
        known = self.scores.guessed_aligned
        return 1 / self.symbols if known is None else known

    @property
    def missing(self) -> float:
        """How much of what could be read is not read right under its name."""
        return max(0.0, self.reached - self.grounding)

    @property
    def grounds(self) -> bool:
        """Whether perception reads as well as it could."""
        return self.bars.grounds(
            self.grounding, self.scores.intervals.get("raw" if self.rules_given else "aligned")
        )

    @property
    def answers(self) -> bool:
        """Whether puzzles are answered as well as could be."""
        return self.bars.answers(self.scores.task, self.scores.intervals.get("task"))

    @property
    def failing(self) -> bool:
        """Whether there is anything to explain."""
        return not (self.grounds and self.answers)

    @property
    def symbols(self) -> int:
        """How many symbols images show."""
        return len(self.scores.confusion)

    @cached_property
    def confusion(self) -> Confusion:
        """Test images, true symbol by the symbol that they were read as, after relabelling."""
        return relabel(np.asarray(self.scores.confusion), np.asarray(self.scores.relabelling))

    @cached_property
    def epochs(self) -> list[Point]:
        """The points of training, without the one before."""
        return [point for point in self.outcome.curve if point.epoch > 0]

    @cached_property
    def records(self) -> list[InterfaceRecord]:
        """What was recorded in each of those epochs."""
        return [point.interface or InterfaceRecord() for point in self.epochs]

    @property
    def recorded(self) -> bool:
        """Whether there is a record at all: older reports have none."""
        return any(point.interface is not None for point in self.epochs)

    @property
    def last(self) -> InterfaceRecord:
        """The record of the last epoch."""
        return self.records[-1] if self.records else InterfaceRecord()

    def series(self, name: str) -> list[float | None]:
        """A figure of the curve, or of its records, by epoch."""
        told = [point if hasattr(point, name) else point.interface for point in self.epochs]
        values = [getattr(found, name, None) for found in told]
        return [None if value is None else float(value) for value in values]

    def known(self, name: str) -> list[float]:
        """The same without epochs that lack it."""
        return [value for value in self.series(name) if value is not None and math.isfinite(value)]

    @property
    def sure(self) -> float:
        """The entropy of a belief below which perception has made up its mind: half of what it began with."""
        return 0.5 * math.log(self.symbols)


@dataclass(frozen=True)
class Subject:
    """The trials of a solver on one task, and what else its report knows.

    Attributes:
        seeds: Those that were scored.
        rules_given: Whether the solver was given the rules, so that names count.
        on_symbols: Task accuracy on true symbols, mean; None where that was not tried.
        symbol_trials: The trials that this is the mean of, where they are at hand.
        gradients: The status of each contract check of the gradient that ran.
        identified: By seed, which relabellings the training puzzles leave open.
        training: The budget, by name.
    """

    seeds: Sequence[Seed]
    rules_given: bool = False
    on_symbols: float | None = None
    symbol_trials: Sequence[Outcome] = ()
    gradients: Mapping[str, str] = field(default_factory=dict)
    identified: Mapping[int, Identifiability] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failing(self) -> list[Seed]:
        """Seeds that have something to explain."""
        return [seed for seed in self.seeds if seed.failing]

    @property
    def reasons(self) -> bool:
        """Whether the solver is known to answer from true symbols."""
        return self.on_symbols is not None and self.on_symbols >= REASONS

    @property
    def recorded(self) -> bool:
        """Whether any seed has a record of its interface."""
        return any(seed.recorded for seed in self.seeds)


REASONS = 0.9  # of the puzzles answered from true symbols: what is missing then is not the solver's


def make_subject(
    outcomes: Sequence[Outcome],
    ceilings: Sequence[Outcome] = (),
    baselines: Sequence[Outcome] = (),
    *,
    rules_given: bool = False,
    **known: Any,
) -> Subject:
    """The subject of some outcomes; ceilings and baselines are found by their seed. See `Subject`."""
    best = {ceiling.seed: ceiling for ceiling in ceilings}
    without = {baseline.seed: baseline for baseline in baselines}
    seeds: list[Seed] = []
    for outcome in outcomes:
        scores = outcome.scores
        if scores is None or scores.aligned is None or scores.confusion is None or not scores.images:
            continue
        ceiling = best.get(outcome.seed)
        held = ceiling and bars(ceiling, without.get(outcome.seed))
        if held is None or ceiling is None:
            ceiling = perfect_ceiling(outcome)
            held = bars(ceiling) or Bars(1.0, 1.0)
        reached = ceiling.scores.aligned if ceiling.scores and ceiling.scores.aligned else 1.0
        seeds.append(Seed(outcome, held, reached, rules_given))
    return Subject(seeds, rules_given, **known)
