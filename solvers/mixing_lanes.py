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


@emitted
def clear(unit: Unit, data: Any, count: Any) -> None:
    """Zeros into the first `count` numbers of an array: less to compile than an assignment."""
    unit.clear(data, count)


@emitted
def gather(unit: Unit, kept: Any, owner: Any, length: Any, own: Any) -> None:
    """own[q, i] = kept[owner[i], q] for q < length: the numbers of each lane's sample move into the lane."""
    lanes = length.type(unit.lanes)
    begins = [
        unit.builder.mul(unit.builder.load(unit.builder.gep(owner, [length.type(i)])), length)
        for i in range(unit.lanes)
    ]

    def square(first: Any) -> None:
        rows = [unit.load(kept, unit.builder.add(begin, first)) for begin in begins]
        for q, row in enumerate(unit.transposed(rows)):
            unit.store(own, unit.builder.mul(unit.builder.add(first, first.type(q)), lanes), row)

    with unit.loop(unit.builder.udiv(length, lanes)) as number:
        square(unit.builder.mul(number, lanes))
    # What is left is turned with some that already was, or, where there is less than a square, one by one.
    few = unit.builder.icmp_unsigned("<", length, lanes)
    with unit.builder.if_else(few) as (then, otherwise):
        with then, unit.loop(length) as q:
            for i, begin in enumerate(begins):
                number = unit.single.load(kept, unit.builder.add(begin, q))
                at = unit.builder.add(unit.builder.mul(q, lanes), q.type(i))
                unit.single.store(own, at, number)
        with otherwise:
            square(unit.builder.sub(length, lanes))


@emitted
def lean(unit: Unit, size: int, vectors: Any, push: Any, kink: Any, drive: Any, row: Any) -> None:
    """What drives the adjoint of a row that is pushed towards the truth: `push` times its unit tangent."""
    zero = unit.constant(0.0)
    vector = unit.load_row(vectors, row, size)
    square = unit.dot(vector[1:], vector[1:])
    apart = square > unit.spread(kink) * unit.spread(kink)
    rest = apart.where(square, unit.constant(1.0)).sqrt()
    (pushed,) = unit.load_row(push, row.type(0), 1)
    pushed = apart.where(pushed, zero)
    unit.store_row(drive, row, [pushed * rest, -(pushed * vector[0] / rest)])


@njit(**KERNEL)
def visit(known, rows):
    """Fills in the variables that are free in some sample, and tells how many they are."""
    (samples, inputs), count = known.shape, 0
    for row in range(1, len(rows)):
        free = row > inputs
        for sample in range(samples):
            if free:
                break
            free = not known[sample, row - 1]
        if free:
            rows[count] = row
            count += 1
    return count


@njit(**PART)
def pack(gram, rows, packed):
    """The Gram matrix of the visited rows; their own squares stay in its diagonal."""
    for i in range(len(rows)):
        for j in range(len(rows)):
            packed[i, j] = gram[rows[i], rows[j]]


@njit(**PART)
def prepare(gram, signs, bits, known, rows, offset, here, free, completed, fixed, base, lane, mask, sound):
    """Embeds what is known of `here` samples from `offset` on, and sums its pulls on the visited rows."""
    inputs, variables, lanes = bits.shape[1], len(gram), len(sound)
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


@njit(**PART)
def begin(start, rows, free, base, source, own, lengths, here, pulling, target):
    """Sample `source` of a group moves into lane `target`, its free vectors at their start."""
    for place in range(len(rows)):
        lengths[place, target], here[place, target] = 0, free[place, source]
        for q in range(2):
            pulling[place, q, target] = base[place, q, source]
        for q in range(start.shape[1]):
            own[place, q, target] = start[rows[place], q] * free[place, source]


@njit(**PART)
def keep(own, lane, kept):
    """The vectors of a lane are kept with its sample."""
    for place in range(kept.shape[0]):
        for q in range(kept.shape[1]):
            kept[place, q] = own[place, q, lane]


@njit(**KERNEL)
def solve(
    size, gram, start, bits, known, rows, rounded, first, last, limit, tolerance, omega, epsilon,
    completed, vectors, norms, fixed, sweeps, converged, packed, floor, base, free, own, lengths, pulling,
    moving, held, signs, registers, owner,
):  # fmt: skip
    """Solves the samples first … last−1, step after step; see `mixing_torch.solve`.

    The first axis of bits and of the results is that of steps. The first bit of each step but the first
    is filled in from the last bit of the one before, `rounded` or not. A lane whose sample is done takes
    the next one: `owner` is the sample of each lane, or −1.
    """
    inputs, lanes, visited = bits.shape[2], len(owner), len(rows)
    active, decrease, enough = registers[0], registers[1], registers[2]
    lane, mask, sound = registers[3], registers[4], registers[5]
    pack(gram, rows, packed)
    for place in range(visited):
        floor[place] = packed[place, place] * epsilon
        packed[place, place] = 0
    for row in range(len(start)):
        signs[row] = -1 if start[row, 1] < 0 else 1
    clear(own, own.size)
    for step in range(len(bits)):
        if step:
            for sample in range(first, last):
                state = completed[step - 1, sample, inputs - 1]
                bits[step, sample, 0] = state > 0.5 if rounded else state
        clear(active, lanes)
        for i in range(lanes):
            owner[i] = -1
        waiting, left = first, last - first
        while left:
            for i in range(lanes):
                if owner[i] < 0 and waiting < last:
                    source = (waiting - first) % lanes
                    if source == 0:
                        here = min(lanes, last - waiting)
                        prepare(
                            gram, signs, bits[step], known, rows, waiting, here, free, completed[step],
                            held, base, lane, mask, sound,
                        )  # fmt: skip
                        for j in range(here):
                            keep(held, j, fixed[step, waiting + j])
                    begin(start, rows, free, base, source, own, lengths, moving, pulling, i)
                    owner[i], active[i] = waiting, sound[source]
                    waiting += 1
            clear(decrease, lanes)
            for place in range(visited):
                relax(
                    size, packed, pulling, floor, moving, active, own, lengths, decrease, place, visited,
                    omega,
                )  # fmt: skip
            for i in range(lanes):
                sample = owner[i]
                if sample < 0:
                    continue
                if sweeps[step, sample] == 0:
                    enough[i] = tolerance * decrease[i]
                more = decrease[i] > 0 and (sweeps[step, sample] == 0 or decrease[i] >= enough[i])
                sweeps[step, sample] += 1
                if not more or sweeps[step, sample] == limit:
                    converged[step, sample] = not more
                    keep(own, i, vectors[step, sample])
                    for place in range(visited):
                        norms[step, sample, place] = lengths[place, i]
                    owner[i], active[i] = -1, 0
                    left -= 1
        for offset in range(first, last, lanes):
            here = min(lanes, last - offset)
            for i in range(lanes):
                owner[i] = min(offset + i, last - 1)
            gather(vectors[step], owner, visited * start.shape[1], own)
            for place in range(visited):
                column = rows[place] - 1
                if column < inputs:
                    read(size, own, place, lane)
                    for i in range(here):
                        # The truth is embedded where all that is known of a sample is finite.
                        if not known[offset + i, column] and fixed[step, offset + i, 0, 0] > 0:
                            completed[step, offset + i, column] = lane[i]


@njit(**PART)
def line_up(sweeps, first, last, order, places):
    """Puts the samples first … last−1 in the order of their sweeps, of which there are less than places."""
    for count in range(len(places)):
        places[count] = 0
    for sample in range(first, last):
        places[sweeps[sample] + 1] += 1
    for count in range(1, len(places)):
        places[count] += places[count - 1]
    for sample in range(first, last):
        order[places[sweeps[sample]]] = sample
        places[sweeps[sample]] += 1


@njit(**PART)
def stiffen(owner, here, slope, column, norms, place, prox, push, stiffness):
    """How stiff the adjoint of one visited row is in each lane, and how hard it is pushed."""
    for i in range(len(owner)):
        stiffness[i], push[i] = 0, 0
        if i < here and norms[owner[i], place] > 0:
            stiffness[i] = norms[owner[i], place] + prox
            if column < slope.shape[1]:
                push[i] = slope[owner[i], column] / math.pi


@njit(**KERNEL)
def differentiate(
    size, gram, start, known, rows, slope, vectors, norms, fixed, sweeps, converged, first, last,
    limit, tolerance, prox, omega, kink, products, to_bits,
    packed, across, among, towards, own, held, adjoint, drive, stiffness, pull, registers, owner, order,
    places,
):  # fmt: skip
    """Adjoint of the samples first … last−1, last step first; adds Σ U Vᵀ to `products`.

    See `mixing_torch.differentiate`; the first axis of slope and of the results is that of steps. Lanes
    are filled in the `order` of the forward sweeps, so that samples of about as many stand together.

    A negative tolerance takes each sample's number of sweeps from the forward pass. `among` and `towards`
    hold the products lane by lane.
    """
    inputs, lanes, k = slope.shape[2], len(owner), vectors.shape[3]
    variables, visited = len(gram), len(rows)
    active, change, enough, push = registers[0], registers[1], registers[2], registers[3]
    pack(gram, rows, packed)
    clear(among, among.size)
    clear(towards, towards.size)
    for place in range(visited):
        packed[place, place] = 0
        for j in range(variables):
            across[j, place] = gram[j, rows[place]]
    for step in range(len(slope) - 1, -1, -1):
        if step < len(slope) - 1:
            for sample in range(first, last):
                slope[step, sample, inputs - 1] = to_bits[step + 1, sample, 0]
        line_up(sweeps[step], first, last, order, places)
        for offset in range(0, last - first, lanes):
            here = min(lanes, last - first - offset)
            for i in range(lanes):
                owner[i] = order[offset + min(i, here - 1)]
            gather(vectors[step], owner, visited * k, own)
            gather(fixed[step], owner, 2 * variables, held)
            clear(adjoint, adjoint.size)
            clear(active, lanes)
            for place in range(visited):
                stiffen(
                    owner,
                    here,
                    slope[step],
                    rows[place] - 1,
                    norms[step],
                    place,
                    prox,
                    push,
                    stiffness[place],
                )
                lean(size, own, push, kink, drive, place)
                for i in range(lanes):
                    active[i] = max(active[i], stiffness[place, i] > 0)
            going = visited
            for sweep in range(limit):
                if not going:
                    break
                clear(change, lanes)
                for place in range(visited):
                    relax_adjoint(
                        size, packed, own, drive, stiffness, active, adjoint, change, place, visited, omega,
                    )  # fmt: skip
                going = 0
                for i in range(lanes):
                    if active[i]:
                        if sweep == 0:
                            enough[i] = tolerance * change[i]
                        if tolerance < 0:
                            more = sweep + 1 < sweeps[step, owner[i]] - converged[step, owner[i]]
                        else:
                            more = change[i] > 0 and (sweep == 0 or change[i] >= enough[i])
                        active[i] = more
                        going += more
            for place in range(visited):
                outer(size, adjoint, place * k * lanes, own, k * lanes, among[place], visited)
                outer((0, 0), adjoint, place * k * lanes, held, 2 * lanes, towards[place], variables)
            for j in range(inputs):
                combine((0, 0), across, (1 + j) * visited, adjoint, k * lanes, pull, 0, visited)
                for i in range(here):
                    sample = owner[i]
                    if known[sample, j]:
                        turn = held[1 + j, 1, i] * pull[0, i] - held[1 + j, 0, i] * pull[1, i]
                        turn *= -math.pi if start[1 + j, 1] < 0 else math.pi
                        to_bits[step, sample, j] = slope[step, sample, j] + turn
    for place in range(visited):
        for j in range(variables):
            for i in range(lanes):
                products[rows[place], j] += towards[place, j, i]
        for j in range(visited):
            for i in range(lanes):
                products[rows[place], rows[j]] += among[place, j, i]
