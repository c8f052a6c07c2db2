"""A solver in a package of its own."""

from typing import ClassVar

import torch

from groundcheck.solvers import Solver, hide_queries


class Bilinear(Solver):
    """Low-rank products of pairs of cells: the smallest thing that could learn a rule between two."""

    source: ClassVar[str] = "an example"

    def __init__(self, problem, rank: int = 32):
        super().__init__(problem)
        cells = len(problem.variables) * problem.symbols
        self.left, self.right = torch.nn.Linear(cells, rank), torch.nn.Linear(cells, rank)
        self.out = torch.nn.Linear(rank, cells)

    def forward(self, beliefs, given):
        """Beliefs about every variable; the givens as they came."""
        seen = hide_queries(beliefs, given).flatten(1)
        guess = self.out(self.left(seen) * self.right(seen)).view_as(beliefs).softmax(-1)
        return torch.where(given.unsqueeze(-1), beliefs, guess)
