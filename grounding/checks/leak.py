"""Checks that nothing reaches training or scoring that should not."""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from scipy.special import bdtrc

from ...datasets.batch import Examples, assemble
from ...datasets.image_set import Bank, ImageSet
from ...datasets.task import Puzzles, Task
from ..measures.metrics import score
from ..perception.spec import PerceptionSpec
from ..trials.network import build_network
from ..trials.spec import SolverSpec
from ..trials.training import Training, train
from .contract.global_state import each_with_kept_state
from .finding import Finding, Status
from .registry import FailCheckError, Measurement, Registry
from .seeding import seeded_generators

PUZZLES = 24  # trained on, in batches of 8: three steps, after which Adam has spread any difference
BATCH = 8
NOISY_PAIRS = 12  # where a training does not repeat itself; 11 of them have to agree
NOISE_ERROR = 5e-3


@dataclass(frozen=True)
class Setting:
    """What a leak is looked for in: a solver, a task, images, and how it is trained."""

    spec: SolverSpec
    task: Task
    images: ImageSet
    training: Training
    perception: PerceptionSpec = field(default_factory=PerceptionSpec)


leak: Registry[Setting] = Registry("leak", place=50)


def check_leaks(
    spec: SolverSpec,
    task: Task,
    images: ImageSet,
    training: Training,
    *,
    perception: PerceptionSpec | None = None,
    label: str | None = None,
    known: Mapping[str, Status] | None = None,
    starting: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Every leak check on one task that is seen as images; `known` are those that ran already.

    `perception` is what reads the images, the usual one unless it is given; `label` is what the task is
    called beside others of its name.
    """
    setting = Setting(spec, task, images, training, perception or PerceptionSpec())
    running = leak.run(setting, label or task.name, known=known, starting=starting)
    yield from each_with_kept_state(running)


@leak.check("labels", needs=["contract/loss", "contract/globals"], at_most=0.0)
def check_labels(setting: Setting) -> Measurement:
    """Training does not move when the labels of the givens are replaced by others.

    Runs from the same weights and seeds, on the same images: two with the true labels of the givens in the
    data, one with wrong ones. If the third alone differs in one bit of a loss or of a parameter, the labels
    reach training, and perception may be learning from them what it should have grounded. This is how
    SATNet's success on visual Sudoku came about. Where the first two differ as well, a sign test over more of
    them tells whether other labels move training further than the same ones.

    Failure: the figure is the largest difference of a parameter after three steps. The verdict is LEAKY.
    It is inconclusive where the same labels move training no less.

    Remedy: Take the labels of the givens out of the training loss (supervision=masked).

    Source: Chang et al. 2020, arXiv:2312.11522, §4.
    """
    task = setting.task.drawn(seed=0)
    puzzles = task.generate("train", PUZZLES, seed=0)
    true, _ = assemble(task, puzzles, setting.images.train)
    wrong = relabelled(task, puzzles, true, setting.images)
    short = replace(setting.training, puzzles=PUZZLES, epochs=1, batch=BATCH)
    start = _Start(setting.spec, task, short, setting.perception)
    first, control, other = (start.train(examples) for examples in (true, true, wrong))
    moved, noise = first.distance(other), first.distance(control)
    if first.same_as(other):
        return Measurement(0.0, "losses and parameters stay bit-identical without the labels of the givens")
    seen = (
        f"with other labels at the givens the loss went from {first.loss:.4g} to {other.loss:.4g} and "
        f"parameters moved by up to {moved:.2g}"
    )
    if first.same_as(control):
        raise FailCheckError(f"{seen}: the training loss sees the labels of the givens", moved)
    chance = _chance_of_labels(start, true, wrong)
    if chance < NOISE_ERROR:
        raise FailCheckError(f"{seen}, each time further than with the same labels ({noise:.2g})", moved)
    message = (
        f"{seen}, and with the same labels by {noise:.2g}: the training does not repeat itself, and what "
        "moves is no more than that"
    )
    return Measurement(moved, message, settled=False)


def _chance_of_labels(start: "_Start", true: Examples, wrong: Examples) -> float:
    """How likely other labels would be the farther ones so often, by a sign test, if they did not matter."""
    farther = 0
    order = np.random.default_rng(0)
    for _ in range(NOISY_PAIRS):
        first = start.train(true)
        found = {bool(w): start.train(wrong if w else true) for w in order.permutation(2)}
        farther += first.distance(found[True]) > first.distance(found[False])
    return float(bdtrc(farther - 1, NOISY_PAIRS, 0.5))


@leak.check("images", at_most=0.0)
def check_images(setting: Setting) -> Measurement:
    """No picture of the test or validation part is among those that are trained on, by content.

    An image set may hold the same picture twice, and one from outside may have been split by position. What
    had to be left out of the test part for that, and pictures that stand in two classes, are told as well.

    Failure: the figure is the number of pictures that are in two parts.

    Remedy: Split by content: keep all copies of a picture on one side.
    """
    train, validation, test = (
        _digests(bank) for bank in (setting.images.train, setting.images.validation, setting.images.test)
    )
    shared = len(test & train) + len(test & validation) + len(validation & train)
    message = f"{shared} pictures occur in two of training, validation and test (of {len(test):,} in test)"
    message = "; ".join([message, *setting.images.notes])
    return Measurement(float(shared), message)


def _digests(bank: Bank) -> set[bytes]:
    pictures = bank.gallery.pictures.cpu().numpy()
    return {hashlib.sha256(picture.tobytes()).digest() for picture in pictures}


@leak.check("echo", at_most=0.0)
def check_echo(setting: Setting) -> Measurement:
    """What a solver returns at the givens is never scored.

    A solver that hands its inputs through is right at every given by construction. Here the scoring itself is
    tried: random answers are scored twice, with the true symbols and with garbage at the givens.

    Failure: the figure is by how much a score moved.

    Remedy: Score the queries only.
    """
    task = setting.task.drawn(seed=0)
    puzzles = task.generate("validation", PUZZLES, seed=0)
    solution = puzzles.solution.astype(np.int64)
    rng = np.random.default_rng(0)
    answers = rng.random((*solution.shape, task.problem.symbols))
    answers[::2] += np.eye(task.problem.symbols)[solution[::2]]  # else all are wrong, and nothing can move
    right = np.ones_like(puzzles.given)
    found = [
        score(np.where(puzzles.given[..., None], echoed, answers), puzzles.given, solution, right)
        for echoed in (
            np.eye(task.problem.symbols)[solution],
            rng.random(answers.shape),
            np.full(answers.shape, np.nan),
        )
    ]
    moved = max(
        abs(getattr(other, name) - getattr(found[0], name))
        for other in found[1:]
        for name in ("task", "board", "cell", "unsolved")
    )
    return Measurement(moved, f"scores move by {moved:.2g} with what is returned at the givens")


def relabelled(task: Task, puzzles: Puzzles, true: Examples, images: ImageSet) -> Examples:
    """The same images and the same answers at the queries, with a wrong label at every given."""
    rng = np.random.default_rng(0)
    domains = np.asarray(task.problem.domains)
    shift = rng.integers(1, domains, size=puzzles.solution.shape)
    other = np.where(puzzles.given, (puzzles.solution + shift) % domains, puzzles.solution)
    wrong, _ = assemble(task, replace(puzzles, solution=other.astype(puzzles.solution.dtype)), images.train)
    # What is seen stays as it was: the images, and the symbols of the textual control.
    return replace(wrong, image=true.image, symbols=true.symbols)


@dataclass(frozen=True)
class _Trained:
    """A network after a short training, and the loss of its epoch."""

    loss: float
    parameters: tuple[torch.Tensor, ...]

    def distance(self, other: "_Trained") -> float:
        """The largest difference between parameters; NaN in the same places counts as equal."""
        pairs = zip(self.parameters, other.parameters, strict=True)
        return max(float((a - b).nan_to_num(0.0).abs().max()) for a, b in pairs if a.numel())

    def same_as(self, other: "_Trained") -> bool:
        """Bit by bit."""
        same_loss = self.loss == other.loss or bool(np.isnan([self.loss, other.loss]).all())
        return same_loss and self.distance(other) == 0


class _Start:
    """Trains a solver again and again, every time from what it was when it was first built.

    A factory that hands out one solver for all (it sits under a cache) hands out a trained one from the
    second time on: where two builds of one seed differ, the first one's state is put back.
    """

    def __init__(self, spec: SolverSpec, task: Task, training: Training, perception: PerceptionSpec) -> None:
        self.spec, self.task, self.training, self.perception = spec, task, training, perception
        self.state: dict[str, Any] | None = None

    def train(self, examples: Examples) -> _Trained:
        """From one seed of every generator."""
        losses: list[float] = []
        with seeded_generators(seed=0):
            network = build_network(
                self.task,
                self.spec,
                self.training.interface,
                seed=0,
                perception=self.perception,
                image_shape=examples.gallery.shape,
            )
            network = network.to(examples.given.device)
            if self.state is None:
                self.state = copy.deepcopy(network.state_dict())
            elif not _equal(self.state, network.state_dict()):
                network.load_state_dict(self.state)
            train(
                network,
                examples,
                self.training,
                torch.Generator().manual_seed(0),
                after_epoch=lambda progress: losses.append(progress.loss),
            )
        return _Trained(losses[-1], tuple(p.detach().clone() for p in network.parameters()))


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two states hold the same tensors; what is no tensor is not compared."""
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items() if isinstance(value, torch.Tensor)
    )
