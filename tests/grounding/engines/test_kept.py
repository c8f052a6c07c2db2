"""Pairs of processes that are kept from one trial of ours to the next: nothing passes but time saved."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from groundcheck.grounding.engines import pairs as pairs_module
from groundcheck.grounding.engines.children import Limits
from groundcheck.grounding.engines.pairs import Pairs
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.trial import Outcome, Trial
from groundcheck.solvers.neural import MLP

from .trials import gone, outcomes, small_trial, timeless

QUICK = small_trial("mlp", role="reasoning")


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    running = Pairs(1)
    yield running
    running.end()


def after(pairs: Pairs, *trials: Trial) -> list[Outcome]:
    for number, trial in enumerate(trials):
        pairs.submit(number, trial)
    told = outcomes(pairs, len(trials))
    return [timeless(told[number]) for number in range(len(trials))]


def processes(pairs: Pairs) -> list[int]:
    return [
        worker.process.pid or 0
        for pair in (*pairs.running.values(), *pairs.resting)
        for worker in (pair.trainer, pair.scorer)
    ]


def kibibytes(process: int) -> int:
    """Memory that a process has for itself and uses."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def test_trials_in_one_pair_are_those_of_fresh_processes(pairs: Pairs) -> None:
    trials = [
        small_trial("exact", seed=1), small_trial("satnet", threads=2), QUICK,
        small_trial("mlp", role="ceiling"), small_trial("exact", seed=1),
    ]  # fmt: skip
    [first] = after(pairs, trials[0])
    before = processes(pairs)
    kept = [first, *after(pairs, *trials[1:])]
    assert processes(pairs) == before
    fresh = Pairs(2, Limits(seconds=1e6))
    try:
        assert kept == after(fresh, *trials)
        assert fresh.resting == []
    finally:
        fresh.end()
    assert kept == [timeless(run_trial(trial)) for trial in trials]
    assert pairs.processor_seconds > 0


def test_code_from_outside_has_a_pair_of_its_own(pairs: Pairs) -> None:
    after(pairs, QUICK)
    before = processes(pairs)
    [outcome] = after(pairs, replace(QUICK, solver=SolverSpec.of(MLP)))
    assert outcome.error is None
    assert pairs.resting == []
    assert all(gone(process) for process in before)


@pytest.mark.parametrize("which", [0, 1])
def test_a_kept_process_that_is_killed_costs_its_trial_alone(pairs: Pairs, which: int) -> None:
    [whole] = after(pairs, QUICK)
    before = processes(pairs)
    pairs.submit(7, replace(QUICK, training=replace(QUICK.training, puzzles=100_000)))
    os.kill(before[which], signal.SIGKILL)
    pairs.submit(8, QUICK)
    told = outcomes(pairs, 2)
    error = told[7].error or ""
    assert ("died of SIGKILL" if which == 0 else "Error") in error or "ended itself" in error
    assert timeless(told[8]) == whole
    assert not {*before} & {*processes(pairs)}


@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_is_killed_at_rest_costs_nothing(pairs: Pairs, which: int) -> None:
    whole = after(pairs, QUICK)
    [pair] = pairs.resting
    killed = (pair.trainer, pair.scorer)[which].process
    killed.kill()
    killed.join()
    assert after(pairs, QUICK) == whole


def test_what_breaks_inside_is_not_kept(pairs: Pairs) -> None:
    whole = after(pairs, QUICK)
    broken, again = after(pairs, replace(QUICK, solver=SolverSpec("mlp", {"no_such": 1})), QUICK)
    assert "no_such" in (broken.error or "")
    assert [again] == whole


def test_what_is_dropped_is_not_kept(pairs: Pairs) -> None:
    whole = after(pairs, QUICK)
    before = processes(pairs)
    pairs.submit(7, replace(QUICK, training=replace(QUICK.training, puzzles=100_000)))
    pairs.drop([7])
    assert after(pairs, QUICK) == whole
    assert not {*before} & {*processes(pairs)}


def test_nothing_is_left_when_it_ends(pairs: Pairs) -> None:
    after(pairs, QUICK)
    before = processes(pairs)
    pairs.end()
    assert all(gone(process) for process in before)


KILLED = """
import os, signal
from tests.grounding.engines.trials import run_here, small_trial
run_here(small_trial("mlp"), lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_scoring_ends_without_a_word_where_the_process_it_scores_for_is_killed() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, text=True, cwd=root, check=False, timeout=300
    )  # until both have closed what they write to
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "", "")


def test_memory_stays_where_it_was(pairs: Pairs) -> None:
    after(pairs, *[replace(QUICK, seed=seed) for seed in range(10)])
    before = [kibibytes(process) for process in processes(pairs)]
    after(pairs, *[replace(QUICK, seed=seed) for seed in range(10, 40)])
    grown = [kibibytes(process) - was for process, was in zip(processes(pairs), before, strict=True)]
    assert max(grown) < 4096


def test_neither_what_a_trial_prints_nor_what_it_sets_reaches_the_next(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(pairs_module, "train_many", importlib.import_module("meddling").train_many)
    logs = [tmp_path / name / "log" for name in ("one", "two")]
    one, two = after(pairs, *[replace(QUICK, log=log) for log in logs])
    assert one == two == timeless(run_trial(QUICK))
    told = [log.read_text() for log in logs]
    assert told[0] == told[1]
    assert told[0].count("printed") == told[0].count("written by another program") == 1


def test_no_log_is_left_of_a_trial_that_prints_nothing(pairs: Pairs, tmp_path: Path) -> None:
    after(pairs, replace(QUICK, log=tmp_path / "log"))
    assert not (tmp_path / "log").exists()


def test_paths_count_from_where_the_user_is(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        after(pairs, replace(QUICK, trace=Path("trace")))
        assert len((tmp_path / name / "trace").read_text().splitlines()) == 2
