import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.exact import log_leaves
from groundcheck.solvers.rules.circuits import Circuit, installed
from groundcheck.solvers.rules.entropy import Entropic, one, weigh, zero
from groundcheck.solvers.rules.worlds import Enumeration
from groundcheck.solvers.semantic import SemanticLoss

log_weights = st.floats(-40.0, 0.0, allow_nan=False)


def value(log_weight: float) -> Entropic:
    return weigh(torch.tensor([log_weight], dtype=torch.float64))


def same(first: Entropic, second: Entropic) -> None:
    for a, b in ((first.log_weight, second.log_weight), (first.log_information, second.log_information)):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(log_weights, log_weights, log_weights)
def test_the_axioms_of_a_semiring(a: float, b: float, c: float) -> None:
    x, y, z = value(a), value(b), value(c)
    x = x * y + z  # not only single worlds
    same((x + y) + z, x + (y + z))
    same(x + y, y + x)
    same((x * y) * z, x * (y * z))
    same(x * y, y * x)
    same(x * (y + z), x * y + x * z)
    nothing, certain = zero(x.log_weight), one(x.log_weight)
    same(x + nothing, x)
    same(x * certain, x)
    assert (x * nothing).log_weight.item() == -math.inf
    assert (x * nothing).log_information.item() == -math.inf


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.floats(-30.0, -0.01), min_size=1, max_size=8))
def test_the_entropy_of_a_sum_is_that_of_its_shares(logs: list[float]) -> None:
    total = value(logs[0])
    for log in logs[1:]:
        total = total + value(log)
    share = np.exp(np.array(logs) - np.logaddexp.reduce(logs))
    assert total.entropy.item() == pytest.approx(float(-(share * np.log(share)).sum()), abs=1e-9)


def leaves(boards: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    beliefs = torch.randn(boards, 16, 4, generator=rng, dtype=dtype).mul(2).softmax(-1)
    return log_leaves(beliefs, torch.rand(boards, 16, generator=rng) < 0.6)


needs_circuits = pytest.mark.skipif(not installed(), reason="circuits are not installed")


@pytest.fixture(scope="module")
def table() -> Enumeration:
    return Enumeration(Sudoku().problem)


@pytest.fixture(scope="module")
def circuit() -> Circuit:
    return Circuit(Sudoku().problem)


@needs_circuits
def test_three_ways_agree_on_the_288_grids(table: Enumeration, circuit: Circuit) -> None:
    own = leaves(6)
    entropy = table.entropy(own)
    assert len(table.solutions) == 288
    torch.testing.assert_close(circuit.entropy(own), entropy, rtol=0, atol=1e-10)
    torch.testing.assert_close(circuit.evaluate(own).entropy, entropy, rtol=0, atol=1e-10)
    torch.testing.assert_close(circuit.evaluate(own).log_weight, table.log_weight(own), rtol=0, atol=1e-10)
    other = leaves(6, seed=1)
    torch.testing.assert_close(
        circuit.divergence(own, other), table.divergence(own, other), rtol=0, atol=1e-10
    )


def test_entropy_is_between_nothing_and_all_worlds(table: Enumeration) -> None:
    entropy = table.entropy(torch.cat([leaves(50), leaves(20).mul(50), torch.zeros(1, 64).double()]))
    assert (entropy >= -1e-12).all()
    assert (entropy <= math.log(288) + 1e-12).all()
    assert entropy[-1].item() == pytest.approx(math.log(288))


def test_a_divergence_is_zero_from_itself_and_positive_from_others(table: Enumeration) -> None:
    own, other = leaves(20), leaves(20, seed=1)
    assert table.divergence(own, own).abs().max().item() < 1e-12
    assert (table.divergence(own, other) > 0).all()


@needs_circuits
@pytest.mark.parametrize("name", ["table", "circuit"])
def test_gradients_in_float64_and_those_of_float32_beside_them(name: str, request) -> None:
    worlds = request.getfixturevalue(name)
    own = leaves(2).requires_grad_()
    other = leaves(2, seed=1)
    chosen = torch.arange(0, 64, 7)  # some leaves: each costs two evaluations

    def some(part: torch.Tensor) -> torch.Tensor:
        whole = own.detach().clone()
        whole[:, chosen] = part
        return torch.cat([worlds.entropy(whole), worlds.divergence(whole, other)])

    assert torch.autograd.gradcheck(some, own.detach()[:, chosen].clone().requires_grad_(), atol=1e-6)
    worlds.entropy(own).sum().backward()
    narrow = own.detach().float().requires_grad_()
    worlds.entropy(narrow).sum().backward()
    assert own.grad is not None
    assert narrow.grad is not None
    torch.testing.assert_close(narrow.grad.double(), own.grad, rtol=1e-3, atol=1e-4)


def test_distillation_pulls_doubt_towards_that_of_the_rules() -> None:
    torch.manual_seed(0)
    solver = SemanticLoss(Sudoku().problem, weight=0.0, distilled=1.0, hidden=32)
    rng = torch.Generator().manual_seed(0)
    solution = torch.tensor(Sudoku().generate("train", 16, 0).solution).long()
    beliefs = torch.nn.functional.one_hot(solution, 4).float() * 0.9 + 0.025
    seen = torch.rand(16, 16, generator=rng) < 0.5
    nothing = torch.full_like(solution, -1)
    optimizer = torch.optim.Adam(solver.parameters(), lr=1e-2)

    def apart() -> float:
        with torch.no_grad():
            return solver.doubt(beliefs, seen, solver(beliefs, seen)).abs().mean().item()

    before = apart()
    for _ in range(30):
        optimizer.zero_grad()
        solver.loss(beliefs, seen, nothing).sum().backward()
        optimizer.step()
    assert apart() < 0.5 * before
