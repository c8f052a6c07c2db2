"""Boards as PNG: size, grid and font; faces of symbols and legends."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.drawing import CELL
from groundcheck.datasets.errors import DataUnavailableError, UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.images import load_images
from groundcheck.datasets.pictures import Pictures
from groundcheck.grounding.vlm.boards import Style, board_png
from groundcheck.grounding.vlm.legends import LETTERS, legend_faces, other_digits, usual_faces

TASK = TASKS.load("sudoku")()
PUZZLES = TASK.generate("test", 1, 0)
DIGITS = ImageSource("digits")


def png(style: Style, source: ImageSource = DIGITS) -> np.ndarray:
    content = board_png(TASK, PUZZLES, 0, usual_faces(TASK, source, style).bank, style)
    assert content == board_png(TASK, PUZZLES, 0, usual_faces(TASK, source, style).bank, style)
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def test_size_is_that_of_a_cell() -> None:
    small, large = png(Style(size=24)), png(Style(size=48))
    assert large.shape == pytest.approx(np.multiply(small.shape, 2), abs=2)
    assert small.shape[0] >= 4 * 24 + 24 * 0.35 / CELL


def test_grid_lines_are_as_wide_as_asked() -> None:
    dark = [float((png(Style(size=48, grid=width)) < 128).mean()) for width in (0.0, 1.0, 3.0)]
    assert dark[0] < dark[1] < dark[2]


def test_the_font_is_that_of_printed_givens() -> None:
    printed = ImageSource("printed")
    sans, serif = (png(Style(font=font), printed) for font in ("DejaVu Sans", "DejaVu Serif"))
    assert sans.shape == serif.shape
    assert (sans != serif).any()
    assert (png(Style()) != sans).any()


def test_queries_are_blank(sights) -> None:
    """Whatever the solution is, the picture is the same: nothing of an answer is in it."""
    other = TASK.generate("test", 1, 0)
    other.solution[~other.given] = 0
    bank = load_images("digits").test
    assert board_png(TASK, PUZZLES, 0, bank, Style()) == board_png(TASK, other, 0, bank, Style())


@pytest.mark.parametrize(
    ("style", "told"),
    [
        ({"size": 4}, "16 to 256"),
        ({"grid": -1.0}, "0 to 10 times"),
        ({"font": "Nofont"}, "'Nofont' is not installed"),
    ],
)
def test_a_style_that_cannot_be_meant(style, told) -> None:
    with pytest.raises(UsageError, match=told):
        Style(**style)


def test_legends_rename_every_symbol() -> None:
    for name, words in (("letters", LETTERS[:4]), ("digits", "0567")):
        faces = legend_faces(name, TASK, DIGITS, Style())
        assert "".join(faces.words) == words
        assert faces.means == ("1", "2", "3", "4")
        assert {*TASK.classes} <= {*faces.bank.labels.tolist()}


def test_other_digits_are_never_their_own() -> None:
    for classes in (tuple(range(10)), tuple(range(1, 10)), (1, 2, 3, 4), (0, 1)):
        others = other_digits(classes)
        assert len({*others}) == len(classes)
        assert all(one != other for one, other in zip(classes, others, strict=True))


def test_pictures_of_other_digits_stand_for_the_usual_ones() -> None:
    faces = legend_faces("digits", TASK, DIGITS, Style())
    usual = load_images("digits").test
    rows = faces.bank.find(np.array([1]), np.array([0]))
    assert usual.labels[rows].tolist() == [0]


def letters() -> Pictures:
    """An image set of things that have names."""
    labels = np.repeat(np.arange(10), 20)
    noise = np.random.default_rng(0).integers(0, 255, (200, 28, 28), dtype=np.uint8)
    return Pictures(noise, labels, names=[*"ABCDEFGHIJ"])


def test_pictures_that_are_no_digits_are_refused() -> None:
    """Questions and answers call symbols by their digits: no model could know which coat is a 3."""
    with pytest.raises(UsageError, match="shows B and others: take --images digits"):
        usual_faces(TASK, ImageSource.of(letters), Style())
    digits = replace(DIGITS, classes=("4", "3", "2", "1"))
    with pytest.raises(UsageError, match="--classes names others"):
        usual_faces(TASK, digits, Style())


def test_clothes_are_for_the_legend(monkeypatch) -> None:
    monkeypatch.setattr(ImageSource, "load", lambda _: load_images("digits"))
    with pytest.raises(UsageError, match=r"fashion shows .* and --legend clothes for other symbols"):
        usual_faces(TASK, ImageSource("fashion"), Style())


def test_clothes_come_from_their_own_image_set(tmp_path) -> None:
    with pytest.raises(DataUnavailableError):
        legend_faces("clothes", TASK, ImageSource("digits", tmp_path), Style())
    with pytest.raises(UsageError, match="letters, digits, clothes"):
        legend_faces("runes", TASK, DIGITS, Style())
