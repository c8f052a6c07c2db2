"""Sample boards and confusion matrices of a report, laid out: what is drawn, not how."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.image
import numpy as np
from jaxtyping import UInt8

from ...datasets.image_set import ImageSet
from ...datasets.own_task import rebuild_task
from ...datasets.pictures import as_drawn
from ...datasets.task import Layout, Task
from ..measures.report_samples import Board
from ..results.report import TaskReport

LETTERS = 3  # of a heading that fit over a cell of a confusion matrix


@dataclass(frozen=True)
class Cell:
    """One variable of a board, with the image that it shows, if any: grey or in colour."""

    row: int | float  # in cells from the top
    column: int | float
    name: str
    given: bool
    image: UInt8[np.ndarray, "..."] | None
    read: str | None
    answer: str | None
    solution: str
    mark: bool  # stands between the cells, without a frame

    @property
    def picture(self) -> str | None:
        """A data URI of the image it shows."""
        return None if self.image is None else data_uri(self.image)

    @property
    def coloured(self) -> bool:
        """Whether the image is in colour: then paper and ink are its own."""
        return self.image is not None and self.image.ndim == 3

    @property
    def wrong(self) -> bool:
        """Whether what stands there is an error: a given that was misread, or a query answered wrongly."""
        if self.given:
            return self.read is not None and self.read != self.solution
        return self.answer != self.solution

    @property
    def message(self) -> str:
        """For a screen reader."""
        truth = f", truth {self.solution}" if self.wrong else ""
        if not self.given:
            answer = "left unsolved" if self.answer is None else f"answered {self.answer}"
            return f"{self.name}: {answer}{truth}"
        return (
            f"{self.name}: {f'shows {self.solution}' if self.read is None else f'read as {self.read}'}{truth}"
        )


@dataclass(frozen=True)
class Drawing:
    """A board laid out: its size in cells, its cells in reading order, and where what else stands."""

    rows: int | float
    columns: int | float
    cells: list[Cell]
    layout: Layout

    @property
    def errors(self) -> int:
        """How many cells are wrong."""
        return sum(cell.wrong for cell in self.cells)


def task_of(report: TaskReport, seed: int) -> Task | None:
    """The task as a trial met it; None where it is not found any more, or of another version."""
    try:
        task = rebuild_task(report.reference, report.settings)
    except (ValueError, TypeError, ImportError, OSError):
        return None
    return task.drawn(seed) if task.version == report.version else None


def lay_out(
    task: Task | None, board: Board, images: ImageSet | None, relabelling: Sequence[int] | None = None
) -> Drawing:
    """A board as cells; without a task they stand in one line, without images they show none.

    `relabelling` renames what perception read, for solvers that are free to name the symbols.
    """
    count = len(board.solution)
    layout = task.layout if task else Layout(1, count, tuple((0, column) for column in range(count)))
    name = task.written if task else lambda _, symbol: str(symbol)
    names = task.problem.variables if task else [f"variable {v}" for v in range(count)]
    renamed = range(max(board.read, default=0) + 1) if relabelling is None else relabelling
    cells = [
        Cell(
            row=row,
            column=column + (max(board.answer[v], 0) if layout.along else 0),
            name=names[v],
            given=board.given[v],
            image=_image(images, board.image[v]),
            read=None if board.read[v] < 0 else name(v, renamed[board.read[v]]),
            answer=None if board.answer[v] < 0 else name(v, board.answer[v]),
            solution=name(v, board.solution[v]),
            mark=v in layout.frameless,
        )
        for v, (row, column) in enumerate(layout.places)
    ]
    ordered = sorted(cells, key=lambda cell: (cell.row, cell.column))
    return Drawing(layout.rows, layout.columns, ordered, layout)


def _image(images: ImageSet | None, row: int) -> UInt8[np.ndarray, "..."] | None:
    if images is None or not 0 <= row < len(images.test.gallery):
        return None
    return as_drawn(images.test.gallery.pictures[row].numpy(force=True))


def data_uri(image: UInt8[np.ndarray, "..."]) -> str:
    """A PNG. Grey images are dark ink on white, so that they stand on a light page and on a dark one."""
    buffer = io.BytesIO()
    if image.ndim == 2:
        matplotlib.image.imsave(buffer, 255 - image, cmap="gray", vmin=0, vmax=255, format="png", metadata={})
    else:
        matplotlib.image.imsave(buffer, np.ascontiguousarray(image), format="png", metadata={})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix with its rows in percent, and the symbols that were never read or never shown.

    Attributes:
        title: Which of the two it is.
        symbols: What each symbol is called.
        counts: True symbol by symbol read.
    """

    title: str
    symbols: Sequence[str]
    counts: Sequence[Sequence[int]]

    @property
    def named(self) -> bool:
        """Whether some symbol has a name too long for the width of a cell."""
        return any(len(symbol) > LETTERS for symbol in self.symbols)

    def percent(self, row: int, column: int) -> str:
        """The share of the images of a symbol that were read as another; "" where none was."""
        count = self.counts[row][column]
        share = 100 * self.share(row, column)
        return "" if not count else "<1" if share < 0.5 else f"{share:.0f}"

    def share(self, row: int, column: int) -> float:
        """The same as a fraction."""
        return self.counts[row][column] / max(1, sum(self.counts[row]))

    @property
    def remark(self) -> str:
        """Symbols that were never read, and symbols that no test image showed; "" where there are none."""
        lines = (("never read", zip(*self.counts, strict=True)), ("never shown", self.counts))
        told = [
            (words, [s for s, line in zip(self.symbols, counted, strict=True) if not sum(line)])
            for words, counted in lines
        ]
        return "; ".join(f"{words}: {', '.join(found)}" for words, found in told if found)
