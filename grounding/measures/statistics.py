"""How many seeds decide, and how sure a count of successes makes us."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri, stdtrit

from ...datasets.errors import UsageError

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
            raise UsageError(f"p0={self.p0}, p1={self.p1}: the test needs 0 < p0 < p1 < 1")
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise UsageError(f"alpha={self.alpha}, beta={self.beta}: both lie between 0 and 0.5")

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


def wilson_interval(
    successes: int | float, trials: int | float, confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval for a proportion; both may be fractional, as an effective number of trials is.

    It neither collapses nor leaves [0, 1] where nearly all succeed. Source: Wilson 1927, JASA 22.
    """
    if trials <= 0:
        return (0.0, 1.0)
    share, z = successes / trials, float(ndtri((1 + confidence) / 2))
    centre = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    scale = 1 + z * z / trials
    low, high = (centre - reach) / scale, (centre + reach) / scale
    return (low if successes > 0 else 0.0, high if successes < trials else 1.0)


def difference_interval(
    first: tuple[float, tuple[float, float]], second: tuple[float, tuple[float, float]]
) -> tuple[float, float]:
    """Interval of the first of two independent proportions minus the second, from each with its interval.

    Source: Newcombe 1998, Statistics in Medicine 17, 873-890, method 10 (with Wilson's intervals).
    """
    (p, (low, high)), (q, (lower, upper)) = first, second
    return (p - q - math.hypot(p - low, upper - q), p - q + math.hypot(high - p, q - lower))


def paired_interval(gained: int, lost: int, pairs: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a difference of proportions on the same subjects, from those where the two differ.

    Tango's score interval: it holds its level with few pairs as well, and where no two differ it is as wide
    as their number allows. Source: Tango 1998, Statistics in Medicine 17, 891-908.

    Args:
        gained: Pairs of which only the first is right.
        lost: Pairs of which only the second is right.
        pairs: How many there are.
        confidence: Of the interval, below 1.
    """
    if pairs <= 0:
        return (-1.0, 1.0)
    z = float(ndtri((1 + confidence) / 2))

    def score(difference: float) -> float:
        b = -gained - lost + (2 * pairs - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        share = (math.sqrt(max(0.0, b * b - 8 * pairs * c)) - b) / (4 * pairs)
        variance = pairs * (2 * share + difference * (1 - difference))
        away = gained - lost - pairs * difference
        return away / math.sqrt(max(variance, 1e-300))

    def edge(low: float, high: float, target: float) -> float:
        """The score falls with the difference."""
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if score(middle) > target else (low, middle)
        return (low + high) / 2

    found = (gained - lost) / pairs
    return (edge(-1.0, found, z), edge(found, 1.0, -z))


def clustered_interval(
    hits: Float[np.ndarray, " puzzles"],
    sizes: Float[np.ndarray, " puzzles"],
    image: Int[np.ndarray, "puzzles places"],
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Interval of Σ hits / Σ sizes on new puzzles that show new images; the puzzles at hand share theirs.

    `image` names the images that a puzzle shows, −1 none; a puzzle's `hits` of `sizes` trials depend on each
    other. Puzzles that share an image depend on each other as well: to the variance over puzzles comes, for
    every pair of them, the product of their residuals, once per image that both show (the first-order part of
    Hoeffding's decomposition; Cameron, Gelbach & Miller 2011, *Robust inference with multiway clustering*).
    The variance gives an effective number of trials for Wilson's interval, lowered as Student's t is wider
    than the normal, with Satterthwaite's degrees of freedom of the variance (Korn & Graubard 1998, *Survey
    Methodology* 24), doubled: measured by simulation in `benchmarks/interval_coverage.py`. Where all puzzles
    went alike nothing tells what they depend on, and the images are taken to decide all.
    """
    puzzles, trials = len(hits), float(sizes.sum())
    if not trials:
        return (0.0, 1.0)
    share = float(hits.sum()) / trials
    puzzle, seen, times = _shown(image)
    own = np.bincount(puzzle, times**2, puzzles)  # images that a puzzle shares with itself
    if share in (0.0, 1.0):
        pairs = float((np.bincount(seen, times) ** 2).sum() - own.sum()) if len(seen) else 0.0
        effective = puzzles**2 / (puzzles + (pairs / own.mean() if pairs else 0.0))
        return wilson_interval(share * effective, effective, confidence)
    residuals = hits - share * sizes
    influence = np.bincount(seen, times * residuals[puzzle])
    shared = max(0.0, float((influence**2).sum() - (own * residuals**2).sum()))
    variance = ((residuals**2).sum() * puzzles / max(1, puzzles - 1) + shared) / trials**2
    squares = np.concatenate([residuals, influence]) ** 2
    freedom = max(1.0, 2 * squares.sum() ** 2 / (squares**2).sum())
    tail = (1 + confidence) / 2
    effective = min(trials, share * (1 - share) / variance) * (ndtri(tail) / stdtrit(freedom, tail)) ** 2
    return wilson_interval(share * float(effective), float(effective), confidence)


def _shown(
    image: Int[np.ndarray, "puzzles places"],
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """Every puzzle with every image that it shows, images numbered from 0, and how often it shows it."""
    puzzle, place = np.nonzero(image >= 0)
    known, number = np.unique(image[puzzle, place], return_inverse=True)
    pairs, times = np.unique(puzzle * len(known) + number, return_counts=True)
    owner, seen = np.divmod(pairs, len(known))
    return owner, seen, times.astype(np.float64)


def mean_half_width(intervals: Sequence[tuple[float, float]]) -> float:
    """Half the width of the interval of a mean of estimates, from the intervals of each.

    Seeds are scored on the same images, so that their errors may go together: half widths are averaged, which
    is what they come to where they do, and wider where they do not.
    """
    return fmean((high - low) / 2 for low, high in intervals)


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
