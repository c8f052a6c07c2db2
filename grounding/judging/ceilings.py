"""What predictions are held against: the ceiling as a number or as predictions of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...datasets.errors import UsageError
from ..measures.counts import count_of
from ..measures.metrics import Scores
from ..trials.trial import Outcome
from .predictions import Completions, Predictions, Readings
from .scoring import read_right, score_predictions

MEANING = "the aligned accuracy of the same perception trained with the labels of its images"


@dataclass(frozen=True)
class Ceiling:
    """Either a number, or predictions of the ceiling."""

    accuracy: float | None = None
    predictions: Predictions | None = None


def as_number(text: str) -> float | None:
    """The number that a word is; None where it is none. Raises `UsageError` for one that is no accuracy."""
    try:
        accuracy = float(text)
    except ValueError:
        return None
    require_accuracy(accuracy)
    return accuracy


def require_accuracy(accuracy: float) -> None:
    """Raises `UsageError` for a number that cannot be the ceiling."""
    if math.isfinite(accuracy) and 0 < accuracy <= 1:
        return
    hint = f": write {accuracy / 100:g}" if 1 < accuracy <= 100 else ""
    raise UsageError(f"ceiling {accuracy:g}: it is {MEANING}, above 0 and at most 1{hint}")


@dataclass(frozen=True)
class Beside:
    """The seed that a ceiling stands beside: its scores (None where it broke), its puzzles and readings."""

    outcome: Outcome
    completions: Completions | None = None
    readings: Readings | None = None


def ceilings_for(ceilings: Sequence[Ceiling], seeds: Sequence[Beside]) -> list[Outcome]:
    """The outcome of the ceiling beside each seed.

    One ceiling holds for every seed, several for one each. Raises `UsageError` where they do not fit.
    """
    if not ceilings:
        return []
    if len(ceilings) not in (1, len(seeds)):
        raise UsageError(
            f"{count_of(len(ceilings), 'ceiling')} for {count_of(len(seeds), 'seed')}: give one for all, or "
            "one for each in the same order"
        )
    chosen = list(ceilings) * (len(seeds) if len(ceilings) == 1 else 1)
    return [
        Outcome("ceiling", seed.outcome.task, "", seed.outcome.seed, _scores(ceiling, seed))
        for ceiling, seed in zip(chosen, seeds, strict=True)
    ]


def _scores(ceiling: Ceiling, seed: Beside) -> Scores | None:
    """What the exact rules would answer on top of the ceiling stands as its task accuracy."""
    beside, completions = seed.outcome.scores, seed.completions
    if beside is None:
        return None
    if ceiling.predictions is None:
        assert ceiling.accuracy is not None
        read = _read_by_chance(ceiling.accuracy, completions) if completions else beside.read
        return replace(_blank(beside, read), raw=ceiling.accuracy, aligned=ceiling.accuracy)
    own = ceiling.predictions
    scores = score_predictions(own)
    if own.readings is None:
        raise UsageError(f"{own.source} holds no readings: a ceiling is {MEANING}")
    if own.completions is None and completions is not None:
        same = seed.readings is not None and np.array_equal(seed.readings.true, own.readings.true)
        read = (
            float(read_right(own.readings, completions).all(axis=1).mean())
            if same
            else _read_by_chance(scores.aligned or 0.0, completions)
        )
    else:
        read = scores.read
    named = (
        "raw",
        "aligned",
        "collapse",
        "images",
        "confusion",
        "relabelling",
        "calibration",
        "guessed_aligned",
    )
    told = {name: getattr(scores, name) for name in named}
    return replace(
        _blank(beside, read), intervals={k: v for k, v in scores.intervals.items() if k in named}, **told
    )


def _read_by_chance(accuracy: float, completions: Completions) -> float:
    """The share of puzzles read without an error, where each image is read right with that probability."""
    return float((accuracy ** (completions.image >= 0).sum(axis=1)).mean())


def _blank(beside: Scores, read: float) -> Scores:
    """The scores of a ceiling that reads that share of the puzzles right; guesses are as beside."""
    return replace(
        beside, task=read, board=read, cell=read, unsolved=1 - read, read=read,
        collapse=None, confusion=None, relabelling=None, calibration=None, boards=[], intervals={},
    )  # fmt: skip
