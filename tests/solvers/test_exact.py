"""The enumerated posterior against one written as plain loops."""

import itertools
import sys

import numpy as np
import pytest
import torch

from groundcheck.datasets.addition import Addition
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.parity import Parity
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.extras import MissingExtraError
from groundcheck.solvers.rules import circuits, compiling
from groundcheck.solvers.rules.reasoning import worlds_of
from groundcheck.solvers.rules.worlds import Enumeration, TooManySolutionsError
from groundcheck.solvers.semantic import SemanticLoss

WITH_CIRCUITS = pytest.param(
    "circuit",
    marks=pytest.mark.skipif(
        not circuits.installed(), reason="the extra [circuits] (PySDD, klay) is not installed"
    ),
)
reasonings = pytest.mark.parametrize("reasoning", ["enumeration", WITH_CIRCUITS])


def latin(size: int) -> Problem:
    """A latin square: each symbol once per row and column."""
    frame = Problem(tuple(f"{r},{c}" for r in range(size) for c in range(size)), (size,) * size**2)
    lines = [[r * size + c for c in range(size)] for r in range(size)]
    lines += [list(column) for column in zip(*lines, strict=True)]
    clauses = [
        [-frame.literal(a, k), -frame.literal(b, k)]
        for line in lines
        for a, b in itertools.combinations(line, 2)
        for k in range(size)
    ]
    return make_problem(frame.variables, frame.domains, clauses)


def adder() -> Problem:
    """Two digits 0…2 and their sum 0…4: domains of different sizes."""
    frame = Problem(("a", "b", "sum"), (3, 3, 5))
    clauses = [
        [-frame.literal(0, a), -frame.literal(1, b), frame.literal(2, a + b)]
        for a in range(3)
        for b in range(3)
    ]
    return make_problem(frame.variables, frame.domains, clauses)


def random_beliefs(problem: Problem, rows: int, *, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.rand(rows, len(problem.variables), problem.symbols, generator=rng, dtype=torch.float64)
    drawn = drawn * torch.from_numpy(problem.legal)
    return drawn / drawn.sum(-1, keepdim=True)


def posterior(problem: Problem, beliefs: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, dict]:
    """Marginals and the weight of each world, by looping over every assignment and asking the rules."""
    weights = {}
    for world in (tuple(int(k) for k in w) for w in problem.solutions()):
        weights[world] = np.prod([beliefs[v, k] for v, k in enumerate(world) if given[v]])
    marginals = np.zeros_like(beliefs)
    for world, weight in weights.items():
        for v, k in enumerate(world):
            marginals[v, k] += weight
    return marginals / sum(weights.values()), weights


@reasonings
@pytest.mark.parametrize("problem", [latin(3), adder(), Mapping(symbols=4).drawn(3).problem])
def test_forward_and_loss_are_those_of_plain_enumeration(problem, reasoning):
    rows, variables = 5, len(problem.variables)
    beliefs = random_beliefs(problem, rows)
    rng = np.random.default_rng(0)
    given = rng.random((rows, variables)) < 0.6
    worlds = list(problem.solutions())
    answers = np.stack([worlds[i] for i in rng.integers(len(worlds), size=rows)])
    answers[given] = -1
    solver = Exact(problem, reasoning)
    completion = solver(beliefs, torch.from_numpy(given))
    losses = solver.loss(beliefs, torch.from_numpy(given), torch.from_numpy(answers))
    for row in range(rows):
        marginals, weights = posterior(problem, beliefs[row].numpy(), given[row])
        assert np.allclose(completion[row].numpy(), marginals, atol=1e-12)
        agreeing = sum(
            weight
            for world, weight in weights.items()
            if all(a < 0 or a == k for a, k in zip(answers[row], world, strict=True))
        )
        assert losses[row].item() == pytest.approx(-np.log(agreeing), abs=1e-10)


@reasonings
@pytest.mark.parametrize("problem", [latin(3), adder()])
def test_gradients_match_finite_differences(problem, reasoning):
    logits = torch.randn(
        2, len(problem.variables), problem.symbols, generator=torch.Generator().manual_seed(1)
    ).double()
    logits = logits.masked_fill(~torch.from_numpy(problem.legal), -40.0).requires_grad_()
    given = torch.ones(2, len(problem.variables), dtype=torch.bool)
    given[:, -1] = False
    worlds = torch.from_numpy(np.stack(list(problem.solutions())))
    answer = torch.where(given, -1, worlds[:2])
    solver = Exact(problem, reasoning)
    assert torch.autograd.gradcheck(lambda x: solver(x.softmax(-1), given), logits)
    assert torch.autograd.gradcheck(lambda x: solver.loss(x.softmax(-1), given, answer), logits)


@reasonings
def test_gradient_at_saturated_beliefs_is_the_product_of_the_others(reasoning):
    # The belief that a = 1 is exactly 0, yet raising it would make sum = 2 likelier.
    solver = Exact(adder(), reasoning)
    beliefs = torch.tensor([[[1.0, 0, 0, 0, 0], [0.25, 0.5, 0.25, 0, 0], [0.0] * 5]], dtype=torch.float64)
    beliefs.requires_grad_()
    given = torch.tensor([[True, True, False]])
    solver(beliefs, given)[0, 2, 2].backward()
    # sum = 2 has mass b₂ = 0.25 at a = 0; d/dε of (b₂ + ε b₁)/(1 + ε) at 0 is b₁ − b₂.
    assert beliefs.grad[0, 0, 1].item() == pytest.approx(0.5 - 0.25, abs=1e-12)
    assert torch.isfinite(beliefs.grad).all()


@reasonings
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contradictory_rows_are_nan_and_leave_the_others_alone(dtype, reasoning):
    solver = Exact(latin(2), reasoning)
    one, two = [1.0, 0.0], [0.0, 1.0]
    beliefs = torch.tensor([[one, one, two, one], [one, two, two, one]], dtype=dtype)
    given = torch.ones(2, 4, dtype=torch.bool)
    completion = solver(beliefs, given)
    assert completion[0].isnan().all()
    assert torch.allclose(completion[1], beliefs[1], atol=1e-20)
    loss = solver.loss(beliefs, given, torch.full((2, 4), -1))
    assert loss[0] > 60
    assert loss[1] == 0


def test_loss_counts_that_the_rules_hold_as_evidence():
    # Two cells of a 2×2 latin square that must differ; both are believed to be 0 with 0.9.
    solver = Exact(latin(2))
    beliefs = torch.full((1, 4, 2), torch.nan)
    beliefs[0, :2] = torch.tensor([0.9, 0.1])
    given = torch.tensor([[True, True, False, False]])
    answer = torch.tensor([[-1, -1, 1, 0]])
    assert solver.loss(beliefs, given, answer).item() == pytest.approx(-np.log(0.9 * 0.1), rel=1e-5)


@reasonings
def test_an_answer_against_the_rules_costs_much_and_teaches_nothing(reasoning):
    beliefs = torch.full((1, 4, 2), 0.5, requires_grad=True)
    given = torch.tensor([[True, True, False, False]])
    loss = Exact(latin(2), reasoning).loss(beliefs, given, torch.tensor([[-1, -1, 0, 0]]))
    assert loss.item() > 1000
    loss.sum().backward()
    assert torch.equal(beliefs.grad, torch.zeros_like(beliefs))


def test_too_many_and_no_solutions_are_refused():
    with pytest.raises(TooManySolutionsError, match="more than 10 solutions"):
        Enumeration(latin(3), limit=10)
    with pytest.raises(ValueError, match="no solution"):
        Enumeration(make_problem(("a",), (2,), [[-1], [-2]]))
    with pytest.raises(ValueError, match="without rules"):
        Exact(latin(2).without_rules())
    with pytest.raises(ValueError, match="reasoning='magic'"):
        Exact(latin(2), "magic")


@reasonings
@pytest.mark.parametrize("problem", [latin(3), adder(), Parity(length=4).problem])
def test_every_question_has_the_answer_of_the_worlds_themselves(problem, reasoning):
    # The links of a parity chain are auxiliary variables, which a circuit must have quantified.
    worlds = worlds_of(problem, reasoning)
    cells = len(problem.variables) * problem.symbols
    leaves = torch.randn(4, cells, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    leaves.requires_grad_()
    table = torch.from_numpy(np.stack(list(problem.solutions())))
    index = table + torch.arange(len(problem.variables)) * problem.symbols
    for row in range(4):
        weights = leaves[row, index].sum(-1).exp()
        shares = weights / weights.sum()
        assert worlds.log_weight(leaves)[row].item() == pytest.approx(weights.sum().log().item())
        assert worlds.entropy(leaves)[row].item() == pytest.approx(-(shares * shares.log()).sum().item())
        assert torch.equal(worlds.most_likely(leaves)[row], table[weights.argmax()])
    assert torch.autograd.gradcheck(worlds.log_weight, leaves)
    assert torch.autograd.gradcheck(worlds.entropy, leaves)
    assert torch.autograd.gradcheck(worlds.marginals, leaves)


@reasonings
def test_the_most_likely_of_equal_worlds_is_one_world(reasoning):
    worlds = worlds_of(latin(3), reasoning)
    found = worlds.most_likely(torch.zeros(1, 27))[0].tolist()
    assert found in [solution.tolist() for solution in latin(3).solutions()]


@pytest.mark.skipif(not circuits.installed(), reason="the extra [circuits] (PySDD, klay) is not installed")
def test_rules_without_solution_do_not_compile():
    with pytest.raises(ValueError, match="no solution"):
        circuits.Circuit(make_problem(("a",), (2,), [[-1], [-2]]))
    with pytest.raises(ValueError, match="without rules"):
        circuits.Circuit(latin(2).without_rules())


@pytest.fixture
def _without_circuits(monkeypatch):
    for module in ("pysdd", "pysdd.sdd", "klay"):
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.usefixtures("_without_circuits")
def test_a_missing_extra_says_which():
    with pytest.raises(MissingExtraError, match=r"klaycircuits.*pip install 'groundcheck\[circuits\]'"):
        Exact(latin(2), "circuit")


@pytest.mark.usefixtures("_without_circuits")
@pytest.mark.parametrize("build", [Exact, SemanticLoss])
def test_without_the_extra_worlds_are_listed_up_to_a_hundred_thousand(build):
    # 10,000 worlds are compiled where that is possible, and too many for a table nobody asked for.
    worlds = build(Addition(digits=2).problem).worlds
    assert isinstance(worlds, Enumeration)
    assert len(worlds.solutions) == 10_000
    with pytest.raises(MissingExtraError, match=r"more than 100,000 solutions.*'groundcheck\[circuits\]'"):
        build(Parity(length=20).problem)


@pytest.mark.skipif(not circuits.installed(), reason="the extra [circuits] (PySDD, klay) is not installed")
@pytest.mark.parametrize(
    ("task", "worlds"),
    [(Addition(digits=2), 10**4), (Addition(digits=5), 10**10), (Parity(length=20), 2**20)],
)
def test_circuits_count_what_no_list_could_hold(task, worlds):
    assert circuits.Circuit(task.problem).count() == worlds


@pytest.mark.skipif(not circuits.installed(), reason="the extra [circuits] (PySDD, klay) is not installed")
def test_few_worlds_are_listed_and_many_compiled(monkeypatch):
    assert isinstance(worlds_of(latin(3)), Enumeration)
    assert isinstance(worlds_of(Parity(length=20).problem), circuits.Circuit)
    monkeypatch.setattr(compiling, "MAX_NODES", 500)
    with pytest.raises(TooManySolutionsError, match="do not compile to a circuit of 500 nodes"):
        worlds_of(Addition().problem)
