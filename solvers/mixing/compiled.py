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
    LanesAdjointBuffers,
    LanesAdjointLayer,
    LanesBuffers,
    LanesLayer,
    LanesSolution,
)
from .workspace import WORKSPACE, parallel

Steps = Float[Tensor, "steps batch bits"]

# Samples per thread whose vectors are gathered for one matrix product of the gradient.
CHUNK = 8


def _forward_rule(stopping: StoppingRule) -> ForwardRule:
    return ForwardRule(stopping.limit, stopping.tolerance, stopping.relaxation or None)


def _backward_rule(stopping: StoppingRule, dtype: torch.dtype) -> BackwardRule:
    tolerance = -1.0 if stopping.backward_tolerance is None else stopping.backward_tolerance
    kink = KINK * torch.finfo(dtype).eps
    return BackwardRule(stopping.limit, tolerance, stopping.prox, stopping.backward_relaxation or None, kink)


@dataclass
class LanesSolved:
    """What the derivative needs; sample by sample, of every step. Rows are visited variables."""

    rows: Int[np.ndarray, " rows"]  # variables that are free in some sample
    columns: Int[np.ndarray, " rows"]  # their bits; of auxiliary ones, the number of bits
    packed: Float[np.ndarray, "rows rows"]  # Gram matrix of the rows, zero on the diagonal
    across: Float[np.ndarray, "rows embedded"]  # and with what can be known: the truth, the bits
    signs: Float[np.ndarray, " bits"]
    known: Float[np.ndarray, "batch bits"]  # 1 or 0
    completed: Float[np.ndarray, "steps batch bits"]
    vectors: Float[np.ndarray, "steps batch rows k"]
    norms: Float[np.ndarray, "steps batch rows"]
    sweeps: Int[np.ndarray, "steps batch"]
    converged: Bool[np.ndarray, "steps batch"]

    def step(self, number: int) -> LanesSolution:
        """What a kernel writes, or reads, of one step."""
        return LanesSolution(
            self.completed[number], self.vectors[number], self.norms[number], self.sweeps[number],
            self.converged[number],
        )  # fmt: skip

    def last(self) -> "LanesSolved":
        """The last step alone."""
        parts = ("completed", "vectors", "norms", "sweeps", "converged")
        return replace(self, **{part: getattr(self, part)[-1:] for part in parts})


class Lanes:
    """Small layers: as many samples at once as a register has lanes."""

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
        (steps, samples, inputs), (n, k), dtype = bits.shape, start.shape, clauses.dtype
        lanes, given, begin = REGISTER_BYTES // dtype.itemsize, known.numpy(), start.numpy()
        gram = (clauses @ clauses.T).numpy()
        free = np.ones(n - 1, np.bool_)
        np.logical_not(given.all(0), free[:inputs])
        (columns,) = free.nonzero()
        rows, visited = columns + 1, columns.size
        packed = gram[rows[:, None], rows]
        floor = packed.diagonal() * torch.finfo(dtype).eps
        packed.flat[:: visited + 1] = 0
        completed = torch.empty_like(bits)
        solved = LanesSolved(
            rows=rows,
            columns=np.minimum(columns, inputs),
            packed=packed,
            across=np.ascontiguousarray(gram[rows, : 1 + inputs]),
            signs=np.where(begin[1 : 1 + inputs, 1] < 0, -1, 1).astype(gram.dtype),
            known=given.astype(gram.dtype, order="C"),
            completed=completed.numpy(),
            vectors=np.empty((steps, samples, visited, k), gram.dtype),
            norms=np.empty((steps, samples, visited), gram.dtype),
            sweeps=np.zeros((steps, samples), np.int64),
            converged=np.zeros((steps, samples), np.bool_),
        )
        layer = LanesLayer(packed, solved.across, floor, begin[rows], solved.columns, solved.signs)
        rule = _forward_rule(stopping)
        values = bits.numpy()

        def work(_: int, first: int, last: int) -> None:
            one, two = (visited, lanes), (visited, 2, lanes)
            arrays = WORKSPACE.arrays(
                "lanes", dtype, group_base=two, group_free=one, vectors=(visited, k, lanes), norms=one,
                base=two, free=one, embedded=(1 + inputs, 2, lanes), bits=(inputs, lanes),
                known=(1 + inputs, lanes), decrease=(lanes,), threshold=(lanes,), sound=(lanes,),
            )  # fmt: skip
            owner, group = np.empty((2, lanes), np.int64)
            buffers = LanesBuffers(**arrays, owner=owner, group=group)
            for step in range(steps):
                if step:
                    state = solved.completed[step - 1, first:last, -1]
                    values[step, first:last, 0] = state > 0.5 if rounded else state
                mixing_lanes.solve(
                    (0,) * k, layer, values[step], solved.known, first, last, rule, solved.step(step), buffers
                )

        parallel(work, samples, steps * samples * visited**2 * k * 10)
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
        (steps, samples, visited, k), inputs, dtype = solved.vectors.shape, known.shape[1], clauses.dtype
        lanes, rows = REGISTER_BYTES // dtype.itemsize, solved.rows
        to_bits = torch.empty_like(slope)
        products = torch.zeros(torch.get_num_threads(), len(clauses), len(clauses), dtype=dtype)
        back = solved.across[:, 1:].T.copy()
        layer = LanesAdjointLayer(solved.packed, back, solved.columns, solved.signs)
        slopes, backs = slope.numpy(), to_bits.numpy()
        rule = _backward_rule(stopping, dtype)

        def work(thread: int, first: int, last: int) -> None:
            one, two, vectors = (visited, lanes), (visited, 2, lanes), (visited, k, lanes)
            arrays = WORKSPACE.arrays(
                "lanes, adjoint", dtype,
                among=(visited, visited, lanes), towards=(visited, 1 + inputs, lanes), vectors=vectors,
                norms=one, adjoint=vectors, embedded=(1 + inputs, 2, lanes), rhs=two, stiffness=one,
                slopes=(1 + inputs, lanes), bits=(inputs, lanes), known=(1 + inputs, lanes),
                active=(lanes,), change=(lanes,), threshold=(lanes,),
            )  # fmt: skip
            buffers = LanesAdjointBuffers(**arrays, owner=np.empty(lanes, np.int64))
            own = products[thread].numpy()
            for step in reversed(range(steps)):
                if step < steps - 1:
                    slopes[step, first:last, -1] = backs[step + 1, first:last, 0]
                order = first + np.argsort(solved.sweeps[step, first:last], kind="stable")
                mixing_lanes_adjoint.differentiate(
                    (0,) * k, layer, solved.known, slopes[step], solved.step(step), order, rule, backs[step],
                    buffers,
                )  # fmt: skip
                own[rows, : 1 + inputs] += buffers.towards.sum(-1)
                own[rows[:, None], rows] += buffers.among.sum(-1)

        parallel(work, samples, steps * samples * visited**2 * k * 10)
        return products.sum(0) if len(products) > 1 else products[0], to_bits


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
