"""A certificate finds what is wrong with a set of puzzles."""

from dataclasses import replace

import numpy as np

from groundcheck.datasets.certify import certify
from groundcheck.datasets.sudoku import Sudoku


def test_generated_puzzles_are_certified() -> None:
    task = Sudoku(size=9)
    done: list[int] = []
    certificate = certify(task, task.generate("test", 25, 0), done.append)
    assert certificate.holds
    assert done == list(range(26))


def test_a_puzzle_with_two_completions_and_one_that_breaks_the_rules_are_found() -> None:
    task = Sudoku()
    puzzles = task.generate("test", 10, 0)
    given, solution = puzzles.given.copy(), puzzles.solution.copy()
    given[3] = False
    given[3, :2] = True
    given[7] = True
    solution[7, 0] = (solution[7, 0] + 1) % 4
    certificate = certify(task, replace(puzzles, given=given, solution=solution))
    assert not certificate.holds
    assert certificate.ambiguous == (3,)
    assert certificate.broken == (7,)


def test_nothing_certifies_an_empty_set() -> None:
    task = Sudoku()
    assert not certify(task, task.generate("test", 0, 0)).holds


def test_a_wrong_query_is_broken_and_leaves_another_completion() -> None:
    task = Sudoku()
    puzzles = task.generate("test", 1, 0)
    query = np.flatnonzero(~puzzles.given[0])[0]
    solution = puzzles.solution.copy()
    solution[0, query] = (solution[0, query] + 1) % 4
    certificate = certify(task, replace(puzzles, solution=solution))
    assert certificate.broken == certificate.ambiguous == (0,)


def test_a_solution_with_a_hole_or_an_unknown_symbol_is_broken() -> None:
    task = Sudoku()
    puzzles = task.generate("test", 3, 0)
    solution = puzzles.solution.copy()
    for row, symbol in ((0, -1), (2, 4)):
        solution[row, np.flatnonzero(~puzzles.given[row])[0]] = symbol
    certificate = certify(task, replace(puzzles, solution=solution))
    assert certificate.broken == (0, 2)
    assert certificate.ambiguous == ()
