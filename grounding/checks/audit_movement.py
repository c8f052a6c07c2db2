"""How far two traces of a training are apart: per quantity, as a whole, and beyond rounding."""

from collections.abc import Iterable, Mapping

import numpy as np

from .audit_runs import Step, Trace

MARGIN = 10.0  # a movement is no rounding where it is larger than rounding reaches by this factor …
ROUNDING = 1e-6  # … and than this, relative: some eight units in the last place of a float32


def largest_movements(true: Trace, other: Trace) -> dict[str, float]:
    """The largest movement of each quantity in any step, relative to its norm there."""
    largest: dict[str, float] = {}
    for one, two in zip(true.steps, other.steps, strict=True):
        for name in one.keys() | two.keys():
            largest[name] = max(largest.get(name, 0.0), _relative(one, two, (name,)))
    return largest


def whole_movement(true: Trace, other: Trace, part: str = "") -> float:
    """The largest movement in any step of all gradients together, or of those whose name has a part.

    Of how parameters moved instead where a training step left no gradients to listen to.
    """
    largest = 0.0
    for one, two in zip(true.steps, other.steps, strict=True):
        names = [name for name in one.keys() | two.keys() if part in name]
        gradients = [name for name in names if name.startswith("gradient ")]
        moves = [name for name in names if name.startswith("move ")]
        largest = max(largest, _relative(one, two, gradients or moves))
    return largest


def rounding_reach(true: Trace, nudged: Iterable[Trace]) -> dict[str, float]:
    """The largest movement of each quantity when the last bits of images and initial weights change."""
    reach: dict[str, float] = {}
    for trace in nudged:
        for name, moved in largest_movements(true, trace).items():
            reach[name] = max(reach.get(name, 0.0), moved)
    return reach


def exceeding_step(true: Trace, other: Trace, reach: Mapping[str, float]) -> int | None:
    """The first step, from 1, in which a quantity moved further than rounding explains."""
    for number, (one, two) in enumerate(zip(true.steps, other.steps, strict=True), 1):
        for name in one.keys() | two.keys():
            if _relative(one, two, (name,)) > max(ROUNDING, MARGIN * reach.get(name, 0.0)):
                return number
    return None


def _relative(one: Step, two: Step, names: Iterable[str]) -> float:
    """Norm of a difference, relative to the larger of the two norms; what only one has is 0 in the other.

    What is not a number in both is no difference; in one alone it is an infinite one.
    """
    apart, sizes = 0.0, [0.0, 0.0]
    for name in names:
        zero = np.zeros_like(one[name] if name in one else two[name])
        a, b = (step.get(name, zero).astype(np.float64) for step in (one, two))
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        difference = np.subtract(a, b, where=~same, out=np.zeros_like(a))
        if not np.isfinite(difference).all():
            return float("inf")
        apart += float(np.square(difference).sum())
        sizes = [size + float(np.nansum(np.square(part))) for size, part in zip(sizes, (a, b), strict=True)]
    return float(np.sqrt(apart / max(sizes))) if apart else 0.0
