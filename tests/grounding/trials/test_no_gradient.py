"""Steps from which perception learns nothing are counted, and said."""

from typing import Any

import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.suite.check import check
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial
from groundcheck.solvers.neural import MLP

TASK = Mapping(symbols=3)


class Detached(MLP):
    """Learns, and lets perception learn nothing."""

    def forward(self, beliefs: Any, given: Any) -> Any:
        return super().forward(beliefs.detach(), given)


class Off(MLP):
    """Leaves gradients off in every second call in training."""

    calls = 0

    def forward(self, beliefs: Any, given: Any) -> Any:
        self.calls += self.training
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.calls % 2 == 0):
            return super().forward(beliefs, given)


@pytest.mark.parametrize(("solver", "share"), [(MLP, 0.0), (Detached, 1.0), (Off, 0.5)])
def test_steps_without_a_gradient_towards_perception_are_counted(solver: Any, share: float) -> None:
    trial = Trial(
        task=TASK, solver=SolverSpec.of(solver), role="grounding", seed=0,
        training=Training(puzzles=32, epochs=1, batch=8),
    )  # fmt: skip
    outcome = run_trial(trial)
    assert outcome.error is None
    assert outcome.no_gradient == share
    assert [point.no_gradient for point in outcome.curve] == [0.0, share]


def test_on_symbols_there_is_no_perception_to_miss_a_gradient() -> None:
    trial = Trial(
        task=TASK, solver=SolverSpec("exact"), role="reasoning", seed=0,
        training=Training(puzzles=32, epochs=1, batch=8),
    )  # fmt: skip
    assert run_trial(trial).no_gradient == 0


def test_a_verdict_says_that_perception_heard_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundcheck.grounding.suite.suite.Suite.inspection", lambda *_: None)
    asked = {"seeds": 1, "epochs": 1, "settings": {"puzzles": 32, "batch": 8}, "workers": 0, "isolate": False}
    reason = check(Detached, tasks=[TASK], **asked).tasks[0].judgement.reason
    assert "no gradient reached perception in 100.0% of the training steps" in reason
    assert "no gradient" not in check("mlp", tasks=[TASK], **asked).tasks[0].judgement.reason
