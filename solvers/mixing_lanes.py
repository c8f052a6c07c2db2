# ruff: noqa: ANN001, ANN201, PLR0912, PLR0915 -- numba infers types; kernels take what they touch
# pyright: basic
"""The mixing method for small layers: a vector register holds one number of as many samples.

Nothing is summed across lanes, so there is no waste whatever k is, and 8 or 16 samples are solved in the
time of one. Samples of a group may differ in what is known: a variable is visited where it is free in some
sample of the batch, and does not move in the others. The vectors of a group stay in the cache.

Arrays end in an axis of lanes: `vectors[row, component, lane]`, where rows are the variables that are
visited. `size` is a tuple of k numbers: its length is known when a kernel is compiled.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from .simd import Unit, emitted

# cos πx and sin πx for |x| ≤ 1/2 by their power series; the last terms are below 1e-17.
COSINE = tuple((-1) ** i * math.pi ** (2 * i) / math.factorial(2 * i) for i in range(12))
SINE = tuple((-1) ** i * math.pi ** (2 * i + 1) / math.factorial(2 * i + 1) for i in range(12))
ARCTANGENT = tuple((-1) ** i / (2 * i + 1) for i in range(12))  # below tan(π/16): 1e-17


@emitted
def combine(
    unit: Unit,
    size: int,
    weights: Any,
    first: Any,
    source: Any,
    stride: Any,
    target: Any,
    row: Any,
    count: Any,
) -> None:
    """target[row] = Σ_j weights[first + j] · source[j·stride …], over `size` registers."""

    def term(j: Any, sums: list[Any]) -> list[Any]:
        weight, at = unit.load_spread(weights, unit.builder.add(first, j)), unit.builder.mul(j, stride)
        return [
            weight.times_plus(unit.load(source, unit.builder.add(at, at.type(q * unit.lanes))), total)
            for q, total in enumerate(sums)
        ]

    unit.store_row(target, row, unit.accumulate(count, [unit.constant(0.0)] * size, term))


def pulls(unit: Unit, size: int, gram: Any, vectors: Any, row: Any, count: Any) -> list[Any]:
    """Σ_j gram[row, j] vectors[j], one register per component."""
    first = unit.builder.mul(row, count)

    def term(j: Any, sums: list[Any]) -> list[Any]:
        weight = unit.load_spread(gram, unit.builder.add(first, j))
        return [
            weight.times_plus(vector, total)
            for vector, total in zip(unit.load_row(vectors, j, size), sums, strict=True)
        ]

    return unit.accumulate(count, [unit.constant(0.0)] * size, term)


@emitted
def relax(
    unit: Unit,
    size: int,
    gram: Any,
    base: Any,
    floor: Any,
    free: Any,
    active: Any,
    vectors: Any,
    norms: Any,
    decrease: Any,
    row: Any,
    count: Any,
    omega: Any,
) -> None:
    """One step of one variable: towards −g/|g|, 1 + ω times as far (None: exactly there)."""
    zero, one = unit.constant(0.0), unit.constant(1.0)
    pull = pulls(unit, size, gram, vectors, row, count)
    for q, fixed in enumerate(unit.load_row(base, row, min(2, size))):
        pull[q] = pull[q] + fixed
    norm = unit.dot(pull, pull).sqrt()
    (here,), (going,) = unit.load_row(free, row, 1), unit.load_row(active, row.type(0), 1)
    moves = (norm > unit.load_spread(floor, row)) & (here > zero)
    (before,) = unit.load_row(norms, row, 1)
    unit.store_row(norms, row, [(going > zero).where(moves.where(norm, zero), before)])
    moves &= going > zero
    mask = moves.where(one, zero)
    scale = moves.where(-one / norm, zero)
    old = unit.load_row(vectors, row, size)
    best = [p.times_plus(scale, moves.where(zero, v)) for p, v in zip(pull, old, strict=True)]
    towards = [b - v for b, v in zip(best, old, strict=True)]
    half = unit.dot(towards, towards) * unit.constant(0.5)
    if omega is None:
        new, share = best, half
    else:
        over = unit.spread(omega)
        growth = over * (one + over)
        length = (growth + growth).times_plus(half, one).sqrt()
        grown = over.times_plus(half, one)
        share = half * (one - over * over * (unit.constant(2.0) - half) / (length * (grown + length)))
        shrink, far = one / length, one + over
        new = [far.times_plus(t, v) * shrink for t, v in zip(towards, old, strict=True)]
    unit.store_row(vectors, row, new)
    (sofar,) = unit.load_row(decrease, row.type(0), 1)
    unit.store_row(decrease, row.type(0), [(norm + norm).times_plus(share * mask, sofar)])


@emitted
def relax_adjoint(
    unit: Unit,
    size: int,
    gram: Any,
    vectors: Any,
    drive: Any,
    stiffness: Any,
    active: Any,
    adjoint: Any,
    change: Any,
    row: Any,
    count: Any,
    omega: Any,
) -> None:
    """One step of one variable of the adjoint system.

    `drive` holds two numbers per variable: what drives the first component, and what, times v, the others.
    """
    zero, one = unit.constant(0.0), unit.constant(1.0)
    pull = pulls(unit, size, gram, adjoint, row, count)
    vector, old = unit.load_row(vectors, row, size), unit.load_row(adjoint, row, size)
    (stiff,), (going,) = unit.load_row(stiffness, row, 1), unit.load_row(active, row.type(0), 1)
    truth, lean = unit.load_row(drive, row, 2)
    along = -unit.dot(pull, vector)
    pull[0] += truth
    far = one if omega is None else one + unit.spread(omega)
    scale = ((stiff > zero) & (going > zero)).where(far / stiff, zero)
    turns = [along, *([along + lean] * (size - 1))]
    step = [
        -(turn.times_plus(v, p) + stiff * u) * scale
        for turn, p, v, u in zip(turns, pull, vector, old, strict=True)
    ]
    unit.store_row(adjoint, row, [u + d for u, d in zip(old, step, strict=True)])
    (sofar,) = unit.load_row(change, row.type(0), 1)
    unit.store_row(change, row.type(0), [stiff.times_plus(unit.dot(step, step), sofar)])


@emitted
def embed(unit: Unit, bits: Any, signs: Any, mask: Any, target: Any, row: Any) -> None:
    """target[row] = (−cos πz, sign · sin πz) where the mask is 1, else 0."""
    (bit,), (here,) = unit.load_row(bits, row.type(0), 1), unit.load_row(mask, row.type(0), 1)
    angle = bit - unit.constant(0.5)
    square = angle * angle
    cosine, sine = (unit.polynomial(square, series) for series in (COSINE, SINE))
    sign = unit.load_spread(signs, row)
    unit.store_row(target, row, [angle * sine * here, sign * cosine * here])


@emitted
def read(unit: Unit, size: int, vectors: Any, row: Any, target: Any) -> None:
    """The angle to the negated truth in half turns: tan(θ/2) = sin θ/(1 + cos θ), halved twice again."""
    zero, one = unit.constant(0.0), unit.constant(1.0)
    vector = unit.load_row(vectors, row, size)
    along = vector[0]
    tangent = unit.dot(vector[1:], vector[1:]).sqrt() / (one + unit.call("llvm.fabs", along))
    for _ in range(2):
        tangent /= one + tangent.times_plus(tangent, one).sqrt()
    half = unit.constant(8 / math.pi) * tangent * unit.polynomial(tangent * tangent, ARCTANGENT)
    unit.store_row(target, row.type(0), [(along > zero).where(one - half, half)])


@emitted
def outer(
    unit: Unit, size: int, left: Any, left_row: Any, right: Any, stride: Any, target: Any, count: Any
) -> None:
    """target[j] += left · right[j·stride …] over the first `size` registers, lane by lane, for j < count."""
    held = [unit.load(left, unit.builder.add(left_row, left_row.type(q * unit.lanes))) for q in range(size)]
    with unit.loop(count) as j:
        at = unit.builder.mul(j, stride)
        other = [unit.load(right, unit.builder.add(at, at.type(q * unit.lanes))) for q in range(size)]
        (sofar,) = unit.load_row(target, j, 1)
        unit.store_row(target, j, [sofar + unit.dot(held, other)])


@njit(cache=True, nogil=True)
def pack(gram, rows, floor):
    """The Gram matrix of the visited rows, zero on its diagonal; and below which |g| is only rounding."""
    packed = np.empty((len(rows), len(rows)), gram.dtype)
    for i in range(len(rows)):
        for j in range(len(rows)):
            packed[i, j] = gram[rows[i], rows[j]]
        floor[i] = packed[i, i] * np.finfo(gram.dtype).eps
        packed[i, i] = 0
    return packed


@njit(cache=True, nogil=True)
def solve(
    size, gram, start, signs, bits, known, rows, first, last, limit, tolerance, omega,
    completed, vectors, norms, fixed, sweeps, converged,
):  # fmt: skip
    """Solves the groups first … last−1; see `mixing_torch.solve`."""
    (samples, inputs), lanes, dtype = bits.shape, vectors.shape[-1], gram.dtype
    variables, visited = len(gram), len(rows)
    floor = np.empty(visited, dtype)
    packed = pack(gram, rows, floor)
    base = np.empty((visited, 2, lanes), dtype)
    free = np.empty((visited, lanes), dtype)
    sound, active, decrease, enough, lane = (
        np.empty(lanes, dtype), np.empty(lanes, dtype), np.empty(lanes, dtype),
        np.empty(lanes, dtype), np.empty(lanes, dtype),
    )  # fmt: skip
    for group in range(first, last):
        here = min(lanes, samples - group * lanes)
        own, lengths = vectors[group], norms[group]
        sound[:] = 0
        for i in range(here):
            sample, whole = group * lanes + i, True
            for j in range(inputs):
                if known[sample, j]:
                    whole &= math.isfinite(bits[sample, j])
                    completed[sample, j] = bits[sample, j]
                else:
                    completed[sample, j] = math.nan
            sound[i] = whole
        active[:] = sound
        fixed[group] = 0
        fixed[group, 0, 0] = sound
        for j in range(inputs):
            decrease[:], lane[:] = 0, 0
            for i in range(here):
                if known[group * lanes + i, j] and sound[i]:
                    decrease[i], lane[i] = bits[group * lanes + i, j], 1
            embed(decrease, signs, lane, fixed[group], 1 + j)
        for place in range(visited):
            row = rows[place]
            combine((0, 0), gram, row * variables, fixed[group], 2 * lanes, base, place, variables)
            for i in range(lanes):
                known_here = row <= inputs and i < here and known[group * lanes + i, row - 1]
                free[place, i] = 0 if known_here else sound[i]
                norms[group, place, i] = 0
            for q in range(start.shape[1]):
                for i in range(lanes):
                    vectors[group, place, q, i] = start[row, q] * free[place, i]
        for sweep in range(limit):
            decrease[:] = 0
            for place in range(visited):
                relax(
                    size, packed, base, floor, free, active, own, lengths, decrease, place, visited, omega,
                )  # fmt: skip
            going = 0
            for i in range(here):
                if active[i]:
                    sweeps[group * lanes + i] = sweep + 1
                    if sweep == 0:
                        enough[i] = tolerance * decrease[i]
                    if not (decrease[i] >= enough[i] if sweep else decrease[i] > 0):
                        active[i] = 0
                        converged[group * lanes + i] = True
                    going += active[i] > 0
            if not going:
                break
        for place in range(visited):
            if rows[place] <= inputs:
                read(size, vectors[group], place, lane)
                for i in range(here):
                    if free[place, i]:
                        completed[group * lanes + i, rows[place] - 1] = lane[i]


@njit(cache=True, nogil=True)
def differentiate(
    size, gram, signs, known, rows, slope, vectors, norms, fixed, sweeps, converged, first, last,
    limit, tolerance, prox, omega, adjoint, products, to_bits,
):  # fmt: skip
    """Adjoint of groups first … last−1; adds Σ U Vᵀ to `products`. See `mixing_torch.solve_adjoint`.

    A negative tolerance takes each sample's number of sweeps from the forward pass.
    """
    (samples, inputs), lanes, dtype = slope.shape, vectors.shape[-1], gram.dtype
    variables, visited, k = len(gram), len(rows), vectors.shape[2]
    packed = pack(gram, rows, np.empty(visited, dtype))
    across = np.empty((variables, visited), dtype)
    for j in range(variables):
        for place in range(visited):
            across[j, place] = gram[j, rows[place]]
    among = np.zeros((visited, visited, lanes), dtype)
    towards = np.zeros((visited, variables, lanes), dtype)
    drive = np.empty((visited, 2, lanes), dtype)
    stiffness = np.empty((visited, lanes), dtype)
    pull = np.empty((1, 2, lanes), dtype)
    active, change, enough = np.empty(lanes, dtype), np.empty(lanes, dtype), np.empty(lanes, dtype)
    for group in range(first, last):
        here = min(lanes, samples - group * lanes)
        own = vectors[group]
        adjoint[:] = 0
        active[:] = 0
        for place in range(visited):
            column = rows[place] - 1
            for i in range(lanes):
                norm, rest = norms[group, place, i], 0.0
                moves = norm > 0
                stiffness[place, i] = norm + prox if moves else 0
                drive[place, 0, i], drive[place, 1, i] = 0, 0
                if moves:
                    active[i] = 1
                    if column < inputs:
                        for q in range(1, k):
                            rest += vectors[group, place, q, i] ** 2
                        if rest > 0:
                            rest = math.sqrt(rest)
                            push = slope[group * lanes + i, column] / math.pi
                            drive[place, 0, i] = push * rest
                            drive[place, 1, i] = -push * vectors[group, place, 0, i] / rest
        for sweep in range(limit):
            change[:] = 0
            for place in range(visited):
                relax_adjoint(
                    size, packed, own, drive, stiffness, active, adjoint, change, place, visited, omega,
                )  # fmt: skip
            going = 0
            for i in range(here):
                if active[i]:
                    if sweep == 0:
                        enough[i] = tolerance * change[i]
                    if tolerance < 0:
                        sample = group * lanes + i
                        active[i] = sweep + 1 < sweeps[sample] - converged[sample]
                    elif not (change[i] >= enough[i] if sweep else change[i] > 0):
                        active[i] = 0
                    going += active[i] > 0
            if not going:
                break
        for place in range(visited):
            outer(size, adjoint, place * k * lanes, vectors[group], k * lanes, among[place], visited)
            outer((0, 0), adjoint, place * k * lanes, fixed[group], 2 * lanes, towards[place], variables)
        for j in range(inputs):
            combine((0, 0), across, (1 + j) * visited, adjoint, k * lanes, pull, 0, visited)
            for i in range(here):
                sample = group * lanes + i
                if known[sample, j]:
                    turn = (
                        fixed[group, 1 + j, 1, i] * pull[0, 0, i] - fixed[group, 1 + j, 0, i] * pull[0, 1, i]
                    )
                    to_bits[sample, j] = slope[sample, j] + math.pi * signs[1 + j] * turn
    for place in range(visited):
        for j in range(variables):
            for i in range(lanes):
                products[rows[place], j] += towards[place, j, i]
        for j in range(visited):
            for i in range(lanes):
                products[rows[place], rows[j]] += among[place, j, i]
