"""Handwriting that leans more than any that was seen: the shift of images where puzzles cannot shift."""

import numpy as np
import torch
from jaxtyping import UInt8
from scipy import ndimage
from torch import Tensor

MIN_SLANT, MAX_SLANT = 15.0, 25.0  # degrees from the upright, to either side


def slanted(
    pictures: UInt8[Tensor, "images channels height width"],
) -> UInt8[Tensor, "images channels height width"]:
    """Each picture sheared sideways about its middle row, by an angle that is always the same for its place.

    What comes in from the sides is black where pictures are grey, as paper is in MNIST, and repeats the edge
    where they have colours. Angles are uniform between `MIN_SLANT` and `MAX_SLANT`, half of them to either
    side. Shear is one of the corruptions of MNIST-C (Mu & Gilmer 2019, arXiv:1906.02337).
    """
    upright = pictures.numpy(force=True)
    rng = np.random.default_rng(0)
    lean = np.tan(np.radians(rng.uniform(MIN_SLANT, MAX_SLANT, len(upright)))) * rng.choice(
        (-1.0, 1.0), len(upright)
    )
    middle = (upright.shape[2] - 1) / 2
    beyond = "constant" if upright.shape[1] == 1 else "nearest"
    leaning = np.empty_like(upright)
    for picture, shift, out in zip(upright, lean, leaning, strict=True):
        shear = np.array([[1, 0, 0], [shift, 1, -shift * middle]])
        for channel, sheared in zip(picture, out, strict=True):
            ndimage.affine_transform(channel, shear, output=sheared, order=1, mode=beyond)
    return torch.from_numpy(leaning).to(pictures.device)
