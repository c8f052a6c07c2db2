# ruff: noqa: ANN001, ANN201 -- numba infers types, and kernels take what they touch
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

from typing import Any

from numba import njit

from ...datasets.kernel_cache import kept
from .simd import KERNEL, Register, Unit, clear, emitted

# From Sᵀ V a variable's pull on itself has to be subtracted, which leaves so many times the rounding.
WIDE_NOISE = 16.0


@emitted
def pack(
    unit: Unit,
    tile: int,
    source: Any,
    stride: Any,
    rows: Any,
    columns: Any,
    width: Any,
    square: Any,
    packed: Any,
    count: Any,
) -> None:
    """source[rows of a block, columns] as packed[block, column, row of it]; zeros beyond `count` rows.

    A square one, whose columns are its rows, has its diagonal left out as well.
    """
    builder, single = unit.builder, unit.single
    last = builder.sub(count, count.type(1))
    with (
        unit.loop(builder.udiv(builder.add(last, count.type(tile)), count.type(tile))) as block,
        unit.loop(count.type(tile)) as r,
    ):
        place = builder.add(unit.offset(block, tile), r)
        there = builder.icmp_unsigned("<", place, count)
        row = builder.mul(unit.index(rows, builder.select(there, place, last)), stride)
        start = builder.add(unit.offset(builder.mul(block, width), tile), r)
        with unit.loop(width) as j:
            number = single.load(source, builder.add(row, unit.index(columns, j)))
            own = builder.and_(square, builder.icmp_unsigned("==", j, place))
            kept = single.wrap(builder.and_(there, builder.not_(own)))
            single.store(
                packed, builder.add(start, unit.offset(j, tile)), kept.where(number, single.constant(0.0))
            )


@emitted
def begin(
    unit: Unit,
    size: int,
    start: Any,
    ground: Any,
    noise: Any,
    base: Any,
    rows: Any,
    vectors: Any,
    constant: Any,
    floor: Any,
    count: Any,
) -> None:
    """The free vectors at their start; what is known pulls on them; and the |g| that is only rounding."""
    single, zero = unit.single, unit.constant(0.0)
    with unit.loop(count) as place:
        row = unit.index(rows, place)
        unit.store_row(vectors, place, unit.load_row(start, row, size))
        unit.store_row(constant, place, [zero] * size)
        for q in range(2):
            at = unit.offset(place, size * unit.lanes, q)
            single.store(constant, at, single.load(base, unit.offset(row, 2, q)))
        single.store(floor, place, single.load(ground, row) * single.spread(noise))


@emitted
def block_pulls(
    unit: Unit, size: int, tile: int, gram: Any, first: Any, vectors: Any, target: Any, count: Any
) -> None:
    """target[r] = Σ_j gram[j, r] vectors[j] for the rows r of a block; all sums stay in registers."""

    def term(j: Any, sums: list[Register]) -> list[Register]:
        vector = unit.load_row(vectors, j, size)
        at = unit.builder.add(first, unit.offset(j, tile))
        weights = [unit.load_spread(gram, unit.builder.add(at, at.type(r))) for r in range(tile)]
        return [
            weights[place // size].times_plus(vector[place % size], total) for place, total in enumerate(sums)
        ]

    sums = unit.accumulate(count, [unit.constant(0.0)] * (tile * size), term)
    for r in range(tile):
        unit.store_row(target, count.type(r), sums[r * size : (r + 1) * size])


@emitted
def begin_sums(
    unit: Unit, size: int, tile: int, packed: Any, vectors: Any, sums: Any, width: Any, count: Any
) -> None:
    """sums[a] = Σ_i S[i, a] v_i: Sᵀ V of the free variables."""
    builder = unit.builder

    with unit.loop(width) as a:

        def term(i: Any, total: list[Register], a: Any = a) -> list[Register]:
            r = builder.urem(i, i.type(tile))
            at = builder.add(builder.mul(builder.sub(i, r), width), builder.add(unit.offset(a, tile), r))
            weight = unit.load_spread(packed, at)
            return [
                weight.times_plus(v, t) for v, t in zip(unit.load_row(vectors, i, size), total, strict=True)
            ]

        unit.store_row(sums, a, unit.accumulate(count, [unit.constant(0.0)] * size, term))


@emitted
def begin_wide(
    unit: Unit,
    size: int,
    tile: int,
    gram: Any,
    stride: Any,
    rows: Any,
    top: Any,
    height: Any,
    vectors: Any,
    target: Any,
    steps: Any,
    inside: Any,
) -> None:
    """Takes the pulls of a block's rows on themselves out of target; and packs the block's own products."""
    builder = unit.builder
    unit.clear(steps, top.type(tile * size * unit.lanes))
    with unit.loop(height) as r:
        row = builder.mul(unit.index(rows, builder.add(top, r)), stride)
        with unit.loop(height) as other:
            number = unit.single.load(gram, builder.add(row, unit.index(rows, builder.add(top, other))))
            unit.single.store(inside, builder.add(unit.offset(other, tile), r), number)
        weight = -unit.load_spread(inside, builder.mul(r, r.type(tile + 1)))
        own, pull = unit.load_row(vectors, builder.add(top, r), size), unit.load_row(target, r, size)
        unit.store_row(target, r, [weight.times_plus(v, p) for v, p in zip(own, pull, strict=True)])


@emitted
def advance(
    unit: Unit, size: int, tile: int, clauses: Any, first: Any, steps: Any, sums: Any, count: Any
) -> None:
    """sums[a] += Σ_r clauses[a, r] steps[r] over the rows r of a block: how Sᵀ V follows their steps."""
    moved = [unit.load_row(steps, count.type(r), size) for r in range(tile)]
    with unit.loop(count) as a:
        total, at = unit.load_row(sums, a, size), unit.builder.add(first, unit.offset(a, tile))
        for r in range(tile):
            weight = unit.load_spread(clauses, unit.builder.add(at, at.type(r)))
            total = [weight.times_plus(step, t) for step, t in zip(moved[r], total, strict=True)]
        unit.store_row(sums, a, total)


def corrected(
    unit: Unit,
    size: int,
    tile: int,
    inside: Any,
    first: Any,
    base: Any,
    target: Any,
    steps: Any,
    row: Any,
    r: Any,
) -> list[Register]:
    """The pull on row r of a block: base, the block's product, and the steps made in the block since."""
    sums = [
        fixed + pull
        for fixed, pull in zip(unit.load_row(base, row, size), unit.load_row(target, r, size), strict=True)
    ]
    begin = unit.builder.add(first, r)

    def term(earlier: Any, sums: list[Register]) -> list[Register]:
        weight = unit.load_spread(inside, unit.builder.add(begin, unit.offset(earlier, tile)))
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
    top: Any,
    height: Any,
    base: Any,
    target: Any,
    steps: Any,
    floor: Any,
    vectors: Any,
    norms: Any,
    decrease: Any,
    omega: Any,
) -> None:
    """A step of every variable of a block: towards −g/|g|, 1 + ω times as far (None: exactly there)."""
    single, begin = unit.single, top.type(0)
    zero, one = single.constant(0.0), single.constant(1.0)
    with unit.loop(height) as r:
        row = unit.builder.add(top, r)
        pull = corrected(unit, size, tile, inside, first, base, target, steps, row, r)
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
        single.store(decrease, begin, (norm + norm).times_plus(share, single.load(decrease, begin)))


@kept
@njit(**KERNEL)
def solve(size, tile, layer, batch, start, first, last, rule, solution, buffers):
    """Solves the samples first … last−1 into `solution`; see `reference.solve`, and `structs`."""
    gram, clauses, columns = layer.gram, layer.clauses, layer.columns
    packed, sums, constant, target = buffers.packed, buffers.sums, buffers.constant, buffers.pulls
    steps, inside, floor, decrease = buffers.steps, buffers.inside, buffers.scalars, buffers.register
    height, clause_count = len(tile), len(columns)
    for sample in range(first, last):
        if not batch.sound[sample]:
            continue
        count, rows = batch.counts[sample], batch.places[sample]
        own, norms = solution.vectors[sample], solution.norms[sample]
        wide = 2 * clause_count < count
        width = clause_count if wide else count
        source = clauses if wide else gram
        pack(
            tile, source, source.shape[1], rows, columns if wide else rows, width, not wide, packed, count
        )  # fmt: skip
        noise = start.noise if wide else 1.0
        begin(size, start.vectors, start.ground, noise, start.base[sample], rows, own, constant, floor, count)
        if wide:
            begin_sums(size, tile, packed, own, sums, width, count)
        own_block, others = (inside, sums) if wide else (packed, own)
        threshold = 0.0
        for sweep in range(rule.limit if count else 0):
            clear(decrease, len(decrease))
            for top in range(0, count, height):
                rest = count - top if count - top < height else height
                block_pulls(size, tile, packed, top * width, others, target, width)
                if wide:
                    begin_wide(size, tile, gram, len(gram), rows, top, rest, own, target, steps, inside)
                relax(
                    size, tile, own_block, 0 if wide else top * (width + height), top, rest, constant, target,
                    steps, floor, own, norms, decrease, rule.relaxation,
                )  # fmt: skip
                if wide:
                    advance(size, tile, packed, top * width, steps, sums, width)
            solution.sweeps[sample] = sweep + 1
            if sweep == 0:
                threshold = rule.tolerance * decrease[0]
            if not decrease[0] > 0 or (sweep > 0 and decrease[0] < threshold):
                solution.converged[sample] = True
                break
