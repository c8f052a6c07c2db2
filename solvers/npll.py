"""Pairwise costs learned from answers by their pseudo-likelihood; an exact or a local solver answers."""

from contextlib import suppress
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .decision import MapSolver
from .neural import masked_softmax
from .rules.acquisition import Rule, named, with_rules
from .rules.worlds import NoSolutionError
from .solver import PROBABILITY_FLOOR, Answer, Beliefs, Given, Solver, hide_queries

WARM, COLD = 1.0, 0.05  # temperatures of the local solver: first, when everything is open, and last
RULED_OUT = 0.5  # nats: on 9×9 Sudoku what breaks a rule costs 1 to 2.5, everything else 0.2 or less
APART = 2.0  # rules are told where they cost so many times as much as everything else, or as `LITTLE`
LITTLE = 0.1  # nats
CONFLICTS = 2000  # that SAT may run into before what is ruled out counts as leaving nothing


class ENPLL(Solver):
    """A cost for every pair of symbols of every two variables, learned without solving anything.

    `loss` is the negative pseudo-log-likelihood of the answer, −Σ_queries v log softmax(−E_v)[answer v], with
    E_v(a) = Σ_{u kept} Σ_b p(u, b)·cost[(u, b), (v, a)], where p is the answer of a query u and the belief of
    a given. Rules that follow from others would never be learned, as those explain the answer already: of
    the other variables only a share is kept (Emmental). Which, is drawn from the answer itself, so that the
    loss of a row is a function of that row.

    The costs are few relations: cost[(u, a), (v, b)] = Σ_k between[k, u, v] · relation[k, a, b], made
    symmetric. What two symbols cost is so learned from all pairs of variables, and what two variables have to
    do with each other from all pairs of symbols: 300 boards tell the 810 pairs of 9×9 Sudoku, where a free
    matrix has learned none from 600. The paper shares costs by a network over the coordinates of the
    variables; no coordinates are known here.

    Costs that are still noise would teach perception to read the same symbol everywhere, within ten steps of
    training. So at first givens are hidden in training, and costs learn from the answers alone: until they
    rule out something (`RULED_OUT`), or `evidence` answers were seen, repeated ones included. A row of a
    single answer has nothing to learn from without its givens, and shows them from the start.

    `forward` minimises Σ cost[(u, w(u)), (v, w(v))] − Σ_{givens} log belief(v, w(v)), and answers with the
    better of two assignments: that of mean-field annealing in `steps` steps, and, where costs rule pairs
    out (`RULED_OUT`), the most likely world under these as rules.

    Costs start near zero; `penalty` is that on their absolute values, per row. Cost per row: (variables ·
    symbols)² for the loss, and as much per step to answer. Source: Defresne, Barbe, Schiex 2023, IJCAI,
    *Scalable coupling of deep learning with logical reasoning*; arXiv:2508.20978.

    Args:
        problem: Without its rules.
        kept: Share of the other variables that explain an answer, 0.3 to 1. With masked supervision the
            givens, and so the queries, differ from puzzle to puzzle, and all of them did best.
        penalty: On the absolute costs, 0 to 1e-3 nats.
        steps: Of the local solver, 50 to 500.
        relations: How many costs are made of, 1 to 8.
        nodes: At most so many propagations per row of the exact solver, as `MapSolver` has it.
    """

    source: ClassVar[str] = "Defresne et al. 2023, IJCAI; arXiv:2508.20978"
    learning_rate: ClassVar[float] = 5e-2
    evidence: ClassVar[int] = 2000

    apart: Tensor
    legal: Tensor
    draws: Tensor

    def __init__(
        self,
        problem: Problem,
        kept: float = 1.0,
        penalty: float = 1e-4,
        steps: int = 150,
        relations: int = 4,
        nodes: int = 1000,
    ) -> None:
        super().__init__(problem)
        if not 0 < kept <= 1:
            raise UsageError(f"kept={kept}: a share of the variables, above 0 and at most 1")
        if penalty < 0:
            raise UsageError(f"penalty={penalty}: it is 0 or more")
        if steps < 1:
            raise UsageError(f"steps={steps}: the local solver needs at least 1")
        if relations < 1:
            raise UsageError(f"relations={relations}: costs are made of at least 1")
        self.kept, self.penalty, self.steps, self.nodes = kept, penalty, steps, nodes
        size, symbols = len(problem.variables), problem.symbols
        self.between = nn.Parameter(0.05 + 0.1 * torch.rand(relations, size, size))
        self.relation = nn.Parameter(0.1 * torch.randn(relations, symbols, symbols))
        owner = torch.arange(size).repeat_interleave(symbols)
        self.register_buffer("apart", owner.unsqueeze(0) != owner.unsqueeze(1), persistent=False)
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        generator = torch.Generator().manual_seed(0)
        draws = torch.randint(1, 2**31, (2, size), generator=generator)
        self.register_buffer("draws", draws, persistent=False)
        self._awaited = self.evidence  # answers before it listens to givens
        self._ruled: Bool[Tensor, "cells cells"] | None = None  # what the exact solver takes as ruled out
        # One where that leaves a solution; in a list: no part of the state.
        self._reasoners: list[MapSolver] = []

    @property
    def costs(self) -> Float[Tensor, "cells cells"]:
        """Symmetric, in nats; none between the symbols of one variable."""
        free = torch.einsum("kuv,kab->uavb", self.between, self.relation).flatten(2).flatten(0, 1)
        return (free + free.T) / 2 * self.apart

    @property
    def learned_rules(self) -> list[Rule]:
        """What costs more than `RULED_OUT` and stands above the widest gap in the costs, as rules.

        None where costs fall off without a gap: they weigh, and forbid nothing. They rest on no count.
        """
        costs = self.costs.detach()
        falling = functional.pad(costs[self.apart & self._possible].sort(descending=True).values, (0, 1))
        gaps = falling[:-1] / falling[1:].clamp_min(LITTLE) * (falling[:-1] > RULED_OUT)
        if not len(gaps) or gaps.max() < APART:
            return []
        return named(self.problem, ((costs >= falling[gaps.argmax()]) & self._possible).cpu().numpy())

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Negative pseudo-log-likelihood of the answer; nats, summed over the queries of a row."""
        answered = answer >= 0
        hot = nn.functional.one_hot(answer.clamp_min(0), self.legal.shape[1]).to(beliefs.dtype)
        shown, costs = given, self.costs
        if self.training and self._awaited:
            shown = given & (answered.sum(-1, keepdim=True) < 2)
            enough = bool(self._ruled_out(costs.detach()).any())
            self._awaited = 0 if enough else max(0, self._awaited - len(answer))
        known = torch.where(answered.unsqueeze(-1), hot, hide_queries(beliefs, shown))
        energy = (known * self._kept_of(answer).unsqueeze(-1)).flatten(1) @ costs
        logs = (-energy.view_as(beliefs)).masked_fill(~self.legal, -torch.inf).log_softmax(-1)
        picked = logs.gather(-1, answer.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        return -picked.masked_fill(~answered, 0.0).sum(-1) + self.penalty * costs.abs().sum()

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The better of what the local and the exact solver find; the latter takes no gradient."""
        seen = hide_queries(beliefs, given)
        sure = (seen.clamp_min(PROBABILITY_FLOOR).log() * given.unsqueeze(-1)).masked_fill(~self.legal, -1e4)
        costs = self.costs
        state = self._annealed(sure, costs)
        local = masked_softmax(state.clamp_min(PROBABILITY_FLOOR).log(), beliefs, given, self.legal)
        if (exact := self._exact_solver(costs)) is None:
            return local
        world = exact.certain(exact.heaviest(exact.weights(beliefs, given)), beliefs)
        rounded = functional.one_hot(state.argmax(-1), state.shape[-1]).to(state)
        better = energy(world.nan_to_num(), sure, costs) <= energy(rounded, sure, costs)
        better &= ~world.isnan().flatten(1).any(-1)
        return torch.where(better[:, None, None], world, local)

    def get_extra_state(self) -> dict[str, int]:
        """How many answers it still awaits before it listens to givens."""
        return {"awaited": self._awaited}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Takes that up."""
        self._awaited = state["awaited"]

    def _annealed(
        self, sure: Float[Tensor, "batch variables symbols"], costs: Float[Tensor, "cells cells"]
    ) -> Float[Tensor, "batch variables symbols"]:
        state = sure.softmax(-1)
        for step in range(self.steps):
            temperature = WARM * (COLD / WARM) ** (step / self.steps)
            pull = sure - (state.flatten(1) @ costs).view_as(state)
            state = (state + (pull / temperature).softmax(-1)) / 2
        return state

    @property
    def _possible(self) -> Bool[Tensor, "cells cells"]:
        legal = self.legal.flatten()
        return legal & legal.unsqueeze(1)

    def _ruled_out(self, costs: Float[Tensor, "cells cells"]) -> Bool[Tensor, "cells cells"]:
        return (costs > RULED_OUT) & self._possible

    def _exact_solver(self, costs: Float[Tensor, "cells cells"]) -> MapSolver | None:
        """Under what costs rule out; None where that is nothing, or leaves no solution easily found."""
        ruled = self._ruled_out(costs)
        if self._ruled is None or not torch.equal(ruled, self._ruled):
            self._ruled, self._reasoners = ruled, []
            if rules := named(self.problem, ruled.cpu().numpy()):
                with suppress(NoSolutionError):
                    reasoner = MapSolver(with_rules(self.problem, rules), self.nodes).to(costs.device)
                    if reasoner.table is not None or reasoner.search.has_world(CONFLICTS):
                        self._reasoners = [reasoner]
        return next(iter(self._reasoners), None)

    def _apply(self, fn: Any, recurse: bool = True) -> "ENPLL":
        for reasoner in self._reasoners:
            reasoner._apply(fn, recurse)
        self._ruled = None if self._ruled is None else fn(self._ruled)
        return super()._apply(fn, recurse)

    def _kept_of(self, answer: Answer) -> Bool[Tensor, "batch variables"]:
        """Which variables explain a row: a pseudo-random choice that depends on nothing but its answer."""
        code = ((answer + 2) * self.draws[0]).sum(-1, keepdim=True)
        mixed = (code * self.draws[1]) % 2_147_483_647
        mixed = (mixed * 48_271) % 2_147_483_647  # Lehmer's generator, MINSTD (Park & Miller 1993)
        return mixed.double() < self.kept * 2_147_483_647


def energy(
    hot: Float[Tensor, "batch variables symbols"],
    sure: Float[Tensor, "batch variables symbols"],
    costs: Float[Tensor, "cells cells"],
) -> Float[Tensor, " batch"]:
    """What assignments of 0 and 1 cost, and how unlikely their givens are: nats."""
    flat = hot.flatten(1)
    return ((flat @ costs) * flat).sum(-1) / 2 - (flat * sure.flatten(1)).sum(-1)
