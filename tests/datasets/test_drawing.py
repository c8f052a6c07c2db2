"""Figures of puzzles show what is given and what is to be found."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.drawing import draw
from groundcheck.datasets.images import load_images
from groundcheck.datasets.pictures import as_drawn
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import textual


@pytest.fixture(scope="module")
def bank():
    return load_images("digits").test


def words(figure: Figure, board: int) -> list[str]:
    return [text.get_text() for text in figure.axes[board].texts if text.get_text()]


@pytest.mark.parametrize("name", list(TASKS.ours))
def test_every_family_can_be_drawn(name, bank) -> None:
    task = TASKS.load(name)().drawn(0)
    puzzles = task.generate("test", 2, 0)
    figure = draw(task, puzzles, bank, title=name)
    assert len(figure.axes) == 2
    for board, axes in enumerate(figure.axes):
        assert len(axes.images) == (puzzles.picture[board] >= 0).sum()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    assert buffer.getvalue().startswith(b"\x89PNG")


def test_the_pictures_are_those_of_the_bank_and_the_answers_those_of_the_solution(bank) -> None:
    task = Sudoku()
    puzzles = task.generate("test", 1, 0)
    figure = draw(task, puzzles, bank)
    shown = puzzles.picture[0] >= 0
    rows = bank.find(np.asarray(task.classes)[puzzles.solution[0][shown]], puzzles.picture[0][shown])
    for image, row in zip(figure.axes[0].images, rows, strict=True):
        assert np.array_equal(image.get_array(), bank.gallery.pictures[row].numpy())
    assert words(figure, 0) == [str(symbol + 1) for symbol in puzzles.solution[0][~shown]]


def test_answers_can_be_left_out(bank) -> None:
    task = Sudoku()
    figure = draw(task, task.generate("test", 1, 0), bank, answers=False)
    assert words(figure, 0) == []


def test_a_textual_task_shows_symbols_and_no_pictures(bank) -> None:
    task = textual(Sudoku())
    figure = draw(task, task.generate("test", 1, 0), bank)
    assert not figure.axes[0].images
    assert len(words(figure, 0)) == 16


def test_nothing_cannot_be_drawn(bank) -> None:
    task = Sudoku()
    with pytest.raises(ValueError, match="no puzzles to draw"):
        draw(task, task.generate("test", 0, 0), bank)


def test_signs_stand_between_the_cells_and_the_legend_tells_what_is_what(bank) -> None:
    """Operators, arrows, inequality signs and queens."""
    signs = {
        "mapping": "→", "evenodd": "=", "addition": "+", "parity": "⊕ =", "logic": "→", "visudo": "→",
        "queens": "♛",
    }  # fmt: skip
    for name, sign in signs.items():
        task = TASKS.load(name)().drawn(0)
        figure = draw(task, task.generate("test", 1, 0), bank)
        assert sign in words(figure, 0), name
        told = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        assert told[:2] == ["given, as an image", "to be found, with the solution"]
        assert told[2:] == [task.layout.note.partition(" ")[2]] * bool(task.layout.note)
    task = TASKS.load("futoshiki")()
    assert {"<", ">", "∧", "∨"} & set(words(draw(task, task.generate("test", 1, 0), bank), 0))


def test_the_legend_is_not_cut(bank) -> None:
    for name in ("mapping", "parity"):
        task = TASKS.load(name)().drawn(0)
        figure = draw(task, task.generate("test", 1, 0), bank)
        figure.draw_without_rendering()
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1


def test_a_legend_can_be_left_out(bank) -> None:
    task = Sudoku()
    assert draw(task, task.generate("test", 1, 0), bank, legend=False).legends == []


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [((1, 28, 28), (28, 28)), ((3, 32, 20), (32, 20, 3)), ((4, 16, 12), (16, 12))],
)
def test_pictures_of_any_size_and_channels_can_be_drawn(shape, drawn) -> None:
    assert as_drawn(np.zeros(shape, dtype=np.uint8)).shape == drawn


def test_channels_keep_their_place() -> None:
    red = np.zeros((3, 4, 5), dtype=np.uint8)
    red[0] = 200
    assert (as_drawn(red) == [200, 0, 0]).all()
