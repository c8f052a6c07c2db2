"""Networks without logic: what the same data and perception reach when nothing reasons."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..datasets.problem import Problem
from .solver import Beliefs, Given, Solver, hide_queries


def complete(logits: Beliefs, beliefs: Beliefs, given: Given, legal: Tensor) -> Beliefs:
    """Softmax of `logits` over each variable's own symbols at the queries, what was seen at the givens."""
    guessed = logits.masked_fill(~legal, -torch.inf).softmax(-1)
    return torch.where(given.unsqueeze(-1), beliefs, guessed)


class MLP(Solver):
    """Two fully connected layers, the first with ReLU; no logic.

    y = softmax(W₂ relu(W₁ [beliefs at the givens, given] + b₁) + b₂), one softmax per query; the beliefs
    at the givens are handed through. Chang et al. put it in SATNet's place in the mapping test; whatever
    a solver that learns its rules adds over it is what its logic adds.

    Cost per row: about hidden · variables · symbols multiplications, twice. `hidden`: 64 to 1024.
    Source: Chang et al. 2020, arXiv:2312.11522, §5.
    """

    source: ClassVar[str] = "Chang et al. 2020, arXiv:2312.11522"

    legal: Tensor

    def __init__(self, problem: Problem, hidden: int = 256) -> None:
        super().__init__(problem)
        if hidden < 1:
            raise ValueError(f"hidden={hidden}: the first layer needs at least one unit")
        cells = len(problem.variables) * problem.symbols
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        self.first = nn.Linear(cells + len(problem.variables), hidden)
        self.second = nn.Linear(hidden, cells)

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """One pass through both layers."""
        seen = torch.cat([hide_queries(beliefs, given).flatten(1), given.to(beliefs.dtype)], dim=1)
        logits = self.second(self.first(seen).relu()).view_as(beliefs)
        return complete(logits, beliefs, given, self.legal)
