import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from groundcheck.datasets import images
from groundcheck.datasets.errors import DataUnavailableError, UnknownNameError
from groundcheck.datasets.images import IMAGES, IdxImages, load_images, parse_idx


def content_hashes(gallery: images.Gallery) -> set[str]:
    return {hashlib.sha256(picture.numpy().tobytes()).hexdigest() for picture in gallery.pictures}


def idx(array: np.ndarray) -> bytes:
    header = b"\x00\x00\x08" + bytes([array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def tiny_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small image set in the layout of torchvision, gzipped, registered under the name of mnist."""
    rng = np.random.default_rng(0)
    raw = tmp_path / "root" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    md5: dict[str, tuple[str, str]] = {}
    for part, count in (("train", 60), ("t10k", 20)):
        for kind, array in (
            ("images-idx3", rng.integers(0, 255, (count, 28, 28))),
            ("labels-idx1", np.arange(count) % 10),
        ):
            name = f"{part}-{kind}-ubyte"
            content = idx(array)
            packed = gzip.compress(content, mtime=0)
            (raw / f"{name}.gz").write_bytes(packed)
            md5[name] = tuple(hashlib.md5(c).hexdigest() for c in (packed, content))  # type: ignore[assignment]
    monkeypatch.setattr(images, "mnist", IdxImages("MNIST", md5, "tiny", "none"))
    images._load.cache_clear()
    yield tmp_path / "root"
    images._load.cache_clear()


def test_digits_are_scaled_split_and_disjoint() -> None:
    digits = load_images("digits")
    parts = [digits.train, digits.validation, digits.test]
    assert [tuple(part.gallery.pictures.shape[1:]) for part in parts] == [(28, 28)] * 3
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


def test_idx_files_are_read_gzipped_and_plain(tiny_source: Path) -> None:
    packed = load_images("mnist", tiny_source)
    assert len(packed.test.gallery) == 20
    assert len(packed.train.gallery) + len(packed.validation.gallery) == 60
    for path in (tiny_source / "MNIST" / "raw").glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    images._load.cache_clear()
    assert load_images("mnist", tiny_source).digest == packed.digest


def test_image_sets_join_their_classes(tiny_source: Path) -> None:
    joined = load_images("digits+mnist", tiny_source)
    assert set(joined.train.labels) == set(range(20))
    assert len(joined.test.gallery) == len(load_images("digits").test.gallery) + 20


def test_a_picture_that_occurs_twice_stays_on_the_training_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = images.Pictures(np.zeros((40, 28, 28), np.uint8), np.arange(40) % 10, np.arange(40) >= 20)
    monkeypatch.setattr(images, "digits", lambda root, download: same)
    images._load.cache_clear()
    loaded = load_images("digits")
    images._load.cache_clear()
    assert len(loaded.test.gallery) == 0
    assert len(loaded.validation.gallery) == 0


@pytest.mark.parametrize("damage", ["truncated", "altered", "wrong"])
def test_a_damaged_file_is_named_and_refused(tiny_source: Path, damage: str) -> None:
    raw = tiny_source / "MNIST" / "raw"
    path = raw / "t10k-images-idx3-ubyte.gz"
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-100])
    elif damage == "altered":
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    else:
        shutil.copy(raw / "train-images-idx3-ubyte.gz", path)
    with pytest.raises(DataUnavailableError, match=r"t10k-images-idx3-ubyte\.gz is not the published file"):
        load_images("mnist", tiny_source)


def test_missing_files_name_the_folder_and_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        load_images("fashion", tmp_path)
    message = str(caught.value)
    for part in (
        str(tmp_path / "FashionMNIST" / "raw"),
        "train-images-idx3-ubyte.gz",
        "--data-root",
        "--download",
    ):
        assert part in message


def test_a_failed_download_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Offline:
        class datasets:
            @staticmethod
            def MNIST(root: str, *, train: bool, download: bool) -> None:
                raise RuntimeError(f"Error downloading {'train' if train else 'test'} to {root}: {download}")

    monkeypatch.setattr(images, "import_torchvision", lambda: Offline)
    with pytest.raises(DataUnavailableError, match=r"could not download MNIST .*Error downloading train"):
        load_images("mnist", tmp_path, download=True)


def test_a_data_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "root"
    path.write_text("")
    with pytest.raises(DataUnavailableError, match="is a file"):
        load_images("mnist", path)


def test_the_environment_names_the_data_root(tiny_source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCHECK_DATA", str(tiny_source))
    assert len(load_images("mnist").test.gallery) == 20


def test_an_unknown_image_set_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean mnist"):
        load_images("minst")


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08\x00junk", idx(np.zeros((2, 28, 28)))[:-1], idx(np.zeros(3))[:6]]
)
def test_what_is_no_idx_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataUnavailableError, match="some-file"):
        parse_idx(content, Path("some-file"))


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_the_published_files_are_read(name: str) -> None:
    try:
        loaded = load_images(name)
    except DataUnavailableError as error:
        pytest.skip(f"image files are not here: {error}")
    assert len(loaded.test.gallery) == 10_000 - 0  # no picture of the test part stands in the training part
    assert len(loaded.train.gallery) + len(loaded.validation.gallery) <= 60_000
    assert set(IMAGES.entries()) >= {"digits", "mnist", "fashion"}
