"""What the compiled kernels are given, by name; numba compiles a kernel for the types of the fields.

Tuples of a call, not copies: solutions and buffers are written to. Solutions and batches go sample by sample,
buffers of the path of lanes are flat, and end in an axis of lanes. A step goes 1 + `relaxation` times as far
as the exact minimiser; None, another type to numba than a number, compiles steps that go exactly there.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


class ForwardRule(NamedTuple):
    """When a solution is done; see `StoppingRule`."""

    limit: int
    tolerance: float
    relaxation: float | None


class BackwardRule(NamedTuple):
    """When an adjoint is done; a negative tolerance: after as many sweeps as its solution took."""

    limit: int
    tolerance: float
    prox: float
    relaxation: float | None
    kink: float  # nearer than this to v = ±truth, z has no derivative


class LanesLayer(NamedTuple):
    """A layer, of whose variables the rows are visited; matrices row by row."""

    gram: Float[np.ndarray, " rows*rows"]  # zero on the diagonal
    across: Float[np.ndarray, " rows*(1+bits)"]  # with the truth and the bits
    floor: Float[np.ndarray, " rows"]  # |g| below which g is only rounding
    start: Float[np.ndarray, " rows*k"]
    rows: Int[np.ndarray, " rows"]  # variables that are free in some sample
    columns: Int[np.ndarray, " rows"]  # their bits; of auxiliary ones, the number of bits
    signs: Float[np.ndarray, " bits"]
    known: Float[np.ndarray, " batch*bits"]  # 1 or 0


class LanesSolution(NamedTuple):
    """What is kept of every step for the derivative; vectors and norms of the visited rows, packed."""

    completed: Float[np.ndarray, "steps batch bits"]
    vectors: Float[np.ndarray, " steps*batch*rows*k"]
    norms: Float[np.ndarray, " steps*batch*rows"]
    sweeps: Int[np.ndarray, "steps batch"]
    converged: Bool[np.ndarray, "steps batch"]


class LanesBuffers(NamedTuple):
    """Of one thread: samples that are made ready as a group, and then move into lanes of their own."""

    group_base: Float[np.ndarray, " rows*2*lanes"]  # what is known pulls on each row
    group_free: Float[np.ndarray, " rows*lanes"]  # 1 or 0
    vectors: Float[np.ndarray, " rows*k*lanes"]
    norms: Float[np.ndarray, " rows*lanes"]
    base: Float[np.ndarray, " rows*2*lanes"]
    free: Float[np.ndarray, " rows*lanes"]
    embedded: Float[np.ndarray, " (1+bits)*2*lanes"]  # the vectors of the truth and of known bits
    bits: Float[np.ndarray, " bits*lanes"]
    known: Float[np.ndarray, " (1+bits)*lanes"]  # 1 or 0
    decrease: Float[np.ndarray, " lanes"]
    threshold: Float[np.ndarray, " lanes"]  # a smaller decrease ends a sample
    sound: Float[np.ndarray, " lanes"]
    owner: Int[np.ndarray, " lanes"]  # the sample of each lane, or −1
    group: Int[np.ndarray, " lanes"]  # the samples made ready


class LanesAdjointBuffers(NamedTuple):
    """Of one thread. The products add up, lane by lane, over all groups of a step."""

    among: Float[np.ndarray, " rows*rows*lanes"]  # u_i · v_j of the rows
    towards: Float[np.ndarray, " rows*(1+bits)*lanes"]  # and of what is known
    vectors: Float[np.ndarray, " rows*k*lanes"]
    norms: Float[np.ndarray, " rows*lanes"]
    adjoint: Float[np.ndarray, " rows*k*lanes"]
    embedded: Float[np.ndarray, " (1+bits)*2*lanes"]
    rhs: Float[np.ndarray, " rows*2*lanes"]
    stiffness: Float[np.ndarray, " rows*lanes"]
    slopes: Float[np.ndarray, " (1+bits)*lanes"]
    bits: Float[np.ndarray, " bits*lanes"]
    known: Float[np.ndarray, " (1+bits)*lanes"]
    active: Float[np.ndarray, " lanes"]
    change: Float[np.ndarray, " lanes"]
    threshold: Float[np.ndarray, " lanes"]
    owner: Int[np.ndarray, " lanes"]


class BlocksLayer(NamedTuple):
    """A layer of n variables and m clauses."""

    gram: Float[np.ndarray, "n n"]
    clauses: Float[np.ndarray, "n m"]
    columns: Int[np.ndarray, " m"]  # every clause


class BlocksBatch(NamedTuple):
    """Which variables of each sample are free."""

    places: Int[np.ndarray, "batch n"]  # the free ones, then the others
    counts: Int[np.ndarray, " batch"]  # how many are free
    sound: Bool[np.ndarray, " batch"]  # the others are left alone


class BlocksStart(NamedTuple):
    """Where the sweeps start, and what they find fixed."""

    vectors: Float[np.ndarray, "n padded"]
    ground: Float[np.ndarray, " n"]  # |g| below which g is only rounding
    noise: float  # so many times that where it comes from Sᵀ V
    base: Float[np.ndarray, "batch n 2"]  # the pulls of what is known


class BlocksSolution(NamedTuple):
    """The vectors of the free variables, in their order."""

    vectors: Float[np.ndarray, "batch free padded"]
    norms: Float[np.ndarray, "batch free"]
    sweeps: Int[np.ndarray, " batch"]
    converged: Bool[np.ndarray, " batch"]


class BlocksBuffers(NamedTuple):
    """Of one thread, for one sample at a time; `scalars` are floors of |g|, or the adjoint's stiffness."""

    packed: Float[np.ndarray, " packed"]
    sums: Float[np.ndarray, "m padded"]
    constant: Float[np.ndarray, "free padded"]
    pulls: Float[np.ndarray, "height padded"]
    steps: Float[np.ndarray, "height padded"]
    inside: Float[np.ndarray, " height*height"]
    scalars: Float[np.ndarray, " free"]
    register: Float[np.ndarray, " lanes"]


class BlocksGathered(NamedTuple):
    """Adjoints and vectors of the samples from `begin` on, by variable, for one matrix product."""

    adjoints: Float[np.ndarray, "n samples padded"]
    vectors: Float[np.ndarray, "n samples padded"]
    begin: int
