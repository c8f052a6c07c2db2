"""The figures of a report: one list that every table, page, tracker and comparison goes through.

To add one: a function of `Scores` in a file of its own, and a line in `FIGURES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Any, Literal

from .metrics import Scores


class Place(IntEnum):
    """Where a figure is shown, each place with all that are shown in those before it."""

    RANKING = auto()  # leaderboard, summary of a gate, regression against a baseline
    VERDICTS = auto()  # beside every verdict, and where reports are compared
    MEANS = auto()  # means over seeds, on the page
    TRIALS = auto()  # every trial, on the page
    RECORD = auto()  # trackers and JSON


@dataclass(frozen=True)
class Figure:
    """One figure of a trained network, and how it is told.

    `measure` computes it from the scores, for a figure that is no field of theirs; `format` is Python's.
    """

    name: str
    title: str
    heading: str  # of a column
    of: Literal["puzzles", "cells", "images", "symbols", "training rows"]  # what it is counted over
    meaning: str  # what is counted
    higher_is_better: bool = True
    format: str = ".3f"
    place: Place = Place.MEANS
    measure: Callable[[Scores], float | None] | None = None

    def value(self, record: Any) -> float | int | None:
        """Of the scores of a trial, or of a point of its learning curve; None where it has no meaning."""
        if isinstance(record, Scores) and not record.puzzles and self.of in ("puzzles", "cells"):
            return None
        return getattr(record, self.name) if self.measure is None else self.measure(record)

    def text(self, value: float | int | None) -> str:
        """A value in words; a dash where there is none."""
        return "–" if value is None else f"{value:{self.format}}"

    def gain(self, before: float, after: float) -> float:
        """By how much it got better; negative where it got worse."""
        return after - before if self.higher_is_better else before - after


FIGURES: tuple[Figure, ...] = (
    Figure(
        "task", "task accuracy", "task acc.", "puzzles", "every query answered exactly", place=Place.RANKING
    ),
    Figure("board", "board", "board", "puzzles", "every query answered and every image read right"),
    Figure("cell", "cell", "cell", "cells", "single queries answered right"),
    Figure(
        "raw", "raw grounding", "raw", "images", "the most likely symbol is the true one",
        place=Place.VERDICTS,
    ),
    Figure(
        "aligned", "aligned grounding", "aligned", "images",
        "the same after the best one-to-one relabelling, fitted on validation images",
        place=Place.RANKING,
    ),
    Figure(
        "collapse", "collapse", "collapse", "symbols", "never read",
        higher_is_better=False, format=".2f", place=Place.TRIALS,
    ),
    Figure(
        "unsolved", "unsolved", "unsolved", "puzzles", "left without an answer",
        higher_is_better=False, format=".2f", place=Place.TRIALS,
    ),
    Figure(
        "read", "read", "read", "puzzles", "every image read right: what exact rules would answer",
        place=Place.RECORD,
    ),
)  # fmt: skip

FIGURE = {figure.name: figure for figure in FIGURES}

# Of a point of the learning curve, on validation puzzles and images; these are fields of a `Point`.
CURVE: tuple[Figure, ...] = (
    Figure(
        "loss", "training loss", "loss", "training rows", "nats, mean", higher_is_better=False, format=".4g"
    ),
    *(figure for figure in FIGURES if figure.place <= Place.VERDICTS),
    Figure("symbols_used", "symbols in use", "symbols used", "symbols", "read at all", format="d"),
    Figure(
        "gradient", "gradient at the interface", "gradient", "training rows", "norm, mean",
        format=".3g", place=Place.RECORD,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """A kind of 95 % interval: three are told, of different things, and none stands for another."""

    name: str
    over: str
    meaning: str


TEST_SET = Interval(
    "test-set interval",
    "over test puzzles and test images",
    "how far another test set would have moved the mean over the seeds that ran",
)
RATE = Interval(
    "rate interval",
    "of k of n, by Wilson's score",
    "which rates fit what was counted: of seeds that ground, of answers that an intervention left",
)
ACROSS_SEEDS = Interval(
    "seed interval",
    "over seeds, by Student's t",
    "how far other seeds would have moved the mean; for a difference, over the seeds that reports share",
)
INTERVALS = (TEST_SET, RATE, ACROSS_SEEDS)


def figures_at(place: Place) -> tuple[Figure, ...]:
    """The figures that are shown in a place, in the order of the list."""
    return tuple(figure for figure in FIGURES if figure.place <= place)
