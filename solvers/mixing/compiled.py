"""The compiled paths of the mixing method: what kernels are given, and what the derivative needs of them."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from . import blocks as mixing_blocks
from . import blocks_adjoint as mixing_blocks_adjoint
from . import lanes as mixing_lanes
from . import lanes_adjoint as mixing_lanes_adjoint
from .reference import KINK, read
from .schedule import Bits, Clauses, Known, Start, StoppingRule
from .simd import REGISTER_BYTES, REGISTERS
from .structs import (
    BackwardRule,
    BlocksBatch,
    BlocksBuffers,
    BlocksGathered,
    BlocksLayer,
    BlocksSolution,
    BlocksStart,
    ForwardRule,
    LanesSolution,
)
from .workspace import WORKSPACE, parallel

Steps = Float[Tensor, "steps batch bits"]

# Samples per thread whose vectors are gathered for one matrix product of the gradient.
CHUNK = 8

# Length of the vectors of a small layer in double precision, zeros at their end: that of 64 variables. Only
# checks ask for it, and compiling a kernel takes longer than what they ask.
DOUBLE_LENGTH = 13


def _forward_rule(stopping: StoppingRule) -> ForwardRule:
    return ForwardRule(stopping.limit, stopping.tolerance, stopping.relaxation or None)


def _backward_rule(stopping: StoppingRule, dtype: torch.dtype) -> BackwardRule:
    tolerance = -1.0 if stopping.backward_tolerance is None else stopping.backward_tolerance
    kink = KINK * torch.finfo(dtype).eps
    return BackwardRule(stopping.limit, tolerance, stopping.prox, stopping.backward_relaxation or None, kink)


@dataclass
class LanesSolved:
    """What the derivative needs; sample by sample, of every step."""

    gram: Float[np.ndarray, "n n"]
    start: Float[np.ndarray, "n k"]
    known: Bool[np.ndarray, "batch bits"]
    solution: LanesSolution
    visited: int = 0  # variables that are free in some sample

    def last(self) -> "LanesSolved":
        """The last step alone."""
        completed, vectors, norms, sweeps, converged = self.solution
        (steps, samples, _), k = completed.shape, self.start.shape[1]
        place = (steps - 1) * samples * self.visited
        last = LanesSolution(completed[-1:], vectors[place * k :], norms[place:], sweeps[-1:], converged[-1:])
        return replace(self, solution=last)


class Lanes:
    """Small layers: as many samples at once as a register has lanes; one compiled call in each direction."""

    @staticmethod
    def solve(
        clauses: Clauses, bits: Bits, known: Known, start: Start, stopping: StoppingRule
    ) -> tuple[Bits, LanesSolved]:
        """See `reference.solve`."""
        completed, solved = Lanes.solve_chain(clauses, bits.contiguous()[None], known, start, stopping)
        return completed[0], solved

    @staticmethod
    def solve_chain(
        clauses: Clauses,
        bits: Steps,
        known: Known,
        start: Start,
        stopping: StoppingRule,
        *,
        rounded: bool = False,
    ) -> tuple[Steps, LanesSolved]:
        """Step after step; the first bit of each but the first is filled in from the last bit before."""
        if start.dtype == torch.float64:
            start = functional.pad(start, (0, max(0, DOUBLE_LENGTH - start.shape[1])))
        (steps, samples, inputs), (n, k), dtype = bits.shape, start.shape, clauses.dtype
        gram, completed, vectors = (
            (clauses @ clauses.T).numpy(),
            torch.empty_like(bits),
            steps * samples * (n - 1),
        )
        solution = LanesSolution(
            completed.numpy(),
            np.empty(vectors * k, gram.dtype),
            np.empty(vectors, gram.dtype),
            np.zeros((steps, samples), np.int64),
            np.zeros((steps, samples), np.bool_),
        )
        solved = LanesSolved(gram, start.numpy(), known.contiguous().numpy(), solution)
        rule, values = _forward_rule(stopping), bits.numpy()
        lanes = REGISTER_BYTES // dtype.itemsize
        room = lanes * (n * (k + 7) + 4 * inputs + 6) + _room_of_layer(n, k, samples, inputs)

        def work(_: int, first: int, last: int) -> None:
            floats = WORKSPACE.arrays("lanes", dtype, floats=(room,))["floats"]
            solved.visited = mixing_lanes.forward(
                (0,) * k, gram, solved.start, values, solved.known, rounded, first, last, rule, solution,
                floats, np.empty(2 * n + 2 * lanes, np.int64),
            )  # fmt: skip

        parallel(work, samples, steps * samples * n**2 * k * 10)
        return completed, solved

    @staticmethod
    def differentiate(
        clauses: Clauses, known: Known, solved: LanesSolved, slope: Bits, stopping: StoppingRule
    ) -> tuple[Float[Tensor, "n n"], Bits]:
        """See `reference.differentiate`."""
        products, to_bits = Lanes.differentiate_chain(clauses, known, solved, slope[None], stopping)
        return products, to_bits[0]

    @staticmethod
    def differentiate_chain(
        clauses: Clauses, known: Known, solved: LanesSolved, slope: Steps, stopping: StoppingRule
    ) -> tuple[Float[Tensor, "n n"], Steps]:
        """Step before step, from the slope of the last; of the others only what comes back counts."""
        del known  # as it was solved
        (steps, samples, inputs), (n, k), dtype = slope.shape, solved.start.shape, clauses.dtype
        to_bits = torch.empty_like(slope)
        products = torch.zeros(torch.get_num_threads(), n, n, dtype=dtype)
        slopes, backs, own = slope.numpy(), to_bits.numpy(), products.numpy()
        rule, lanes = _backward_rule(stopping, dtype), REGISTER_BYTES // dtype.itemsize
        buffers = lanes * (n * (n + inputs + 2 * k + 5) + 5 * inputs + 7)
        room = buffers + _room_of_layer(n, k, samples, inputs) + n * inputs

        def work(thread: int, first: int, last: int) -> None:
            floats = WORKSPACE.arrays("lanes, adjoint", dtype, floats=(room,))["floats"]
            mixing_lanes_adjoint.backward(
                (0,) * k, solved.gram, solved.start, slopes, solved.known, first, last, rule, solved.solution,
                backs, own[thread], floats, np.empty(2 * n + lanes + samples + stopping.limit + 2, np.int64),
            )  # fmt: skip

        parallel(work, samples, steps * samples * solved.visited**2 * k * 10)
        return products.sum(0) if len(products) > 1 else products[0], to_bits


def _room_of_layer(n: int, k: int, samples: int, inputs: int) -> int:
    """Floats that `read_layer` may take."""
    return n * (n + inputs + 2 + k) + inputs * (samples + 1)


@dataclass
class BlocksSolved:
    """What the derivative needs; the free variables of a sample come first in its vectors, in order."""

    gram: Float[Tensor, "n n"]
    signs: Float[Tensor, " bits"]
    fixed: Float[Tensor, "batch n 2"]  # the first two components of what is known, else 0
    sound: Bool[np.ndarray, " batch"]
    places: Int[np.ndarray, "batch n"]  # the free variables of each sample, then the others
    counts: Int[np.ndarray, " batch"]  # how many are free
    vectors: Float[Tensor, "batch free padded"]
    norms: Float[Tensor, "batch free"]
    sweeps: Int[np.ndarray, " batch"]
    converged: Bool[np.ndarray, " batch"]

    @property
    def batch(self) -> BlocksBatch:
        """For a kernel."""
        return BlocksBatch(self.places, self.counts, self.sound)

    @property
    def solution(self) -> BlocksSolution:
        """What a kernel writes, or reads."""
        return BlocksSolution(self.vectors.numpy(), self.norms.numpy(), self.sweeps, self.converged)


@dataclass(frozen=True)
class Tile:
    """How a kernel's block fits the registers: registers per vector, and rows per block."""

    registers: int
    rows: int
    padded: int  # numbers in a padded vector

    @classmethod
    def fitting(cls, k: int, dtype: torch.dtype) -> "Tile":
        """Sums take up to three quarters of the registers, and blocks have at most 12 rows."""
        lanes = REGISTER_BYTES // dtype.itemsize
        registers = -(-k // lanes)
        return cls(registers, max(1, min(12, REGISTERS * 3 // 4 // registers)), registers * lanes)

    @property
    def tags(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Both sizes, as tuples of that length."""
        return (0,) * self.registers, (0,) * self.rows

    def buffers(self, kernel: str, m: int, free: int, dtype: torch.dtype) -> BlocksBuffers:
        """Those of a kernel."""
        blocks = -(-free // self.rows)
        shapes = {
            "packed": (blocks * self.rows * free,),
            "sums": (m, self.padded),
            "constant": (free, self.padded),
            "pulls": (self.rows, self.padded),
            "steps": (self.rows, self.padded),
            "inside": (self.rows**2,),
            "scalars": (free,),
            "register": (self.padded // self.registers,),
        }
        return BlocksBuffers(**WORKSPACE.arrays(f"blocks, {kernel}", dtype, **shapes))


class Blocks:
    """Large layers: one sample at a time, its Gram matrix in blocks of rows."""

    @staticmethod
    def solve(
        clauses: Clauses, bits: Bits, known: Known, start: Start, stopping: StoppingRule
    ) -> tuple[Bits, BlocksSolved]:
        """See `reference.solve`."""
        (samples, inputs), (n, m), k, dtype = bits.shape, clauses.shape, start.shape[1], clauses.dtype
        tile = Tile.fitting(k, dtype)
        open_ = torch.ones(samples, n, dtype=torch.bool)
        open_[:, 0], open_[:, 1 : 1 + inputs] = False, ~known
        places = torch.argsort(~open_, dim=1, stable=True)
        counts = open_.sum(1)
        free = int(counts.max()) if samples else 0
        signs = torch.where(start[1 : 1 + inputs, 1] < 0, -1, 1).to(dtype)
        angle = torch.where(known, bits, 0) * math.pi
        sound = angle.isfinite().all(1)
        here = known & sound[:, None]
        fixed = torch.zeros(samples, n, 2, dtype=dtype)
        fixed[:, 0, 0] = sound.to(dtype)
        fixed[:, 1 : 1 + inputs, 0] = torch.where(here, -angle.cos(), 0)
        fixed[:, 1 : 1 + inputs, 1] = torch.where(here, angle.sin() * signs, 0)
        gram = clauses @ clauses.T
        solved = BlocksSolved(
            gram=gram,
            signs=signs,
            fixed=fixed,
            sound=sound.numpy(),
            places=places.numpy(),
            counts=counts.numpy(),
            vectors=torch.empty(samples, free, tile.padded, dtype=dtype),
            norms=torch.empty(samples, free, dtype=dtype),
            sweeps=np.zeros(samples, np.int64),
            converged=np.zeros(samples, np.bool_),
        )
        ground = gram.diagonal() * torch.finfo(dtype).eps
        layer, rule = (
            BlocksLayer(gram.numpy(), clauses.contiguous().numpy(), np.arange(m)),
            _forward_rule(stopping),
        )
        begin = BlocksStart(
            functional.pad(start, (0, tile.padded - k)).numpy(), ground.numpy(), mixing_blocks.WIDE_NOISE,
            torch.bmm(gram.expand(samples, n, n), fixed).numpy(),
        )  # fmt: skip

        def work(_: int, first: int, last: int) -> None:
            buffers = tile.buffers("solve", m, free, dtype)
            mixing_blocks.solve(
                *tile.tags, layer, solved.batch, begin, first, last, rule, solved.solution, buffers
            )

        parallel(work, samples, samples * free**2 * k * 10)
        # What stands beyond a sample's count goes to what is fixed, and is not looked at.
        answers = torch.empty(samples, n, dtype=dtype).scatter_(1, places[:, :free], read(solved.vectors))
        answers = torch.where(sound[:, None], answers[:, 1 : 1 + inputs], math.nan)
        return torch.where(known, bits, answers), solved

    @staticmethod
    def differentiate(
        clauses: Clauses, known: Known, solved: BlocksSolved, slope: Bits, stopping: StoppingRule
    ) -> tuple[Float[Tensor, "n n"], Bits]:
        """See `reference.differentiate`."""
        (samples, inputs), (n, m), dtype = slope.shape, clauses.shape, clauses.dtype
        free, padded = solved.vectors.shape[1:]
        tile = Tile.fitting(padded, dtype)
        products, to_bits = torch.zeros(n, n, dtype=dtype), torch.zeros_like(slope)
        layer = BlocksLayer(solved.gram.numpy(), clauses.detach().contiguous().numpy(), np.arange(m))
        rule, slopes = _backward_rule(stopping, dtype), slope.numpy()
        chunk = CHUNK * torch.get_num_threads()
        for begin in range(0, samples, chunk):
            size = min(chunk, samples - begin)
            left = WORKSPACE.take("left", (n, size, padded), dtype).zero_()
            right = WORKSPACE.take("right", (n, size, padded), dtype).zero_()
            fixed = solved.fixed[begin : begin + size].transpose(0, 1)
            right[..., :2] = fixed
            gathered = BlocksGathered(left.numpy(), right.numpy(), begin)

            def work(_: int, first: int, last: int, gathered: BlocksGathered = gathered) -> None:
                buffers = tile.buffers("differentiate", m, free, dtype)
                adjoint = WORKSPACE.take("adjoint", (free, padded), dtype).numpy()
                mixing_blocks_adjoint.differentiate(
                    *tile.tags, layer, solved.batch, slopes, gathered.begin + first, gathered.begin + last,
                    rule, solved.solution, gathered, buffers, adjoint,
                )  # fmt: skip

            parallel(work, size, size * free**2 * padded * 10)
            products.addmm_(left.flatten(1), right.flatten(1).T)
            pull = (solved.gram[1 : 1 + inputs] @ left[..., :2].flatten(1)).view(inputs, size, 2)
            turn = fixed[1 : 1 + inputs, :, 1] * pull[..., 0] - fixed[1 : 1 + inputs, :, 0] * pull[..., 1]
            rows = slice(begin, begin + size)
            to_bits[rows] = torch.where(known[rows], slope[rows] + math.pi * solved.signs * turn.T, 0)
        return products, to_bits
