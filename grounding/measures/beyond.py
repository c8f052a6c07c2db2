"""What was measured of one trained network beyond its test set."""

from dataclasses import dataclass

from .abstention import Selective
from .metrics import Scores
from .robustness import Correction, Robustness


@dataclass(frozen=True)
class Worlds:
    """The worlds that a completion leaves, by the rules, against those of the exact posterior.

    Attributes:
        entropy: Of the completion's distribution over worlds, nats, mean over boards.
        exact: The same of the exact posterior on the same readings.
        divergence: Kullback-Leibler divergence of the completion's distribution from the posterior, nats,
            mean.
        bound: Logarithm of the number of worlds, nats: no entropy is above.
        boards: How many boards have a completion that leaves any world.
    """

    entropy: float
    exact: float
    divergence: float
    bound: float
    boards: int


@dataclass(frozen=True)
class Beyond:
    """What was measured of one trained network beyond its test set; None where it was not asked.

    Attributes:
        ood: Scores on the ood split, under the relabelling of the validation images; `read` is what the exact
            rules answer on the same readings.
        robustness: On corrupted boards.
        clean: How it answers test puzzles where it may be silent.
        corrupted: The same of corrupted boards that tell less.
        correction: What becomes of wrong givens.
        worlds: What its completions leave of the worlds of the rules.
    """

    ood: Scores | None = None
    robustness: Robustness | None = None
    clean: Selective | None = None
    corrupted: Selective | None = None
    correction: Correction | None = None
    worlds: Worlds | None = None
