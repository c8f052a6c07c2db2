"""Three losses for visual Sudoku, of which one sees what it must not. Try each with

groundcheck audit examples.losses:over_all_cells --task sudoku
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, one_hot


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
