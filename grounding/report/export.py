"""The figures of a report as files, for papers and slides."""

import re
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from ...datasets.errors import UnusableFileError
from ...datasets.image_set import ImageSet
from ...datasets.image_source import ImageSource
from ..results.report import Report
from .canvas import Format, save
from .figures import draw_board, draw_matrix, matrices, plots_of
from .html import boards, load_matching, names_of, typical
from .pictures import task_of

_not_of_names = re.compile(r"[^a-z0-9]+")


def export_figures(
    report: Report, folder: Path, source: ImageSource | None = None, *, kind: Format = "svg"
) -> list[Path]:
    """Writes every figure of a report's page as a file of its own, on white.

    Per task: plane, curves, symbols, gradient, loss, calibration, of networks that were asked beyond the test
    set robust-SUITE, coverage and reliability, then confusion-before, confusion-after, and a board-1, -2, …
    for each sample board; those that have something to show.

    Args:
        report: What the figures are of.
        folder: Where they go; made if it is missing. Files of the same name are written over.
        source: Where the image set is found; None for the usual folder. Without the set at hand, boards show
            no pictures.
        kind: "svg", "pdf" or "png".

    Returns:
        The files, in the order of the page.

    Raises:
        UnusableFileError: Where the folder or a file cannot be written.
    """
    images = load_matching(report, source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableFileError(f"the folder {folder} cannot be made: {error.strerror}") from error
    written: list[Path] = []
    for name, figure in _figures(report, images):
        path = folder / f"{name}.{kind}"
        save(figure, path)
        written.append(path)
    return written


def plain_stem(name: str) -> str:
    """A name in plain letters, for a file; "" where none of it is a letter or digit."""
    return _not_of_names.sub("-", name.lower()).strip("-")[:60]


def _figures(report: Report, images: ImageSet | None) -> Iterator[tuple[str, Figure]]:
    """Every figure with the stem of its file: the task's label in plain letters, and what is shown."""
    taken: set[str] = set()
    for number, task in enumerate(report.tasks, 1):
        stem = plain_stem(task.label) or "task"
        stem = stem if stem not in taken else f"{stem}-{number}"
        taken.add(stem)
        shown = typical(task)
        drawn = shown and task_of(task, shown.seed)
        for plot in plots_of(task, len(drawn.classes) if drawn else None):
            yield f"{stem}-{plot.name}", plot.figure
        for matrix in matrices(shown, names_of(report, drawn, images)):
            yield f"{stem}-confusion-{matrix.title.partition(' ')[0]}", draw_matrix(matrix)
        for place, board in enumerate(boards(report, task, images), 1):
            yield f"{stem}-board-{place}", draw_board(board)
