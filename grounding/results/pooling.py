"""Figures of cells taken together: what a heat map shows in a square, and a curve at a point."""

from collections.abc import Sequence
from statistics import fmean

from ..measures.figures import Figure
from .cells import CellResult
from .comparison import Estimate, estimate

MAX_POINTS = 24  # of a learning curve; a longer one is thinned


def pooled(results: Sequence[CellResult], figure: Figure | str) -> Estimate | None:
    """The mean over cells with its seed interval.

    Of several cells it is taken over the seeds that all of them have: the mean over the cells of each seed is
    one value. Where they share none, it is the mean of their means, without an interval.

    Args:
        results: Cells; those that lack the figure are left out.
        figure: Which figure, or its name.

    Returns:
        The estimate; None where no cell has the figure.
    """
    values = [v for result in results if (v := result.values(figure))]
    if not values:
        return None
    shared = sorted(set(values[0]).intersection(*values[1:]))
    if shared:
        return estimate([fmean(of[seed] for of in values) for seed in shared])
    return Estimate(fmean(fmean(of.values()) for of in values), None, 0)


def learning_curve(result: CellResult, name: str) -> list[tuple[int, Estimate]]:
    """A figure of the learning curves of a cell by epoch, mean over seeds with its seed interval.

    Args:
        result: The cell.
        name: A field of `Point`.
    """
    by_epoch: dict[int, list[float]] = {}
    for outcome in result.outcomes:
        if outcome.role == result.subject:
            for point in outcome.curve:
                if (value := getattr(point, name)) is not None:
                    by_epoch.setdefault(point.epoch, []).append(value)
    epochs = sorted(by_epoch)
    step = -(-len(epochs) // MAX_POINTS) if epochs else 1
    kept = epochs[::-1][::step][::-1]  # thinned from the end, so that the last epoch stays
    found = ((epoch, estimate(by_epoch[epoch])) for epoch in kept)
    return [(epoch, mean) for epoch, mean in found if mean is not None]
