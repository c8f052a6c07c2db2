"""Every figure of a report, each with its name: what the page shows, and what is written as files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..measures.counts import count_of
from ..measures.metrics import relabel
from ..results.report import TaskReport
from ..trials.trial import Outcome
from . import plots
from .canvas import BLUE, INK, MAROON, canvas
from .pictures import Cell, Drawing, Matrix
from .plane import plane
from .robustness import curves_of


@dataclass(frozen=True)
class Plot:
    """A figure with a title and a few words, and the name that its file gets."""

    name: str
    title: str
    caption: str
    described: str  # for a screen reader
    figure: Figure


def plots_of(task: TaskReport, symbols: int | None) -> list[Plot]:
    """Plane, curves and calibration of a task, as far as there is something to draw.

    Args:
        task: The task's part of a report.
        symbols: How many symbols its images show; None where that is not known.
    """
    subjects, baselines, ceilings = (
        [o for o in task.outcomes if o.role == role] for role in (task.subject, "baseline", "ceiling")
    )
    drawn: list[Plot] = []
    if not task.on_symbols and (found := plane(subjects, baselines, ceilings, asked=task.only_asked)):
        repeated = "sample" if task.only_asked else "seed"
        seeds = count_of(sum(o.scores is not None for o in subjects), repeated)
        drawn.append(
            Plot(
                "plane",
                "The plane",
                f"{seeds}, {found.against}",
                f"Every {repeated} by aligned grounding accuracy and task accuracy, {found.against}",
                found.figure,
            )
        )
    scored = [o for o in subjects if o.scores and o.curve]
    drawn += [
        Plot(name, title, caption, f"{title}, by epoch", figure)
        for name, title, caption, figure in _curves(scored, ceilings, symbols)
        if figure is not None
    ]
    drawn += [
        Plot(name, title, caption, f"{title}, {caption}", figure)
        for name, title, caption, figure in curves_of(task.outcomes)
    ]
    told = [o.scores.calibration for o in subjects if o.scores and o.scores.calibration]
    if any(sum(calibration.images) for calibration in told):
        error = f"{np.mean([c.error for c in told]):.3f}"
        few = plots.too_few(told)
        left = f"; bins of under {plots.FEWEST_IMAGES} images left out ({count_of(few, 'image')})"
        drawn.append(
            Plot(
                "calibration",
                "Calibration",
                f"after alignment; expected error {error}{left if few else ''}",
                f"Accuracy against confidence of perception; expected calibration error {error}",
                plots.reliability(told),
            )
        )
    return drawn


def _curves(
    scored: Sequence[Outcome], ceilings: Sequence[Outcome], symbols: int | None
) -> Iterator[tuple[str, str, str, Figure | None]]:
    """What is drawn over the epochs: name, title, a few words, figure."""
    if not scored:
        return
    thin = "thin every seed, bold their mean" if len(scored) > 1 else "one seed"
    dashed = ", dashed the ceiling" if any(o.scores for o in ceilings) else ""
    yield "curves", "Learning curves", thin + dashed, plots.accuracies(scored, ceilings)
    yield "symbols", "Symbols in use", "", plots.symbols_in_use(scored, symbols)
    yield "gradient", "Gradient at the interface", "", plots.gradient_norm(scored)
    yield "loss", "Training loss", "", plots.losses(scored)


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
        axes.set_xticklabels(matrix.symbols, rotation=90 if matrix.named else 0)
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
            _draw_cell(axes, cell, drawing.layout.piece)
        for row, column, sign in drawing.layout.signs:
            axes.text(column, row, sign, ha="center", va="center", fontsize=14, color=INK)
        for row, column, other, end in drawing.layout.lines:
            axes.plot((column, end), (row, other), color=INK, lw=1.6, zorder=3)
        axes.set_aspect("equal")
        axes.set(xlim=(-0.05, drawing.columns + 0.05), ylim=(drawing.rows + 0.05, -0.05))
        return figure


def _draw_cell(axes: Axes, cell: Cell, piece: str) -> None:
    left, top = cell.column, cell.row
    frame = MAROON if cell.wrong else "0.6"
    if not cell.mark:
        inset = 0.03 if cell.wrong else 0.0
        axes.add_patch(
            Rectangle(
                (left + inset, top + inset),
                1 - 2 * inset,
                1 - 2 * inset,
                ec=frame,
                fc="white" if cell.given else "#e4eef8",
                lw=1.8 if cell.wrong else 0.6,
                zorder=1,
            )
        )
    if cell.image is not None:
        extent = (left + 0.06, left + 0.72, top + 0.86, top + 0.2)
        axes.imshow(cell.image, cmap="gray_r", vmin=0, vmax=255, extent=extent, zorder=2)
    else:
        words = cell.solution if cell.given else cell.answer or "?"
        axes.text(
            left + 0.5, top + 0.53, words, ha="center", va="center", fontsize=12 if len(words) < 3 else 8,
            color=INK if cell.given else BLUE, parse_math=False,
        )  # fmt: skip
    if piece:
        axes.text(left + 0.2, top + 0.22, piece, ha="center", va="center", fontsize=9, color=INK)
    if cell.given and cell.read is not None:
        axes.text(
            left + 0.84, top + 0.8, cell.read, ha="center", va="center", fontsize=8, fontweight="bold",
            color=MAROON if cell.wrong else BLUE, parse_math=False,
        )  # fmt: skip
    if cell.wrong:
        axes.text(
            left + 0.84, top + 0.22, cell.solution, ha="center", va="center", fontsize=7, style="italic",
            color=MAROON, parse_math=False,
        )  # fmt: skip
