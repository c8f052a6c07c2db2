"""Compiled search in 9×9 Sudoku by triads: the grid lies in three vectors, and every rule is asked at once.

A triad is three cells of a block in one row or in one column. `Lanes` c holds the candidates of the cells
that are c-th in their triad: lane 9 R + 3 B + r is row r of the block that is R-th from the top and B-th from
the left. A symbol stands in one triad of each block and of each row, so that in three blocks beside each
other its triads are a permutation; which triads some permutation uses takes four moves of lanes, for all
symbols and all blocks together. What follows for the cells is the hidden single, in rows, columns and blocks,
and the locked candidate; a triad with three candidates keeps them for itself. One sweep does all of it along
rows and then along columns, without a branch. Where nothing changes any more, the search branches on a cell
with the fewest symbols.

The permutations and the use of vectors are those of tdoku (Dillon 2019, *A new Sudoku solver*), which has
blocks and bands in vectors of their own and sends changes from one to the other. Nothing is compiled at
import.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - compiled: numba infers types
# pyright: reportMissingParameterType=false
import numpy as np
from numba import njit

from ..kernel_cache import kept
from .lanes import NUMBER, either, load, lowest, moved, of_size, store, where_size

USED = np.uint32((1 << 27) - 1)  # lanes that are a triad; the others stay empty
NOTHING = np.uint32(0xFFFFFFFF)  # where no lane holds anything
GRID = 3 * NUMBER  # numbers that a grid takes


def _from(down, right, row):
    """Each lane's neighbour: the triad so many blocks down and right, so many rows down in its block."""
    sources = list(range(NUMBER))
    for lane in range(27):
        below, beside, own = lane // 9, lane // 3 % 3, lane % 3
        sources[lane] = 9 * ((below + down) % 3) + 3 * ((beside + right) % 3) + (own + row) % 3
    return moved(sources)


_row1, _row2 = _from(0, 0, 1), _from(0, 0, 2)
_down1, _down2 = _from(1, 0, 0), _from(2, 0, 0)
_right1, _right2 = _from(0, 1, 0), _from(0, 2, 0)
_right1_row1, _right1_row2 = _from(0, 1, 1), _from(0, 1, 2)
_right2_row1, _right2_row2 = _from(0, 2, 1), _from(0, 2, 2)
_three, _one = of_size(3), of_size(1)
_below_three, _empty = where_size("<", 3), where_size("==", 0)
_with_two, _with_three, _with_more = where_size("==", 2), where_size("==", 3), where_size(">", 3)

# Of a cell; of a symbol and one before it, which is no clue; of a set with one symbol.
PLACE = np.array([NUMBER * (c % 3) + r // 3 * 9 + c // 3 * 3 + r % 3 for r in range(9) for c in range(9)])
CANDIDATES = np.array([511, *(1 << symbol for symbol in range(9))], dtype=np.int16)
SYMBOL = np.array([max(candidates.bit_length() - 1, 0) for candidates in range(512)], dtype=np.int8)


@kept
@njit
def _sweep(x0, x1, x2, s0, s1, s2):
    """One step of every rule: candidates, the symbols that cells are known to take, and where none is left.

    `s0` to `s2` are those known before, by cell; what follows from them is left out elsewhere.
    """
    # Along rows: `t` is what each triad may hold, `own` what it must.
    held = x0 | x1 | x2
    t = held & ((_right1_row1(held) & _right2_row2(held)) | (_right1_row2(held) & _right2_row1(held)))
    wrong = _below_three(t)
    own = _three(t) | s0 | s1 | s2
    t = t & ~(_row1(own) | _row2(own) | _right1(own) | _right2(own))
    must = t & ~(_row1(t) | _row2(t))
    x0, x1, x2 = x0 & t, x1 & t, x2 & t
    h0, h1, h2 = x0 & must & ~(x1 | x2), x1 & must & ~(x0 | x2), x2 & must & ~(x0 | x1)
    # Along columns: the same of each block's c-th triad, which all lanes of a block hold alike.
    o0, o1, o2 = _row1(x0) | _row2(x0), _row1(x1) | _row2(x1), _row1(x2) | _row2(x2)
    q0, q1, q2 = x0 | o0, x1 | o1, x2 | o2
    d0, d1, d2 = _down1(q0), _down1(q1), _down1(q2)
    e0, e1, e2 = _down2(q0), _down2(q1), _down2(q2)
    t0, t1, t2 = q0 & ((d1 & e2) | (d2 & e1)), q1 & ((d0 & e2) | (d2 & e0)), q2 & ((d0 & e1) | (d1 & e0))
    wrong |= _below_three(t0) | _below_three(t1) | _below_three(t2)
    own0 = _three(t0) | s0 | _row1(s0) | _row2(s0)
    own1 = _three(t1) | s1 | _row1(s1) | _row2(s1)
    own2 = _three(t2) | s2 | _row1(s2) | _row2(s2)
    t0 = t0 & ~(own1 | own2 | _down1(own0) | _down2(own0))
    t1 = t1 & ~(own0 | own2 | _down1(own1) | _down2(own1))
    t2 = t2 & ~(own0 | own1 | _down1(own2) | _down2(own2))
    x0, x1, x2 = x0 & t0, x1 & t1, x2 & t2
    h0 = x0 & (h0 | (~o0 & ~(t1 | t2)))
    h1 = x1 & (h1 | (~o1 & ~(t0 | t2)))
    h2 = x2 & (h2 | (~o2 & ~(t0 | t1)))
    x0, x1, x2 = either(h0, x0), either(h1, x1), either(h2, x2)
    wrong |= _empty(x0) | _empty(x1) | _empty(x2)
    return x0, x1, x2, either(h0, _one(x0)), either(h1, _one(x1)), either(h2, _one(x2)), wrong & USED


@kept
@njit
def _settle(grids, at):
    """Sweeps until nothing changes; False where a symbol or a cell has no place left."""
    x0, x1, x2 = load(grids, at), load(grids, at + NUMBER), load(grids, at + 2 * NUMBER)
    s0, s1, s2 = _one(x0), _one(x1), _one(x2)
    while True:
        y0, y1, y2, s0, s1, s2, wrong = _sweep(x0, x1, x2, s0, s1, s2)
        if wrong:
            return False
        if _empty((x0 ^ y0) | (x1 ^ y1) | (x2 ^ y2)) == NOTHING:
            break
        x0, x1, x2 = y0, y1, y2
    store(grids, at, x0)
    store(grids, at + NUMBER, x1)
    store(grids, at + 2 * NUMBER, x2)
    return True


@kept
@njit
def _branch(grids, at):
    """Where a cell with two symbols left stands in a grid, else one with few; −1 where none has a choice."""
    x0, x1, x2 = load(grids, at), load(grids, at + NUMBER), load(grids, at + 2 * NUMBER)
    w0, w1, w2 = _with_two(x0), _with_two(x1), _with_two(x2)
    if not w0 | w1 | w2:
        w0, w1, w2 = _with_three(x0), _with_three(x1), _with_three(x2)
        if not w0 | w1 | w2:
            w0, w1, w2 = _with_more(x0), _with_more(x1), _with_more(x2)
            if not w0 | w1 | w2:
                return -1
    if w0:
        return np.int64(lowest(w0))
    if w1:
        return NUMBER + np.int64(lowest(w1))
    return 2 * NUMBER + np.int64(lowest(w2))


@kept
@njit
def make_workspace():
    """What `count_completions` works in: a grid for every cell that may be branched on, and one."""
    return np.zeros(82 * GRID, np.int16)


@kept
@njit
def count_completions(grid, limit, without, forbidden, solution, grids):
    """How many completions a 9×9 Sudoku (−1 where open) has, up to `limit`.

    The cell `without` (−1 for none) must not take `forbidden`. The first completion is written to
    `solution`; `grid` is left as it is.
    """
    for cell in range(81):
        grids[PLACE[cell]] = CANDIDATES[grid[cell] + 1]
    if without >= 0:
        grids[PLACE[without]] &= ~(1 << forbidden)
    found, at = 0, 0
    while at >= 0:
        if not _settle(grids, at):
            at -= GRID
            continue
        place = _branch(grids, at)
        if place >= 0:
            for part in range(0, GRID, NUMBER):
                store(grids, at + GRID + part, load(grids, at + part))
            candidates = grids[at + place]
            first = candidates & -candidates
            grids[at + place] = candidates ^ first  # what is left to try at this depth
            at += GRID
            grids[at + place] = first
            continue
        if found == 0:
            for cell in range(81):
                solution[cell] = SYMBOL[grids[at + PLACE[cell]]]
        found += 1
        if found == limit:
            return found
        at -= GRID
    return found
