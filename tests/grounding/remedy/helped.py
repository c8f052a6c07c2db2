"""A solver that grounds with one change of an option, and one that nothing helps; they are named by file."""

import torch
from torch import Tensor, nn

from groundcheck.solvers.exact import Exact


class Helped(nn.Module):
    """Hands no gradient back, until it is told to."""

    rules = "given"
    ranges = {"listens": (0.0, 1.0)}  # noqa: RUF012

    def __init__(self, problem, listens: float = 0.0) -> None:
        super().__init__()
        self.posterior, self.listens = Exact(problem), listens

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return self.posterior(self.listens * beliefs + (1 - self.listens) * beliefs.detach(), given)


class Deaf(nn.Module):
    """Answers at random, whatever is changed."""

    ranges = {"size": (1, 2)}  # noqa: RUF012

    def __init__(self, problem, size: int = 1) -> None:
        super().__init__()
        self.kept = nn.Parameter(torch.zeros(size))
        self.register_buffer("legal", torch.from_numpy(problem.legal))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        uniform = (self.legal / self.legal.sum(-1, keepdim=True)).expand(beliefs.shape)
        return uniform + 0 * self.kept.sum() * beliefs


class Misdeclared(Deaf):
    """Declares a range of an option that it has not."""

    ranges = {"length": (1, 2)}  # noqa: RUF012
