"""How many seeds decide, and how sure a count of successes makes us."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import binomtest

Decision = Literal["accept", "reject", "undecided"]


@dataclass(frozen=True)
class SequentialTest:
    """Wald's sequential probability ratio test of "this seed grounded".

    Tests a success rate of `p1` against `p0` with error rates alpha (accepting at rate p0) and beta
    (rejecting at rate p1). With the defaults two failures or six successes decide. Source: Wald 1945,
    *Sequential tests of statistical hypotheses*, Ann. Math. Statist. 16(2), §3.
    """

    p0: float = 0.5
    p1: float = 0.9
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.p0 < self.p1 < 1:
            raise ValueError(f"p0={self.p0}, p1={self.p1}: the test needs 0 < p0 < p1 < 1")
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise ValueError(f"alpha={self.alpha}, beta={self.beta}: both lie between 0 and 0.5")

    def log_ratio(self, successes: int, failures: int) -> float:
        """Log-likelihood ratio of p1 against p0, in nats."""
        return successes * math.log(self.p1 / self.p0) + failures * math.log((1 - self.p1) / (1 - self.p0))

    def decide(self, successes: int, failures: int) -> Decision:
        """Whether what was seen so far decides, and how."""
        ratio = self.log_ratio(successes, failures)
        if ratio >= math.log((1 - self.beta) / self.alpha):
            return "accept"
        if ratio <= math.log(self.beta / (1 - self.alpha)):
            return "reject"
        return "undecided"

    def soonest(self, successes: int, failures: int) -> int:
        """The fewest further seeds that could decide: how many may run at once without waste."""
        further = 0
        while self.decide(successes, failures) == "undecided":
            further += 1
            outcomes = (
                self.decide(successes + further, failures),
                self.decide(successes, failures + further),
            )
            if outcomes != ("undecided", "undecided"):
                break
        return further


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion. Source: Wilson 1927, JASA 22."""
    if trials == 0:
        return (0.0, 1.0)
    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return (float(interval.low), float(interval.high))


def clustered_interval(
    values: Float[np.ndarray, " observations"],
    clusters: Int[np.ndarray, " observations"],
    confidence: float = 0.95,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean whose observations come in clusters, such as cells of a board.

    Whole clusters are drawn with replacement: observations of one cluster depend on each other, and to draw
    them one by one would promise too much. Source: Davison & Hinkley 1997, *Bootstrap methods*, §3.8.
    """
    if len(values) == 0:
        return (0.0, 1.0)
    _, group = np.unique(clusters, return_inverse=True)
    totals, sizes = np.bincount(group, weights=values), np.bincount(group)
    chosen = np.random.default_rng(seed).multinomial(
        len(sizes), np.full(len(sizes), 1 / len(sizes)), size=draws
    )
    means = (chosen @ totals) / (chosen @ sizes)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return (float(low), float(high))


def mean_half_width(intervals: Sequence[tuple[float, float]]) -> float:
    """Half the width of the interval of a mean of independent estimates, from the intervals of each.

    Half widths add up as standard errors do: √Σw² / n.
    """
    return math.hypot(*((high - low) / 2 for low, high in intervals)) / len(intervals)


@dataclass(frozen=True)
class ErrorRates:
    """How often a sequential test of at most so many seeds decides, and how."""

    accepted: float
    rejected: float
    undecided: float
    seeds: float  # mean number that were run


def measure_error_rates(
    test: SequentialTest, rate: float, *, suites: int = 10_000, most: int = 12, seed: int = 0
) -> ErrorRates:
    """Simulates suites whose seeds each ground at `rate`, stopped as `check` stops them."""
    grounded = np.random.default_rng(seed).random((suites, most)) < rate
    successes = grounded.cumsum(axis=1)
    decided = {"undecided": 0, "accept": 1, "reject": 2}
    table = np.array(
        [[decided[test.decide(k, max(0, n - k))] for k in range(most + 1)] for n in range(most + 1)]
    )
    path = table[np.arange(1, most + 1), successes]
    first = np.where((path > 0).any(axis=1), (path > 0).argmax(axis=1), most - 1)
    end = path[np.arange(suites), first]
    accepted, rejected = float((end == 1).mean()), float((end == 2).mean())
    return ErrorRates(accepted, rejected, 1 - accepted - rejected, float((first + 1).mean()))
