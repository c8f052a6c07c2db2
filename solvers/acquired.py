"""Constraint acquisition, then likelihood: rules from the answers, symbols from the rules."""

from contextlib import suppress
from dataclasses import astuple
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..datasets.problem import Problem
from .abductive import Conditional
from .rules.acquisition import Rule, acquire, count_pairs, forbidden_cells, tells_apart, with_rules
from .rules.worlds import NoSolutionError
from .solver import Answer, Beliefs, Given, Solver

# Rules are sought again when there is so much more evidence, an answer breaks one, or answers repeat.
GROWTH = 1.05


class Acquired(Solver):
    """Learns the rules from the answers, without perception; then perception by their likelihood.

    Masked supervision hides the labels of the givens, but the answers at the blanks obey the rules too. In
    training, every answer that was not seen before is counted: which symbols two variables took together.
    One that training repeats is no evidence; so a task with a few dozen different answers tells nothing.
    Relations that independence would have produced often and that did not occur are rules (`acquire`, at
    most 1 % of them expected to be false, where answers are right). Rules go on being acquired and given up
    with every answer.

    `loss` is that of `Conditional` under the rules of the answers so far, −log Σ_{w agrees with the answer}
    ∏ beliefs[v, w(v)], and `forward` answers with the most likely world under them. While there are none,
    both go by the prior: how often a variable was answered with each symbol, uniform before the first answer.
    That teaches perception nothing.

    What pairs of answers cannot express (sums, parity, a relation between a given and an answer) is not
    found, and `path` says so. Cost per new answer: (variables · symbols)² for counting; per row that of
    `Conditional`. Sources: Bessiere et al. 2017, AIJ 244 (constraint acquisition); Kumar et al. 2022
    (COUNT-CP); Xu et al. 2018, arXiv:1711.11157 (the likelihood).

    Args:
        problem: Without its rules.
        nodes: At most so many propagations per row, 1,000 to 5,000, as `Conditional` has it.
    """

    source: ClassVar[str] = "Bessiere et al. 2017, AIJ 244; Xu et al. 2018, arXiv:1711.11157"
    evidence: ClassVar[int] = 600

    together: Tensor
    forbidden: Tensor
    legal: Tensor

    def __init__(self, problem: Problem, nodes: int = 1000) -> None:
        super().__init__(problem)
        self.nodes = nodes
        cells = len(problem.variables) * problem.symbols
        self.register_buffer("together", torch.zeros(cells, cells, dtype=torch.int32))
        self.register_buffer("forbidden", torch.zeros(cells, cells, dtype=torch.bool), persistent=False)
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        self._counted: set[bytes] = set()
        self._acquired_from = 0  # of how many answers
        self._rules: list[Rule] = []
        self._reasoners: list[Conditional] = []  # one where there are rules; in a list: no part of the state

    @property
    def learned_rules(self) -> list[Rule]:
        """The rules acquired so far."""
        return list(self._rules)

    @property
    def path(self) -> str:
        """What it reasons with, for the report."""
        answers = f"{len(self._counted):,} different answers"
        if not self._rules:
            return f"prior: no rule was found in {answers}{self._why_none()}"
        acquired = f"{len(self._rules):,} rules acquired from {answers}"
        return acquired if self._reasoners else f"prior: {acquired} leave no solution"

    def _why_none(self) -> str:
        together = self.together.cpu().numpy()
        if not len(count_pairs(self.problem, together).first):
            return ", none of two variables" if self._counted else ""
        return "" if tells_apart(self.problem, together) else ", too few to tell"

    @property
    def informed(self) -> bool:
        """Whether the answers so far bear out rules to go by."""
        return bool(self._reasoners)

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The most likely world under the acquired rules; the prior while there are none."""
        if self._reasoners:
            return self._reasoners[0](beliefs, given)
        counts = self.together.diagonal().view(self.legal.shape).to(beliefs) + self.legal
        return (counts / counts.sum(-1, keepdim=True)).expand_as(beliefs)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """−log of the weight of the worlds that agree with the answer, under the rules before this batch."""
        loss = self._reasoners[0].loss if self._reasoners else super().loss
        losses = loss(beliefs, given, answer)
        if self.training:
            self._count(answer)
        return losses

    @torch.no_grad()
    def _count(self, answer: Answer) -> None:
        rows = answer.cpu().numpy().astype(np.int8)
        keys = [row.tobytes() for row in rows]
        fresh = [n for n, key in enumerate(keys) if key not in self._counted and keys.index(key) == n]
        if not fresh:
            if self._acquired_from < len(self._counted):  # the epoch is over: the last answers count as well
                self._acquire()
            return
        self._counted.update(keys[n] for n in fresh)
        chosen = answer[torch.tensor(fresh, device=answer.device)]
        hot = functional.one_hot(chosen.clamp_min(0), self.problem.symbols) * (chosen >= 0).unsqueeze(-1)
        flat = hot.flatten(1).float()
        together = (flat.T @ flat).to(torch.int32)
        self.together += together
        if len(self._counted) >= GROWTH * self._acquired_from or bool(together[self.forbidden].any()):
            self._acquire()

    def _acquire(self) -> None:
        self._acquired_from = len(self._counted)
        self._go_by(acquire(self.problem, self.together.cpu().numpy()))

    def _apply(self, fn: Any, recurse: bool = True) -> "Acquired":
        for reasoner in self._reasoners:
            reasoner._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def _go_by(self, rules: list[Rule]) -> None:
        if [(r.first, r.second, r.kind, r.offset, r.pair) for r in rules] != [
            (r.first, r.second, r.kind, r.offset, r.pair) for r in self._rules
        ]:
            self._reasoners = []
            if rules:
                with suppress(NoSolutionError):
                    reasoner = Conditional(with_rules(self.problem, rules), self.nodes)
                    self._reasoners = [reasoner.to(self.together.device)]
            self.forbidden = torch.from_numpy(forbidden_cells(self.problem, rules)).to(self.together.device)
        self._rules = rules

    def get_extra_state(self) -> dict[str, Any]:
        """The answers that were counted, and the rules with how many answers they are from: those of now are
        sought again only with more evidence.
        """
        width = len(self.problem.variables)
        rows = np.frombuffer(b"".join(sorted(self._counted)), dtype=np.int8).reshape(-1, width)
        return {
            "answers": torch.from_numpy(rows.copy()),
            "acquired_from": self._acquired_from,
            "rules": [astuple(rule) for rule in self._rules],
        }

    def set_extra_state(self, state: Any) -> None:
        """Takes up what was counted, and the rules."""
        self._counted = {row.tobytes() for row in state["answers"].cpu().numpy().astype(np.int8)}
        self._acquired_from = state["acquired_from"]
        self._go_by([Rule(*fields) for fields in state["rules"]])


def learned_rules(solver: nn.Module) -> list[Rule] | None:
    """The rules that a solver says it learned, in an attribute of that name; None where it says nothing."""
    told = getattr(solver, "learned_rules", None)
    if not isinstance(told, list) or not all(isinstance(rule, Rule) for rule in told):
        return None
    return told
