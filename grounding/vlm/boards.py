"""Boards as PNG, drawn by the code of `show`: their size, grid lines and font are part of what is asked."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import font_manager

from ...datasets.drawing import CELL, draw
from ...datasets.errors import UsageError
from ...datasets.images import SIDE, Bank, Gallery
from ...datasets.task import Puzzles, Task
from ...solvers.extras import Extra

PILLOW = Extra("PIL", "pillow", "vlm")
SMALLEST, LARGEST = 16, 256  # pixels of a cell


@dataclass(frozen=True)
class Style:
    """How a board is drawn.

    Args:
        size: Pixels of a cell's side.
        grid: Width of the lines, in what `show` draws: 1 is the same, 0 none.
        font: Of everything that is printed: signs, letters, and the givens of `--images printed`.

    Raises:
        UsageError: For a size or width that cannot be meant, or a font that is not installed.
    """

    size: int = 48
    grid: float = 1.0
    font: str = "DejaVu Sans"

    def __post_init__(self) -> None:
        if not SMALLEST <= self.size <= LARGEST:
            raise UsageError(f"size={self.size}: a cell is {SMALLEST} to {LARGEST} pixels wide")
        if not 0 <= self.grid <= 10:
            raise UsageError(f"grid={self.grid}: lines are 0 to 10 times as wide as show draws them")
        self.font_file()

    def font_file(self) -> str:
        """Where the font lies. Raises `UsageError` where no font of that name is installed."""
        try:
            return str(font_manager.findfont(self.font, fallback_to_default=False))
        except ValueError as error:
            known = sorted({entry.name for entry in font_manager.fontManager.ttflist})
            names = ", ".join(known[:8])
            raise UsageError(f"font {self.font!r} is not installed; installed are {names} …") from error


def board_png(task: Task, puzzles: Puzzles, row: int, bank: Bank, style: Style) -> bytes:
    """One puzzle as a PNG, its queries left blank; the same arguments give the same bytes.

    Args:
        task: What the puzzle is of.
        puzzles: Some puzzles.
        row: Which of them.
        bank: The pictures of its givens.
        style: How it is drawn.
    """
    with mpl.rc_context({"font.family": [style.font]}):
        figure = draw(task, puzzles[row : row + 1], bank, columns=1, answers=False, legend=False)
        for axes in figure.axes:
            for line in (*axes.patches, *axes.lines):
                line.set_linewidth(style.grid * line.get_linewidth())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=style.size / CELL, metadata={"Software": None})
    return buffer.getvalue()


def glyph_bank(words: Sequence[str], classes: Sequence[int], style: Style) -> Bank:
    """A picture of each word, printed: entry k is shown for class `classes[k]`."""
    PILLOW.load()
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - an extra

    font = ImageFont.truetype(style.font_file(), 24)
    pictures: list[np.ndarray] = []
    for word in words:
        canvas = Image.new("L", (SIDE, SIDE), 0)
        ImageDraw.Draw(canvas).text((SIDE / 2, SIDE / 2), word, fill=255, font=font, anchor="mm")
        pictures.append(np.asarray(canvas))
    return Bank(Gallery(torch.from_numpy(np.stack(pictures)[:, None])), np.asarray(classes, dtype=np.int64))


def renamed_bank(bank: Bank, shown: Sequence[int], classes: Sequence[int]) -> Bank:
    """The same pictures, those of class `shown[k]` in the place of class `classes[k]`, the others unused."""
    labels = np.full_like(bank.labels, -1)
    for face, label in zip(shown, classes, strict=True):
        labels[bank.labels == face] = label
    return Bank(bank.gallery, labels)
