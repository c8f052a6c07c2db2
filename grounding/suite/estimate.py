"""How long a run will take, from a few steps of each kind of trial, before any is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..trials.timing import seconds_of
from ..trials.trial import Trial

STARTING = 1.0  # seconds until a process of its own has what it trains on


@dataclass(frozen=True)
class Estimate:
    """Seconds of a run.

    Attributes:
        wave: Until the seeds have run that could decide first.
        seeds: How many those are.
        whole: Until as many have run as the run may take.
        at_most: How many those are.
        workers: Trials that run at once.
    """

    wave: float
    seeds: int
    whole: float
    at_most: int
    workers: int


def estimate_run(
    trials: Sequence[Trial], steps: Mapping[int, float], seeds: int, at_most: int, workers: int
) -> Estimate | None:
    """From the trials of one seed and the seconds of a step of each.

    Args:
        trials: Those of a single seed, of every task.
        steps: Seconds of a training step, by the number of the trial; those that could not be taken lack.
        seeds: How many seeds could decide first.
        at_most: How many may run.
        workers: How many trials run at once; 0: one after the other, in this process.

    Returns:
        The estimate; None where no step was taken.
    """
    if not steps:
        return None
    known = [seconds_of(trial, steps[n]) for n, trial in enumerate(trials) if n in steps]
    starting = STARTING if workers else 0.0
    one = sum(known) * len(trials) / len(known) + starting * len(trials)
    longest = max(known) + starting

    def lasting(count: int) -> float:
        return max(longest, one * count / max(1, workers))

    return Estimate(lasting(min(seeds, at_most)), min(seeds, at_most), lasting(at_most), at_most, workers)
