"""Scoring a network on held-out puzzles: the only side that opens sealed labels."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...datasets.batch import Examples, Sealed, assemble
from ...datasets.images import Bank, ImageSet
from ...datasets.task import Split, Task
from ..measures.interventions import Interventions, intervene
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
from ..measures.report_samples import calibrate, sample_boards
from .ceiling import NoSolver, deduce
from .network import Network
from .training import Progress
from .trial import Point

CHUNK = 250  # puzzles or images evaluated at once
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


@torch.no_grad()
def evaluate(network: Network, test: EvaluationSet, validation: EvaluationSet) -> Scores:
    """Scores a network on held-out puzzles; the relabelling is fitted on the validation images."""
    network.eval()
    given = test.examples.given.numpy(force=True)
    right = np.ones_like(given)
    image = test.examples.image.numpy(force=True)
    shown: Bool[np.ndarray, "puzzles variables"] = image >= 0
    if test.task.seen == "symbols":
        completion = predict(network, test.examples)
        boards = sample_boards(image, np.zeros(1, dtype=np.int64), given, completion, _solution(test))
        intervals = board_intervals(completion, given, _solution(test), image, right)
        return replace(score(completion, given, _solution(test), right), boards=boards, intervals=intervals)
    predicted, true, confidence = _read(network, test)
    right[shown] = (predicted == true)[image[shown]]
    if isinstance(network.solver, NoSolver):
        completion = deduce(_solution(test), right, network.legal.shape[1])
    else:
        completion = predict(network, test.examples)
    scores = score(
        completion,
        given,
        _solution(test),
        right,
        _confusion(network, validation),
        _confusion(network, test),
    )
    aligned = np.asarray(scores.relabelling)[predicted]
    return replace(
        scores,
        intervals=board_intervals(completion, given, _solution(test), image, right) | image_intervals(scores),
        calibration=calibrate(confidence[true >= 0], (aligned == true)[true >= 0]),
        boards=sample_boards(image, predicted, given, completion, _solution(test)),
    )


@torch.no_grad()
def intervened(network: Network, test: EvaluationSet, scores: Scores) -> Interventions | None:
    """What is left of the answers of a trained network when its solver is handed other beliefs."""
    if scores.relabelling is None or test.task.problem.rules is None:
        return None
    part = test.examples.batch(slice(0, INTERVENED))
    given = part.given.numpy(force=True)

    def answer(beliefs: Tensor) -> Float[np.ndarray, "puzzles variables symbols"]:
        return network.solver(beliefs, part.given).numpy(force=True)

    return intervene(
        test.task.problem,
        network.beliefs(part),
        given,
        (part.place >= 0).numpy(force=True),
        _solution(test)[: len(given)],
        scores.relabelling,
        answer,
    )


@torch.no_grad()
def predict(network: Network, examples: Examples) -> Float[np.ndarray, "puzzles variables symbols"]:
    """The solver's completion of every puzzle, from what perception reads."""
    parts: list[Tensor] = []
    for start in range(0, len(examples), CHUNK):
        batch = examples.batch(slice(start, start + CHUNK))
        parts.append(network.solver(network.beliefs(batch), batch.given))
    return torch.cat(parts).numpy(force=True)


def _solution(chosen: EvaluationSet) -> Any:
    return chosen.sealed.solution.numpy(force=True)


def _read(network: Network, chosen: EvaluationSet, most: int | None = None) -> tuple[Any, Any, Any]:
    """Predicted and true symbol of the images of a bank (the first `most`), and the probability of the one
    predicted; true is −1 for other classes.
    """
    gallery = chosen.bank.gallery
    rows = torch.arange(len(gallery) if most is None else min(most, len(gallery)), device=chosen.bank.device)
    sure, read = torch.cat([network.read(gallery.gather(part)) for part in rows.split(CHUNK)]).max(-1)
    true = _symbol_of(chosen.task, chosen.bank)[rows]
    return read.numpy(force=True), true.numpy(force=True), sure.double().numpy(force=True)


def _confusion(network: Network, chosen: EvaluationSet, most: int | None = None) -> Confusion:
    predicted, true, _ = _read(network, chosen, most)
    shown: Bool[np.ndarray, " images"] = true >= 0
    return confusion_matrix(true[shown], predicted[shown], len(chosen.task.classes))


@torch.no_grad()
def measure_point(network: Network, validation: EvaluationSet, progress: Progress) -> Point:
    """A point of the learning curve. Its relabelling is fitted on the images it is scored on."""
    network.eval()
    completion = predict(network, validation.examples)
    given = validation.examples.given.numpy(force=True)
    task = score(completion, given, _solution(validation), np.ones_like(given)).task
    loss = progress.loss if math.isfinite(progress.loss) else None
    if validation.task.seen == "symbols":
        return Point(progress.epoch, loss, progress.skipped, task, None, None, None, progress.gradient)
    confusion = _confusion(network, validation, CURVE_IMAGES)
    return Point(
        epoch=progress.epoch,
        loss=loss,
        skipped=progress.skipped,
        task=task,
        raw=grounding_accuracy(confusion),
        aligned=grounding_accuracy(relabel(confusion, best_relabelling(confusion))),
        symbols_used=int((confusion.sum(0) > 0).sum()),
        gradient=progress.gradient,
    )


def _symbol_of(task: Task, bank: Bank) -> Tensor:
    """The symbol that each image of a bank shows, −1 where the task shows none of its class."""
    symbols = np.full(max(int(bank.labels.max()), *task.classes) + 1, -1)
    symbols[list(task.classes)] = np.arange(len(task.classes))
    return torch.from_numpy(symbols[bank.labels]).to(bank.device)
