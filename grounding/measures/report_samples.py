"""What a report shows of a trained network besides its scores: sample boards, and how sure it was."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

BOARDS = 3  # sample boards that a trial keeps
BINS = 10  # of confidence, equally wide


@dataclass(frozen=True)
class Board:
    """One test puzzle as a trial saw it, by variable; −1 stands where there is nothing.

    `image` is the row of the test images that is shown, `read` the symbol that perception read there (in
    its own naming, before any relabelling), `answer` the solver's symbol, −1 throughout where it left the
    puzzle unsolved.
    """

    image: list[int]
    read: list[int]
    given: list[bool]
    answer: list[int]
    solution: list[int]


@dataclass(frozen=True)
class Calibration:
    """How often what is claimed is right, in equal bins of confidence: of perception on test images after
    alignment, or of whole answers, board by board.

    `error` is the expected calibration error: the mean distance between confidence and accuracy, weighted
    by the images of each bin. Source: Guo et al. 2017, *On calibration of modern neural networks*, eq. 3.
    """

    images: list[int]  # per bin; boards where it is of whole answers
    confidence: list[float | None]  # mean per bin; None where a bin is empty
    accuracy: list[float | None]
    error: float


def calibrate(confidence: Float[np.ndarray, " images"], right: Bool[np.ndarray, " images"]) -> Calibration:
    """Bins images by the probability of the symbol that was read."""
    bins = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    # Of nothing NumPy counts in whole numbers, whatever the weights.
    sure, hits = (np.bincount(bins, each, BINS).astype(np.float64) for each in (confidence, right))
    return _of_sums(count, sure, hits)


def pool_calibrations(calibrations: Sequence[Calibration]) -> Calibration:
    """That of everything that several were measured on, bin by bin; at least one."""
    count = np.sum([c.images for c in calibrations], axis=0)
    sure, hits = (
        np.sum(
            [[n * (v or 0.0) for n, v in zip(c.images, values(c), strict=True)] for c in calibrations], axis=0
        )
        for values in (lambda c: c.confidence, lambda c: c.accuracy)
    )
    return _of_sums(count, sure, hits)


def _of_sums(
    count: Int[np.ndarray, " bins"], sure: Float[np.ndarray, " bins"], hits: Float[np.ndarray, " bins"]
) -> Calibration:
    error = float(np.abs(sure - hits).sum() / max(1, count.sum()))
    means = [[float(s / n) if n else None for s, n in zip(sums, count, strict=True)] for sums in (sure, hits)]
    return Calibration(count.tolist(), means[0], means[1], error)


def sample_boards(
    image: Int[np.ndarray, "puzzles variables"],
    predicted: Int[np.ndarray, " images"],
    given: Bool[np.ndarray, "puzzles variables"],
    completion: Float[np.ndarray, "puzzles variables symbols"],
    solution: Int[np.ndarray, "puzzles variables"],
) -> list[Board]:
    """The first puzzles; `predicted` is the symbol read from every image that `image` names by row."""
    boards: list[Board] = []
    for row in range(min(BOARDS, len(image))):
        shown = image[row] >= 0
        unsolved = bool(np.isnan(completion[row][~given[row]]).any())
        answer = np.where(np.isnan(completion[row]), -1.0, completion[row]).argmax(1)
        boards.append(
            Board(
                image=image[row].tolist(),
                read=np.where(shown, predicted[image[row].clip(0)], -1).tolist(),
                given=given[row].tolist(),
                answer=[-1] * len(answer) if unsolved else answer.tolist(),
                solution=solution[row].tolist(),
            )
        )
    return boards
