"""Rules with auxiliaries of every kind compile to what listing their worlds gives."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from groundcheck.datasets.logic import Logic
from groundcheck.datasets.parity import Parity
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.visudo import ViSudo
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.rules import compiling
from groundcheck.solvers.rules.circuits import Circuit, installed
from groundcheck.solvers.rules.compiling import find_gates

pytestmark = pytest.mark.skipif(not installed(), reason="the extra [circuits] (PySDD, klay) is not installed")

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def random_problem(seed: int) -> Problem:
    """Variables of several sizes; gates of gates, in either polarity; free auxiliaries; clauses over all."""
    rng = np.random.default_rng(seed)
    domains = tuple(rng.integers(2, 4, size=rng.integers(2, 5)).tolist())
    top = sum(domains)
    known = list(range(1, top + 1))
    clauses: list[list[int]] = []
    for auxiliary in range(top + 1, top + 1 + int(rng.integers(0, 6))):
        inputs = (rng.choice(known, size=rng.integers(1, 4)) * rng.choice((-1, 1))).tolist()
        literal = auxiliary * int(rng.choice((-1, 1)))
        if rng.random() < 0.75:  # a gate; otherwise an auxiliary that is only implied
            clauses.append([literal, *inputs])
        clauses += [[-literal, -other] for other in inputs]
        known.append(auxiliary)
    for _ in range(int(rng.integers(0, 5))):
        chosen = rng.choice(known, size=rng.integers(1, 4))
        clauses.append((chosen * rng.choice((-1, 1), size=len(chosen))).tolist())
    rng.shuffle(clauses)
    return make_problem(tuple(f"v{i}" for i in range(len(domains))), domains, clauses)


def assert_same_worlds(problem: Problem, seed: int) -> None:
    """Every question has the answer of the worlds themselves, which SAT lists one by one."""
    worlds = torch.from_numpy(np.array(list(problem.solutions())))
    circuit = Circuit(problem)
    assert circuit.count() == len(worlds)
    rng = torch.Generator().manual_seed(seed)
    cells = len(problem.variables) * problem.symbols
    leaves = torch.randn(3, cells, generator=rng, dtype=torch.float64)
    hot = torch.nn.functional.one_hot(worlds, problem.symbols).flatten(1).double()
    log = (leaves @ hot.T).log_softmax(-1)
    legal = torch.from_numpy(problem.legal).flatten()
    assert torch.allclose(circuit.log_weight(leaves), (leaves @ hot.T).logsumexp(-1), **CLOSE)
    assert torch.allclose(circuit.marginals(leaves)[:, legal], (log.exp() @ hot)[:, legal], **CLOSE)
    assert torch.allclose(circuit.entropy(leaves), -(log.exp() * log).sum(-1), **CLOSE)
    assert torch.equal(circuit.most_likely(leaves), worlds[log.argmax(-1)])


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32))
def test_a_circuit_has_the_worlds_of_the_table(seed: int) -> None:
    problem = random_problem(seed)
    if next(problem.solutions(1), None) is None:
        with pytest.raises(ValueError, match="no solution"):
            Circuit(problem)
        return
    assert_same_worlds(problem, seed)


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(formula=st.integers(0, 1000), clauses=st.integers(1, 12), width=st.integers(1, 3))
def test_random_formulas_have_the_worlds_of_the_table(formula: int, clauses: int, width: int) -> None:
    try:
        task = Logic(variables=5, clauses=clauses, width=width, formula=formula)
    except ValueError:
        return  # nothing satisfies it
    assert_same_worlds(task.problem, formula)


def test_the_posterior_of_a_formula_is_that_of_enumeration() -> None:
    problem = Logic(variables=6, clauses=10).problem
    rng = torch.Generator().manual_seed(0)
    beliefs = torch.rand(5, 7, 2, generator=rng, dtype=torch.float64).softmax(-1)
    given_ = torch.arange(7).expand(5, 7) < 6
    answer = torch.where(given_, -1, torch.tensor([[0], [1], [0], [1], [1]]))
    by_circuit, by_table = Exact(problem, "circuit"), Exact(problem, "enumeration")
    assert torch.allclose(by_circuit(beliefs, given_), by_table(beliefs, given_), **CLOSE)
    losses = [solver.loss(beliefs, given_, answer) for solver in (by_circuit, by_table)]
    assert torch.allclose(losses[0], losses[1], **CLOSE)


def test_gates_are_found_in_either_polarity_and_nothing_else_is() -> None:
    clauses = [
        [4, 1, -2], [-4, -1], [-4, 2],  # 4 ⇔ ¬1 ∧ 2
        [-5, 3, 4], [5, -3], [5, -4],  # 5 ⇔ 3 ∨ 4
        [6, 1, 7], [-6, -1], [-6, -7],  # may define 7 by 6, or 6 by 7; only inputs below count
        [8, 1, 2], [-8, -1],  # 8 is only implied
        [5, 6, -8],
    ]  # fmt: skip
    gates, left = find_gates(clauses, 3)
    assert {auxiliary: (gate.literal, set(gate.inputs)) for auxiliary, gate in gates.items()} == {
        4: (4, {1, -2}),
        5: (-5, {3, 4}),
    }
    assert left == clauses[6:]


def test_formulas_and_boards_fit_with_room_to_spare(monkeypatch) -> None:
    """With an auxiliary per clause the formulas took 38,000 to more than 100,000 nodes, boards more."""
    monkeypatch.setattr(compiling, "MAX_NODES", 8_192)
    for number in range(3):
        _, root = compiling.compile_rules(Logic(formula=number).problem)
        assert root.count() < 1_364
    compiling.compile_rules(ViSudo().problem)


def test_clauses_are_joined_along_their_variables_though_all_share_the_label(monkeypatch) -> None:
    """By the place of the label, which all have, 30 variables took 27,000 nodes, and 40 more than 100,000."""
    monkeypatch.setattr(compiling, "MAX_NODES", 10_000)
    _, root = compiling.compile_rules(Logic(variables=30, clauses=90).problem)
    assert root.size() < 5_000


def test_boards_compile_and_count() -> None:
    assert Circuit(ViSudo().problem).count() == 4**16
    assert math.log2(Circuit(Logic(variables=20, clauses=40).problem).count()) == 20


def test_rules_without_gates_keep_their_arrangement() -> None:
    """Exclusive ors define by more than one long clause: their auxiliaries are quantified, as before."""
    problem = Parity(length=6).problem
    assert problem.rules is not None
    gates, left = find_gates(problem.rules.clauses, problem.indicators)
    assert gates == {}
    assert left == problem.rules.clauses
