"""Constraint acquisition, then likelihood: rules from the answers, symbols from the rules."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..datasets.problem import Problem
from .abductive import Conditional
from .rules.acquisition import Rule, acquire, with_rules
from .solver import Answer, Beliefs, Given, Solver, answer_nll, hide_queries


class Acquired(Solver):
    """Learns the rules from the answers, without perception; then perception by their likelihood.

    Masked supervision hides the labels of the givens, but the answers at the blanks obey the rules too. In
    training, every answer that was not seen before is counted: which symbols two variables took together.
    Relations that independence would have produced often and that did not occur are rules (`acquire`, at
    most 1 % of them expected to be false). Rules go on being acquired and given up with every answer.

    `loss` is that of `Conditional` under the rules of the answers so far, −log Σ_{w agrees with the answer}
    ∏ beliefs[v, w(v)]; while there are none, the likelihood of the answers under their own frequencies,
    which teaches perception nothing. `forward` answers with the most likely world under the rules. While
    there are none it answers with the prior under which all variables are alike: every symbol as often as it
    is believed among the givens (Laplace's rule of succession).

    What pairs of variables cannot express (sums, parity) is not found, and `path` says so. Cost per new
    answer: (variables · symbols)² for counting; per row that of `Conditional`. `nodes` as there.
    Sources: Bessiere et al. 2017, AIJ 244 (constraint acquisition); Kumar et al. 2022 (COUNT-CP); Xu et al.
    2018, arXiv:1711.11157 (the likelihood).
    """

    source: ClassVar[str] = "Bessiere et al. 2017, AIJ 244; Kumar et al. 2022 (COUNT-CP)"

    together: Tensor
    legal: Tensor

    def __init__(self, problem: Problem, nodes: int = 2000) -> None:
        super().__init__(problem)
        self.nodes = nodes
        cells = len(problem.variables) * problem.symbols
        self.register_buffer("together", torch.zeros(cells, cells, dtype=torch.int32))
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        self._counted: set[bytes] = set()
        self._rules: list[Rule] = []
        self._reasoners: list[Conditional] = []  # one where there are rules; in a list: no part of the state

    @property
    def learned_rules(self) -> list[Rule]:
        """The rules acquired so far."""
        return list(self._rules)

    @property
    def path(self) -> str:
        """What it reasons with, for the report."""
        if not self._rules:
            return f"prior: no rule was found in {len(self._counted):,} different answers"
        return f"{len(self._rules):,} rules acquired from {len(self._counted):,} different answers"

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The most likely world under the acquired rules; the prior while there are none."""
        if self._reasoners:
            return self._reasoners[0](beliefs, given)
        seen = hide_queries(beliefs, given).sum(1, keepdim=True)
        prior = ((seen + 1) * self.legal).expand_as(beliefs)
        return prior / prior.sum(-1, keepdim=True)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """−log of the weight of the worlds that agree with the answer, under the rules before this batch."""
        if self._reasoners:
            losses = self._reasoners[0].loss(beliefs, given, answer)
        elif self.training:
            losses = answer_nll(self._frequencies(beliefs), answer) + 0 * beliefs.nan_to_num().sum((1, 2))
        else:
            losses = super().loss(beliefs, given, answer)
        if self.training:
            self._count(answer)
        return losses

    def _frequencies(self, like: Beliefs) -> Beliefs:
        counts = self.together.diagonal().view(self.legal.shape).to(like) + self.legal
        return (counts / counts.sum(-1, keepdim=True)).expand_as(like)

    @torch.no_grad()
    def _count(self, answer: Answer) -> None:
        rows = answer.cpu().numpy().astype(np.int8)
        keys = [row.tobytes() for row in rows]
        fresh = [n for n, key in enumerate(keys) if key not in self._counted and keys.index(key) == n]
        if not fresh:
            return
        self._counted.update(keys[n] for n in fresh)
        chosen = answer[torch.tensor(fresh, device=answer.device)]
        hot = functional.one_hot(chosen.clamp_min(0), self.problem.symbols) * (chosen >= 0).unsqueeze(-1)
        flat = hot.flatten(1).float()
        self.together += (flat.T @ flat).to(torch.int32)
        self._acquire()

    def _acquire(self) -> None:
        rules = acquire(self.problem, self.together.cpu().numpy())
        if [(r.first, r.second, r.kind, r.offset, r.pair) for r in rules] != [
            (r.first, r.second, r.kind, r.offset, r.pair) for r in self._rules
        ]:
            self._reasoners = []
            if rules:
                reasoner = Conditional(with_rules(self.problem, rules), self.nodes)
                self._reasoners = [reasoner.to(self.together.device)]
        self._rules = rules

    def get_extra_state(self) -> Tensor:
        """The answers that were counted."""
        width = len(self.problem.variables)
        rows = np.frombuffer(b"".join(sorted(self._counted)), dtype=np.int8).reshape(-1, width)
        return torch.from_numpy(rows.copy())

    def set_extra_state(self, state: Any) -> None:
        """Takes up the answers that were counted, and the rules that they bear out."""
        self._counted = {row.tobytes() for row in state.cpu().numpy().astype(np.int8)}

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        super()._load_from_state_dict(*arguments, **named)
        self._acquire()
