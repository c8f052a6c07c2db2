"""What a source of images delivers is checked, and refused in a sentence that tells what fits."""

import numpy as np
import pytest

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.pictures import Pictures, checked_pictures, name_classes

COUNT = 20
BYTES = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), np.uint8)
LABELS = np.arange(COUNT) % 10


def test_what_fits_is_passed_on_as_bytes_and_whole_numbers() -> None:
    for pictures in (BYTES, BYTES.astype(np.int64)):
        shown, labels, test = checked_pictures(Pictures(pictures, LABELS.astype(np.int16), None), "mine")
        assert shown.dtype == np.uint8
        assert labels.dtype == np.int64
        assert np.array_equal(shown, BYTES)
        assert np.array_equal(labels, LABELS)
        assert test is None


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        (BYTES / 255, r"float64 from 0 to 1, .* bytes from 0 to 255: take np.rint\(255 \* pictures\)"),
        (BYTES.astype(np.float32), r"float32 from 0 to 255, .*: take np.rint\(pictures\).astype"),
        (BYTES // 128, "uint8 from 0 to 1, they should be bytes"),
        (BYTES > 127, "truth values, they should be bytes"),
        (BYTES / 127.5 - 1, "float64 from -1 to 1, .*: shift and scale"),
        (np.where(BYTES > 9, BYTES, np.nan), "float64 from nan to nan, .*: shift and scale"),
        (BYTES.astype(np.int32) * 256, "int32 from 0 to 65280"),
        (BYTES.astype(str), "of type <U"),
        (np.zeros_like(BYTES), "every pixel of its pictures is 0"),
        (BYTES[:, None], r"\(20, 1, 28, 28\), they should be \(images, 28, 28\): take pictures\[:, 0\]"),
        (BYTES[..., None], r"take pictures\[..., 0\]"),
        (BYTES.reshape(COUNT, -1), r"take pictures.reshape\(-1, 28, 28\)"),
        (np.zeros((COUNT, 28, 28, 3), np.uint8), "make them grey"),
        (np.zeros((COUNT, 32, 32), np.uint8), r"\(20, 32, 32\), .*: scale, crop or pad"),
        (BYTES[:0], r"\(0, 28, 28\), they should be \(images, 28, 28\) and at least one"),
    ],
)  # fmt: skip
def test_pictures_that_do_not_fit_are_refused(pictures: np.ndarray, told: str) -> None:
    with pytest.raises(UsageError, match=f"^image set 'mine': .*{told}"):
        checked_pictures(Pictures(pictures, LABELS, None), "mine")


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
