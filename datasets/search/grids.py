"""Compiled search in grids of all-different lines: Sudoku, Latin squares, and futoshiki's inequalities.

A set of symbols is a bit mask. A cell's candidates are what its row, column and block leave open and what
the inequality signs around it allow. The search takes a cell with one candidate first, then a symbol with
one place in a line, and only then branches, on a cell with the fewest candidates. Sudoku of 9×9, where only
the number of completions is asked for, goes by triads instead (`triads`). Nothing is compiled at import;
what was compiled once is cached on disk.
"""

# ruff: noqa: ANN001, ANN201, ANN202, PLR0912, PLR0915 - compiled: numba infers types, calls cost
# pyright: reportMissingParameterType=false
import numpy as np
from numba import config, njit

from ..kernel_cache import kept
from .splits import share_of
from .triads import count_completions, make_workspace

ENDLESS = 2**62  # a patience that never ends
COMPILED = not config.DISABLE_JIT  # pyright: ignore[reportAttributeAccessIssue] - triads know no Python


@kept
@njit
def draw(state, bound):
    """A whole number in [0, bound) from the generator at `state[0]`: splitmix64 (Steele et al. 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed = state[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return np.int64(((mixed >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))


@kept
@njit
def shuffle(array, state):
    """A uniformly random order, in place (Fisher and Yates)."""
    for last in range(len(array) - 1, 0, -1):
        other = draw(state, last + 1)
        array[last], array[other] = array[other], array[last]


@kept
@njit
def _count(mask):
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@kept
@njit
def _index(bit):
    index = 0
    while bit > 1:
        bit >>= 1
        index += 1
    return index


@kept
@njit
def _put(cell, bit, lines, used, grid):
    """Gives a cell the symbol of a bit."""
    grid[cell] = _index(bit)
    used[lines[cell, 0]] |= bit
    used[lines[cell, 1]] |= bit
    used[lines[cell, 2]] |= bit


@kept
@njit
def _within_signs(mask, cell, full, lines, used, grid, signs):
    """What the inequality signs around a cell leave of its candidates."""
    for side in range(4):
        neighbour = signs[cell, side, 0]
        if neighbour < 0:
            continue
        if grid[neighbour] >= 0:
            other = 1 << grid[neighbour]
        else:
            other = full & ~(
                used[lines[neighbour, 0]] | used[lines[neighbour, 1]] | used[lines[neighbour, 2]]
            )
            if other == 0:
                return 0
        if signs[cell, side, 1] < 0:  # below the highest the neighbour may take
            while other & (other - 1):
                other &= other - 1
            mask &= other - 1
        else:  # above the lowest
            mask &= ~(2 * (other & -other) - 1)
    return mask


@kept
@njit
def search(grid, lines, size, signs, limit, patience, state, without, forbidden, solution, work):
    """How many completions `grid` (−1 where open) has, up to `limit`, and how often the search branched.

    `lines[cell]` names the row, column and block of a cell, numbered on. `signs` is empty, or holds for each
    cell up to four (neighbour, −1 below it or +1 above it), neighbour −1 for none. After `patience`
    branchings the search gives up and returns −1 completions. `state` randomises the order in which symbols
    are tried; an empty one tries them in order. The cell `without` (−1 for none) must not take `forbidden`.
    The first completion is written to `solution`; `grid` is as before on return.
    """
    full = (1 << size) - 1
    todo, choices, masks = work[0], work[1], work[2]
    used, once, twice = work[3], work[4], work[5]
    used[: 3 * size] = 0
    open_cells = 0
    for cell in range(size * size):
        if grid[cell] < 0:
            todo[open_cells] = cell
            open_cells += 1
            continue
        bit = 1 << grid[cell]
        for side in range(3):
            if used[lines[cell, side]] & bit:
                return 0, 0
            used[lines[cell, side]] |= bit
    depth, found, branchings = 0, 0, 0
    dead = False
    if without >= 0:  # begin with this cell
        for place in range(open_cells):
            if todo[place] == without:
                todo[0], todo[place] = without, todo[0]
        mask = full & ~(used[lines[without, 0]] | used[lines[without, 1]] | used[lines[without, 2]])
        if len(signs):
            mask = _within_signs(mask, without, full, lines, used, grid, signs)
        choices[0] = mask & ~(1 << forbidden)
        dead = choices[0] == 0
        branchings += choices[0] & (choices[0] - 1) != 0
    while not (dead and depth == 0):
        settled = without >= 0 and depth == 0
        best, fewest = depth, size + 1
        while not settled and not dead and depth < open_cells:
            settled = True
            place = depth
            while place < open_cells:  # cells with a single candidate
                cell = todo[place]
                mask = full & ~(used[lines[cell, 0]] | used[lines[cell, 1]] | used[lines[cell, 2]])
                if len(signs):
                    mask = _within_signs(mask, cell, full, lines, used, grid, signs)
                masks[place] = mask
                if mask & (mask - 1) == 0:
                    if mask == 0:
                        dead = True
                        break
                    _put(cell, mask, lines, used, grid)
                    todo[place], todo[depth] = todo[depth], cell
                    choices[depth] = 0
                    depth += 1
                    settled = False
                place += 1
            if dead or not settled:
                continue
            once[: 3 * size] = 0  # symbols with a single place in a line
            twice[: 3 * size] = 0
            for place in range(depth, open_cells):
                mask = masks[place]
                for side in range(3):
                    line = lines[todo[place], side]
                    twice[line] |= once[line] & mask
                    once[line] |= mask
            for line in range(3 * size):
                dead = dead or (once[line] | used[line]) != full
                once[line] &= ~twice[line]
            fewest = size + 1
            for place in range(depth, open_cells):
                if dead:
                    break
                cell = todo[place]
                only = masks[place] & (once[lines[cell, 0]] | once[lines[cell, 1]] | once[lines[cell, 2]])
                if only == 0:
                    count = _count(masks[place])
                    if count < fewest:
                        best, fewest = place, count
                    continue
                taken = used[lines[cell, 0]] | used[lines[cell, 1]] | used[lines[cell, 2]]
                if only & (only - 1) or only & taken:  # two for one cell, or one for two cells of a line
                    dead = True
                    break
                _put(cell, only, lines, used, grid)
                todo[place], todo[depth] = todo[depth], cell
                choices[depth] = 0
                depth += 1
                settled = False
        if not dead and depth == open_cells:
            if found == 0:
                solution[:] = grid
            found += 1
            if found == limit:
                break
            dead = True
        elif not dead and not (without >= 0 and depth == 0):  # branch
            todo[depth], todo[best] = todo[best], todo[depth]
            choices[depth] = masks[best]
            branchings += 1
            if branchings > patience:
                found = -1
                break
        while dead and depth > 0:  # back to the last cell with a choice left
            depth -= 1
            cell = todo[depth]
            bit = 1 << grid[cell]
            for side in range(3):
                used[lines[cell, side]] ^= bit
            grid[cell] = -1
            dead = choices[depth] == 0
        if dead:
            break
        bit = choices[depth] & -choices[depth]
        if len(state):
            rest = choices[depth]
            for _ in range(draw(state, _count(rest))):
                rest &= rest - 1
            bit = rest & -rest
        choices[depth] ^= bit
        _put(todo[depth], bit, lines, used, grid)
        depth += 1
    for place in range(open_cells):
        grid[todo[place]] = -1
    return found, branchings


@kept
@njit
def fill(lines, size, state, solution, work):
    """A random full grid: a random first row, then search in random order, started anew where it drags."""
    grid = np.full(size * size, -1, dtype=np.int8)
    signs = np.empty((0, 4, 2), dtype=np.int64)
    row = np.arange(size).astype(np.int8)
    while True:
        shuffle(row, state)
        grid[:size] = row
        found, _ = search(grid, lines, size, signs, 1, 20 * size, state, -1, 0, solution, work)
        if found == 1:
            return


@kept
@njit
def _in_triads(lines, size):
    """Whether the lines are those of 9×9 Sudoku: the first two cells of the diagonal share a block."""
    return COMPILED and size == 9 and lines[0, 2] == lines[10, 2]


@kept
@njit
def dig(puzzle, order, givens, lines, size, signs, ignored, work):
    """Opens the cells of a full grid in an order, as long as one completion is left; how many stay given."""
    left = len(puzzle)
    in_order = np.empty(0, dtype=np.uint64)
    by_triads = _in_triads(lines, size) and not len(signs)
    grids = make_workspace()
    for cell in order:
        if left == givens:
            break
        symbol = puzzle[cell]
        puzzle[cell] = -1
        if by_triads:
            found = count_completions(puzzle, 1, cell, symbol, ignored, grids)
        else:
            found, _ = search(puzzle, lines, size, signs, 1, ENDLESS, in_order, cell, symbol, ignored, work)
        if found:
            puzzle[cell] = symbol
        else:
            left -= 1
    return left


@kept
@njit
def make_grids(seeds, lines, size, fewest, most, branching, share, attempts, solutions, puzzles):
    """Puzzles with one completion and `fewest` to `most` givens, whose content belongs to a share.

    Cells of a random full grid are opened in random order as long as one completion is left, until the
    number of givens drawn for this puzzle is reached; a grid where that fails is drawn anew. `branching` is
    0 for puzzles that naked and hidden singles solve, 1 for those that need more, −1 for both. Returns how
    many were made: fewer than asked where `attempts` grids did not yield one.
    """
    cells = size * size
    state, in_order = np.zeros(1, dtype=np.uint64), np.empty(0, dtype=np.uint64)
    signs = np.empty((0, 4, 2), dtype=np.int64)
    work = np.zeros((6, max(cells, 3 * size)), dtype=np.int64)
    ignored = np.empty(cells, dtype=np.int8)
    order = np.arange(cells)
    names = np.arange(size).astype(np.int8)
    for row in range(len(seeds)):
        state[0] = seeds[row]
        solution, puzzle = solutions[row], puzzles[row]
        givens = fewest + draw(state, most - fewest + 1)
        made = False
        for _ in range(attempts):
            fill(lines, size, state, solution, work)
            puzzle[:] = solution
            shuffle(order, state)
            if dig(puzzle, order, givens, lines, size, signs, ignored, work) != givens:
                continue
            if branching >= 0:
                _, branchings = search(puzzle, lines, size, signs, 2, ENDLESS, in_order, -1, 0, ignored, work)
                if (branchings > 0) != (branching == 1):
                    continue
            # Renaming the symbols of a puzzle makes another one, as hard; a quarter of them has the share.
            for _ in range(16 * size):
                made = share_of(puzzle) == share
                if made:
                    break
                shuffle(names, state)
                for cell in range(cells):
                    solution[cell] = names[solution[cell]]
                    if puzzle[cell] >= 0:
                        puzzle[cell] = solution[cell]
            if made:
                break
        if not made:
            return row
    return len(seeds)


@kept
@njit
def solve_grids(puzzles, lines, size, limit, solutions, found, patience=ENDLESS):
    """How many completions each puzzle has, up to `limit`, and the first of them.

    −1 where that is not known after `patience` branchings; 9×9 Sudoku is always searched to its end.
    """
    work = np.zeros((6, max(size * size, 3 * size)), dtype=np.int64)
    grid = np.empty(size * size, dtype=np.int8)
    signs = np.empty((0, 4, 2), dtype=np.int64)
    in_order = np.empty(0, dtype=np.uint64)
    grids = make_workspace()
    for row in range(len(puzzles)):
        if _in_triads(lines, size):
            found[row] = count_completions(puzzles[row], limit, -1, 0, solutions[row], grids)
            continue
        grid[:] = puzzles[row]
        found[row], _ = search(
            grid, lines, size, signs, limit, patience, in_order, -1, 0, solutions[row], work
        )
