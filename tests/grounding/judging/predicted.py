"""Predictions of a made-up run: sums of two images."""

from typing import Any

import numpy as np

IMAGES, PUZZLES, SYMBOLS = 400, 200, 5


def predicted(
    seed: int = 0, *, read: float = 0.99, answered: float = 0.98, moved: int = 0, soft: bool = True
) -> dict[str, Any]:
    """Arrays of a run that reads and answers so many right; `moved` renames every symbol that it reads."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, SYMBOLS, IMAGES)
    right = rng.random(IMAGES) < read
    symbols = (np.where(right, true, (true + 1) % SYMBOLS) + moved) % SYMBOLS
    image = np.full((PUZZLES, 3), -1)
    image[:, :2] = rng.integers(0, IMAGES, (PUZZLES, 2))
    solution = np.stack([true[image[:, 0]], true[image[:, 1]], true[image[:, :2]].sum(1)], axis=1)
    answers = solution.copy()
    wrong = rng.random(PUZZLES) >= answered
    answers[wrong, 2] = (answers[wrong, 2] + 1) % (2 * SYMBOLS - 1)
    answers[:, :2] = -1  # nothing is looked at there
    what: dict[str, Any] = {"symbols": symbols}
    if soft:
        beliefs = np.full((IMAGES, SYMBOLS), 0.02)
        beliefs[np.arange(IMAGES), symbols] = 0.92
        what = {"beliefs": beliefs}
    given = np.tile([True, True, False], (PUZZLES, 1))
    return {"true": true, **what, "solution": solution, "given": given, "answers": answers, "image": image}


def without(arrays: dict[str, Any], *names: str) -> dict[str, Any]:
    """The arrays without some of them."""
    return {name: array for name, array in arrays.items() if name not in names}
