"""Solvers that break, each in one way, as somebody's module would hold them."""

import torch
from torch import Tensor, nn

from groundcheck.datasets.problem import Problem


class Fair(nn.Module):
    """A network that keeps the contract and inherits from nothing of ours."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        cells = len(problem.variables) * problem.symbols
        self.layer = nn.Linear(cells, cells)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, beliefs.new_zeros(()))
        return self.layer(seen.flatten(1)).view_as(beliefs).softmax(-1)


class WrongShape(Fair):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given)[:, :1]


class Unbounded(Fair):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return 1 + super().forward(beliefs, given)


class Nan(Fair):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given) * torch.nan


class RaisesInTraining(Fair):
    """Breaks in its fourth training step with images; the short checks before end earlier."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.steps = 0

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        self.steps += self.training
        if self.steps > 5:
            raise ZeroDivisionError("the sixth step was one too many")
        return super().forward(beliefs, given)


def no_module(problem: Problem) -> str:
    return f"{len(problem.variables)} variables"


def raises(problem: Problem) -> nn.Module:
    raise KeyError("no such layer")


not_callable = 3
