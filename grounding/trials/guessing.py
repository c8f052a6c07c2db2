"""What a guess reaches on the puzzles that a trial is scored on: below it, no figure says anything."""

from dataclasses import replace

import numpy as np

from ...datasets.batch import Examples
from ..measures.metrics import Scores, guess_answers, guess_readings
from .scoring import EvaluationSet


def with_guesses(scores: Scores, training: Examples, test: EvaluationSet) -> Scores:
    """Scores with what guessing reaches on the same puzzles, from the answers of the training puzzles."""
    known = np.where(training.given.numpy(force=True), -1, training.answer.numpy(force=True))
    given = test.examples.given.numpy(force=True)
    solution = test.sealed.solution.numpy(force=True)
    found = replace(scores, guessed_task=guess_answers(known, solution, given))
    if scores.confusion is None:
        return found
    symbol = np.where(test.examples.image.numpy(force=True) >= 0, solution, -1)
    read, aligned = guess_readings(symbol, np.asarray(scores.confusion))
    return replace(found, guessed_read=read, guessed_aligned=aligned)
