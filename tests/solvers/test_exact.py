"""The enumerated posterior against one written as plain loops."""

import itertools

import numpy as np
import pytest
import torch
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.solvers.exact import Exact, TooManySolutionsError, enumerate_worlds


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


@pytest.mark.parametrize("problem", [latin(3), adder(), Mapping(symbols=4).drawn(3).problem])
def test_forward_and_loss_are_those_of_plain_enumeration(problem):
    rows, variables = 5, len(problem.variables)
    beliefs = random_beliefs(problem, rows)
    rng = np.random.default_rng(0)
    given = rng.random((rows, variables)) < 0.6
    worlds = list(problem.solutions())
    answers = np.stack([worlds[i] for i in rng.integers(len(worlds), size=rows)])
    answers[given] = -1
    solver = Exact(problem)
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


@pytest.mark.parametrize("problem", [latin(3), adder()])
def test_gradients_match_finite_differences(problem):
    logits = torch.randn(
        2, len(problem.variables), problem.symbols, generator=torch.Generator().manual_seed(1)
    ).double()
    logits = logits.masked_fill(~torch.from_numpy(problem.legal), -40.0).requires_grad_()
    given = torch.ones(2, len(problem.variables), dtype=torch.bool)
    given[:, -1] = False
    worlds = torch.from_numpy(np.stack(list(problem.solutions())))
    answer = torch.where(given, -1, worlds[:2])
    solver = Exact(problem)
    assert torch.autograd.gradcheck(lambda x: solver(x.softmax(-1), given), logits)
    assert torch.autograd.gradcheck(lambda x: solver.loss(x.softmax(-1), given, answer), logits)


def test_gradient_at_saturated_beliefs_is_the_product_of_the_others():
    # The belief that a = 1 is exactly 0, yet raising it would make sum = 2 likelier.
    solver = Exact(adder())
    beliefs = torch.tensor([[[1.0, 0, 0, 0, 0], [0.25, 0.5, 0.25, 0, 0], [0.0] * 5]], dtype=torch.float64)
    beliefs.requires_grad_()
    given = torch.tensor([[True, True, False]])
    solver(beliefs, given)[0, 2, 2].backward()
    # sum = 2 has mass b₂ = 0.25 at a = 0; d/dε of (b₂ + ε b₁)/(1 + ε) at 0 is b₁ − b₂.
    assert beliefs.grad[0, 0, 1].item() == pytest.approx(0.5 - 0.25, abs=1e-12)
    assert torch.isfinite(beliefs.grad).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contradictory_rows_are_nan_and_leave_the_others_alone(dtype):
    solver = Exact(latin(2))
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


def test_an_answer_against_the_rules_costs_much_and_teaches_nothing():
    beliefs = torch.full((1, 4, 2), 0.5, requires_grad=True)
    given = torch.tensor([[True, True, False, False]])
    loss = Exact(latin(2)).loss(beliefs, given, torch.tensor([[-1, -1, 0, 0]]))
    assert loss.item() > 1000
    loss.sum().backward()
    assert torch.equal(beliefs.grad, torch.zeros_like(beliefs))


def test_too_many_and_no_solutions_are_refused():
    with pytest.raises(TooManySolutionsError, match="more than 10 solutions"):
        enumerate_worlds(latin(3), limit=10)
    with pytest.raises(ValueError, match="no solution"):
        enumerate_worlds(make_problem(("a",), (2,), [[1], [2]]))
    with pytest.raises(ValueError, match="without rules"):
        Exact(latin(2).without_rules())
