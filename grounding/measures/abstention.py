"""Knowing when not to answer: the risk at each coverage, and whether a solver is as sure as it is right.

A board that is left unsolved is not answered; of the others, the less sure are left out first. Sources:
El-Yaniv & Wiener 2010, JMLR 11 (risk and coverage); Geifman & El-Yaniv 2017, arXiv:1705.08500; Guo et al.
2017, arXiv:1706.04599 (calibration).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from .report_samples import Calibration, calibrate
from .statistics import wilson_interval

COVERAGES = (0.80, 0.90, 0.95)  # at which risk is told
POINTS = 20  # of the curve of risk over coverage
RESAMPLED = 200  # times, for the interval of a calibration error
SURE = 0.9  # an answer that claims at least so much is sure of itself
SILENT = 0.5  # an answer that is no surer is as good as none
FEW_WRONG = 0.10  # of what is answered may be wrong, where a solver is right or silent
MANY_WRONG = 0.05  # of all boards answered wrong and sure: more is too many
SPEAKS = 0.05  # of the boards have to be answered

Abstention = Literal["RIGHT OR SILENT", "WRONG AND SURE", "SILENT", "UNDECIDED"]


@dataclass(frozen=True)
class Selective:
    """How one seed answers where it may as well be silent.

    Attributes:
        boards: How many.
        silent: Boards left unsolved.
        wrong: Of those answered at all, the boards answered wrong.
        spoken: Boards answered with more than `SILENT`.
        spoken_wrong: Of those, the wrong ones.
        sure_wrong: Boards answered wrong with `SURE` or more.
        risk: Share of wrong answers among the surest boards, by how many percent are covered; None where
            fewer are answered.
        area: Mean of that risk over all coverages that are reached.
        curve: Coverage and risk, pair by pair.
        calibration: Of whole answers, by how sure the least sure query is.
        error_interval: 95 %, of its expected calibration error, from boards drawn anew.
        independent_error: The same error, were queries independent: by the product of their beliefs.
    """

    boards: int
    silent: int
    wrong: int
    spoken: int
    spoken_wrong: int
    sure_wrong: int
    risk: dict[str, float | None]
    area: float | None
    curve: list[tuple[float, float]] = field(default_factory=list)
    calibration: Calibration | None = None
    error_interval: tuple[float, float] | None = None
    independent_error: float | None = None


def measure_abstention(
    right: Bool[np.ndarray, " boards"],
    sure: Float[np.ndarray, " boards"],
    independent: Float[np.ndarray, " boards"],
    rng: np.random.Generator,
) -> Selective:
    """How a network answers, from what is right and how sure it is of each board; NaN where it is unsolved.

    Args:
        right: Which boards are answered right.
        sure: Belief in the least sure query.
        independent: Product of the beliefs in all queries.
        rng: Draws boards anew for the interval.
    """
    answered = ~np.isnan(sure)
    spoken = answered & (np.nan_to_num(sure) > SILENT)
    certain = answered & (np.nan_to_num(sure) >= SURE)
    covered, risk = risk_by_coverage(right, sure)
    calibration = calibrate(sure[answered], right[answered]) if answered.any() else None
    return Selective(
        boards=len(right),
        silent=int((~answered).sum()),
        wrong=int((answered & ~right).sum()),
        spoken=int(spoken.sum()),
        spoken_wrong=int((spoken & ~right).sum()),
        sure_wrong=int((certain & ~right).sum()),
        risk={f"{100 * c:.0f}": _risk_at(c, covered, risk) for c in COVERAGES},
        area=float(risk.mean()) if len(risk) else None,
        curve=_thinned(covered, risk),
        calibration=calibration,
        error_interval=_error_interval(sure[answered], right[answered], rng) if answered.any() else None,
        independent_error=calibrate(independent[answered], right[answered]).error if answered.any() else None,
    )


def risk_by_coverage(
    right: Bool[np.ndarray, " boards"], sure: Float[np.ndarray, " boards"]
) -> tuple[Float[np.ndarray, " answered"], Float[np.ndarray, " answered"]]:
    """Share of boards covered, and share of wrong answers among them, as ever less sure ones are let in.

    Boards that are equally sure are let in together, each counted as right as all of them are on average, so
    that their order decides nothing.
    """
    answered = np.flatnonzero(~np.isnan(sure))
    levels, level, count = np.unique(-sure[answered], return_inverse=True, return_counts=True)
    mean = np.bincount(level, ~right[answered], len(levels)) / count
    wrong = np.repeat(mean, count).cumsum()
    rank = np.arange(1, len(answered) + 1)
    return rank / len(sure), wrong / rank


def _risk_at(
    coverage: float, covered: Float[np.ndarray, " answered"], risk: Float[np.ndarray, " answered"]
) -> float | None:
    reached = np.flatnonzero(covered >= coverage)
    return float(risk[reached[0]]) if len(reached) else None


def _thinned(
    covered: Float[np.ndarray, " answered"], risk: Float[np.ndarray, " answered"]
) -> list[tuple[float, float]]:
    if not len(covered):
        return []
    rows = np.unique(np.linspace(0, len(covered) - 1, POINTS).round().astype(np.int64))
    return [(round(float(covered[row]), 4), round(float(risk[row]), 4)) for row in rows]


def _error_interval(
    sure: Float[np.ndarray, " answered"], right: Bool[np.ndarray, " answered"], rng: np.random.Generator
) -> tuple[float, float]:
    """Percentiles of the error over boards drawn anew, centred on what was found.

    An error is never negative, so that chance alone raises it, and drawing anew raises it again: by how much
    on average is taken off.
    """
    drawn = rng.integers(0, len(sure), (RESAMPLED, len(sure)))
    errors = np.array([calibrate(sure[rows], right[rows]).error for rows in drawn])
    raised = errors.mean() - calibrate(sure, right).error
    low, high = np.quantile(errors - raised, [0.025, 0.975])
    return (max(0.0, float(low)), min(1.0, float(high)))


@dataclass(frozen=True)
class AbstentionVerdict:
    """Whether a solver is right or silent, over its seeds."""

    verdict: Abstention
    reason: str
    answered: float  # share of boards answered with more than `SILENT`
    wrong: float  # of those, the wrong ones
    interval: tuple[float, float]  # Wilson's, of `wrong`
    sure_wrong: float  # share of all boards answered wrong and sure


def judge_abstention(seeds: Sequence[Selective]) -> AbstentionVerdict:
    """The verdict over the boards of all seeds, by Wilson's 95 % intervals.

    SILENT: no more than `SPEAKS` of the boards may be answered. WRONG AND SURE: clearly more than
    `MANY_WRONG` of all boards are answered wrong with `SURE` or more. RIGHT OR SILENT: of what is answered
    with more than `SILENT`, clearly no more than `FEW_WRONG` is wrong.
    """

    def counted(count: Callable[[Selective], int]) -> int:
        return sum(count(seed) for seed in seeds)

    boards, spoken = counted(lambda s: s.boards), counted(lambda s: s.spoken)
    wrong, certain = counted(lambda s: s.spoken_wrong), counted(lambda s: s.sure_wrong)
    interval = wilson_interval(wrong, spoken)
    share = wrong / spoken if spoken else 0.0
    message = f"answers {spoken} of {boards} boards, {wrong} of them wrong, {certain} of those wrong and sure"
    verdict: Abstention = "UNDECIDED"
    if wilson_interval(spoken, boards)[0] <= SPEAKS:
        verdict = "SILENT"
    elif wilson_interval(certain, boards)[0] > MANY_WRONG:
        verdict = "WRONG AND SURE"
    elif interval[1] <= FEW_WRONG:
        verdict = "RIGHT OR SILENT"
    return AbstentionVerdict(
        verdict, message, spoken / max(1, boards), share, interval, certain / max(1, boards)
    )


def pooled_error(seeds: Sequence[Selective]) -> tuple[float, tuple[float, float]] | None:
    """Expected calibration error of whole answers, mean over seeds, and an interval as wide as of each."""
    known = [(s.calibration.error, s.error_interval) for s in seeds if s.calibration and s.error_interval]
    if not known:
        return None
    errors, lows, highs = zip(*((e, low, high) for e, (low, high) in known), strict=True)
    return float(np.mean(errors)), (float(np.mean(lows)), float(np.mean(highs)))
