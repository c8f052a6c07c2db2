"""An image set: labelled pictures of one size, in three parts that share none."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from .errors import UsageError
from .pictures import name_classes
from .slant import slanted
from .task import Shift, Split, Task

TEST_SHARE = 0.2  # of an image set that comes without a test part
VALIDATION_SHARE = 1 / 12  # of what is left for training
MIN_TRAINED, MIN_TESTED = 8, 2  # pictures of a class that a task shows, in training and in testing

ImageShape = tuple[int, int, int]  # channels, height, width
GREY: ImageShape = (1, 28, 28)  # of the image sets that come with groundcheck


@dataclass(frozen=True)
class Gallery:
    """Pictures without labels: all that perception, and whatever trains it, can reach."""

    pictures: UInt8[Tensor, "images channels height width"]

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def shape(self) -> ImageShape:
        """Channels, height and width of a picture."""
        channels, height, width = self.pictures.shape[1:]
        return channels, height, width

    def gather(self, rows: Int[Tensor, " rows"]) -> Float[Tensor, "rows channels height width"]:
        """Some pictures as floats in [0, 1], unnormalised as in the SATNet experiments."""
        return self.pictures[rows].float() / 255


@dataclass(frozen=True)
class Bank:
    """One split of an image set: its pictures, and their classes for drawing puzzles and for scoring.

    Attributes:
        gallery: The pictures.
        labels: (images,) the class of each.
        chosen: Whether class 0, 1, … was named to stand for symbol 0, 1, … of whatever task.
    """

    gallery: Gallery
    labels: Int[np.ndarray, " images"]
    chosen: bool = False

    @property
    def device(self) -> torch.device:
        """Where the pictures lie."""
        return self.gallery.pictures.device

    def classes_of(self, task: Task) -> tuple[int, ...]:
        """The class that shows each symbol of a task: as the task has it, unless classes were named."""
        return tuple(range(len(task.classes))) if self.chosen else task.classes

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


def _lacking(
    label: int, which: str, labels: Int[np.ndarray, " images"], wanted: int | None = None
) -> UsageError:
    """Why a class cannot be shown: the images end before it, or leave it out; `wanted` classes are shown."""
    advice = ""
    if label < labels.max():
        advice = "number the classes of the image set from 0 on without a gap, or "
    if advice or (wanted is not None and len({*labels}) >= wanted):
        advice += "say with --classes which stands for which symbol, "
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
        names: What its classes are called; none where they have no names but their numbers.
        notes: What a user should know of how its parts came about, a sentence each.
    """

    name: str
    train: Bank
    validation: Bank
    test: Bank
    digest: str
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> ImageShape:
        """Channels, height and width of a picture."""
        return self.train.gallery.shape

    @property
    def naming(self) -> str:
        """Which class is which number, where they have names and nobody said; else nothing."""
        told = [
            f"{number} {name}" for number, name in enumerate(self.names) if self.called(number) != str(number)
        ]
        if not told or self.train.chosen:
            return ""
        more = f" … {told[-1]}" if len(told) > 10 else ""
        return (
            f"classes are numbered in their order, {', '.join(told[:10])}{more}; --classes says which stand "
            f"for "
            "the symbols"
        )

    def called(self, label: int) -> str:
        """The name of a class; its number where it has none, or one that only says its number at length."""
        name = self.names[label] if label < len(self.names) else ""
        return str(label) if not name or re.match(rf"{label}\b", name) else name

    @cached_property
    def leaning(self) -> Bank:
        """The test images, each slanted further than handwriting usually is."""
        return Bank(Gallery(slanted(self.test.gallery.pictures)), self.test.labels, self.test.chosen)

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
        """Sees to it that each part has pictures of every class that the task shows, and enough of them.

        Raises:
            UsageError: Where some part lacks a class, or has too few of it.
        """
        if task.seen == "symbols":
            return
        every = np.concatenate([self.train.labels, self.validation.labels, self.test.labels])
        shown = self.train.classes_of(task)
        if self.train.chosen and len(shown) > every.max() + 1:
            raise UsageError(
                f"--classes names {every.max() + 1} classes, and this task shows {len(shown)} symbols: name "
                f"a "
                "class for each, or choose a smaller task"
            )
        for label in shown:
            if label not in every:
                raise _lacking(label, f"image set {self.name}", every, len(shown))
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        for part, bank in parts.items():
            if absent := sorted({*shown} - {*bank.labels.tolist()}):
                raise UsageError(
                    f"image set {self.name}: no picture of class {self._called(absent[0])}, which this task "
                    f"shows, is in its {part} part; give each class more pictures, or mark another test part"
                )
        for part, bank, least in (("training", self.train, MIN_TRAINED), ("test", self.test, MIN_TESTED)):
            counts = {label: int((bank.labels == label).sum()) for label in shown}
            scarce = min(counts, key=counts.__getitem__)
            if counts[scarce] < least:
                raise UsageError(
                    f"image set {self.name}: its {part} part has {counts[scarce]} of class "
                    f"{self._called(scarce)}, which this task shows, and at least {least} are needed; give "
                    "each class more pictures"
                )

    def _called(self, label: int) -> str:
        """A class by its number, and its name where it has another."""
        name = self.called(label)
        return name if name == str(label) else f"{label} ({name})"


def drawn_test(labels: Int[np.ndarray, " images"], *, by_class: bool) -> Bool[np.ndarray, " images"]:
    """The test part of a source that comes without, drawn once and for all; `by_class`: a fifth of each."""
    if not by_class:
        return np.random.default_rng(0).permutation(len(labels)) < TEST_SHARE * len(labels)
    rng = np.random.default_rng(0)
    test = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        test[own[: _share(TEST_SHARE, len(own))]] = True
    return test


def divide(
    name: str,
    pictures: UInt8[np.ndarray, "images channels height width"],
    labels: Int[np.ndarray, " images"],
    tests: Bool[np.ndarray, " images"],
    device: str,
    *,
    by_class: bool,
    names: Sequence[str] = (),
    chosen: bool = False,
) -> ImageSet:
    """Deterministic, disjoint by content: a picture that occurs twice stays on the training side.

    The order within a part is shuffled, so that the row of a picture says nothing about its class.
    """
    rng = np.random.default_rng(1)
    training = rng.permutation(np.flatnonzero(~tests))
    test = rng.permutation(np.flatnonzero(tests))
    held = _held_out(labels[training], by_class=by_class)
    hashes = np.array([hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures])
    parts: list[Bank] = []
    taken: set[str] = set()
    left_out: list[int] = []
    for rows in (training[~held], training[held], test):
        fresh = rows[[hashes[row] not in taken for row in rows]]
        taken.update(hashes[rows])
        left_out.append(len(rows) - len(fresh))
        if not len(fresh):
            raise UsageError(
                f"image set {name}: of its {len(pictures):,} pictures ({len({*hashes}):,} different) no part "
                "without pictures of another can be set apart for training, validation and test: give it more"
            )
        parts.append(Bank(Gallery(torch.from_numpy(pictures[fresh]).to(device)), labels[fresh], chosen))
    train, validation, held_out = parts
    digest = hashlib.sha256("".join(hashes).encode() + labels.tobytes())
    if pictures.shape[1:] != GREY:  # bytes alone do not tell 1×28×28 from 1×14×56
        digest.update(repr(pictures.shape[1:]).encode())
    notes = _notes(hashes, labels, left_out[2], len(test))
    return ImageSet(name, train, validation, held_out, digest.hexdigest(), tuple(names), notes)


def _held_out(labels: Int[np.ndarray, " training"], *, by_class: bool) -> Bool[np.ndarray, " training"]:
    """Which of the training pictures, in the order that they stand in, are for validation: the first ones."""
    held = np.zeros(len(labels), dtype=np.bool_)
    if not by_class:
        held[: round(VALIDATION_SHARE * len(labels))] = True
        return held
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        held[own[: _share(VALIDATION_SHARE, len(own))]] = True
    return held


def _share(share: float, pictures: int) -> int:
    """So many of the pictures of a class; one at least, and never all."""
    return min(max(1, round(share * pictures)), pictures - 1)


def _notes(
    hashes: np.ndarray, labels: Int[np.ndarray, " images"], repeated: int, tests: int
) -> tuple[str, ...]:
    """What is odd about the pictures, in sentences."""
    notes: list[str] = []
    if repeated:
        notes.append(
            f"{repeated:,} of {tests:,} test pictures stand in the training or validation part as well, and "
            "are left out of the test part"
        )
    classes: dict[str, int] = {}
    two = {key for key, label in zip(hashes, labels, strict=True) if classes.setdefault(key, label) != label}
    if two:
        stand = f"{len(two):,} pictures stand" if len(two) > 1 else "1 picture stands"
        notes.append(f"{stand} in two classes at once: one of their labels is wrong")
    return tuple(notes)
