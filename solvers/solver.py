"""The contract of a differentiable symbolic solver."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..datasets.problem import Problem
from .extras import Extra

Beliefs = Float[Tensor, "batch variables symbols"]
Given = Bool[Tensor, "batch variables"]
Answer = Int[Tensor, "batch variables"]

# Probabilities are kept away from 0 before a logarithm: the smallest float32 whose log is finite with room
# to spare; −log of it is 69, a large but harmless loss.
PROBABILITY_FLOOR = 1e-30


class UnsupportedProblemError(Exception):
    """Raised by a solver that is not made for a problem, while it is built: it is skipped there.

    Its text is the reason. A solver may say the same with `supports(problem) -> bool`, beside its factory.
    """


class Solver(nn.Module):
    """Completes beliefs about the givens to beliefs about every variable, differentiably.

    Built as `Solver(problem, **options)`. Initial weights come from torch's generator as in any module (the
    harness seeds it); a solver that needs noise later draws it from a generator of its own.

    Args:
        problem: Variables, their symbols, and the rules, which are left out where `rules = "learned"`.

    Attributes:
        rules: Whether the solver is "given" the rules, or they are "learned".
        exact: Claims that `forward` is the exact posterior marginal under the rules.
        deterministic: Claims that `forward` draws no random numbers.
        equivariant: Claims that what the rules cannot tell apart it cannot either. None claims it of a solver
            that has rules and no parameters.
        differs_in_training: Says that `forward` or `loss` are others in training than in evaluation (dropout,
            batch normalisation).
        surrogate: Says that its gradient is not meant to be that of its loss.
        precise: Options with which its approximations vanish, for checks that hold its gradient against its
            loss.
        ranges: Options that are worth trying where it fails, each with the values that are, for `remedy`.
        idle: Parameters, or modules of them, that a task may leave unused.
        evidence: Answers that it has to be trained on before what it returns depends on the beliefs: contract
            checks show it as many first. 0: none.
        informed: Of a solver, where `evidence` is declared: whether it found something to go by in the
            answers so far. While it did not, what it returns may not depend on the beliefs.
        source: The paper.
        extras: Packages without which it is skipped.
        pretraining: What perception learns before: "none", or "clusters" of its images.
        perception_rate: Learning rate of Adam for perception, unless the user sets one.
        learning_rate: That for the solver's parameters.
    """

    rules: ClassVar[Literal["learned", "given"]] = "learned"
    exact: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True
    equivariant: ClassVar[bool | None] = None
    differs_in_training: ClassVar[bool] = False
    surrogate: ClassVar[bool] = False
    precise: ClassVar[Mapping[str, Any]] = {}
    ranges: ClassVar[Mapping[str, Sequence[Any]]] = {}
    idle: ClassVar[tuple[str, ...]] = ()
    evidence: ClassVar[int] = 0
    source: ClassVar[str] = ""
    extras: ClassVar[tuple[Extra, ...]] = ()
    pretraining: ClassVar[Literal["none", "clusters"]] = "none"
    perception_rate: ClassVar[float] = 1e-3
    learning_rate: ClassVar[float] = 1e-3

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """Completes beliefs.

        Args:
            beliefs: (batch, variables, symbols) the probability in [0, 1] that a variable takes a symbol.
                What stands at variables that are not given carries no information and must be ignored.
            given: (batch, variables) truth values: which variables are seen.

        Returns:
            (batch, variables, symbols) beliefs about all variables, in [0, 1]. A row that could not be solved
            is NaN.
        """
        raise NotImplementedError(f"{type(self).__name__} has to write forward(beliefs, given)")

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """The training loss; by default `answer_nll` of what `forward` returns.

        Args:
            beliefs: (batch, variables, symbols) as in `forward`.
            given: (batch, variables) as in `forward`.
            answer: (batch, variables) the symbols of the queries, −1 at the givens.

        Returns:
            (batch,) nats, summed over the queries of a row.
        """
        return answer_nll(self(beliefs, given), answer)


def answer_nll(completion: Beliefs, answer: Answer) -> Float[Tensor, " batch"]:
    """Negative log-likelihood of the answer: −Σ log p over the variables that have one.

    Args:
        completion: (batch, variables, symbols) not negative; normalised here over the symbols of each
            variable.
        answer: (batch, variables) symbols, −1 where there is no answer.

    Returns:
        (batch,) nats.
    """
    share = completion / completion.sum(-1, keepdim=True).clamp_min(PROBABILITY_FLOOR)
    picked = share.gather(-1, answer.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return -(picked.clamp_min(PROBABILITY_FLOOR).log() * (answer >= 0)).sum(-1)


def hide_queries(beliefs: Beliefs, given: Given) -> Beliefs:
    """Beliefs with zeros at the queries: whatever stood there is gone, NaN included.

    Args:
        beliefs: (batch, variables, symbols).
        given: (batch, variables) truth values; the others are the queries.
    """
    return torch.where(given.unsqueeze(-1), beliefs, beliefs.new_zeros(()))
