"""Image sets: labelled 28×28 pictures, split so that no test image is ever trained on."""

import gzip
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage
from torch import Tensor

from .catalogue import Catalogue
from .errors import DataUnavailableError
from .slant import slanted
from .task import Shift, Split
from .vision import import_torchvision

DATA_ROOT_VARIABLE = "GROUNDCHECK_DATA"
SIDE = 28  # pixels, of every image set
TEST_SHARE = 0.2  # of an image set that comes without a test part
VALIDATION_SHARE = 1 / 12  # of what is left for training


@dataclass(frozen=True)
class Gallery:
    """Pictures without labels: all that perception, and whatever trains it, can reach."""

    pictures: UInt8[Tensor, "images 28 28"]

    def __len__(self) -> int:
        return len(self.pictures)

    def gather(self, rows: Int[Tensor, " rows"]) -> Float[Tensor, "rows 1 28 28"]:
        """Some pictures as floats in [0, 1], unnormalised as in the SATNet experiments."""
        return self.pictures[rows].unsqueeze(1).float() / 255


@dataclass(frozen=True)
class Bank:
    """One split of an image set: its pictures, and their classes for drawing puzzles and for scoring."""

    gallery: Gallery
    labels: Int[np.ndarray, " images"]

    @property
    def device(self) -> torch.device:
        """Where the pictures lie."""
        return self.gallery.pictures.device

    @cached_property
    def _by_class(self) -> dict[int, Int[np.ndarray, " of_class"]]:
        return {int(c): np.flatnonzero(self.labels == c) for c in np.unique(self.labels)}

    def find(
        self, classes: Int[np.ndarray, " shown"], picture: Int[np.ndarray, " shown"]
    ) -> Int[np.ndarray, " shown"]:
        """The row of the n-th picture of each class, counted modulo how many the bank has of it."""
        rows = np.empty(len(classes), dtype=np.int64)
        for label in np.unique(classes):
            if label not in self._by_class:
                raise ValueError(
                    f"this task shows class {label}, but the image set has classes 0 to "
                    f"{max(self._by_class)}: choose a smaller task, seen=symbols, or a larger image set "
                    "such as --images mnist+fashion"
                )
            own = self._by_class[int(label)]
            chosen = classes == label
            rows[chosen] = own[picture[chosen] % len(own)]
        return rows


@dataclass(frozen=True)
class ImageSet:
    """An image set in three disjoint parts; ood puzzles are shown with test images."""

    name: str
    train: Bank
    validation: Bank
    test: Bank
    digest: str  # SHA-256 over all pictures and labels, so that a record names its data

    @cached_property
    def leaning(self) -> Bank:
        """The test images, each slanted further than handwriting usually is."""
        return Bank(Gallery(slanted(self.test.gallery.pictures)), self.test.labels)

    def bank(self, split: Split, shift: Shift = "puzzles") -> Bank:
        """The images that puzzles of a split are shown with, by what is new in a task's ood split."""
        if split == "ood" and shift == "images":
            return self.leaning
        return {"train": self.train, "validation": self.validation}.get(split, self.test)


@dataclass(frozen=True)
class Pictures:
    """What a source of images delivers: pictures, labels, and which of them are its own test part."""

    pictures: UInt8[np.ndarray, "images 28 28"]
    labels: Int[np.ndarray, " images"]
    test: Bool[np.ndarray, " images"] | None


@dataclass(frozen=True)
class BundledDigits:
    """The digits that come inside scikit-learn; there is nothing to download."""

    summary: str = "1,797 handwritten digits that come with scikit-learn, 8×8 scaled to 28×28."
    source: str = "Alpaydin & Kaynak 1998, UCI"

    def __call__(self, root: Path, *, download: bool) -> Pictures:
        """Scaled bilinearly; their 17 grey levels are stretched over 0 to 255."""
        del root, download
        from sklearn.datasets import load_digits  # noqa: PLC0415 - a second of import, needed here alone

        bundled: Any = load_digits()
        small = np.asarray(bundled.images) / 16 * 255
        scaled: Any = ndimage.zoom(small, (1, SIDE / 8, SIDE / 8), order=1, grid_mode=True, mode="nearest")
        pictures = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return Pictures(pictures, np.asarray(bundled.target, dtype=np.int64), None)


@dataclass(frozen=True)
class IdxImages:
    """An image set in idx files, in torchvision's layout: `<root>/<folder>/raw/<file>`, gzipped or not."""

    folder: str  # also the name of its class in torchvision.datasets
    md5: dict[str, tuple[str, str]]  # file: published MD5 of the .gz, MD5 of its content
    summary: str
    source: str

    def __call__(self, root: Path, *, download: bool) -> Pictures:
        """Reads the four files. Raises `DataUnavailableError` naming the file that is missing or damaged."""
        raw = root / self.folder / "raw"
        missing = [name for name in self.md5 if not self._present(raw, name)]
        if missing and download:
            self._download(root)
        elif missing:
            raise DataUnavailableError(
                f"{raw} lacks {', '.join(f'{name}.gz' for name in missing)}: point --data-root (or "
                f"{DATA_ROOT_VARIABLE}) to a folder that has {self.folder}/raw with these files, "
                "or let them be downloaded with --download"
            )
        images, labels = zip(
            *(
                (self._read(raw, f"{part}-images-idx3-ubyte"), self._read(raw, f"{part}-labels-idx1-ubyte"))
                for part in ("train", "t10k")
            ),
            strict=True,
        )
        for part, pictures, classes in zip(("train", "t10k"), images, labels, strict=True):
            if (
                pictures.ndim != 3
                or pictures.shape[1:] != (SIDE, SIDE)
                or classes.shape != pictures.shape[:1]
            ):
                raise DataUnavailableError(
                    f"{raw}: the {part} files hold pictures {pictures.shape} and labels {classes.shape}; "
                    f"they should be (n, {SIDE}, {SIDE}) and (n,)"
                )
        test = np.arange(len(images[0]) + len(images[1])) >= len(images[0])
        return Pictures(np.concatenate(images), np.concatenate(labels).astype(np.int64), test)

    @staticmethod
    def _present(raw: Path, name: str) -> bool:
        return (raw / f"{name}.gz").is_file() or (raw / name).is_file()

    def _read(self, raw: Path, name: str) -> UInt8[np.ndarray, "..."]:
        packed = raw / f"{name}.gz"
        path = packed if packed.is_file() else raw / name
        content = path.read_bytes()
        expected = self.md5[name][0 if path == packed else 1]
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != expected:
            raise DataUnavailableError(
                f"{path} is not the published file: its MD5 is {found}, expected {expected} "
                f"({len(content):,} bytes; truncated, damaged, or another file): delete it and fetch it again"
            )
        return parse_idx(gzip.decompress(content) if path == packed else content, path)

    def _download(self, root: Path) -> None:
        try:
            source = getattr(import_torchvision().datasets, self.folder)
            for train in (True, False):
                source(str(root), train=train, download=True)
        except (OSError, RuntimeError) as error:
            raise DataUnavailableError(
                f"torchvision could not download {self.folder} to {root}: {error}. Try again later, or copy "
                f"its files to {root / self.folder / 'raw'} by hand"
            ) from error


def parse_idx(content: bytes, path: Path) -> UInt8[np.ndarray, "..."]:
    """The array in an idx file of unsigned bytes (LeCun's MNIST format); `path` is for the message."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataUnavailableError(f"{path} is no idx file of bytes: it begins with {content[:4].hex(' ')!r}")
    rank = content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataUnavailableError(f"{path} ends within its header, after {len(content)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    if len(shape) != rank or len(content) - start != int(np.prod(shape)):
        raise DataUnavailableError(
            f"{path} announces the shape {shape} but holds {len(content) - start:,} bytes after its header"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


digits = BundledDigits()
mnist = IdxImages(
    "MNIST",
    {
        "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
        "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
        "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
        "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
    },
    "70,000 handwritten digits, from idx files under the data root.",
    "LeCun, Cortes & Burges 1998",
)
fashion = IdxImages(
    "FashionMNIST",
    {
        "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"),
        "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"),
        "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"),
    },
    "70,000 pictures of clothes in ten classes, from idx files under the data root.",
    "Xiao et al. 2017, arXiv:1708.07747",
)

IMAGES = Catalogue(
    "image set",
    "groundcheck.images",
    {
        "digits": "groundcheck.datasets.images:digits",
        "mnist": "groundcheck.datasets.images:mnist",
        "fashion": "groundcheck.datasets.images:fashion",
    },
)


def data_root(chosen: str | Path | None) -> Path:
    """The folder image files are looked for in: the one chosen, else the environment's, else the cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(chosen or os.environ.get(DATA_ROOT_VARIABLE) or Path(cache) / "groundcheck")
    if root.exists() and not root.is_dir():
        raise DataUnavailableError(f"the data root {root} is a file: name the folder that holds MNIST/raw")
    return root


def load_images(
    name: str, root: str | Path | None = None, *, download: bool = False, device: str = "cpu"
) -> ImageSet:
    """An image set by name; several joined by + stand one after the other, their classes counted on.

    Raises `UnknownNameError`, or `DataUnavailableError` where files are missing (and `download` is off) or
    damaged.
    """
    return _load(name, data_root(root), download, device)


@lru_cache(maxsize=4)
def _load(name: str, root: Path, download: bool, device: str) -> ImageSet:
    parts = [IMAGES.load(part)(root, download=download) for part in name.split("+")]
    labels, first = [], 0
    for part in parts:
        labels.append(part.labels + first)
        first += int(part.labels.max()) + 1
    tests = np.concatenate([_own_test(part) for part in parts])
    pictures = np.concatenate([part.pictures for part in parts])
    return _split(name, pictures, np.concatenate(labels), tests, device)


def _own_test(part: Pictures) -> Bool[np.ndarray, " images"]:
    """The test part of a source, drawn once and for all where it comes without."""
    if part.test is not None:
        return part.test
    order = np.random.default_rng(0).permutation(len(part.labels))
    return order < TEST_SHARE * len(part.labels)


def _split(
    name: str,
    pictures: UInt8[np.ndarray, "images 28 28"],
    labels: Int[np.ndarray, " images"],
    tests: Bool[np.ndarray, " images"],
    device: str,
) -> ImageSet:
    """Deterministic, disjoint by content: a picture that occurs twice stays on the training side.

    The order within a part is shuffled, so that the row of a picture says nothing about its class.
    """
    rng = np.random.default_rng(1)
    training = rng.permutation(np.flatnonzero(~tests))
    test = rng.permutation(np.flatnonzero(tests))
    held = round(VALIDATION_SHARE * len(training))
    hashes = np.array([hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures])
    parts: list[Bank] = []
    taken: set[str] = set()
    for rows in (training[held:], training[:held], test):
        fresh = rows[[hashes[row] not in taken for row in rows]]
        taken.update(hashes[rows])
        parts.append(Bank(Gallery(torch.from_numpy(pictures[fresh]).to(device)), labels[fresh]))
    digest = hashlib.sha256("".join(hashes).encode() + labels.tobytes()).hexdigest()
    train, validation, held_out = parts
    return ImageSet(name, train, validation, held_out, digest)
