"""What measures do at the last case on one side, and the first on the other."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.task import Puzzles
from groundcheck.grounding.measures.acquired_rules import clause_in_words, compare_rules
from groundcheck.grounding.measures.interface import (
    FLOOR,
    SATURATED,
    Passed,
    consistency_of,
    cosine,
    saturated,
    shares,
)
from groundcheck.grounding.measures.joint_shortcuts import count_joint_shortcuts
from groundcheck.grounding.measures.metrics import board_intervals
from groundcheck.grounding.measures.renaming import chance_of_fixed, handed_on
from groundcheck.grounding.measures.statistics import paired_interval, wilson_interval
from groundcheck.solvers.rules.acquisition import Rule


def score_of(difference: float, gained: int, lost: int, pairs: int) -> float:
    """The observed difference less another, over its deviation where both shares fit best under the other."""

    def unlikely(back: float) -> float:
        forth = back + difference
        parts = ((gained, forth), (lost, back), (pairs - gained - lost, 1 - forth - back))
        return -sum(count * math.log(share) for count, share in parts if count)

    ends = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    back = minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    variance = (2 * back + difference - difference**2) / pairs
    return ((gained - lost) / pairs - difference) / math.sqrt(variance)


@pytest.mark.parametrize(("gained", "lost", "pairs"), [(9, 3, 44), (20, 1, 60), (2, 30, 50), (5, 5, 30)])
@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_a_paired_interval_ends_where_the_score_says(
    gained: int, lost: int, pairs: int, confidence: float
) -> None:
    low, high = paired_interval(gained, lost, pairs, confidence)
    z = norm.ppf((1 + confidence) / 2)
    assert score_of(low, gained, lost, pairs) == pytest.approx(z, rel=1e-4)
    assert score_of(high, gained, lost, pairs) == pytest.approx(-z, rel=1e-4)


def test_where_all_pairs_go_one_way_the_interval_ends_there() -> None:
    low, high = paired_interval(10, 0, 10)
    assert high == 1.0
    assert score_of(low, 10, 0, 10) == pytest.approx(norm.ppf(0.975), rel=1e-4)
    assert paired_interval(0, 10, 10) == pytest.approx((-high, -low))


def test_the_first_image_is_one_too() -> None:
    given, solution = np.array([[True, False]] * 6), np.zeros((6, 2), dtype=int)
    image = np.where(given, 0, -1)
    found = board_intervals(np.full((6, 2, 2), 0.5), given, solution, image, np.ones((6, 2), dtype=bool))
    assert set(found) == {"task", "cell", "board", "read"}
    none = board_intervals(np.full((6, 2, 2), 0.5), given, solution, np.full((6, 2), -1), ~given | given)
    assert set(none) == {"task", "cell"}


@pytest.mark.parametrize("sizes", [(3,), (1, 2), (4, 3)])
def test_fixed_points_of_all_permutations_are_counted(sizes: tuple[int, ...]) -> None:
    every = itertools.product(*(itertools.permutations(range(size)) for size in sizes))
    fixed = [sum(k == n for part in parts for n, k in enumerate(part)) for parts in every]
    for points in range(sum(sizes) + 1):
        share = sum(count >= points for count in fixed) / len(fixed)
        assert chance_of_fixed(sizes, points) == pytest.approx(share)


def test_how_unlikely_the_names_can_get_is_that_of_all_of_them() -> None:
    one, two = handed_on([[1, 0, 2, 3]]), handed_on([[1, 0, 2, 3], [0, 1, 2, 3]])
    assert one is not None
    assert two is not None
    assert (one.at_most, two.at_most) == (pytest.approx(2 / 24), pytest.approx(2 / 24**2))


THREE = Problem(("a", "b", "c"), (3, 3, 3))
DIFFERENT = [Rule(u, v, "equal") for u, v in itertools.combinations(range(3), 2)]


def test_of_different_variables_one_takes_each_symbol_and_no_more_follows() -> None:
    same = [[THREE.literal(v, k) for v in range(3)] for k in range(3)]
    mixed = [THREE.literal(0, 0), THREE.literal(1, 1), THREE.literal(2, 2)]
    apart = [
        [-THREE.literal(u, k), -THREE.literal(v, k)]
        for u, v in itertools.combinations(range(3), 2) for k in range(3)
    ]  # fmt: skip
    found = compare_rules(make_problem(THREE.variables, THREE.domains, [*apart, *same]), DIFFERENT)
    assert (found.missing, found.equivalent) == ([], True)
    found = compare_rules(make_problem(THREE.variables, THREE.domains, [*apart, mixed]), DIFFERENT)
    assert found.missing == [mixed]
    short = [THREE.literal(0, 0), THREE.literal(1, 0)]  # of two variables none need take it
    found = compare_rules(make_problem(THREE.variables, THREE.domains, [*apart, short]), DIFFERENT)
    assert found.missing == [short]
    found = compare_rules(make_problem(THREE.variables, THREE.domains, [*apart, *same]), DIFFERENT[:2])
    assert set(map(tuple, same)) <= set(map(tuple, found.missing))


def test_a_clause_is_told_with_the_sign_of_each_literal() -> None:
    assert clause_in_words(THREE, [1, -2]) == "a = 0 or a ≠ 1"


def test_beliefs_in_next_to_nothing_are_taken_for_none() -> None:
    assert shares(np.array([[FLOOR, 0.0], [3 * FLOOR, FLOOR]])).tolist() == [[0.5, 0.5], [0.75, 0.25]]


def test_the_examples_of_shortcuts_are_three_that_merge_least() -> None:
    solution = np.zeros((1, 3), dtype=np.int8)  # one puzzle: everything may be merged
    given = np.array([[True, True, False]])
    found = count_joint_shortcuts(Puzzles(solution, given, np.where(given, 0, -1).astype(np.int32)), 4)
    assert found is not None
    assert (found.partitions, found.complete, found.symbols, found.puzzles) == (15, True, 4, 1)
    assert len(found.examples) == 3
    assert all([len(block) for block in blocks] == [2] for blocks in found.examples)
    [first, second, third] = ("=".join(map(str, blocks[0])) for blocks in found.examples)
    assert "14 ways to merge symbols fit all 1 training puzzles under other rules" in found.sentence
    assert found.sentence.endswith(f"for instance {first}; {second}; {third}")


def test_a_belief_is_saturated_within_a_hundredth_of_certainty() -> None:
    assert SATURATED == 0.01
    beliefs = np.array([[0.991, 0.009], [0.989, 0.011], [0.995, 0.02], [1.0, 0.0]])
    assert saturated(beliefs) == 0.5


def test_gradients_of_neighbouring_batches_are_compared_by_their_means() -> None:
    step = np.array([0, 0, 0, 1, 1, 3, 3])
    read = np.array([0, 0, 1, 0, 1, 0, 1])
    push = np.array([[1.0, 0.0], [3.0, 2.0], [0.0, 4.0], [2.0, 2.0], [1.0, 0.0], [9.0, 9.0], [9.0, 9.0]])
    where = np.zeros(7, dtype=int)
    found = consistency_of(Passed(step, where, where, np.eye(2)[read], push), push)
    first, second = np.array([[2.0, 1.0], [0.0, 4.0]]), push[3:5]  # step 2 is missing: 3 has no neighbour
    assert found == pytest.approx(cosine(first, second))


def test_one_success_is_more_than_none_and_one_failure_too() -> None:
    assert wilson_interval(1, 10)[0] > 0.01
    assert wilson_interval(0.5, 10)[0] > 0
    assert wilson_interval(9.5, 10)[1] < 1
    assert (wilson_interval(0, 10)[0], wilson_interval(10, 10)[1]) == (0.0, 1.0)
    assert wilson_interval(0, 0) == (0.0, 1.0)
