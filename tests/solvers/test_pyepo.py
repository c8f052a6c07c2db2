"""PyEPO's functions over the most likely world."""

import importlib.util

import pytest
import torch

from groundcheck.datasets.problem import make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.blackbox import Blackbox
from groundcheck.solvers.pyepo import PyEPOBlackbox, PyEPOPerturbed, PyEPOSPOPlus

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyepo") is None, reason="the extra [pyepo] is not installed"
)
DIFFER = make_problem(("a", "b"), (2, 2), [[-1, -3], [-2, -4]])
BELIEFS = torch.tensor([[[0.8, 0.2], [0.5, 0.5]]])
GIVEN = torch.tensor([[True, False]])
WRONG = torch.tensor([[-1, 0]])  # so that a, read as 0, is 1


def slope_of(solver, beliefs, given, answer):
    variable = beliefs.clone().requires_grad_()
    loss = solver.loss(variable, given, answer)
    return loss.detach(), torch.autograd.grad(loss.sum(), variable)[0]


def test_its_black_box_is_ours():
    task = Sudoku(size=4)
    puzzles = task.generate("train", 5, 0)
    beliefs = torch.rand(5, 16, 4, generator=torch.Generator().manual_seed(0))
    given = torch.from_numpy(puzzles.given)
    answer = torch.where(given, -1, torch.from_numpy(puzzles.solution.astype("int64")))
    ours = slope_of(Blackbox(task.problem, strength=3.0), beliefs, given, answer)
    theirs = slope_of(PyEPOBlackbox(task.problem, strength=3.0), beliefs, given, answer)
    assert torch.equal(ours[0], theirs[0])
    assert torch.allclose(ours[1], theirs[1])
    assert ours[1].abs().sum() > 0


def test_spo_plus_is_the_hinge_of_its_paper():
    loss, slope = slope_of(PyEPOSPOPlus(DIFFER), BELIEFS, GIVEN, WRONG)
    # Worlds (0, 1) and (1, 0); c is 1 for b = 0: max(2 log 0.8 − 0, 2 log 0.2 − 1) − 2 log 0.2 + 1
    log = BELIEFS[0, 0].log()
    assert loss.item() == pytest.approx((2 * log[0] - 2 * log[1] + 1).item(), abs=1e-5)
    assert slope[0, 0, 1] < 0 < slope[0, 0, 0]
    right, flat = slope_of(PyEPOSPOPlus(DIFFER), BELIEFS, GIVEN, torch.tensor([[-1, 1]]))
    assert right.item() == pytest.approx(0, abs=1e-5)
    assert flat.abs().sum() == 0


def test_the_perturbed_loss_moves_towards_the_world_that_has_the_answer():
    torch.manual_seed(0)
    _, slope = slope_of(PyEPOPerturbed(DIFFER, samples=20), BELIEFS, GIVEN, WRONG)
    assert slope[0, 0, 1] < 0 < slope[0, 0, 0]


def test_the_noise_is_that_of_the_seed():
    losses = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        losses.append(PyEPOPerturbed(DIFFER).loss(BELIEFS, GIVEN, WRONG).item())
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("solver", [PyEPOSPOPlus, PyEPOPerturbed])
def test_a_row_without_a_world_is_unsolved_and_teaches_nothing(solver):
    problem = make_problem(("a", "b"), (2, 2), [[-1, -3], [-2, -4], [3]])
    loss, slope = slope_of(solver(problem), BELIEFS, GIVEN, torch.tensor([[-1, 1]]))
    assert loss.isnan().all()
    assert slope.abs().sum() == 0


@pytest.mark.parametrize(
    ("solver", "options", "message"),
    [
        (PyEPOPerturbed, {"samples": 0}, "samples=0"),
        (PyEPOPerturbed, {"sigma": 0.0}, "sigma=0.0"),
        (PyEPOBlackbox, {"strength": 0.0}, "strength=0.0"),
    ],
)
def test_options_are_refused(solver, options, message):
    with pytest.raises(ValueError, match=message):
        solver(DIFFER, **options)
