"""SATNet: a MAXSAT relaxation that learns its rules."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..datasets.problem import Problem
from .mixing import Mixing, Sweeps
from .solver import Answer, Beliefs, Given, Solver, hide_queries

# Bits are kept this far from 0 and 1 in the logarithms of the loss, by shrinking rather than clamping, so
# that a saturated wrong bit still has a gradient. 16 ulp of float32 below 1.
MARGIN = 1e-6


class SATNet(Solver):
    """Completes the indicator bits of the givens by a semidefinite relaxation of MAXSAT.

    One row of `clauses` per variable of the relaxation: the truth, one bit per legal symbol of each
    variable of the problem, and `aux` bits that nobody reads. The bits of the givens are fixed (fractions
    are allowed), those of the queries are free. Each layer draws its start vectors, and with them the side
    on which fractions are embedded, once, from `generator` or else from torch's own, and keeps them in its
    state: forward draws nothing. Rows of a batch do not depend on each other. A row with a given that is
    not finite comes back NaN at its queries. Source: Wang, Donti, Wilder, Kolter 2019, arXiv:1905.12149.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        m: Rank of the clause matrix, about the number of clauses to learn.
        aux: Auxiliary bits.
        max_sweeps: At most so many passes over the variables, in each direction.
        tolerance: A row stops when a sweep decreases the objective by less than this share of the first.
        backward_tolerance: The same for the squared change of the adjoint; `None`: as many sweeps as forward.
        prox: Added to the diagonal of the backward system. Biases the gradient, but keeps it finite.
        relaxation: How much farther than the minimiser of its coordinate a step goes, forward.
        backward_relaxation: The same, backward.
        generator: For the initial weights and the start vectors.
    """

    rules: ClassVar[Literal["learned", "given"]] = "learned"
    precise: ClassVar[Mapping[str, Any]] = {
        "m": 12, "aux": 2, "max_sweeps": 300, "tolerance": 1e-8, "backward_tolerance": 1e-8, "prox": 0.0
    }  # fmt: skip
    source: ClassVar[str] = "Wang et al. 2019, arXiv:1905.12149"
    learning_rate: ClassVar[float] = 2e-3

    legal: Bool[Tensor, "variables symbols"]
    start: Float[Tensor, "n k"]

    def __init__(
        self,
        problem: Problem,
        *,
        m: int = 64,
        aux: int = 20,
        max_sweeps: int = 40,
        tolerance: float = 1e-4,
        backward_tolerance: float | None = 1e-4,
        prox: float = 1e-2,
        relaxation: float = 0.0,
        backward_relaxation: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(problem)
        if m < 1:
            raise ValueError(f"m={m}: the clause matrix needs a rank of at least 1")
        if aux < 0:
            raise ValueError(f"aux={aux}: the number of auxiliary bits is 0 or more")
        self.sweeps = Sweeps(max_sweeps, tolerance, backward_tolerance, prox, relaxation, backward_relaxation)
        self.m, self.aux = m, aux
        rows = 1 + problem.indicators + aux
        scale = math.sqrt(0.5 / (rows + m))
        self.clauses = nn.Parameter(scale * torch.randn(rows, m, generator=generator))
        start = torch.randn(rows, dimension(rows), generator=generator)
        start /= start.norm(dim=1, keepdim=True)
        start[0] = 0
        start[0, 0] = 1
        self.register_buffer("start", start)
        self.register_buffer("legal", torch.from_numpy(problem.legal.copy()), persistent=False)

    def extra_repr(self) -> str:
        """Size and schedule."""
        return f"{self.problem.indicators} bits, m={self.m}, aux={self.aux}, {self.sweeps}"

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The bits of every variable, each in [0, 1]; those of the givens unchanged, illegal symbols 0."""
        seen = hide_queries(beliefs, given)[:, self.legal].to(self.clauses)
        known = given.unsqueeze(-1).expand(beliefs.shape)[:, self.legal]
        ones, aux = seen.new_ones(len(seen), 1), seen.new_zeros(len(seen), self.aux)
        bits = torch.cat([ones, seen, aux], dim=1)
        known = torch.cat([ones.bool(), known, aux.bool()], dim=1)
        completed = Mixing.apply(self.clauses, bits, known, self.start, self.sweeps)
        completion = torch.zeros_like(beliefs)
        completion[:, self.legal] = completed[:, 1 : 1 + self.problem.indicators].to(beliefs.dtype)
        return completion

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Binary cross-entropy over the bits of the variables that have an answer, in nats."""
        bits = MARGIN + (1 - 2 * MARGIN) * self(beliefs, given)
        symbols = torch.arange(self.problem.symbols, device=answer.device)
        right = torch.where(answer.unsqueeze(-1) == symbols, bits, 1 - bits)
        asked = (answer >= 0).unsqueeze(-1) & self.legal
        return -torch.where(asked, right.log(), 0).sum((1, 2))


def dimension(variables: int) -> int:
    """Length of the vectors: above √(2n) the relaxation has no spurious optima (Barvinok, Pataki)."""
    return math.ceil(math.sqrt(2 * variables)) + 1
