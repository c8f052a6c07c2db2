"""Checks that no label of a given reaches training."""

from dataclasses import replace

import numpy as np
import torch

from ...datasets.batch import Examples, assemble
from ...datasets.images import ImageSet
from ...datasets.task import Puzzles, Task
from ..building import SolverSpec
from ..perception import Network
from ..training import Training, train
from ..trial import build_network
from .finding import Finding

PUZZLES = 24  # trained on, in batches of 8: three steps, after which Adam has spread any difference
BATCH = 8


def check_labels(spec: SolverSpec, task: Task, images: ImageSet, training: Training) -> Finding:
    """`leak/labels`: training does not move when the labels of the givens are replaced by others.

    Two runs from the same seed, on the same images: one with the true labels of the givens in the data, one
    with wrong ones. If they differ in one bit of a loss or of a parameter, the labels reach training, and
    perception may be learning from them what it should have grounded. This is how SATNet's success on visual
    Sudoku came about. Source: Chang et al. 2020, §4.
    """
    name = f"leak/labels/{task.name}"
    task = task.drawn(0)
    puzzles = task.generate("train", PUZZLES, 0)
    true, _ = assemble(task, puzzles, images.train)
    wrong = relabelled(task, puzzles, true, images)
    short = replace(training, puzzles=PUZZLES, epochs=1, batch=BATCH)
    try:
        losses, networks = zip(
            *(_train(spec, task, examples, short) for examples in (true, wrong)), strict=True
        )
    except Exception as error:
        return Finding(name, "error", f"training broke: {type(error).__name__}: {error}")
    moved = _distance(*networks)
    same_loss = losses[0] == losses[1] or bool(np.isnan(losses).all())
    if moved == 0 and same_loss:
        return Finding(
            name,
            "pass",
            "losses and parameters stay bit-identical without the labels of the givens",
            "",
            0.0,
            0.0,
        )
    return Finding(
        name,
        "fail",
        f"with other labels at the givens the loss went from {losses[0]:.4g} to {losses[1]:.4g} and "
        f"parameters moved by up to {moved:.2g}: the training loss sees the labels of the givens",
        "Take the labels of the givens out of the training loss (supervision=masked).",
        moved,
        0.0,
    )


def relabelled(task: Task, puzzles: Puzzles, true: Examples, images: ImageSet) -> Examples:
    """The same images and the same answers at the queries, with a wrong label at every given."""
    rng = np.random.default_rng(0)
    domains = np.asarray(task.problem.domains)
    shift = rng.integers(1, domains, size=puzzles.solution.shape)
    other = np.where(puzzles.given, (puzzles.solution + shift) % domains, puzzles.solution)
    wrong, _ = assemble(task, replace(puzzles, solution=other.astype(puzzles.solution.dtype)), images.train)
    # What is seen stays as it was: the images, and the symbols of the textual control.
    return replace(wrong, image=true.image, symbols=true.symbols)


def _train(spec: SolverSpec, task: Task, examples: Examples, training: Training) -> tuple[float, Network]:
    losses: list[float] = []
    with torch.random.fork_rng():
        network = build_network(task, spec, training, seed=0).to(examples.given.device)
        train(
            network,
            examples,
            training,
            torch.Generator().manual_seed(0),
            after_epoch=lambda progress: losses.append(progress.loss),
        )
    return losses[-1], network


@torch.no_grad()
def _distance(one: Network, other: Network) -> float:
    """The largest difference between parameters; NaN in the same places counts as equal."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    apart = [float((a - b).nan_to_num(0.0).abs().max()) for a, b in pairs if a.numel()]
    return max(apart, default=0.0)
