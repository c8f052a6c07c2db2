"""What a source of images delivers is checked, and refused in a sentence that tells what fits."""

import numpy as np
import pytest

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.pictures import Pictures, as_drawn, checked_pictures, name_classes

COUNT = 20
BYTES = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), np.uint8)
LABELS = np.arange(COUNT) % 10


def test_what_fits_is_passed_on_as_bytes_and_whole_numbers() -> None:
    for pictures in (BYTES, BYTES.astype(np.int64), BYTES[:, None]):
        found = checked_pictures(Pictures(pictures, LABELS.astype(np.int16), None), "mine")
        assert found.pictures.dtype == np.uint8
        assert found.labels.dtype == np.int64
        assert np.array_equal(found.pictures, BYTES[:, None])
        assert np.array_equal(found.labels, LABELS)
        assert found.test is None


@pytest.mark.parametrize(
    "shape", [(20, 3, 32, 32), (20, 4, 9, 17), (20, 6, 64, 64), (20, 1, 3, 3), (20, 5, 8)]
)
def test_pictures_of_any_size_and_channels_fit(shape: tuple[int, ...]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = checked_pictures(Pictures(pictures, LABELS), "mine").pictures
    assert np.array_equal(found, pictures if len(shape) == 4 else pictures[:, None])


@pytest.mark.parametrize(
    ("pictures", "scale"),
    [
        (BYTES / 255, 1),
        ((BYTES / 255).astype(np.float32), 1),
        (BYTES + 0.25, 255),
        (BYTES.astype(float), 255),
    ],
)
def test_numbers_whose_scale_is_told_are_rounded_to_bytes(pictures: np.ndarray, scale: int) -> None:
    pictures = np.minimum(pictures, scale)
    found = checked_pictures(Pictures(pictures, LABELS, scale=scale), "mine").pictures
    assert np.array_equal(found, BYTES[:, None])


def test_truth_values_are_black_and_white_once_that_is_said() -> None:
    found = checked_pictures(Pictures(BYTES > 127, LABELS, scale=1), "mine").pictures
    assert np.array_equal(found, np.where(BYTES > 127, 255, 0)[:, None])


SHAPES = r"they should be \(images, height, width\), grey, or \(images, channels, height, width\)"


@pytest.mark.parametrize(
    ("pictures", "scale", "told"),
    [
        (BYTES / 255, None, r"float64 from 0 to 1, .* bytes from 0 to 255: take .*, or say scale=1"),
        (BYTES.astype(np.float32), None, r"float32 from 0 to 255, .*: take np.rint\(pictures\).*scale=255"),
        (BYTES // 128, None, "uint8 from 0 to 1, they should be bytes"),
        (BYTES > 127, None, "truth values, they should be bytes"),
        (BYTES / 127.5 - 1, None, "float64 from -1 to 1, .*: shift and scale"),
        (BYTES / 127.5 - 1, 1, "float64 from -1 to 1, they were said to run from 0 to 1: shift and scale"),
        (BYTES, 1, "uint8 from 0 to 255, they were said to run from 0 to 1: shift"),
        (BYTES / 255, 255, "from 0 to 1, they were said to run from 0 to 255: .*say scale=1"),
        (BYTES, 100, "its scale is 100: it is 1 or 255"),
        (np.where(BYTES > 9, BYTES, np.nan), None, "float64 from nan to nan, .*: shift and scale"),
        (BYTES.astype(np.int32) * 256, None, "int32 from 0 to 65280"),
        (BYTES.astype(str), None, "of type <U"),
        (np.zeros_like(BYTES), None, "every pixel of its pictures is 0"),
        (BYTES[..., None], None, rf"\(20, 28, 28, 1\), {SHAPES}, channels .*: take pictures\[..., 0\]"),
        (np.zeros((COUNT, 28, 28, 3), np.uint8), None, r"take np.moveaxis\(pictures, -1, 1\)"),
        (BYTES.reshape(COUNT, -1), None, r"take pictures.reshape\(-1, 28, 28\)"),
        (BYTES.reshape(COUNT, -1)[:, :5], None, rf"\(20, 5\), {SHAPES}$"),
        (BYTES[:0], None, rf"\(0, 28, 28\), {SHAPES}, and at least one"),
        ([BYTES[0], BYTES[0, :5]], None, "its pictures are no array .*: bring them to one size"),
        (np.array([BYTES[0], None], dtype=object), None, "of several sizes, or no numbers"),
    ],
)  # fmt: skip
def test_pictures_that_do_not_fit_are_refused(pictures: np.ndarray, scale: int | None, told: str) -> None:
    with pytest.raises(UsageError, match=f"^image set 'mine': .*{told}"):
        checked_pictures(Pictures(pictures, LABELS, scale=scale), "mine")


def test_each_class_has_a_name_where_any_has() -> None:
    assert checked_pictures(Pictures(BYTES, LABELS, names=list("abcdefghij")), "mine").names == tuple(
        "abcdefghij"
    )
    with pytest.raises(UsageError, match="it names 2 classes, and its labels go up to 9: name each"):
        checked_pictures(Pictures(BYTES, LABELS, names=["a", "b"]), "mine")


def test_pictures_for_the_eye_are_grey_or_red_green_and_blue() -> None:
    picture = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    assert np.array_equal(as_drawn(picture[:1]), picture[0])
    assert as_drawn(np.concatenate([picture, picture[:1]])).shape == (4, 5, 3)
    assert np.array_equal(as_drawn(picture), picture[0] + 10)  # the mean of what differs by 20


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (LABELS[:-1], "it has 20 pictures but 19 labels"),
        (LABELS.astype(str), r"labels are of type <U21, .*: take np.unique\(labels, return_inverse=True\)"),
        (LABELS.astype(np.float32), "labels are of type float32"),
        (LABELS > 4, "labels are of type bool"),
        (LABELS - 1, "labels begin at -1"),
        (np.eye(10, dtype=np.int64)[LABELS], r"labels are \(20, 10\), they should be \(20,\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, told: str) -> None:
    with pytest.raises(UsageError, match=f"^image set 'mine': .*{told}"):
        checked_pictures(Pictures(BYTES, labels, None), "mine")


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (np.zeros(COUNT, bool), "marks none of its pictures as test"),
        (np.ones(COUNT, bool), "marks all of its pictures as test"),
        (np.arange(COUNT), r"test part is int64 of \(20,\), it should be one truth value per picture"),
        (np.ones(COUNT - 1, bool), r"test part is bool of \(19,\)"),
    ],
)
def test_a_test_part_that_does_not_fit_is_refused(test: np.ndarray, told: str) -> None:
    with pytest.raises(UsageError, match=f"^image set 'mine': .*{told}"):
        checked_pictures(Pictures(BYTES, LABELS, test), "mine")


def test_what_is_no_pictures_is_refused() -> None:
    with pytest.raises(UsageError, match="its source returned tuple, it should return Pictures"):
        checked_pictures((BYTES, LABELS), "mine")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 2, 5, 6, 7, 2], "0 to 2 and 5 to 7"),
        ([3], "3"),
        ([0, 1], "0 and 1"),
        ([0, 2, 4, 5, 6], "0, 2 and 4 to 6"),
    ],
)
def test_classes_in_words(labels: list[int], words: str) -> None:
    assert name_classes(np.array(labels)) == words
