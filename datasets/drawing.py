"""Puzzles drawn as figures: givens as their pictures, answers in colour, and a legend."""

from math import ceil

import numpy as np
from jaxtyping import Bool, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from .errors import UsageError
from .images import Bank
from .pictures import as_drawn
from .task import Layout, Puzzles, Task

CELL = 0.42  # inches
GAP = 0.35  # inches between puzzles
LEGEND = 0.3  # inches, of a line of the legend
LETTER = 0.075  # inches, of an average letter of the legend
ANSWER = "#0072b2"
ANSWER_GROUND = "#e0eef7"
FRAME = "0.55"
MARGIN = 0.12  # of a cell, around a picture


def draw(
    task: Task,
    puzzles: Puzzles,
    bank: Bank,
    *,
    columns: int = 4,
    answers: bool = True,
    title: str = "",
    legend: bool = True,
) -> Figure:
    """All `puzzles` in rows of up to `columns`; save the figure with `figure.savefig`.

    Givens are black: the pictures of `bank`, or their symbols where they are seen as symbols. The cells to
    be completed are tinted, and hold the answer in colour unless `answers` is off. Signs of the task stand
    between the cells; the legend, unless it is off, tells what is what.
    """
    if not len(puzzles):
        raise UsageError("there are no puzzles to draw: ask for 1 or more")
    layout = task.layout
    columns = min(columns, len(puzzles))
    rows = ceil(len(puzzles) / columns)
    width, height = layout.columns * CELL, layout.rows * CELL
    entries = _legend(task, puzzles, answers) if legend else []
    across = columns * (width + GAP) + GAP
    lines = _broken(entries, across - GAP)
    head, foot = (0.3 if title else 0.0), LEGEND * len(lines)
    size = (
        max(across, GAP + max(map(_length, lines), default=0.0)),
        rows * (height + GAP) + GAP + head + foot,
    )
    figure = Figure(figsize=size, dpi=200, facecolor="white")
    if title:
        figure.text(0.5, 1 - 0.28 / size[1], title, ha="center", va="center", fontsize=9)
    for index in range(len(puzzles)):
        row, column = divmod(index, columns)
        left = GAP + column * (width + GAP)
        bottom = size[1] - head - (row + 1) * (height + GAP)
        axes = figure.add_axes((left / size[0], bottom / size[1], width / size[0], height / size[1]))
        _board(axes, task, layout, puzzles[index : index + 1], bank, answers)
    for number, line in enumerate(lines):
        figure.legend(
            handles=line, loc="lower left", ncols=len(line), frameon=False, fontsize=8, borderaxespad=0.0,
            bbox_to_anchor=(GAP / size[0], (foot - (number + 1) * LEGEND + 0.12) / size[1]),
            handlelength=1.1, handleheight=1.1, handletextpad=0.5, columnspacing=1.4, borderpad=0.0,
        )  # fmt: skip
    return figure


def _legend(task: Task, puzzles: Puzzles, answers: bool) -> list[Patch | Line2D]:
    """What is what, as far as it occurs."""
    given = "given, as an image" if task.seen == "images" and (puzzles.picture >= 0).any() else "given"
    entries: list[Patch | Line2D] = []
    if puzzles.given.any():
        entries.append(Patch(fc="white", ec=FRAME, lw=0.7, label=given))
    if not puzzles.given.all() and (answers or not task.layout.along):
        words = "to be found, with the solution" if answers else "to be found"
        entries.append(Patch(fc=ANSWER_GROUND, ec=ANSWER, lw=0.7, label=words))
    sign, _, words = task.layout.note.partition(" ")
    if words:
        entries.append(Line2D([], [], ls="", marker=f"${sign}$", ms=8, mew=0, color="black", label=words))
    return entries


def _length(entries: list[Patch | Line2D]) -> int | float:
    """Inches that a line of the legend takes."""
    return sum(0.42 + LETTER * len(str(entry.get_label())) for entry in entries)


def _broken(entries: list[Patch | Line2D], across: int | float) -> list[list[Patch | Line2D]]:
    """The legend in lines that fit."""
    lines: list[list[Patch | Line2D]] = []
    for entry in entries:
        if lines and _length([*lines[-1], entry]) <= across:
            lines[-1].append(entry)
        else:
            lines.append([entry])
    return lines


def _board(axes: Axes, task: Task, layout: Layout, puzzle: Puzzles, bank: Bank, answers: bool) -> None:
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
        colour = "black" if given[variable] else ANSWER
        if layout.along:
            column += symbol  # noqa: PLW2901 - the place depends on the symbol
            if not given[variable] and not answers:
                continue
        if variable not in layout.frameless:
            ground = "white" if given[variable] else ANSWER_GROUND
            axes.add_patch(Rectangle((column, row), wide, 1, fc=ground, ec=FRAME, lw=0.5, zorder=1))
        if layout.piece:
            _piece(axes, layout.piece, row, column, colour)
        inside = _inside(row, column, small=bool(layout.piece))
        if shown[variable]:
            axes.imshow(pictures[variable], cmap="gray_r", vmin=0, vmax=255, extent=inside, zorder=2)
        elif given[variable] or answers:
            axes.text(
                (inside[0] + inside[1] + wide - 1) / 2, (inside[2] + inside[3]) / 2 + 0.02, words,
                ha="center", va="center", zorder=3, color=colour, parse_math=False,
                fontsize=8 if len(words) > 2 or layout.piece else 12,
            )  # fmt: skip
    _between(axes, layout)
    axes.set_xlim(-0.04, layout.columns + 0.04)  # imshow narrowed them
    axes.set_ylim(layout.rows + 0.04, -0.04)


def _inside(
    row: int | float, column: int | float, *, small: bool
) -> tuple[int | float, int | float, int | float, int | float]:
    """Left, right, bottom and top of what a cell shows; small where a piece stands beside it."""
    if small:
        return column + 0.5, column + 0.98, row + 0.98, row + 0.5
    return column + MARGIN, column + 1 - MARGIN, row + 1 - MARGIN, row + MARGIN


def _piece(axes: Axes, piece: str, row: int | float, column: int | float, colour: str) -> None:
    axes.text(column + 0.34, row + 0.38, piece, ha="center", va="center", fontsize=16, color=colour, zorder=3)


def _between(axes: Axes, layout: Layout) -> None:
    """What belongs to no variable: blocks, operators, lines."""
    for row, column, sign in layout.signs:
        axes.text(column, row, sign, ha="center", va="center", fontsize=12, color="black", zorder=3)
    for row, column, other, end in layout.lines:
        axes.plot((column, end), (row, other), color="black", lw=1.2, zorder=4, solid_capstyle="projecting")


def _pictures(
    task: Task, puzzle: Puzzles, shown: Bool[np.ndarray, " variables"], bank: Bank
) -> dict[int, UInt8[np.ndarray, "..."]]:
    """The picture of each variable that shows one."""
    variables = np.flatnonzero(shown)
    if not len(variables):
        return {}
    classes = np.asarray(task.classes)[puzzle.solution[0][variables]]
    rows = bank.find(classes, puzzle.picture[0][variables])
    pictures = bank.gallery.pictures[rows].cpu().numpy()
    return {variable: as_drawn(one) for variable, one in zip(variables.tolist(), pictures, strict=True)}


def _checks(axes: Axes, layout: Layout) -> None:
    """A chess board."""
    for row in range(int(layout.rows)):
        for column in range(int(layout.columns)):
            ground = "white" if (row + column) % 2 == 0 else "0.86"
            axes.add_patch(Rectangle((column, row), 1, 1, fc=ground, ec=FRAME, lw=0.5, zorder=0))
