"""torchvision's data sets, each from files in its own layout that are written here: nothing is downloaded."""

import bz2
import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from groundcheck.datasets import torchvision_images, vision
from groundcheck.datasets.errors import DataUnavailableError, UnknownNameError, UsageError
from groundcheck.datasets.images import load_images
from groundcheck.datasets.torchvision_images import TorchvisionImages

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (30, 28, 28), np.uint8)
COLOUR = RNG.integers(0, 256, (30, 3, 32, 32), np.uint8)
LABELS = np.arange(30) % 10
PARTS = {True: slice(0, 20), False: slice(20, 30)}  # training, and testing


def write_idx(path: Path, array: np.ndarray) -> None:
    kind = {"uint8": 8, "int32": 12}[array.dtype.name]
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(">BBBB", 0, 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())


@pytest.fixture
def sets() -> Any:
    return vision.import_torchvision().datasets


def kmnist(root: Path, monkeypatch: pytest.MonkeyPatch, sets: Any) -> None:
    for train, name in ((True, "train"), (False, "t10k")):
        write_idx(root / "KMNIST" / "raw" / f"{name}-images-idx3-ubyte", GREY[PARTS[train]])
        write_idx(
            root / "KMNIST" / "raw" / f"{name}-labels-idx1-ubyte", LABELS[PARTS[train]].astype(np.uint8)
        )


def emnist(root: Path, split: str, first: int) -> None:
    for train, name in ((True, "train"), (False, "test")):
        start = root / "EMNIST" / "raw" / f"emnist-{split}-{name}"
        write_idx(start.with_name(f"{start.name}-images-idx3-ubyte"), GREY[PARTS[train]])
        labels = (LABELS[PARTS[train]] + first).astype(np.uint8)
        write_idx(start.with_name(f"{start.name}-labels-idx1-ubyte"), labels)


def qmnist(root: Path, monkeypatch: pytest.MonkeyPatch, sets: Any) -> None:
    for train, name in ((True, "train"), (False, "test")):
        write_idx(root / "QMNIST" / "raw" / f"qmnist-{name}-images-idx3-ubyte", GREY[PARTS[train]])
        labels = np.tile(np.int32(9), (len(GREY[PARTS[train]]), 8))
        labels[:, 0] = LABELS[PARTS[train]]
        write_idx(root / "QMNIST" / "raw" / f"qmnist-{name}-labels-idx2-int", labels)


def usps(root: Path, monkeypatch: pytest.MonkeyPatch, sets: Any) -> None:
    for train, name in ((True, "usps.bz2"), (False, "usps.t.bz2")):
        lines = [
            " ".join(
                [str(label + 1), *(f"{n}:{v / 127.5 - 1:.4f}" for n, v in enumerate(p[:16, :16].flat, 1))]
            )
            for p, label in zip(GREY[PARTS[train]], LABELS[PARTS[train]], strict=True)
        ]
        (root / name).write_bytes(bz2.compress("\n".join(lines).encode()))


def svhn(root: Path, monkeypatch: pytest.MonkeyPatch, sets: Any) -> None:
    names = {True: "train", False: "test"}
    for train, name in names.items():
        path = root / f"{name}_32x32.mat"
        labels = LABELS[PARTS[train]].copy()
        labels[labels == 0] = 10  # as its files have it
        pictures = COLOUR[PARTS[train]].transpose(2, 3, 1, 0)
        scipy.io.savemat(path, {"X": pictures, "y": labels[:, None].astype(np.uint8)})
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        monkeypatch.setitem(sets.SVHN.split_list, name, ["", path.name, digest])


def cifar10(root: Path, monkeypatch: pytest.MonkeyPatch, sets: Any) -> None:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()

    def write(name: str, content: object) -> str:
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()

    for attribute, train, name in (("train_list", True, "data_batch_1"), ("test_list", False, "test_batch")):
        part = PARTS[train]
        digest = write(name, {"data": COLOUR[part].reshape(-1, 3072), "labels": LABELS[part].tolist()})
        monkeypatch.setattr(sets.CIFAR10, attribute, [[name, digest]])
    meta = write("batches.meta", {"label_names": [f"thing{n}" for n in range(10)]})
    told = {"filename": "batches.meta", "key": "label_names", "md5": meta}
    monkeypatch.setattr(sets.CIFAR10, "meta", told)


@pytest.mark.parametrize(
    ("name", "write", "pictures"),
    [
        ("KMNIST", kmnist, GREY[:, None]),
        ("QMNIST", qmnist, GREY[:, None]),
        ("SVHN", svhn, COLOUR),
        ("CIFAR10", cifar10, COLOUR),
        ("cifar-10", cifar10, COLOUR),
        ("USPS", usps, None),
    ],
)
def test_a_set_is_read_from_its_own_layout(
    name: str,
    write: Any,
    pictures: np.ndarray | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sets: Any,
) -> None:
    write(tmp_path, monkeypatch, sets)
    found = TorchvisionImages(name)(tmp_path, download=False)
    assert np.array_equal(found.labels, LABELS)
    assert np.array_equal(found.test, np.arange(30) >= 20)
    shown = np.asarray(found.pictures)
    if pictures is None:  # USPS is 16 by 16, and rounded
        assert shown.shape == (30, 16, 16)
        assert np.abs(shown.astype(int) - GREY[:, :16, :16]).max() <= 1
    else:
        assert np.array_equal(shown if shown.ndim == 4 else shown[:, None], pictures)


def test_letters_stand_upright_and_are_called_by_their_names(tmp_path: Path) -> None:
    emnist(tmp_path, "letters", 1)
    emnist(tmp_path, "digits", 0)
    found = TorchvisionImages("EMNIST", {"split": "letters"})(tmp_path, download=False)
    assert np.array_equal(found.pictures, GREY.swapaxes(1, 2))
    loaded = load_images("torchvision:EMNIST?split=letters", tmp_path, classes=["c", "a"])
    assert loaded.names == ("c", "a")
    assert len(loaded.test.labels) == 2
    assert {*load_images("torchvision:EMNIST?split=digits", tmp_path).test.labels} == {*range(10)}
    with pytest.raises(UsageError, match=r"several splits: say which, as .*\?split=letters"):
        load_images("torchvision:EMNIST", tmp_path)
    with pytest.raises(UsageError, match="torchvision's EMNIST cannot be read so: Unknown value 'leters'"):
        load_images("torchvision:EMNIST?split=leters", tmp_path)


def test_what_is_not_there_or_damaged_is_told_and_never_downloaded_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sets: Any
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", None)  # would raise another error
    for name in ("KMNIST", "SVHN", "CIFAR10", "USPS"):
        with pytest.raises(
            DataUnavailableError, match=f"torchvision's {name} is not there, or is damaged below"
        ):
            load_images(f"torchvision:{name}", tmp_path)
    svhn(tmp_path, monkeypatch, sets)
    path = tmp_path / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataUnavailableError, match=r"SVHN is not there, or is damaged.*--download"):
        load_images("torchvision:SVHN", tmp_path)


def test_downloading_is_asked_of_torchvision_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sets: Any
) -> None:
    def downloads(self: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr(sets.SVHN, "download", downloads)
    with pytest.raises(DataUnavailableError, match=r"SVHN could not be downloaded below .* \(no network\)"):
        load_images("torchvision:SVHN", tmp_path, download=True)


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("KMIST", UnknownNameError, "no image set 'KMIST': did you mean .*KMNIST"),
        ("ImageFolder", UnknownNameError, "no image set 'ImageFolder'"),
        ("KMNIST?size=3", UsageError, "torchvision's KMNIST takes no size: leave it out"),
        ("Omniglot", UsageError, "Omniglot has no training and test part"),
        ("", UsageError, "say which, as torchvision:KMNIST"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(name: str, error: type, told: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=told):
        load_images(f"torchvision:{name}", tmp_path)


def test_where_torchvision_is_missing_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("No module named 'torchvision'")

    monkeypatch.setattr(torchvision_images, "import_torchvision", missing)
    with pytest.raises(DataUnavailableError, match="which is not installed: pip install torchvision"):
        load_images("torchvision:KMNIST", tmp_path)
