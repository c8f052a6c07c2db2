"""Plots of a report as SVG that takes its text colour from the page.

No word of a user is drawn: names of solvers and tasks stand beside a plot, never in it.
"""

import io
import math
import re
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..measures.report_samples import BINS, Calibration
from ..trials.trial import Outcome
from ..verdict import HIGH, bars

REGIONS = {  # lower left corner in units of the bars, colour
    "UNGROUNDED": ((0, 0), "#c0202b"),
    "NOT REASONING": ((1, 0), "#7a45d6"),
    "SHORTCUT": ((0, 1), "#8a5b00"),
    "GROUNDED": ((1, 1), "#14702f"),
}
DARK = {"#c0202b": "#ff8a82", "#7a45d6": "#c4a1ff", "#8a5b00": "#e3b341", "#14702f": "#56d364"}
TASK, ALIGNED, RAW = "#2f7fe8", "#dd6a1c", "#8c959f"  # legible on white and on black
PLANE_EDGE = 1.25  # of what could be reached: the edge of the plane
MAX_SINGLE_CURVES = 12  # seeds drawn one by one; more are drawn as a median with the band of nine tenths
INK = "#000000"  # replaced by the page's own text colour
STYLE: Any = {  # matplotlib's own type of keys is a literal of hundreds
    "svg.fonttype": "none",
    "svg.hashsalt": "groundcheck",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def plane(subjects: Sequence[Outcome], baselines: Sequence[Outcome], ceilings: Sequence[Outcome]) -> str:
    """Task accuracy against aligned grounding accuracy, each relative to what this perception could reach.

    Every seed is a point, next to the same seed without logic; the four verdicts are regions.
    """
    with _axes() as (figure, axes):
        for verdict, ((right, up), colour) in REGIONS.items():
            corner = (HIGH * right, HIGH * up)
            size = (PLANE_EDGE - HIGH if right else HIGH, PLANE_EDGE - HIGH if up else HIGH)
            axes.add_patch(Rectangle(corner, *size, color=colour, alpha=0.13, lw=0))
            axes.text(
                corner[0] + size[0] / 2, corner[1] + size[1] - 0.03, verdict.replace(" ", "\n"),
                ha="center", va="top", fontsize=6.5, fontweight="bold", linespacing=1.1, color=colour,
            )  # fmt: skip
        for outcomes, marker, colour, name in (
            (baselines, "x", RAW, "without logic"),
            (subjects, "o", TASK, "this solver"),
        ):
            points = _relative(outcomes, ceilings)
            if len(points):
                # Beyond a thousand points the dots go into one embedded picture.
                seeds = "1 seed" if len(points) == 1 else f"{len(points)} seeds"
                axes.scatter(
                    *points.T, marker=marker, color=colour, s=26, alpha=0.8, linewidths=1.2,
                    label=f"{name}, {seeds}", zorder=3, rasterized=len(points) > 1000,
                )  # fmt: skip
        axes.set(xlim=(0, PLANE_EDGE), ylim=(0, PLANE_EDGE))
        axes.set_xlabel("aligned grounding / ceiling")
        axes.set_ylabel("task accuracy / best possible")
        _legend(axes)
        return _svg(figure)


def _relative(outcomes: Sequence[Outcome], ceilings: Sequence[Outcome]) -> np.ndarray:
    high = {ceiling.seed: bars(ceiling) for ceiling in ceilings}
    points = [
        (HIGH * scores.aligned / bar.grounding, HIGH * scores.task / bar.task)
        for outcome in outcomes
        if (scores := outcome.scores) and scores.aligned is not None and (bar := high.get(outcome.seed))
    ]
    return np.clip(np.array(points), 0, PLANE_EDGE - 0.02)


def accuracies(outcomes: Sequence[Outcome]) -> str:
    """Both accuracies on validation over the epochs, of every seed."""
    with _axes() as (figure, axes):
        for name, label, colour in (
            ("raw", "raw grounding", RAW),
            ("aligned", "aligned", ALIGNED),
            ("task", "task", TASK),
        ):
            _lines(axes, outcomes, name, colour, label)
        axes.set(ylim=(-0.02, 1.02), ylabel="accuracy on validation")
        _legend(axes)
        return _svg(figure)


def symbols_in_use(outcomes: Sequence[Outcome]) -> str | None:
    """How many symbols perception reads at all, over the epochs; None where no images are read."""
    with _axes() as (figure, axes):
        if not _lines(axes, outcomes, "symbols_used", ALIGNED):
            return None
        axes.set(ylabel="symbols in use")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        return _svg(figure)


def gradient_norm(outcomes: Sequence[Outcome]) -> str | None:
    """The norm of the gradient that reaches the beliefs, over the epochs; None where there is none."""
    with _axes() as (figure, axes):
        if not _lines(axes, outcomes, "gradient", TASK):
            return None
        axes.set(ylabel="gradient norm")
        _logarithmic(axes)
        return _svg(figure)


def losses(outcomes: Sequence[Outcome]) -> str | None:
    """The training loss over the epochs; None where there is none."""
    with _axes() as (figure, axes):
        if not _lines(axes, outcomes, "loss", TASK):
            return None
        axes.set(ylabel="training loss, nats")
        return _svg(figure)


def _lines(axes: Axes, outcomes: Sequence[Outcome], name: str, colour: str, label: str = "") -> bool:
    """One figure over the epochs, per seed; whether there was anything to draw."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    curves = [outcome.curve for outcome in outcomes if outcome.curve]
    epochs = np.arange(max((curve[-1].epoch for curve in curves), default=0) + 1)
    rows = np.full((len(curves), len(epochs)), np.nan)
    for row, curve in zip(rows, curves, strict=True):
        for point in curve:
            value = getattr(point, name)
            # A gradient of zero has no place on a logarithmic axis.
            row[point.epoch] = np.nan if value is None or (name == "gradient" and value <= 0) else value
    rows = rows[~np.isnan(rows).all(axis=1)]
    if not len(rows):
        return False
    if len(rows) <= MAX_SINGLE_CURVES:
        for number, row in enumerate(rows):
            axes.plot(epochs, row, color=colour, lw=1.3, alpha=0.85, label=label if number == 0 else None)
        return True
    shown = epochs[~np.isnan(rows).all(axis=0)]
    low, middle, high = np.nanquantile(rows[:, shown], [0.05, 0.5, 0.95], axis=0)
    axes.plot(shown, middle, color=colour, lw=1.6, label=label or None)
    axes.fill_between(shown, low, high, color=colour, alpha=0.2, lw=0)
    return True


def reliability(calibrations: Sequence[Calibration]) -> str:
    """Accuracy against confidence of perception, pooled over seeds, with the images of each bin."""
    images = np.array([c.images for c in calibrations], dtype=float)
    hits = np.array([[a or 0 for a in c.accuracy] for c in calibrations]) * images
    total = images.sum(0)
    with _axes() as (figure, axes):
        centres = (np.arange(BINS) + 0.5) / BINS
        axes.plot([0, 1], [0, 1], color=RAW, lw=1, ls="--")
        axes.bar(centres, total / total.sum(), width=0.09, color=RAW, alpha=0.4, label="share of images")
        seen = total > 0
        axes.plot(centres[seen], hits.sum(0)[seen] / total[seen], "o-", ms=4, color=ALIGNED, label="accuracy")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy after alignment")
        _legend(axes)
        return _svg(figure)


@contextmanager
def _axes() -> Generator[tuple[Figure, Axes]]:
    """One plot; all have the same size, so that they line up on a page."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.7, 3.2), layout="constrained")
        yield figure, figure.subplots()


def _legend(axes: Axes) -> None:
    """Above the plot, where it hides nothing."""
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False, fontsize=7.5,
            borderaxespad=0.2, handlelength=1.2, handletextpad=0.5, columnspacing=1.1,
        )  # fmt: skip


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis with figures as people write them: 0.01, 2, 500."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = math.log10(high / low)
    steps = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=tuple(map(float, steps))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


_drawn = re.compile(r'(\bid="|href="#|url\(#)')


def _svg(figure: Figure) -> str:
    """The <svg> element alone, scalable, in the page's text colour.

    Its ids are prefixed with a digest of the drawing: two plots in one page must not share any.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    for light, dark in DARK.items():
        text = text.replace(light, f"light-dark({light}, {dark})")
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    prefix = f"p{zlib.crc32(text.encode()):x}-"
    text = _drawn.sub(rf"\g<1>{prefix}", text)
    return re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"', 'aria-hidden="true" focusable="false"', text, count=1
    )
