"""Networks without logic: what they see, what they return, and that they learn what can be learnt."""

import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import make_problem
from groundcheck.solvers.attention import RecurrentTransformer, Transformer
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.rrn import RRN

NETWORKS = [MLP, Transformer, RecurrentTransformer, RRN]
ADDER = make_problem(("a", "b", "sum"), (3, 3, 5)).without_rules()


def short(build, problem):
    """With fewer rounds than by default, where it has rounds: what is tested holds for any number."""
    rounds = {RecurrentTransformer: {"recurrences": 4}, RRN: {"steps": 4}}
    return build(problem, **rounds.get(build, {}))


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("build", NETWORKS)
def test_completion_is_a_distribution_over_each_variables_own_symbols(build):
    solver = build(ADDER)
    beliefs = torch.rand(4, 3, 5) * torch.from_numpy(ADDER.legal)
    given = torch.tensor([[True, True, False]]).expand(4, 3)
    completion = solver(beliefs, given)
    assert torch.equal(completion[:, :2], beliefs[:, :2])
    assert torch.allclose(completion[:, 2].sum(-1), torch.ones(4))
    flipped = solver(beliefs.flip(1), ~given)
    assert torch.equal(flipped[:, :2, 3:], torch.zeros(4, 2, 2))


@pytest.mark.parametrize("build", NETWORKS)
def test_what_stands_at_queries_is_ignored(build):
    solver = build(ADDER)
    given = torch.tensor([[True, False, False]]).expand(2, 3)
    beliefs = torch.rand(2, 3, 5)
    spoilt = beliefs.masked_fill(~given.unsqueeze(-1), torch.nan)
    assert torch.equal(solver(beliefs, given), solver(spoilt, given))


@pytest.mark.parametrize("build", NETWORKS)
def test_learns_the_mapping_from_symbols(build):
    task = Mapping().drawn(1)
    solver = short(build, task.problem.without_rules())
    symbol = torch.arange(10)
    answer = torch.from_numpy(task._outputs)[symbol]
    answer = torch.stack([torch.full((10,), -1), answer], dim=1)
    beliefs = torch.zeros(10, 2, 10)
    beliefs[symbol, 0, symbol] = 1
    given = answer < 0
    adam = torch.optim.Adam(solver.parameters(), lr=solver.learning_rate)
    for _ in range(200):
        adam.zero_grad()
        solver.loss(beliefs, given, answer).mean().backward()
        adam.step()
    assert torch.equal(solver(beliefs, given)[:, 1].argmax(-1), answer[:, 1])


def test_no_units_are_refused():
    with pytest.raises(ValueError, match="hidden=0"):
        MLP(ADDER, hidden=0)


@pytest.mark.parametrize("build", NETWORKS)
def test_learns_exclusive_or_of_three_variables(build):
    # What no two variables tell of the third: a network that did not mix them would stay at chance.
    solver = short(build, make_problem("abc", (2, 2, 2)).without_rules())
    bits = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    answer = torch.cat([torch.full((4, 2), -1), bits.sum(1, keepdim=True) % 2], dim=1)
    beliefs = torch.nn.functional.one_hot(torch.cat([bits, bits[:, :1]], dim=1), 2).float()
    given = answer < 0
    adam = torch.optim.Adam(solver.parameters(), lr=solver.learning_rate)
    for _ in range(200):
        adam.zero_grad()
        solver.loss(beliefs, given, answer).mean().backward()
        adam.step()
    assert torch.equal(solver(beliefs, given)[:, 2].argmax(-1), answer[:, 2])


@pytest.mark.parametrize("build", [Transformer, RecurrentTransformer, RRN])
def test_variables_differ_by_their_positions_alone(build):
    # Messages and attention are the same between any two: with the positions exchanged so are the answers.
    problem = make_problem("abcd", (3,) * 4).without_rules()
    solver = short(build, problem)
    beliefs = torch.rand(5, 4, 3)
    given = torch.tensor([[True, False, True, False]]).expand(5, 4)
    before, order = solver(beliefs, given), torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        solver.position.copy_(solver.position[order])
    assert torch.allclose(solver(beliefs[:, order], given[:, order]), before[:, order], atol=1e-6)
    assert not torch.allclose(solver(beliefs, given), before, atol=1e-3)


@pytest.mark.parametrize("build", [RecurrentTransformer, RRN])
def test_loss_is_the_mean_over_the_steps(build):
    torch.manual_seed(3)
    solver = build(ADDER)
    beliefs = torch.rand(2, 3, 5)
    given = torch.tensor([[True, True, False]]).expand(2, 3)
    answer = torch.tensor([[-1, -1, 4], [-1, -1, 0]])
    steps = [-step[torch.arange(2), 2, answer[:, 2]].log() for step in solver.completions(beliefs, given)]
    assert len({round(step[0].item(), 5) for step in steps}) > 1
    assert torch.allclose(solver.loss(beliefs, given, answer), sum(steps) / len(steps))


def test_recurrences_share_their_weights():
    count = [sum(p.numel() for p in RecurrentTransformer(ADDER, recurrences=r).parameters()) for r in (1, 32)]
    assert count[0] == count[1]
    with pytest.raises(ValueError, match="width=10 does not divide into heads=4"):
        Transformer(ADDER, width=10)
    with pytest.raises(ValueError, match="recurrences=0"):
        RecurrentTransformer(ADDER, recurrences=0)
    with pytest.raises(ValueError, match="steps=0"):
        RRN(ADDER, steps=0)
