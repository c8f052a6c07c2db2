"""The exact posterior under the rules, by enumerating their solutions."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..datasets.problem import Problem
from .solver import TINY, Answer, Beliefs, Given, Solver, hide_queries

LIMIT = 100_000  # solutions; weights of one row are then 0.4 MB, those of a batch of 64 are 26 MB

# Log-weight of a world that disagrees with the answer, nats. Below any that 81 beliefs can give
# (81 · log TINY is −5600), and finite, so that an answer that no world agrees with makes no NaN.
OUT = -1e4


class TooManySolutionsError(ValueError):
    """The rules have more solutions than are enumerated."""


def enumerate_worlds(problem: Problem, limit: int = LIMIT) -> Float[Tensor, "worlds cells"]:
    """Every solution of the rules as one row of indicators, cell v·symbols + k for "v takes k".

    Raises `TooManySolutionsError` above `limit`, and `ValueError` where the rules have none.
    """
    found = list(problem.solutions(limit + 1))
    if len(found) > limit:
        raise TooManySolutionsError(
            f"these rules have more than {limit:,} solutions: too many to enumerate, "
            "take a smaller task or a solver that searches"
        )
    if not found:
        raise ValueError("these rules have no solution: there is nothing to believe in")
    hot = np.stack(found)[:, :, None] == np.arange(problem.symbols)
    return torch.from_numpy(hot.reshape(len(found), -1)).to(torch.get_default_dtype())


class Exact(Solver):
    """The posterior of independent beliefs under the rules, exactly.

    A solution w of the rules, a world, has weight ∏ beliefs[v, w(v)] over the givens v. `forward` is the
    marginal Σ_{w: w(v)=k} weight(w) / Σ_w weight(w), of givens as well: rules correct what was seen. A row
    whose beliefs leave no world any weight is NaN.

    `loss` is −log Σ_{w agrees with the answer} weight(w), the likelihood that the symbols seen obey
    the rules *and* have this answer. It is not divided by the weight of all worlds: every training puzzle
    is known to obey the rules, so that they hold is evidence too. Its gradient is beliefs minus the posterior
    given the answer (one step of EM), and vanishes only where the two agree; that of the quotient
    vanishes as soon as no other answer is left, whatever mass the beliefs put on symbols that break
    the rules. Where each combination of givens has one answer (mapping, addition) the two are the same.
    Nor is it the sum over queries of marginal likelihoods, which would count one reading of the givens
    once per query and take the queries for independent.

    Cost per row: worlds · variables · symbols multiplications; at most 100,000 worlds, which are found once
    by SAT. Source: Xu et al. 2018, arXiv:1711.11157 (weighted model count as a loss).
    """

    rules: ClassVar = "given"
    exact: ClassVar[bool] = True
    source: ClassVar[str] = "Xu et al. 2018, arXiv:1711.11157"

    worlds: Tensor  # (worlds, variables · symbols)

    def __init__(self, problem: Problem, limit: int = LIMIT) -> None:
        super().__init__(problem)
        self.register_buffer("worlds", enumerate_worlds(problem, limit), persistent=False)

    def _log_weights(self, beliefs: Beliefs, given: Given) -> Float[Tensor, "batch worlds"]:
        seen = hide_queries(beliefs, given)
        share = seen / seen.sum(-1, keepdim=True).clamp_min(TINY)
        # TINY is added, not clamped to: at a belief of exactly 0 the gradient is then that of the product
        # of the others, as it should be, where a clamp would give 0 and a bare logarithm NaN.
        log = torch.where(given.unsqueeze(-1), (share + TINY).log(), share.new_zeros(()))
        return log.flatten(1) @ self.worlds.to(beliefs.dtype).T

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """Posterior marginals of every variable."""
        worlds = self.worlds.to(beliefs.dtype)
        weights = self._log_weights(beliefs, given).softmax(-1)
        marginals = (weights @ worlds).view_as(beliefs)
        marginals = marginals / marginals.sum(-1, keepdim=True)  # rounding may have left 1 + 1e-7
        excluded = (hide_queries(beliefs, given) <= 0) & given.unsqueeze(-1)
        possible = ((excluded.flatten(1).to(beliefs.dtype) @ worlds.T) < 0.5).any(-1)
        return marginals.masked_fill(~possible[:, None, None], torch.nan)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """−log of the weight of the worlds that agree with the answer."""
        asked = answer.unsqueeze(-1) >= 0
        wrong = asked & (torch.arange(self.problem.symbols, device=answer.device) != answer.unsqueeze(-1))
        misses = wrong.flatten(1).to(beliefs.dtype) @ self.worlds.to(beliefs.dtype).T
        weights = self._log_weights(beliefs, given)
        return -weights.masked_fill(misses > 0.5, OUT).logsumexp(-1)
