"""What perception reaches with labels, and what the exact rules make of it: the measure of a solver."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch
from .network import Network
from .spec import SolverSpec


class NoSolver(nn.Module):
    """Stands where no solver is trained: passes the beliefs on."""

    def forward(
        self, beliefs: Float[Tensor, "batch variables symbols"], given: Bool[Tensor, "batch variables"]
    ) -> Float[Tensor, "batch variables symbols"]:
        """The beliefs."""
        del given
        return beliefs


NO_SOLVER = SolverSpec("none", factory=lambda _problem: NoSolver())


def supervised(network: Network, batch: Batch) -> Float[Tensor, " images"]:
    """Cross-entropy of perception with the labels of the images it reads: the ceiling's loss.

    The labels are in the answer, which only leaky supervision puts there.
    """
    shown = batch.place >= 0
    labels = batch.answer.new_empty(len(batch.images))
    labels[batch.place[shown]] = batch.answer[shown]
    return torch.nn.functional.cross_entropy(network.perceive(batch.images), labels, reduction="none")


def deduce(
    solution: Int[np.ndarray, "puzzles variables"], right: Bool[np.ndarray, "puzzles variables"], symbols: int
) -> Float[np.ndarray, "puzzles variables symbols"]:
    """What the exact rules answer on top of a perception: the solution where every image was read right.

    Other puzzles count as unsolved; that a wrong reading may lead to the right answer is left aside.
    """
    completion = np.eye(symbols)[solution]
    completion[~right.all(-1)] = np.nan
    return completion
