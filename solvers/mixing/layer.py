"""SATNet's layer on bits: the mixing method as a differentiable function, on whichever path is fastest.

n = 1 + bits + aux variables (the truth, the bits, auxiliary ones that nobody reads) carry unit vectors v_i
in R^k, and the layer minimises Σ_ij (s_i·s_j)(v_i·v_j) over the vectors of those that are not known. The
mixing method does so coordinate by coordinate: with g_i = Σ_{j≠i} (s_i·s_j) v_j the best v_i is −g_i/|g_i|.
The derivative is implicit: sweeps over the same coordinates, for a linear system. Sources: Wang, Chang,
Kolter 2017, arXiv:1706.00476 (mixing method); Wang, Donti, Wilder, Kolter 2019, arXiv:1905.12149 (layer).
"""

import math
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ...datasets.errors import UsageError
from . import reference
from .schedule import Bits, Clauses, Known, Start, StoppingRule

Ends = Float[Tensor, " batch"]

Path = Literal["lanes", "blocks", "torch"]

# Up to so many variables the vectors of a register's worth of samples stay in the cache of a core; beyond,
# one sample at a time with only its free variables does less work.
LANES_LIMIT = 64


@cache
def compiled() -> bool:
    """Whether numba is there and may compile (NUMBA_DISABLE_JIT is not set)."""
    if find_spec("numba") is None:
        return False
    import numba  # noqa: PLC0415 -- takes half a second, and only this path needs it

    return not numba.config.DISABLE_JIT  # pyright: ignore[reportAttributeAccessIssue] -- made at run time


def choose_path(clauses: Clauses, wanted: Path | None = None) -> Path:
    """The one place that decides which path runs; it looks at the layer, never at the batch.

    A sample's result must not depend on its batch, and the paths differ in the last bits.
    """
    if wanted is not None:
        return wanted
    if clauses.device.type != "cpu" or clauses.dtype not in {torch.float32, torch.float64} or not compiled():
        return "torch"
    return "lanes" if len(clauses) <= LANES_LIMIT else "blocks"


@cache
def _engine(path: Path) -> Any:
    """What solves and differentiates on this path."""
    if path == "torch":
        return reference
    from . import compiled as mixing_compiled  # noqa: PLC0415 -- imports numba

    return mixing_compiled.Lanes if path == "lanes" else mixing_compiled.Blocks


class Mixing(torch.autograd.Function):
    """`bits` with those that are not known filled in; known bits come back unchanged.

    Differentiable once, in `clauses` and in the known `bits`.
    """

    @staticmethod
    def forward(
        ctx: Any, clauses: Clauses, bits: Bits, known: Known, start: Start, stopping: StoppingRule, path: Path
    ) -> Bits:
        """Solves, and keeps the vectors for the derivative."""
        completed, record = _engine(path).solve(clauses.detach(), bits.detach(), known, start, stopping)
        ctx.save_for_backward(clauses, known)
        ctx.record, ctx.stopping, ctx.path = record, stopping, path
        return completed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Bits) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """To S, (A + Aᵀ)S with A = Σ_b U_b V_bᵀ. To a known bit z, with p = Σ_j (s_i·s_j) u_j, π(sin πz p_0 ±
        cos πz p_1); and as it passes through, its own slope, times 1.
        """
        clauses, known = ctx.saved_tensors
        products, to_bits = _engine(ctx.path).differentiate(
            clauses, known, ctx.record, slopes[0].contiguous(), ctx.stopping
        )
        return torch.addmm(products @ clauses, products.T, clauses), to_bits, None, None, None, None


class Chain(torch.autograd.Function):
    """A layer of three bits along sequences, in one call: `MixingLayer.chain` on the path of lanes."""

    @staticmethod
    def forward(
        ctx: Any, clauses: Clauses, sequence: Bits, start: Start, stopping: StoppingRule, rounded: bool
    ) -> Ends:
        """The third bit of the last step."""
        bits = sequence.new_zeros(sequence.shape[1] - 1, len(sequence), 3)
        bits[0, :, 0], bits[..., 1] = sequence[:, 0], sequence[:, 1:].T
        known = torch.tensor([True, True, False]).expand(len(sequence), 3)
        completed, record = _engine("lanes").solve_chain(
            clauses.detach(), bits, known, start, stopping, rounded=rounded
        )
        ctx.save_for_backward(clauses, known)
        # No derivative comes through a rounded state: only the last step counts.
        ctx.record = record.last() if rounded else record
        ctx.stopping, ctx.steps, ctx.length = stopping, 1 if rounded else len(bits), len(bits)
        return completed[-1, :, 2].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Ends) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Through the steps, last to first."""
        clauses, known = ctx.saved_tensors
        slope = clauses.new_zeros(ctx.steps, *known.shape)
        slope[-1, :, 2] = slopes[0]
        products, to_bits = _engine("lanes").differentiate_chain(
            clauses, known, ctx.record, slope, ctx.stopping
        )
        to_sequence = clauses.new_zeros(len(known), ctx.length + 1)
        to_sequence[:, -ctx.steps :] = to_bits[..., 1].T
        if ctx.steps == ctx.length:
            to_sequence[:, 0] = to_bits[0, :, 0]
        return torch.addmm(products @ clauses, products.T, clauses), to_sequence, None, None, None


class MixingLayer(nn.Module):
    """Completes bits, with auxiliary ones that nobody reads, under learned clauses.

    The start vectors, and with them the side on which fractions are embedded, are drawn once and are part of
    the state: `forward` draws nothing, and the rows of a batch do not depend on each other. Weights are
    initialised as in Wang et al. 2019.

    Args:
        bits: How many bits.
        m: Rank of the clause matrix: how many clauses it can hold.
        aux: How many auxiliary bits.
        stopping: When sweeps stop, and how far they step.
        generator: For the initial weights and the start vectors; by default torch's own.
        path: What computes: "torch" (any device), or, compiled by numba for the CPU, "lanes" (small layers)
            or "blocks" (large ones). By default the fastest there is.

    Raises:
        UsageError: For `m` below 1, `aux` below 0, or an unknown `path`.
    """

    start: Tensor

    def __init__(
        self,
        bits: int,
        *,
        m: int,
        aux: int = 0,
        stopping: StoppingRule | None = None,
        generator: torch.Generator | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__()
        if m < 1:
            raise UsageError(f"m={m}: the clause matrix needs a rank of at least 1")
        if aux < 0:
            raise UsageError(f"aux={aux}: the number of auxiliary bits is 0 or more")
        wanted: Path | None = next((known for known in get_args(Path) if known == path), None)
        if wanted != path:
            raise UsageError(f"path={path!r}: it is one of {', '.join(get_args(Path))}, or None to choose")
        self.stopping = stopping or StoppingRule()
        self.wanted: Path | None = wanted
        self.bits = bits
        n = 1 + bits + aux
        self.clauses = nn.Parameter(math.sqrt(0.5 / (n + m)) * torch.randn(n, m, generator=generator))
        start = torch.randn(n, dimension(n), generator=generator)
        self.register_buffer("start", start / start.norm(dim=1, keepdim=True))

    @property
    def path(self) -> Path:
        """What computes this layer, on its device and in its type: "lanes", "blocks" or "torch"."""
        return choose_path(self.clauses, self.wanted)

    def extra_repr(self) -> str:
        """Size, schedule and path."""
        n, m = self.clauses.shape
        return f"{n} variables, m={m}, k={self.start.shape[1]}, {self.stopping}, path={self.path}"

    def forward(self, bits: Bits, known: Known) -> Bits:
        """Fills in the bits that are not known.

        Args:
            bits: (batch, bits) in [0, 1]; what stands where they are not known is not looked at.
            known: (batch, bits) truth values.

        Returns:
            (batch, bits) in [0, 1], known ones as they came. In a row with a known bit that is not finite the
            others are NaN.
        """
        return Mixing.apply(self.clauses, bits, known, self.start, self.stopping, self.path)

    def chain(self, sequence: Bits, *, rounded: bool = False) -> Ends:
        """Folds sequences by a layer of three bits: (state, next bit, ?) gives the new state.

        The state starts as the first bit.

        Args:
            sequence: (batch, length) bits, at least two.
            rounded: Hand the state on as 0 or 1, so that only the last step is differentiated: so Wang et al.
                2019 (§4.1) learn parity.

        Returns:
            (batch,) the last state.

        Raises:
            ValueError: For fewer than two bits, or a layer of other than three.
        """
        length = sequence.shape[1]
        if self.bits != 3 or length < 2:
            raise ValueError(
                f"{length} bits by a layer of {self.bits}: a chain folds 2 bits or more by a layer of 3"
            )
        if self.path == "lanes":
            return Chain.apply(self.clauses, sequence, self.start, self.stopping, rounded)
        known = torch.tensor([True, True, False], device=sequence.device).expand(len(sequence), 3)
        state = sequence[:, 0]
        for place in range(1, length):
            state = (state > 0.5).to(state) if rounded and place > 1 else state
            state = self(torch.stack([state, sequence[:, place], state], dim=1), known)[:, 2]
        return state


def dimension(variables: int) -> int:
    """Length of the vectors: above √(2n) the relaxation has no spurious optima (Barvinok, Pataki)."""
    return math.ceil(math.sqrt(2 * variables)) + 1
