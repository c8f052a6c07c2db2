"""What scoring makes of the interface: how beliefs carry the symbols, and where the gradient pointed.

The gradient is that of training puzzles, as training met it; their labels stay on this side. What follows
from them goes into the record of a trial and is not told to the process that trains (`unlabelled`).
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from ...datasets.batch import Sealed
from ..measures.interface import (
    InterfaceRecord,
    consistency_of,
    cosine,
    entropy,
    mutual_information,
    naming_of,
    saturated,
    shares,
    spread_of,
    supervised_gradient,
    to_logits,
)
from .recording import Recorded
from .trial import Point


def record_interface(
    beliefs: Float[np.ndarray, "images symbols"],
    true: Int[np.ndarray, " images"],
    recorded: Recorded | None,
    training: Sealed | None,
    interface: str,
) -> InterfaceRecord:
    """The record of an epoch.

    Args:
        beliefs: What perception believes of validation images.
        true: Their symbols, −1 where the task shows none of the image's class.
        recorded: What training recorded; None before its first step.
        training: The symbols of the training puzzles; None: nothing is said of the supervised gradient.
        interface: How logits became beliefs.
    """
    shown = true >= 0
    believed, symbols = beliefs[shown].astype(np.float64), true[shown]
    if not len(believed) or not np.isfinite(believed).all():
        return replace(_of_training(recorded, None, training, interface), saturated=None)
    parts, read = shares(believed), believed.argmax(-1)
    used = np.bincount(read, minlength=believed.shape[1]) / len(read)
    decoded, spread = spread_of(believed, symbols)
    return replace(
        _of_training(recorded, naming_of(read, symbols, believed.shape[1]), training, interface),
        confidence=float(entropy(parts).mean()),
        balance=float(entropy(parts.mean(0))),
        information=mutual_information(parts, symbols),
        effective=float(np.exp(entropy(used))),
        decoded=decoded,
        spread=spread,
        saturated=saturated(believed),
    )


def _of_training(
    recorded: Recorded | None,
    names: Int[np.ndarray, " symbols"] | None,
    training: Sealed | None,
    interface: str,
) -> InterfaceRecord:
    """What is known of the epoch's steps; `names` is what perception calls each true symbol."""
    if recorded is None:
        return InterfaceRecord()
    record = InterfaceRecord(
        steps=recorded.steps,
        perception_update=recorded.perception_update,
        solver_update=recorded.solver_update,
        norm=recorded.norm,
        largest_norm=recorded.largest_norm,
    )
    passed = recorded.passed
    if passed is None or not np.isfinite(passed.gradient).all():
        return record
    gradient = passed.gradient.astype(np.float64)  # norms of float32 overflow early
    at_logits = to_logits(passed.beliefs.astype(np.float64), gradient, interface)
    record = replace(record, consistency=consistency_of(passed, at_logits))
    if training is None or names is None:
        return record
    solution = training.solution.numpy(force=True)
    true = solution[passed.puzzle, passed.variable].astype(np.int64)
    believed, back = passed.beliefs[:, : len(names)], at_logits[:, : len(names)]
    by_labels = supervised_gradient(believed, names[true])
    size = float(np.linalg.norm(by_labels))
    return replace(
        record,
        supervised=cosine(back, by_labels),
        supervised_raw=cosine(back, supervised_gradient(believed, true)),
        strength=float(np.linalg.norm(back)) / size if size > 0 else None,
    )


def unlabelled(point: Point) -> Point:
    """A point without what was found with the labels of training puzzles: what the trial itself is told.

    A solver that could ask for it might send gradients of its own making, and learn the labels one by one.
    """
    if point.interface is None:
        return point
    kept = replace(point.interface, supervised=None, supervised_raw=None, strength=None)
    return replace(point, interface=kept)
