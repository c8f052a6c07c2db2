"""The baseline starts and trains as the solver that it stands beside."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.results.run_directory import key_of
from groundcheck.grounding.suite.suite import BASELINE, Suite, TaskRun
from groundcheck.grounding.trials import run as run_module
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial
from groundcheck.solvers.neural import MLP


class Recommending(MLP):
    pretraining: ClassVar = "clusters"
    perception_rate: ClassVar = 3e-4
    learning_rate: ClassVar = 7e-3


def refuse(problem: Any) -> None:
    raise RuntimeError(f"no solver for {problem}")


def trained_with(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> tuple[Training, int]:
    """The budget that a trial was trained with, and how often perception was pretrained."""
    budgets: list[Training] = []
    pretrained: list[int] = []
    monkeypatch.setattr(run_module, "train", lambda *a, **_: budgets.append(a[2]))
    monkeypatch.setattr(run_module, "discover_symbols", lambda *_: pretrained.append(1))
    assert run_trial(trial).error is None
    return budgets[0], len(pretrained)


BUDGET = Training(puzzles=16, epochs=1)
TRIAL = Trial(
    task=Mapping(symbols=3, bijection=(1, 2, 0)), solver=BASELINE, role="baseline", seed=0, training=BUDGET,
    validation_puzzles=8, test_puzzles=8, beside=SolverSpec("Recommending", factory=Recommending),
)  # fmt: skip


def test_a_baseline_gets_the_pretraining_and_rates_of_the_solver_beside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget, pretrained = trained_with(TRIAL, monkeypatch)
    assert (budget.perception_rate, budget.solver_rate, pretrained) == (3e-4, 7e-3, 1)
    alone, pretrained = trained_with(replace(TRIAL, beside=None), monkeypatch)
    assert (alone, pretrained) == (BUDGET, 0)


def test_what_a_user_sets_comes_before_what_a_solver_recommends(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = replace(BUDGET, perception_rate=1e-2, solver_rate=1e-2, pretraining="none")
    assert trained_with(replace(TRIAL, training=chosen), monkeypatch) == (chosen, 0)


def test_a_solver_that_cannot_be_built_leaves_the_baseline_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = SolverSpec("refuse", factory=refuse)
    assert trained_with(replace(TRIAL, beside=beside), monkeypatch) == (BUDGET, 0)


def test_a_suite_tells_the_baseline_whom_it_stands_beside() -> None:
    spec = SolverSpec("grounded-satnet")
    suite = Suite(spec, False, [TaskRun(Mapping(), BUDGET)], 1, ImageSource())
    beside = {trial.role: trial.beside for _, trial in suite.trials_of(0)}
    assert beside == {"grounding": None, "baseline": spec, "ceiling": None, "reasoning": None}
    assert key_of(TRIAL) != key_of(replace(TRIAL, beside=None))
