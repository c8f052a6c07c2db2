"""Symmetries of rules, held against the solutions they must map to solutions."""

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks.contract import symmetry
from groundcheck.grounding.checks.contract.symmetry import Graph, Symmetry, find_symmetries


def solutions(problem: Problem) -> set[tuple[int, ...]]:
    return {tuple(world.tolist()) for world in problem.solutions()}


def moved(problem: Problem, found: Symmetry, world: tuple[int, ...]) -> tuple[int, ...]:
    """A world with every (variable, symbol) where the symmetry puts it."""
    turned = np.full(len(world), -1)
    for variable, symbol in enumerate(world):
        place, kind = divmod(int(found.cells[variable * problem.symbols + symbol]), problem.symbols)
        assert place == found.variables[variable]
        turned[place] = kind
    return tuple(turned.tolist())


@pytest.mark.parametrize(
    "task", [Sudoku(), Mapping(symbols=4), TASKS.load("addition")()], ids=lambda t: t.name
)
def test_symmetries_map_the_solutions_to_themselves(task) -> None:
    problem = task.problem
    found = find_symmetries(problem, 4)
    assert found
    worlds = solutions(problem)
    for each in found:
        assert sorted(each.cells.tolist()) == list(range(len(each.cells)))
        assert sorted(each.variables.tolist()) == list(range(len(problem.variables)))
        assert (each.cells != np.arange(len(each.cells))).any()
        assert {moved(problem, each, world) for world in worlds} == worlds


def test_as_many_as_were_asked_for_and_no_two_alike() -> None:
    found = find_symmetries(Sudoku().problem, 3)
    assert len(found) == 3
    assert len({tuple(each.cells.tolist()) for each in found}) == 3
    assert len(find_symmetries(Sudoku().problem, 1)) == 1


def test_one_seed_gives_the_same_symmetries() -> None:
    one, other = (find_symmetries(Sudoku().problem, 2, seed=3) for _ in range(2))
    assert [(a.cells == b.cells).all() for a, b in zip(one, other, strict=True)] == [True, True]


def test_rules_without_symmetry_have_none() -> None:
    """x0 ≤ x1 with one world left out, where nothing is like anything else."""
    frame = Problem(("x0", "x1"), (2, 3))
    kept = [(0, 0), (0, 1), (1, 1), (0, 2)]
    wrong = [(a, b) for a in range(2) for b in range(3) if (a, b) not in kept]
    clauses = [[-literal for literal in frame.assumptions(world)] for world in wrong]
    problem = make_problem(("x0", "x1"), (2, 3), clauses)
    worlds = solutions(problem)
    for each in find_symmetries(problem, 10):
        assert {moved(problem, each, world) for world in worlds} == worlds


def test_where_no_two_literals_are_alike_nothing_is_tried() -> None:
    """a is 0, and a or b is 0: every literal stands in clauses that no other stands in."""
    frame = Problem(("a", "b"), (2, 2))
    clauses = [[frame.literal(0, 0)], [frame.literal(0, 0), frame.literal(1, 0)]]
    assert find_symmetries(make_problem(("a", "b"), (2, 2), clauses), 4) == []


def test_symbols_that_a_variable_does_not_take_go_along() -> None:
    """Two variables of two symbols beside one of three: what stands for no symbol must stay so."""
    names, domains = ("a", "b", "c"), (2, 2, 3)
    frame = Problem(names, domains)
    clauses = [[-frame.literal(0, k), -frame.literal(1, k)] for k in range(2)]
    problem = make_problem(names, domains, clauses)
    found = find_symmetries(problem, 8)
    assert found
    legal = problem.legal.ravel()
    for each in found:
        assert (legal[each.cells] == legal).all()
        assert {moved(problem, each, world) for world in solutions(problem)} == solutions(problem)


def test_without_rules_or_with_too_many_none_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Sudoku().problem
    assert find_symmetries(problem.without_rules(), 4) == []
    clauses = len(problem.rules.clauses)
    monkeypatch.setattr(symmetry, "MAX_CLAUSES", clauses)
    assert find_symmetries(problem, 1)
    monkeypatch.setattr(symmetry, "MAX_CLAUSES", clauses - 1)
    assert find_symmetries(problem, 1) == []


def test_refinement_tells_apart_what_the_clauses_do() -> None:
    graph = Graph([(1, 2), (-3, 2), (4, 5)])
    colour = graph.refine({})
    assert colour[1] != colour[3]  # in clauses of one shape, with other signs
    assert colour[4] == colour[5] != colour[2]
    assert colour[1] != colour[4]
    marked = graph.refine({4: 1})
    assert marked[4] != marked[5]


def test_an_image_is_a_symmetry_only_if_it_keeps_the_clauses() -> None:
    graph = Graph([(1, 2), (2, 3)])
    assert graph.preserves({1: 3, 2: 2, 3: 1})
    assert not graph.preserves({1: 2, 2: 1, 3: 3})
    rng = np.random.default_rng(0)
    assert graph.match(1, 3, rng) == {1: 3, 2: 2, 3: 1}
    assert graph.match(1, 2, rng) is None
    assert Graph([(1, -2), (3,)]).match(1, 2, rng) is None  # though what is apart from both stays
    assert Graph([(-1, 2), (1, -2)]).match(1, 2, rng) == {1: 2, 2: 1}


@pytest.mark.parametrize("free", [0, 1])
def test_the_first_and_the_last_variable_are_looked_at_too(free: int) -> None:
    """One variable is fixed, the symbols of the other can be exchanged: there is no other symmetry."""
    frame = Problem(("a", "b"), (2, 2))
    problem = make_problem(("a", "b"), (2, 2), [[frame.literal(1 - free, 0)]])
    [found] = find_symmetries(problem, 4)
    expected = np.arange(4)
    expected[[2 * free, 2 * free + 1]] = [2 * free + 1, 2 * free]
    assert found.cells.tolist() == expected.tolist()


def test_the_identity_and_what_parts_the_symbols_of_a_variable_are_no_symmetries() -> None:
    problem = Problem(("a", "b"), (2, 2))
    identity = {literal: literal for literal in range(1, 5)}
    assert symmetry._as_cells(problem, identity) is None
    assert symmetry._as_cells(problem, {1: 3, 2: 2, 3: 1, 4: 4}) is None  # a's symbols go to b and to a
    swapped = symmetry._as_cells(problem, {1: 3, 2: 4, 3: 1, 4: 2})
    assert swapped is not None
    assert swapped.variables.tolist() == [1, 0]
    assert swapped.cells.tolist() == [2, 3, 0, 1]
    assert symmetry._as_cells(problem, {1: 9, 2: 4, 3: 1, 4: 2}) is None  # to an auxiliary


def test_a_pair_that_leads_nowhere_does_not_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    match, calls = Graph.match, []

    def failing_first(self, one, other, rng):
        calls.append(one)
        return None if len(calls) == 1 else match(self, one, other, rng)

    monkeypatch.setattr(Graph, "match", failing_first)
    assert find_symmetries(Sudoku().problem, 1)
    assert len(calls) >= 2
