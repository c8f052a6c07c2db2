"""Compiled search in 9×9 Sudoku, by bands: where each symbol may still stand, 27 cells at a time.

A word holds one symbol's places in one band (three rows), nine bits a row, and its symbol stands once in each
row, column and block exactly if the words of the three bands say so. One look into a table of 512 entries
tells which of a word's blocks each row may use (locked candidates and hidden singles at once), one more which
columns the other bands have to leave. Cells with one symbol left are found for a whole band at a time. Only
then the search branches, on a cell with the fewest symbols. After the bitboard solvers of the Sudoku players'
forum (fsss, JCZSolve; as tdoku's documentation of 2019 compares them). Nothing is compiled at import.
"""

# ruff: noqa: ANN001, ANN201, ANN202, PLR0912 - compiled: numba infers types, calls cost
# pyright: reportMissingParameterType=false
import itertools

import numpy as np
from numba import njit

from ..kernel_cache import kept

WORDS = 27  # three bands of nine symbols; word 9 × band + symbol
EVERYWHERE = (1 << 27) - 1
COLUMN = 1 | 1 << 9 | 1 << 18  # the first column of a band


def _words(entries):
    return np.array(list(entries), dtype=np.int32)


def _allowed(pattern):
    """Cells of a band that some one-to-one choice of blocks by its rows uses; bit 3 × row + block."""
    cells = 0
    for blocks in itertools.permutations(range(3)):
        if all(pattern >> (3 * row + block) & 1 for row, block in enumerate(blocks)):
            cells |= sum(7 << (9 * row + 3 * block) for row, block in enumerate(blocks))
    return cells


def _settled(columns):
    """Those of nine columns that are the only ones of their block."""
    thirds = ((columns >> 3 * block & 7) << 3 * block for block in range(3))
    return sum(third for third in thirds if third.bit_count() == 1)


def _beside(place):
    """What a symbol at a place of a band leaves of its word: nothing in its row, its column and its block."""
    row, column = divmod(place, 9)
    taken = 511 << 9 * row | COLUMN << column | (7 * COLUMN) << (column // 3 * 3)
    return EVERYWHERE & ~taken | 1 << place


# Indexed by the nine bits of a row, by three bits (its blocks) of each of three rows, by nine columns.
BLOCKS = _words(sum(1 << block for block in range(3) if row >> 3 * block & 7) for row in range(512))
ALLOWED = _words(_allowed(pattern) for pattern in range(512))
OTHERS = _words(EVERYWHERE & ~(COLUMN * _settled(columns)) for columns in range(512))
FIXED = _words(row if row.bit_count() == 1 else 0 for row in range(512))
CLUED = _words(row if row.bit_count() == 1 else 0 if row else 511 for row in range(512))
BESIDE = _words(_beside(place) for place in range(27))
PLACE = _words(next((p for p in range(27) if (1 << p) % 37 == rest), 0) for rest in range(37))  # of a bit


@kept
@njit
def _settle(now, seen, fixed, start):
    """Follows every word that changed until none does; False where a symbol or a cell has no place left.

    `seen` is each word as it was last followed, `fixed` its places in rows that have but one.
    """
    while True:
        changed = True
        while changed:
            changed = False
            for symbol in range(9):
                for band in range(3):
                    word = start + 9 * band + symbol
                    if now[word] == seen[word]:
                        continue
                    changed = True
                    bits = np.uint32(now[word])
                    pattern = BLOCKS[bits & 511] | BLOCKS[(bits >> 9) & 511] << 3 | BLOCKS[bits >> 18] << 6
                    bits &= np.uint32(ALLOWED[pattern])
                    if bits == 0:
                        return False
                    left = OTHERS[(bits | bits >> 9 | bits >> 18) & 511]
                    if band != 0:
                        now[start + symbol] &= left
                    if band != 1:
                        now[start + 9 + symbol] &= left
                    if band != 2:
                        now[start + 18 + symbol] &= left
                    single = FIXED[bits & 511] | FIXED[(bits >> 9) & 511] << 9 | FIXED[bits >> 18] << 18
                    if single != fixed[word]:
                        fixed[word] = single
                        first = start + 9 * band
                        for other in range(first, first + 9):
                            now[other] &= ~single
                    now[word] = seen[word] = np.int32(bits)
        for band in range(3):
            first = start + 9 * band
            once = twice = full = np.int32(0)
            for word in range(first, first + 9):
                twice |= once & now[word]
                once |= now[word]
                full |= fixed[word]
            if once != EVERYWHERE:
                return False
            single = once & ~twice & ~full
            if single:
                changed = True
                for word in range(first, first + 9):
                    rest = now[word] & single
                    while rest:
                        bit = rest & -rest
                        now[word] &= BESIDE[PLACE[np.uint32(bit) % 37]]
                        if now[word] & bit == 0:  # two such cells in one line
                            return False
                        rest ^= bit
        if not changed:
            return True


@kept
@njit
def _branch(now, start):
    """A cell with two symbols left, else one with few: its band and its bit; −1 where none has a choice."""
    fewest, where, bit = 10, -1, np.int32(0)
    for band in range(3):
        first = start + 9 * band
        once = twice = thrice = more = np.int32(0)
        for word in range(first, first + 9):
            more |= thrice & now[word]
            thrice |= twice & now[word]
            twice |= once & now[word]
            once |= now[word]
        two, three = twice & ~thrice, thrice & ~more
        if two:
            return band, two & -two
        if three and fewest > 3:
            fewest, where, bit = 3, band, three & -three
        elif more and fewest > 4:
            fewest, where, bit = 4, band, more & -more
    return where, bit


@kept
@njit
def _begin(grid, now, seen, fixed, clues):
    """Words from the clues alone; what follows from them is left to `_settle`."""
    clues[:] = 0
    for band in range(3):
        for place in range(27):
            clues[10 * band + 1 + grid[27 * band + place]] |= 1 << place  # of −1 nobody takes notice
    for band in range(3):
        full = np.int32(0)
        for slot in range(10 * band + 1, 10 * band + 10):
            full |= clues[slot]
        for symbol in range(9):
            own = clues[10 * band + 1 + symbol]
            bits = np.uint32(own)
            word = 9 * band + symbol
            now[word] = CLUED[bits & 511] | CLUED[(bits >> 9) & 511] << 9 | CLUED[bits >> 18] << 18
            now[word] &= ~full | own
            seen[word] = EVERYWHERE
            fixed[word] = own


@kept
@njit
def make_workspace():
    """What `count_completions` works in."""
    words = 82 * WORDS  # a depth for every cell
    now, seen, fixed = np.empty(words, np.int32), np.empty(words, np.int32), np.empty(words, np.int32)
    return now, seen, fixed, np.empty(30, np.int32)


@kept
@njit
def count_completions(grid, limit, without, forbidden, solution, work):
    """How many completions a 9×9 Sudoku (−1 where open) has, up to `limit`.

    The cell `without` (−1 for none) must not take `forbidden`. The first completion is written to
    `solution`; `grid` is left as it is.
    """
    now, seen, fixed, clues = work
    _begin(grid, now, seen, fixed, clues)
    if without >= 0:
        now[9 * (without // 27) + forbidden] &= ~(1 << without % 27)
    found, start = 0, 0  # start: the words of this depth
    while start >= 0:
        if not _settle(now, seen, fixed, start):
            start -= WORDS
            continue
        band, bit = _branch(now, start)
        if band >= 0:
            word = start + 9 * band
            while now[word] & bit == 0:
                word += 1
            for each in range(start, start + WORDS):
                now[each + WORDS] = now[each]
                seen[each + WORDS] = seen[each]
                fixed[each + WORDS] = fixed[each]
            now[word + WORDS] &= BESIDE[PLACE[np.uint32(bit) % 37]]
            now[word] &= ~bit  # what is left to try at this depth
            start += WORDS
            continue
        if found == 0:
            for word in range(WORDS):
                rest = now[start + word]
                while rest:
                    bit = rest & -rest
                    solution[word // 9 * 27 + PLACE[np.uint32(bit) % 37]] = word % 9
                    rest ^= bit
        found += 1
        if found == limit:
            return found
        start -= WORDS
    return found
