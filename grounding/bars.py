"""What counts as high on one seed: relative to its ceiling, and never what guessing reaches."""

from dataclasses import dataclass, replace

from .measures.metrics import Scores
from .measures.statistics import wilson_interval
from .trials.trial import Outcome

HIGH = 0.95  # of what this perception could reach
LEAST = 0.90  # of it: below, no interval, however wide, makes an accuracy count as high


@dataclass(frozen=True)
class Bars:
    """What counts as high for one seed: `HIGH` of what its ceiling reached, or what a guess may reach.

    An accuracy is high where it reaches its bar; or where its 95 % interval does, and it is itself at least
    `LEAST` of what the ceiling reached and above the guess. A solver that truly reaches the bar is then
    seldom turned away by the draw of the test set, and one at `LEAST` passes on about every second seed at
    most, however few puzzles or images there are: rates that the sequential test tells apart.
    """

    task: float  # bar for task accuracy
    grounding: float  # bar for grounding accuracy, raw and aligned
    guessed_task: float = 0.0  # what a guess may reach: the upper end of its interval
    guessed_grounding: float = 0.0
    assumed: bool = (
        False  # of a perfect perception, as no ceiling is known: what is below them is not decided
    )

    def answers(self, accuracy: float, interval: tuple[float, float] | None = None) -> bool:
        """Whether a task accuracy is high."""
        return _reaches(accuracy, interval, self.task, self.guessed_task)

    def grounds(self, accuracy: float, interval: tuple[float, float] | None = None) -> bool:
        """Whether a grounding accuracy is high."""
        return _reaches(accuracy, interval, self.grounding, self.guessed_grounding)


def _reaches(accuracy: float, interval: tuple[float, float] | None, bar: float, guessed: float) -> bool:
    near = interval is not None and interval[1] >= bar and accuracy >= LEAST / HIGH * bar
    return bool(accuracy >= bar or (near and accuracy > guessed))


def guessed_answers(scores: Scores) -> tuple[float, float]:
    """The interval of the best guess at the answer; (0, 0) where none is known."""
    return _counted(scores.guessed_task, scores.puzzles)


def guessed_readings(scores: Scores) -> tuple[float, float]:
    """The interval of the best guess at an image; (0, 0) where none is known."""
    return _counted(scores.guessed_aligned, scores.images)


def _counted(share: float | None, trials: int) -> tuple[float, float]:
    return (0.0, 0.0) if share is None else wilson_interval(share * trials, trials)


def bars(ceiling: Outcome, baseline: Outcome | None = None, *, assumed: bool = False) -> Bars | None:
    """The bars that a ceiling sets; None where it decides nothing (`unfit`). `assumed` is as in `Bars`.

    No bar is below what guessing reaches, with its interval; that of the answers is not clearly below the
    baseline of the same seed either.
    """
    scores = ceiling.scores
    if scores is None or scores.aligned is None or unfit(ceiling):
        return None
    answer, reading = guessed_answers(scores)[1], guessed_readings(scores)[1]
    without = 0.0
    if baseline and baseline.scores:
        reached = baseline.scores
        without = wilson_interval(reached.task * reached.puzzles, reached.puzzles)[0]
    return Bars(
        max(HIGH * scores.read, answer, without),
        max(HIGH * scores.aligned, reading),
        answer,
        reading,
        assumed,
    )


def perfect_ceiling(outcome: Outcome) -> Outcome:
    """The ceiling of a perception that reads everything: no other sets higher bars on the same puzzles."""
    scores = outcome.scores and replace(
        outcome.scores, task=1.0, board=1.0, cell=1.0, unsolved=0.0, read=1.0, raw=1.0, aligned=1.0,
        collapse=0.0, confusion=None, relabelling=None, calibration=None, boards=[], intervals={},
    )  # fmt: skip
    return Outcome("ceiling", outcome.task, "perfect perception", outcome.seed, scores)


def unfit(ceiling: Outcome) -> str:
    """Why nothing can be held against a ceiling; empty where something can.

    It has to read images, and whole puzzles, clearly better than a guess: intervals that do not meet. What it
    reads is the best possible answer, so that a guess at the answer must not come near that either.
    """
    scores = ceiling.scores
    if scores is None or scores.aligned is None:
        return "the ceiling broke" if scores is None else "no image was read"
    if scores.read == 0:
        return f"the ceiling reads {scores.aligned:.2f} of the images, and no puzzle without an error"
    guess = guessed_readings(scores)[1]
    if scores.guessed_aligned is not None and _low(scores.aligned, scores.images) <= guess:
        return (
            f"the ceiling reads {scores.aligned:.2f} of the images, not clearly more than one that reads "
            f"every image as the same symbol ({scores.guessed_aligned:.2f})"
        )
    low = _low(scores.read, scores.puzzles)
    if scores.guessed_read is not None and low <= _counted(scores.guessed_read, scores.puzzles)[1]:
        return (
            f"the ceiling reads {scores.read:.2f} of the puzzles without an error, not clearly more than one "
            f"that reads every image as the same symbol ({scores.guessed_read:.2f})"
        )
    if scores.guessed_task is not None and low <= guessed_answers(scores)[1]:
        return (
            f"the best possible, {scores.read:.2f} of the puzzles, is not clearly above what guessing "
            f"answers ({scores.guessed_task:.2f})"
        )
    return ""


def _low(share: float, trials: int) -> float:
    return wilson_interval(share * trials, trials)[0]
