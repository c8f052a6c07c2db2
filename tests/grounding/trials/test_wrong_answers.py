from dataclasses import replace

import pytest
import torch

from groundcheck.datasets.batch import assemble
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial
from groundcheck.grounding.trials.wrong_answers import with_wrong_answers

TASK = Sudoku()


@pytest.fixture(scope="module")
def examples():
    images = ImageSource().load()
    return assemble(TASK, TASK.generate("train", 400, 0), images.bank("train"))[0]


def test_so_many_answers_are_another_symbol_and_nothing_else_moves(examples):
    told = with_wrong_answers(examples, TASK.problem, 0.25, seed=3)
    moved = told.answer != examples.answer
    assert not moved[examples.given].any()
    assert 0.22 < float(moved[~examples.given].double().mean()) < 0.28
    assert ((told.answer >= 0) == ~examples.given).all()
    assert int(told.answer.max()) == 3
    assert torch.equal(told.image, examples.image)


def test_a_seed_decides_and_no_share_changes_nothing(examples):
    first, again, other = (with_wrong_answers(examples, TASK.problem, 0.1, seed).answer for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert with_wrong_answers(examples, TASK.problem, 0.0, 1) is examples


def test_trials_train_on_them_and_the_ceiling_does_not():
    def answers(role, share):
        training = Training(puzzles=50, wrong_answers=share)
        spec, images = SolverSpec("mlp"), ImageSource()
        trial = Trial(task=TASK, solver=spec, role=role, seed=0, training=training, images=images)
        return LocalSession(replace(trial, validation_puzzles=5, test_puzzles=5)).training.answer

    assert not torch.equal(answers("grounding", 0.2), answers("grounding", 0.0))
    assert torch.equal(answers("baseline", 0.2), answers("grounding", 0.2))
    assert torch.equal(answers("ceiling", 0.2), answers("ceiling", 0.0))


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5])
def test_a_share_that_cannot_be_meant_is_refused(share):
    with pytest.raises(UsageError, match="wrong_answers="):
        Training(wrong_answers=share)
