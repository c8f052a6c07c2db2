"""Scoring a network on held-out puzzles: the only side that opens sealed labels.

It asks the network for arrays (`Answers`) and never holds it, so that it can run where no solver ever did.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...datasets.batch import Examples, Sealed, assemble
from ...datasets.image_set import Bank, ImageSet
from ...datasets.task import Split, Task
from ..measures.interface import saturated
from ..measures.interventions import Intervention, Interventions, follow_symbols, intervene, names_of
from ..measures.metrics import (
    Confusion,
    Scores,
    best_relabelling,
    board_intervals,
    confusion_matrix,
    grounding_accuracy,
    image_intervals,
    relabel,
    score,
)
from ..measures.renaming import answers_to_names, find_renaming
from ..measures.report_samples import calibrate, sample_boards
from .answers import Answers, Probed
from .ceiling import deduce
from .probing import record_interface
from .training import Progress
from .trial import Point

CURVE_IMAGES = 500  # validation images that a point of the learning curve is measured on
INTERVENED = 100  # test puzzles that are intervened on


@dataclass(frozen=True)
class EvaluationSet:
    """Held-out puzzles with their sealed labels: scoring's side of the barrier."""

    task: Task
    examples: Examples
    sealed: Sealed
    bank: Bank


def make_evaluation_set(task: Task, split: Split, size: int, seed: int, images: ImageSet) -> EvaluationSet:
    """Puzzles of a split with images of that split, sealed labels beside them."""
    bank = images.bank(split, task.shift)
    return EvaluationSet(task, *assemble(task, task.generate(split, size, seed), bank), bank)


def evaluate(
    answers: Answers, test: EvaluationSet, validation: EvaluationSet, *, deduced: bool = False
) -> Scores:
    """Scores a network on held-out puzzles; the relabelling is fitted on the validation images.

    Where no solver was trained its completions are `deduced`: by the exact rules, from what is read.
    """
    given = test.examples.given.numpy(force=True)
    right = np.ones_like(given)
    image = test.examples.image.numpy(force=True)
    shown: Bool[np.ndarray, "puzzles variables"] = image >= 0
    if test.task.seen == "symbols":
        completion = answers.predict("test")
        boards = sample_boards(image, np.zeros(1, dtype=np.int64), given, completion, _solution(test))
        intervals = board_intervals(completion, given, _solution(test), image, right)
        return replace(score(completion, given, _solution(test), right), boards=boards, intervals=intervals)
    predicted, confidence = answers.read("test", None)
    true = symbol_of(test)
    right[shown] = (predicted == true)[image[shown]]
    if deduced:
        completion = deduce(_solution(test), right, test.task.problem.symbols)
    else:
        completion = answers.predict("test")
    scores = score(
        completion,
        given,
        _solution(test),
        right,
        _confusion(validation, answers.read("validation", None)[0]),
        _confusion(test, predicted),
    )
    aligned = np.asarray(scores.relabelling)[predicted]
    return replace(
        scores,
        intervals=board_intervals(completion, given, _solution(test), image, right) | image_intervals(scores),
        calibration=calibrate(confidence[true >= 0], (aligned == true)[true >= 0]),
        boards=sample_boards(image, predicted, given, completion, _solution(test)),
    )


def intervened(
    answers: Answers, test: EvaluationSet, validation: EvaluationSet, scores: Scores
) -> Interventions | None:
    """What is left of the answers of a trained network when its solver is handed other beliefs.

    The true symbols that it is handed at the end are those of validation puzzles, whose images it does not
    see: under perception's names, as sure as perception is, and as sure of one symbol as of any other.
    """
    if scores.relabelling is None or test.task.problem.rules is None:
        return None
    given = test.examples.given[:INTERVENED].numpy(force=True)
    shown = (test.examples.image[:INTERVENED] >= 0).numpy(force=True)
    beliefs = answers.believe("test", INTERVENED)

    def answer(beliefs: Tensor) -> Float[np.ndarray, "puzzles variables symbols"]:
        return answers.complete(beliefs.numpy(), given)

    found = intervene(
        test.task.problem,
        torch.from_numpy(beliefs),
        given,
        shown,
        _solution(test)[: len(given)],
        scores.relabelling,
        answer,
    )
    read = beliefs[shown][:, : len(scores.relabelling)]
    symbols, handed = _from_symbols(answers, validation, scores.relabelling, read)
    return replace(found, symbols=symbols, handed=handed)


def _from_symbols(
    answers: Answers,
    puzzles: EvaluationSet,
    relabelling: Sequence[int],
    read: Float[np.ndarray, "images symbols"],
) -> tuple[Intervention, list[int] | None]:
    """`symbols` and `handed` of `Interventions`; `read` is what perception believes of some images."""
    problem, names = puzzles.task.problem, names_of(relabelling)
    given = puzzles.examples.given[:INTERVENED].numpy(force=True)
    shown = (puzzles.examples.image[:INTERVENED] >= 0).numpy(force=True)
    solution = _solution(puzzles)[:INTERVENED]
    top = read.max(-1).mean()
    rest = (read.sum(-1) - read.max(-1)).mean() / (len(names) - 1)
    symbols = np.zeros((len(names), problem.symbols))
    symbols[:, : len(names)] = np.where(np.eye(len(names), dtype=bool)[names], top, rest)
    uniform = problem.legal / problem.legal.sum(-1, keepdims=True)
    beliefs = np.where(given[..., None], np.eye(problem.symbols)[solution], uniform)
    beliefs[shown] = symbols[solution[shown]]
    completion = answers.complete(beliefs.astype(np.float32), given)
    renaming = find_renaming(problem, given, shown, solution, len(names))
    answered = None
    if renaming is not None:
        answered = answers_to_names(renaming, names, given, shown, solution, completion)
    return follow_symbols(problem, given, solution, completion), answered


def measure_point(
    answers: Answers,
    validation: EvaluationSet,
    progress: Progress,
    training: Sealed | None = None,
    interface: str = "softmax",
) -> Point:
    """A point of the learning curve. Its relabelling is fitted on the images it is scored on.

    `training` are the symbols of the training puzzles, which the recorded gradient is held against.
    """
    completion = answers.predict("validation")
    given = validation.examples.given.numpy(force=True)
    scored = score(completion, given, _solution(validation), np.ones_like(given))
    task = scored.task
    loss = progress.loss if math.isfinite(progress.loss) else None
    if validation.task.seen == "symbols":
        return Point(progress.epoch, loss, progress.skipped, task, None, None, None, progress.gradient)
    record = None
    if isinstance(answers, Probed):
        beliefs = answers.probe("validation", CURVE_IMAGES)
        predicted = beliefs.argmax(-1)
        true = symbol_of(validation)[: len(beliefs)]
        record = replace(
            record_interface(beliefs, true, progress.recorded, training, interface),
            unsolved=scored.unsolved,
            answers_saturated=saturated(completion[~given]),
        )
    else:
        predicted, _ = answers.read("validation", CURVE_IMAGES)
    confusion = _confusion(validation, predicted)
    return Point(
        epoch=progress.epoch,
        loss=loss,
        skipped=progress.skipped,
        task=task,
        raw=grounding_accuracy(confusion),
        aligned=grounding_accuracy(relabel(confusion, best_relabelling(confusion))),
        symbols_used=int((confusion.sum(0) > 0).sum()),
        gradient=progress.gradient,
        no_gradient=progress.no_gradient,
        interface=record,
    )


def _solution(chosen: EvaluationSet) -> Any:
    return chosen.sealed.solution.numpy(force=True)


def _confusion(chosen: EvaluationSet, predicted: Int[np.ndarray, " images"]) -> Confusion:
    """Of the first images of a bank, those that were read."""
    true = symbol_of(chosen)[: len(predicted)]
    shown: Bool[np.ndarray, " images"] = true >= 0
    return confusion_matrix(true[shown], predicted[shown], len(chosen.task.classes))


def symbol_of(chosen: EvaluationSet) -> Any:
    """The symbol that each image of a bank shows, −1 where the task shows none of its class."""
    classes, labels = chosen.bank.classes_of(chosen.task), chosen.bank.labels
    symbols = np.full(max(int(labels.max()), *classes) + 1, -1)
    symbols[list(classes)] = np.arange(len(classes))
    return symbols[labels]
