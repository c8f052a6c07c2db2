"""The dictionary finds the names of clusters, from answers alone."""

import numpy as np
import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.grounded_satnet import GroundedSATNet

SUDOKU = Sudoku(size=4)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def clustered(rows, numbering, *, noise=0.1):
    """Boards whose givens are numbered otherwise: the true symbol k is seen as numbering[k]."""
    puzzles = SUDOKU.generate("train", rows, 0)
    solution = torch.from_numpy(puzzles.solution.astype(np.int64))
    given = torch.from_numpy(puzzles.given)
    beliefs = torch.nn.functional.one_hot(torch.tensor(numbering)[solution], 4) * (1 - noise) + noise / 4
    return beliefs, given, torch.where(given, -1, solution)


@pytest.mark.parametrize("numbering", [[0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0]])
def test_dictionary_undoes_any_numbering(numbering):
    solver = GroundedSATNet(SUDOKU.problem.without_rules(), settling=4)
    beliefs, given, answer = clustered(200, numbering)
    for rows in torch.arange(200).split(50):
        solver.loss(beliefs[rows], given[rows], answer[rows])
    assert solver.dictionary[torch.tensor(numbering)].tolist() == [0, 1, 2, 3]


def test_loss_does_not_depend_on_the_numbering():
    numbering = [2, 0, 3, 1]
    beliefs, given, answer = clustered(60, [0, 1, 2, 3])
    renumbered, _, _ = clustered(60, numbering)
    solver = GroundedSATNet(SUDOKU.problem.without_rules(), settling=1)
    solver.loss(beliefs, given, answer)
    plain = solver.loss(beliefs, given, answer)
    solver.dictionary.copy_(torch.tensor(numbering).argsort())
    assert torch.allclose(plain, solver.loss(renumbered, given, answer))


def test_it_settles_and_does_not_count_while_evaluated():
    solver = GroundedSATNet(SUDOKU.problem.without_rules(), settling=1)
    beliefs, given, answer = clustered(50, [1, 0, 2, 3])
    solver.eval()
    solver.loss(beliefs, given, answer)
    assert solver.batches == 0
    solver.train()
    for _ in range(3):
        solver.loss(beliefs, given, answer).sum().backward()
    assert solver.batches == 1


def test_perception_is_left_alone_until_it_has_settled():
    solver = GroundedSATNet(SUDOKU.problem.without_rules(), settling=1)
    beliefs, given, answer = clustered(20, [1, 0, 2, 3])
    reached = []
    for _ in range(2):
        variable = beliefs.clone().requires_grad_()
        solver.loss(variable, given, answer).sum().backward()
        reached.append(bool(variable.grad.abs().sum() > 0))
    assert reached == [False, True]


def test_symbols_that_never_answer_keep_their_numbers():
    solver = GroundedSATNet(Mapping().problem.without_rules())
    beliefs = torch.rand(20, 2, 10)
    given = torch.tensor([[True, False]]).expand(20, 2)
    answer = torch.stack([torch.full((20,), -1), torch.arange(20) % 10], 1)
    solver.loss(beliefs, given, answer)
    assert solver.dictionary.tolist() == list(range(10))


def test_negative_settling_is_refused():
    with pytest.raises(ValueError, match="settling=-1"):
        GroundedSATNet(SUDOKU.problem.without_rules(), settling=-1)
