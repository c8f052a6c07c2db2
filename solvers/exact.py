"""The exact posterior under the rules."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..datasets.problem import Problem
from .rules.reasoning import worlds_of
from .rules.worlds import LOG_IMPOSSIBLE, Leaves
from .solver import PROBABILITY_FLOOR, Answer, Beliefs, Given, Solver, hide_queries


def share_of_givens(beliefs: Beliefs, given: Given) -> Beliefs:
    """The beliefs as one distribution per given; 0 at the queries."""
    seen = hide_queries(beliefs, given)
    return seen / seen.sum(-1, keepdim=True).clamp_min(PROBABILITY_FLOOR)


def log_leaves(beliefs: Beliefs, given: Given) -> Leaves:
    """Log-weight of every "v takes k": that of its belief, one distribution per given; 0 at the queries."""
    share = share_of_givens(beliefs, given)
    # The floor is added, not clamped to: at a belief of exactly 0 the gradient is then that of the product
    # of the others, as it should be, where a clamp would give 0 and a bare logarithm NaN.
    return torch.where(given.unsqueeze(-1), (share + PROBABILITY_FLOOR).log(), share.new_zeros(())).flatten(1)


def disagreeing(answer: Answer, symbols: int) -> Bool[Tensor, "batch cells"]:
    """The cells that an answer rules out."""
    other = torch.arange(symbols, device=answer.device) != answer.unsqueeze(-1)
    return ((answer.unsqueeze(-1) >= 0) & other).flatten(1)


class Exact(Solver):
    """The posterior of independent beliefs under the rules, exactly.

    A solution w of the rules, a world, has weight ∏ beliefs[v, w(v)] over the givens v. `forward` is the
    marginal Σ_{w: w(v)=k} weight(w) / Σ_w weight(w), of givens as well: rules correct what was seen. A row
    whose beliefs leave no world any weight is NaN.

    `loss` is −log Σ_{w agrees with the answer} weight(w): the likelihood that the symbols seen obey the rules
    *and* have this answer. It is not divided by the weight of all worlds, for every training puzzle is known
    to obey the rules, which is evidence too. Its gradient is beliefs minus the posterior given the answer
    (one step of EM), and vanishes only where the two agree. That of the quotient vanishes as soon as no other
    answer is left, whatever mass the beliefs put on symbols that break the rules. Where each combination of
    givens has one answer (mapping, addition) the two are the same. Nor is it the sum over queries of marginal
    likelihoods, which would count one reading of the givens once per query and take the queries for
    independent. An answer that no world agrees with costs 20,000 nats and teaches nothing.

    Source: Xu et al. 2018, arXiv:1711.11157 (weighted model count as a loss).

    Args:
        problem: With its rules.
        reasoning: "enumeration" (at most 100,000 worlds, cost per row worlds · variables · symbols),
            "circuit" (a compiled SDD, cost per row its edges), or "auto", the one that fits.
    """

    rules: ClassVar = "given"
    exact: ClassVar[bool] = True
    source: ClassVar[str] = "Xu et al. 2018, arXiv:1711.11157"

    def __init__(self, problem: Problem, reasoning: str = "auto") -> None:
        super().__init__(problem)
        self.worlds = worlds_of(problem, reasoning)

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """Posterior marginals of every variable."""
        marginals = self.worlds.marginals(log_leaves(beliefs, given)).view_as(beliefs)
        marginals = marginals / marginals.sum(-1, keepdim=True)  # rounding may have left 1 + 1e-7
        excluded = (hide_queries(beliefs, given) <= 0) & given.unsqueeze(-1)
        with torch.no_grad():
            support = self.worlds.log_weight(excluded.flatten(1) * LOG_IMPOSSIBLE)
        return marginals.masked_fill((support < LOG_IMPOSSIBLE / 2)[:, None, None], torch.nan)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """−log of the weight of the worlds that agree with the answer."""
        leaves = log_leaves(beliefs, given)
        leaves = leaves.masked_fill(disagreeing(answer, self.problem.symbols), LOG_IMPOSSIBLE)
        weight = self.worlds.log_weight(leaves)
        return -weight.where(weight > LOG_IMPOSSIBLE / 2, weight.new_tensor(LOG_IMPOSSIBLE))
