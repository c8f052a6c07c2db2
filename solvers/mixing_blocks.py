# ruff: noqa: ANN001, ANN201, PLR0912 -- numba infers types, and kernels take what they touch
# pyright: basic
"""The mixing method for large layers: a vector register holds components of one vector of one sample.

The Gram matrix of a sample's free variables is packed once, in blocks of as many rows as fit the registers.
The pulls on a block are a matrix product that lives in registers; what the steps inside the block change
about them is added as each step is made, so that the iterates are those of the plain method. Where there
are less than half as many clauses as free variables, S (Sᵀ V) with Sᵀ V kept up to date costs less than
(S Sᵀ) V: 4 m k flops per variable and sweep instead of 2 n k. Vectors are padded to whole registers with
zeros.

`size` is a tuple of as many numbers as a vector has registers, `tile` of as many as a block has rows: their
lengths are known when a kernel is compiled.
"""

import math
from typing import Any

from numba import njit

from .simd import KERNEL, PART, Unit, emitted

# From Sᵀ V a variable's pull on itself has to be subtracted, which leaves so many times the rounding.
WIDE_NOISE = 16


@emitted
def block_pulls(unit: Unit, size: int, tile: int, gram: Any, vectors: Any, target: Any, count: Any) -> None:
    """target[r] = Σ_j gram[j, r] vectors[j] for the rows r of a block; all sums stay in registers."""

    def term(j: Any, sums: list[Any]) -> list[Any]:
        vector = unit.load_row(vectors, j, size)
        weights = [unit.load_spread(gram, unit.offset(j, tile, r)) for r in range(tile)]
        return [
            weights[place // size].times_plus(vector[place % size], total) for place, total in enumerate(sums)
        ]

    sums = unit.accumulate(count, [unit.constant(0.0)] * (tile * size), term)
    for r in range(tile):
        unit.store_row(target, count.type(r), sums[r * size : (r + 1) * size])


@emitted
def advance(unit: Unit, size: int, tile: int, clauses: Any, steps: Any, sums: Any, count: Any) -> None:
    """sums[a] += Σ_r clauses[a, r] steps[r] over the rows r of a block: how Sᵀ V follows their steps."""
    moved = [unit.load_row(steps, count.type(r), size) for r in range(tile)]
    with unit.loop(count) as a:
        total = unit.load_row(sums, a, size)
        for r in range(tile):
            weight = unit.load_spread(clauses, unit.offset(a, tile, r))
            total = [weight.times_plus(step, t) for step, t in zip(moved[r], total, strict=True)]
        unit.store_row(sums, a, total)


def corrected(
    unit: Unit, size: int, tile: int, inside: Any, base: Any, target: Any, steps: Any, row: Any, r: Any
) -> list[Any]:
    """The pull on row r of a block: base, the block's product, and the steps made in the block since."""
    sums = [
        fixed + pull
        for fixed, pull in zip(unit.load_row(base, row, size), unit.load_row(target, r, size), strict=True)
    ]

    def term(earlier: Any, sums: list[Any]) -> list[Any]:
        weight = unit.load_spread(inside, unit.builder.add(unit.offset(earlier, tile), r))
        return [
            weight.times_plus(step, total)
            for step, total in zip(unit.load_row(steps, earlier, size), sums, strict=True)
        ]

    return unit.accumulate(r, sums, term)


@emitted
def relax(
    unit: Unit,
    size: int,
    tile: int,
    inside: Any,
    first: Any,
    base: Any,
    target: Any,
    steps: Any,
    floor: Any,
    vectors: Any,
    norms: Any,
    decrease: Any,
    r: Any,
    omega: Any,
) -> None:
    """One step of one variable: towards −g/|g|, 1 + ω times as far (None: exactly there)."""
    single, row = unit.single, unit.builder.add(first, r)
    zero, one = single.constant(0.0), single.constant(1.0)
    pull = corrected(unit, size, tile, inside, base, target, steps, row, r)
    old = unit.load_row(vectors, row, size)
    norm = unit.sum(unit.dot(pull, pull)).sqrt()
    moves = norm > single.load(floor, row)
    norm = moves.where(norm, zero)
    single.store(norms, row, norm)
    inverse = moves.where(-one / norm, zero)
    scale, still = unit.spread(inverse.value), unit.spread(moves.where(zero, one).value)
    best = [p.times_plus(scale, v * still) for p, v in zip(pull, old, strict=True)]
    towards = [b - v for b, v in zip(best, old, strict=True)]
    half = unit.sum(unit.dot(towards, towards)) * single.constant(0.5)
    if omega is None:
        new, share = best, half
    else:
        over = single.spread(omega)
        growth = over * (one + over)
        growth += growth
        length = growth.times_plus(half, one).sqrt()
        grown = over.times_plus(half, one)
        share = half * (one - over * over * (single.constant(2.0) - half) / (length * (grown + length)))
        # The step need not wait for h: 1 + g·v/|g| loses its last digits, but the length forgives that.
        rough = one - unit.sum(unit.dot(pull, old)) * inverse
        shrink = unit.spread((one / growth.times_plus(moves.where(rough, zero), one).sqrt()).value)
        far = unit.spread((one + over).value)
        new = [far.times_plus(t, v) * shrink for t, v in zip(towards, old, strict=True)]
    unit.store_row(vectors, row, new)
    unit.store_row(steps, r, [b - v for b, v in zip(new, old, strict=True)])
    begin = row.type(0)
    single.store(decrease, begin, (norm + norm).times_plus(share, single.load(decrease, begin)))


@emitted
def relax_adjoint(
    unit: Unit,
    size: int,
    tile: int,
    inside: Any,
    first: Any,
    base: Any,
    target: Any,
    steps: Any,
    stiffness: Any,
    vectors: Any,
    adjoint: Any,
    change: Any,
    r: Any,
    omega: Any,
) -> None:
    """One step of one variable of the adjoint system; base holds what drives it."""
    single, row = unit.single, unit.builder.add(first, r)
    zero, one = single.constant(0.0), single.constant(1.0)
    pull = corrected(unit, size, tile, inside, base, target, steps, row, r)
    vector, old = unit.load_row(vectors, row, size), unit.load_row(adjoint, row, size)
    stiff = single.load(stiffness, row)
    far = one if omega is None else one + single.spread(omega)
    scale = unit.spread((stiff > zero).where(far / stiff, zero).value)
    along, hard = unit.spread(unit.sum(unit.dot(pull, vector)).value), unit.spread(stiff.value)
    rest = [hard.times_plus(u, p) for u, p in zip(old, pull, strict=True)]
    step = [(along * v - x) * scale for v, x in zip(vector, rest, strict=True)]
    unit.store_row(adjoint, row, [u + d for u, d in zip(old, step, strict=True)])
    unit.store_row(steps, r, step)
    (sofar,) = unit.load_row(change, row.type(0), 1)
    unit.store_row(change, row.type(0), [hard.times_plus(unit.dot(step, step), sofar)])


@njit(**PART)
def free_rows(known, variables, rows):
    """Writes which variables of one sample are free, and returns how many; variable 0 is the truth."""
    count = 0
    for i in range(1, variables):
        if i > len(known) or not known[i - 1]:
            rows[count] = i
            count += 1
    return count


@njit(**PART)
def pack(source, rows, columns, count, tile, square, packed):
    """source[rows of a block, columns] as packed[block, column, row of it], flat; zeros beyond count.

    A square one, whose columns are its rows, has its diagonal left out as well.
    """
    for top in range(0, count, tile):
        start = top * len(columns)
        for r in range(tile):
            if top + r < count:
                row = source[rows[top + r]]
                for j in range(len(columns)):
                    packed[start + j * tile + r] = row[columns[j]]
                if square:
                    packed[start + (top + r) * tile + r] = 0
            else:
                for j in range(len(columns)):
                    packed[start + j * tile + r] = 0


@njit(**PART)
def begin_sums(packed, count, tile, vectors, sums):
    """Sᵀ V of the free variables."""
    for a in range(len(sums)):
        for q in range(sums.shape[1]):
            sums[a, q] = 0
    for i in range(count):
        start = (i - i % tile) * len(sums) + i % tile
        for a in range(len(sums)):
            for q in range(sums.shape[1]):
                sums[a, q] += packed[start + a * tile] * vectors[i, q]


@njit(**PART)
def begin_wide(gram, rows, top, count, vectors, target, steps, inside):
    """Takes the pulls of a block's rows on themselves out of target; and packs the block's own products."""
    tile, padded = target.shape
    for r in range(tile):
        for q in range(padded):
            steps[r, q] = 0
        if top + r < count:
            for other in range(min(tile, count - top)):
                inside[other * tile + r] = gram[rows[top + r], rows[top + other]]
            for q in range(padded):
                target[r, q] -= inside[r * tile + r] * vectors[top + r, q]


@njit(**KERNEL)
def solve(
    size, tile, gram, clauses, start, known, sound, base, first, last, limit, tolerance, omega, epsilon,
    completed, vectors, norms, sweeps, converged,
    rows, columns, packed, sums, constant, target, steps, inside, floor, register,
):  # fmt: skip
    """Solves the samples first … last−1; see `mixing_torch.solve`. `base`: the pulls of what is known."""
    (variables, k), inputs, padded = start.shape, known.shape[1], vectors.shape[2]
    for sample in range(first, last):
        if not sound[sample]:
            continue
        count = free_rows(known[sample], variables, rows)
        wide = 2 * len(columns) < count
        width = len(columns) if wide else count
        within = columns if wide else rows[:count]
        pack(clauses if wide else gram, rows, within, count, len(tile), not wide, packed)
        own, lengths = vectors[sample], norms[sample]
        for place in range(count):
            row = rows[place]
            floor[place] = gram[row, row] * epsilon * (WIDE_NOISE if wide else 1)
            for q in range(padded):
                constant[place, q] = base[sample, row, q] if q < 2 else 0
                own[place, q] = start[row, q] if q < k else 0
        if wide:
            begin_sums(packed, count, len(tile), own, sums)
        enough = 0.0
        for sweep in range(limit if count else 0):
            for lane in range(len(register)):
                register[lane] = 0
            for top in range(0, count, len(tile)):
                block = packed[top * width :]
                own_block = inside if wide else block[top * len(tile) :]
                block_pulls(size, tile, block, sums if wide else own, target, width)
                if wide:
                    begin_wide(gram, rows, top, count, own, target, steps, inside)
                for r in range(min(len(tile), count - top)):
                    relax(
                        size, tile, own_block, top, constant, target, steps, floor, own, lengths, register,
                        r, omega,
                    )  # fmt: skip
                if wide:
                    advance(size, tile, block, steps, sums, len(sums))
            sweeps[sample] = sweep + 1
            if sweep == 0:
                enough = tolerance * register[0]
            if not register[0] > 0 or (sweep > 0 and register[0] < enough):
                converged[sample] = True
                break
        for place in range(count):
            if rows[place] <= inputs:
                rest = 0.0
                for q in range(1, k):
                    rest += own[place, q] * own[place, q]
                angle = math.atan2(math.sqrt(rest), -own[place, 0])
                completed[sample, rows[place] - 1] = angle / math.pi


@njit(**PART)
def lean(slope, column, own, norm, prox, kink, constant):
    """What drives the adjoint of one free variable; returns how stiff it is. See `mixing_torch`."""
    push = rest = 0.0
    if norm > 0 and column < len(slope):
        for q in range(1, len(own)):
            rest += own[q] * own[q]
        if rest > kink * kink:
            rest = math.sqrt(rest)
            push = slope[column] / math.pi
    constant[0] = push * rest
    for q in range(1, len(own)):
        constant[q] = -push * own[0] / rest * own[q] if push else 0
    return norm + prox if norm > 0 else 0


@njit(**KERNEL)
def differentiate(
    size, tile, gram, clauses, known, sound, slope, begin, first, last,
    limit, tolerance, prox, omega, kink, vectors, norms, sweeps, converged, left, right,
    rows, columns, packed, sums, constant, target, steps, inside, stiffness, register, adjoint,
):  # fmt: skip
    """Adjoint of the samples first … last−1, into left[:, sample − begin]; their vectors into right.

    A negative tolerance takes each sample's number of sweeps from the forward pass.
    """
    variables, padded = len(gram), vectors.shape[2]
    for sample in range(first, last):
        for i in range(variables):
            for q in range(padded):
                left[i, sample - begin, q] = 0
        if not sound[sample]:
            continue
        count = free_rows(known[sample], variables, rows)
        wide = 2 * len(columns) < count
        width = len(columns) if wide else count
        within = columns if wide else rows[:count]
        pack(clauses if wide else gram, rows, within, count, len(tile), not wide, packed)
        own = vectors[sample]
        for place in range(count):
            stiffness[place] = lean(
                slope[sample], rows[place] - 1, own[place], norms[sample, place], prox, kink, constant[place]
            )
            for q in range(padded):
                adjoint[place, q] = 0
        if wide:
            begin_sums(packed, count, len(tile), adjoint, sums)
        enough = 0.0
        for sweep in range(limit if count else 0):
            if tolerance < 0 and sweep >= max(1, sweeps[sample] - converged[sample]):
                break
            for lane in range(len(register)):
                register[lane] = 0
            for top in range(0, count, len(tile)):
                block = packed[top * width :]
                own_block = inside if wide else block[top * len(tile) :]
                block_pulls(size, tile, block, sums if wide else adjoint, target, width)
                if wide:
                    begin_wide(gram, rows, top, count, adjoint, target, steps, inside)
                for r in range(min(len(tile), count - top)):
                    relax_adjoint(
                        size, tile, own_block, top, constant, target, steps, stiffness, own, adjoint,
                        register, r, omega,
                    )  # fmt: skip
                if wide:
                    advance(size, tile, block, steps, sums, len(sums))
            change = 0.0
            for lane in range(len(register)):
                change += register[lane]
            if sweep == 0:
                enough = tolerance * change
            if not change > 0 or (sweep > 0 and change < enough):
                break
        for place in range(count):
            for q in range(padded):
                left[rows[place], sample - begin, q] = adjoint[place, q]
                right[rows[place], sample - begin, q] = own[place, q]
