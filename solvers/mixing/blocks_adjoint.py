# ruff: noqa: ANN001, ANN201 -- numba infers types, and kernels take what they touch
# pyright: basic
"""The derivative of the mixing method for large layers; see `blocks` for how arrays are laid out."""

import math
from typing import Any

from numba import njit

from ...datasets.kernel_cache import kept
from .blocks import advance, begin_wide, block_pulls, corrected, pack
from .simd import KERNEL, Unit, clear, emitted


@emitted
def adjoint_rhs(
    unit: Unit,
    size: int,
    slope: Any,
    inputs: Any,
    rows: Any,
    vectors: Any,
    norms: Any,
    prox: Any,
    kink: Any,
    constant: Any,
    stiffness: Any,
    count: Any,
) -> None:
    """What drives the adjoint of each free variable, and how stiff it is; see `reference`."""
    single, builder = unit.single, unit.builder
    zero, one = single.constant(0.0), single.constant(1.0)
    first = unit.constants([1.0, *([0.0] * (unit.lanes - 1))])
    others = unit.constants([0.0, *([1.0] * (unit.lanes - 1))])
    with unit.loop(count) as place:
        column = builder.sub(unit.index(rows, place), count.type(1))
        asked = builder.icmp_unsigned("<", column, inputs)
        norm = single.load(norms, place)
        moves = norm > zero
        vector = unit.load_row(vectors, place, size)
        along = single.load(vectors, unit.offset(place, size * unit.lanes))
        across = [vector[0] * others, *vector[1:]]
        square = unit.sum(unit.dot(across, across))
        apart = square > single.spread(kink) * single.spread(kink)
        rest = apart.where(square, one).sqrt()
        there = single.wrap(builder.and_(asked, (moves & apart).value))
        slopes = single.load(slope, builder.select(asked, column, count.type(0)))
        push = there.where(slopes * single.constant(1 / math.pi), zero)
        lean = unit.spread((-(push * along / rest)).value)
        driven = [lean * v for v in across]
        driven[0] = unit.spread((push * rest).value).times_plus(first, driven[0])
        unit.store_row(constant, place, driven)
        single.store(stiffness, place, moves.where(norm + single.spread(prox), zero))


@emitted
def relax(
    unit: Unit,
    size: int,
    tile: int,
    inside: Any,
    first: Any,
    top: Any,
    height: Any,
    base: Any,
    target: Any,
    steps: Any,
    stiffness: Any,
    vectors: Any,
    adjoint: Any,
    change: Any,
    omega: Any,
) -> None:
    """A step of every variable of a block of the adjoint system; base holds what drives it."""
    single = unit.single
    zero, one = single.constant(0.0), single.constant(1.0)
    far = one if omega is None else one + single.spread(omega)
    with unit.loop(height) as r:
        row = unit.builder.add(top, r)
        pull = corrected(unit, size, tile, inside, first, base, target, steps, row, r)
        vector, old = unit.load_row(vectors, row, size), unit.load_row(adjoint, row, size)
        stiff = single.load(stiffness, row)
        scale = unit.spread((stiff > zero).where(far / stiff, zero).value)
        along, hard = unit.spread(unit.sum(unit.dot(pull, vector)).value), unit.spread(stiff.value)
        rest = [hard.times_plus(u, p) for u, p in zip(old, pull, strict=True)]
        step = [(along * v - x) * scale for v, x in zip(vector, rest, strict=True)]
        unit.store_row(adjoint, row, [u + d for u, d in zip(old, step, strict=True)])
        unit.store_row(steps, r, step)
        (sofar,) = unit.load_row(change, row.type(0), 1)
        unit.store_row(change, row.type(0), [hard.times_plus(unit.dot(step, step), sofar)])


@emitted
def spread(
    unit: Unit, size: int, packed: Any, rows: Any, target: Any, stride: Any, first: Any, count: Any
) -> None:
    """target[rows[i], first] = packed[i]; `stride` vectors stand in a row of target."""
    builder = unit.builder
    with unit.loop(count) as place:
        at = builder.add(builder.mul(unit.index(rows, place), stride), first)
        unit.store_row(target, at, unit.load_row(packed, place, size))


@kept
@njit(**KERNEL)
def differentiate(size, tile, layer, batch, slope, first, last, rule, solution, gathered, buffers, adjoint):
    """Adjoint of the samples first … last−1, gathered with their vectors; see `structs`."""
    gram, clauses, columns = layer.gram, layer.clauses, layer.columns
    packed, sums, constant, target = buffers.packed, buffers.sums, buffers.constant, buffers.pulls
    steps, inside, stiffness, register = buffers.steps, buffers.inside, buffers.scalars, buffers.register
    height, clause_count, gathered_count = len(tile), len(columns), gathered.adjoints.shape[1]
    for sample in range(first, last):
        if not batch.sound[sample]:
            continue
        count, rows, own = batch.counts[sample], batch.places[sample], solution.vectors[sample]
        wide = 2 * clause_count < count
        width = clause_count if wide else count
        source = clauses if wide else gram
        pack(
            tile, source, source.shape[1], rows, columns if wide else rows, width, not wide, packed, count
        )  # fmt: skip
        adjoint_rhs(
            size, slope[sample], slope.shape[1], rows, own, solution.norms[sample], rule.prox, rule.kink,
            constant, stiffness, count,
        )  # fmt: skip
        clear(adjoint, adjoint.size)
        if wide:
            clear(sums, sums.size)
        own_block, others = (inside, sums) if wide else (packed, adjoint)
        threshold = 0.0
        planned = solution.sweeps[sample] - solution.converged[sample]
        for sweep in range(rule.limit if count else 0):
            if rule.tolerance < 0 and sweep > 0 and sweep >= planned:
                break
            clear(register, len(register))
            for top in range(0, count, height):
                rest = count - top if count - top < height else height
                block_pulls(size, tile, packed, top * width, others, target, width)
                if wide:
                    begin_wide(size, tile, gram, len(gram), rows, top, rest, adjoint, target, steps, inside)
                relax(
                    size, tile, own_block, 0 if wide else top * (width + height), top, rest, constant, target,
                    steps, stiffness, own, adjoint, register, rule.relaxation,
                )  # fmt: skip
                if wide:
                    advance(size, tile, packed, top * width, steps, sums, width)
            change = 0.0
            for lane in range(len(register)):
                change += register[lane]
            if sweep == 0:
                threshold = rule.tolerance * change
            if not change > 0 or (sweep > 0 and change < threshold):
                break
        place = sample - gathered.begin
        spread(size, adjoint, rows, gathered.adjoints, gathered_count, place, count)
        spread(size, own, rows, gathered.vectors, gathered_count, place, count)
