"""SATNet: a MAXSAT relaxation that learns its rules."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .mixing.layer import MixingLayer, Path
from .mixing.schedule import StoppingRule
from .solver import Answer, Beliefs, Given, Solver

# Bits are kept this far from 0 and 1 in the logarithms of the loss, by shrinking rather than clamping, so
# that a saturated wrong bit still has a gradient. 16 ulp of float32 below 1.
MARGIN = 1e-6


class SATNet(Solver):
    """Completes the indicator bits of the givens by a semidefinite relaxation of MAXSAT.

    Every bit i is a unit vector v_i. With the rows s_i of a learned clause matrix S the layer minimises Σ_ij
    (s_i·s_j)(v_i·v_j) over the vectors of the bits that are not given; bit i is arccos(−v_i·v_truth)/π. S has
    a row for the truth, for each legal symbol of each variable, and for each of `aux` bits that nobody reads.
    The bits of the givens are fixed (fractions are allowed), those of the queries are free, and what stood
    there is not looked at. Each layer draws its start vectors once and keeps them in its state, so forward
    draws nothing, and rows of a batch do not depend on each other. A row with a given that is not finite
    comes back NaN at its queries.

    Cost per row and sweep: free bits · k · m multiplications, k about √(2 · bits), and as much again
    backward. Source: Wang, Donti, Wilder, Kolter 2019, arXiv:1905.12149; `relaxation=0,
    backward_relaxation=0, backward_tolerance=None` makes the steps of their implementation.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        m: Rank of the clause matrix, about the number of clauses to learn; 16 to 100 for tens of bits (600
            for the 729 of 9×9 Sudoku in the paper).
        aux: Auxiliary bits; 20 to 50 (300 in the paper): more of them ground better.
        max_sweeps: At most so many passes over the variables, in each direction; 20 to 100.
        tolerance: A row stops when a sweep decreases the objective by less than this share of the first.
        backward_tolerance: The same for the squared change of the adjoint; None: as many sweeps as forward.
        prox: Added to the diagonal of the backward system. Biases the gradient, but keeps it finite.
        relaxation: How much farther than to the minimiser of its coordinate a step goes, forward.
        backward_relaxation: The same, backward.
        initial_scale: Factor of the initial weights: the smaller it is, the larger is the share of itself by
            which the clause matrix moves in a step of Adam.
        generator: For the initial weights and the start vectors; by default torch's own.
        path: What computes; see `MixingLayer`. By default the fastest there is.
    """

    rules: ClassVar[Literal["learned", "given"]] = "learned"
    precise: ClassVar[Mapping[str, Any]] = {
        "m": 12, "aux": 2, "max_sweeps": 300, "tolerance": 1e-8, "backward_tolerance": 1e-8, "prox": 0.0
    }  # fmt: skip
    ranges: ClassVar[Mapping[str, Sequence[Any]]] = {
        "m": (16, 32, 64, 128), "aux": (0, 20, 50, 100), "prox": (1e-3, 1e-2, 1e-1),
        "initial_scale": (0.3, 1.0, 3.0),
    }  # fmt: skip
    source: ClassVar[str] = "Wang et al. 2019, arXiv:1905.12149"
    learning_rate: ClassVar[float] = 2e-3

    legal: Bool[Tensor, "variables symbols"]

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
        relaxation: float = 0.7,
        backward_relaxation: float = 0.5,
        initial_scale: float = 1.0,
        generator: torch.Generator | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(problem)
        if not (initial_scale > 0 and math.isfinite(initial_scale)):
            raise UsageError(f"initial_scale={initial_scale!r}: a scale is a positive number")
        stopping = StoppingRule(
            max_sweeps, tolerance, backward_tolerance, prox, relaxation, backward_relaxation
        )
        self.layer = MixingLayer(
            problem.indicators, m=m, aux=aux, stopping=stopping, generator=generator, path=path
        )
        with torch.no_grad():
            self.layer.clauses.mul_(initial_scale)
        self.register_buffer("legal", torch.from_numpy(problem.legal.copy()), persistent=False)
        self._ragged = problem.indicators < problem.legal.size

    @property
    def path(self) -> Path:
        """Which path computes the layer: "lanes", "blocks" (compiled) or "torch"."""
        return self.layer.path

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The bits of every variable, each in [0, 1]; those of the givens unchanged, illegal symbols 0."""
        known = given.unsqueeze(-1).expand(beliefs.shape)
        seen = beliefs.to(self.layer.clauses.dtype)
        if not self._ragged:
            return self.layer(seen.flatten(1), known.flatten(1)).to(beliefs.dtype).view(beliefs.shape)
        completed = self.layer(seen[:, self.legal], known[:, self.legal])
        completion = torch.zeros_like(beliefs)
        completion[:, self.legal] = completed.to(beliefs.dtype)
        return completion

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Binary cross-entropy over the bits of the variables that have an answer, in nats."""
        bits = MARGIN + (1 - 2 * MARGIN) * self(beliefs, given)
        symbols = torch.arange(self.problem.symbols, device=answer.device)
        right = torch.where(answer.unsqueeze(-1) == symbols, bits, 1 - bits)
        asked = (answer >= 0).unsqueeze(-1) & self.legal
        return -torch.where(asked, right.log(), 0).sum((1, 2))
