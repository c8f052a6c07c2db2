"""Compiled generator of futoshiki boards. Nothing is compiled at import."""

# ruff: noqa: ANN001, ANN201 - compiled: numba infers types
# pyright: reportMissingParameterType=false
import numpy as np
from numba import njit

from ..kernel_cache import kept
from .grids import dig, draw, fill, shuffle
from .splits import share_of


@kept
@njit
def make_futoshiki(seeds, lines, size, pairs, marks, fewest, most, share, attempts, boards, puzzles):
    """Boards with one completion whose content belongs to a share; returns how many were made.

    `pairs` are the neighbouring cells that may have a sign between them, `marks` how many have one. A row
    of `boards` holds the symbols of the cells, then the signs (0 none, 1 for <, 2 for >); in `puzzles`
    cells without a given hold −1. A random Latin square gets signs at random pairs and is then emptied as
    in `grids.make_grids`.
    """
    cells = size * size
    state = np.zeros(1, dtype=np.uint64)
    work = np.zeros((6, max(cells, 3 * size)), dtype=np.int64)
    ignored = np.empty(cells, dtype=np.int8)
    order = np.arange(cells)
    chosen = np.arange(len(pairs))
    signs = np.empty((cells, 4, 2), dtype=np.int64)
    around = np.empty(cells, dtype=np.int64)
    for made in range(len(seeds)):
        state[0] = seeds[made]
        givens = fewest + draw(state, most - fewest + 1)
        board, puzzle = boards[made], puzzles[made]
        done = False
        for _ in range(attempts):
            fill(lines, size, state, board[:cells], work)
            board[cells:] = 0
            signs[:] = -1
            around[:] = 0
            shuffle(chosen, state)
            for pair in chosen[:marks]:
                one, other = pairs[pair]
                less = board[one] < board[other]
                board[cells + pair] = 1 if less else 2
                signs[one, around[one]] = (other, -1 if less else 1)
                signs[other, around[other]] = (one, 1 if less else -1)
                around[one] += 1
                around[other] += 1
            puzzle[:] = board
            shuffle(order, state)
            left = dig(puzzle[:cells], order, givens, lines, size, signs, ignored, work)
            done = left == givens and share_of(puzzle) == share
            if done:
                break
        if not done:
            return made
    return len(seeds)
