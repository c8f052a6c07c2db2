import numpy as np
import pytest
from pysat.solvers import Solver as SatSolver

from groundcheck.datasets.logic import Logic
from groundcheck.datasets.parity import Parity
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.visudo import ViSudo
from groundcheck.grounding.measures.acquired_rules import (
    RulesComparison,
    all_different,
    assignment_in_words,
    clause_in_words,
    compare_rules,
    in_words,
    mentions_auxiliary,
)
from groundcheck.grounding.report.learned_rules import summarise_comparison
from groundcheck.solvers.rules.acquisition import Rule, with_rules

FRAME = Problem(("x", "y", "z"), (3, 3, 3))


def literals(*places):
    return [-FRAME.literal(variable, symbol) for variable, symbol in places]


def joined(kind, *pairs):
    return [Rule(first, second, kind) for first, second in pairs]


TRIANGLE = joined("equal", (0, 1), (0, 2), (1, 2))
NEVER_TWICE = [literals((u, k), (v, k)) for u, v in ((0, 1), (0, 2), (1, 2)) for k in range(3)]


def test_learned_rules_that_say_the_same_are_equivalent():
    problem = make_problem(FRAME.variables, FRAME.domains, NEVER_TWICE)
    found = compare_rules(problem, TRIANGLE)
    assert (found.superfluous, found.missing, found.undecided, found.equivalent) == ([], [], [], True)


def test_what_is_missing_and_what_is_superfluous_is_named():
    problem = make_problem(FRAME.variables, FRAME.domains, NEVER_TWICE[:3])  # x ≠ y
    found = compare_rules(problem, joined("equal", (0, 2)))
    assert found.superfluous == joined("equal", (0, 2))
    assert sorted(map(sorted, found.missing)) == sorted(map(sorted, NEVER_TWICE[:3]))
    assert found.equivalent is False
    assert clause_in_words(problem, NEVER_TWICE[1]) == "x ≠ 1 or y ≠ 1"


@pytest.mark.parametrize("dropped", [None, 0, 7])
def test_sudoku_follows_from_its_pairs_but_not_where_a_cell_has_none(dropped):
    problem = Sudoku().problem
    clauses = [c for c in problem.rules.clauses if len(c) == 2]
    pairs = {tuple(problem.meaning(literal)[0] for literal in clause) for clause in clauses}
    rules = joined("equal", *sorted(pair for pair in pairs if len(set(pair)) == 2 and dropped not in pair))
    found = compare_rules(problem, rules)
    assert found.superfluous == []
    assert found.equivalent is (dropped is None)
    assert bool(found.missing) is (dropped is not None)


def test_one_pair_of_sudoku_follows_from_the_others():
    problem = Sudoku().problem
    clauses = [c for c in problem.rules.clauses if len(c) == 2]
    pairs = {tuple(problem.meaning(literal)[0] for literal in clause) for clause in clauses}
    rules = joined("equal", *sorted(pair for pair in pairs if len(set(pair)) == 2 and pair != (0, 1)))
    assert len(rules) == 55
    assert compare_rules(problem, rules).equivalent


def test_nothing_learned_misses_everything_but_the_domains():
    problem = make_problem(FRAME.variables, FRAME.domains, NEVER_TWICE)
    assert len(compare_rules(problem, []).missing) == len(NEVER_TWICE)


@pytest.mark.parametrize("task", [Parity(), Parity(length=40), Logic(), ViSudo()], ids=lambda task: task.name)
def test_what_no_rule_allows_is_shown_where_clauses_mention_auxiliaries(task):
    problem = task.drawn(0).problem
    found = compare_rules(problem, [])
    assert (found.superfluous, found.missing, found.equivalent) == ([], [], False)
    assert found.undecided
    assert all(mentions_auxiliary(problem, clause) for clause in found.undecided)
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as truth:
        assert not truth.solve(assumptions=found.forbidden)
    with SatSolver(name="cadical153", bootstrap_with=with_rules(problem, []).rules) as learned:
        assert learned.solve(assumptions=found.forbidden)


def test_the_sum_of_an_odd_example_is_not_its_parity():
    found = compare_rules(Parity().problem, [])
    bits = np.array([Parity().problem.meaning(literal) for literal in found.forbidden])
    assert bits[:, 0].tolist() == list(range(9))
    assert not Parity().verify(bits[None, :, 1])


def xor(left, right, auxiliary):
    """Whether the first symbol is the one: auxiliary ⇔ left, auxiliary ⇔ ¬right."""
    return [[-left, auxiliary], [left, -auxiliary], [-right, -auxiliary], [right, auxiliary]]


BITS = Problem(("x", "y"), (2, 2))
DIFFERENT_BITS = make_problem(BITS.variables, BITS.domains, xor(2, 4, 5))


def test_learned_rules_that_say_the_same_by_auxiliaries_stay_undecided():
    found = compare_rules(DIFFERENT_BITS, joined("equal", (0, 1)))
    assert (found.superfluous, found.missing, found.forbidden) == ([], [], [])
    assert len(found.undecided) == 4
    assert found.equivalent is None


def test_rules_that_are_elsewhere_too_strong_are_told_as_both():
    frame = Problem(("x", "y", "z"), (2, 2, 2))
    problem = make_problem(frame.variables, frame.domains, xor(2, 4, 7))
    found = compare_rules(problem, joined("equal", (1, 2)))
    assert found.superfluous == joined("equal", (1, 2))
    assert found.forbidden in ([1, 3], [2, 4])
    *_, told = summarise_comparison(problem, found)
    assert told.startswith("elsewhere weaker than the task: what was learned allows x, y = ")


def test_contradictory_rules_allow_nothing_that_could_be_forbidden():
    never = [*joined("equal", (0, 1)), *(Rule(0, 1, "pair", pair=pair) for pair in ((0, 1), (1, 0)))]
    found = compare_rules(DIFFERENT_BITS, never)
    assert found.superfluous == never[1:]
    assert (found.forbidden, found.equivalent) == ([], False)


def test_a_task_without_solutions_forbids_whatever_is_allowed():
    problem = make_problem(BITS.variables, BITS.domains, [[5], [-5]])
    assert len(compare_rules(problem, []).forbidden) == 2


def test_nothing_more_is_shown_where_a_clause_is_missing():
    problem = make_problem(BITS.variables, BITS.domains, [*xor(2, 4, 5), [-1]])
    found = compare_rules(problem, [])
    assert (found.missing, found.forbidden, found.equivalent) == ([[-1]], [], False)
    assert [line.split(":")[0] for line in summarise_comparison(problem, found)] == ["missing", "not decided"]


@pytest.mark.parametrize(
    ("undecided", "missing", "told"),
    [
        ([[1, 5]], [], "1 clause of the task with auxiliary variables; of at most 20 solutions of what was "
         "learned none was seen to break them"),
        ([[1, 5], [2, 5]], [[-1]], "2 clauses of the task with auxiliary variables"),
        ([[1, 3]], [], "1 clause of the task (by SAT, within its limit)"),
    ],
)  # fmt: skip
def test_it_is_told_why_a_clause_is_not_decided(undecided, missing, told):
    *_, line = summarise_comparison(BITS, RulesComparison([], missing, undecided))
    assert line == f"not decided: {told}"


def test_an_assignment_names_the_variables_of_a_symbol_in_one_go():
    held = [FRAME.literal(*place) for place in ((0, 1), (1, 0), (2, 1))]
    assert assignment_in_words(FRAME, held) == "y = 0 and x, z = 1"
    assert assignment_in_words(FRAME, held[:1]) == "x = 1"


def test_a_problem_without_rules_cannot_be_compared():
    with pytest.raises(ValueError, match="without rules"):
        compare_rules(FRAME, TRIANGLE)


def test_groups_cover_every_pair_and_no_other():
    rows = [(u, v) for u in range(4) for v in range(u + 1, 4)]
    rules = joined("equal", *rows, (3, 5), (5, 6))
    groups = all_different(rules)
    assert groups == [[0, 1, 2, 3], [3, 5], [5, 6]]
    assert all_different([]) == []


def test_words_say_groups_first_and_then_what_remains():
    rules = [*TRIANGLE, Rule(0, 1, "less"), Rule(1, 2, "difference", 2), Rule(0, 2, "pair", pair=(2, 1))]
    assert list(in_words(FRAME, rules)) == [
        "all different: x, y, z",
        "x ≥ y",
        "y − z ≠ 2",
        "not (x = 2 and z = 1)",
    ]


def test_literals_tell_what_they_speak_of():
    problem = Problem(("a", "b"), (2, 3))
    said = [problem.meaning(sign * literal) for literal in range(1, 6) for sign in (1, -1)]
    assert said[::2] == said[1::2] == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    assert all(problem.literal(*place) == number for number, place in enumerate(said[::2], 1))
    for beyond in (0, 6, -6):
        with pytest.raises(ValueError, match="speaks of no variable"):
            problem.meaning(beyond)


def test_counting_needs_as_many_different_variables_as_symbols():
    some = [FRAME.literal(v, 1) for v in range(3)]
    problem = make_problem(FRAME.variables, FRAME.domains, [some])
    assert compare_rules(problem, TRIANGLE).equivalent is False  # they forbid more
    assert compare_rules(problem, TRIANGLE).missing == []
    assert compare_rules(problem, TRIANGLE[:2]).missing == [some]
    assert np.array(compare_rules(problem, TRIANGLE).superfluous).size == 3


def test_what_follows_a_clause_that_is_known_or_left_open_is_looked_at_too():
    auxiliary = [FRAME.literal(0, 0), FRAME.indicators + 1]
    problem = make_problem(FRAME.variables, FRAME.domains, [NEVER_TWICE[0], auxiliary, *NEVER_TWICE[1:6]])
    found = compare_rules(problem, [Rule(0, 1, "equal")])
    assert [sorted(clause) for clause in found.undecided] == [sorted(auxiliary)]
    assert sorted(map(sorted, found.missing)) == sorted(map(sorted, NEVER_TWICE[3:6]))
