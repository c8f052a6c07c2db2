"""What may befall the pictures of givens: the same harm at every rate, which says how many.

Source of kinds and severities: MNIST-C (Mu & Gilmer 2019, arXiv:1906.02337), whose severities are of this
order.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import UInt8
from scipy import ndimage

from .letters import draw_letters
from .slant import slanted

Pictures = UInt8[np.ndarray, "images channels height width"]

NOISE = 0.4  # standard deviation, of the range from black to white
COVERED = 0.5  # of height and of width
BLUR = 0.08  # standard deviation, of the height


def add_noise(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """Gaussian noise on every pixel, clipped to what a pixel can show."""
    noise = rng.normal(0.0, 255 * NOISE, pictures.shape)
    return np.rint(np.clip(pictures + noise, 0, 255)).astype(np.uint8)


def occlude(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """A grey rectangle of half the height and half the width somewhere on each picture."""
    height, width = pictures.shape[2:]
    high, wide = round(COVERED * height), round(COVERED * width)
    covered = pictures.copy()
    tops = rng.integers(0, height - high + 1, len(pictures))
    lefts = rng.integers(0, width - wide + 1, len(pictures))
    for picture, top, left in zip(covered, tops, lefts, strict=True):
        picture[:, top : top + high, left : left + wide] = 128
    return covered


def blur(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """Each picture out of focus."""
    del rng
    sigma = BLUR * pictures.shape[2]
    return ndimage.gaussian_filter(pictures, (0, 0, sigma, sigma))


def slant(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """Each picture leaning, as in the ood split of tasks whose puzzles cannot shift."""
    del rng
    return slanted(torch.from_numpy(pictures)).numpy()


def replace_by_letters(pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """Pictures of letters: of no symbol."""
    count, channels, height, width = pictures.shape
    return draw_letters(count, channels, height, width, rng)


CORRUPTIONS: Mapping[str, Callable[[Pictures, np.random.Generator], Pictures]] = {
    "noise": add_noise,
    "occlude": occlude,
    "blur": blur,
    "slant": slant,
    "ood-class": replace_by_letters,
}
