"""Does an output move by more than a solver's own noise? Draws are repeated until that is decided."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .subject import distance

Draw = Callable[[int], Tensor]  # one output, under a seed of the global generator
DRAWS = (16, 32, 64)  # of each side; the last ends it
FLIPS = 20_000  # of signs, to see what chance makes of the draws
MOVES, RESTS = 1e-3, 0.2  # a chance below the one: it moves; above the other: it does not


@dataclass(frozen=True)
class Movement:
    """By how much two outputs differ, beyond what they differ from themselves."""

    figure: float  # largest entry of the mean difference; 0 where noise explains it
    draws: int  # of each side

    @property
    def words(self) -> str:
        """How it was found, for a reason."""
        return f" (means of {self.draws} draws, beyond their noise)" if self.draws > 1 else ""


def movement(one: Draw, other: Draw, *, noisy: bool, tolerance: float = 0.0) -> Movement:
    """How far `other` lies from `one`; of noisy outputs, as far as their noise does not explain it.

    If nothing but noise tells the two apart, the sign of every difference of a pair of draws is as likely
    as its opposite: the squared norm of the mean difference is held against those with random signs. A mean
    difference within `tolerance` is none, whatever the noise.
    """
    if not noisy:
        return Movement(distance(one(0), other(0)), 1)
    differences: list[Tensor] = []
    drawn = 0
    for drawn in DRAWS:
        while len(differences) < drawn:
            seed = 2 * len(differences)
            # In turn before and after: what drifts with every call lies then always on one side.
            if len(differences) % 2:
                right, left = other(seed), one(seed + 1)
            else:
                left, right = one(seed), other(seed + 1)
            apart = distance(left.isnan(), right.isnan())
            if apart:
                return Movement(np.inf, drawn)
            differences.append((left - right).double().nan_to_num(0.0).flatten())
        stacked = torch.stack(differences).numpy(force=True)
        mean = float(np.abs(stacked.mean(0)).max(initial=0.0))
        if mean <= tolerance:
            return Movement(mean, drawn)
        chance = sign_flip_test(stacked)
        if chance < MOVES:
            return Movement(mean, drawn)
        if chance > RESTS:
            break
    return Movement(0.0, drawn)


def sign_flip_test(differences: Float[np.ndarray, "draws entries"]) -> float:
    """How likely random signs make the mean difference as large as it is, in norm.

    Source: Fisher 1935, *The Design of Experiments*, §21.
    """
    products = differences @ differences.T
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(FLIPS, len(differences)))
    sizes = np.einsum("fd,de,fe->f", signs, products, signs, optimize=True)
    return float((1 + (sizes >= products.sum() * (1 - 1e-12)).sum()) / (1 + FLIPS))
