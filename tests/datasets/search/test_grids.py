"""The compiled search against python-sat and brute force."""

import numpy as np
import pytest
from pysat.solvers import Solver as SatSolver

from groundcheck.datasets.grids import lines_of
from groundcheck.datasets.latin import Latin
from groundcheck.datasets.search.grids import ENDLESS, search, solve_grids
from groundcheck.datasets.search.splits import shares
from groundcheck.datasets.sudoku import BLOCKS, Sudoku


def solve(puzzles, size, box, limit=2):
    solutions = np.full_like(puzzles, -1)
    found = np.empty(len(puzzles), dtype=np.int64)
    solve_grids(puzzles, lines_of(size, box), size, limit, solutions, found)
    return solutions, found


def count_by_sat(task, puzzle, limit) -> int:
    problem = task.problem
    with SatSolver(name="minisat22", bootstrap_with=problem.rules) as solver:
        for found in range(limit):
            if not solver.solve(assumptions=problem.assumptions(puzzle.tolist())):
                return found
            model = problem.decode(solver.get_model())
            solver.add_clause([-literal for literal in problem.assumptions(model.tolist())])
    return limit


@pytest.mark.parametrize(
    ("task", "box"), [(Sudoku(), BLOCKS[4]), (Sudoku(size=6), BLOCKS[6]), (Latin(size=4), None)], ids=str
)
def test_completions_are_counted_as_python_sat_counts_them(task, box) -> None:
    rng = np.random.default_rng(0)
    puzzles = task.generate("test", 60, 0).solution.copy()
    puzzles[rng.random(puzzles.shape) < rng.uniform(0.4, 0.9, size=(60, 1))] = -1
    wrong = puzzles[:20].copy()  # a given changed: often without any completion
    for row in wrong:
        at = rng.choice(np.flatnonzero(row >= 0)) if (row >= 0).any() else 0
        row[at] = rng.integers(task.size)
    puzzles = np.concatenate([puzzles, wrong])
    _, found = solve(puzzles, task.size, box, limit=5)
    assert found.tolist() == [count_by_sat(task, puzzle, 5) for puzzle in puzzles]
    assert len(set(found.tolist())) >= 4  # none, one, several, and more than counted


def test_all_grids_of_the_smallest_sudoku_are_found() -> None:
    empty = np.full((1, 16), -1, dtype=np.int8)
    _, found = solve(empty, 4, (2, 2), limit=1000)
    assert found.tolist() == [288]


def test_search_leaves_the_grid_as_it_was_and_gives_up_when_told() -> None:
    lines = lines_of(9, (3, 3))
    work, signs = np.zeros((6, 81), dtype=np.int64), np.empty((0, 4, 2), dtype=np.int64)
    in_order = np.empty(0, dtype=np.uint64)
    grid, solution = np.full(81, -1, dtype=np.int8), np.full(81, -1, dtype=np.int8)
    before = grid.copy()
    assert search(grid, lines, 9, signs, 1, 3, in_order, -1, 0, solution, work) == (-1, 4)
    assert (solution == -1).all()
    found, _ = search(grid, lines, 9, signs, 1, ENDLESS, in_order, -1, 0, solution, work)
    assert found == 1
    assert Sudoku(size=9).verify(solution[None]).all()
    assert np.array_equal(grid, before)


def test_generated_grids_reach_every_4x4_grid() -> None:
    solutions = np.concatenate([Sudoku().generate(split, 3000, 0).solution for split in ("train", "test")])
    assert len(np.unique(solutions, axis=0)) == 288


def test_quarters_of_contents_are_about_even() -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount(shares(rng.integers(-1, 9, size=(8000, 20))), minlength=4)
    assert (np.abs(counts - 2000) < 200).all()
