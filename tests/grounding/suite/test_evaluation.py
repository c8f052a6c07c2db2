import msgspec
import pytest

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.grounding.suite.budget import Budget
from groundcheck.grounding.suite.report_io import _Asked
from groundcheck.grounding.suite.suite import plan_suite
from groundcheck.grounding.trials.evaluation import Evaluation


def planned(**budget):
    return plan_suite("exact", ["mapping"], ImageSource("digits"), Budget(seeds=1, **budget))


def test_what_is_asked_reaches_every_trial_and_is_read_back() -> None:
    suite = planned(robust=True, settings={"wrong": 1})
    assert {trial.evaluation for _, trial in suite.wave()} == {Evaluation(robust=True, wrong=1)}
    record = {**suite.asked, "images_digest": "0"}
    assert msgspec.convert(record, _Asked).suite().evaluation == suite.evaluation


def test_nothing_is_asked_by_itself() -> None:
    suite = planned()
    assert "evaluation" not in suite.asked
    assert {trial.evaluation for _, trial in suite.wave()} == {Evaluation()}


def test_more_wrong_givens_than_a_board_shows_are_told_before_anything_trains() -> None:
    with pytest.raises(UsageError, match="wrong=2: a board of mapping shows at most 1"):
        planned(settings={"wrong": 2})
