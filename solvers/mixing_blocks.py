# ruff: noqa: ANN001, ANN201, PLR0912 -- numba infers types, and kernels take what they touch
# pyright: basic
"""The mixing method for large layers: a vector register holds components of one vector of one sample.

The Gram matrix of a sample's free variables is packed once, in blocks of as many rows as fit the registers.
The pulls on a block are a matrix product that lives in registers; what the steps inside the block change
about them is added as each step is made, so that the iterates are those of the plain method. Vectors are
padded to whole registers with zeros.

`size` is a tuple of as many numbers as a vector has registers, `tile` of as many as a block has rows: their
lengths are known when a kernel is compiled.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from .simd import Unit, emitted


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


def corrected(
    unit: Unit, size: int, tile: int, gram: Any, first: Any, base: Any, target: Any, steps: Any, r: Any
) -> list[Any]:
    """The pull on row r of a block: base, the block's product, and the steps made in the block since."""
    row = unit.builder.add(first, r)
    sums = [
        fixed + pull
        for fixed, pull in zip(unit.load_row(base, row, size), unit.load_row(target, r, size), strict=True)
    ]

    def term(earlier: Any, sums: list[Any]) -> list[Any]:
        at = unit.offset(unit.builder.add(first, earlier), tile)
        weight = unit.load_spread(gram, unit.builder.add(at, r))
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
    gram: Any,
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
    zero, one = unit.constant(0.0), unit.constant(1.0)
    row = unit.builder.add(first, r)
    pull = corrected(unit, size, tile, gram, first, base, target, steps, r)
    old = unit.load_row(vectors, row, size)
    norm = unit.everywhere(unit.dot(pull, pull)).sqrt()
    moves = norm > unit.load_spread(floor, row)
    unit.store_first(norms, row, moves.where(norm, zero))
    inverse = moves.where(one / norm, zero)
    best = [moves.where(-(p * inverse), v) for p, v in zip(pull, old, strict=True)]
    towards = [b - v for b, v in zip(best, old, strict=True)]
    half = unit.everywhere(unit.dot(towards, towards)) * unit.constant(0.5)
    if omega is None:
        new, share = best, half
    else:
        over = unit.spread(omega)
        growth = over * (one + over)
        length = (growth + growth).times_plus(half, one).sqrt()
        grown = over.times_plus(half, one)
        share = half * (one - over * over * (unit.constant(2.0) - half) / (length * (grown + length)))
        # The step need not wait for h: 1 + g·v/|g| loses its last digits, but the length forgives that.
        rough = unit.everywhere(unit.dot(pull, old)).times_plus(inverse, one)
        shrink = one / (growth + growth).times_plus(moves.where(rough, zero), one).sqrt()
        new = [(one + over).times_plus(t, v) * shrink for t, v in zip(towards, old, strict=True)]
    unit.store_row(vectors, row, new)
    unit.store_row(steps, r, [b - v for b, v in zip(new, old, strict=True)])
    (sofar,) = unit.load_row(decrease, row.type(0), 1)
    unit.store_row(decrease, row.type(0), [(norm + norm).times_plus(share, sofar)])


@emitted
def relax_adjoint(
    unit: Unit,
    size: int,
    tile: int,
    gram: Any,
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
    zero, one = unit.constant(0.0), unit.constant(1.0)
    row = unit.builder.add(first, r)
    pull = corrected(unit, size, tile, gram, first, base, target, steps, r)
    vector, old = unit.load_row(vectors, row, size), unit.load_row(adjoint, row, size)
    stiff = unit.load_spread(stiffness, row)
    far = one if omega is None else one + unit.spread(omega)
    scale = (stiff > zero).where(far / stiff, zero)
    along = unit.everywhere(unit.dot(pull, vector))
    rest = [stiff.times_plus(u, p) for u, p in zip(old, pull, strict=True)]
    step = [(along * v - x) * scale for v, x in zip(vector, rest, strict=True)]
    unit.store_row(adjoint, row, [u + d for u, d in zip(old, step, strict=True)])
    unit.store_row(steps, r, step)
    (sofar,) = unit.load_row(change, row.type(0), 1)
    unit.store_row(change, row.type(0), [stiff.times_plus(unit.dot(step, step), sofar)])


@njit(cache=True, nogil=True)
def pack(gram, rows, count, packed):
    """The Gram matrix of some variables, zero on its diagonal: packed[block, j, r] = gram[rows[j], row r]."""
    blocks, _, tile = packed.shape
    for block in range(blocks):
        for r in range(tile):
            i = block * tile + r
            if i < count:
                source = gram[rows[i]]
                for j in range(count):
                    packed[block, j, r] = source[rows[j]]
                packed[block, i, r] = 0
            else:
                packed[block, :count, r] = 0


@njit(cache=True, nogil=True)
def free_rows(known, variables, rows):
    """Writes which variables of one sample are free, and returns how many; variable 0 is the truth."""
    count = 0
    for i in range(1, variables):
        if i > len(known) or not known[i - 1]:
            rows[count] = i
            count += 1
    return count


@njit(cache=True, nogil=True)
def solve(
    size, tile, gram, start, known, sound, base, first, last, limit, tolerance, omega,
    packed, constant, target, steps, completed, vectors, norms, sweeps, converged,
):  # fmt: skip
    """Solves the samples first … last−1; see `mixing_torch.solve`. `base`: the pulls of what is known."""
    (variables, k), inputs = start.shape, known.shape[1]
    rows = np.empty(variables, np.int64)
    floor = np.empty(variables, gram.dtype)
    decrease = np.empty(vectors.shape[2], gram.dtype)
    for sample in range(first, last):
        if not sound[sample]:
            continue
        count = free_rows(known[sample], variables, rows)
        blocks = (count + len(tile) - 1) // len(tile)
        own_gram = packed[: blocks * count * len(tile)].reshape(blocks, count, len(tile))
        pack(gram, rows, count, own_gram)
        own, lengths = vectors[sample], norms[sample]
        for place in range(count):
            row = rows[place]
            floor[place] = gram[row, row] * np.finfo(gram.dtype).eps
            constant[place] = 0
            constant[place, 0], constant[place, 1] = base[sample, row, 0], base[sample, row, 1]
            own[place] = 0
            own[place, :k] = start[row]
        enough = 0.0
        for sweep in range(limit if count else 0):
            decrease[:] = 0
            for block in range(blocks):
                top = block * len(tile)
                block_pulls(size, tile, own_gram[block], own, target, count)
                for r in range(min(len(tile), count - top)):
                    relax(
                        size, tile, own_gram[block], top, constant, target, steps, floor, own, lengths,
                        decrease, r, omega,
                    )  # fmt: skip
            sweeps[sample] = sweep + 1
            if sweep == 0:
                enough = tolerance * decrease[0]
            if not (decrease[0] >= enough if sweep else decrease[0] > 0):
                converged[sample] = True
                break
        for place in range(count):
            if rows[place] <= inputs:
                rest = 0.0
                for q in range(1, k):
                    rest += own[place, q] ** 2
                angle = math.atan2(math.sqrt(rest), -own[place, 0]) / math.pi
                completed[sample, rows[place] - 1] = angle


@njit(cache=True, nogil=True)
def differentiate(
    size, tile, gram, known, sound, slope, begin, first, last, limit, tolerance, prox, omega,
    packed, constant, target, steps, adjoint, vectors, norms, sweeps, converged, left, right,
):  # fmt: skip
    """Adjoint of the samples first … last−1, into left[:, sample − begin]; their vectors into right.

    A negative tolerance takes each sample's number of sweeps from the forward pass.
    """
    variables, inputs = len(gram), known.shape[1]
    rows = np.empty(variables, np.int64)
    stiffness = np.empty(variables, gram.dtype)
    lanes = vectors.shape[2] // len(size)
    change = np.empty(lanes, gram.dtype)
    for sample in range(first, last):
        left[:, sample - begin] = 0
        if not sound[sample]:
            continue
        count = free_rows(known[sample], variables, rows)
        blocks = (count + len(tile) - 1) // len(tile)
        own_gram = packed[: blocks * count * len(tile)].reshape(blocks, count, len(tile))
        pack(gram, rows, count, own_gram)
        own = vectors[sample]
        for place in range(count):
            norm = norms[sample, place]
            stiffness[place] = norm + prox if norm > 0 else 0
            constant[place] = 0
            adjoint[place] = 0
            if norm > 0 and rows[place] <= inputs:
                rest = 0.0
                for q in range(1, vectors.shape[2]):
                    rest += own[place, q] ** 2
                if rest > 0:
                    rest = math.sqrt(rest)
                    push = slope[sample, rows[place] - 1] / math.pi
                    lean = -push * own[place, 0] / rest
                    for q in range(1, vectors.shape[2]):
                        constant[place, q] = lean * own[place, q]
                    constant[place, 0] = push * rest
        enough = 0.0
        for sweep in range(limit if count else 0):
            if tolerance < 0 and sweep >= sweeps[sample] - converged[sample]:
                break
            change[:] = 0
            for block in range(blocks):
                top = block * len(tile)
                block_pulls(size, tile, own_gram[block], adjoint, target, count)
                for r in range(min(len(tile), count - top)):
                    relax_adjoint(
                        size, tile, own_gram[block], top, constant, target, steps, stiffness, own, adjoint,
                        change, r, omega,
                    )  # fmt: skip
            total = 0.0
            for lane in range(lanes):
                total += change[lane]
            if sweep == 0:
                enough = tolerance * total
            if not (total >= enough if sweep else total > 0):
                break
        for place in range(count):
            left[rows[place], sample - begin] = adjoint[place]
            right[rows[place], sample - begin] = own[place]
