"""Puzzles drawn as figures: givens as their pictures, answers in colour."""

from math import ceil

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .errors import UsageError
from .image_set import Bank
from .pictures import as_drawn
from .task import Layout, Puzzles, Task

CELL = 0.42  # inches
GAP = 0.35  # inches between puzzles
ANSWER = "#0b5cad"
ANSWER_GROUND = "#e4eef8"
MARGIN = 0.12  # of a cell, around a picture


def draw(
    task: Task, puzzles: Puzzles, bank: Bank, *, columns: int = 4, answers: bool = True, title: str = ""
) -> Figure:
    """All `puzzles` in rows of up to `columns`; save the figure with `figure.savefig`.

    Givens are black: the pictures of `bank`, or their symbols where they are seen as symbols. The cells to
    be completed are tinted, and hold the answer in colour unless `answers` is off.
    """
    if not len(puzzles):
        raise UsageError("there are no puzzles to draw: ask for 1 or more")
    layout = task.layout
    columns = min(columns, len(puzzles))
    rows = ceil(len(puzzles) / columns)
    width, height = layout.columns * CELL, layout.rows * CELL
    head = 0.3 if title else 0.0
    size = (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP + head)
    figure = Figure(figsize=size, dpi=200, facecolor="white")
    if title:
        figure.text(0.5, 1 - 0.28 / size[1], title, ha="center", va="center", fontsize=9)
    for index in range(len(puzzles)):
        row, column = divmod(index, columns)
        left = GAP + column * (width + GAP)
        bottom = size[1] - head - (row + 1) * (height + GAP)
        axes = figure.add_axes((left / size[0], bottom / size[1], width / size[0], height / size[1]))
        _board(axes, task, layout, puzzles[index : index + 1], bank, answers)
    return figure


def _board(axes: Axes, task: Task, layout: Layout, puzzle: Puzzles, bank: Bank, answers: bool) -> None:
    axes.set_xlim(-0.04, layout.columns + 0.04)
    axes.set_ylim(layout.rows + 0.04, -0.04)
    axes.set_aspect("equal")
    axes.set_axis_off()
    solution, given = puzzle.solution[0], puzzle.given[0]
    shown = (puzzle.picture[0] >= 0) & (task.seen == "images")
    pictures = _pictures(task, puzzle, shown, bank)
    if layout.along:
        _checks(axes, layout)
    for variable, (row, column) in enumerate(layout.places):
        symbol = int(solution[variable])
        words = task.written(variable, symbol)
        wide = 1.0 if len(words) <= 2 else 0.3 * len(words)
        if layout.along:
            column += symbol  # noqa: PLW2901 - the place depends on the symbol
            if not given[variable] and not answers:
                continue
        if variable not in layout.frameless:
            ground = "white" if given[variable] else ANSWER_GROUND
            axes.add_patch(Rectangle((column, row), wide, 1, fc=ground, ec="0.55", lw=0.5, zorder=1))
        if shown[variable]:
            inside = (column + MARGIN, column + 1 - MARGIN, row + 1 - MARGIN, row + MARGIN)
            axes.imshow(
                as_drawn(pictures[variable]), cmap="gray_r", vmin=0, vmax=255, extent=inside, zorder=2
            )
        elif given[variable] or answers:
            axes.text(
                column + wide / 2, row + 0.52, words, ha="center", va="center", zorder=3,
                fontsize=12 if len(words) <= 2 else 8, color="black" if given[variable] else ANSWER,
            )  # fmt: skip
    if layout.block is not None:
        _block_lines(axes, layout, layout.block)
    axes.set_xlim(-0.04, layout.columns + 0.04)  # imshow narrowed them
    axes.set_ylim(layout.rows + 0.04, -0.04)


def _pictures(
    task: Task, puzzle: Puzzles, shown: Bool[np.ndarray, " variables"], bank: Bank
) -> dict[int, np.ndarray]:
    """The picture of each variable that shows one."""
    variables = np.flatnonzero(shown)
    if not len(variables):
        return {}
    classes = np.asarray(bank.classes_of(task))[puzzle.solution[0][variables]]
    rows = bank.find(classes, puzzle.picture[0][variables])
    pictures = bank.gallery.pictures[rows].cpu().numpy()
    return dict(zip(variables.tolist(), pictures, strict=True))


def _block_lines(axes: Axes, layout: Layout, block: tuple[int, int]) -> None:
    """Heavy lines around blocks, as far as cells reach."""
    high = int(max(row for row, _ in layout.places)) + 1
    for row in range(0, high + 1, block[0]):
        axes.plot((0, high), (row, row), color="black", lw=1.2, zorder=4, solid_capstyle="projecting")
    for column in range(0, high + 1, block[1]):
        axes.plot((column, column), (0, high), color="black", lw=1.2, zorder=4, solid_capstyle="projecting")


def _checks(axes: Axes, layout: Layout) -> None:
    """A chess board."""
    for row in range(int(layout.rows)):
        for column in range(int(layout.columns)):
            ground = "white" if (row + column) % 2 == 0 else "0.86"
            axes.add_patch(Rectangle((column, row), 1, 1, fc=ground, ec="0.55", lw=0.5, zorder=0))
