"""How many seeds decide, and how sure a count of successes makes us."""

import math
from dataclasses import dataclass
from typing import Literal

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
