"""Sums over the worlds of some rules: their solutions, one by one or shared in a circuit.

`leaves[b, v·symbols + k]` is the log-weight of "variable v takes k" in row b, in nats; the log-weight of a
world is the sum over its variables. Leaves are finite: `LOG_IMPOSSIBLE` stands for "impossible".
"""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...datasets.problem import Problem
from .search import Search

# Nats; half of it is below any log-weight that 81 beliefs can have (81 · log 1e-30 is −5600), so that it
# tells whether any world was possible. Finite, so that a row in which none was makes no NaN.
LOG_IMPOSSIBLE = -2e4

ENUMERATION_LIMIT = 100_000  # worlds; weights of one row are then 0.4 MB, those of a batch of 64 are 26 MB

Leaves = Float[Tensor, "batch cells"]


class NoSolutionError(ValueError):
    """Rules that no assignment obeys."""


class TooManySolutionsError(ValueError):
    """The rules have more solutions than are enumerated."""


@runtime_checkable
class Worlds(Protocol):
    """What can be asked of the worlds of some rules, for every row; differentiable but for the last."""

    def log_weight(self, leaves: Leaves) -> Float[Tensor, " batch"]:
        """Logarithm of the sum of the worlds' weights, nats."""
        ...

    def marginals(self, leaves: Leaves) -> Leaves:
        """Probability of each cell, when worlds are drawn in proportion to their weight."""
        ...

    def entropy(self, leaves: Leaves) -> Float[Tensor, " batch"]:
        """Entropy of that draw, nats."""
        ...

    def divergence(self, leaves: Leaves, others: Leaves) -> Float[Tensor, " batch"]:
        """Kullback-Leibler divergence of that draw from the one by other leaves, nats."""
        ...

    def most_likely(self, leaves: Leaves) -> Int[Tensor, "batch variables"]:
        """Symbols of a world with the greatest weight."""
        ...


class Enumeration(nn.Module):
    """The worlds as a table. Cost per row and question: worlds · cells multiplications."""

    table: Tensor  # (worlds, cells) of 0 and 1
    solutions: Tensor  # (worlds, variables)

    def __init__(self, problem: Problem, limit: int = ENUMERATION_LIMIT) -> None:
        super().__init__()
        # Fewer dead ends than worlds: rules that need more search than this are not for listing.
        solutions = Search(problem, nodes=4 * limit).worlds([-1] * len(problem.variables), limit)
        if solutions is None:
            raise TooManySolutionsError(
                f"these rules have more than {limit:,} solutions: too many to enumerate; compile them to a "
                "circuit (pip install 'groundcheck[circuits]'), or take a smaller task"
            )
        if not len(solutions):
            raise NoSolutionError("these rules have no solution: there is nothing to believe in")
        hot = (solutions[:, :, None] == np.arange(problem.symbols)).reshape(len(solutions), -1)
        self.register_buffer("solutions", torch.from_numpy(solutions), persistent=False)
        self.register_buffer("table", torch.from_numpy(hot).to(torch.get_default_dtype()), persistent=False)

    def _weights(self, leaves: Leaves) -> Float[Tensor, "batch worlds"]:
        return leaves @ self.table.to(leaves.dtype).T

    def log_weight(self, leaves: Leaves) -> Float[Tensor, " batch"]:
        """Logarithm of the sum of the worlds' weights, nats."""
        return self._weights(leaves).logsumexp(-1)

    def marginals(self, leaves: Leaves) -> Leaves:
        """Probability of each cell."""
        return self._weights(leaves).softmax(-1) @ self.table.to(leaves.dtype)

    def entropy(self, leaves: Leaves) -> Float[Tensor, " batch"]:
        """Entropy of the distribution over worlds, nats."""
        log = self._weights(leaves).log_softmax(-1)
        return -(log.exp() * log).sum(-1)

    def divergence(self, leaves: Leaves, others: Leaves) -> Float[Tensor, " batch"]:
        """Kullback-Leibler divergence of the distribution over worlds from that by other leaves, nats."""
        log = self._weights(leaves).log_softmax(-1)
        return (log.exp() * (log - self._weights(others).log_softmax(-1))).sum(-1)

    def most_likely(self, leaves: Leaves) -> Int[Tensor, "batch variables"]:
        """Symbols of the first world of greatest weight."""
        return self.solutions[self._weights(leaves).argmax(-1)]
