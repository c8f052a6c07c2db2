# ruff: noqa: ANN001, ANN201 -- numba infers types; kernels take what they touch
# pyright: basic
"""The derivative of the mixing method for small layers; see `lanes` for how arrays are laid out."""

import math
from typing import Any

from numba import njit

from ...datasets.kernel_cache import kept
from .lanes import embed, gather, keep, pick, pulls
from .simd import KERNEL, Register, Unit, clear, emitted


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
def differentiate(size, layer, known, slope, solution, order, rule, to_bits, buffers):
    """Adjoint of the samples of an order, that of their forward sweeps: like stand together in a group.

    See `reference.differentiate`, and `structs`. Adds the products up lane by lane.
    """
    columns, sweeps = layer.columns, solution.sweeps
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
        gather(solution.vectors, owner, rows * len(size), vectors)
        pick(solution.norms, owner, rows, norms)
        pick(slope, owner, inputs, slopes)
        pick(solution.completed, owner, inputs, bits)
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
                        more = count + 1 < sweeps[owner[i]] - solution.converged[owner[i]]
                    else:
                        more = change[i] > 0 and (count == 0 or change[i] >= threshold[i])
                    active[i] = more
                    going += more
            count += 1
        multiply(size, adjoint, vectors, embedded, 1 + inputs, buffers.among, buffers.towards, rows)
        turn(size, layer.back, adjoint, embedded, own_known, layer.signs, slopes, inputs, rows)
        for i in range(here):
            keep(slopes, i, to_bits, owner[i], inputs)
