# ruff: noqa: ANN001, ANN201, PLR0912 -- numba infers types; kernels take what they touch
# pyright: basic
"""The mixing method for small layers: a vector register holds one number of as many samples.

Nothing is summed across lanes, so there is no waste whatever k is, and 8 or 16 samples are solved in the
time of one. Samples of a group may differ in what is known: a variable is visited where it is free in some
sample of the batch, and does not move in the others. The vectors of a group stay in the cache.

Arrays of a group end in an axis of lanes: `vectors[row, component, lane]`, where rows are the variables that
are visited. `size` is a tuple of k numbers: its length is known when a kernel is compiled.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit

from ...datasets.kernel_cache import kept
from .simd import KERNEL, REGISTER_BYTES, REGISTERS, Register, Unit, clear, emitted
from .structs import LanesBuffers, LanesLayer

# cos πx and sin πx for |x| ≤ 1/2 by their power series; the last terms are below 1e-17.
COSINE = tuple((-1) ** i * math.pi ** (2 * i) / math.factorial(2 * i) for i in range(12))
SINE = tuple((-1) ** i * math.pi ** (2 * i + 1) / math.factorial(2 * i + 1) for i in range(12))
ARCTANGENT = tuple((-1) ** i / (2 * i + 1) for i in range(12))  # below tan(π/16): 1e-17


def pulls(unit: Unit, size: int, gram: Any, vectors: Any, row: Any, count: Any) -> list[Register]:
    """Σ gram[row, j] vectors[j] over j ≠ row, a register per component: as many at once as there is room."""
    builder = unit.builder
    first = builder.mul(row, count)
    beyond = builder.add(row, row.type(1))
    passes = -(-size // (REGISTERS // 2))
    edges = [size * i // passes for i in range(passes + 1)]

    def part(begin: int, end: int) -> list[Register]:
        def term(j: Any, sums: list[Register]) -> list[Register]:
            weight = unit.load_spread(gram, builder.add(first, j))
            at = [unit.offset(j, size * unit.lanes, q * unit.lanes) for q in range(begin, end)]
            return [
                weight.times_plus(unit.load(vectors, a), total) for a, total in zip(at, sums, strict=True)
            ]

        before = unit.accumulate(row, [unit.constant(0.0)] * (end - begin), term)
        behind = builder.sub(count, beyond)
        return unit.accumulate(behind, before, lambda j, sums: term(builder.add(beyond, j), sums))

    return [total for begin, end in pairwise(edges) for total in part(begin, end)]


@emitted
def sweep(
    unit: Unit,
    size: int,
    gram: Any,
    base: Any,
    floor: Any,
    free: Any,
    vectors: Any,
    norms: Any,
    decrease: Any,
    count: Any,
    omega: Any,
) -> None:
    """A step of every variable: towards −g/|g|, 1 + ω times as far (None: exactly there)."""
    zero, one = unit.constant(0.0), unit.constant(1.0)
    begin = count.type(0)
    unit.store_row(decrease, begin, [zero])
    with unit.loop(count) as row:
        pull = pulls(unit, size, gram, vectors, row, count)
        for q, fixed in enumerate(unit.load_row(base, row, 2)):
            pull[q] = pull[q] + fixed
        norm = unit.dot(pull, pull).sqrt()
        (here,) = unit.load_row(free, row, 1)
        moves = (norm > unit.load_spread(floor, row)) & (here > zero)
        unit.store_row(norms, row, [moves.where(norm, zero)])
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
        (sofar,) = unit.load_row(decrease, begin, 1)
        share = moves.where(share, zero)
        unit.store_row(decrease, begin, [(norm + norm).times_plus(share, sofar)])


@emitted
def pick(unit: Unit, kept: Any, owner: Any, length: Any, own: Any) -> None:
    """own[q, i] = kept[owner[i], q] for q < length: the numbers of each lane's sample move into the lane."""
    begins = [unit.builder.mul(unit.index(owner, length.type(i)), length) for i in range(unit.lanes)]
    _pick(unit, kept, begins, length, own)


def _pick(unit: Unit, kept: Any, begins: list[Any], length: Any, own: Any) -> None:
    with unit.loop(length) as q:
        for i, begin in enumerate(begins):
            number = unit.single.load(kept, unit.builder.add(begin, q))
            unit.single.store(own, unit.offset(q, unit.lanes, i), number)


@emitted
def gather(unit: Unit, kept: Any, owner: Any, length: Any, own: Any) -> None:
    """As `pick`, for many numbers: as many as there are lanes are transposed at a time."""
    builder, lanes = unit.builder, length.type(unit.lanes)
    begins = [builder.mul(unit.index(owner, length.type(i)), length) for i in range(unit.lanes)]
    with builder.if_else(builder.icmp_unsigned("<", length, lanes)) as (few, many):
        with few:
            _pick(unit, kept, begins, length, own)
        with many:
            last = builder.sub(length, lanes)
            with unit.loop(builder.udiv(builder.add(last, length.type(2 * unit.lanes - 1)), lanes)) as number:
                # What is left over at the end is turned with some that already was.
                first = builder.mul(number, lanes)
                first = builder.select(builder.icmp_unsigned("<", first, last), first, last)
                rows = [unit.load(kept, builder.add(begin, first)) for begin in begins]
                for q, row in enumerate(unit.transposed(rows)):
                    unit.store(own, builder.mul(builder.add(first, first.type(q)), lanes), row)


@emitted
def keep(unit: Unit, own: Any, lane: Any, kept: Any, sample: Any, length: Any) -> None:
    """kept[sample, q] = own[q, lane] for q < length: the numbers of a lane are kept with its sample."""
    first = unit.builder.mul(sample, length)
    with unit.loop(length) as q:
        number = unit.single.load(own, unit.builder.add(unit.offset(q, unit.lanes), lane))
        unit.single.store(kept, unit.builder.add(first, q), number)


@emitted
def embed(unit: Unit, bits: Any, known: Any, signs: Any, count: Any, embedded: Any, sound: Any) -> None:
    """The truth, and (−cos πz, sign · sin πz) of each known bit; zeros where a known bit is not finite.

    embedded[0] is the truth's, embedded[1 + j] that of bit j, zero where it is not known; `sound` is 1 or 0.
    """
    zero, one = unit.constant(0.0), unit.constant(1.0)

    def finite(j: Any, sofar: list[Register]) -> list[Register]:
        (bit,), (here,) = unit.load_row(bits, j, 1), unit.load_row(known, j, 1)
        return [(here > zero).where((one > bit - bit).where(sofar[0], zero), sofar[0])]

    (whole,) = unit.accumulate(count, [one], finite)
    unit.store_row(sound, count.type(0), [whole])
    unit.store_row(embedded, count.type(0), [whole, zero])
    with unit.loop(count) as j:
        (bit,), (here,) = unit.load_row(bits, j, 1), unit.load_row(known, j, 1)
        angle = bit - unit.constant(0.5)
        square = angle * angle
        cosine, sine = (unit.polynomial(square, series) for series in (COSINE, SINE))
        there, sign = (here * whole) > zero, unit.load_spread(signs, j)
        vector = [there.where(angle * sine, zero), there.where(sign * cosine, zero)]
        unit.store_row(embedded, unit.builder.add(j, j.type(1)), vector)


@emitted
def fixed_pull(
    unit: Unit,
    across: Any,
    embedded: Any,
    width: Any,
    known: Any,
    columns: Any,
    sound: Any,
    base: Any,
    free: Any,
    count: Any,
) -> None:
    """What is known pulls on each visited row; and the row is free where it is not known itself.

    `columns` are the bits of the rows; auxiliary ones have that after the last, which is never known.
    """
    zero = unit.constant(0.0)
    (whole,) = unit.load_row(sound, count.type(0), 1)
    unit.store_row(known, unit.builder.sub(width, width.type(1)), [zero])
    with unit.loop(count) as row:
        first = unit.builder.mul(row, width)

        def term(j: Any, sums: list[Register], first: Any = first) -> list[Register]:
            weight = unit.load_spread(across, unit.builder.add(first, j))
            pair = unit.load_row(embedded, j, 2)
            return [weight.times_plus(number, total) for number, total in zip(pair, sums, strict=True)]

        unit.store_row(base, row, unit.accumulate(width, [zero, zero], term))
        (here,) = unit.load_row(known, unit.index(columns, row), 1)
        unit.store_row(free, row, [(here > zero).where(zero, whole)])


@emitted
def load_sample(
    unit: Unit,
    size: int,
    begin: Any,
    base: Any,
    free: Any,
    source: Any,
    vectors: Any,
    pulling: Any,
    moving: Any,
    target: Any,
    count: Any,
) -> None:
    """Sample `source` of a group moves into lane `target`, its free vectors at their start, else 0."""
    single, builder = unit.single, unit.builder

    def move(old: Any, new: Any, row: Any, registers: int) -> None:
        for q in range(registers):
            at = unit.offset(row, registers * unit.lanes, q * unit.lanes)
            single.store(new, builder.add(at, target), single.load(old, builder.add(at, source)))

    with unit.loop(count) as row:
        move(base, pulling, row, 2)
        move(free, moving, row, 1)
        here = single.load(free, builder.add(unit.offset(row, unit.lanes), source))
        for q in range(size):
            at = builder.add(unit.offset(row, size * unit.lanes, q * unit.lanes), target)
            single.store(vectors, at, single.load(begin, unit.offset(row, size, q)) * here)


@emitted
def read(
    unit: Unit, size: int, vectors: Any, columns: Any, known: Any, inputs: Any, bits: Any, count: Any
) -> None:
    """Fills in the bits that are not known: the angle to the negated truth, in half turns.

    tan(θ/2) = sin θ/(1 + cos θ), halved twice again. Where there is no vector the sample was not sound.
    """
    zero, one, nothing = unit.constant(0.0), unit.constant(1.0), unit.constant(math.nan)
    with unit.loop(count) as row:
        column = unit.index(columns, row)
        with unit.builder.if_then(unit.builder.icmp_unsigned("<", column, inputs)):
            vector = unit.load_row(vectors, row, size)
            along, square = vector[0], unit.dot(vector[1:], vector[1:])
            tangent = square.sqrt() / (one + unit.call("llvm.fabs", along))
            for _ in range(2):
                tangent /= one + tangent.times_plus(tangent, one).sqrt()
            half = unit.constant(8 / math.pi) * tangent * unit.polynomial(tangent * tangent, ARCTANGENT)
            answer = (along > zero).where(one - half, half)
            answer = (along.times_plus(along, square) > zero).where(answer, nothing)
            (bit,), (here,) = unit.load_row(bits, column, 1), unit.load_row(known, column, 1)
            unit.store_row(bits, column, [(here > zero).where(bit, answer)])


@kept
@njit(**KERNEL)
def solve(
    size, layer, bits, first, last, rule, completed, kept_vectors, kept_norms, sweeps, converged, buffers
):
    """Solves the samples first … last−1 of a step; see `reference.solve`, and `structs` for the rest.

    A lane whose sample is done takes the next one: `owner` is the sample of each lane, or −1. The next
    ones are made ready by the `group`.
    """
    columns, known = layer.columns, layer.known
    vectors, norms, base, free = buffers.vectors, buffers.norms, buffers.base, buffers.free
    embedded, own_bits, own_known = buffers.embedded, buffers.bits, buffers.known
    decrease, threshold, sound = buffers.decrease, buffers.threshold, buffers.sound
    owner, group = buffers.owner, buffers.group
    inputs, lanes, rows = bits.shape[1], len(owner), len(columns)
    clear(vectors, vectors.size)
    clear(base, base.size)
    clear(free, free.size)
    for i in range(lanes):
        owner[i] = -1
    waiting, left = first, last - first
    while left:
        for i in range(lanes):
            if owner[i] < 0 and waiting < last:
                source = (waiting - first) % lanes
                if source == 0:
                    for j in range(lanes):
                        group[j] = waiting + j if waiting + j < last else waiting
                    pick(bits, group, inputs, own_bits)
                    pick(known, group, inputs, own_known)
                    embed(own_bits, own_known, layer.signs, inputs, embedded, sound)
                    fixed_pull(
                        layer.across, embedded, 1 + inputs, own_known, columns, sound, buffers.group_base,
                        buffers.group_free, rows,
                    )  # fmt: skip
                load_sample(
                    size, layer.start, buffers.group_base, buffers.group_free, source, vectors, base, free, i,
                    rows,
                )  # fmt: skip
                owner[i] = waiting
                waiting += 1
        sweep(size, layer.gram, base, layer.floor, free, vectors, norms, decrease, rows, rule.relaxation)
        for i in range(lanes):
            sample = owner[i]
            if sample < 0:
                continue
            count = sweeps[sample]
            if count == 0:
                threshold[i] = rule.tolerance * decrease[i]
            more = decrease[i] > 0 and (count == 0 or decrease[i] >= threshold[i])
            sweeps[sample] = count + 1
            if not more or count + 1 == rule.limit:
                converged[sample] = not more
                keep(vectors, i, kept_vectors, sample, rows * len(size))
                keep(norms, i, kept_norms, sample, rows)
                owner[i] = -1
                left -= 1
    for offset in range(first, last, lanes):
        for i in range(lanes):
            owner[i] = offset + i if offset + i < last else offset
        gather(kept_vectors, owner, rows * len(size), vectors)
        pick(bits, owner, inputs, own_bits)
        pick(known, owner, inputs, own_known)
        read(size, vectors, columns, own_known, inputs, own_bits, rows)
        for i in range(lanes):
            keep(own_bits, i, completed, owner[i], inputs)


@kept
@njit(**KERNEL)
def take(floats, used, count):
    """So many floats of a workspace, and how many are used by then."""
    return floats[used : used + count], used + count


@kept
@njit(**KERNEL)
def read_layer(size, gram, start, known, first, last, floats, used, whole):
    """The layer as the kernels see it, in a workspace: what is visited is free in some sample of the batch.

    `whole` holds, from its start on, the visited rows and their columns, each with room for all variables.
    """
    samples, inputs, variables = known.shape[0], known.shape[1], len(gram)
    rows, columns = whole[:variables], whole[variables : 2 * variables]
    visited = 0
    for column in range(variables - 1):
        free = column >= inputs
        sample = 0
        while not free and sample < samples:
            free = not known[sample, column]
            sample += 1
        if free:
            rows[visited] = column + 1
            columns[visited] = min(column, inputs)
            visited += 1
    rows, columns = rows[:visited], columns[:visited]
    width, k = 1 + inputs, len(size)
    packed, used = take(floats, used, visited * visited)
    across, used = take(floats, used, visited * width)
    floor, used = take(floats, used, visited)
    begin, used = take(floats, used, visited * k)
    signs, used = take(floats, used, inputs)
    told, used = take(floats, used, samples * inputs)
    eps = np.finfo(gram.dtype).eps
    for i in range(visited):
        row = rows[i]
        for j in range(visited):
            packed[i * visited + j] = gram[row, rows[j]]
        floor[i] = packed[i * visited + i] * eps
        packed[i * visited + i] = 0
        for j in range(width):
            across[i * width + j] = gram[row, j]
        for q in range(k):
            begin[i * k + q] = start[row, q]
    for j in range(inputs):
        signs[j] = -1 if start[1 + j, 1] < 0 else 1
    for sample in range(first, last):
        for j in range(inputs):
            told[sample * inputs + j] = known[sample, j]
    return LanesLayer(packed, across, floor, begin, rows, columns, signs, told), used


@kept
@njit(**KERNEL)
def forward(size, gram, start, bits, known, rounded, first, last, rule, solution, floats, whole):
    """The samples first … last−1, step after step, in one call; tells how many variables are visited.

    The first bit of each step but the first is filled in from the last bit of the one before.
    """
    (steps, samples, inputs), variables, k = bits.shape, len(gram), len(size)
    lanes = REGISTER_BYTES // gram.itemsize
    visited = variables - 1  # room for all of them comes before what follows, so that registers stay aligned
    used = lanes * (visited * (k + 7) + 4 * inputs + 6)
    layer, _ = read_layer(size, gram, start, known, first, last, floats, used, whole)
    visited = len(layer.rows)
    group_base, used = take(floats, 0, visited * 2 * lanes)
    group_free, used = take(floats, used, visited * lanes)
    vectors, used = take(floats, used, visited * k * lanes)
    norms, used = take(floats, used, visited * lanes)
    base, used = take(floats, used, visited * 2 * lanes)
    free, used = take(floats, used, visited * lanes)
    embedded, used = take(floats, used, (1 + inputs) * 2 * lanes)
    own_bits, used = take(floats, used, inputs * lanes)
    own_known, used = take(floats, used, (1 + inputs) * lanes)
    decrease, used = take(floats, used, lanes)
    threshold, used = take(floats, used, lanes)
    sound, used = take(floats, used, lanes)
    owner = whole[2 * variables : 2 * variables + lanes]
    group = whole[2 * variables + lanes : 2 * variables + 2 * lanes]
    buffers = LanesBuffers(
        group_base, group_free, vectors, norms, base, free, embedded, own_bits, own_known, decrease,
        threshold, sound, owner, group,
    )  # fmt: skip
    for step in range(steps):
        if step:
            for sample in range(first, last):
                state = solution.completed[step - 1, sample, inputs - 1]
                if rounded:
                    bits[step, sample, 0] = 1 if state > 0.5 else 0
                else:
                    bits[step, sample, 0] = state
        place = step * samples * visited
        solve(
            size, layer, bits[step], first, last, rule, solution.completed[step],
            solution.vectors[place * k :], solution.norms[place:], solution.sweeps[step],
            solution.converged[step], buffers,
        )  # fmt: skip
    return visited
