"""Rules as clauses over the symbols alone, for losses that are written clause by clause."""

import itertools

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ...datasets.problem import Problem
from ..solver import Answer, Beliefs, Given, hide_queries

MAX_CLAUSES = 50_000  # clauses


def eliminate_auxiliaries(problem: Problem) -> list[frozenset[int]]:
    """The rules without their auxiliary literals, by resolution (Davis and Putnam 1960).

    Raises `ValueError` where the rules are unknown, or where more than 50,000 clauses would be left.
    """
    if problem.rules is None:
        raise ValueError("this problem was given without rules, so it has no clauses")
    clauses = {frozenset(clause) for clause in problem.rules.clauses}
    for auxiliary in range(problem.rules.nv or 0, problem.indicators, -1):
        with_it = [c for c in clauses if auxiliary in c]
        against = [c for c in clauses if -auxiliary in c]
        clauses.difference_update(with_it, against)
        if len(clauses) + len(with_it) * len(against) > MAX_CLAUSES:
            raise ValueError(
                f"the auxiliary literals of these rules do not resolve into {MAX_CLAUSES:,} clauses: take a "
                "smaller task, or a solver that reasons on the rules as they are, such as exact or abductive"
            )
        for left, right in itertools.product(with_it, against):
            resolvent = (left - {auxiliary}) | (right - {-auxiliary})
            if not any(-literal in resolvent for literal in resolvent):
                clauses.add(resolvent)
    return sorted(clauses, key=lambda clause: (len(clause), sorted(clause)))


class Clauses(nn.Module):
    """The truth value of every literal of every clause, in a table that is padded with falsehood.

    Args:
        problem: With its rules; auxiliary literals are resolved away.
        between: Keep only clauses that join several variables, for beliefs that keep "exactly one symbol"
            themselves.

    Raises:
        ValueError: Where the rules are unknown or join no variables, or more than 50,000 clauses would be
            left.
    """

    cells: Tensor  # (clauses, literals): cell of each literal's indicator
    negated: Tensor
    filled: Tensor

    def __init__(self, problem: Problem, *, between: bool = False) -> None:
        super().__init__()
        clauses = [sorted(clause) for clause in eliminate_auxiliaries(problem)]
        if between:
            owner = [v for v, size in enumerate(problem.domains) for _ in range(size)]
            clauses = [c for c in clauses if len({owner[abs(literal) - 1] for literal in c}) > 1]
        if not clauses:
            raise ValueError("these rules join no variables: there is nothing to learn from them")
        where = [v * problem.symbols + k for v, size in enumerate(problem.domains) for k in range(size)]
        longest = max(map(len, clauses))
        literals = torch.tensor([c + [0] * (longest - len(c)) for c in clauses])
        cells = torch.tensor([0, *where])[literals.abs()]
        self.register_buffer("cells", cells, persistent=False)
        self.register_buffer("negated", literals < 0, persistent=False)
        self.register_buffer("filled", literals != 0, persistent=False)

    def forward(self, beliefs: Beliefs) -> Float[Tensor, "batch clauses literals"]:
        """The truth of each literal: the belief in its symbol, or 1 minus it.

        Args:
            beliefs: (batch, variables, symbols) in [0, 1].

        Returns:
            (batch, clauses, literals) in [0, 1].
        """
        value = beliefs.flatten(1)[:, self.cells]
        return torch.where(self.negated, 1 - value, value) * self.filled


def with_answer(beliefs: Beliefs, given: Given, answer: Answer) -> Beliefs:
    """Beliefs with certainties at the variables that have an answer, and zeros where nothing is known.

    Args:
        beliefs: (batch, variables, symbols), of which those at the givens are kept.
        given: (batch, variables) truth values.
        answer: (batch, variables) symbols, −1 where there is no answer.

    Returns:
        (batch, variables, symbols) in [0, 1].
    """
    symbols = torch.arange(beliefs.shape[-1], device=beliefs.device)
    certain = (answer.unsqueeze(-1) == symbols).to(beliefs.dtype)
    answered: Bool[Tensor, "batch variables"] = answer >= 0
    return torch.where(answered.unsqueeze(-1), certain, hide_queries(beliefs, given))
