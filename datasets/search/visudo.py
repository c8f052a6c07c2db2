"""Compiled generator of filled Sudoku boards, right and wrong. Nothing is compiled at import."""

# ruff: noqa: ANN001, ANN201, ANN202 - compiled: numba infers types
# pyright: reportMissingParameterType=false
import numpy as np
from numba import njit

from ..kernel_cache import kept
from .grids import draw, shuffle
from .splits import share_of

MAX_CORRUPTIONS = 10  # corruptions of one board


@kept
@njit
def _right(board, lines, size):
    seen = np.zeros(3 * size, dtype=np.int64)
    for cell in range(size * size):
        bit = 1 << board[cell]
        for side in range(3):
            if seen[lines[cell, side]] & bit:
                return False
            seen[lines[cell, side]] |= bit
    return True


@kept
@njit
def _fill(board, lines, size, pool, free, state):
    """A random right board over the symbols of `pool`; in each line all are different. False if it drags.

    Cell by cell in random order of symbols, backtracking. `free` lets a line take any of the pool, so that
    boards hold more symbols than a line is long.
    """
    cells = size * size
    used = np.zeros(3 * size, dtype=np.int64)
    choices = np.zeros(cells, dtype=np.int64)
    allowed = 0
    for symbol in pool if free else pool[:size]:
        allowed |= 1 << symbol
    cell, steps, fresh = 0, 0, True
    while cell < cells:
        steps += 1
        if steps > 100 * cells:
            return False
        if fresh:
            choices[cell] = allowed & ~(used[lines[cell, 0]] | used[lines[cell, 1]] | used[lines[cell, 2]])
        if choices[cell] == 0:
            cell -= 1
            bit = 1 << board[cell]
            for side in range(3):
                used[lines[cell, side]] ^= bit
            fresh = False
            continue
        count, rest = 0, choices[cell]
        while rest:
            rest &= rest - 1
            count += 1
        rest = choices[cell]
        for _ in range(draw(state, count)):
            rest &= rest - 1
        bit = rest & -rest
        choices[cell] ^= bit
        symbol = 0
        while bit >> (symbol + 1):
            symbol += 1
        board[cell] = symbol
        for side in range(3):
            used[lines[cell, side]] |= bit
        cell += 1
        fresh = True
    return True


@kept
@njit
def corrupt(board, size, names, swap, chance, order, state):
    """Swaps pairs of cells, or replaces cells by another of `names`; each cell is touched at most once."""
    shuffle(order, state)
    most = min(MAX_CORRUPTIONS, size * size // 2 if swap else size * size)
    for turn in range(most):
        if turn > 0 and draw(state, 1 << 30) >= chance * (1 << 30):
            return
        if swap:
            one, other = order[2 * turn], order[2 * turn + 1]
            board[one], board[other] = board[other], board[one]
        else:
            cell = order[turn]
            old = board[cell]
            while board[cell] == old:
                board[cell] = names[draw(state, len(names))]


@kept
@njit
def make_boards(seeds, right, lines, size, pools, free, drawn, swaps, chance, share, boards):
    """Filled boards, right where `right` says so, whose content belongs to a share.

    `pools` are the symbols to choose from; `drawn` shuffles them for every board, which takes the first
    `size` unless `free`. `swaps` is −1 for a corruption by swaps or by replacements with equal chances,
    1 for swaps alone.
    """
    state = np.zeros(1, dtype=np.uint64)
    order = np.arange(size * size)
    sound = np.empty(size * size, dtype=np.int8)
    for row in range(len(seeds)):
        state[0] = seeds[row]
        board = boards[row]
        pool = pools.copy()
        while True:
            if drawn:
                shuffle(pool, state)
            if not _fill(sound, lines, size, pool, free, state):
                continue
            board[:] = sound
            if not right[row]:
                swap = swaps == 1 or draw(state, 2) == 0
                while _right(board, lines, size):
                    board[:] = sound
                    corrupt(board, size, pool if free else pool[:size], swap, chance, order, state)
            if share_of(board) == share:
                break
