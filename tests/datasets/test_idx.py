"""Idx files are taken for what they hold, whatever their names, and refused with a reason."""

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from groundcheck.datasets import idx, images
from groundcheck.datasets.errors import DataUnavailableError, UsageError
from groundcheck.datasets.idx import IdxImages, parse_idx
from groundcheck.datasets.images import load_images
from groundcheck.datasets.pictures import Pictures

TYPES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def as_idx(array: np.ndarray, kind: str = "u1") -> bytes:
    shape = np.array(array.shape, dtype=">u4").tobytes()
    return bytes([0, 0, TYPES[kind], array.ndim]) + shape + array.astype(kind).tobytes()


def md5s(content: bytes) -> tuple[str, str]:
    packed = gzip.compress(content, mtime=0)
    first, second = (hashlib.md5(c, usedforsecurity=False).hexdigest() for c in (packed, content))
    return first, second


def write_set(raw: Path, parts: dict[str, tuple[np.ndarray, str]]) -> dict[str, tuple[str, str]]:
    """Writes gzipped idx files; their MD5s."""
    raw.mkdir(parents=True)
    contents = {name: as_idx(*part) for name, part in parts.items()}
    for name, content in contents.items():
        (raw / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    return {name: md5s(content) for name, content in contents.items()}


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A small image set in the layout of torchvision, gzipped, registered under the name of mnist."""
    parts = {}
    for part, count in (("train", 60), ("t10k", 20)):
        parts[f"{part}-images-idx3-ubyte"] = pictures(count, count), "u1"
        parts[f"{part}-labels-idx1-ubyte"] = np.arange(count) % 10, "u1"
    md5 = write_set(tmp_path / "root" / "MNIST" / "raw", parts)
    monkeypatch.setattr(idx, "mnist", IdxImages("MNIST", md5, "tiny", "none"))
    images._load.cache_clear()
    yield tmp_path / "root"
    images._load.cache_clear()


def load_anew(root: Path, *, download: bool = False) -> images.ImageSet:
    images._load.cache_clear()
    return load_images("mnist", root, download=download)


def test_a_set_is_read_packed_repacked_and_plain(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    packed = load_anew(root)
    assert len(packed.test.gallery) == 20
    assert len(packed.train.gallery) + len(packed.validation.gallery) == 60
    for path in list(raw.glob("*.gz")):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=7))  # another packing
    assert load_anew(root).digest == packed.digest
    for path in list(raw.glob("*.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.write_bytes(path.read_bytes()[:-30])  # a broken download beside the good file
    assert load_anew(root).digest == packed.digest


@pytest.mark.parametrize(
    "place",
    [
        "MNIST/raw/{dotted}",  # as 7-zip unpacks
        "MNIST/raw/{name}/{name}",  # as Kaggle delivers
        "MNIST/raw/{dotted}/{dotted}",
        "MNIST/{name}",
        "{dotted}",
    ],
)
def test_other_publishers_names_and_folders_are_found(root: Path, place: str) -> None:
    raw = root / "MNIST" / "raw"
    digest = load_anew(root).digest
    for path in list(raw.glob("*.gz")):
        name = path.stem
        other = root / place.format(name=name, dotted=name.replace("-idx", ".idx"))
        content = gzip.decompress(path.read_bytes())
        path.unlink()
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(content)
    assert load_anew(root).digest == digest


def test_a_name_says_nothing_of_the_packing(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    digest = load_anew(root).digest
    name = "train-labels-idx1-ubyte"
    packed = (raw / f"{name}.gz").read_bytes()
    (raw / f"{name}.gz").write_bytes(gzip.decompress(packed))  # unpacked by a browser, under the old name
    assert load_anew(root).digest == digest
    (raw / f"{name}.gz").rename(raw / name)
    (raw / name).write_bytes(packed)
    assert load_anew(root).digest == digest


@pytest.mark.parametrize("damage", ["truncated", "altered", "wrong", "page"])
def test_a_damaged_file_is_named_and_refused(root: Path, damage: str) -> None:
    raw = root / "MNIST" / "raw"
    path = raw / "t10k-images-idx3-ubyte.gz"
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-100])
    elif damage == "altered":
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    elif damage == "page":
        path.write_bytes(b"<html>404</html>")
    else:
        shutil.copy(raw / "train-images-idx3-ubyte.gz", path)
    with pytest.raises(DataUnavailableError, match=r"t10k-images-idx3-ubyte\.gz is not the published file"):
        load_anew(root)


def test_missing_files_name_the_folder_and_both_ways_out(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError) as caught:
        load_images("fashion", tmp_path)
    message = str(caught.value)
    folder = str(tmp_path / "FashionMNIST" / "raw")
    for part in (folder, "train-images-idx3-ubyte", "--data-root", "--download"):
        assert part in message
    (root / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        DataUnavailableError, match=r"raw lacks train-labels-idx1-ubyte \(packed as .gz or not\): point"
    ):
        load_anew(root)


class Server:
    """Stands for torchvision: knows a set's files, and where it would put them."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.datasets = self
        self.files = files

    def MNIST(self, root: str, *, train: bool, download: bool) -> None:
        assert download
        raw = Path(root) / "MNIST" / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (raw / name).write_bytes(content)


def test_what_is_no_good_is_fetched_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = root / "MNIST" / "raw"
    digest = load_anew(root).digest
    server = Server({path.name: path.read_bytes() for path in raw.glob("*.gz")})
    monkeypatch.setattr(idx, "import_torchvision", lambda: server)
    page = raw / "train-images-idx3-ubyte.gz"
    page.write_bytes(b"<html>503</html>")
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"broken, unpacked")
    assert load_anew(root, download=True).digest == digest
    assert load_anew(root).digest == digest
    assert not list(raw.glob(".download*"))


def test_a_failed_download_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Offline:
        class datasets:
            @staticmethod
            def MNIST(root: str, *, train: bool, download: bool) -> None:
                raise RuntimeError(f"Error downloading {'train' if train else 'test'} to {root}: {download}")

    monkeypatch.setattr(idx, "import_torchvision", lambda: Offline)
    with pytest.raises(DataUnavailableError, match=r"could not download MNIST .*Error downloading train"):
        load_images("mnist", tmp_path, download=True)
    with pytest.raises(DataUnavailableError, match="torchvision has no image set FashionMNIST to download"):
        load_images("fashion", tmp_path, download=True)


def test_the_environment_names_the_data_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCHECK_DATA", str(root))
    assert len(load_images("mnist").test.gallery) == 20


@pytest.mark.parametrize("kind", ["u1", "i1", ">i2", ">i4"])
def test_own_names_and_label_types(tmp_path: Path, kind: str) -> None:
    """As EMNIST's files are called, and as QMNIST's are typed."""
    labels = np.arange(30) % 10
    md5 = write_set(
        tmp_path / "EMNIST" / "raw",
        {
            "emnist-digits-test-labels-idx1-ubyte": (labels[:10], kind),
            "emnist-digits-test-images-idx3-ubyte": (pictures(10), "u1"),
            "emnist-digits-train-images-idx3-ubyte": (pictures(30, 1), ">i2"),
            "emnist-digits-train-labels-idx1-ubyte": (labels, kind),
        },
    )
    found = IdxImages("EMNIST", md5, "tiny", "none")(tmp_path, download=False)
    assert np.array_equal(found.pictures, np.concatenate([pictures(30, 1), pictures(10)]))
    assert np.array_equal(found.labels, np.concatenate([labels, labels[:10]]))
    assert found.test is not None
    assert found.test.tolist() == [False] * 30 + [True] * 10


def read_qmnist(root: Path, labels: np.ndarray, kind: str = ">i4", column: int | None = None) -> Pictures:
    """A set of a training part alone, whose labels have several columns."""
    parts = {"qmnist-train-images-idx3-ubyte": (pictures(30), "u1"), "qmnist-train-labels": (labels, kind)}
    return IdxImages("QMNIST", write_set(root / "QMNIST" / "raw", parts), "tiny", "none", column)(
        root, download=False
    )


def test_a_training_part_alone_and_a_column_of_labels(tmp_path: Path) -> None:
    columns = np.stack([np.arange(30) % 10, np.arange(30)], axis=1)
    found = read_qmnist(tmp_path / "a", columns, column=0)
    assert found.test is None
    assert np.array_equal(found.labels, columns[:, 0])
    with pytest.raises(DataUnavailableError, match=r"labels \(30, 2\) for 30 pictures.*label_column"):
        read_qmnist(tmp_path / "b", columns)
    with pytest.raises(DataUnavailableError, match=r"labels \(29,\) for 30 pictures"):
        read_qmnist(tmp_path / "c", np.arange(29))
    with pytest.raises(DataUnavailableError, match=r"float32 labels \(30,\)"):
        read_qmnist(tmp_path / "d", np.arange(30), ">f4")


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    files = {"train-images": (np.zeros((5, 32, 32)), "u1"), "train-labels": (np.arange(5), "u1")}
    md5 = write_set(tmp_path / "Big" / "raw", files)
    with pytest.raises(DataUnavailableError, match=r"train-images holds pictures \(5, 32, 32\)"):
        IdxImages("Big", md5, "", "")(tmp_path, download=False)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["train-images", "train-labels", "other-images"],
        ["images", "labels"],
        ["train-images", "test-images"],
        ["train-images", "train-more-images", "train-labels"],
    ],
)
def test_names_that_do_not_tell_the_files_apart_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(UsageError, match="name one of pictures and one of labels"):
        IdxImages("Odd", dict.fromkeys(names, ("", "")), "", "")(tmp_path, download=False)


@pytest.mark.parametrize("kind", list(TYPES))
def test_all_types_of_the_format_are_read(kind: str) -> None:
    array = np.array([[1, 2, 3], [100, 5, 6]])
    assert np.array_equal(parse_idx(as_idx(array, kind), Path("f")), array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b\x08\x00junk",
        b"\x00\x00\x0a\x01\x00\x00\x00\x00",
        as_idx(np.zeros((2, 28, 28)))[:-1],
        as_idx(np.zeros(3))[:6],
        as_idx(np.zeros(3), ">i4")[:-2],
        b"\x00\x00\x08\x03" + b"\xff" * 12,
    ],
)
def test_what_is_no_idx_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataUnavailableError, match="some-file"):
        parse_idx(content, Path("some-file"))
