"""Compiled search for n queens with some given. Nothing is compiled at import."""

# ruff: noqa: ANN001, ANN201, PLR0912, PLR0915 - compiled: numba infers types
# pyright: reportMissingParameterType=false
import numpy as np
from numba import njit

from ..kernel_cache import kept
from .grids import draw, shuffle
from .splits import share_of


@kept
@njit
def count_completions(board, limit, without, state, solution):
    """How many completions `board` (columns of queens by row, −1 where open) has, up to `limit`.

    The queen of row `without` (−1 for none) must not stand where it stands in `solution`, which takes the
    last completion found. `state` randomises the order of the columns; None takes them in order.
    """
    n = len(board)
    full = (1 << n) - 1
    columns, rising, falling = 0, 0, 0
    todo = np.empty(n, dtype=np.int64)
    choices = np.zeros(n + 1, dtype=np.int64)
    placed = board.copy()
    forbidden = 1 << solution[without] if without >= 0 else 0
    open_rows = 0
    for row in range(n):
        if board[row] < 0:
            todo[open_rows] = row
            open_rows += 1
            continue
        bit = 1 << board[row]
        if columns & bit or rising & (bit << row) or falling & (bit << (n - row)):
            return 0
        columns |= bit
        rising |= bit << row
        falling |= bit << (n - row)
    depth, found = 0, 0
    while True:
        if depth == open_rows:
            solution[:] = placed
            found += 1
            if found == limit:
                return found
        else:
            best, fewest = depth, n + 1
            for place in range(depth, open_rows):
                row = todo[place]
                mask = full & ~(columns | (rising >> row) | (falling >> (n - row)))
                if row == without:
                    mask &= ~forbidden
                count = 0
                rest = mask
                while rest:
                    rest &= rest - 1
                    count += 1
                if count < fewest:
                    best, fewest, choices[depth] = place, count, mask
                    if count == 0:
                        break
            todo[depth], todo[best] = todo[best], todo[depth]
        while depth == open_rows or choices[depth] == 0:
            depth -= 1
            if depth < 0:
                return found
            row = todo[depth]
            bit = 1 << placed[row]
            columns ^= bit
            rising ^= bit << row
            falling ^= bit << (n - row)
        rest = choices[depth]
        if state is not None:
            count = 0
            while rest:
                rest &= rest - 1
                count += 1
            rest = choices[depth]
            for _ in range(draw(state, count)):
                rest &= rest - 1
        bit = rest & -rest
        choices[depth] ^= bit
        row = todo[depth]
        column = 0
        while bit >> (column + 1):
            column += 1
        placed[row] = column
        columns ^= bit
        rising ^= bit << row
        falling ^= bit << (n - row)
        depth += 1


@kept
@njit
def make_queens(seeds, size, fewest, most, share, attempts, solutions, puzzles):
    """Boards with one completion whose content belongs to a share; returns how many were made.

    As `grids.make_grids`: queens of a random solution are removed in random order as long as one
    completion is left, until the number of givens drawn is reached.
    """
    state = np.zeros(1, dtype=np.uint64)
    order = np.arange(size)
    ignored = np.empty(size, dtype=np.int8)
    for made in range(len(seeds)):
        state[0] = seeds[made]
        givens = fewest + draw(state, most - fewest + 1)
        solution, puzzle = solutions[made], puzzles[made]
        done = False
        for _ in range(attempts):
            puzzle[:] = -1
            puzzle[draw(state, size)] = draw(state, size)
            if count_completions(puzzle, 1, -1, state, solution) == 0:
                continue
            puzzle[:] = solution
            shuffle(order, state)
            left = size
            for row in order:
                if left == givens:
                    break
                puzzle[row] = -1
                ignored[:] = solution
                if count_completions(puzzle, 1, row, None, ignored):
                    puzzle[row] = solution[row]
                else:
                    left -= 1
            done = left == givens and share_of(puzzle) == share
            if done:
                break
        if not done:
            return made
    return len(seeds)
