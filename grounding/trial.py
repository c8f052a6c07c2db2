"""One training run from a seed, scored: the unit that a suite repeats and a record keeps."""

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..datasets.batch import Batch, Examples, Sealed, assemble
from ..datasets.images import Bank, ImageSet, load_images
from ..datasets.task import Split, Task, textual
from ..solvers.extras import MissingExtraError
from .building import SolverBrokenError, SolverSpec
from .checks.bypass import PUZZLES as INTERVENED
from .checks.bypass import Interventions, intervene
from .clustering import discover_symbols
from .metrics import (
    Confusion,
    Scores,
    best_relabelling,
    board_intervals,
    confusion_matrix,
    grounding_accuracy,
    relabel,
    score,
)
from .perception import Network
from .samples import calibrate, sample_boards
from .traces import Trace
from .training import Progress, Training, end_to_end, train

Role = Literal["grounding", "baseline", "ceiling", "reasoning"]
CHUNK = 250  # puzzles or images evaluated at once
CURVE_IMAGES = 500  # validation images that a point of the learning curve is measured on


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that decides the outcome of one training run.

    `role` says which part of the comparison it is: the solver end to end (`grounding`), the same network
    without logic (`baseline`), perception trained with the labels of its images (`ceiling`), or the solver
    fed the true symbols (`reasoning`).
    """

    task: Task
    solver: SolverSpec
    role: Role
    seed: int
    training: Training
    images: str = "digits"
    data_root: Path | None = None
    download: bool = False
    validation_puzzles: int = 100
    test_puzzles: int = 300
    device: str = "cpu"
    threads: int = 1
    trace: Path | None = field(default=None, compare=False)  # gets one JSON line per epoch

    @property
    def label(self) -> str:
        """How progress lines and reports call it."""
        return f"{self.role}/{self.task.name} {self.solver.name} seed {self.seed}"


@dataclass(frozen=True)
class Point:
    """One epoch of a learning curve; accuracies are on validation puzzles and images.

    Epoch 0 is before training; it has neither a loss nor a gradient.
    """

    epoch: int
    loss: float | None  # None also where every row was left unsolved
    skipped: float
    task: float
    raw: float | None
    aligned: float | None
    symbols_used: int | None
    gradient: float | None = None  # norm of the loss's gradient towards the beliefs, mean per row


@dataclass(frozen=True)
class Outcome:
    """What came of one trial; `error` holds a traceback where it broke, and then there are no scores."""

    role: Role
    task: str
    solver: str
    seed: int
    scores: Scores | None = None
    curve: list[Point] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0
    interventions: Interventions | None = None  # on the trained network, where images were seen
    path: str | None = None  # which of its implementations computed the solver, where it says so

    def as_dict(self) -> dict[str, Any]:
        """For a JSON record."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Outcome":
        """From a JSON record."""
        parts: dict[str, Any] = {
            "scores": None if record["scores"] is None else Scores.from_dict(record["scores"]),
            "curve": [Point(**point) for point in record["curve"]],
        }
        if found := record.get("interventions"):
            parts["interventions"] = Interventions.from_dict(found)
        return cls(**{**record, **parts})


def run_trial(trial: Trial, after_epoch: Callable[[Point], None] = lambda _: None) -> Outcome:
    """Trains and scores. An exception inside becomes the outcome's `error`; only Ctrl-C passes.

    Deterministic in the trial: two runs give the same outcome, `seconds` aside.
    """
    started = time.perf_counter()
    curve: list[Point] = []

    def remember(point: Point) -> None:
        curve.append(point)
        trace.append(asdict(point))
        after_epoch(point)

    scores, interventions, path, error = None, None, None, None
    threads = torch.get_num_threads()
    torch.set_num_threads(trial.threads)
    trace = Trace(trial.trace)
    try:
        with trace:
            scores, interventions, path = _train_and_score(trial, remember)
    except Exception as raised:
        told = isinstance(raised, SolverBrokenError | MissingExtraError)
        error = str(raised) if told else traceback.format_exc()
    finally:
        torch.set_num_threads(threads)
    return Outcome(
        role=trial.role,
        task=trial.task.name,
        solver=trial.solver.name,
        seed=trial.seed,
        scores=scores,
        curve=curve,
        error=error,
        seconds=time.perf_counter() - started,
        interventions=interventions,
        path=path,
    )


class NoSolver(nn.Module):
    """Stands where no solver is trained: passes the beliefs on."""

    def forward(
        self, beliefs: Float[Tensor, "batch variables symbols"], given: Bool[Tensor, "batch variables"]
    ) -> Float[Tensor, "batch variables symbols"]:
        """The beliefs."""
        del given
        return beliefs


NO_SOLVER = SolverSpec("none", factory=lambda _problem: NoSolver())


@dataclass(frozen=True)
class Held:
    """Held-out puzzles with their sealed labels: scoring's side of the barrier."""

    task: Task
    examples: Examples
    sealed: Sealed
    bank: Bank


def hold(task: Task, split: Split, size: int, seed: int, images: ImageSet) -> Held:
    """Puzzles of a split with images of that split, sealed labels beside them."""
    bank = images.bank(split, task.shift)
    return Held(task, *assemble(task, task.generate(split, size, seed), bank), bank)


def build_network(task: Task, spec: SolverSpec, training: Training, seed: int) -> Network:
    """Perception and solver with initial weights from `seed`; the perception's do not depend on the solver.

    Leaves torch's global generator seeded, for solvers that use it.
    """
    perception_seed, solver_seed = (
        int(state) for state in np.random.SeedSequence((seed, 1)).generate_state(2, np.uint64) >> np.uint64(1)
    )
    torch.manual_seed(solver_seed)
    solver = spec.build(task.problem)
    after_solver = torch.get_rng_state()
    torch.manual_seed(perception_seed)
    network = Network(task.problem, len(task.classes), solver, training.interface)
    torch.set_rng_state(after_solver)
    return network


def _train_and_score(
    trial: Trial, after_epoch: Callable[[Point], None]
) -> tuple[Scores, Interventions | None, str | None]:
    task = trial.task.drawn(trial.seed)
    if trial.role == "reasoning":
        task = textual(task)
    images = load_images(trial.images, trial.data_root, download=trial.download, device=trial.device)
    taught = replace(task, supervision="leaky") if trial.role == "ceiling" else task
    training = hold(taught, "train", trial.training.puzzles, trial.seed, images)
    validation = hold(task, "validation", trial.validation_puzzles, trial.seed, images)
    with torch.random.fork_rng():
        spec = NO_SOLVER if trial.role == "ceiling" else trial.solver
        network = build_network(task, spec, trial.training, trial.seed).to(trial.device)
        asked = trial.training.pretraining or getattr(network.solver, "pretraining", "none")
        if asked == "clusters" and task.seen == "images" and trial.role in ("grounding", "baseline"):
            _pretrain(network, training.examples, len(task.classes), trial.seed)

        def measure(progress: Progress) -> None:
            after_epoch(_point(network, validation, progress))

        with torch.random.fork_rng():  # looking must not change what is drawn in training
            measure(Progress(0, math.nan, 0.0))
        train(
            network,
            training.examples,
            trial.training,
            torch.Generator().manual_seed(trial.seed),
            loss=supervised if trial.role == "ceiling" else end_to_end,
            after_epoch=measure,
        )
        test = hold(task, "test", trial.test_puzzles, trial.seed, images)
        scores = evaluate(network, test, validation)
        interventions = intervened(network, test, scores) if trial.role == "grounding" else None
        path = getattr(network.solver, "path", None)
        return scores, interventions, path if isinstance(path, str) else None


@torch.no_grad()
def intervened(network: Network, test: Held, scores: Scores) -> Interventions | None:
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


def _pretrain(network: Network, examples: Examples, symbols: int, seed: int) -> None:
    """Perception learns the clusters of the images that the training puzzles show."""
    shown = torch.unique(examples.image)
    images = examples.gallery.gather(shown[shown >= 0])
    discover_symbols(network.perception, images, symbols, torch.Generator().manual_seed(seed))


def supervised(network: Network, batch: Batch) -> Float[Tensor, " images"]:
    """Cross-entropy of perception with the labels of the images it reads: the ceiling's loss.

    The labels are in the answer, which only leaky supervision puts there.
    """
    shown = batch.place >= 0
    labels = batch.answer.new_empty(len(batch.images))
    labels[batch.place[shown]] = batch.answer[shown]
    return torch.nn.functional.cross_entropy(network.perception(batch.images), labels, reduction="none")


def _symbol_of(task: Task, bank: Bank) -> Tensor:
    """The symbol that each image of a bank shows, −1 where the task shows none of its class."""
    symbols = np.full(max(int(bank.labels.max()), *task.classes) + 1, -1)
    symbols[list(task.classes)] = np.arange(len(task.classes))
    return torch.from_numpy(symbols[bank.labels]).to(bank.device)


@torch.no_grad()
def evaluate(network: Network, test: Held, validation: Held) -> Scores:
    """Scores a network on held-out puzzles; the relabelling is fitted on the validation images."""
    network.eval()
    given = test.examples.given.numpy(force=True)
    right = np.ones_like(given)
    image = test.examples.image.numpy(force=True)
    shown: Bool[np.ndarray, "puzzles variables"] = image >= 0
    if test.task.seen == "symbols":
        completion = complete(network, test.examples)
        boards = sample_boards(image, np.zeros(1, dtype=np.int64), given, completion, _solution(test))
        intervals = board_intervals(completion, given, _solution(test), shown, {})
        return replace(score(completion, given, _solution(test), right), boards=boards, intervals=intervals)
    predicted, true, confidence = _read(network, test)
    right[shown] = (predicted == true)[image[shown]]
    if isinstance(network.solver, NoSolver):
        completion = deduce(_solution(test), right, network.legal.shape[1])
    else:
        completion = complete(network, test.examples)
    scores = score(
        completion,
        given,
        _solution(test),
        right,
        _confusion(network, validation),
        _confusion(network, test),
    )
    aligned = np.asarray(scores.relabelling)[predicted]
    aligned_right = np.ones_like(given)
    aligned_right[shown] = (aligned == true)[image[shown]]
    return replace(
        scores,
        intervals=board_intervals(
            completion, given, _solution(test), shown, {"raw": right, "aligned": aligned_right}
        ),
        calibration=calibrate(confidence[true >= 0], (aligned == true)[true >= 0]),
        boards=sample_boards(image, predicted, given, completion, _solution(test)),
    )


def deduce(
    solution: Int[np.ndarray, "puzzles variables"], right: Bool[np.ndarray, "puzzles variables"], symbols: int
) -> Float[np.ndarray, "puzzles variables symbols"]:
    """What the exact rules answer on top of a perception: the solution where every image was read right.

    Other puzzles count as unsolved; that a wrong reading may lead to the right answer is left aside.
    """
    completion = np.eye(symbols)[solution]
    completion[~right.all(-1)] = np.nan
    return completion


@torch.no_grad()
def complete(network: Network, examples: Examples) -> Float[np.ndarray, "puzzles variables symbols"]:
    """The solver's completion of every puzzle, from what perception reads."""
    parts: list[Tensor] = []
    for start in range(0, len(examples), CHUNK):
        batch = examples.batch(slice(start, start + CHUNK))
        parts.append(network.solver(network.beliefs(batch), batch.given))
    return torch.cat(parts).numpy(force=True)


def _solution(held: Held) -> Any:
    return held.sealed.solution.numpy(force=True)


def _read(network: Network, held: Held, most: int | None = None) -> tuple[Any, Any, Any]:
    """Predicted and true symbol of the images of a bank (the first `most`), and the probability of the one
    predicted; true is −1 for other classes.
    """
    gallery = held.bank.gallery
    rows = torch.arange(len(gallery) if most is None else min(most, len(gallery)), device=held.bank.device)
    sure, read = torch.cat([network.read(gallery.gather(part)) for part in rows.split(CHUNK)]).max(-1)
    true = _symbol_of(held.task, held.bank)[rows]
    return read.numpy(force=True), true.numpy(force=True), sure.double().numpy(force=True)


def _confusion(network: Network, held: Held, most: int | None = None) -> Confusion:
    predicted, true, _ = _read(network, held, most)
    shown: Bool[np.ndarray, " images"] = true >= 0
    return confusion_matrix(true[shown], predicted[shown], len(held.task.classes))


@torch.no_grad()
def _point(network: Network, validation: Held, progress: Progress) -> Point:
    """A point of the learning curve. Its relabelling is fitted on the images it is scored on."""
    network.eval()
    completion = complete(network, validation.examples)
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
