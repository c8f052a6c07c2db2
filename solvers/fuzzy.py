"""Rules as degrees of truth, and rules as counts of what is broken."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .decision import MapSolver
from .rules.clauses import Clauses, with_answer
from .solver import PROBABILITY_FLOOR, Answer, Beliefs, Given

Truths = Float[Tensor, "batch clauses literals"]


def product(literals: Truths) -> Float[Tensor, " batch"]:
    """−log of the truth under the product t-norm: or is 1 − ∏(1 − x), and is ∏."""
    return -(1 - (1 - literals).prod(-1)).clamp_min(PROBABILITY_FLOOR).log().sum(-1)


def lukasiewicz(literals: Truths) -> Float[Tensor, " batch"]:
    """1 − truth under Łukasiewicz: or is min(1, Σ x), and is max(0, 1 − Σ(1 − x)), here without its floor
    at 0.

    The floor would take the gradient from every row that breaks a rule altogether; without it this is the
    distance to satisfaction of probabilistic soft logic.
    """
    return (1 - literals.sum(-1)).clamp_min(0).sum(-1)


def godel(literals: Truths) -> Float[Tensor, " batch"]:
    """1 − truth under Gödel: or is max, and is min, so that one literal of one clause gets the gradient."""
    return 1 - literals.max(-1).values.min(-1).values


NORMS = {"product": product, "lukasiewicz": lukasiewicz, "godel": godel}


class Fuzzy(MapSolver):
    """Rules in fuzzy logic: every clause gets a degree of truth from beliefs taken as degrees of truth.

    `loss` is how far the conjunction of all clauses is from true, with the answer at the queries and the
    beliefs at the givens, under a t-norm and its dual. Clauses count one by one: a fuzzy conjunction is not
    the probability that they hold together, so equivalent rules written otherwise give another loss.
    `forward` is the most likely world.

    Cost per row: the literals of all clauses (4×4 Sudoku 800, 9×9 24,000); auxiliary literals are resolved
    away first. Sources: van Krieken, Acar, van Harmelen 2022, AIJ, arXiv:2002.06100; Badreddine et al. 2022
    (LTN), arXiv:2012.13635; Bach et al. 2017 (soft logic).

    Args:
        problem: With its rules.
        norm: "product" (the loss is −log truth), "lukasiewicz" or "godel" (1 − truth).
        nodes: As `MapSolver` has it.
    """

    source: ClassVar[str] = "van Krieken et al. 2022, arXiv:2002.06100"

    def __init__(self, problem: Problem, norm: str = "product", nodes: int = 2000) -> None:
        super().__init__(problem, nodes)
        if norm not in NORMS:
            raise UsageError(f"norm={norm!r}: it is {', '.join(NORMS)}")
        self.norm = norm
        self.clauses = Clauses(problem)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Distance from truth of the rules with this answer."""
        return NORMS[self.norm](self.clauses(with_answer(beliefs, given, answer)))


class StraightThrough(MapSolver):
    """Hard symbols forward, identity backward, into a count of broken clauses.

    Every given is taken for its most likely symbol, x = onehot(argmax beliefs), with ∂x/∂beliefs := identity.
    `loss` is Σ_clauses ∏_literals (1 − literal), the number of clauses that x breaks together with the
    answer. Its gradient reaches each literal that would mend a broken clause, or that alone keeps a clause
    from breaking. Handing the identity past the whole solver instead (output to input, cell by cell) would
    reach no given at all here: the answer lies at other variables. `forward` is the most likely world.

    Cost per row: the literals of all clauses. Source: Yang, Lee, Park 2022, ICML, arXiv:2307.04347 (CL-STE).

    Args:
        problem: With its rules.
        nodes: As `MapSolver` has it.
    """

    surrogate: ClassVar[bool] = True
    source: ClassVar[str] = "Yang, Lee, Park 2022, arXiv:2307.04347"

    def __init__(self, problem: Problem, nodes: int = 2000) -> None:
        super().__init__(problem, nodes)
        self.clauses = Clauses(problem, between=True)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """How many clauses are broken."""
        soft = with_answer(beliefs, given, answer)
        hard = (soft.argmax(-1, keepdim=True) == torch.arange(soft.shape[-1], device=soft.device)).to(
            soft.dtype
        )
        return (1 - self.clauses(soft + (hard - soft).detach())).prod(-1).sum(-1)
