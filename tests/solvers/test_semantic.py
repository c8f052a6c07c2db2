"""Semantic loss and neuro-symbolic entropy on rules small enough to count by hand."""

import numpy as np
import pytest
import torch

from groundcheck.datasets.problem import make_problem
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.semantic import SemanticLoss
from groundcheck.solvers.solver import answer_nll

DIFFER = make_problem(("a", "b"), (2, 2), [[-1, -3], [-2, -4]])  # literals: a=0, a=1, b=0, b=1


def test_semantic_loss_is_that_of_the_two_worlds():
    completion = torch.tensor([[[0.9, 0.1], [0.8, 0.2]]])
    solver = SemanticLoss(DIFFER)
    obeyed = 0.9 * 0.2 + 0.1 * 0.8
    assert solver.broken(completion).item() == pytest.approx(-np.log(obeyed), rel=1e-5)


def test_loss_adds_likelihood_rules_and_entropy():
    torch.manual_seed(0)
    solver = SemanticLoss(DIFFER, weight=0.5, entropy=0.25, tied_to="prediction")
    beliefs = torch.tensor([[[0.7, 0.3], [0.0, 0.0]]])
    given, answer = torch.tensor([[True, False]]), torch.tensor([[-1, 1]])
    q = solver(beliefs, given)[0, 1].detach().numpy()
    worlds = np.array([0.7 * q[1], 0.3 * q[0]])
    shares = worlds / worlds.sum()
    expected = -np.log(q[1]) - 0.5 * np.log(worlds.sum()) - 0.25 * (shares * np.log(shares)).sum()
    assert solver.loss(beliefs, given, answer).item() == pytest.approx(expected, rel=1e-5)


def test_the_rules_alone_teach_perception():
    # Labels of the answer drop out of this gradient: only the rule joins a to b.
    torch.manual_seed(0)
    solver = SemanticLoss(DIFFER)
    beliefs = torch.full((1, 2, 2), 0.5, requires_grad=True)
    completion = torch.stack([beliefs[:, 0], torch.tensor([[0.1, 0.9]])], dim=1)
    solver.broken(completion).sum().backward()
    assert beliefs.grad[0, 0, 0] < beliefs.grad[0, 0, 1]


def test_tied_to_the_answer_it_is_the_exact_likelihood_beside_the_networks_own():
    torch.manual_seed(0)
    solver, beliefs = SemanticLoss(DIFFER), torch.tensor([[[0.7, 0.3], [0.0, 0.0]]])
    given, answer = torch.tensor([[True, False]]), torch.tensor([[-1, 1]])
    own = answer_nll(solver(beliefs, given), answer)
    exact = Exact(DIFFER).loss(beliefs, given, answer)
    assert torch.allclose(solver.loss(beliefs, given, answer), own + exact)


def test_an_unknown_tie_is_refused():
    with pytest.raises(ValueError, match="tied_to='both'"):
        SemanticLoss(DIFFER, tied_to="both")


@pytest.mark.parametrize("option", ["weight", "entropy"])
def test_negative_weights_are_refused(option):
    with pytest.raises(ValueError, match=f"{option}=-1.0"):
        SemanticLoss(DIFFER, **{option: -1.0})
