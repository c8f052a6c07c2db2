"""Compiled random walk over assignments of a CNF. Nothing is compiled at import."""

# ruff: noqa: ANN001, ANN201, ANN202 - compiled: numba infers types
# pyright: reportMissingParameterType=false
import numpy as np
from numba import njit

from ..kernel_cache import kept
from .grids import draw
from .splits import share_of


@kept
@njit
def _broken(clauses, bits, broken):
    """Writes the numbers of the clauses that no literal satisfies; how many there are."""
    count = 0
    for clause in range(len(clauses)):
        satisfied = False
        for literal in clauses[clause]:
            if literal != 0 and (bits[abs(literal) - 1] == 1) == (literal > 0):
                satisfied = True
                break
        if not satisfied:
            broken[count] = clause
            count += 1
    return count


@kept
@njit
def make_assignments(seeds, clauses, wanted, share, steps, budget, assignments):
    """Assignments that break a wanted number of clauses, as many as `wanted` says per row; how many made.

    `wanted` is 0 for satisfied, 1 for exactly one broken clause, −1 for one or more. A walk starts at a
    uniform assignment and flips a random variable of a random broken clause (WalkSAT without greed; Selman
    et al. 1994), so that what it finds lies near where it began; after `steps` it starts anew, after `budget`
    steps in all the row is given up. `share` is the quarter it has to lie in. `clauses` are padded with 0.
    """
    state = np.zeros(1, dtype=np.uint64)
    broken = np.empty(len(clauses), dtype=np.int64)
    for row in range(len(seeds)):
        state[0] = seeds[row]
        bits = assignments[row]
        done, left = False, budget
        while left > 0:
            for bit in range(len(bits)):
                bits[bit] = draw(state, 2)
            for _ in range(steps):
                left -= 1
                count = _broken(clauses, bits, broken)
                done = count == wanted[row] if wanted[row] >= 0 else count > 0
                if done or (wanted[row] < 0 and count == 0):
                    break
                if count == 0:  # satisfied, but one broken clause is wanted: step anywhere
                    flipped = draw(state, len(bits))
                else:
                    clause = clauses[broken[draw(state, count)]]
                    literals = 0
                    for literal in clause:
                        literals += literal != 0
                    flipped = abs(clause[draw(state, literals)]) - 1
                bits[flipped] = 1 - bits[flipped]
            done = done and share_of(bits) == share
            if done:
                break
        if not done:
            return row
    return len(seeds)
