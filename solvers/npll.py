"""Pairwise costs learned from answers by their pseudo-likelihood; a local solver answers."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .neural import masked_softmax
from .solver import PROBABILITY_FLOOR, Answer, Beliefs, Given, Solver, hide_queries

WARM, COLD = 1.0, 0.05  # temperatures of the answer: first, when everything is open, and last


class ENPLL(Solver):
    """A cost for every pair of symbols of every two variables, learned without solving anything.

    `loss` is the negative pseudo-log-likelihood of the answer, −Σ_queries v log softmax(−E_v)[answer v], with
    E_v(a) = Σ_{u kept} Σ_b p(u, b)·cost[(u, b), (v, a)], where p is the answer of a query u and the belief of
    a given. Rules that follow from others would never be learned, as those explain the answer already: of
    the other variables only a share is kept (Emmental). Which, is drawn from the answer itself, so that the
    loss of a row is a function of that row.

    `forward` minimises Σ cost[(u, w(u)), (v, w(v))] − Σ_{givens} log belief(v, w(v)) by mean-field annealing
    in `steps` steps: it is no exact solver (on 9×9 Sudoku with the true costs it solves 5 of 6 boards).

    Costs start near zero; `penalty` is that on their absolute values, per row. Cost per row: (variables ·
    symbols)² for the loss, and as much per step to answer. Source: Defresne, Barbe, Schiex 2023, IJCAI,
    *Scalable coupling of deep learning with logical reasoning*; arXiv:2508.20978.

    Args:
        problem: Without its rules.
        kept: Share of the other variables that explain an answer, 0.3 to 1. With masked supervision the
            givens, and so the queries, differ from puzzle to puzzle, and all of them did best.
        penalty: On the absolute costs, 0 to 1e-3 nats.
        steps: Of the local solver, 50 to 500.
    """

    source: ClassVar[str] = "Defresne et al. 2023, IJCAI; arXiv:2508.20978"
    learning_rate: ClassVar[float] = 5e-2

    apart: Tensor
    legal: Tensor
    draws: Tensor

    def __init__(self, problem: Problem, kept: float = 1.0, penalty: float = 1e-4, steps: int = 150) -> None:
        super().__init__(problem)
        if not 0 < kept <= 1:
            raise UsageError(f"kept={kept}: a share of the variables, above 0 and at most 1")
        if penalty < 0:
            raise UsageError(f"penalty={penalty}: it is 0 or more")
        if steps < 1:
            raise UsageError(f"steps={steps}: the local solver needs at least 1")
        self.kept, self.penalty, self.steps = kept, penalty, steps
        size, symbols = len(problem.variables), problem.symbols
        self.unsymmetric = nn.Parameter(1e-3 * torch.randn(size * symbols, size * symbols))
        owner = torch.arange(size).repeat_interleave(symbols)
        self.register_buffer("apart", owner.unsqueeze(0) != owner.unsqueeze(1), persistent=False)
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        generator = torch.Generator().manual_seed(0)
        draws = torch.randint(1, 2**31, (2, size), generator=generator)
        self.register_buffer("draws", draws, persistent=False)

    @property
    def costs(self) -> Float[Tensor, "cells cells"]:
        """Symmetric, in nats; none between the symbols of one variable."""
        return (self.unsymmetric + self.unsymmetric.T) / 2 * self.apart

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Negative pseudo-log-likelihood of the answer; nats, summed over the queries of a row."""
        answered = answer >= 0
        hot = nn.functional.one_hot(answer.clamp_min(0), self.legal.shape[1]).to(beliefs.dtype)
        known = torch.where(answered.unsqueeze(-1), hot, hide_queries(beliefs, given))
        costs = self.costs
        energy = (known * self._kept_of(answer).unsqueeze(-1)).flatten(1) @ costs
        logs = (-energy.view_as(beliefs)).masked_fill(~self.legal, -torch.inf).log_softmax(-1)
        picked = logs.gather(-1, answer.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        return -picked.masked_fill(~answered, 0.0).sum(-1) + self.penalty * costs.abs().sum()

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """Mean-field annealing from the beliefs at the givens."""
        seen = hide_queries(beliefs, given)
        sure = (seen.clamp_min(PROBABILITY_FLOOR).log() * given.unsqueeze(-1)).masked_fill(~self.legal, -1e4)
        costs = self.costs
        state = sure.softmax(-1)
        for step in range(self.steps):
            temperature = WARM * (COLD / WARM) ** (step / self.steps)
            pull = sure - (state.flatten(1) @ costs).view_as(state)
            state = (state + (pull / temperature).softmax(-1)) / 2
        return masked_softmax(state.clamp_min(PROBABILITY_FLOOR).log(), beliefs, given, self.legal)

    def _kept_of(self, answer: Answer) -> Bool[Tensor, "batch variables"]:
        """Which variables explain a row: a pseudo-random choice that depends on nothing but its answer."""
        code = ((answer + 2) * self.draws[0]).sum(-1, keepdim=True)
        mixed = (code * self.draws[1]) % 2_147_483_647
        mixed = (mixed * 48_271) % 2_147_483_647  # Lehmer's generator, MINSTD (Park & Miller 1993)
        return mixed.double() < self.kept * 2_147_483_647
