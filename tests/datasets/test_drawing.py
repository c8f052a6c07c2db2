"""Figures of puzzles show what is given and what is to be found."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.drawing import draw
from groundcheck.datasets.images import load_images
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
        assert np.array_equal(image.get_array(), bank.gallery.pictures[row, 0].numpy())
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
