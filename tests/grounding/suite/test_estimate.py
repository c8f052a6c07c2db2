"""How long a run will take, told before it trains."""

from dataclasses import replace

import pytest

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.report.progress import Progress, estimated
from groundcheck.grounding.suite.estimate import Estimate, estimate_run
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.timing import seconds_of, seconds_per_step
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial

TRIAL = Trial(
    task=Mapping(symbols=3), solver=SolverSpec("mlp"), role="grounding", seed=0,
    training=Training(puzzles=100, epochs=3, batch=10), validation_puzzles=0, test_puzzles=0,
)  # fmt: skip


def test_a_trial_takes_its_steps_and_its_scoring() -> None:
    assert seconds_of(TRIAL, 2.0) == 2.0 * 3 * 10
    assert seconds_of(replace(TRIAL, validation_puzzles=100), 2.0) > 60


@pytest.mark.parametrize(
    ("workers", "wave", "whole"), [(0, 2 * 90, 12 * 90), (1, 2 * 92, 12 * 92), (4, 61, 12 * 92 / 4)]
)
def test_an_estimate_counts_seeds_and_trials_at_a_time(workers: int, wave: float, whole: float) -> None:
    """Steps of 1 and 2 s: trials of 30 and 60 s; a process takes a second to start."""
    found = estimate_run([TRIAL, TRIAL], {0: 1.0, 1: 2.0}, 2, 12, workers)
    assert found is not None
    assert (found.wave, found.whole, found.seeds) == (wave, whole, 2)
    lacking = estimate_run([TRIAL, TRIAL], {1: 2.0}, 2, 12, 0)
    assert lacking is not None
    assert lacking.wave == 2 * 120  # the other taken for as long
    assert estimate_run([TRIAL], {}, 2, 12, 0) is None


def test_it_is_told_in_words_and_counts_down() -> None:
    found = Estimate(wave=70.0, seeds=2, whole=420.0, at_most=12, workers=2)
    assert estimated(found) == (
        "about 1:10 for 2 seeds, which may decide, at most 7:00 for 12 (2 trials at a time)"
    )
    assert (
        estimated(replace(found, seeds=1, at_most=1, workers=0))
        == "about 1:10 for 1 seed (one trial at a time)"
    )
    progress = Progress()
    progress.wave([TRIAL])
    assert progress.remaining(progress.wave_started) is None
    progress.estimate(found)
    assert progress.remaining(progress.wave_started + 30) == pytest.approx(40)
    assert progress.remaining(progress.wave_started + 100) == 0
    progress.wave([TRIAL])
    assert progress.remaining(progress.wave_started) is None  # of the first wave only


@pytest.mark.parametrize("role", ["grounding", "ceiling", "reasoning", "baseline"])
def test_steps_are_timed_for_every_role(role) -> None:
    seconds = seconds_per_step(replace(TRIAL, role=role))
    assert seconds is not None
    assert 0 < seconds < 60


def broken(problem):
    raise RuntimeError("out of ideas")


def test_a_solver_that_breaks_has_no_time() -> None:
    trial = replace(TRIAL, solver=SolverSpec.of(broken))
    assert seconds_per_step(trial) is None
    assert set(Processes(0).time_steps([trial, TRIAL])) == {1}


def test_steps_are_timed_in_a_process_of_its_own() -> None:
    steps = Processes(1, True).time_steps([replace(TRIAL, solver=SolverSpec("sys:exit")), TRIAL])
    assert steps == {}  # the process died of the first
    assert set(Processes(1, True).time_steps([TRIAL])) == {0}
