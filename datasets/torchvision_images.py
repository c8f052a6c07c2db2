"""Images from torchvision's data sets, read from torchvision's own layout."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataUnavailableError, UnknownNameError, UsageError
from .pictures import FEW_CHANNELS, Pictures
from .vision import import_torchvision

ON_THEIR_SIDE = ("EMNIST",)  # their files hold pictures with rows and columns exchanged


@dataclass(frozen=True)
class TorchvisionImages:
    """An image set of torchvision, its test part its own.

    Args:
        name: The name of its class in torchvision.datasets: KMNIST, EMNIST, QMNIST, USPS, SVHN, CIFAR10, …
        options: Further arguments of that class: split=letters of EMNIST.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, root: Path, *, download: bool) -> Pictures:
        """Reads it, as torchvision does, below the root.

        Raises:
            UnknownNameError: For a name that torchvision has no data set of.
            DataUnavailableError: Where its files, or torchvision itself, are missing or damaged.
            UsageError: For an option it does not take, and for what is no set of classified pictures.
        """
        kind = self._class()
        parts = [self._part(kind, root, download, test=test) for test in (False, True)]
        pictures, labels = zip(*(self._arrays(part) for part in parts), strict=True)
        if pictures[0].shape[1:] != pictures[1].shape[1:]:
            raise UsageError(f"torchvision's {self.name} has parts of {pictures[0].shape[1:]} and others")
        test = np.arange(sum(map(len, pictures))) >= len(pictures[0])
        classes = getattr(parts[0], "classes", None)
        return Pictures(
            np.concatenate(pictures),
            np.concatenate(labels),
            test,
            names=[str(name) for name in classes] if isinstance(classes, list | tuple) else (),
        )

    def _class(self) -> Any:
        try:
            sets: Any = import_torchvision().datasets
        except ImportError as error:
            raise DataUnavailableError(
                f"torchvision:{self.name} is read by torchvision, which is not installed: pip install "
                f"torchvision"
            ) from error
        known = {name: getattr(sets, name) for name in sets.__all__}
        alike = {name.lower().replace("-", ""): name for name in known}
        spelled = alike.get(self.name.lower().replace("-", ""), self.name)
        if not hasattr(known.get(spelled), "__getitem__") or spelled in ("ImageFolder", "DatasetFolder"):
            near = difflib.get_close_matches(self.name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else "it has KMNIST, EMNIST, SVHN, CIFAR10, …"
            raise UnknownNameError(f"torchvision has no image set {self.name!r}: {hint}")
        return known[spelled]

    def _part(self, kind: Any, root: Path, download: bool, *, test: bool) -> Any:
        takes = {name for base in kind.__mro__[:-1] for name in inspect.signature(base).parameters}
        arguments: dict[str, Any] = dict(self.options)
        if unknown := sorted(arguments.keys() - takes):
            raise UsageError(f"torchvision's {kind.__name__} takes no {unknown[0]}: leave it out")
        if kind.__name__ == "EMNIST" and "split" not in arguments:
            raise UsageError(
                "torchvision's EMNIST has several splits: say which, as "
                "--images torchvision:EMNIST?split=letters (or digits, balanced, byclass, bymerge, mnist)"
            )
        if "train" in takes:
            arguments["train"] = not test
        elif "split" in takes:
            arguments["split"] = "test" if test else "train"
        else:
            raise UsageError(
                f"torchvision's {kind.__name__} has no training and test part: save its pictures as "
                f"arrays:FILE"
            )
        if download and "download" in takes:
            arguments["download"] = True
        try:
            return kind(str(root), **arguments)
        except (RuntimeError, OSError, EOFError, ImportError) as error:
            asked = "could not be downloaded" if download else "is not there, or is damaged"
            raise DataUnavailableError(
                f"torchvision's {kind.__name__} {asked} below {root} ({_line(error)}): point --data-root to "
                "the folder that torchvision keeps it in, or let it be downloaded with --download"
            ) from error
        except (ValueError, TypeError) as error:
            raise UsageError(f"torchvision's {kind.__name__} cannot be read so: {_line(error)}") from error

    def _arrays(self, part: Any) -> tuple[np.ndarray, np.ndarray]:
        """Pictures with channels first, and labels."""
        labels = getattr(part, "targets", getattr(part, "labels", None))
        data = getattr(part, "data", None)
        if data is None or labels is None:
            pictures, numbers = zip(*_each(part, self.name), strict=True)
            sizes = {picture.shape for picture in pictures}
            if len(sizes) > 1:
                raise UsageError(
                    f"torchvision's {self.name} has pictures of {len(sizes)} sizes: save them as a folder of "
                    "classes, and have them scaled with folder:PATH?size=32"
                )
            return np.stack(pictures), np.array(numbers)
        pictures = np.asarray(data)
        if pictures.ndim == 4 and pictures.shape[3] <= FEW_CHANNELS < pictures.shape[1]:
            pictures = np.moveaxis(pictures, -1, 1)
        if self.name.upper() in ON_THEIR_SIDE:
            pictures = np.swapaxes(pictures, -1, -2)
        classes = np.asarray(labels)
        return pictures, classes[:, 0] if classes.ndim == 2 else classes  # of QMNIST, who wrote it as well


def _each(part: Any, name: str) -> Iterator[tuple[np.ndarray, int]]:
    """Pictures and labels one by one, of a set that keeps them as files."""
    for index in range(len(part)):
        picture, label = part[index]
        if not isinstance(label, int):
            raise UsageError(f"torchvision's {name} labels pictures with {type(label).__name__}, not a class")
        array = np.asarray(picture.convert("RGB"))
        yield np.moveaxis(array, -1, 0), label


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
