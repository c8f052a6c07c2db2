"""Letters, drawn with a pen: pictures of no symbol, as no image set of ours has them."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8

# Strokes from point to point, column and row in a unit square. Letters that pass for a digit are left out:
# B, D, G, I, J, L, O, Q, S, Z, and U and V, which are drawn like 0 and 7 turned.
LETTERS: Mapping[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "A": (((0, 1), (0.5, 0), (1, 1)), ((0.2, 0.6), (0.8, 0.6))),
    "E": (((1, 0), (0, 0), (0, 1), (1, 1)), ((0, 0.5), (0.8, 0.5))),
    "F": (((1, 0), (0, 0), (0, 1)), ((0, 0.5), (0.8, 0.5))),
    "H": (((0, 0), (0, 1)), ((1, 0), (1, 1)), ((0, 0.5), (1, 0.5))),
    "K": (((0, 0), (0, 1)), ((1, 0), (0, 0.55), (1, 1))),
    "M": (((0, 1), (0, 0), (0.5, 0.6), (1, 0), (1, 1)),),
    "N": (((0, 1), (0, 0), (1, 1), (1, 0)),),
    "R": (((0, 1), (0, 0), (0.9, 0.05), (0.9, 0.45), (0, 0.5), (1, 1)),),
    "W": (((0, 0), (0.25, 1), (0.5, 0.4), (0.75, 1), (1, 0)),),
    "X": (((0, 0), (1, 1)), ((1, 0), (0, 1))),
    "Y": (((0, 0), (0.5, 0.5), (1, 0)), ((0.5, 0.5), (0.5, 1))),
}
MARGIN = 0.2  # of the picture around a letter, as around a digit of MNIST
PEN = 0.06  # half the width of a stroke, of the picture's height
UNSTEADY = 0.05  # how far the end of a stroke may lie from where it should, of the picture's height


def draw_letters(
    pictures: int, channels: int, height: int, width: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "pictures channels height width"]:
    """Pictures of letters, white on black, each drawn by an unsteady hand.

    Args:
        pictures: How many.
        channels: Of each; all are alike.
        height: In pixels.
        width: In pixels.
        rng: Which letters, and where their strokes end.
    """
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([(columns + 0.5) / width, (rows + 0.5) / height], axis=-1)
    drawn = np.zeros((pictures, channels, height, width), dtype=np.uint8)
    names = list(LETTERS)
    for picture in drawn:
        away = np.full((height, width), np.inf)
        for stroke in LETTERS[names[rng.integers(len(names))]]:
            ends = (
                MARGIN
                + (1 - 2 * MARGIN) * np.array(stroke)
                + rng.uniform(-UNSTEADY, UNSTEADY, (len(stroke), 2))
            )
            for start, end in pairwise(ends):
                away = np.minimum(away, _distance(pixels, start, end))
        ink = np.clip((PEN - away) * height + 0.5, 0, 1)  # half a pixel of grey at the edge of the pen
        picture[:] = np.rint(255 * ink).astype(np.uint8)
    return drawn


def _distance(
    pixels: Float[np.ndarray, "height width 2"], start: Float[np.ndarray, " 2"], end: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, "height width"]:
    """Of every pixel from a straight stroke."""
    along = end - start
    reached = np.clip(((pixels - start) @ along) / max(1e-12, float(along @ along)), 0, 1)
    return np.linalg.norm(pixels - start - reached[..., None] * along, axis=-1)
