"""Image sets: labelled 28×28 pictures, split so that no test image is ever trained on."""

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
from .errors import DataUnavailableError, UnknownNameError, UsageError
from .idx import DATA_ROOT_VARIABLE, IdxImages
from .pictures import SIDE, Pictures, checked_pictures, name_classes
from .slant import slanted
from .task import Shift, Split, Task

__all__ = [
    "IMAGES",
    "SIDE",
    "Bank",
    "Gallery",
    "IdxImages",
    "ImageSet",
    "Pictures",
    "data_root",
    "digits",
    "load_images",
]  # what an image set from outside is made with stands in files of its own

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
                raise _lacking(int(label), "the image set", self.labels)
            own = self._by_class[int(label)]
            chosen = classes == label
            rows[chosen] = own[picture[chosen] % len(own)]
        return rows


def _lacking(label: int, which: str, labels: Int[np.ndarray, " images"]) -> UsageError:
    """Why a class cannot be shown: the images end before it, or leave it out."""
    advice = "number the classes of the image set from 0 on without a gap, " if label < labels.max() else ""
    return UsageError(
        f"this task shows class {label}, but {which} has {'class' if len({*labels}) == 1 else 'classes'} "
        f"{name_classes(labels)}: {advice}choose a smaller task, seen=symbols, or a larger image set such as "
        "--images mnist+fashion"
    )


@dataclass(frozen=True)
class ImageSet:
    """An image set in three disjoint parts; ood puzzles are shown with test images.

    Attributes:
        name: What it was asked for by.
        train: Pictures and classes for training.
        validation: Those for validation.
        test: Those for testing.
        digest: SHA-256 over all pictures and labels, so that a record names its data.
    """

    name: str
    train: Bank
    validation: Bank
    test: Bank
    digest: str

    @cached_property
    def leaning(self) -> Bank:
        """The test images, each slanted further than handwriting usually is."""
        return Bank(Gallery(slanted(self.test.gallery.pictures)), self.test.labels)

    def bank(self, split: Split, shift: Shift = "puzzles") -> Bank:
        """The images that puzzles of a split are shown with.

        Args:
            split: Which split.
            shift: What is new in the task's ood split; with "images" it is shown with slanted test images.
        """
        if split == "ood" and shift == "images":
            return self.leaning
        return {"train": self.train, "validation": self.validation}.get(split, self.test)

    def require(self, task: Task) -> None:
        """Sees to it that each part has pictures of every class that the task shows.

        Raises:
            UsageError: Where some part lacks a class.
        """
        if task.seen == "symbols":
            return
        every = np.concatenate([self.train.labels, self.validation.labels, self.test.labels])
        for label in task.classes:
            if label not in every:
                raise _lacking(label, f"image set {self.name}", every)
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        for part, bank in parts.items():
            if absent := sorted({*task.classes} - {*bank.labels.tolist()}):
                raise UsageError(
                    f"image set {self.name}: no picture of class {absent[0]}, which this task shows, is in "
                    f"its {part} part; give each class more pictures, or mark another test part"
                )


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


digits = BundledDigits()

IMAGES = Catalogue(
    "image set",
    "groundcheck.images",
    {
        "digits": "groundcheck.datasets.images:digits",
        "mnist": "groundcheck.datasets.idx:mnist",
        "fashion": "groundcheck.datasets.idx:fashion",
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
    """Loads an image set by its name.

    Args:
        name: A name of the catalogue, or several joined by +: their pictures stand one after the other, and
            their classes are counted on.
        root: The folder with the files; None for the one that the environment names, or else the cache.
        download: Whether missing files are fetched.
        device: Where the pictures are put, as torch names it.

    Raises:
        UnknownNameError: For a name that no image set has.
        DataUnavailableError: For files that are damaged, or missing with `download` off.
        UsageError: Where a source does not deliver what `Pictures` promises.
    """
    return _load(name, data_root(root), download, device)


@lru_cache(maxsize=4)
def _load(name: str, root: Path, download: bool, device: str) -> ImageSet:
    pictures: list[UInt8[np.ndarray, "_ 28 28"]] = []
    labels: list[Int[np.ndarray, " _"]] = []
    tests: list[Bool[np.ndarray, " _"]] = []
    first = 0
    for part in name.split("+"):
        shown, classes, test = _deliver(part, root, download)
        pictures.append(shown)
        labels.append(classes + first)
        tests.append(_drawn_test(len(classes)) if test is None else test)
        first += int(classes.max()) + 1
    return _split(name, np.concatenate(pictures), np.concatenate(labels), np.concatenate(tests), device)


def _deliver(
    name: str, root: Path, download: bool
) -> tuple[UInt8[np.ndarray, "images 28 28"], Int[np.ndarray, " images"], Bool[np.ndarray, " images"] | None]:
    """What one source delivers, checked; whatever goes wrong inside it is told in one sentence."""
    source = IMAGES.load(name)
    try:
        return checked_pictures(source(root, download=download), name)
    except (UsageError, UnknownNameError, DataUnavailableError):
        raise
    except Exception as error:
        raise UsageError(
            f"image set {name!r}: its source raised {type(error).__name__}: {error}; it is called as "
            "source(root, download=…) and returns Pictures"
        ) from error


def _drawn_test(images: int) -> Bool[np.ndarray, " images"]:
    """The test part of a source that comes without, drawn once and for all."""
    return np.random.default_rng(0).permutation(images) < TEST_SHARE * images


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
        if not len(fresh):
            raise UsageError(
                f"image set {name}: of its {len(pictures):,} pictures ({len({*hashes}):,} different) no part "
                "without pictures of another can be set apart for training, validation and test: give it more"
            )
        parts.append(Bank(Gallery(torch.from_numpy(pictures[fresh]).to(device)), labels[fresh]))
    digest = hashlib.sha256("".join(hashes).encode() + labels.tobytes()).hexdigest()
    train, validation, held_out = parts
    return ImageSet(name, train, validation, held_out, digest)
