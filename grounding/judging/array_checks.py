"""The arrays of predictions by name, and whether each holds the numbers that it should."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ...datasets.errors import UsageError

# By name: what the array holds, as messages and the docs tell it.
ARRAYS: Mapping[str, str] = {
    "true": "(images,) the symbol that each image shows, a whole number from 0 on",
    "symbols": "(images,) the symbol that was read",
    "beliefs": "(images, symbols) or, in its place, the probability of every symbol",
    "fit": "(images,) which images the relabelling is fitted on; without it half of them, drawn",
    "solution": "(puzzles, variables) the true symbol of every variable",
    "given": "(puzzles, variables) which variables are seen; the others are answered",
    "answers": "(puzzles, variables) the symbols answered, -1 unsolved; or (puzzles, variables, symbols) "
    "probabilities, NaN unsolved; what stands at givens is ignored",
    "image": "(puzzles, variables) which of the images a given shows, -1 where none",
}
OF_IMAGES = ("true", "symbols", "beliefs", "fit")
OF_PUZZLES = ("solution", "given", "answers", "image")
ROUNDING = 1e-3  # by which a probability may lie outside [0, 1]


def numbers(value: Any, name: str, source: str) -> np.ndarray:
    """An array of plain numbers. Raises `UsageError` for what is none, and for an empty one."""
    if hasattr(value, "detach"):  # a tensor
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{source}: `{name}` is no array ({error}); it is {ARRAYS[name]}") from error
    if array.dtype.kind not in "biuf":
        kind = "Python objects" if array.dtype == object else f"values of type {array.dtype}"
        raise UsageError(f"{source}: `{name}` holds {kind}, it should hold plain numbers: {ARRAYS[name]}")
    if not array.size:
        raise UsageError(f"{source}: `{name}` is empty, of shape {array.shape}; it is {ARRAYS[name]}")
    return array


def shaped(array: np.ndarray, name: str, source: str, dimensions: int, rows: int | None = None) -> None:
    """Raises `UsageError` for an array of other dimensions, or of another number of rows."""
    if array.ndim != dimensions or (rows is not None and len(array) != rows):
        many = "" if rows is None else f", of {rows:,} rows here"
        raise UsageError(f"{source}: `{name}` is of shape {array.shape}; it is {ARRAYS[name]}{many}")


def whole(array: np.ndarray, name: str, source: str, low: int) -> Int[np.ndarray, "..."]:
    """The array as whole numbers. Raises `UsageError` for others, and for those below `low`."""
    wrong = ~np.isfinite(array) | (array != np.round(array)) | (array < low)
    if wrong.any():
        came = first_where(wrong, array)
        raise UsageError(f"{source}: `{name}` holds {came}, and it should hold whole numbers from {low} on")
    return array.astype(np.int64)


def truths(array: np.ndarray, name: str, source: str) -> Bool[np.ndarray, "..."]:
    """The array as truth values. Raises `UsageError` for what is neither 0 nor 1."""
    wrong = ~np.isin(array, (0, 1))
    if wrong.any():
        came = first_where(wrong, array)
        raise UsageError(f"{source}: `{name}` holds {came}, and it should hold truth values")
    return array.astype(np.bool_)


def probabilities(array: np.ndarray, name: str, source: str, *, unsolved: bool) -> Float[np.ndarray, "..."]:
    """The array as probabilities. Raises `UsageError` for others, and for NaN unless it means `unsolved`."""
    if not unsolved and np.isnan(array).any():
        came = first_where(np.isnan(array), array)
        raise UsageError(
            f"{source}: `{name}` holds {came}: every image has to be read, leave out what was not"
        )
    wrong = (array < -ROUNDING) | (array > 1 + ROUNDING)
    if wrong.any():
        came = first_where(wrong, array)
        raise UsageError(
            f"{source}: `{name}` holds {came}, and it should hold probabilities in [0, 1]: take a softmax of "
            "logits first"
        )
    return array.astype(np.float64)


def below(array: np.ndarray, bound: Any, name: str, source: str, why: str) -> None:
    """Raises `UsageError` for labels that are none: there are `bound` of them, in all or by variable."""
    wrong = array >= bound
    if wrong.any():
        last = int(np.broadcast_to(bound, array.shape)[wrong][0]) - 1
        came = first_where(wrong, array)
        raise UsageError(f"{source}: `{name}` holds the symbol {came}, and {why} 0 to {last}")


def first_where(wrong: Bool[np.ndarray, "..."], array: np.ndarray) -> str:
    """The first entry that is wrong, and where it stands: "7 at [3, 4]"."""
    return f"{array[wrong][0]:g} at {np.argwhere(wrong)[0].tolist()}"
