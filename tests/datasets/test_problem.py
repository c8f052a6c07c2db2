import numpy as np
import pytest

from groundcheck.datasets.problem import Problem, make_problem


def test_literals_number_the_symbols_of_each_variable() -> None:
    problem = Problem(("a", "b"), (2, 3))
    assert [problem.literal(v, k) for v, k in ((0, 0), (0, 1), (1, 0), (1, 2))] == [1, 2, 3, 5]
    assert problem.legal.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("size", [2, 9, 16, 17])
def test_without_further_rules_every_combination_of_symbols_is_a_solution(size: int) -> None:
    problem = make_problem(("a", "b"), (size, 2))
    found = {tuple(solution.tolist()) for solution in problem.solutions()}
    assert found == {(a, b) for a in range(size) for b in range(2)}


def test_rules_cut_solutions_and_the_limit_cuts_the_list() -> None:
    frame = Problem(("a", "b"), (3, 3))
    differ = [[-frame.literal(0, k), -frame.literal(1, k)] for k in range(3)]
    problem = make_problem(frame.variables, frame.domains, differ)
    found = np.stack(list(problem.solutions()))
    assert len(found) == 6
    assert (found[:, 0] != found[:, 1]).all()
    assert len(list(problem.solutions(limit=4))) == 4


def test_auxiliary_literals_do_not_multiply_solutions() -> None:
    frame = Problem(("a", "b"), (2, 2))
    free = frame.indicators + 1  # held by no rule: either value
    problem = make_problem(frame.variables, frame.domains, [[free, -free]])
    assert len(list(problem.solutions())) == 4


def test_a_problem_without_rules_keeps_its_variables_and_has_no_solutions_to_tell() -> None:
    problem = make_problem(("a",), (2,)).without_rules()
    assert problem.rules is None
    assert problem.domains == (2,)
    with pytest.raises(ValueError, match="without rules"):
        next(problem.solutions())


def test_assumptions_leave_open_what_is_minus_one() -> None:
    assert Problem(("a", "b"), (2, 3)).assumptions([-1, 2]) == [5]


@pytest.mark.parametrize(
    ("variables", "domains", "told"),
    [(("a",), (2, 2), "1 variables but 2 domains"), ((), (), "at least one"), (("a",), (1,), "two symbols")],
)
def test_what_is_no_problem_is_refused(variables: tuple, domains: tuple, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Problem(variables, domains)


def test_a_symbol_outside_its_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="symbol 2 of variable 'a'"):
        Problem(("a",), (2,)).literal(0, 2)
