"""Plots of a report as SVG that takes its text colour from the page.

No word of a user is drawn: names of solvers and tasks stand beside a plot, never in it.
"""

import io
import re
import zlib
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ..samples import BINS, Calibration
from ..trial import Outcome
from ..verdict import HIGH, bars

REGIONS = {  # lower left corner in units of the bars, colour
    "UNGROUNDED": ((0, 0), "#cf222e"),
    "NOT REASONING": ((1, 0), "#8250df"),
    "SHORTCUT": ((0, 1), "#bf8700"),
    "GROUNDED": ((1, 1), "#1a7f37"),
}
TASK, ALIGNED, RAW = "#2f7fe8", "#dd6a1c", "#8c959f"  # legible on white and on black
MOST = 1.25  # of what could be reached: the edge of the plane
FEW = 12  # seeds drawn one by one; more are drawn as a median with the band of nine tenths
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
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for verdict, ((right, up), colour) in REGIONS.items():
            corner = (HIGH * right, HIGH * up)
            size = (MOST - HIGH if right else HIGH, MOST - HIGH if up else HIGH)
            axes.add_patch(Rectangle(corner, *size, color=colour, alpha=0.13, lw=0))
            axes.text(
                corner[0] + size[0] / 2, corner[1] + size[1] - 0.02, verdict,
                ha="center", va="top", fontsize=6.5, color=colour, rotation=90 if right and not up else 0,
            )  # fmt: skip
        for outcomes, marker, colour, name in (
            (baselines, "x", RAW, "without logic"),
            (subjects, "o", TASK, "this solver"),
        ):
            points = _relative(outcomes, ceilings)
            if len(points):
                # Beyond a thousand points the dots go into one embedded picture.
                axes.scatter(
                    *points.T, marker=marker, color=colour, s=22, alpha=0.75, linewidths=1.0,
                    label=f"{name}, {len(points)} seeds", zorder=3, rasterized=len(points) > 1000,
                )  # fmt: skip
        axes.set(xlim=(0, MOST), ylim=(0, MOST))
        axes.set_xlabel("aligned grounding accuracy / ceiling")
        axes.set_ylabel("task accuracy / best possible")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, fontsize=8)
        return _svg(figure)


def _relative(outcomes: Sequence[Outcome], ceilings: Sequence[Outcome]) -> np.ndarray:
    high = {ceiling.seed: bars(ceiling) for ceiling in ceilings}
    points = [
        (HIGH * scores.aligned / bar.grounding, HIGH * scores.task / bar.task)
        for outcome in outcomes
        if (scores := outcome.scores) and scores.aligned is not None and (bar := high.get(outcome.seed))
    ]
    return np.clip(np.array(points), 0, MOST - 0.02)


def curves(outcomes: Sequence[Outcome]) -> str:
    """Learning curves over all seeds: both accuracies, symbols in use, the gradient at the interface."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 2.7), layout="constrained")
        accuracy, used, gradient = figure.subplots(1, 3)
        for name, label, colour in (
            ("task", "task", TASK),
            ("aligned", "aligned grounding", ALIGNED),
            ("raw", "raw grounding", RAW),
        ):
            _lines(accuracy, outcomes, name, colour, label)
        accuracy.set(ylim=(-0.02, 1.02), title="accuracy on validation")
        accuracy.legend(frameon=False, fontsize=7)
        _lines(used, outcomes, "symbols_used", ALIGNED)
        used.set(title="symbols in use")
        used.set_ylim(bottom=0)
        if _lines(gradient, outcomes, "gradient", TASK):
            gradient.set_yscale("log")
        gradient.set(title="gradient norm at the interface")
        for axes in (accuracy, used, gradient):
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return _svg(figure)


def _lines(axes: Axes, outcomes: Sequence[Outcome], name: str, colour: str, label: str = "") -> bool:
    """One figure over the epochs, per seed; whether there was anything to draw."""
    rows = [[getattr(point, name) for point in outcome.curve] for outcome in outcomes if outcome.curve]
    rows = [[np.nan if v is None or (name == "gradient" and v <= 0) else v for v in row] for row in rows]
    rows = [row for row in rows if not np.all(np.isnan(row))]
    if not rows:
        return False
    if len(rows) <= FEW:
        for number, row in enumerate(rows):
            epochs = np.arange(1, len(row) + 1)
            axes.plot(epochs, row, color=colour, lw=1, alpha=0.8, label=label if number == 0 else None)
        return True
    length = max(map(len, rows))
    padded = np.array([row + [np.nan] * (length - len(row)) for row in rows])
    low, middle, high = np.nanquantile(padded, [0.05, 0.5, 0.95], axis=0)
    axes.plot(np.arange(1, length + 1), middle, color=colour, lw=1.4, label=label or None)
    axes.fill_between(np.arange(1, length + 1), low, high, color=colour, alpha=0.2, lw=0)
    return True


def reliability(calibrations: Sequence[Calibration]) -> str:
    """Accuracy against confidence of perception, pooled over seeds, with the images of each bin."""
    images = np.array([c.images for c in calibrations], dtype=float)
    hits = np.array([[a or 0 for a in c.accuracy] for c in calibrations]) * images
    total = images.sum(0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6, 3.3), layout="constrained")
        axes = figure.subplots()
        centres = (np.arange(BINS) + 0.5) / BINS
        axes.plot([0, 1], [0, 1], color=RAW, lw=1, ls="--")
        axes.bar(centres, total / total.sum(), width=0.09, color=RAW, alpha=0.4, label="share of images")
        seen = total > 0
        axes.plot(centres[seen], hits.sum(0)[seen] / total[seen], "o-", ms=4, color=ALIGNED, label="accuracy")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy after alignment")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        return _svg(figure)


_size = re.compile(r'width="[\d.]+pt" height="[\d.]+pt"')
_drawn = re.compile(r'(\bid="|href="#|url\(#)')


def _svg(figure: Figure) -> str:
    """The <svg> element alone, scalable, in the page's text colour.

    Its ids are prefixed with a digest of the drawing: two plots in one page must not share any.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    prefix = f"p{zlib.crc32(text.encode()):x}-"
    text = _drawn.sub(rf"\g<1>{prefix}", text)
    return re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"', 'aria-hidden="true" focusable="false"', text, count=1
    )
