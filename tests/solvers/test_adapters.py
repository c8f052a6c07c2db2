"""Other packages' layers, and plain functions, as solvers."""

import importlib.util
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.ablkit import ABLkit
from groundcheck.solvers.adapters import (
    LTN,
    ConvexRelaxation,
    PublicSATNet,
    from_callable,
    from_decorator,
)
from groundcheck.solvers.blackbox import Blackbox
from groundcheck.solvers.deepproblog import DeepProbLog
from groundcheck.solvers.extras import MissingExtraError
from groundcheck.solvers.pyepo import PyEPOBlackbox, PyEPOPerturbed, PyEPOSPOPlus

DIFFER = make_problem(("a", "b"), (2, 2), [[-1, -3], [-2, -4]])
ADAPTERS = [
    PublicSATNet, LTN, ConvexRelaxation, ABLkit, DeepProbLog, PyEPOBlackbox, PyEPOPerturbed, PyEPOSPOPlus,
]  # fmt: skip


def needs(module, extra):
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"the extra [{extra}] is not installed")


def test_a_module_becomes_a_solver_that_learns():
    torch.manual_seed(0)
    built = from_callable(lambda p: nn.Sequential(nn.Flatten(1), nn.Linear(6, 4), nn.Unflatten(1, (2, 2))))
    assert built.rules == "learned"
    solver = built(DIFFER.without_rules())
    beliefs = torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    given, answer = torch.tensor([[True, False]]).expand(2, 2), torch.tensor([[-1, 1], [-1, 0]])
    adam = torch.optim.Adam(solver.parameters(), 0.1)
    for _ in range(50):
        adam.zero_grad()
        solver.loss(beliefs, given, answer).sum().backward()
        adam.step()
    assert solver(beliefs, given)[:, 1].argmax(-1).tolist() == [1, 0]


def test_a_function_may_return_beliefs_and_use_the_rules():
    def differ(seen):
        return seen[..., :2].flip(1).flip(2)

    solver = from_callable(lambda p: differ if p.rules else None, rules="given", output="beliefs")(DIFFER)
    beliefs = torch.tensor([[[0.9, 0.1], [0.5, 0.5]]])
    completion = solver(beliefs, torch.tensor([[True, False]]))
    assert torch.allclose(completion, torch.tensor([[[0.9, 0.1], [0.1, 0.9]]]))


def test_wrong_shapes_and_outputs_are_refused():
    solver = from_callable(lambda p: lambda seen: seen)(DIFFER.without_rules())
    with pytest.raises(ValueError, match=r"returned \(1, 2, 3\) for beliefs of \(1, 2, 2\)"):
        solver(torch.rand(1, 2, 2), torch.tensor([[True, False]]))
    with pytest.raises(ValueError, match="output='odds'"):
        from_callable(lambda p: lambda seen: seen, output="odds")


def interpolating(strength):
    """Vlastelica's rule as a decorator: what Blackbox has built in."""

    def decorator(function):
        class Rule(torch.autograd.Function):
            @staticmethod
            def forward(ctx, weights):
                decided = function(weights)
                ctx.save_for_backward(weights, decided)
                return decided

            @staticmethod
            def backward(ctx, slope):
                weights, decided = ctx.saved_tensors
                return (decided - function(weights - strength * slope)) / strength

        return Rule.apply

    return decorator


def test_a_decorator_gives_the_gradient():
    task = Sudoku(size=4)
    problem, puzzles = task.problem, task.generate("train", 5, 0)
    beliefs = torch.rand(5, 16, 4, generator=torch.Generator().manual_seed(0))
    given = torch.from_numpy(puzzles.given)
    answer = torch.where(given, -1, torch.from_numpy(puzzles.solution.astype("int64")))
    slopes = []
    for solver in (from_decorator(interpolating(3.0))(problem), Blackbox(problem, strength=3.0)):
        variable = beliefs.clone().requires_grad_()
        solver.loss(variable, given, answer).sum().backward()
        slopes.append(variable.grad)
    assert torch.equal(*slopes)
    assert slopes[0].abs().sum() > 0


@needs("ltn", "ltn")
def test_ltn_is_one_minus_the_p_mean_error_of_the_clauses():
    beliefs = torch.tensor([[[0.6, 0.4], [0.3, 0.7]]])
    given, answer = torch.ones(1, 2, dtype=torch.bool), torch.full((1, 2), -1)
    truths = torch.tensor([1 - 0.6 * 0.3, 1 - 0.4 * 0.7, 1 - 0.6 * 0.4, 1 - 0.24, 1 - 0.3 * 0.7, 1 - 0.21])
    expected = ((1 - truths) ** 2).mean().sqrt()
    assert LTN(DIFFER).loss(beliefs, given, answer).item() == pytest.approx(expected.item(), abs=1e-3)


@needs("cvxpylayers", "cvxpylayers")
def test_convex_relaxation_finds_the_world_and_its_gradient():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages underneath
        task = Mapping(symbols=3, bijection="identity")
        solver = ConvexRelaxation(task.problem)
        beliefs = torch.tensor([[[0.9, 0.1, 0.0], [0.0, 0.0, 0.0]]], dtype=torch.float64, requires_grad=True)
        given, answer = torch.tensor([[True, False]]), torch.tensor([[-1, 1]])
        completion = solver(beliefs, given)
        assert torch.allclose(completion[0, 0], completion[0, 1], atol=1e-3)
        assert completion[0, 1].argmax() == 0
        solver.loss(beliefs, given, answer).sum().backward()
        assert beliefs.grad[0, 0, 1] < 0
    with pytest.raises(ValueError, match="gamma=0"):
        ConvexRelaxation(task.problem, gamma=0.0)


@needs("satnet", "satnet")
def test_public_satnet_completes():
    solver = PublicSATNet(DIFFER.without_rules(), m=4, aux=2)
    beliefs = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    completion = solver(beliefs, torch.tensor([[True, False]]))
    assert torch.equal(completion[:, 0], beliefs[:, 0])
    assert ((completion >= 0) & (completion <= 1)).all()


@pytest.mark.parametrize("solver", ADAPTERS)
def test_a_solver_without_its_extra_says_which(solver, monkeypatch):
    for extra in solver.extras:
        monkeypatch.setitem(sys.modules, extra.module, None)
        monkeypatch.setitem(sys.modules, extra.module.partition(".")[0], None)
    extra = solver.extras[0]
    assert not extra.installed
    with pytest.raises(MissingExtraError, match=rf"needs {extra.package}.*'groundcheck\[{extra.name}\]'"):
        solver(DIFFER if solver.rules == "given" else DIFFER.without_rules())


def test_every_extra_is_one_of_the_packages():
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for solver in ADAPTERS:
        assert {extra.name for extra in solver.extras} <= declared["optional-dependencies"].keys()
