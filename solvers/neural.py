"""Networks without logic: what the same data and perception reach when nothing reasons."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .solver import Answer, Beliefs, Given, Solver, answer_nll, hide_queries


def masked_softmax(logits: Beliefs, beliefs: Beliefs, given: Given, legal: Tensor) -> Beliefs:
    """Softmax of `logits` over each variable's own symbols at the queries, what was seen at the givens."""
    guessed = logits.masked_fill(~legal, -torch.inf).softmax(-1)
    return torch.where(given.unsqueeze(-1), beliefs, guessed)


class Stepwise(Solver):
    """A network that is asked for its answer after every step; the last answers, all of them are trained."""

    def completions(self, beliefs: Beliefs, given: Given) -> list[Beliefs]:
        """What is answered after each step, at least one."""
        raise NotImplementedError(f"{type(self).__name__} has to write completions(beliefs, given)")

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """What is answered after the last step."""
        return self.completions(beliefs, given)[-1]

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Negative log-likelihood of the answer, mean over the steps."""
        losses = [answer_nll(each, answer) for each in self.completions(beliefs, given)]
        return torch.stack(losses).mean(0)


class MLP(Solver):
    """Two fully connected layers, the first with ReLU; no logic.

    y = softmax(W₂ relu(W₁ [beliefs at the givens, given] + b₁) + b₂), one softmax per query; the beliefs at
    the givens are handed through. Chang et al. put it in SATNet's place in the mapping test. What a solver
    that learns its rules adds over it is what its logic adds.

    Cost per row: about hidden · variables · symbols multiplications, twice. Source: Chang et al. 2020,
    arXiv:2312.11522, §5.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        hidden: Units of the first layer, 64 to 1024.
    """

    source: ClassVar[str] = "Chang et al. 2020, arXiv:2312.11522"

    legal: Tensor

    def __init__(self, problem: Problem, hidden: int = 256) -> None:
        super().__init__(problem)
        if hidden < 1:
            raise UsageError(f"hidden={hidden}: the first layer needs at least one unit")
        cells = len(problem.variables) * problem.symbols
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        self.first = nn.Linear(cells + len(problem.variables), hidden)
        self.second = nn.Linear(hidden, cells)

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """One pass through both layers."""
        seen = torch.cat([hide_queries(beliefs, given).flatten(1), given.to(beliefs.dtype)], dim=1)
        logits = self.second(self.first(seen).relu()).view_as(beliefs)
        return masked_softmax(logits, beliefs, given, self.legal)
