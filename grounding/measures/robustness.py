"""Whether a trained network is robust: never worse than one without logic, and no better where less is told.

Source of the claim: Chang et al. 2023, arXiv:2312.10088, for speech with a modality missing; suites and rates
follow theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from .statistics import paired_interval, wilson_interval

# What may befall givens. Those that begin with "drop" vanish, and are to be answered then.
SUITES = (
    "drop", "drop-row", "drop-block", "drop-start", "drop-middle", "drop-end",
    "noise", "occlude", "blur", "slant", "swap", "ood-class",
)  # fmt: skip
RATES = (0.0, 0.1, 0.2, 0.4, 0.6)  # of the givens of a board
# Less is told of the givens, so that whoever knows that may say less; what `swap` shows is told as surely as
# ever.
TELLING_LESS = tuple(suite for suite in SUITES if suite != "swap")

MARGIN = 0.10  # of the boards; a difference that is no larger makes no solver worse
CONFIDENCE = 0.95  # of all the intervals of a suite together

Verdict = Literal["ROBUST", "NOT ROBUST", "UNDECIDED"]
Hits = Bool[np.ndarray, " boards"]


@dataclass(frozen=True)
class Condition:
    """The boards of one seed under one suite at one rate; a character, or a number, per board.

    Attributes:
        suite: Of `SUITES`; "" where nothing is corrupted.
        rate: The share of givens that is corrupted.
        right: "1" where the answer agrees, query by query, with completions of what is told.
        strict: "1" where the queries of the uncorrupted puzzle have its only answer; "" where that is the
            same.
        exact: "1" where the likeliest completion of what was read, by the exact rules, agrees likewise.
        sure: Percent of the belief in the least sure query; −1 where the board was left unsolved.
    """

    suite: str
    rate: float
    right: str
    exact: str
    sure: list[int]
    strict: str = ""

    @property
    def hits(self) -> Hits:
        """Which boards are answered right."""
        return unpack(self.right)

    @property
    def strictly(self) -> Hits:
        """Which boards have the answer of the uncorrupted puzzle."""
        return unpack(self.strict or self.right)


def pack(hits: Hits) -> str:
    """A character per board."""
    return "".join("1" if hit else "0" for hit in hits)


def unpack(hits: str) -> Hits:
    """From a character per board."""
    return np.array([character == "1" for character in hits], dtype=np.bool_)


@dataclass(frozen=True)
class Rate:
    """A suite at one rate, over all seeds.

    Attributes:
        rate: The share of givens that is corrupted.
        boards: How many boards were asked.
        solver: Share that it answers right.
        baseline: The same of the network without logic; None where there is none.
        exact: The same of the exact rules on the solver's own readings.
        cascade: The same of the solver where it is sure and the baseline elsewhere; None without a baseline.
        interval: 95 % of the solver's share.
        lead: Interval of solver minus baseline on the same boards, all intervals of the suite together at 95
            %.
        rise: The same of the share minus that at the rate before, beyond what the exact rules gained.
    """

    rate: float
    boards: int
    solver: float
    baseline: float | None
    exact: float
    cascade: float | None
    interval: tuple[float, float]
    lead: tuple[float, float] | None = None
    rise: tuple[float, float] | None = None

    @property
    def vacuous(self) -> bool:
        """Whether nothing could be worse than the baseline by the margin, which answers no more than that."""
        return self.baseline is not None and self.baseline <= MARGIN

    @property
    def holds(self) -> bool:
        """Whether it is not worse than the baseline; clearly better where no solver could be worse."""
        return self.lead is not None and self.lead[0] > (0.0 if self.vacuous else -MARGIN)


@dataclass(frozen=True)
class SuiteVerdict:
    """Whether a claim of robustness holds, and where it breaks first."""

    suite: str
    verdict: Verdict
    reason: str
    rates: list[Rate] = field(default_factory=list)
    breaks: float | None = None  # the first rate

    @property
    def worst(self) -> Rate | None:
        """Where the solver is least ahead of the baseline."""
        compared = [rate for rate in self.rates if rate.lead is not None]
        return min(compared, key=lambda rate: rate.solver - (rate.baseline or 0.0), default=None)


def judge_suite(
    suite: str,
    solver: Sequence[Sequence[Condition]],
    baseline: Sequence[Sequence[Condition]],
    guessed: float = 0.0,
) -> SuiteVerdict | None:
    """The verdict on a suite from the conditions of each seed; None where the suite did not run.

    ROBUST: at every rate the whole interval of solver minus baseline lies above −`MARGIN`, and above 0 where
    the baseline answers no more than `MARGIN`, since a claim that nobody can miss is none; and nowhere does
    the share of right boards clearly rise with corruption. NOT ROBUST: at some rate the whole interval lies
    below 0, or it clearly rises. Otherwise UNDECIDED, as where it answers no more than a guess to begin with:
    nothing is there to be robust. Intervals are Tango's for paired proportions, at 1 − 0.05/n each for the n
    of a suite (Bonferroni), over the boards of all seeds.

    Args:
        suite: Its name.
        solver: Conditions of each seed.
        baseline: The same of the network without logic; empty where there is none.
        guessed: The share of boards that a guess answers.
    """
    of_suite = [[c for c in seed if c.suite in ("", suite)] for seed in solver]
    if not any(c.suite == suite for seed in of_suite for c in seed):
        return None
    by_rate = {c.rate for seed in of_suite for c in seed}
    compared = [[c for c in seed if c.suite in ("", suite)] for seed in baseline]
    level = 1 - (1 - CONFIDENCE) / len(by_rate)
    rates = [_rate(rate, of_suite, compared, level) for rate in sorted(by_rate)]
    rises = _rises(of_suite, level)
    rates = [
        rate if rise is None else _with_rise(rate, rise)
        for rate, rise in zip(rates, [None, *rises], strict=True)
    ]
    return _decided(suite, rates, guessed)


def _decided(suite: str, rates: list[Rate], guessed: float) -> SuiteVerdict:
    worse = [rate for rate in rates if rate.lead is not None and rate.lead[1] < 0]
    risen = [rate for rate in rates if rate.rise is not None and rate.rise[0] > 0]
    clean = rates[0]
    told, exact = (", ".join(f"{getattr(rate, of):.2f}" for rate in rates) for of in ("solver", "exact"))
    at = ", ".join(f"{rate.rate:g}" for rate in rates)
    message = f"answers {told} of the boards at rates {at}, the exact rules on the same readings {exact}"
    if worse or risen:
        first = min([*worse, *risen], key=lambda rate: rate.rate)
        why = (
            f"worse than without logic ({first.baseline:.2f})" if first in worse
            else "better than with less corruption, which the exact rules on the same readings are not"
        )  # fmt: skip
        return SuiteVerdict(suite, "NOT ROBUST", f"{message}; at {first.rate:g} {why}", rates, first.rate)
    if clean.interval[0] <= guessed:
        why = f"uncorrupted it answers no more than a guess ({guessed:.2f}), so that nothing can be robust"
        return SuiteVerdict(suite, "UNDECIDED", f"{message}; {why}", rates)
    if any(rate.lead is None for rate in rates):
        return SuiteVerdict(
            suite, "UNDECIDED", f"{message}; there is no network without logic beside it", rates
        )
    open_ = [rate for rate in rates if not rate.holds]
    if open_:
        first = open_[0]
        why = (
            f"at {first.rate:g} the network without logic answers {first.baseline:.2f}, so that nothing can "
            "be worse, and it is not clearly better" if first.vacuous
            else f"at {first.rate:g} too few boards tell whether it is worse than without logic"
        )  # fmt: skip
        return SuiteVerdict(suite, "UNDECIDED", f"{message}; {why}", rates)
    return SuiteVerdict(suite, "ROBUST", f"{message}; nowhere worse than without logic", rates)


def _rate(
    rate: float, solver: Sequence[Sequence[Condition]], baseline: Sequence[Sequence[Condition]], level: float
) -> Rate:
    own = [c for seed in solver for c in seed if c.rate == rate]
    other = [c for seed in baseline for c in seed if c.rate == rate]
    hits = np.concatenate([c.hits for c in own])
    exact = np.concatenate([unpack(c.exact) for c in own])
    share, boards = float(hits.mean()), len(hits)
    interval = wilson_interval(share * boards, boards)
    if not other:
        return Rate(rate, boards, share, None, float(exact.mean()), None, interval)
    without = np.concatenate([c.hits for c in other])
    sure = np.concatenate([np.asarray(c.sure) for c in own])
    return Rate(
        rate,
        boards,
        share,
        float(without.mean()),
        float(exact.mean()),
        cascade(hits, without, sure),
        interval,
        paired_interval(int((hits & ~without).sum()), int((~hits & without).sum()), boards, level),
    )


def _with_rise(rate: Rate, rise: tuple[float, float]) -> Rate:
    return replace(rate, rise=rise)


def _rises(seeds: Sequence[Sequence[Condition]], level: float) -> list[tuple[float, float]]:
    """By how much the share of right boards rises from each rate to the next, where the exact rules do not.

    Where givens vanish more completions agree, so that the answer of the uncorrupted puzzle is counted; and a
    given that was misread may vanish, which helps the exact rules just as well: boards that they gained do
    not count.
    """
    found: list[tuple[float, float]] = []
    ordered = [sorted(seed, key=lambda c: c.rate) for seed in seeds]
    for before, after in _steps(ordered):
        helped = ~_exact(before) & _exact(after)
        gained = ~_strict(before) & _strict(after) & ~helped
        lost = _strict(before) & ~_strict(after)
        found.append(paired_interval(int(gained.sum()), int(lost.sum()), len(lost), level))
    return found


def _steps(seeds: Sequence[Sequence[Condition]]) -> list[tuple[list[Condition], list[Condition]]]:
    """The conditions of all seeds at each rate, with those at the next."""
    columns = [list(column) for column in zip(*seeds, strict=True)]
    return list(pairwise(columns))


def _exact(conditions: Sequence[Condition]) -> Hits:
    return np.concatenate([unpack(c.exact) for c in conditions])


def _strict(conditions: Sequence[Condition]) -> Hits:
    return np.concatenate([c.strictly for c in conditions])


def cascade(solver: Hits, baseline: Hits, sure: Int[np.ndarray, " boards"]) -> float:
    """Share right of the solver where it is sure enough, and of the baseline elsewhere.

    How sure is enough is fitted on every second board for the others, and the other way round. It is "never"
    unless the choice that answers most is clearly better than the baseline there, by Tango's 95 %, so that no
    suite makes a cascade worse than the baseline but by the draw of the boards. That makes it the reference
    of what is robust; it is told suite and rate, as no network in use is.
    """
    right = np.zeros(len(solver), dtype=np.bool_)
    odd = np.arange(len(solver)) % 2 == 1
    for fitted, scored in ((odd, ~odd), (~odd, odd)):
        choices = [*np.unique(sure[fitted & (sure >= 0)]), 101]  # of equals, the solver more often
        reached = [np.where(sure >= least, solver, baseline)[fitted].sum() for least in choices]
        mixed = np.where(sure >= choices[int(np.argmax(reached))], solver, baseline)
        gained, lost = (
            int((fitted & one & ~other).sum()) for one, other in ((mixed, baseline), (baseline, mixed))
        )
        clearly = paired_interval(gained, lost, int(fitted.sum()), CONFIDENCE)[0] > 0
        right |= scored & (mixed if clearly else baseline)
    return float(right.mean())


@dataclass(frozen=True)
class Correction:
    """What becomes of givens that show a wrong symbol, over the boards of one seed.

    Source of the three tracks: GridMNIST-Sudoku, Mathematics 2025, 13(17), 2851.

    Attributes:
        wrong: How many givens of each board show a wrong symbol.
        boards: How many boards.
        found: Share of those givens at which the completion contradicts what is read.
        false_alarms: Share of the other givens at which it does.
        corrected: Share of the wrong ones at which the completion has the true symbol.
        answered: Share of boards of which every query is answered as without the error.
        exact: The same figures of the exact posterior on the same readings, by name.
    """

    wrong: int
    boards: int
    found: float
    false_alarms: float
    corrected: float
    answered: float
    exact: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Copies:
    """How a solver does where it is told, and where it has to answer, on uncorrupted boards.

    Attributes:
        handed_back: Share of givens at which the completion is what was read.
        answered: Share of queries answered right.
        guessed: Share of queries that the most frequent symbol answers.
        cells: How many queries.
    """

    handed_back: float
    answered: float
    guessed: float
    cells: int


@dataclass(frozen=True)
class Robustness:
    """What one trained network does on corrupted boards.

    Attributes:
        boards: How many boards each suite has at each rate.
        conditions: Suite by suite, rate by rate; first what is uncorrupted.
        copies: Whether it answers, or only hands back what it is told.
    """

    boards: int
    conditions: list[Condition]
    copies: Copies


def sureness(
    completion: Float[np.ndarray, "boards variables symbols"], asked: Bool[np.ndarray, "boards variables"]
) -> tuple[Float[np.ndarray, " boards"], Float[np.ndarray, " boards"]]:
    """How sure an answer is: of its least sure query, and of all of them if they were independent.

    The first is the most that beliefs about single queries can mean for the whole, and what they do mean
    where one misreading spoils all; the second what they mean where queries err alone. NaN where the board is
    unsolved.
    """
    total = completion.sum(-1, keepdims=True)
    share = completion / np.where(total > 0, total, np.nan)
    top = np.where(asked, share.max(-1), 1.0)
    unsolved = (np.isnan(completion).any(-1) & asked).any(axis=1)
    return np.where(unsolved, np.nan, top.min(axis=1)), np.where(unsolved, np.nan, top.prod(axis=1))
