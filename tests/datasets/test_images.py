import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from groundcheck.datasets import idx, images
from groundcheck.datasets.catalogue import IMAGES
from groundcheck.datasets.errors import DataUnavailableError, UnknownNameError, UsageError
from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.pictures import Pictures
from groundcheck.datasets.task import textual


def content_hashes(gallery: images.Gallery) -> set[str]:
    return {hashlib.sha256(picture.numpy().tobytes()).hexdigest() for picture in gallery.pictures}


def delivering(monkeypatch: pytest.MonkeyPatch, delivered: object) -> None:
    """Puts a source in the place of the bundled digits."""
    monkeypatch.setattr(images, "digits", lambda root, download: delivered)
    images._load.cache_clear()


@pytest.fixture(autouse=True)
def _load_anew():
    yield
    images._load.cache_clear()


def test_digits_are_scaled_split_and_disjoint() -> None:
    digits = load_images("digits")
    parts = [digits.train, digits.validation, digits.test]
    assert [tuple(part.gallery.pictures.shape[1:]) for part in parts] == [(1, 28, 28)] * 3
    assert sum(len(part.gallery) for part in parts) == 1797
    assert all(set(part.labels) == set(range(10)) for part in parts)
    hashes = [content_hashes(part.gallery) for part in parts]
    assert not hashes[0] & hashes[1]
    assert not (hashes[0] | hashes[1]) & hashes[2]


def test_the_split_is_deterministic() -> None:
    first = load_images("digits")
    images._load.cache_clear()
    second = load_images("digits")
    assert first is not second
    assert torch.equal(first.test.gallery.pictures, second.test.gallery.pictures)
    assert first.digest == second.digest


def test_the_row_of_a_picture_says_nothing_of_its_class() -> None:
    labels = load_images("digits").train.labels
    assert abs(np.corrcoef(np.arange(len(labels)), labels)[0, 1]) < 0.1


def test_find_names_pictures_of_the_class_and_wraps_around() -> None:
    bank = load_images("digits").train
    rows = bank.find(np.array([3, 3, 7]), np.array([0, int((bank.labels == 3).sum()), 2**31 - 2]))
    assert bank.labels[rows].tolist() == [3, 3, 7]
    assert rows[0] == rows[1]


def test_find_refuses_a_class_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"shows class 12.*mnist\+fashion"):
        load_images("digits").train.find(np.array([12]), np.array([0]))


def test_image_sets_join_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    other = load_images("digits")
    pictures = np.random.default_rng(0).integers(0, 255, (60, 28, 28), np.uint8)
    monkeypatch.setattr(idx, "mnist", lambda root, download: Pictures(pictures, np.arange(60) % 4, None))
    images._load.cache_clear()
    joined = load_images("digits+mnist")
    assert set(joined.train.labels) == set(range(14))
    assert len(joined.test.gallery) == len(other.test.gallery) + 12


def test_a_picture_that_occurs_twice_stays_on_the_training_side(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (60, 28, 28), np.uint8)
    pictures[40:50] = pictures[:10]  # half of the test part stands in the rest as well
    delivering(monkeypatch, Pictures(pictures, np.arange(60) % 10, np.arange(60) >= 40))
    loaded = load_images("digits")
    assert len(loaded.test.gallery) == 10
    hashes = [content_hashes(part.gallery) for part in (loaded.train, loaded.validation, loaded.test)]
    assert sum(map(len, hashes)) == len(set.union(*hashes)) == 50


def test_a_set_whose_parts_share_every_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (20, 28, 28), np.uint8)
    both = np.concatenate([pictures, pictures])
    delivering(monkeypatch, Pictures(both, np.arange(40) % 10, np.arange(40) >= 20))
    with pytest.raises(UsageError, match=r"40 pictures \(20 different\)"):
        load_images("digits")


def test_labels_of_any_whole_numbers_and_tensors_are_one_image_set(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (60, 28, 28), np.uint8)
    digests: set[str] = set()
    for labels in (np.arange(60), np.arange(60, dtype=np.uint8), torch.arange(60, dtype=torch.int32)):
        delivering(monkeypatch, Pictures(pictures, labels % 10, None))
        digests.add(load_images("digits").digest)
    delivering(monkeypatch, Pictures(torch.from_numpy(pictures), torch.arange(60) % 10, None))
    assert digests == {load_images("digits").digest}


@pytest.mark.parametrize(
    ("classes", "task", "told"),
    [
        (np.arange(60) % 10 + 1, Mapping(), "class 0, but image set digits has classes 1 to 10: number"),
        (np.array([0, 1, 2, 3, 5, 6])[np.arange(60) % 6], Mapping(), "class 4, .* 0 to 3, 5 and 6: n"),
        (np.arange(60) % 3, Mapping(), "class 3, but .* has classes 0 to 2: choose a smaller task"),
        (np.zeros(60, np.int64), Mapping(symbols=2), "class 1, but .* has class 0: choose"),
        (np.arange(60) // 20, Mapping(symbols=2), "no picture of class 0, .* is in its test part"),
    ],
)  # fmt: skip
def test_a_class_that_a_task_shows_and_a_set_lacks_is_told_with_those_it_has(
    classes: np.ndarray, task: Mapping, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (60, 28, 28), np.uint8)
    delivering(monkeypatch, Pictures(pictures, classes, np.arange(60) >= 40))
    loaded = load_images("digits")
    with pytest.raises(UsageError, match=told):
        loaded.require(task)
    loaded.require(textual(task))  # shows no image


def test_a_set_with_every_class_fits() -> None:
    load_images("digits").require(Mapping())


@pytest.mark.parametrize(
    "source", [lambda root: None, lambda root, download: {}["a"], lambda root, download: 1 / 0]
)
def test_a_source_that_raises_is_told_by_name(source: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "digits", source)
    images._load.cache_clear()
    with pytest.raises(UsageError, match=r"image set 'digits': its source raised \w+Error: .*root, download"):
        load_images("digits")


def test_a_data_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.write_text("")
    with pytest.raises(DataUnavailableError, match="is a file"):
        load_images("mnist", path)


def test_an_unknown_image_set_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean mnist"):
        load_images("minst")


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_the_published_files_are_read(name: str) -> None:
    try:
        loaded = load_images(name)
    except DataUnavailableError as error:
        pytest.skip(f"image files are not here: {error}")
    assert len(loaded.test.gallery) == 10_000 - 0  # no picture of the test part stands in the training part
    assert len(loaded.train.gallery) + len(loaded.validation.gallery) <= 60_000
    assert set(IMAGES.entries()) >= {"digits", "mnist", "fashion"}
