"""Networks without logic: what they see, what they return, and that they learn what can be learnt."""

import pytest
import torch
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import make_problem
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.solver import answer_nll

ADDER = make_problem(("a", "b", "sum"), (3, 3, 5)).without_rules()


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("build", [MLP])
def test_completion_is_a_distribution_over_each_variables_own_symbols(build):
    solver = build(ADDER)
    beliefs = torch.rand(4, 3, 5) * torch.from_numpy(ADDER.legal)
    given = torch.tensor([[True, True, False]]).expand(4, 3)
    completion = solver(beliefs, given)
    assert torch.equal(completion[:, :2], beliefs[:, :2])
    assert torch.allclose(completion[:, 2].sum(-1), torch.ones(4))
    flipped = solver(beliefs.flip(1), ~given)
    assert torch.equal(flipped[:, :2, 3:], torch.zeros(4, 2, 2))


@pytest.mark.parametrize("build", [MLP])
def test_what_stands_at_queries_is_ignored(build):
    solver = build(ADDER)
    given = torch.tensor([[True, False, False]]).expand(2, 3)
    beliefs = torch.rand(2, 3, 5)
    spoilt = beliefs.masked_fill(~given.unsqueeze(-1), torch.nan)
    assert torch.equal(solver(beliefs, given), solver(spoilt, given))


@pytest.mark.parametrize("build", [MLP])
def test_learns_the_mapping_from_symbols(build):
    task = Mapping().drawn(1)
    solver = build(task.problem.without_rules())
    symbol = torch.arange(10)
    answer = torch.from_numpy(task._outputs)[symbol]
    answer = torch.stack([torch.full((10,), -1), answer], dim=1)
    beliefs = torch.zeros(10, 2, 10)
    beliefs[symbol, 0, symbol] = 1
    given = answer < 0
    adam = torch.optim.Adam(solver.parameters(), lr=solver.learning_rate)
    for _ in range(150):
        adam.zero_grad()
        answer_nll(solver(beliefs, given), answer).mean().backward()
        adam.step()
    assert torch.equal(solver(beliefs, given)[:, 1].argmax(-1), answer[:, 1])


def test_no_units_are_refused():
    with pytest.raises(ValueError, match="hidden=0"):
        MLP(ADDER, hidden=0)
