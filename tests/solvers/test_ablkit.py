"""ABLkit's abduction."""

import importlib.util

import pytest
import torch

from groundcheck.datasets.problem import make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.abductive import Abductive
from groundcheck.solvers.ablkit import ABLkit
from groundcheck.solvers.solver import UnsupportedProblemError

installed = pytest.mark.skipif(
    importlib.util.find_spec("ablkit") is None, reason="the extra [ablkit] is not installed"
)
# a ∧ b = c as three variables: four worlds
CONJUNCTION = make_problem(("a", "b", "c"), (2, 2, 2), [[-2, -4, 6], [-6, 2], [-6, 4]])
SEEN = torch.tensor([[True, True, False]])


@installed
def test_it_takes_the_fewest_revisions_and_then_the_greatest_confidence():
    # Read 1, 1 where the answer is 0: one revision of either, and b is the less certain.
    beliefs = torch.tensor([[[0.1, 0.9], [0.3, 0.7], [0.5, 0.5]]])
    labels = ABLkit(CONJUNCTION).pseudo_labels(beliefs, SEEN, torch.tensor([[-1, -1, 0]]))
    assert labels.tolist() == [[1, 0, 0]]


@installed
def test_revisions_count_before_probability_unless_more_are_allowed():
    # a differs from both others; d follows nothing.
    three = make_problem(("a", "b", "c", "d"), (2, 2, 2, 2), [[-1, -3], [-2, -4], [-1, -5], [-2, -6]])
    beliefs = torch.tensor([[[0.001, 0.999], [0.4, 0.6], [0.4, 0.6], [0.5, 0.5]]])
    given, answer = torch.tensor([[True, True, True, False]]), torch.tensor([[-1, -1, -1, 0]])
    one = ABLkit(three).pseudo_labels(beliefs, given, answer)
    any_ = ABLkit(three, revisions=3).pseudo_labels(beliefs, given, answer)
    assert one.tolist() == [[0, 1, 1, 0]]
    assert any_.tolist() == [[1, 0, 0, 0]]


@installed
def test_with_every_revision_allowed_it_is_our_abduction():
    task = Sudoku(size=4)
    puzzles = task.generate("train", 6, 0)
    beliefs = torch.rand(6, 16, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    given = torch.from_numpy(puzzles.given)
    answer = torch.where(given, -1, torch.from_numpy(puzzles.solution.astype("int64")))
    slopes = []
    for solver in (Abductive(task.problem), ABLkit(task.problem, revisions=16)):
        solver.loss(beliefs, given, answer).sum().backward()
        slopes.append(beliefs.grad.clone())
        beliefs.grad = None
    assert torch.equal(*slopes)
    assert slopes[0].abs().sum() > 0


@installed
def test_knowledge_bases_do_not_answer_for_each_other():
    beliefs = torch.tensor([[[0.1, 0.9], [0.3, 0.7], [0.5, 0.5]]])
    answer = torch.tensor([[-1, -1, 0]])
    ABLkit(CONJUNCTION).pseudo_labels(beliefs, SEEN, answer)
    equal = make_problem(("a", "b", "c"), (2, 2, 2), [[-2, -3], [-1, -4], [5]])
    assert ABLkit(equal).pseudo_labels(beliefs, SEEN, answer).tolist() == [[1, 1, 0]]


@installed
def test_a_row_without_a_world_is_unsolved_and_teaches_nothing():
    beliefs = torch.full((2, 3, 2), 0.5, requires_grad=True)
    given = torch.tensor([[True, False, False]]).expand(2, 3)
    loss = ABLkit(CONJUNCTION).loss(beliefs, given, torch.tensor([[-1, 0, 1], [-1, 1, 1]]))
    assert loss.isnan().tolist() == [True, False]
    loss.nansum().backward()
    assert beliefs.grad[0].abs().sum() == 0
    assert beliefs.grad[1].abs().sum() > 0


@installed
@pytest.mark.parametrize(
    ("options", "message"),
    [({"distance": "similarity"}, "distance='similarity'.*confidence"), ({"revisions": -1}, "revisions=-1")],
)
def test_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ABLkit(CONJUNCTION, **options)


@installed
def test_too_many_worlds_are_refused_with_their_number():
    with pytest.raises(UnsupportedProblemError, match=r"at most 2,000.*81 variables"):
        ABLkit(Sudoku(size=9).problem)
