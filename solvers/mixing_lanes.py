# ruff: noqa: ANN001, ANN201, PLR0912 -- numba infers types; kernels take what they touch
# pyright: basic
"""The mixing method for small layers: a vector register holds one number of as many samples.

Nothing is summed across lanes, so there is no waste whatever k is, and 8 or 16 samples are solved in the
time of one. Samples of a group may differ in what is known: a variable is visited where it is free in some
sample of the batch, and does not move in the others. The vectors of a group stay in the cache.

Arrays end in an axis of lanes: `vectors[row, component, lane]`, where rows are the variables that are
visited. `size` is a tuple of k numbers: its length is known when a kernel is compiled.
"""

import math
from itertools import pairwise
from typing import Any

from numba import njit

from .simd import KERNEL, PART, REGISTERS, Unit, emitted

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
    """Σ_j gram[row, j] vectors[j], one register per component, as many at a time as fit the registers."""
    first = unit.builder.mul(row, count)
    passes = -(-size // (REGISTERS // 2))
    edges = [size * i // passes for i in range(passes + 1)]

    def part(begin: int, end: int) -> list[Any]:
        def term(j: Any, sums: list[Any]) -> list[Any]:
            weight = unit.load_spread(gram, unit.builder.add(first, j))
            at = [unit.offset(j, size * unit.lanes, q * unit.lanes) for q in range(begin, end)]
            return [
                weight.times_plus(unit.load(vectors, a), total) for a, total in zip(at, sums, strict=True)
            ]

        return unit.accumulate(count, [unit.constant(0.0)] * (end - begin), term)

    return [total for begin, end in pairwise(edges) for total in part(begin, end)]


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


@njit(**PART)
def pack(gram, rows, packed):
    """The Gram matrix of the visited rows; their own squares stay in its diagonal."""
    for i in range(len(rows)):
        for j in range(len(rows)):
            packed[i, j] = gram[rows[i], rows[j]]


@njit(**PART)
def prepare(gram, signs, bits, known, rows, offset, sound, free, completed, fixed, base, lane, mask):
    """Embeds what is known of the samples from `offset` on, and sums its pulls on the visited rows."""
    (samples, inputs), variables, lanes = bits.shape, len(gram), len(sound)
    here = min(lanes, samples - offset)
    for i in range(lanes):
        sound[i] = 1 if i < here else 0
    for i in range(here):
        for j in range(inputs):
            if known[offset + i, j]:
                completed[offset + i, j] = bits[offset + i, j]
                if not math.isfinite(bits[offset + i, j]):
                    sound[i] = 0
            else:
                completed[offset + i, j] = math.nan
    for row in range(variables):
        for i in range(lanes):
            # The truth is known, and 1; the auxiliary bits, after the inputs, are never known.
            mask[i] = sound[i] if row == 0 else 0
            lane[i] = 1
            if 0 < row <= inputs and i < here and sound[i] and known[offset + i, row - 1]:
                mask[i] = 1
                lane[i] = bits[offset + i, row - 1]
        embed(lane, signs, mask, fixed, row)
    for place in range(len(rows)):
        combine((0, 0), gram, rows[place] * variables, fixed, 2 * lanes, base, place, variables)
        for i in range(lanes):
            free[place, i] = sound[i]
            if rows[place] <= inputs and i < here and known[offset + i, rows[place] - 1]:
                free[place, i] = 0


@njit(**KERNEL)
def solve(
    size, gram, start, signs, bits, known, rows, rounded, first, last, limit, tolerance, omega, epsilon,
    completed, vectors, norms, fixed, sweeps, converged, packed, floor, base, free, registers,
):  # fmt: skip
    """Solves the groups first … last−1, step after step; see `mixing_torch.solve`.

    The first axis of bits and of the results is that of steps. The first bit of each step but the first
    is filled in from the last bit of the one before, `rounded` or not.
    """
    (_, samples, inputs), lanes, visited, k = bits.shape, registers.shape[1], len(rows), start.shape[1]
    sound, active, decrease = registers[0], registers[1], registers[2]
    enough, lane, mask = registers[3], registers[4], registers[5]
    pack(gram, rows, packed)
    for place in range(visited):
        floor[place] = packed[place, place] * epsilon
        packed[place, place] = 0
    for turn in range(len(bits) * (last - first)):
        step, group = turn // (last - first), first + turn % (last - first)
        offset = group * lanes
        here = min(lanes, samples - offset)
        if step:
            for i in range(here):
                state = completed[step - 1, offset + i, inputs - 1]
                bits[step, offset + i, 0] = state > 0.5 if rounded else state
        own, lengths = vectors[step, group], norms[step, group]
        prepare(
            gram,
            signs,
            bits[step],
            known,
            rows,
            offset,
            sound,
            free,
            completed[step],
            fixed[step, group],
            base,
            lane,
            mask,
        )
        for place in range(visited):
            for i in range(lanes):
                lengths[place, i] = 0
            for q in range(k):
                for i in range(lanes):
                    own[place, q, i] = start[rows[place], q] * free[place, i]
        for i in range(lanes):
            active[i] = sound[i]
        going = visited
        for sweep in range(limit):
            if not going:
                break
            for i in range(lanes):
                decrease[i] = 0
            for place in range(visited):
                relax(
                    size, packed, base, floor, free, active, own, lengths, decrease, place, visited, omega,
                )  # fmt: skip
            going = 0
            for i in range(here):
                if active[i]:
                    sweeps[step, offset + i] = sweep + 1
                    if sweep == 0:
                        enough[i] = tolerance * decrease[i]
                    if decrease[i] > 0 and (sweep == 0 or decrease[i] >= enough[i]):
                        going += 1
                    else:
                        active[i] = 0
                        converged[step, offset + i] = True
        for place in range(visited):
            if rows[place] <= inputs:
                read(size, own, place, lane)
                for i in range(here):
                    if free[place, i]:
                        completed[step, offset + i, rows[place] - 1] = lane[i]


@njit(**PART)
def lean(slope, offset, column, own, lengths, prox, kink, active, stiffness, drive):
    """What drives the adjoint of one visited row, and how stiff it is; see `mixing_torch`."""
    k, lanes = own.shape
    for i in range(lanes):
        stiffness[i], drive[0, i], drive[1, i] = 0, 0, 0
        if lengths[i] > 0:
            active[i] = 1
            stiffness[i] = lengths[i] + prox
            if column < slope.shape[1]:
                rest = own[0, i] * 0
                for q in range(1, k):
                    rest += own[q, i] * own[q, i]
                if rest > kink * kink:
                    rest = math.sqrt(rest)
                    push = slope[offset + i, column] / math.pi
                    drive[0, i] = push * rest
                    drive[1, i] = -push * own[0, i] / rest


@njit(**KERNEL)
def differentiate(
    size, gram, signs, known, rows, slope, vectors, norms, fixed, sweeps, converged, first, last,
    limit, tolerance, prox, omega, kink, products, to_bits,
    packed, across, among, towards, adjoint, drive, stiffness, pull, registers,
):  # fmt: skip
    """Adjoint of groups first … last−1, last step first; adds Σ U Vᵀ to `products`.

    See `mixing_torch.differentiate`; the first axis of slope and of the results is that of steps.

    A negative tolerance takes each sample's number of sweeps from the forward pass. `among` and `towards`
    hold the products lane by lane.
    """
    (_, samples, inputs), lanes, k = slope.shape, registers.shape[1], vectors.shape[3]
    variables, visited = len(gram), len(rows)
    active, change, enough = registers[0], registers[1], registers[2]
    pack(gram, rows, packed)
    for place in range(visited):
        packed[place, place] = 0
        for j in range(variables):
            across[j, place] = gram[j, rows[place]]
            for i in range(lanes):
                towards[place, j, i] = 0
        for j in range(visited):
            for i in range(lanes):
                among[place, j, i] = 0
    for turn in range(len(slope) * (last - first)):
        step, group = len(slope) - 1 - turn // (last - first), first + turn % (last - first)
        offset = group * lanes
        here = min(lanes, samples - offset)
        if step < len(slope) - 1:
            for i in range(here):
                slope[step, offset + i, inputs - 1] = to_bits[step + 1, offset + i, 0]
        own, held = vectors[step, group], fixed[step, group]
        for i in range(lanes):
            active[i] = 0
        for place in range(visited):
            lean(
                slope[step], offset, rows[place] - 1, own[place], norms[step, group, place], prox, kink,
                active, stiffness[place], drive[place],
            )  # fmt: skip
            for q in range(k):
                for i in range(lanes):
                    adjoint[place, q, i] = 0
        going = visited
        for sweep in range(limit):
            if not going:
                break
            for i in range(lanes):
                change[i] = 0
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
                        more = sweep + 1 < sweeps[step, offset + i] - converged[step, offset + i]
                    else:
                        more = change[i] > 0 and (sweep == 0 or change[i] >= enough[i])
                    if more:
                        going += 1
                    else:
                        active[i] = 0
        for place in range(visited):
            outer(size, adjoint, place * k * lanes, own, k * lanes, among[place], visited)
            outer((0, 0), adjoint, place * k * lanes, held, 2 * lanes, towards[place], variables)
        for j in range(inputs):
            combine((0, 0), across, (1 + j) * visited, adjoint, k * lanes, pull, 0, visited)
            for i in range(here):
                if known[offset + i, j]:
                    lift = held[1 + j, 1, i] * pull[0, i] - held[1 + j, 0, i] * pull[1, i]
                    to_bits[step, offset + i, j] = slope[step, offset + i, j] + math.pi * signs[1 + j] * lift
    for place in range(visited):
        for j in range(variables):
            for i in range(lanes):
                products[rows[place], j] += towards[place, j, i]
        for j in range(visited):
            for i in range(lanes):
                products[rows[place], rows[j]] += among[place, j, i]
