# ruff: noqa: ANN001, ANN201 -- numba infers types; kernels take what they touch
# pyright: basic
"""The derivative of the mixing method for small layers; see `lanes` for how arrays are laid out."""

import math
from typing import Any

from numba import njit

from ...datasets.kernel_cache import kept
from .lanes import embed, gather, keep, pick, pulls, read_layer, take
from .simd import KERNEL, REGISTER_BYTES, Register, Unit, clear, emitted
from .structs import LanesAdjointBuffers


@emitted
def adjoint_rhs(
    unit: Unit,
    size: int,
    vectors: Any,
    norms: Any,
    slopes: Any,
    columns: Any,
    inputs: Any,
    here: Any,
    prox: Any,
    kink: Any,
    rhs: Any,
    stiffness: Any,
    active: Any,
    count: Any,
) -> None:
    """What drives the adjoint of each row towards the truth, and how stiff it is, in the first `here` lanes.

    Two numbers per row: what drives the first component, and what, times v, the others: the slope over π
    times the unit tangent of `reference`.
    """
    zero, one = unit.constant(0.0), unit.constant(1.0)
    numbers = unit.constants([float(i) for i in range(unit.lanes)])
    present = unit.spread(unit.builder.sitofp(here, unit.scalar)) > numbers
    unit.store_row(slopes, inputs, [zero])  # of the auxiliary bits
    unit.store_row(active, count.type(0), [zero])
    with unit.loop(count) as row:
        (norm,) = unit.load_row(norms, row, 1)
        moves = (norm > zero) & present
        vector = unit.load_row(vectors, row, size)
        square = unit.dot(vector[1:], vector[1:])
        apart = square > unit.spread(kink) * unit.spread(kink)
        rest = apart.where(square, one).sqrt()
        (slope,) = unit.load_row(slopes, unit.index(columns, row), 1)
        push = (moves & apart).where(slope * unit.constant(1 / math.pi), zero)
        unit.store_row(rhs, row, [push * rest, -(push * vector[0] / rest)])
        unit.store_row(stiffness, row, [moves.where(norm + unit.spread(prox), zero)])
        (sofar,) = unit.load_row(active, row.type(0), 1)
        unit.store_row(active, row.type(0), [moves.where(one, sofar)])


@emitted
def sweep(
    unit: Unit,
    size: int,
    gram: Any,
    vectors: Any,
    rhs: Any,
    stiffness: Any,
    active: Any,
    adjoint: Any,
    change: Any,
    count: Any,
    omega: Any,
) -> None:
    """A step of every variable of the adjoint system, in the lanes that are active."""
    zero, one = unit.constant(0.0), unit.constant(1.0)
    begin = count.type(0)
    far = one if omega is None else one + unit.spread(omega)
    unit.store_row(change, begin, [zero])
    with unit.loop(count) as row:
        pull = pulls(unit, size, gram, adjoint, row, count)
        vector, old = unit.load_row(vectors, row, size), unit.load_row(adjoint, row, size)
        (stiff,), (going,) = unit.load_row(stiffness, row, 1), unit.load_row(active, begin, 1)
        truth, lean = unit.load_row(rhs, row, 2)
        along = -unit.dot(pull, vector)
        pull[0] += truth
        scale = ((stiff > zero) & (going > zero)).where(far / stiff, zero)
        turns = [along, *([along + lean] * (size - 1))]
        step = [
            -(turn.times_plus(v, p) + stiff * u) * scale
            for turn, p, v, u in zip(turns, pull, vector, old, strict=True)
        ]
        unit.store_row(adjoint, row, [u + d for u, d in zip(old, step, strict=True)])
        (sofar,) = unit.load_row(change, begin, 1)
        unit.store_row(change, begin, [stiff.times_plus(unit.dot(step, step), sofar)])


@emitted
def multiply(
    unit: Unit,
    size: int,
    adjoint: Any,
    vectors: Any,
    embedded: Any,
    width: Any,
    among: Any,
    towards: Any,
    count: Any,
) -> None:
    """among[i, j] += u_i · v_j of the visited rows, towards[i, j] += u_i · v_j of what is known."""

    def gain(row: Any, left: list[Register], right: Any, target: Any, length: Any) -> None:
        first = unit.builder.mul(row, length)
        with unit.loop(length) as j:
            at = unit.builder.add(first, j)
            (sofar,) = unit.load_row(target, at, 1)
            unit.store_row(target, at, [sofar + unit.dot(left, unit.load_row(right, j, len(left)))])

    with unit.loop(count) as row:
        left = unit.load_row(adjoint, row, size)
        gain(row, left, vectors, among, count)
        gain(row, left[:2], embedded, towards, width)


@emitted
def turn(
    unit: Unit,
    size: int,
    back: Any,
    adjoint: Any,
    embedded: Any,
    known: Any,
    signs: Any,
    slopes: Any,
    inputs: Any,
    count: Any,
) -> None:
    """The slopes of known bits: their own, and what comes from the rows that they pull on; else 0."""
    zero, pi = unit.constant(0.0), unit.constant(math.pi)
    with unit.loop(inputs) as j:
        first = unit.builder.mul(j, count)

        def term(row: Any, sums: list[Register], first: Any = first) -> list[Register]:
            weight = unit.load_spread(back, unit.builder.add(first, row))
            pair = [unit.load(adjoint, unit.offset(row, size * unit.lanes, q * unit.lanes)) for q in (0, 1)]
            return [weight.times_plus(number, total) for number, total in zip(pair, sums, strict=True)]

        pull = unit.accumulate(count, [zero, zero], term)
        vector = unit.load_row(embedded, unit.builder.add(j, j.type(1)), 2)
        turned = (vector[1] * pull[0] - vector[0] * pull[1]) * (unit.load_spread(signs, j) * pi)
        (slope,), (here,) = unit.load_row(slopes, j, 1), unit.load_row(known, j, 1)
        unit.store_row(slopes, j, [(here > zero).where(slope + turned, zero)])


@kept
@njit(**KERNEL)
def differentiate(
    size,
    layer,
    back,
    slope,
    completed,
    kept_vectors,
    kept_norms,
    sweeps,
    converged,
    order,
    rule,
    to_bits,
    buffers,
):
    """Adjoint of the samples of an order, that of their forward sweeps: like stand together in a group.

    See `reference.differentiate`, and `structs`. Adds the products up lane by lane.
    """
    columns, known = layer.columns, layer.known
    vectors, norms, adjoint, rhs = buffers.vectors, buffers.norms, buffers.adjoint, buffers.rhs
    stiffness, slopes, embedded = buffers.stiffness, buffers.slopes, buffers.embedded
    bits, own_known, owner = buffers.bits, buffers.known, buffers.owner
    active, change, threshold = buffers.active, buffers.change, buffers.threshold
    inputs, lanes, rows, samples = slope.shape[1], len(owner), len(columns), len(order)
    clear(buffers.among, buffers.among.size)
    clear(buffers.towards, buffers.towards.size)
    for offset in range(0, samples, lanes):
        here = lanes if offset + lanes < samples else samples - offset
        for i in range(lanes):
            owner[i] = order[offset + i if i < here else offset]
        gather(kept_vectors, owner, rows * len(size), vectors)
        pick(kept_norms, owner, rows, norms)
        pick(slope, owner, inputs, slopes)
        pick(completed, owner, inputs, bits)
        pick(known, owner, inputs, own_known)
        embed(bits, own_known, layer.signs, inputs, embedded, change)
        adjoint_rhs(
            size, vectors, norms, slopes, columns, inputs, here, rule.prox, rule.kink, rhs, stiffness, active,
            rows,
        )  # fmt: skip
        clear(adjoint, adjoint.size)
        going = rows
        count = 0
        while going and count < rule.limit:
            sweep(size, layer.gram, vectors, rhs, stiffness, active, adjoint, change, rows, rule.relaxation)
            going = 0
            for i in range(lanes):
                if active[i]:
                    if count == 0:
                        threshold[i] = rule.tolerance * change[i]
                    if rule.tolerance < 0:
                        more = count + 1 < sweeps[owner[i]] - converged[owner[i]]
                    else:
                        more = change[i] > 0 and (count == 0 or change[i] >= threshold[i])
                    active[i] = more
                    going += more
            count += 1
        multiply(size, adjoint, vectors, embedded, 1 + inputs, buffers.among, buffers.towards, rows)
        turn(size, back, adjoint, embedded, own_known, layer.signs, slopes, inputs, rows)
        for i in range(here):
            keep(slopes, i, to_bits, owner[i], inputs)


@kept
@njit(**KERNEL)
def sort_by_sweeps(sweeps, first, last, order, counts):
    """The samples first … last−1 by how many sweeps they took, like ones in their order."""
    counts[:] = 0
    for sample in range(first, last):
        counts[sweeps[sample] + 1] += 1
    for i in range(1, len(counts)):
        counts[i] += counts[i - 1]
    for sample in range(first, last):
        order[counts[sweeps[sample]]] = sample
        counts[sweeps[sample]] += 1


@kept
@njit(**KERNEL)
def add_lanes(lanes, numbers, at):
    """The sum of a register's lanes, in the order that NumPy adds them in."""
    if lanes < 8:
        total = numbers[at]
        for i in range(1, lanes):
            total += numbers[at + i]
        return total
    if lanes == 8:
        a, b, c, d = numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]
        e, f, g, h = numbers[at + 4], numbers[at + 5], numbers[at + 6], numbers[at + 7]
    else:
        a, b = numbers[at] + numbers[at + 8], numbers[at + 1] + numbers[at + 9]
        c, d = numbers[at + 2] + numbers[at + 10], numbers[at + 3] + numbers[at + 11]
        e, f = numbers[at + 4] + numbers[at + 12], numbers[at + 5] + numbers[at + 13]
        g, h = numbers[at + 6] + numbers[at + 14], numbers[at + 7] + numbers[at + 15]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@kept
@njit(**KERNEL)
def backward(size, gram, start, slope, known, first, last, rule, solution, to_bits, products, floats, whole):
    """The samples first … last−1, step before step, from the slope of the last, in one call.

    Adds Σ u v to `products`. Of a step but the last only what comes back to its last bit counts.
    """
    (steps, samples, inputs), variables, k = slope.shape, len(gram), len(size)
    lanes = REGISTER_BYTES // gram.itemsize
    rest = variables - 1
    used = lanes * (rest * (rest + inputs + 2 * k + 5) + 5 * inputs + 7)
    layer, used = read_layer(size, gram, start, known, first, last, floats, used, whole)
    visited = len(layer.rows)
    back, used = take(floats, used, inputs * visited)
    for j in range(inputs):
        for i in range(visited):
            back[j * visited + i] = layer.across[i * (1 + inputs) + 1 + j]
    among, used = take(floats, 0, visited * visited * lanes)
    towards, used = take(floats, used, visited * (1 + inputs) * lanes)
    vectors, used = take(floats, used, visited * k * lanes)
    norms, used = take(floats, used, visited * lanes)
    adjoint, used = take(floats, used, visited * k * lanes)
    embedded, used = take(floats, used, (1 + inputs) * 2 * lanes)
    rhs, used = take(floats, used, visited * 2 * lanes)
    stiffness, used = take(floats, used, visited * lanes)
    slopes, used = take(floats, used, (1 + inputs) * lanes)
    bits, used = take(floats, used, inputs * lanes)
    own_known, used = take(floats, used, (1 + inputs) * lanes)
    active, used = take(floats, used, lanes)
    change, used = take(floats, used, lanes)
    threshold, used = take(floats, used, lanes)
    place = 2 * variables
    owner, order = whole[place : place + lanes], whole[place + lanes : place + lanes + last - first]
    counts = whole[place + lanes + samples :]
    buffers = LanesAdjointBuffers(
        among, towards, vectors, norms, adjoint, embedded, rhs, stiffness, slopes, bits, own_known, active,
        change, threshold, owner,
    )  # fmt: skip
    for step in range(steps - 1, -1, -1):
        if step < steps - 1:
            for sample in range(first, last):
                slope[step, sample, inputs - 1] = to_bits[step + 1, sample, 0]
        sort_by_sweeps(solution.sweeps[step], first, last, order, counts)
        at = step * samples * visited
        differentiate(
            size, layer, back, slope[step], solution.completed[step], solution.vectors[at * k :],
            solution.norms[at:], solution.sweeps[step], solution.converged[step], order, rule, to_bits[step],
            buffers,
        )  # fmt: skip
        for i in range(visited):
            row = layer.rows[i]
            for j in range(1 + inputs):
                products[row, j] += add_lanes(lanes, towards, (i * (1 + inputs) + j) * lanes)
            for j in range(visited):
                products[row, layer.rows[j]] += add_lanes(lanes, among, (i * visited + j) * lanes)
