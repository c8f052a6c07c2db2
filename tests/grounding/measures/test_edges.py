"""What measures do at the last case on one side, and the first on the other."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from pysat.formula import CNF
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.task import Puzzles
from groundcheck.grounding.measures import abstention, acquired_rules, robustness
from groundcheck.grounding.measures.acquired_rules import (
    _by_counting,
    all_different,
    clause_in_words,
    compare_rules,
)
from groundcheck.grounding.measures.interface import (
    FLOOR,
    SATURATED,
    Passed,
    consistency_of,
    cosine,
    saturated,
    shares,
    to_logits,
)
from groundcheck.grounding.measures.interventions import Intervention, follow_symbols
from groundcheck.grounding.measures.joint_shortcuts import count_joint_shortcuts
from groundcheck.grounding.measures.metrics import board_intervals
from groundcheck.grounding.measures.renaming import (
    Renaming,
    _proposed,
    answers_to_names,
    chance_of_fixed,
    find_renaming,
    handed_on,
)
from groundcheck.grounding.measures.report_samples import (
    Calibration,
    calibrate,
    pool_calibrations,
    sample_boards,
)
from groundcheck.grounding.measures.robustness import Rate, sureness
from groundcheck.grounding.measures.statistics import (
    SequentialTest,
    clustered_interval,
    measure_error_rates,
    paired_interval,
    wilson_interval,
)
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


def test_pairs_are_proposed_of_a_given_that_is_shown_and_of_what_is_asked_beside_it() -> None:
    """b is asked for in two puzzles and in a third a given that tells nothing of a; d is always given."""
    given = np.array([[True, True, False, True], [True, False, False, True], [True, False, False, True]])
    shown = np.zeros_like(given)
    shown[:, 0] = True
    solution = np.array([[0, 1, 2, 0], [0, 0, 2, 1], [1, 1, 1, 2]])
    assert _proposed(given, shown, solution) == [(0, 1), (0, 2)]
    solution[2, 2] = 2  # c no longer tells a
    assert _proposed(given, shown, solution) == [(0, 1)]


def brought(rules: list[tuple[int, int]]) -> list[list[int]]:
    """`all_different` with sets: who brings most open pairs, then leaves most candidates, then is first."""
    joined = {frozenset(pair) for pair in rules}
    variables = sorted({v for pair in rules for v in pair})
    free, groups = set(joined), []
    for pair in sorted(rules):
        if frozenset(pair) not in free:
            continue
        group = list(pair)
        while candidates := [v for v in variables if all(frozenset((v, g)) in joined for g in group)]:
            best = max(
                candidates,
                key=lambda v: (
                    sum(frozenset((v, g)) in free for g in group),
                    sum(frozenset((v, c)) in joined for c in candidates),
                    -v,
                ),
            )
            group.append(best)
        free -= {frozenset(two) for two in itertools.combinations(group, 2)}
        groups.append(sorted(group))
    return groups


@pytest.mark.parametrize("seed", range(6))
def test_groups_take_in_what_brings_most_open_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for share in (0.4, 0.6, 0.8):
        pairs = [pair for pair in itertools.combinations(range(9), 2) if rng.random() < share]
        assert all_different([Rule(u, v, "equal") for u, v in pairs]) == brought(pairs)


def test_counting_takes_every_pair_of_different_variables_and_one_symbol() -> None:
    different = {(0, 1), (0, 2), (1, 2)}
    clause = [THREE.literal(v, 1) for v in range(3)]
    assert _by_counting(THREE, clause, different)
    for pair in different:
        assert not _by_counting(THREE, clause, different - {pair})
    assert not _by_counting(THREE, [*clause[:2], THREE.literal(2, 0)], different)
    assert not _by_counting(THREE, [*clause[:2], -clause[2]], different)
    assert not _by_counting(THREE, clause[:2], different)


def test_an_intervention_that_says_nothing_of_what_is_determined_determined_nothing() -> None:
    assert Intervention(3, 1) == Intervention(3, 1, 0, 0)


def test_rules_that_are_no_differences_make_no_variables_different() -> None:
    same = [[THREE.literal(v, k) for v in range(3)] for k in range(3)]
    less = [Rule(u, v, "less") for u, v in itertools.combinations(range(3), 2)]
    found = compare_rules(make_problem(THREE.variables, THREE.domains, same), less)
    assert found.missing == same


# --- what a report samples


def binned(confidence: np.ndarray, right: np.ndarray) -> Calibration:
    """By definition: image after image."""
    parts = [[n for n, c in enumerate(confidence) if min(int(c * 10), 9) == b] for b in range(10)]
    means = [[float(np.mean(v[list(part)])) if part else None for part in parts] for v in (confidence, right)]
    away = sum(abs(confidence[part].sum() - right[part].sum()) for part in parts)
    return Calibration([len(part) for part in parts], means[0], means[1], away / max(1, len(right)))


def alike(one: Calibration, other: Calibration) -> None:
    assert one.images == other.images
    for mine, yours in ((one.confidence, other.confidence), (one.accuracy, other.accuracy)):
        assert [v is None for v in mine] == [v is None for v in yours]
        assert [v or 0.0 for v in mine] == pytest.approx([v or 0.0 for v in yours])
    assert one.error == pytest.approx(other.error)


def test_calibration_is_counted_in_ten_bins_and_pooled_by_images() -> None:
    rng = np.random.default_rng(0)
    sets = [(rng.choice([0.0, 0.1, 0.35, 0.5, 0.99, 1.0], n), rng.random(n) < 0.6) for n in (1, 7, 40)]
    found = [calibrate(confidence, right) for confidence, right in sets]
    for one, (confidence, right) in zip(found, sets, strict=True):
        alike(one, binned(confidence, right))
    alike(pool_calibrations(found), binned(*(np.concatenate(part) for part in zip(*sets, strict=True))))
    nothing = calibrate(np.zeros(0), np.zeros(0, dtype=bool))
    assert (nothing.images, nothing.error) == ([0] * 10, 0.0)
    alike(pool_calibrations([nothing, found[1]]), found[1])


# --- where ends of intervals touch


def test_a_lead_that_reaches_the_margin_does_not_hold() -> None:
    rate = Rate(0.1, 100, 0.5, 0.5, 0.5, None, (0.4, 0.6))
    for low, baseline, holds in (
        (-0.1, 0.5, False),
        (-0.099, 0.5, True),
        (0.0, 0.1, False),
        (0.01, 0.1, True),
    ):
        assert replace(rate, baseline=baseline, lead=(low, 0.2)).holds is holds


@pytest.mark.parametrize(
    ("spoken", "certain", "wrong", "verdict"),
    [
        (0.05, 0.9, 0.0, "SILENT"),
        (0.051, 0.051, 0.0, "WRONG AND SURE"),
        (0.051, 0.05, 0.1, "RIGHT OR SILENT"),
        (0.051, 0.05, 0.101, "UNDECIDED"),
    ],
)
def test_what_touches_a_bound_is_not_beyond_it(
    spoken: float, certain: float, wrong: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([(0.0, wrong), (spoken, 1.0), (certain, 1.0)])
    monkeypatch.setattr(abstention, "wilson_interval", lambda *_: next(told))
    seed = abstention.measure_abstention(
        np.ones(4, dtype=bool), np.full(4, 0.9), np.full(4, 0.9), np.random.default_rng(0)
    )
    assert abstention.judge_abstention([seed]).verdict == verdict


def test_an_answer_without_one_query_is_no_answer_and_givens_are_not_asked() -> None:
    completion = np.array([[[0.9, 0.1], [0.6, 0.6], [np.nan, 0.5]]] * 2)
    asked = np.array([[True, True, False], [True, True, True]])
    least, together = sureness(completion, asked)
    assert least[0] == pytest.approx(0.5)
    assert together[0] == pytest.approx(0.45)
    assert np.isnan(least[1])
    assert np.isnan(together[1])


def test_an_interval_of_an_error_ends_at_nothing_and_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([*[0.0, 1.0] * (abstention.RESAMPLED // 2), 0.9])  # drawn anew, and found
    monkeypatch.setattr(abstention, "calibrate", lambda *_: Calibration([1], [0.5], [0.5], next(errors)))
    found = abstention._error_interval(np.ones(3), np.ones(3, dtype=bool), np.random.default_rng(0))
    assert found == (pytest.approx(0.4), 1.0)


def test_the_renaming_that_joins_most_pairs_is_told() -> None:
    """b and c follow a, d in another way."""
    frame = Problem(("a", "b", "c", "d"), (2, 2, 2, 2))
    worlds = {(0, 1, 1, 0), (1, 0, 0, 1)}
    wrong = [w for w in itertools.product(range(2), repeat=4) if w not in worlds]
    clauses = [[-x for x in frame.assumptions(list(w))] for w in wrong]
    problem = make_problem(frame.variables, frame.domains, clauses)
    given = np.array([[True, False, False, False]] * 2)
    shown = given & np.array([[True], [False]])  # in one puzzle alone
    solution = np.array(sorted(worlds))
    found = find_renaming(problem, given, shown, solution, 2)
    assert found == Renaming((1, 0), (0, 0), (1, 2))
    completion = np.eye(2)[solution]
    assert answers_to_names(found, np.array([0, 1]), given, shown, solution, completion) == [1, -1]


def test_clauses_that_speak_of_auxiliaries_are_told_one_by_one() -> None:
    top = THREE.indicators
    rules = CNF(from_clauses=[[top, top + 1], [-1, -(top + 1)], [-1, -2]])
    found = compare_rules(Problem(THREE.variables, THREE.domains, rules), [])
    assert found.undecided == [[top, top + 1], [-1, -(top + 1)]]


def test_an_interval_of_no_pairs_or_no_trials_is_everything() -> None:
    assert paired_interval(0, 0, 0) == (-1.0, 1.0)
    assert paired_interval(1, 0, 1) != (-1.0, 1.0)
    assert wilson_interval(1, 1) == pytest.approx((1 / (1 + norm.ppf(0.975) ** 2), 1.0))
    nothing = clustered_interval(np.zeros(2), np.zeros(2), np.full((2, 1), -1))
    assert nothing == (0.0, 1.0)


def test_who_answers_some_boards_alone_is_calibrated_on_those() -> None:
    sure = np.array([0.9, np.nan, 0.8, np.nan])
    found = abstention.measure_abstention(
        np.array([True, False, False, False]), sure, sure, np.random.default_rng(0)
    )
    assert (found.silent, found.wrong) == (2, 1)
    assert found.calibration is not None
    assert sum(found.calibration.images) == 2
    assert found.error_interval is not None
    assert found.independent_error is not None
    none = abstention.measure_abstention(
        np.zeros(2, dtype=bool), *[np.full(2, np.nan)] * 2, np.random.default_rng(0)
    )
    assert (none.calibration, none.error_interval, none.independent_error) == (None, None, None)


def test_some_entry_that_is_no_number_leaves_a_board_unsolved() -> None:
    completion = np.array([[[np.nan, 0.5], [0.9, 0.1]], [[np.nan, 0.5], [0.9, 0.1]]])
    least, together = sureness(completion, np.array([[True, True], [False, True]]))
    assert np.isnan([least[0], together[0]]).all()
    assert (least[1], together[1]) == (pytest.approx(0.9), pytest.approx(0.9))


def test_what_is_handed_on_is_never_more_likely_than_sure() -> None:
    found = handed_on([[0]])
    assert found is not None
    assert (found.by_chance, found.at_most) == (1.0, 1.0)


def test_a_limit_of_sat_leaves_a_clause_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = [
        [-THREE.literal(u, k), -THREE.literal(v, k)]
        for u, v in itertools.combinations(range(3), 2) for k in range(3)
    ]  # fmt: skip
    budgets: list[int] = []

    class Stops(acquired_rules.SatSolver):
        def conf_budget(self, budget: int = -1) -> None:
            budgets.append(budget)

        def solve_limited(self, assumptions: list[int] = [], expect_interrupt: bool = False) -> None:  # noqa: B006
            return None

    monkeypatch.setattr(acquired_rules, "SatSolver", Stops)
    found = compare_rules(make_problem(THREE.variables, THREE.domains, apart), DIFFERENT)
    assert budgets == [20_000] * len(found.undecided)
    assert all(clause in found.undecided for clause in apart)
    assert found.missing == []
    assert found.equivalent is None


def test_rates_of_a_test_are_those_of_ten_thousand_suites_of_twelve_seeds() -> None:
    found = measure_error_rates(SequentialTest(), 0.0)
    assert (found.accepted, found.rejected, found.undecided, found.seeds) == (0.0, 1.0, 0.0, 2.0)
    share = measure_error_rates(SequentialTest(), 0.8).accepted
    assert share * 10_000 == pytest.approx(round(share * 10_000))
    assert measure_error_rates(SequentialTest(), 1.0, most=5).undecided == 1.0


@pytest.mark.parametrize("interface", ["straight-through", "sigmoid", "softmax"])
def test_a_gradient_reaches_logits_by_the_slope_of_its_interface(interface: str) -> None:
    rng = np.random.default_rng(0)
    logits, gradient = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = to_logits(share, gradient, interface)
    for row, (belief, slope) in enumerate(zip(share, gradient, strict=True)):
        wanted = {
            "straight-through": slope - slope.mean(),
            "sigmoid": belief * (1 - belief) * slope,
            "softmax": (np.diag(belief) - np.outer(belief, belief)) @ slope,
        }[interface]
        assert found[row] == pytest.approx(wanted)


def test_handed_symbols_count_no_answers_that_must_go() -> None:
    one = [[THREE.literal(2, 0)]]  # the rules say what c is
    problem = make_problem(THREE.variables, THREE.domains, one)
    given = np.array([[True, True, False]] * 2)
    solution = np.array([[0, 1, 0], [1, 2, 0]])
    completion = np.eye(3)[np.array([[0, 1, 0], [1, 2, 1]])]
    assert follow_symbols(problem, given, solution, completion) == Intervention(0, 0, 2, 1)


def test_a_cascade_is_never_fitted_where_the_gain_could_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    solver, baseline, sure = np.ones(4, dtype=bool), np.zeros(4, dtype=bool), np.full(4, 50)
    for low, reached in ((0.0, 0.0), (0.01, 1.0)):
        monkeypatch.setattr(robustness, "paired_interval", lambda *_, low=low: (low, 1.0))
        assert robustness.cascade(solver, baseline, sure) == reached


def test_the_error_of_one_image_is_its_own() -> None:
    assert calibrate(np.array([0.5]), np.array([True])).error == 0.5


def test_a_given_that_is_no_number_in_part_shows_what_it_does_say() -> None:
    completion = np.array([[[0.3, np.nan], [0.2, 0.8]]])
    given = np.array([[True, False]])
    [board] = sample_boards(np.array([[0, -1]]), np.array([1]), given, completion, np.array([[0, 1]]))
    assert (board.answer, board.read) == ([0, 1], [1, -1])
