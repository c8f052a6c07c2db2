# ruff: noqa: ANN001, ANN201 -- numba infers types; kernels take what they touch
# pyright: basic
"""The derivative of the mixing method for small layers; see `mixing_lanes` for how arrays are laid out."""

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
    driven: Any,
    stiffness: Any,
    active: Any,
    count: Any,
) -> None:
    """What drives the adjoint of each row towards the truth, and how stiff it is, in the first `here` lanes.

    Two numbers per row: what drives the first component, and what, times v, the others: the slope over π
    times the unit tangent of `mixing_torch`.
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
        unit.store_row(driven, row, [push * rest, -(push * vector[0] / rest)])
        unit.store_row(stiffness, row, [moves.where(norm + unit.spread(prox), zero)])
        (sofar,) = unit.load_row(active, row.type(0), 1)
        unit.store_row(active, row.type(0), [moves.where(one, sofar)])


@emitted
def sweep(
    unit: Unit,
    size: int,
    gram: Any,
    vectors: Any,
    driven: Any,
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
        truth, lean = unit.load_row(driven, row, 2)
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
    held: Any,
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
        gain(row, left[:2], held, towards, width)


@emitted
def turn(
    unit: Unit,
    size: int,
    back: Any,
    adjoint: Any,
    held: Any,
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
        vector = unit.load_row(held, unit.builder.add(j, j.type(1)), 2)
        turned = (vector[1] * pull[0] - vector[0] * pull[1]) * (unit.load_spread(signs, j) * pi)
        (slope,), (here,) = unit.load_row(slopes, j, 1), unit.load_row(known, j, 1)
        unit.store_row(slopes, j, [(here > zero).where(slope + turned, zero)])


@kept
@njit(**KERNEL)
def differentiate(
    size, packed, back, columns, signs, known, slope, completed, vectors, norms, sweeps, converged, order,
    limit, tolerance, prox, omega, kink, to_bits,
    among, towards, own, lengths, adjoint, held, driven, stiffness, slopes, told, mask,
    active, change, enough, owner,
):  # fmt: skip
    """Adjoint of the samples of an order, that of their forward sweeps: like stand together in a group.

    See `mixing_torch.differentiate`. Adds the products up lane by lane. A negative tolerance takes each
    sample's number of sweeps from the forward pass.
    """
    inputs, lanes, rows, samples = slope.shape[1], len(owner), len(columns), len(order)
    clear(among, among.size)
    clear(towards, towards.size)
    for offset in range(0, samples, lanes):
        here = lanes if offset + lanes < samples else samples - offset
        for i in range(lanes):
            owner[i] = order[offset + i if i < here else offset]
        gather(vectors, owner, rows * len(size), own)
        pick(norms, owner, rows, lengths)
        pick(slope, owner, inputs, slopes)
        pick(completed, owner, inputs, told)
        pick(known, owner, inputs, mask)
        embed(told, mask, signs, inputs, held, change)
        adjoint_rhs(
            size, own, lengths, slopes, columns, inputs, here, prox, kink, driven, stiffness, active, rows
        )  # fmt: skip
        clear(adjoint, adjoint.size)
        going = rows
        count = 0
        while going and count < limit:
            sweep(size, packed, own, driven, stiffness, active, adjoint, change, rows, omega)
            going = 0
            for i in range(lanes):
                if active[i]:
                    if count == 0:
                        enough[i] = tolerance * change[i]
                    if tolerance < 0:
                        more = count + 1 < sweeps[owner[i]] - converged[owner[i]]
                    else:
                        more = change[i] > 0 and (count == 0 or change[i] >= enough[i])
                    active[i] = more
                    going += more
            count += 1
        multiply(size, adjoint, own, held, 1 + inputs, among, towards, rows)
        turn(size, back, adjoint, held, mask, signs, slopes, inputs, rows)
        for i in range(here):
            keep(slopes, i, to_bits, owner[i], inputs)
