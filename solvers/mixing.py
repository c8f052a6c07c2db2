"""The mixing method and its derivative: SATNet's layer, without its parameters.

n variables (the truth, the bits, the auxiliary ones) carry unit vectors v_i in R^k, and the layer
minimises Σ_ij (s_i·s_j)(v_i·v_j) over the vectors of the free ones. The mixing method does so coordinate by
coordinate: with g_i = Σ_{j≠i} (s_i·s_j) v_j, the best v_i is −g_i/|g_i|. The derivative is implicit, so it is
another sweep over the same coordinates, for a linear system. Source: Wang, Chang, Kolter 2017,
arXiv:1706.00476 (mixing method); Wang, Donti, Wilder, Kolter 2019, arXiv:1905.12149 (the layer, §3).
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

Bits = Float[Tensor, "batch n"]
Known = Bool[Tensor, "batch n"]
Vectors = Float[Tensor, "batch n k"]
Clauses = Float[Tensor, "n m"]
Start = Float[Tensor, "n k"]

# Rows of a block of the torch path: long enough for its matrix product, short enough for the corrections.
BLOCK = 16


@dataclass(frozen=True)
class Sweeps:
    """When to stop, and how far to step.

    A sample stops after the sweep that decreased the objective by less than `tolerance` times the
    decrease of its first sweep, or after `limit` sweeps. The backward system has the same test, on
    Σ (|g|+prox)|Δu|², with `backward_tolerance`; `None` runs as many backward sweeps as there were forward
    sweeps before the last, without a test, as the implementation of 2019 does. `prox` is added to the
    diagonal of the backward system. A step goes 1 + `relaxation` times as far as the exact minimiser of
    its coordinate (forward: then back to the sphere); 0 is the plain mixing method.
    """

    limit: int = 40
    tolerance: float = 1e-4
    backward_tolerance: float | None = 1e-4
    prox: float = 1e-2
    relaxation: float = 0.0
    backward_relaxation: float = 0.0


@dataclass
class Solved:
    """What the backward pass needs of the forward pass."""

    vectors: Vectors
    norms: Bits  # |g_i| at the last step; 0 at what is known, and where no other variable pulls
    sweeps: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]  # stopped by the test, not by the limit
    sound: Bool[Tensor, " batch"]  # every known bit is a finite number


def blocks_of(known: Known) -> list[tuple[slice, list[int]]]:
    """The variables in blocks of one fixed grid, each with the places in it that are free in some sample.

    The grid must not depend on the masks: it decides the order of summation, and a sample's result must
    not depend, even in the last bit, on the samples it is solved with.
    """
    free = (~known).any(0)
    grid = (slice(first, min(first + BLOCK, len(free))) for first in range(0, len(free), BLOCK))
    found = ((block, free[block].nonzero().squeeze(-1).tolist()) for block in grid)
    return [(block, places) for block, places in found if places]


def gram_of(clauses: Clauses) -> tuple[Float[Tensor, "n n"], Float[Tensor, " n"]]:
    """Inner products of the rows, zero on the diagonal; and the |g| below which g is only rounding."""
    gram = clauses @ clauses.T
    floor = gram.diagonal() * torch.finfo(gram.dtype).eps
    return gram.fill_diagonal_(0), floor


def embed(bits: Bits, known: Known, start: Start) -> Vectors:
    """(−cos πz, ±sin πz, 0…) at what is known, with the sign of the start's second entry; else the start."""
    angle = torch.where(known, bits, 0) * math.pi
    fixed = start.new_zeros(*bits.shape, start.shape[1])
    fixed[..., 0] = -angle.cos()
    fixed[..., 1] = angle.sin() * signs(start)
    return torch.where(known.unsqueeze(-1), fixed, start)


def signs(start: Start) -> Float[Tensor, " n"]:
    """The side on which known bits are embedded: −1 or 1, never 0."""
    return torch.where(start[:, 1] < 0, -1.0, 1.0).to(start)


def read(vectors: Vectors) -> Bits:
    """The angle to the negated truth (1, 0…), in half turns.

    By tan(θ/2) = sin θ/(1 + cos θ), whose digits near 0 and 1 an arc cosine would lose; and atan, because
    torch's atan2 rounds differently at the end of a tensor, so that a sample would depend on its batch.
    """
    across, along = vectors[..., 1:].norm(dim=-1), vectors[..., 0]
    half = (across / (1 + along.abs())).atan() * (2 / math.pi)
    return torch.where(along < 0, half, 1 - half)


def solve(clauses: Clauses, bits: Bits, known: Known, start: Start, sweeps: Sweeps) -> Solved:
    """Minimises over the free vectors. Costs 2 n² k flops per sample and sweep.

    A sample with a known bit that is not finite is not solved; its vectors are 0.
    """
    gram, floor = gram_of(clauses)
    sound = torch.where(known, bits, 0).isfinite().all(-1)
    result = torch.where(sound[:, None, None], embed(bits, known, start), 0)
    norms = torch.zeros_like(bits)
    taken = torch.zeros(len(bits), dtype=torch.long, device=bits.device)
    converged = torch.zeros_like(sound)
    rows = sound.nonzero().squeeze(-1)  # samples still at work
    vectors, free, size = result[rows], ~known[rows], norms[rows]
    enough = bits.new_zeros(len(rows))
    blocks = blocks_of(known)
    for sweep in range(sweeps.limit if blocks else 0):
        decrease = bits.new_zeros(len(rows))
        for block, places in blocks:
            pulls = torch.bmm(gram[block].expand(len(rows), -1, -1), vectors)
            inside = gram[block][:, block]
            for place in places:
                variable = block.start + place
                pull, old = pulls[:, place], vectors[:, variable]
                norm = pull.norm(dim=-1)
                moves = free[:, variable] & (norm > floor[variable])
                norm = torch.where(moves, norm, 0)
                best = torch.where(moves[:, None], pull / -norm[:, None], old)
                step, share = _step(best - old, old, sweeps.relaxation)
                decrease += 2 * norm * share
                size[:, variable] = norm
                vectors[:, variable] += step
                later = inside[place + 1 :, place]
                pulls[:, place + 1 :] += later[:, None] * step[:, None, :]
        taken[rows] += 1
        if sweep == 0:
            enough = sweeps.tolerance * decrease
        stops = ~(decrease > 0) if sweep == 0 else ~(decrease >= enough)
        converged[rows[stops]] = True
        if sweep == sweeps.limit - 1:
            stops = torch.ones_like(stops)
        if stops.any():
            result[rows[stops]], norms[rows[stops]] = vectors[stops], size[stops]
            left = ~stops
            rows, vectors, free, size, enough = (part[left] for part in (rows, vectors, free, size, enough))
        if not len(rows):
            break
    return Solved(result, norms, taken, converged, sound)


def _step(
    towards: Float[Tensor, "batch k"], old: Float[Tensor, "batch k"], omega: float
) -> tuple[Float[Tensor, "batch k"], Float[Tensor, " batch"]]:
    """Step of a unit vector, and the decrease of v·g/|g| it brings, h = |d|²/2 for the full step d.

    Over-relaxed: old + (1+ω)d, back on the sphere; its length is u = √(1 + 2ω(1+ω)h), and the decrease
    h[1 − ω²(2−h)/(u(1+ωh+u))], which unlike a difference of objectives does not cancel.
    """
    half = towards.square().sum(-1) / 2
    if not omega:
        return towards, half
    length = (1 + 2 * omega * (1 + omega) * half).sqrt()
    share = half * (1 - omega**2 * (2 - half) / (length * (1 + omega * half + length)))
    new = (old + (1 + omega) * towards) / length[:, None]
    return new - old, share


def solve_adjoint(clauses: Clauses, known: Known, solved: Solved, slope: Bits, sweeps: Sweeps) -> Vectors:
    """u_i = ∂loss/∂g_i for the free variables, from slope = ∂loss/∂z; zeros at what is known.

    Solves (|g_i| + prox) u_i = −(I − v_i v_iᵀ) Σ_j (s_i·s_j) u_j − (slope_i/π) t_i, where t_i is the unit
    tangent at v_i towards the truth: dz/dv = t/π has length 1/π even at saturated outputs, where the
    textbook form 1/(π sin πz) blows up; at v = ±truth itself z has a kink, and t = 0.
    """
    gram, _ = gram_of(clauses)
    moves = ~known & (solved.norms > 0)
    result = torch.zeros_like(solved.vectors)
    slope = torch.where(moves, slope / math.pi, 0)
    rows = moves.any(-1).nonzero().squeeze(-1)
    adjoint, vectors, moves = result[rows], solved.vectors[rows], moves[rows]
    drive = slope[rows].unsqueeze(-1) * _tangent(vectors)
    stiffness = solved.norms[rows] + sweeps.prox
    omega, enough = sweeps.backward_relaxation, slope.new_zeros(len(rows))
    planned = (solved.sweeps - solved.converged.long())[rows]
    limit = sweeps.limit if sweeps.backward_tolerance is not None else max(planned.tolist(), default=0)
    blocks = blocks_of(known)
    for sweep in range(limit if len(rows) else 0):
        change = slope.new_zeros(len(rows))
        for block, places in blocks:
            pulls = torch.bmm(gram[block].expand(len(rows), -1, -1), adjoint)
            inside = gram[block][:, block]
            for place in places:
                variable = block.start + place
                pull, vector = pulls[:, place], vectors[:, variable]
                across = pull - (pull * vector).sum(-1, keepdim=True) * vector
                best = (across + drive[:, variable]) / -stiffness[:, variable, None]
                towards = best - adjoint[:, variable]
                step = torch.where(moves[:, variable, None], (1 + omega) * towards, 0)
                change += stiffness[:, variable] * step.square().sum(-1)
                adjoint[:, variable] += step
                pulls[:, place + 1 :] += inside[place + 1 :, place, None] * step[:, None, :]
        if sweeps.backward_tolerance is None:
            stops = planned <= sweep + 1
        elif sweep == 0:
            enough, stops = sweeps.backward_tolerance * change, ~(change > 0)
        else:
            stops = ~(change >= enough)
        if sweep == limit - 1:
            stops = torch.ones_like(stops)
        if stops.any():
            result[rows[stops]] = adjoint[stops]
            left = ~stops
            rows, adjoint, vectors, moves, drive, stiffness, enough, planned = (
                part[left] for part in (rows, adjoint, vectors, moves, drive, stiffness, enough, planned)
            )
        if not len(rows):
            break
    return result


def _tangent(vectors: Vectors) -> Vectors:
    """Unit tangent at v towards the truth e: (e − v_0 v)/|e − v_0 v|; 0 where v = ±e."""
    rest = vectors[..., 1:].norm(dim=-1, keepdim=True)
    away = -vectors[..., :1] * vectors / torch.where(rest > 0, rest, 1)
    return torch.cat([rest, torch.where(rest > 0, away[..., 1:], 0)], dim=-1)


class Mixing(torch.autograd.Function):
    """`bits` with the free ones filled in; known bits come back unchanged.

    Variable 0 is the truth: known, and 1. Differentiable once, in `clauses` and in the known `bits`.
    """

    @staticmethod
    def forward(
        ctx: Any, clauses: Clauses, bits: Bits, known: Known, start: Start, sweeps: Sweeps
    ) -> Bits:
        """Solves, and keeps the vectors for the derivative."""
        solved = solve(clauses, bits, known, start, sweeps)
        ctx.save_for_backward(clauses, bits, known, start)
        ctx.solved, ctx.sweeps = solved, sweeps
        completed = torch.where(solved.sound[:, None], read(solved.vectors), math.nan)
        return torch.where(known, bits, completed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Bits) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """To S, (A + Aᵀ)S with A = Σ_b U_b V_bᵀ. To a known bit z, with p = Σ_j (s_i·s_j) u_j, π(sin πz p_0 ±
        cos πz p_1); and as it passes through, its own slope, times 1.
        """
        (slope,) = slopes
        clauses, bits, known, start = ctx.saved_tensors
        solved: Solved = ctx.solved
        adjoint = solve_adjoint(clauses, known, solved, slope, ctx.sweeps)
        to_clauses = to_bits = None
        if ctx.needs_input_grad[0]:
            flat = adjoint.transpose(0, 1).flatten(1)
            outer = flat @ solved.vectors.transpose(0, 1).flatten(1).T
            to_clauses = (outer + outer.T) @ clauses
        if ctx.needs_input_grad[1]:
            pull = (clauses @ clauses.T) @ adjoint[..., :2]
            angle = torch.where(known & solved.sound[:, None], bits, 0) * math.pi
            turn = angle.sin() * pull[..., 0] + signs(start) * angle.cos() * pull[..., 1]
            to_bits = torch.where(known, slope + math.pi * turn, 0)
        return to_clauses, to_bits, None, None, None
