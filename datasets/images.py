"""Image sets by name: those of the catalogue, and those that a user has."""

import difflib
import importlib.util
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from .catalogue import IMAGES
from .errors import DataUnavailableError, UnknownNameError, UsageError
from .idx import DATA_ROOT_VARIABLE, IdxImages
from .image_address import Address, split_name
from .image_arrays import ImageArrays
from .image_folder import ImageFolder
from .image_set import Bank, Gallery, ImageSet, divide, drawn_test
from .outside import import_attribute
from .pictures import SIDE, Pictures, checked_pictures, name_classes, told_shape
from .torchvision_images import TorchvisionImages

__all__ = [
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


@dataclass(frozen=True)
class BundledDigits:
    """The digits that come inside scikit-learn; there is nothing to download."""

    summary: str = "1,797 handwritten digits that come with scikit-learn, 8×8 scaled to 28×28."
    source: str = "Alpaydin & Kaynak 1998, UCI"

    def __call__(self, root: Path, *, download: bool) -> Pictures:
        """Scaled bilinearly; their 17 grey levels are stretched over 0 to 255."""
        del root, download
        table = _digits_table()
        small = table[:, :-1].reshape(-1, 8, 8) / 16 * 255
        scaled: Any = ndimage.zoom(small, (1, SIDE / 8, SIDE / 8), order=1, grid_mode=True, mode="nearest")
        pictures = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return Pictures(pictures, table[:, -1].astype(np.int64), draw="overall")


def _digits_table() -> Float[np.ndarray, "images 65"]:
    """64 pixels of 17 grey levels, and the label, from the file in scikit-learn's wheel.

    To import its reader takes half a second of every process; it is asked where the file lies elsewhere.
    """
    package = importlib.util.find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits  # noqa: PLC0415

    pixels, labels = load_digits(return_X_y=True)
    return np.column_stack([pixels, labels])


digits = BundledDigits()


def data_root(chosen: str | Path | None) -> Path:
    """The folder image files are looked for in: the one chosen, else the environment's, else the cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(chosen or os.environ.get(DATA_ROOT_VARIABLE) or Path(cache) / "groundcheck")
    if root.exists() and not root.is_dir():
        raise DataUnavailableError(f"the data root {root} is a file: name the folder that holds MNIST/raw")
    return root


def load_images(
    name: str,
    root: str | Path | None = None,
    *,
    download: bool = False,
    device: str = "cpu",
    classes: Sequence[str] = (),
    source: Callable[..., Pictures] | None = None,
) -> ImageSet:
    """Loads an image set by its name.

    Args:
        name: A name of the catalogue, `folder:PATH`, `arrays:FILE.npz`, `torchvision:NAME`, a
            `package.module:attribute`, or several of these joined by +: their pictures stand one after the
            other, and their classes are counted on.
        root: The folder with the files; None for the one that the environment names, or else the cache.
        download: Whether missing files are fetched.
        device: Where the pictures are put, as torch names it.
        classes: Names or numbers of the classes that stand for the symbols 0, 1, … of a task; other pictures
            are left out. None: the classes that a task asks for, by number.
        source: The callable that delivers the pictures; the name is then only what it is called.

    Raises:
        UnknownNameError: For a name that no image set has.
        DataUnavailableError: For files that are damaged, or missing with `download` off.
        UsageError: Where a source does not deliver what `Pictures` promises, or lacks one of the classes.
    """
    parts = [Address.of(part) for part in split_name(name)] if source is None else []
    stamp = tuple(part.stamp() for part in parts)
    return _load(name, data_root(root), download, device, tuple(classes), source, stamp)


@lru_cache(maxsize=4)
def _load(
    name: str,
    root: Path,
    download: bool,
    device: str,
    classes: tuple[str, ...],
    source: Callable[..., Pictures] | None,
    stamp: tuple[str, ...],  # of the files that a user names: they may change while a notebook runs
) -> ImageSet:
    del stamp
    joined = delivered_pictures(name, root, download=download, source=source)
    pictures, labels, tests = np.asarray(joined.pictures), np.asarray(joined.labels), np.asarray(joined.test)
    names = tuple(joined.names)
    if classes:
        wanted = _chosen(name, classes, names, labels)
        place = np.full(int(labels.max()) + 1, -1)
        place[wanted] = np.arange(len(wanted))
        kept = place[labels] >= 0
        pictures, labels, tests = pictures[kept], place[labels[kept]], tests[kept]
        names = tuple(names[label] if label < len(names) else str(label) for label in wanted)
    by_class = joined.draw == "by class"
    return divide(name, pictures, labels, tests, device, by_class=by_class, names=names, chosen=bool(classes))


def delivered_pictures(
    name: str,
    root: str | Path | None = None,
    *,
    download: bool = False,
    source: Callable[..., Pictures] | None = None,
) -> Pictures:
    """What the sources of an image set deliver, one after the other, before it is divided; as `load_images`.

    Handed back as a source of their own under the same name, they load as the same image set.
    """
    place = data_root(root)
    if source is None:
        parts = [_deliver(part, _source_of(part), place, download) for part in split_name(name)]
    else:
        parts = [_deliver(name, source, place, download)]
    return _joined(name, parts)


def _joined(name: str, parts: Sequence[Pictures]) -> Pictures:
    """The pictures of several sources one after the other, each with a test part; classes are counted on."""
    shapes = {np.asarray(part.pictures).shape[1:]: None for part in parts}
    if len(shapes) > 1:
        raise UsageError(
            f"image set {name}: its parts are {' and '.join(map(told_shape, shapes))}: join sets of one "
            f"size, "
            "such as folder:PATH?size=28&channels=1 beside mnist"
        )
    first, labels, tests, names = 0, [], [], []
    for part in parts:
        own = np.asarray(part.labels)
        labels.append(own + first)
        tests.append(drawn_test(own, by_class=part.draw == "by class") if part.test is None else part.test)
        count = int(own.max()) + 1
        names += [*part.names, *map(str, range(first + len(part.names), first + count))]
        first += max(count, len(part.names))
    return Pictures(
        np.concatenate([np.asarray(part.pictures) for part in parts]),
        np.concatenate(labels),
        np.concatenate(tests),
        names=names if any(part.names for part in parts) else (),
        draw="by class" if any(part.draw == "by class" for part in parts) else "overall",
    )


def _chosen(
    name: str, asked: Sequence[str], names: Sequence[str], labels: Int[np.ndarray, " images"]
) -> list[int]:
    """The numbers of the classes asked for, by name or else by number. Raises `UsageError`."""
    numbers = {called: number for number, called in enumerate(names)}
    present = {int(label) for label in np.unique(labels)}
    known = ", ".join(names) if names else name_classes(labels)
    wanted: list[int] = []
    for word in asked:
        number = numbers.get(word, int(word) if word.isdecimal() else -1)
        if number not in present:
            near = difflib.get_close_matches(word, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {known}"
            raise UsageError(f"--classes {word}: image set {name} has no such class: {hint}")
        if number in wanted:
            raise UsageError(
                f"--classes names class {word} twice: each symbol is shown by a class of its own"
            )
        wanted.append(number)
    return wanted


def _source_of(part: str) -> Callable[..., Pictures]:
    """What delivers the pictures of one part of a name."""
    address = Address.of(part)
    if address.kind == "folder":
        return ImageFolder(address.place, **address.options)
    if address.kind == "arrays":
        return ImageArrays(address.place, **address.options)
    if address.kind == "torchvision":
        return TorchvisionImages(address.place, address.options)
    return import_attribute(part, "image set") if address.kind == "attribute" else IMAGES.load(part)


def _deliver(name: str, source: Callable[..., Pictures], root: Path, download: bool) -> Pictures:
    """What one source delivers, checked; whatever goes wrong inside it is told in one sentence."""
    try:
        delivered = source() if _takes_nothing(source) else source(root, download=download)
        return checked_pictures(delivered, name)
    except (UsageError, UnknownNameError, DataUnavailableError):
        raise
    except Exception as error:
        raise UsageError(
            f"image set {name!r}: its source raised {type(error).__name__}: {error}; it is called as "
            "source(root, download=…), or as source() where it takes nothing, and returns Pictures"
        ) from error


def _takes_nothing(source: Callable[..., Pictures]) -> bool:
    try:
        return not inspect.signature(source).parameters
    except (TypeError, ValueError):
        return False
