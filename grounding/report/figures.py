"""Every figure of a report, each with its name: what the page shows, and what is written as files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..measures.metrics import relabel
from ..results.report import TaskReport
from ..trials.trial import Outcome
from . import plots
from .canvas import BLUE, INK, MAROON, canvas
from .pictures import Cell, Drawing, Matrix
from .plane import plane


@dataclass(frozen=True)
class Plot:
    """A figure with a title, and the name that its file gets."""

    name: str
    title: str
    figure: Figure
    described: str  # for a screen reader


def plots_of(task: TaskReport, symbols: int | None) -> list[Plot]:
    """Plane, curves and calibration of a task, as far as there is something to draw.

    Args:
        task: The task's part of a report.
        symbols: How many symbols its images show; None where that is not known.
    """
    return [
        Plot(name, title, figure, described)
        for name, title, figure, described in _drawn(task, symbols)
        if figure is not None
    ]


def _drawn(task: TaskReport, symbols: int | None) -> Iterator[tuple[str, str, Figure | None, str]]:
    subjects, baselines, ceilings = (
        [o for o in task.outcomes if o.role == role] for role in (task.subject, "baseline", "ceiling")
    )
    if not task.on_symbols:
        reach = "relative to what this perception could reach" if ceilings else "without a ceiling beside it"
        described = f"Every seed by aligned grounding accuracy and task accuracy, {reach}"
        yield "plane", "The plane", plane(subjects, baselines, ceilings), described
    scored = [o for o in subjects if o.scores and o.curve]
    if scored:
        for name, title, figure in (
            ("curves", "Learning curves", plots.accuracies(scored, ceilings)),
            ("symbols", "Symbols in use", plots.symbols_in_use(scored, symbols)),
            ("gradient", "Gradient at the interface", plots.gradient_norm(scored)),
            ("loss", "Training loss", plots.losses(scored)),
        ):
            yield name, title, figure, f"{title}, by epoch"
    calibrations = [o.scores.calibration for o in subjects if o.scores and o.scores.calibration]
    if calibrations:
        error = float(np.mean([c.error for c in calibrations]))
        described = f"Accuracy against confidence of perception; expected calibration error {error:.3f}"
        yield "calibration", "Calibration", plots.reliability(calibrations), described


def matrices(outcome: Outcome | None, names: Sequence[str] | None) -> list[Matrix]:
    """What was read as what, before and after the best relabelling; empty where no images were read."""
    scores = outcome and outcome.scores
    if not scores or not scores.confusion or scores.relabelling is None:
        return []
    aligned = relabel(np.array(scores.confusion), np.array(scores.relabelling)).tolist()
    symbols = [*names] if names else []
    symbols += [str(symbol) for symbol in range(len(symbols), len(aligned))]
    return [
        Matrix(f"{when} alignment", symbols[: len(aligned)], counts)
        for when, counts in (("before", scores.confusion), ("after", aligned))
    ]


def draw_matrix(matrix: Matrix) -> Figure:
    """A confusion matrix: square, in percent of each row."""
    count = len(matrix.symbols)
    side = max(2.4, 0.34 * count)
    with canvas(side + 0.7, side + 0.9) as (figure, axes):
        shares = [[matrix.share(row, column) for column in range(count)] for row in range(count)]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=2)  # letters stay readable
        for place in range(count):
            axes.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, fc="none", ec="0.5", lw=0.6))
        for row, column in np.ndindex(count, count):
            axes.text(
                column, row, matrix.percent(row, column), ha="center", va="center",
                fontsize=7.5 if count <= 12 else 6, color=INK,
            )  # fmt: skip
        axes.set(xticks=range(count), yticks=range(count), xlabel="read as", ylabel="true symbol")
        axes.set_xticklabels(matrix.symbols)
        axes.set_yticklabels(matrix.symbols)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(True)
        remark = f"\n{matrix.remark}" if matrix.remark else ""
        axes.set_title(f"percent of each row, {matrix.title}{remark}", fontsize=8, loc="left")
        return figure


def draw_board(drawing: Drawing) -> Figure:
    """A board as the page shows it: images, what was read of them, answers, errors framed."""
    inch = 0.5
    with canvas(inch * drawing.columns + 0.2, inch * drawing.rows + 0.2) as (figure, axes):
        axes.set_axis_off()
        for cell in drawing.cells:
            _draw_cell(axes, cell)
        for row, column, sign in drawing.signs:
            axes.text(column, row, sign, ha="center", va="center", fontsize=14, color=INK)
        axes.set_aspect("equal")
        axes.set(xlim=(-0.05, drawing.columns + 0.05), ylim=(drawing.rows + 0.05, -0.05))
        return figure


def _draw_cell(axes: Axes, cell: Cell) -> None:
    left, top = cell.column, cell.row
    frame = MAROON if cell.wrong else "0.6"
    if not cell.mark:
        inset = 0.03 if cell.wrong else 0.0
        axes.add_patch(
            Rectangle(
                (left + inset, top + inset), 1 - 2 * inset, 1 - 2 * inset, ec=frame,
                fc="white" if cell.given else "#e4eef8", lw=1.8 if cell.wrong else 0.6, zorder=1,
            )  # fmt: skip
        )
    for side in cell.edges.split():
        end = (left + 1, top) if side == "top" else (left, top + 1)
        axes.plot((left, end[0]), (top, end[1]), color=INK, lw=1.6, zorder=3)
    if cell.image is not None:
        extent = (left + 0.06, left + 0.72, top + 0.86, top + 0.2)
        axes.imshow(cell.image, cmap="gray_r", vmin=0, vmax=255, extent=extent, zorder=2)
        axes.text(
            left + 0.84, top + 0.8, cell.read or "", ha="center", va="center", fontsize=8, fontweight="bold",
            color=MAROON if cell.wrong else BLUE,
        )  # fmt: skip
    else:
        words = cell.solution if cell.given else cell.answer or "?"
        axes.text(
            left + 0.5, top + 0.53, words, ha="center", va="center", fontsize=12 if len(words) < 3 else 8,
            color=INK if cell.given else BLUE,
        )  # fmt: skip
    if cell.wrong:
        axes.text(
            left + 0.84, top + 0.22, cell.solution, ha="center", va="center", fontsize=7, style="italic",
            color=MAROON,
        )  # fmt: skip
