"""What a source of images delivers, and whether it is what an image set is made of."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from .errors import UsageError

SIDE = 28  # pixels, of every image set


@dataclass(frozen=True)
class Pictures:
    """What a source of images delivers: NumPy arrays, or tensors on the CPU.

    Args:
        pictures: (images, 28, 28) bytes, 0 to 255.
        labels: (images,) whole numbers from 0 on: the class of each picture.
        test: (images,) truth values that mark the set's own test part; None to have a fifth set apart.
    """

    pictures: np.ndarray | Tensor
    labels: np.ndarray | Tensor
    test: np.ndarray | Tensor | None


def checked_pictures(
    delivered: object, name: str
) -> tuple[UInt8[np.ndarray, "images 28 28"], Int[np.ndarray, " images"], Bool[np.ndarray, " images"] | None]:
    """Pictures, labels and test part as promised. Raises `UsageError`: what came, what fits, what to do."""

    def refused(fault: str) -> UsageError:
        return UsageError(f"image set {name!r}: {fault}")

    if not isinstance(delivered, Pictures):
        raise refused(f"its source returned {type(delivered).__name__}, it should return Pictures")
    pictures, labels = np.asarray(delivered.pictures), np.asarray(delivered.labels)
    if fault := _shape_fault(pictures) or _value_fault(pictures):
        raise refused(fault)
    if fault := _label_fault(labels, len(pictures)):
        raise refused(fault)
    test = None if delivered.test is None else np.asarray(delivered.test)
    if test is not None and (fault := _test_fault(test, len(pictures))):
        raise refused(fault)
    return pictures.astype(np.uint8, copy=False), labels.astype(np.int64, copy=False), test


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
    if len(shape) == 3 and shape[1:] == (SIDE, SIDE) and len(pictures):
        return None
    found = f"its pictures are {shape}, they should be (images, {SIDE}, {SIDE})"
    if not pictures.size:
        return f"{found} and at least one"
    if shape[1:] == (1, SIDE, SIDE):
        return f"{found}: take pictures[:, 0]"
    if shape[1:] == (SIDE, SIDE, 1):
        return f"{found}: take pictures[..., 0]"
    if shape[1:] == (SIDE**2,):
        return f"{found}: take pictures.reshape(-1, {SIDE}, {SIDE})"
    if len(shape) == 4:
        return f"{found}: make them grey, one channel, and scale or crop them"
    return f"{found}: scale, crop or pad them"


def _value_fault(pictures: np.ndarray) -> str | None:
    kind = pictures.dtype
    wanted = "they should be bytes from 0 to 255"
    if kind == np.bool_:
        return f"its pictures are truth values, {wanted}: take (255 * pictures).astype(np.uint8)"
    if not np.issubdtype(kind, np.number) or np.issubdtype(kind, np.complexfloating):
        return f"its pictures are of type {kind}, {wanted}"
    low, high = pictures.min(), pictures.max()
    found = f"its pictures are {kind} from {low:g} to {high:g}, {wanted}"
    if low == high:
        return f"every pixel of its pictures is {low:g}: there is nothing to see"
    if low >= 0 and high <= 1:  # of any type: a byte of 1 is as black as one of 0
        return f"{found}: take np.rint(255 * pictures).astype(np.uint8)"
    if low >= 0 and high <= 255 and np.issubdtype(kind, np.integer):
        return None
    if not (low >= 0 and high <= 255):  # NaN as well
        return f"{found}: shift and scale them"
    return f"{found}: take np.rint(pictures).astype(np.uint8)"


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
