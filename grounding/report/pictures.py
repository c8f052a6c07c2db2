"""Sample boards of a report: the digit images, what perception read, what the solver answered."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.image
import numpy as np

from ...datasets.images import ImageSet
from ...datasets.own_task import rebuild_task
from ...datasets.task import Task
from ..measures.report_samples import Board
from ..results.report import TaskReport


@dataclass(frozen=True)
class Cell:
    """One variable of a board; `picture` is a data URI of the image it shows, if any."""

    row: int | float  # in cells from the top
    column: int | float
    name: str
    given: bool
    picture: str | None
    read: str | None
    answer: str | None
    solution: str
    mark: bool  # stands between the cells, without a frame

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
    """A board laid out: its size in cells, and its cells in reading order."""

    rows: int | float
    columns: int | float
    cells: list[Cell]

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
    layout = task.layout if task else None
    places = layout.places if layout else [(0, column) for column in range(count)]
    along = layout is not None and layout.along
    name = task.written if task else lambda _, symbol: str(symbol)
    names = task.problem.variables if task else [f"variable {v}" for v in range(count)]
    renamed = range(max(board.read) + 1) if relabelling is None else relabelling
    cells = [
        Cell(
            row=places[v][0],
            column=places[v][1] + (max(board.answer[v], 0) if along else 0),
            name=names[v],
            given=board.given[v],
            picture=_picture(images, board.image[v]),
            read=None if board.read[v] < 0 else name(v, renamed[board.read[v]]),
            answer=None if board.answer[v] < 0 else name(v, board.answer[v]),
            solution=name(v, board.solution[v]),
            mark=layout is not None and v in layout.frameless,
        )
        for v in range(count)
    ]
    rows, columns = (layout.rows, layout.columns) if layout else (1, count)
    return Drawing(rows, columns, sorted(cells, key=lambda cell: (cell.row, cell.column)))


def _picture(images: ImageSet | None, row: int) -> str | None:
    if images is None or not 0 <= row < len(images.test.gallery):
        return None
    return data_uri(images.test.gallery.pictures[row].numpy(force=True))


def data_uri(picture: np.ndarray) -> str:
    """Dark ink on nothing, so that it stands on a light page and, inverted, on a dark one."""
    grey = 255 - picture
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, grey, cmap="gray", vmin=0, vmax=255, format="png", metadata={})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def shades(confusion: list[list[int]]) -> list[list[Mapping[str, Any]]]:
    """Cells of a confusion matrix with the share of their row, for shading."""
    return [[{"count": count, "share": count / max(1, sum(row))} for count in row] for row in confusion]
