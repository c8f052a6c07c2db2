"""What a source of images delivers, and whether it is what an image set is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, UInt8
from torch import Tensor

from .errors import UsageError

SIDE = 28  # pixels, of the image sets that come with groundcheck
FEW_CHANNELS = 4  # a last axis of at most so many is taken for the channels, which come first
FITTING = "(images, height, width), grey, or (images, channels, height, width)"


@dataclass(frozen=True)
class Pictures:
    """What a source of images delivers: NumPy arrays, or tensors on the CPU; pictures may be a list of them.

    Args:
        pictures: (images, height, width), grey, or (images, channels, height, width): bytes, 0 to 255.
        labels: (images,) whole numbers from 0 on: the class of each picture.
        test: (images,) truth values that mark the set's own test part; None to have a fifth set apart.
        scale: 1 or 255 where pixels are other numbers than bytes: they run from 0 to that, and are rounded to
            bytes. None: they are bytes.
        names: What the classes 0, 1, … are called; none where they have no names but their numbers.
        draw: What is set apart is drawn "by class", so many of each, or "overall".
    """

    pictures: np.ndarray | Tensor | Sequence[Any]
    labels: np.ndarray | Tensor
    test: np.ndarray | Tensor | None = None
    scale: int | None = None
    names: Sequence[str] = ()
    draw: Literal["by class", "overall"] = "by class"


def checked_pictures(delivered: object, name: str) -> Pictures:
    """What was delivered, as arrays: (images, channels, height, width) of uint8, (images,) of int64, truth
    values or None. Raises `UsageError`: what came, what fits, what to do.
    """

    def refused(fault: str) -> UsageError:
        return UsageError(f"image set {name!r}: {fault}")

    if not isinstance(delivered, Pictures):
        raise refused(f"its source returned {type(delivered).__name__}, it should return Pictures")
    try:
        pictures = np.asarray(delivered.pictures)
    except ValueError as error:
        raise refused(f"its pictures are no array ({error}): bring them to one size") from error
    labels = np.asarray(delivered.labels)
    if fault := _shape_fault(pictures) or _value_fault(pictures, delivered.scale):
        raise refused(fault)
    if fault := _label_fault(labels, len(pictures)):
        raise refused(fault)
    test = None if delivered.test is None else np.asarray(delivered.test)
    if test is not None and (fault := _test_fault(test, len(pictures))):
        raise refused(fault)
    if delivered.names and len(delivered.names) <= labels.max():
        raise refused(
            f"it names {len(delivered.names)} classes, and its labels go up to {labels.max()}: name each"
        )
    return replace(
        delivered,
        pictures=as_bytes(pictures if pictures.ndim == 4 else pictures[:, None], delivered.scale),
        labels=labels.astype(np.int64, copy=False),
        test=test,
        scale=None,
        names=tuple(map(str, delivered.names)),
    )


def as_bytes(pictures: np.ndarray, scale: int | None) -> UInt8[np.ndarray, "..."]:
    """Pixels as bytes, where they run from 0 to `scale`."""
    if scale is None:
        return pictures.astype(np.uint8, copy=False)
    return np.rint(np.multiply(pictures, 255 / scale, dtype=np.float32)).astype(np.uint8)


def told_shape(shape: Sequence[int]) -> str:
    """Channels, height and width, as 3×32×32."""
    return "×".join(map(str, shape))


def as_drawn(picture: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """A picture for the eye: three channels are red, green and blue; the mean of any other number is grey.

    Args:
        picture: (height, width) or (channels, height, width) bytes.

    Returns:
        (height, width) where it is grey, (height, width, 3) where it has colours.
    """
    if picture.ndim == 2:
        return picture
    if len(picture) == 3:
        return np.moveaxis(picture, 0, -1)
    return picture[0] if len(picture) == 1 else np.rint(picture.mean(0)).astype(np.uint8)


def _shape_fault(pictures: np.ndarray) -> str | None:
    shape = pictures.shape
    found = f"its pictures are {shape}, they should be {FITTING}"
    if pictures.dtype == object:
        return "its pictures are of several sizes, or no numbers: bring them to one size, in one array"
    if not pictures.size:
        return f"{found}, and at least one"
    if len(shape) == 4 and shape[3] <= FEW_CHANNELS < shape[1]:
        take = "pictures[..., 0]" if shape[3] == 1 else "np.moveaxis(pictures, -1, 1)"
        return f"{found}, channels before pixels: take {take}"
    if len(shape) in (3, 4):
        return None
    if len(shape) == 2 and isqrt(shape[1]) ** 2 == shape[1]:
        return f"{found}: take pictures.reshape(-1, {isqrt(shape[1])}, {isqrt(shape[1])})"
    return found


def _value_fault(pictures: np.ndarray, scale: int | None) -> str | None:
    kind = pictures.dtype
    wanted = (
        "they should be bytes from 0 to 255" if scale is None else f"they were said to run from 0 to {scale}"
    )
    if scale not in (None, 1, 255):
        return f"its scale is {scale!r}: it is 1 or 255, or None for bytes"
    if kind == np.bool_ and scale is None:
        return f"its pictures are truth values, {wanted}: take (255 * pictures).astype(np.uint8)"
    if kind != np.bool_ and (not np.issubdtype(kind, np.number) or np.issubdtype(kind, np.complexfloating)):
        return f"its pictures are of type {kind}, {wanted}"
    low, high = pictures.min().astype(np.float64), pictures.max().astype(np.float64)
    found = f"its pictures are {kind} from {low:g} to {high:g}, {wanted}"
    if low == high:
        return f"every pixel of its pictures is {low:g}: there is nothing to see"
    if not (low >= 0 and high <= (scale or 255)):  # NaN as well
        return f"{found}: shift and scale them"
    if scale == 1:
        return None
    if high <= 1:  # of any type: a byte of 1 is as black as one of 0
        return f"{found}: take np.rint(255 * pictures).astype(np.uint8), or say scale=1"
    if scale == 255 or np.issubdtype(kind, np.integer):
        return None
    return f"{found}: take np.rint(pictures).astype(np.uint8), or say scale=255"


def _label_fault(labels: np.ndarray, pictures: int) -> str | None:
    if labels.ndim != 1:
        return f"its labels are {labels.shape}, they should be ({pictures},): one number per picture"
    if len(labels) != pictures:
        return f"it has {pictures:,} pictures but {len(labels):,} labels: give each picture one"
    if not np.issubdtype(labels.dtype, np.integer):
        return (
            f"its labels are of type {labels.dtype}, they should be whole numbers from 0 on: take "
            "np.unique(labels, return_inverse=True)[1]"
        )
    if labels.min() < 0:
        return f"its labels begin at {labels.min()}, they should begin at 0: leave out what has no class"
    return None


def _test_fault(test: np.ndarray, pictures: int) -> str | None:
    if test.shape != (pictures,) or test.dtype != np.bool_:
        return (
            f"its test part is {test.dtype} of {test.shape}, it should be one truth value per picture, "
            f"({pictures},), or None to have a fifth set apart"
        )
    if not test.any() or test.all():
        which = "all" if test.any() else "none"
        return (
            f"it marks {which} of its pictures as test: mark some, or say test=None to have a fifth set apart"
        )
    return None


def name_classes(labels: Int[np.ndarray, " images"]) -> str:
    """The classes that occur, in words: "0 to 3 and 5 to 9"."""
    present = np.unique(labels)
    runs = np.split(present, np.flatnonzero(np.diff(present) > 1) + 1)
    words = [word for run in runs for word in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
