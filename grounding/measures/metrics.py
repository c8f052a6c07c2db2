"""What is measured of a trained network."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from .report_samples import Board, Calibration
from .statistics import clustered_interval, wilson_interval

Confusion = Int[np.ndarray, "true predicted"]


def confusion_matrix(
    true: Int[np.ndarray, " images"], predicted: Int[np.ndarray, " images"], symbols: int
) -> Confusion:
    """How often each true symbol (row) was read as each symbol (column)."""
    return np.bincount(true * symbols + predicted, minlength=symbols**2).reshape(symbols, symbols)


def grounding_accuracy(confusion: Confusion) -> float:
    """Fraction of images whose most likely symbol is the true one."""
    return float(np.trace(confusion) / confusion.sum())


def admissible_accuracy(confusion: Confusion, possible: Bool[np.ndarray, "true predicted"]) -> float:
    """Fraction of images read as a symbol that `possible` admits for the true one."""
    return float(confusion[possible].sum() / confusion.sum())


def best_relabelling(confusion: Confusion) -> Int[np.ndarray, " predicted"]:
    """For each predicted symbol the true one, one-to-one, that makes most readings right (Hungarian)."""
    true, predicted = linear_sum_assignment(confusion, maximize=True)
    relabelling = np.empty(len(confusion), dtype=np.int64)
    relabelling[predicted] = true
    return relabelling


def relabel(confusion: Confusion, relabelling: Int[np.ndarray, " predicted"]) -> Confusion:
    """The confusion matrix after every predicted symbol has been renamed."""
    renamed = np.zeros_like(confusion)
    renamed[:, relabelling] = confusion
    return renamed


def collapse(confusion: Confusion) -> float:
    """1 − the fraction of symbols that are ever predicted; it ignores correctness (rsbench)."""
    return 1 - float(np.mean(confusion.sum(0) > 0))


@dataclass(frozen=True)
class Scores:
    """Accuracies of one network on held-out puzzles and images, each a fraction in [0, 1].

    What is said of images is None where the task was seen as symbols.

    Attributes:
        task: Puzzles of which every query was answered right.
        board: Puzzles answered right of which every image was read right as well.
        cell: Queries answered right.
        unsolved: Puzzles that the solver left unsolved (NaN); they count as wrong.
        read: Puzzles whose images were all read right: the exact rules on top of this perception would answer
            that many.
        puzzles: How many puzzles were scored. Where that is 0, what is counted over puzzles and cells has no
            meaning.
        raw: Images whose most likely symbol is the true one.
        aligned: The same after the best one-to-one relabelling, fitted on validation images and scored on
            test images.
        collapse: Symbols that no image was read as.
        images: How many test images were scored.
        confusion: Counts of test images as read, true symbol by predicted symbol.
        relabelling: The true symbol of each predicted one.
        calibration: How often readings are right, by how sure perception is of them.
        boards: A few puzzles, as they were read and answered.
        intervals: 95 % intervals of the accuracies on new puzzles and images, by name; see `board_intervals`
            and `image_intervals`.
        guessed_task: Puzzles that the best guess answers right (`guess_answers`).
        guessed_read: Puzzles read right by taking every image for the same symbol, or for one drawn at random
            if that is better.
        guessed_aligned: Images read right by taking every image for the same symbol.
    """

    task: float
    board: float
    cell: float
    unsolved: float
    read: float
    puzzles: int
    raw: float | None = None
    aligned: float | None = None
    collapse: float | None = None
    images: int = 0
    confusion: list[list[int]] | None = None
    relabelling: list[int] | None = None
    calibration: Calibration | None = None
    boards: list[Board] = field(default_factory=list)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    guessed_task: float | None = None
    guessed_read: float | None = None
    guessed_aligned: float | None = None


def score(
    completion: Float[np.ndarray, "puzzles variables symbols"],
    given: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
    read_right: Bool[np.ndarray, "puzzles variables"],
    validation: Confusion | None = None,
    test: Confusion | None = None,
) -> Scores:
    """Scores completions at the queries only: what a solver returns at the givens is never looked at.

    `read_right` tells which variables show an image that perception read right (true where none is shown).
    `validation` and `test` are the confusion matrices of images; None where no images were seen.
    """
    right, unsolved = answered_right(completion, given, solution)
    solved, read = right.all(axis=1), read_right.all(axis=1)
    scores = Scores(
        task=float(solved.mean()),
        board=float((solved & read).mean()),
        cell=float(right[~given].mean()),
        unsolved=float(unsolved.mean()),
        read=float(read.mean()),
        puzzles=len(given),
    )
    return scores if validation is None or test is None else add_readings(scores, validation, test)


def add_readings(scores: Scores, validation: Confusion, test: Confusion) -> Scores:
    """Scores with what is said of images; the relabelling is fitted on the first confusion matrix alone."""
    relabelling = best_relabelling(validation)
    return replace(
        scores,
        raw=grounding_accuracy(test),
        aligned=grounding_accuracy(relabel(test, relabelling)),
        collapse=collapse(test),
        images=int(test.sum()),
        confusion=test.tolist(),
        relabelling=relabelling.tolist(),
    )


def answered_right(
    completion: Float[np.ndarray, "puzzles variables symbols"],
    given: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
) -> tuple[Bool[np.ndarray, "puzzles variables"], Bool[np.ndarray, " puzzles"]]:
    """Which queries are answered right, true at the givens; and which puzzles were left unsolved."""
    unsolved = np.any(np.isnan(completion).any(-1) & ~given, axis=1)
    answered: Int[np.ndarray, "puzzles variables"] = completion.argmax(-1)
    return ((answered == solution) & ~unsolved[:, None]) | given, unsolved


def board_intervals(
    completion: Float[np.ndarray, "puzzles variables symbols"],
    given: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
    image: Int[np.ndarray, "puzzles variables"],
    read_right: Bool[np.ndarray, "puzzles variables"],
) -> dict[str, tuple[float, float]]:
    """95 % intervals of `task` and `cell`, where images are seen of `board` and `read` too.

    They are those of new puzzles that show new images: puzzles share the test images (`image`, by row, −1
    where none is shown), and the cells of one puzzle depend on each other.
    """
    right, _ = answered_right(completion, given, solution)
    solved: Any = right.all(axis=1)
    read: Any = read_right.all(axis=1)
    whole = np.ones(len(given))
    queries: Any = (~given).sum(axis=1).astype(np.float64)
    cells: Any = (right & ~given).sum(axis=1).astype(np.float64)
    intervals = {
        "task": clustered_interval(np.asarray(solved, np.float64), whole, image),
        "cell": clustered_interval(cells, queries, image),
    }
    if (image >= 0).any():
        for name, hits in (("board", solved & read), ("read", read)):
            intervals[name] = clustered_interval(np.asarray(hits, np.float64), whole, image)
    return intervals


def image_intervals(scores: Scores) -> dict[str, tuple[float, float]]:
    """95 % intervals of `raw` and `aligned`: of new images, of which the test set holds each once."""
    return {
        name: wilson_interval(share * scores.images, scores.images)
        for name in ("raw", "aligned")
        if (share := getattr(scores, name)) is not None
    }


def guess_answers(
    known: Int[np.ndarray, "training variables"],
    solution: Int[np.ndarray, "puzzles variables"],
    given: Bool[np.ndarray, "puzzles variables"],
) -> float:
    """What a guess that never looks at a puzzle answers of `solution`, all queries together.

    `known` are the answers of the training puzzles, −1 at the givens. The better counts of two guesses: the
    most frequent symbol at every query, and the most frequent answer as a whole.
    """
    symbols = np.unique(known.clip(0))
    counts = np.stack([(known == symbol).sum(axis=0) for symbol in symbols])
    answers, times = np.unique(known, axis=0, return_counts=True)
    return max(
        float(((guess == solution) | given).all(axis=1).mean())
        for guess in (symbols[counts.argmax(axis=0)], answers[times.argmax()])
    )


def guess_readings(symbol: Int[np.ndarray, "puzzles variables"], confusion: Confusion) -> tuple[float, float]:
    """What one that reads every image as the same symbol reads: of whole puzzles, and of the test images.

    `symbol` is the true one where a variable shows an image, −1 elsewhere. Of puzzles also what drawing
    readings at random reaches on average, if that is more.
    """
    symbols, shown = len(confusion), symbol >= 0
    same = max(float(((symbol == one) | ~shown).all(axis=1).mean()) for one in range(symbols))
    drawn = float((1.0 / symbols ** shown.sum(axis=1)).mean())
    return max(same, drawn), float(confusion.sum(axis=1).max() / confusion.sum())
