"""Which queries rename a given, what a solver answers to each name, and what chance makes of that."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Task
from groundcheck.grounding.measures.renaming import (
    Renaming,
    answers_to_names,
    chance_of_fixed,
    find_renaming,
    handed_on,
)


def renaming_of(task: Task, puzzles: int = 60) -> Renaming | None:
    drawn = task.generate("validation", puzzles, 0)
    solution = drawn.solution.astype(np.int64)
    return find_renaming(task.problem, drawn.given, drawn.picture >= 0, solution, len(task.classes))


def test_the_output_of_mapping_renames_its_image() -> None:
    assert renaming_of(Mapping(symbols=4, bijection=(2, 0, 3, 1))) == Renaming((2, 0, 3, 1), (0,), (1,))


@pytest.mark.parametrize("name", ["addition", "parity", "half", "evenodd"])
def test_a_query_that_several_givens_decide_renames_none(name: str) -> None:
    assert renaming_of(TASKS.load(name)()) is None


def test_no_cell_of_a_board_renames_another() -> None:
    assert renaming_of(Sudoku()) is None


def test_what_few_puzzles_suggest_the_rules_have_to_prove() -> None:
    """Over these two boards, every cell tells every other; the rules leave 288 boards."""
    assert renaming_of(Sudoku(), puzzles=2) is None
    mapping = Mapping(symbols=4)
    assert renaming_of(mapping, puzzles=1) == Renaming((0, 1, 2, 3), (0,), (1,))
    drawn = mapping.generate("validation", 5, 0)
    found = find_renaming(
        mapping.problem.without_rules(), drawn.given, drawn.picture >= 0, drawn.solution.astype(np.int64), 4
    )
    assert found is None


def relation(pairs: set[tuple[int, int]], symbols: int = 3) -> Problem:
    frame = Problem(("a", "b"), (symbols, symbols))
    every = itertools.product(range(symbols), repeat=2)
    clauses = [[-frame.literal(0, a), -frame.literal(1, b)] for a, b in every if (a, b) not in pairs]
    return make_problem(frame.variables, frame.domains, clauses)


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ({(0, 1), (1, 2), (2, 0)}, True),
        ({(0, 1), (1, 2), (2, 0), (2, 1)}, False),  # 2 leaves two answers
        ({(0, 1), (1, 1), (2, 0)}, False),  # two share an answer
        ({(0, 1), (1, 2)}, False),  # 2 is never shown
    ],
)
def test_a_renaming_is_one_to_one(pairs: set[tuple[int, int]], found: bool) -> None:
    given = np.array([[True, False]] * 2)
    solution = np.array([[0, 1], [1, 2]])
    answer = find_renaming(relation(pairs), given, given, solution, 3)
    assert (answer is not None) == found


def test_an_answer_that_no_image_shows_cannot_be_a_name() -> None:
    given = np.array([[True, False]] * 2)
    solution = np.array([[0, 1], [1, 2]])
    assert find_renaming(relation({(0, 1), (1, 2), (2, 0)}), given, given, solution, 2) is None


def test_what_is_answered_to_each_name_is_counted_by_majority() -> None:
    """Symbols 0, 1, 2 are called 1, 2, 0; name 1 is answered by 0, 0 and 2, name 2 not at all."""
    renaming = Renaming((0, 1, 2), (0,), (1,))
    solution = np.array([[0, 0], [0, 0], [0, 0], [2, 2], [1, 1]])
    given = np.array([[True, False]] * 5)
    completion = np.eye(3)[np.array([[1, 0], [1, 0], [1, 2], [0, 2], [2, 0]])]
    completion[4] = np.nan
    answers = answers_to_names(renaming, np.array([1, 2, 0]), given, given, solution, completion)
    assert answers == [2, 0, -1]


@pytest.mark.parametrize("sizes", [[1], [2], [3], [4, 3], [2, 2, 3]])
def test_fixed_points_by_chance_are_counted_over_every_permutation(sizes: list[int]) -> None:
    every = list(itertools.product(*(itertools.permutations(range(size)) for size in sizes)))
    fixed = [sum(a == b for order in orders for a, b in enumerate(order)) for orders in every]
    for points in range(sum(sizes) + 1):
        exact = Fraction(sum(f >= points for f in fixed), len(every))
        assert chance_of_fixed(sizes, points) == pytest.approx(float(exact))


def test_readings_that_are_handed_on_are_found_on_one_seed_of_ten_symbols() -> None:
    found = handed_on([list(range(10))])
    assert found is not None
    assert (found.names, found.copied, found.repeated, found.found, found.open) == (10, 10, 0, True, False)
    assert found.by_chance == pytest.approx(2 / 3628800)
    assert "answers 10 of 10 names by themselves" in found.sentence


def test_a_renaming_that_is_the_same_on_every_seed_is_handed_on_too() -> None:
    turned = [*range(1, 10), 0]
    found = handed_on([turned, turned])
    assert found is not None
    assert (found.copied, found.repeated, found.found) == (0, 10, True)
    assert "10 as in the seed before" in found.sentence
    assert not handed_on([turned]).found  # type: ignore[union-attr]


def test_half_the_names_on_every_seed_are_found() -> None:
    rng = np.random.default_rng(0)
    seeds = [[*range(5), *(5 + rng.permutation(5)).tolist()] for _ in range(3)]
    found = handed_on(seeds)
    assert found is not None
    assert found.found


def test_few_symbols_leave_it_open() -> None:
    found = handed_on([[0, 1]] * 6)
    assert found is not None
    assert (found.found, found.open) == (False, True)
    swapped = handed_on([[1, 0], [0, 1]] * 3)
    assert swapped is not None
    assert (swapped.found, swapped.open) == (False, False)
    assert handed_on([[0, 1]] * 12).found  # type: ignore[union-attr]


def test_seeds_that_answer_two_names_alike_say_nothing() -> None:
    assert handed_on([]) is None
    assert handed_on([[6] * 10, [6] * 10]) is None
    one = handed_on([[6] * 10, list(range(10))])
    assert one is not None
    assert one.names == 10


def test_names_that_owe_nothing_to_the_answers_are_rarely_taken_for_handed_on() -> None:
    rng = np.random.default_rng(1)
    suites = [handed_on([rng.permutation(10).tolist() for _ in range(6)]) for _ in range(2000)]
    assert sum(found is not None and found.found for found in suites) <= 8  # 2 are expected, at most
