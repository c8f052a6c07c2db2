"""Losses and training steps for visual Sudoku, of which some see what they must not. Try each with

groundcheck audit examples.losses:over_all_cells --task sudoku
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, one_hot
from torch.optim import Optimizer


def over_all_cells(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    """The loss of the first visual Sudoku experiments: every cell counts, the given ones included.

    The model returns its givens unchanged, so at the given cells this trains perception with the labels of
    its images. It leaks.
    """
    completion = model(images, given)
    return binary_cross_entropy(completion, one_hot(labels, completion.shape[-1]).float())


def over_the_queries(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    """The same over the cells to be completed: nothing but the answer is told."""
    completion = model(images, given)
    target = one_hot(labels, completion.shape[-1]).float()
    return binary_cross_entropy(completion[~given], target[~given])


def with_labels_written_in(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    """The labels are written into the given cells before a loss over all of them.

    At these cells the loss is 0 and has no gradient, whatever the labels are. It does not leak; but the mean
    is over all cells, so that its gradient is smaller by the share of the queries.
    """
    completion = model(images, given)
    target = one_hot(labels, completion.shape[-1]).float()
    filled = torch.where(given.unsqueeze(-1), target, completion)
    return binary_cross_entropy(filled, target)


def step_over_the_queries(model: nn.Module, optimiser: Optimizer, batch: Any) -> None:
    """A whole training step; `batch` holds images, given and labels. It does not leak."""
    optimiser.zero_grad()
    over_the_queries(model, batch.images, batch.given, batch.labels).backward()
    optimiser.step()


class StepWithReplay:
    """Masked on the batch of the day, but what it repeats of earlier ones it repeats with all labels.

    It leaks from the second step on.
    """

    def __init__(self) -> None:
        self.earlier: list[Any] = []

    def __call__(self, model: nn.Module, optimiser: Optimizer, batch: Any) -> None:
        """One step."""
        optimiser.zero_grad()
        loss = over_the_queries(model, *batch)
        if self.earlier:
            loss = loss + over_all_cells(model, *self.earlier[-1])
        loss.backward()
        optimiser.step()
        self.earlier.append(batch)


step_with_replay = StepWithReplay()
