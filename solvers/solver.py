"""The contract of a differentiable symbolic solver."""

from collections.abc import Mapping
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

    Built as `Solver(problem, **options)`; a solver with `rules = "learned"` is handed a problem without
    rules. `beliefs[b, v, k]` is the probability that variable v of row b takes symbol k, in [0, 1]; what
    stands at variables that are not `given` carries no information and must be ignored. Initial weights
    come from torch's generator as in any module (the harness seeds it); a solver that needs noise later
    draws it from a generator of its own.
    """

    rules: ClassVar[Literal["learned", "given"]] = "learned"
    exact: ClassVar[bool] = False  # claims that forward is the exact posterior marginal under the rules
    deterministic: ClassVar[bool] = True  # claims that forward draws no random numbers
    # Claims that what the rules cannot tell apart it cannot either. None: if it has rules and no parameters.
    equivariant: ClassVar[bool | None] = None
    # Says that forward or loss are others in training than in evaluation (dropout, batch normalisation).
    differs_in_training: ClassVar[bool] = False
    surrogate: ClassVar[bool] = False  # says that its gradient is not meant to be that of its loss
    # Options with which its approximations vanish, for checks that hold its gradient against its loss.
    precise: ClassVar[Mapping[str, Any]] = {}
    idle: ClassVar[tuple[str, ...]] = ()  # parameters, or modules of them, that a task may leave unused
    source: ClassVar[str] = ""  # the paper
    extras: ClassVar[tuple[Extra, ...]] = ()  # packages without which it is skipped
    pretraining: ClassVar[Literal["none", "clusters"]] = "none"  # perception learns this first
    perception_rate: ClassVar[float] = 1e-3  # Adam's, for perception, unless the user sets one
    learning_rate: ClassVar[float] = 1e-3  # Adam's, for the solver's parameters, unless the user sets one

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """Beliefs about all variables, in [0, 1]. A row that could not be solved is NaN."""
        raise NotImplementedError(f"{type(self).__name__} has to write forward(beliefs, given)")

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Training loss per row, in nats, summed over its queries.

        `answer` holds the symbols of the queries and −1 at the givens. By default the negative
        log-likelihood of `forward`, normalised over the symbols of each variable.
        """
        return answer_nll(self(beliefs, given), answer)


def answer_nll(completion: Beliefs, answer: Answer) -> Float[Tensor, " batch"]:
    """−Σ log p(answer) over the variables that have an answer; nats per row."""
    share = completion / completion.sum(-1, keepdim=True).clamp_min(PROBABILITY_FLOOR)
    picked = share.gather(-1, answer.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return -(picked.clamp_min(PROBABILITY_FLOOR).log() * (answer >= 0)).sum(-1)


def hide_queries(beliefs: Beliefs, given: Given) -> Beliefs:
    """Beliefs with zeros at the queries: whatever stood there is gone, NaN included."""
    return torch.where(given.unsqueeze(-1), beliefs, beliefs.new_zeros(()))
