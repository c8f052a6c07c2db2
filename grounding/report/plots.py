"""Plots over the epochs, and how sure perception is."""

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..measures.report_samples import BINS, Calibration, pool_calibrations
from ..trials.trial import Outcome
from .canvas import BLUE, GREY, INK, ORANGE, canvas, legend_above

TASK, ALIGNED, RAW = BLUE, ORANGE, GREY
MAX_SINGLE_CURVES = 12  # seeds drawn one by one; more are drawn as the band of nine tenths
FEWEST_IMAGES = 10  # of a bin of confidence: the accuracy of fewer says little


def accuracies(outcomes: Sequence[Outcome], ceilings: Sequence[Outcome] = ()) -> Figure:
    """Accuracies on validation over the epochs: every seed thin, their mean bold, the ceiling dashed."""
    with canvas() as (figure, axes):
        for name, label, colour in (
            ("raw", "raw grounding", RAW),
            ("aligned", "aligned", ALIGNED),
            ("task", "task", TASK),
        ):
            _lines(axes, outcomes, name, colour, label)
        best = [ceiling.scores for ceiling in ceilings if ceiling.scores]
        read = [scores.aligned for scores in best if scores.aligned is not None]
        for reached, colour in ((read, ALIGNED), ([scores.read for scores in best], TASK)):
            if reached:
                axes.axhline(fmean(reached), color=colour, lw=1.2, ls=(0, (4, 3)), zorder=1)
        if best:
            axes.plot([], [], color=INK, lw=1.2, ls=(0, (4, 3)), label="ceiling")
        axes.set(ylim=(-0.02, 1.02), ylabel="accuracy on validation")
        legend_above(axes)
        return figure


def symbols_in_use(outcomes: Sequence[Outcome], symbols: int | None = None) -> Figure | None:
    """How many symbols perception reads at all, over the epochs; None where no images are read.

    A dashed line marks how many there are, where that is known.
    """
    with canvas() as (figure, axes):
        if not _lines(axes, outcomes, "symbols_used", ALIGNED):
            return None
        if symbols:
            axes.axhline(symbols, color=INK, lw=1.2, ls=(0, (4, 3)), zorder=1, label="all symbols")
            legend_above(axes)
        axes.set(ylabel="symbols in use")
        axes.set_ylim(0, 1.05 * max(symbols or 0, axes.get_ylim()[1]))
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        return figure


def gradient_norm(outcomes: Sequence[Outcome]) -> Figure | None:
    """The norm of the gradient that reaches the beliefs, over the epochs; None where there is none."""
    with canvas() as (figure, axes):
        if not _lines(axes, outcomes, "gradient", TASK):
            return None
        axes.set(ylabel="gradient norm")
        _logarithmic(axes)
        return figure


def losses(outcomes: Sequence[Outcome]) -> Figure | None:
    """The training loss over the epochs; None where there is none."""
    with canvas() as (figure, axes):
        if not _lines(axes, outcomes, "loss", TASK):
            return None
        axes.set(ylabel="training loss, nats")
        return figure


def _lines(axes: Axes, outcomes: Sequence[Outcome], name: str, colour: str, label: str = "") -> bool:
    """One figure over the epochs, per seed and as their mean; whether there was anything to draw."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    rows = _by_epoch(outcomes, name)
    if not len(rows):
        return False
    epochs = np.flatnonzero(~np.isnan(rows).all(axis=0))
    if len(rows) > MAX_SINGLE_CURVES:
        low, high = np.nanquantile(rows[:, epochs], [0.05, 0.95], axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, lw=0)
    elif len(rows) > 1:
        axes.plot(np.arange(rows.shape[1]), rows.T, color=colour, lw=0.8, alpha=0.45)
    shown = rows[:, epochs]
    mean = np.exp(np.nanmean(np.log(shown), axis=0)) if name == "gradient" else np.nanmean(shown, axis=0)
    alone = len(epochs) == 1  # a line of one point cannot be seen
    axes.plot(
        epochs, mean, marker="o" if alone else "", color=colour, lw=2.2, label=label or None,
        solid_capstyle="round",
    )  # fmt: skip
    if alone:
        axes.set(xlim=(epochs[0] - 0.5, epochs[0] + 0.5), xticks=epochs)
    return True


def _by_epoch(outcomes: Sequence[Outcome], name: str) -> Float[np.ndarray, "seeds epochs"]:
    """One figure of every seed that has it, NaN where an epoch lacks it."""
    curves = [outcome.curve for outcome in outcomes if outcome.curve]
    rows = np.full((len(curves), max((curve[-1].epoch for curve in curves), default=0) + 1), np.nan)
    for row, curve in zip(rows, curves, strict=True):
        for point in curve:
            value = getattr(point, name)
            # A gradient of zero has no place on a logarithmic axis.
            row[point.epoch] = np.nan if value is None or (name == "gradient" and value <= 0) else value
    return rows[~np.isnan(rows).all(axis=1)]


def reliability(calibrations: Sequence[Calibration]) -> Figure:
    """Accuracy against confidence of perception, pooled over seeds, with the share of images of each bin.

    Bins of fewer than `FEWEST_IMAGES` images show no accuracy.
    """
    pooled = pool_calibrations(calibrations)
    total = np.array(pooled.images)
    with canvas() as (figure, axes):
        centres = (np.arange(BINS) + 0.5) / BINS
        axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=":", label="as sure as right")
        share = total / max(1, total.sum())
        axes.bar(centres, share, width=0.09, color=GREY, alpha=0.4, label="share of images")
        seen = np.flatnonzero(total >= FEWEST_IMAGES)
        sure, right = (
            [value for at in seen if (value := values[at]) is not None]
            for values in (pooled.confidence, pooled.accuracy)
        )
        axes.plot(sure, right, "o-", ms=4.5, lw=1.6, color=ORANGE, label="accuracy")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy after alignment")
        legend_above(axes)
        return figure


def too_few(calibrations: Sequence[Calibration]) -> int:
    """How many images are in bins that `reliability` leaves out."""
    return sum(n for n in pool_calibrations(calibrations).images if n < FEWEST_IMAGES)


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis with figures as people write them: 0.01, 2, 500."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = math.log10(high / low)
    steps = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=tuple(map(float, steps))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
