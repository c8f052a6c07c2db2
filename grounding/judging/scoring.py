"""Scoring predictions: what the trials of a suite are scored by, from arrays alone."""

from dataclasses import replace

import numpy as np

from ..measures.metrics import (
    Confusion,
    Scores,
    add_readings,
    board_intervals,
    confusion_matrix,
    guess_answers,
    guess_readings,
    image_intervals,
    score,
)
from ..measures.report_samples import calibrate, sample_boards
from .predictions import Completions, Predictions, Readings

UNSCORED = Scores(task=0.0, board=0.0, cell=0.0, unsolved=0.0, read=0.0, puzzles=0)


def score_predictions(predictions: Predictions) -> Scores:
    """Accuracies of one seed, with their intervals, and what guessing reaches on the same puzzles and images.

    The relabelling is fitted on the images of `fit`; raw, aligned and calibration are of the others.
    """
    readings, completions = predictions.readings, predictions.completions
    scores = UNSCORED if completions is None else _score_answers(completions, readings)
    if readings is None:
        return scores
    fitted, scored = _confusion(readings, readings.fit), _confusion(readings, ~readings.fit)
    scores = add_readings(scores, fitted, scored)
    symbol = np.full((1, 1), -1)
    if completions is not None:
        symbol = np.where(completions.image >= 0, completions.solution, -1)
    guessed_read, guessed_aligned = guess_readings(symbol, scored)
    scores = replace(
        scores,
        guessed_read=None if completions is None else guessed_read,
        guessed_aligned=guessed_aligned,
        intervals=scores.intervals | image_intervals(scores),
    )
    if readings.confidence is None:
        return scores
    aligned = np.asarray(scores.relabelling)[readings.read] == readings.true
    return replace(scores, calibration=calibrate(readings.confidence[~readings.fit], aligned[~readings.fit]))


def read_right(readings: Readings, completions: Completions) -> np.ndarray:
    """Which variables show an image that was read right, under its own name; true where none is shown."""
    shown = completions.image >= 0
    right = np.ones_like(shown)
    right[shown] = (readings.read == readings.true)[completions.image[shown]]
    return right


def _score_answers(completions: Completions, readings: Readings | None) -> Scores:
    given, solution, image = completions.given, completions.solution, completions.image
    right = np.ones_like(given) if readings is None else read_right(readings, completions)
    read = np.zeros(1, dtype=np.int64) if readings is None else readings.read
    completion = completions.completion
    return replace(
        score(completion, given, solution, right),
        boards=sample_boards(image, read, given, completion, solution),
        intervals=board_intervals(completion, given, solution, image, right),
        guessed_task=guess_answers(np.where(given, -1, solution), solution, given),
    )


def _confusion(readings: Readings, chosen: np.ndarray) -> Confusion:
    return confusion_matrix(readings.true[chosen], readings.read[chosen], readings.symbols)
