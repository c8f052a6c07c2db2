"""Files that a trial reads, carried to machines that do not have them.

Pictures are carried as they were loaded, so that every kind of image set travels alike; boards, formulas
and weights as the files they are. Each lies on a node in a folder named by its content, written there once.
"""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.image_source import ImageSource
from ...datasets.images import delivered_pictures
from ...datasets.pictures import Pictures
from ..perception.spec import WEIGHTS
from ..trials.trial import Trial

BUNDLED = "digits"  # comes with a dependency, so every node has it
PICTURES = "pictures.npz"
ABSOLUTE = "absolute"  # where a task's file lies, if the task keeps that beside what a user wrote


@dataclass(frozen=True)
class Parcel:
    """A file or folder on its way to other machines.

    Args:
        name: What the file or folder is called.
        content: A tar file of it.
    """

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """What its folder on a node is called."""
        return hashlib.sha256(self.content).hexdigest()

    def unpack(self, folder: Path) -> None:
        """Writes it into a folder, which appears whole or not at all: nodes may run several trials."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as fresh:
            with tarfile.open(fileobj=io.BytesIO(self.content)) as tar:
                tar.extractall(fresh, filter="data")
            with suppress(OSError):  # another was faster
                Path(fresh).rename(folder)
                Path(fresh).mkdir()  # for the context to remove


@dataclass(frozen=True)
class CarriedPictures:
    """The source of an image set whose pictures were carried."""

    path: Path

    def __call__(self) -> Pictures:
        """Reads them."""
        with np.load(self.path, allow_pickle=False) as arrays:
            return Pictures(
                arrays["pictures"],
                arrays["labels"],
                arrays.get("test"),
                names=[str(name) for name in arrays["names"]],
                draw="by class" if arrays["by_class"] else "overall",
            )


@dataclass(frozen=True)
class Baggage:
    """What a trial takes along, by what it is for: "pictures", "weights", or a setting of its task."""

    parcels: dict[str, str]  # digests
    names: dict[str, str]  # of the file or folder in each

    def placed(self, trial: Trial, root: Path) -> Trial:
        """The trial, reading everything where it was unpacked below a root."""
        at = {purpose: root / digest / self.names[purpose] for purpose, digest in self.parcels.items()}
        if "pictures" in at:
            source = CarriedPictures(at.pop("pictures"))
            trial = replace(trial, images=replace(trial.images, source=source, root=None, download=False))
        if WEIGHTS in at:
            reader = trial.perception
            trial = replace(
                trial, perception=replace(reader, options={**reader.options, WEIGHTS: str(at.pop(WEIGHTS))})
            )
        if at:
            changed: dict[str, Any] = {setting: str(path) for setting, path in at.items()}
            if hasattr(trial.task, ABSOLUTE):
                changed[ABSOLUTE] = ""
            trial = replace(trial, task=replace(trial.task, **changed))
        return trial


def baggage_of(trial: Trial, keep: Callable[[Parcel], None]) -> Baggage:
    """What a trial takes along; `keep` is handed every parcel, which may be one that it has.

    Raises:
        UsageError: Where something cannot be read here.
        DataUnavailableError: For image sets that lack files.
    """
    found: dict[str, Parcel] = {purpose: packed(path) for purpose, path in _paths(trial)}
    bundled = trial.images.name == BUNDLED and trial.images.source is None
    if trial.task.seen == "images" and not bundled:
        found["pictures"] = _packed_pictures(replace(trial.images, device="cpu", classes=()))
    for parcel in found.values():
        keep(parcel)
    return Baggage(
        {purpose: parcel.digest for purpose, parcel in found.items()},
        {purpose: parcel.name for purpose, parcel in found.items()},
    )


def _paths(trial: Trial) -> Iterator[tuple[str, Path]]:
    """Files and folders that a trial names, by what they are for."""
    for setting in trial.task.files:
        yield setting, Path(getattr(trial.task, ABSOLUTE, "") or str(getattr(trial.task, setting)))
    if WEIGHTS in trial.perception.options:
        yield WEIGHTS, Path(str(trial.perception.options[WEIGHTS]))


def packed(path: Path) -> Parcel:
    """A file or folder as a parcel, whose content depends on nothing but theirs."""
    path = path.resolve()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return _packed(path, tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=32)
def _packed(path: Path, states: tuple[tuple[Path, int, int], ...]) -> Parcel:
    packing = io.BytesIO()
    with tarfile.open(fileobj=packing, mode="w") as tar:
        for file, *_ in states:
            if file.is_file():
                entry = tarfile.TarInfo(str(Path(path.name) / file.relative_to(path)))
                entry.size = file.stat().st_size
                with file.open("rb") as content:
                    tar.addfile(entry, content)
    return Parcel(path.name, packing.getvalue())


@lru_cache(maxsize=4)
def _packed_pictures(images: ImageSource) -> Parcel:
    whole = delivered_pictures(images.name, images.root, download=images.download, source=images.source)
    arrays: dict[str, Any] = {
        "pictures": np.asarray(whole.pictures),
        "labels": np.asarray(whole.labels),
        "names": np.array(list(whole.names), dtype=np.str_),
        "by_class": np.array(whole.draw == "by class"),
    }
    if whole.test is not None:
        arrays["test"] = np.asarray(whole.test)
    packing = io.BytesIO()
    np.savez(packing, **arrays)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PICTURES
        path.write_bytes(packing.getvalue())
        return packed(path)


def node_root() -> Path:
    """Where parcels lie on a node: a folder of the user's, for as long as the machine keeps such."""
    owner = os.getuid() if hasattr(os, "getuid") else "all"
    return Path(tempfile.gettempdir()) / f"groundcheck-{owner}" / "parcels"
