"""Search against listing every world, and against a MaxSAT solver."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from pysat.examples.rc2 import RC2
from pysat.formula import WCNF

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.parity import Parity
from groundcheck.datasets.problem import make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.rules.search import Search

PROBLEMS = {
    "sudoku": Sudoku(size=4).problem,
    "mapping": Mapping().drawn(0).problem,
    "parity": Parity(length=8).problem,  # the links of its chain are auxiliary literals
}


def heaviest_by_listing(problem, weights, fixed):
    rows = np.arange(len(problem.variables))
    agreeing = [w for w in problem.solutions() if all(f in (-1, k) for f, k in zip(fixed, w, strict=True))]
    return max((weights[rows, w].sum() for w in agreeing), default=None)


@pytest.mark.parametrize("name", ["sudoku", "mapping"])
def test_heaviest_world_is_that_of_listing_them_all(name):
    problem = PROBLEMS[name]
    search, rng = Search(problem), np.random.default_rng(0)
    rows = np.arange(len(problem.variables))
    worlds = list(problem.solutions())
    for trial in range(6):
        weights = rng.normal(size=problem.legal.shape)
        weights[rng.random(len(weights)) < 0.4] = 0
        fixed = np.where(rng.random(len(weights)) < 0.3, worlds[trial], -1).tolist()
        found = search.heaviest(weights, fixed, proven=True)
        assert all(f in (-1, k) for f, k in zip(fixed, found, strict=True))
        assert any((found == world).all() for world in worlds)
        assert weights[rows, found].sum() == pytest.approx(heaviest_by_listing(problem, weights, fixed))


def test_heaviest_world_is_that_of_maxsat_where_worlds_are_too_many():
    task = Sudoku(size=9)
    problem, puzzle = task.problem, task.generate("train", 1, 0)
    rng = np.random.default_rng(1)
    weights = np.round(rng.normal(size=(81, 9)) + 6 * np.eye(9)[puzzle.solution[0]], 2)
    weights[~puzzle.given[0]] = 0
    found = Search(problem).heaviest(weights, [-1] * 81, proven=True)
    formula = WCNF()
    formula.extend(problem.rules.clauses)
    for v, k in np.argwhere(weights).tolist():
        formula.append(
            [int(np.sign(weights[v, k])) * problem.literal(v, k)], weight=round(100 * abs(weights[v, k]))
        )
    with RC2(formula) as maxsat:
        expected = problem.decode(maxsat.compute())
    rows = np.arange(81)
    assert weights[rows, found].sum() == pytest.approx(weights[rows, expected].sum())


@pytest.mark.parametrize("name", PROBLEMS)
def test_worlds_are_all_that_agree(name):
    problem = PROBLEMS[name]
    first = next(problem.solutions())
    fixed = first.copy()
    fixed[: len(fixed) // 2] = -1
    found = Search(problem, nodes=10_000).worlds(fixed.tolist(), limit=10_000)
    agreeing = {tuple(w.tolist()) for w in problem.solutions() if (w == fixed)[fixed >= 0].all()}
    assert {tuple(w.tolist()) for w in found} == agreeing
    assert len(found) == len(agreeing)


def test_limits_and_contradictions():
    search = Search(PROBLEMS["sudoku"])
    assert search.worlds([-1] * 16, limit=287) is None
    assert len(search.worlds([-1] * 16, limit=288)) == 288
    clash = [0, 0] + [-1] * 14
    assert len(search.worlds(clash, limit=10)) == 0
    assert search.heaviest(np.zeros((16, 4)), clash) is None
    few = Search(PROBLEMS["sudoku"], nodes=1)
    weights = np.random.default_rng(0).normal(size=(16, 4))
    assert few.heaviest(weights, [-1] * 16, proven=True) is None
    assert few.heaviest(weights, [-1] * 16) is not None
    with pytest.raises(ValueError, match="nodes=0"):
        Search(PROBLEMS["sudoku"], nodes=0)
    with pytest.raises(ValueError, match="without rules"):
        Search(make_problem("ab", (2, 2)).without_rules())


def test_a_copy_starts_its_own_solver():
    search = Search(PROBLEMS["sudoku"])
    weights = np.random.default_rng(0).normal(size=(16, 4))
    found = search.heaviest(weights, [-1] * 16)
    for other in (copy.deepcopy(search), pickle.loads(pickle.dumps(search))):
        assert other._sat is None
        assert (other.heaviest(weights, [-1] * 16) == found).all()
    assert search.seconds > 0


def test_what_unit_clauses_decide_is_not_branched_on():
    problem = make_problem(("a", "b", "c"), (2, 2, 2), [[1], [3, 5]])
    worlds = Search(problem, nodes=20).worlds([-1, -1, -1], 100)
    assert worlds is not None
    assert sorted(map(tuple, worlds.tolist())) == [(0, 0, 0), (0, 0, 1), (0, 1, 0)]
    weights = np.array([[0.0, 9.0], [0.0, 1.0], [0.0, 1.0]])
    assert Search(problem).heaviest(weights, [-1, -1, -1], proven=True).tolist() == [0, 0, 1]
    none = make_problem(("a", "b"), (2, 2), [[1], [-1]])
    assert Search(none).heaviest(weights[:2], [-1, -1]) is None


@pytest.mark.parametrize(
    ("variables", "conflicts", "found"), [(9, 1000, True), (10, 1000, False), (4, 0, True)]
)
def test_whether_a_world_is_found_within_so_many_conflicts(variables, conflicts, found):
    """Any two of so many variables of nine symbols differ: pigeons, which SAT cannot count."""
    clauses = [
        [-(9 * u + a + 1), -(9 * v + a + 1)]
        for u, v in itertools.combinations(range(variables), 2)
        for a in range(9)
    ]
    problem = make_problem(tuple(map(str, range(variables))), (9,) * variables, clauses)
    assert Search(problem).has_world(conflicts) == found
