"""The search by triads against the search by lines, and against python-sat."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pysat.solvers import Solver as SatSolver

from groundcheck.datasets.grids import lines_of
from groundcheck.datasets.search.grids import ENDLESS, search, solve_grids
from groundcheck.datasets.search.triads import count_completions, make_workspace
from groundcheck.datasets.sudoku import Sudoku

TASK = Sudoku(size=9)
LINES = lines_of(9, (3, 3))
SOLVED = TASK.generate("test", 50, 0).solution
GRIDS, LIMIT = make_workspace(), 6
quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def by_triads(grid, limit=LIMIT, without=-1, forbidden=0):
    before, solution = grid.copy(), np.full(81, -1, dtype=np.int8)
    found = count_completions(grid, limit, without, forbidden, solution, GRIDS)
    assert np.array_equal(grid, before)
    return found, solution


def by_lines(grid, limit=LIMIT, without=-1, forbidden=0):
    work, signs = np.zeros((6, 81), dtype=np.int64), np.empty((0, 4, 2), dtype=np.int64)
    solution, in_order = np.full(81, -1, dtype=np.int8), np.empty(0, dtype=np.uint64)
    found, _ = search(grid, LINES, 9, signs, limit, ENDLESS, in_order, without, forbidden, solution, work)
    return found, solution


def by_sat(grid, limit=LIMIT) -> int:
    problem = TASK.problem
    with SatSolver(name="minisat22", bootstrap_with=problem.rules) as solver:
        for found in range(limit):
            if not solver.solve(assumptions=problem.assumptions(grid.tolist())):
                return found
            model = problem.decode(solver.get_model())
            solver.add_clause([-literal for literal in problem.assumptions(model.tolist())])
    return limit


@st.composite
def grids(draw):
    """A right grid with cells opened, and perhaps some clues changed to whatever."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    grid = SOLVED[rng.integers(len(SOLVED))].copy()
    grid[rng.permutation(81)[: draw(st.integers(0, 62))]] = -1
    clues = np.flatnonzero(grid >= 0)
    for cell in rng.choice(clues, size=min(len(clues), draw(st.sampled_from((0, 0, 1, 2)))), replace=False):
        grid[cell] = rng.integers(9)
    return grid


@quick
@given(grid=grids())
def test_completions_are_counted_as_by_lines(grid) -> None:
    found, solution = by_triads(grid)
    assert found == by_lines(grid)[0]
    if found:
        assert TASK.verify(solution[None]).all()
        assert (solution == grid)[grid >= 0].all()


@settings(quick, max_examples=40)
@given(grid=grids())
def test_completions_are_counted_as_by_python_sat(grid) -> None:
    assert by_triads(grid)[0] == by_sat(grid)


@quick
@given(grid=grids(), pick=st.integers(0, 10**6))
def test_a_symbol_may_be_forbidden_in_an_open_cell(grid, pick) -> None:
    opened = np.flatnonzero(grid < 0)
    if not len(opened):
        return
    cell, symbol = int(opened[pick % len(opened)]), pick % 9
    found, solution = by_triads(grid, without=cell, forbidden=symbol)
    assert found == by_lines(grid, without=cell, forbidden=symbol)[0]
    assert not found or solution[cell] != symbol


def test_two_clues_that_clash_leave_no_completion() -> None:
    for other in (1, 9, 10, 20, 8, 72):  # in the row, the column or the block of the first cell
        grid = np.full(81, -1, dtype=np.int8)
        grid[[0, other]] = 4
        assert by_triads(grid)[0] == 0
        grid[other] = 5
        assert by_triads(grid)[0] == LIMIT


def test_an_empty_grid_has_as_many_completions_as_asked_for() -> None:
    found, solution = by_triads(np.full(81, -1, dtype=np.int8), limit=500)
    assert found == 500
    assert TASK.verify(solution[None]).all()


def test_all_completions_are_counted_once_each() -> None:
    grid = SOLVED[0].copy()
    grid[grid < 3] = -1  # three symbols erased: every way to fill them in, of which each renaming is one
    found, _ = by_triads(grid, limit=10**6)
    assert found == by_lines(grid, limit=10**6)[0]
    assert found % 6 == 0


def test_puzzles_of_seventeen_clues_are_solved_and_unique() -> None:
    text = (Path(__file__).parent / "seventeen.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    puzzles = np.array([[int(digit) - 1 for digit in line] for line in lines], dtype=np.int8)
    assert len({*lines}) == len(lines) == 162
    assert ((puzzles >= 0).sum(axis=1) == 17).all()
    solutions, found = np.empty_like(puzzles), np.empty(len(puzzles), dtype=np.int64)
    solve_grids(puzzles, LINES, 9, 2, solutions, found)
    assert (found == 1).all()
    assert TASK.verify(solutions).all()
    assert (solutions == puzzles)[puzzles >= 0].all()
    assert [by_sat(puzzle, 2) for puzzle in puzzles[::18]] == [1] * 9
    # A clue less, and a puzzle has more completions: no 16 clues are enough (McGuire et al. 2014).
    for puzzle in puzzles[::9]:
        fewer = puzzle.copy()
        fewer[np.flatnonzero(puzzle >= 0)[3]] = -1
        assert by_triads(fewer, limit=2)[0] == 2
