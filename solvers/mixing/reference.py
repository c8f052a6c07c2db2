"""The mixing method in torch operations: for every device and type, and the oracle of the compiled paths."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .schedule import Bits, Clauses, Known, Start, StoppingRule

Vectors = Float[Tensor, "batch n k"]
Numbers = Float[Tensor, "batch n"]
Fixed = Bool[Tensor, "batch n"]

# So many roundings from v = ±truth, where z has a kink, the direction in which z grows is rounding only.
KINK = 8
# Rows of a block: long enough for its matrix product, short enough for the corrections.
BLOCK = 16


@dataclass
class Solved:
    """What the derivative needs of the solution. Variables are the truth, the bits, the auxiliary ones."""

    fixed: Fixed
    start: Start
    vectors: Vectors  # 0 where the sample is not sound
    norms: Numbers  # |g_i| at the last step; 0 at what is fixed, and where no other variable pulls
    sweeps: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]  # stopped by the test, not by the limit


def solve(
    clauses: Clauses, bits: Bits, known: Known, start: Start, stopping: StoppingRule
) -> tuple[Bits, Solved]:
    """Minimises over the free vectors. Costs 2 n² k flops per sample and sweep.

    A sample with a known bit that is not finite is not solved; what is not known there is NaN.
    """
    gram, floor = _gram(clauses)
    sound = torch.where(known, bits, 0).isfinite().all(-1)
    aux = len(clauses) - 1 - bits.shape[1]
    value = torch.cat([bits.new_ones(len(bits), 1), bits, bits.new_zeros(len(bits), aux)], dim=1)
    fixed = torch.cat([known.new_ones(len(bits), 1), known, known.new_zeros(len(bits), aux)], dim=1)
    result = torch.where(sound[:, None, None], _embed(value, fixed, start), 0)
    norms = torch.zeros_like(value)
    taken = torch.zeros(len(bits), dtype=torch.long, device=bits.device)
    converged = torch.zeros_like(sound)
    rows = sound.nonzero().squeeze(-1)  # samples still at work
    vectors, free, size = result[rows], ~fixed[rows], norms[rows]
    threshold = bits.new_zeros(len(rows))
    blocks = _blocks(fixed)
    for sweep in range(stopping.limit if blocks else 0):
        decrease = bits.new_zeros(len(rows))
        for block, places in blocks:
            pulls = torch.bmm(gram[block].expand(len(rows), -1, -1), vectors)
            inside, exact = gram[block][:, block], torch.zeros_like(pulls)
            for place in places:
                variable = block.start + place
                pull, old = pulls[:, place], vectors[:, variable]
                norm = pull.norm(dim=-1, keepdim=True)
                moves = free[:, variable, None] & (norm > floor[variable])
                step = torch.where(moves, pull / -norm - old, 0)
                size[:, variable, None] = torch.where(moves, norm, 0)
                exact[:, place] = step
                if stopping.relaxation:
                    step = _farther(step, old, stopping.relaxation)
                old += step
                pulls[:, place + 1 :].addcmul_(inside[place + 1 :, place, None], step[:, None, :])
            decrease += (2 * size[:, block] * _share(exact, stopping.relaxation)).sum(-1)
        taken[rows] += 1
        if sweep == 0:
            threshold = stopping.tolerance * decrease
        stops = ~(decrease > 0) if sweep == 0 else ~(decrease >= threshold)
        converged[rows[stops]] = True
        if sweep == stopping.limit - 1:
            stops = torch.ones_like(stops)
        if stops.any():
            result[rows[stops]], norms[rows[stops]] = vectors[stops], size[stops]
            left = ~stops
            rows, vectors, free, size, threshold = (
                part[left] for part in (rows, vectors, free, size, threshold)
            )
        if not len(rows):
            break
    completed = torch.where(sound[:, None], read(result[:, 1 : 1 + bits.shape[1]]), math.nan)
    return torch.where(known, bits, completed), Solved(fixed, start, result, norms, taken, converged)


def differentiate(
    clauses: Clauses, known: Known, solved: Solved, slope: Bits, stopping: StoppingRule
) -> tuple[Float[Tensor, "n n"], Bits]:
    """Σ_b U_b V_bᵀ, and the slope of the bits; zero where they are not known."""
    adjoint = _adjoint(clauses, solved, slope, stopping)
    flat = adjoint.transpose(0, 1).flatten(1)
    products = flat @ solved.vectors.transpose(0, 1).flatten(1).T
    inputs = slice(1, 1 + known.shape[1])
    pull = (clauses[inputs] @ clauses.T) @ adjoint[..., :2]
    # At a known bit v = (−cos πz, ± sin πz, 0 …), so ∂v/∂z = π (sin πz, ± cos πz, …) = ± π (v_1, −v_0, …).
    vectors = solved.vectors[:, inputs]
    turn = vectors[..., 1] * pull[..., 0] - vectors[..., 0] * pull[..., 1]
    to_bits = slope + math.pi * _signs(solved.start)[inputs] * turn
    return products, torch.where(known, to_bits, 0)


def _adjoint(clauses: Clauses, solved: Solved, slope: Bits, stopping: StoppingRule) -> Vectors:
    """u_i = ∂loss/∂g_i for the free variables, from slope = ∂loss/∂z; zeros at what is fixed.

    Solves (|g_i| + prox) u_i = −(I − v_i v_iᵀ) Σ_j (s_i·s_j) u_j − (slope_i/π) t_i, where t_i is the unit
    tangent at v_i towards the truth: dz/dv = t/π has length 1/π even at saturated outputs, where the
    textbook form 1/(π sin πz) blows up; at v = ±truth z has a kink, and t = 0.
    """
    gram, _ = _gram(clauses)
    moves = ~solved.fixed & (solved.norms > 0)
    result = torch.zeros_like(solved.vectors)
    rows = moves.any(-1).nonzero().squeeze(-1)  # samples still at work
    adjoint, vectors, moves = result[rows], solved.vectors[rows], moves[rows]
    inputs = slice(1, 1 + slope.shape[1])
    adjoint_rhs = torch.zeros_like(vectors)
    push = torch.where(moves[:, inputs], slope[rows] / math.pi, 0)
    adjoint_rhs[:, inputs] = push.unsqueeze(-1) * _tangent(vectors[:, inputs])
    stiffness = solved.norms[rows] + stopping.prox
    omega, threshold = stopping.backward_relaxation, slope.new_zeros(len(rows))
    planned = (solved.sweeps - solved.converged.long())[rows].clamp_min(1)
    limit = stopping.limit if stopping.backward_tolerance is not None else max(planned.tolist(), default=0)
    blocks = _blocks(solved.fixed)
    for sweep in range(limit if len(rows) else 0):
        change = slope.new_zeros(len(rows))
        for block, places in blocks:
            pulls = torch.bmm(gram[block].expand(len(rows), -1, -1), adjoint)
            inside, steps = gram[block][:, block], torch.zeros_like(pulls)
            for place in places:
                variable = block.start + place
                pull, vector, old = pulls[:, place], vectors[:, variable], adjoint[:, variable]
                across = pull - (pull * vector).sum(-1, keepdim=True) * vector
                best = (across + adjoint_rhs[:, variable]) / -stiffness[:, variable, None]
                step = torch.where(moves[:, variable, None], (1 + omega) * (best - old), 0)
                steps[:, place] = step
                old += step
                pulls[:, place + 1 :].addcmul_(inside[place + 1 :, place, None], step[:, None, :])
            change += (stiffness[:, block] * steps.square().sum(-1)).sum(-1)
        if stopping.backward_tolerance is None:
            stops = planned <= sweep + 1
        elif sweep == 0:
            threshold, stops = stopping.backward_tolerance * change, ~(change > 0)
        else:
            stops = ~(change >= threshold)
        if sweep == limit - 1:
            stops = torch.ones_like(stops)
        if stops.any():
            result[rows[stops]] = adjoint[stops]
            left = ~stops
            rows, adjoint, vectors, moves, adjoint_rhs, stiffness, threshold, planned = (
                part[left]
                for part in (rows, adjoint, vectors, moves, adjoint_rhs, stiffness, threshold, planned)
            )
        if not len(rows):
            break
    return result


def _blocks(fixed: Fixed) -> list[tuple[slice, list[int]]]:
    """The variables in blocks of one grid, each with the places in it that are free in some sample.

    The grid must not depend on what is fixed: it decides the order of summation, and a sample's result
    must not depend, even in the last bit, on the samples it is solved with.
    """
    free = (~fixed).any(0)
    grid = (slice(first, min(first + BLOCK, len(free))) for first in range(0, len(free), BLOCK))
    found = ((block, free[block].nonzero().squeeze(-1).tolist()) for block in grid)
    return [(block, places) for block, places in found if places]


def _gram(clauses: Clauses) -> tuple[Float[Tensor, "n n"], Float[Tensor, " n"]]:
    """Inner products of the rows, zero on the diagonal; and the |g| below which g is only rounding."""
    gram = clauses @ clauses.T
    floor = gram.diagonal() * torch.finfo(gram.dtype).eps
    return gram.fill_diagonal_(0), floor


def _signs(start: Start) -> Float[Tensor, " n"]:
    """The side on which known bits are embedded: −1 or 1, never 0."""
    return torch.where(start[:, 1] < 0, -1.0, 1.0).to(start)


def _embed(value: Numbers, fixed: Fixed, start: Start) -> Vectors:
    """(−cos πz, ±sin πz, 0 …) at what is fixed, with the sign of the start's second entry; else the start."""
    angle = torch.where(fixed, value, 0) * math.pi
    embedded = start.new_zeros(*value.shape, start.shape[1])
    embedded[..., 0] = -angle.cos()
    embedded[..., 1] = angle.sin() * _signs(start)
    return torch.where(fixed.unsqueeze(-1), embedded, start)


def read(vectors: Vectors) -> Bits:
    """The angle to the negated truth (1, 0 …), in half turns.

    By tan(θ/2) = sin θ/(1 + cos θ), whose digits near 0 and 1 an arc cosine would lose; and atan, because
    torch's atan2 rounds differently at the end of a tensor, so that a sample would depend on its batch.
    """
    across, along = vectors[..., 1:].norm(dim=-1), vectors[..., 0]
    half = (across / (1 + along.abs())).atan() * (2 / math.pi)
    return torch.where(along < 0, half, 1 - half)


def _farther(
    exact: Float[Tensor, "batch k"], old: Float[Tensor, "batch k"], omega: float
) -> Float[Tensor, "batch k"]:
    """Over-relaxed step: old + (1+ω)d, back on the sphere, its length being √(1 + ω(1+ω)|d|²)."""
    length = (1 + omega * (1 + omega) * exact.square().sum(-1, keepdim=True)).sqrt()
    return (old + (1 + omega) * exact) / length - old


def _share(exact: Float[Tensor, "batch rows k"], omega: float) -> Float[Tensor, "batch rows"]:
    """Decrease of v·g/|g| by a step, with h = |d|²/2 for the exact step d, and u = √(1 + 2ω(1+ω)h).

    Over-relaxed it is h[1 − ω²(2−h)/(u(1+ωh+u))], which unlike a difference of objectives does not cancel.
    """
    half = exact.square().sum(-1) / 2
    if not omega:
        return half
    length = (1 + 2 * omega * (1 + omega) * half).sqrt()
    return half * (1 - omega**2 * (2 - half) / (length * (1 + omega * half + length)))


def _tangent(vectors: Vectors) -> Vectors:
    """Unit tangent at v towards the truth e: (e − v_0 v)/|e − v_0 v|; 0 where v = ±e up to rounding."""
    rest = vectors[..., 1:].norm(dim=-1, keepdim=True)
    apart = rest > KINK * torch.finfo(rest.dtype).eps
    away = -vectors[..., :1] * vectors / torch.where(apart, rest, 1)
    return torch.where(apart, torch.cat([rest, away[..., 1:]], dim=-1), 0)
