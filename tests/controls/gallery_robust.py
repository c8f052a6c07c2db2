"""Networks that look robust, or sure, and are not: each is given away by a check beyond the test set."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from groundcheck.datasets.problem import Problem
from groundcheck.solvers.exact import Exact


class RightWithoutCorruption(nn.Module):
    """Right where every given is there and read without doubt; elsewhere wrong, or silent."""

    rules: ClassVar = "given"

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = Exact(problem)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        found = self.inner(beliefs, given)
        doubtful = torch.where(given, beliefs.max(-1).values, 1.0).min(1).values < 0.9
        found = torch.where(doubtful[:, None, None], found.roll(1, -1), found)
        return found.masked_fill(~given.any(1)[:, None, None], torch.nan)

    def loss(self, beliefs, given, answer):
        return self.inner.loss(beliefs, given, answer)


class CopiesGivens(nn.Module):
    """Hands every given back, and answers the queries with the same symbol throughout."""

    rules: ClassVar = "given"

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = Exact(problem)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        same = torch.zeros_like(beliefs)
        same[..., 0] = 1.0
        return torch.where(given.unsqueeze(-1), beliefs, same)

    def loss(self, beliefs, given, answer):
        return self.inner.loss(beliefs, given, answer)


class SureAndWrong(CopiesGivens):
    """Whatever the answer is, it is certain of another."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        found = self.inner(beliefs, given)
        wrong = nn.functional.one_hot(found.roll(1, -1).argmax(-1), beliefs.shape[-1]).to(found)
        return torch.where(given.unsqueeze(-1), found, wrong)


class AbstainsOnEverything(CopiesGivens):
    """Knows the answers, and leaves every board unsolved."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        del given
        return torch.full_like(beliefs, torch.nan)
