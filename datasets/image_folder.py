"""Images from a folder of classes: a sub-folder each, of PNG or JPEG files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataUnavailableError, UsageError
from .pictures import Pictures

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
TRAIN, TEST = "train", "test"
GREY_MODES, COLOUR_MODES = ("1", "L"), ("RGB", "P")  # Pillow's; P is a palette of colours
TOLD_SIZES = 3  # of several, by how many pictures have them


@dataclass(frozen=True)
class ImageFolder:
    """A folder whose sub-folders are classes, in the order of their names; whole numbers are class numbers.

    Where it holds `train` and `test`, the classes stand below those, and the test part is the set's own.
    Hidden files and files of other types are passed over.

    Args:
        path: The folder.
        size: Height and width that every picture is scaled to; None where all have one size.
        channels: 1 (grey) or 3 (colour) to turn every picture into; None where all are alike.
    """

    path: str
    size: tuple[int, int] | None = None
    channels: int | None = None

    def __call__(self, root: Path, *, download: bool) -> Pictures:
        """Reads the pictures.

        Raises:
            DataUnavailableError: For a folder that is not there, and for a picture that is damaged.
            UsageError: For pictures of several sizes or kinds, and for folders without classes.
        """
        del root, download
        folder = Path(self.path)
        if not folder.is_dir():
            raise DataUnavailableError(
                f"the image folder {folder} {'is a file' if folder.exists() else 'is not there'}: name the "
                "folder whose sub-folders are the classes"
            )
        parts = self._parts(folder)
        names = _in_order({child.name for part in parts for child in _classes(part)})
        numbered = all(name.isdecimal() for name in names)
        files: list[tuple[Path, int, bool]] = []
        for number, part in enumerate(parts):
            for place, name in enumerate(names):
                label = int(name) if numbered else place
                files += [(path, label, number == 1) for path in _pictures(part / name)]
        if not files:
            raise UsageError(
                f"the image folder {folder} has no {', '.join(SUFFIXES)} file in a sub-folder: a sub-folder "
                f"is "
                "a class, as in folder/CLASS/1.png"
            )
        pictures = self._read([path for path, _, _ in files])
        test = np.array([tested for _, _, tested in files])
        return Pictures(
            pictures,
            np.array([label for _, label, _ in files]),
            test if len(parts) > 1 else None,
            names=() if numbered else names,
        )

    def _parts(self, folder: Path) -> list[Path]:
        """The folders that hold classes: the one itself, or its training and its test part."""
        train, test = folder / TRAIN, folder / TEST
        nested = {part: part.is_dir() and any(_classes(part)) for part in (train, test)}
        if all(nested.values()):
            others = [c.name for c in _classes(folder) if c.name not in (TRAIN, TEST)]
            if others:
                raise UsageError(
                    f"the image folder {folder} holds {', '.join(sorted(others)[:3])} beside train and test: "
                    "it holds classes, or it holds train and test alone"
                )
            return [train, test]
        if any(nested.values()):
            raise UsageError(
                f"the image folder {folder} holds {TRAIN if nested[train] else TEST} with classes below, and "
                f"no {TEST if nested[train] else TRAIN}: name folder:{train if nested[train] else test} to "
                "have a fifth of it set apart for testing"
            )
        return [folder]

    def _read(self, paths: Sequence[Path]) -> np.ndarray:
        """(images, channels, height, width) of bytes."""
        read = [_open(path) for path in paths]
        modes = Counter(_kind(image, path) for image, path in zip(read, paths, strict=True))
        channels = self.channels or (1 if set(modes) == {"grey"} else 3)
        if self.channels is None and (len(modes) > 1 or "transparent" in modes):
            told = ", ".join(f"{count:,} {kind}" for kind, count in modes.most_common())
            raise UsageError(
                f"the image folder {self.path} holds pictures of several kinds, or transparent ones "
                f"({told}): "
                f"say what they are to become, as --images {self._asked('channels=3')} (colour, on white) or "
                "channels=1 (grey)"
            )
        sizes = Counter((image.height, image.width) for image in read)
        if self.size is None and len(sizes) > 1:
            told = ", ".join(f"{h}×{w} ({n:,})" for (h, w), n in sizes.most_common(TOLD_SIZES))
            more = f" and {len(sizes) - TOLD_SIZES} more" if len(sizes) > TOLD_SIZES else ""
            raise UsageError(
                f"the image folder {self.path} holds pictures of several sizes, {told}{more}: bring them to "
                f"one, or have them scaled with --images {self._asked(f'size={max(map(min, sizes))}')}"
            )
        return np.stack([self._array(image, channels) for image in read])

    def _asked(self, option: str) -> str:
        """The address with one more option."""
        size = [f"size={self.size[0]}x{self.size[1]}"] if self.size else []
        channels = [f"channels={self.channels}"] if self.channels else []
        return f"folder:{self.path}?{'&'.join([*size, *channels, option])}"

    def _array(self, image: "Image", channels: int) -> np.ndarray:
        """(channels, height, width), scaled with a box of the size of a pixel where it shrinks."""
        from PIL import Image as Pillow  # noqa: PLC0415

        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            white = Pillow.new("RGBA", image.size, "white")
            image = Pillow.alpha_composite(white, image)
        image = image.convert("L" if channels == 1 else "RGB")
        if self.size and (image.height, image.width) != self.size:
            image = image.resize((self.size[1], self.size[0]), Pillow.Resampling.BILINEAR)
        array = np.asarray(image, dtype=np.uint8)
        return array[None] if channels == 1 else np.moveaxis(array, -1, 0)


def _classes(folder: Path) -> list[Path]:
    return [child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")]


def _in_order(names: set[str]) -> list[str]:
    """By number where all are whole numbers, else by name."""
    if all(name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _open(path: Path) -> "Image":
    """A picture, read whole. Raises `DataUnavailableError` that names a file which is damaged."""
    from PIL import Image as Pillow  # noqa: PLC0415

    try:
        with Pillow.open(path) as image:
            image.load()
            return image.copy()
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise DataUnavailableError(
            f"{path} cannot be read as a picture: it is truncated, damaged, or of another format "
            f"({_said(error)}); mend it or take it out of the folder"
        ) from error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]


def _kind(image: "Image", path: Path) -> str:
    """Grey, colour or transparent; more than a byte a channel is refused."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return "transparent"
    if image.mode in GREY_MODES:
        return "grey"
    if image.mode in (*COLOUR_MODES, "CMYK", "YCbCr"):
        return "colour"
    raise UsageError(
        f"{path} has pixels of Pillow's mode {image.mode}, not of a byte a channel: save it as 8-bit grey "
        f"or RGB"
    )
