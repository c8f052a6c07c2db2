"""Images from a file of NumPy arrays."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataUnavailableError, UsageError
from .pictures import FEW_CHANNELS, Pictures

ONE = ("images", "labels")  # and, where there are any, test and names
TWO = ("x_train", "y_train", "x_test", "y_test")  # as Keras writes them; and names
KNOWN = (*ONE, "test", *TWO, "names")
FORMS = "images and labels (and test, truth values), or x_train, y_train, x_test and y_test"


@dataclass(frozen=True)
class ImageArrays:
    """Images in a .npz file: `images` and `labels`, with `test` where the set has a test part of its own; or
    `x_train`, `y_train`, `x_test`, `y_test`. `names` names the classes.

    Args:
        path: The file.
        scale: 1 or 255 where pixels are no bytes: what they run up to.
        channels: "first" or "last": where channels stand in arrays of four axes.
    """

    path: str
    scale: Any = None
    channels: str = "first"

    def __call__(self, root: Path, *, download: bool) -> Pictures:
        """Reads the arrays; nothing in the file is run.

        Raises:
            DataUnavailableError: For a file that is not there, or damaged.
            UsageError: For a file with other arrays, or with channels elsewhere.
        """
        del root, download
        arrays = self._arrays()
        names = [str(name) for name in arrays.pop("names", np.array([]))]
        test: np.ndarray | None = None
        if set(TWO) <= arrays.keys():
            images = [arrays[name] for name in ("x_train", "x_test")]
            labels = [arrays[name] for name in ("y_train", "y_test")]
            if images[0].shape[1:] != images[1].shape[1:]:
                raise UsageError(
                    f"{self.path}: x_train is {images[0].shape} and x_test {images[1].shape}: bring them to "
                    "one size"
                )
            if images[0].dtype != images[1].dtype:
                raise UsageError(
                    f"{self.path}: x_train is {images[0].dtype} and x_test {images[1].dtype}: save both as "
                    f"one"
                )
            pictures, classes = np.concatenate(images), np.concatenate(labels)
            test = np.arange(len(pictures)) >= len(images[0])
        elif set(ONE) <= arrays.keys():
            pictures, classes, test = arrays["images"], arrays["labels"], arrays.get("test")
        else:
            raise UsageError(f"{self.path} holds {', '.join(arrays) or 'no array'}: it should hold {FORMS}")
        if classes.ndim == 2 and classes.shape[1] == 1:
            classes = classes[:, 0]
        return Pictures(self._channels_first(pictures), classes, test, self.scale, names)

    def _arrays(self) -> dict[str, np.ndarray]:
        path = Path(self.path)
        if not path.is_file():
            raise DataUnavailableError(
                f"the file of arrays {path} is not there: name a .npz that holds {FORMS}"
            )
        try:
            with path.open("rb") as file:
                found: Any = np.load(file, allow_pickle=False)
                if isinstance(found, np.ndarray):
                    raise UsageError(f"{path} is a single array: save a .npz that holds {FORMS}")
                return {name: found[name] for name in found.files if name in KNOWN}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, UsageError):
                raise
            if "Object arrays" in str(error) or "allow_pickle" in str(error):
                raise UsageError(
                    f"{path} holds arrays of Python objects, or is no .npz: save arrays of numbers "
                    "(pictures of several sizes are no such array)"
                ) from error
            raise DataUnavailableError(f"{path} is no .npz file, or damaged: {error}") from error

    def _channels_first(self, pictures: np.ndarray) -> np.ndarray:
        if self.channels == "last":
            if pictures.ndim != 4:
                raise UsageError(f"{self.path}: images are {pictures.shape}, which has no channels=last")
            return np.moveaxis(pictures, -1, 1)
        if pictures.ndim == 4 and pictures.shape[3] <= FEW_CHANNELS < pictures.shape[1]:
            raise UsageError(
                f"{self.path}: images are {pictures.shape}, which looks like channels after height and "
                f"width: "
                f"say so with --images arrays:{self.path}?channels=last"
            )
        return pictures
