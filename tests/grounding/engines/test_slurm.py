"""Trials by way of submitit, whose jobs are processes of this machine here; a script tries a real Slurm."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from groundcheck.datasets.errors import UnusableFileError, UsageError
from groundcheck.grounding.engines import slurm as slurm_engine
from groundcheck.grounding.engines.exchange import Exchange, changed
from groundcheck.grounding.engines.slurm import Slurm

from .trials import gone, lives, outcomes, run_here, small_trial, timeless

pytest.importorskip("submitit", reason="the extra slurm is not installed")
MINE = f"{Path(__file__).with_name('unreliable.py')}"
QUICK = {"beat": 0.2, "patience": 60, "linger": 2.0}  # seconds: sooner noticed than on a cluster


def local(folder: Path, **options) -> Slurm:
    return Slurm(**{"folder": folder, "executor": "local", "slots": 1, **QUICK, **options})


def test_outcomes_are_those_of_this_machine(tmp_path: Path) -> None:
    """Bit by bit; a solver that dies is a result, and not run again; what is dropped ends."""
    trials = [
        small_trial(log=tmp_path / "log", trace=tmp_path / "trace.jsonl"),
        small_trial("satnet", seed=1),
        small_trial(f"{MINE}:kills_itself", marks=tmp_path / "marks", log=tmp_path / "log"),
        small_trial("nowhere:Mine"),
        small_trial(f"{MINE}:always_waits", marks=tmp_path / "waits"),
        small_trial(f"{MINE}:always_waits", marks=tmp_path / "never"),
    ]
    with local(tmp_path / "shared").open() as running:
        for number, trial in enumerate(trials):
            running.submit(number, trial)
        there = outcomes(running, 4)
        [(waiting, _, _)] = lives(tmp_path / "waits", 1, running)
        running.drop([4, 5, 99])
        assert gone(waiting)
        assert running.hear(0.5) == []
    here = [run_here(replace(trial, log=None, trace=None)) for trial in trials[:2]]
    assert all(outcome.error is None for outcome in here)
    assert [timeless(there[0]), timeless(there[1])] == [timeless(outcome) for outcome in here]
    assert "died of SIGKILL" in str(there[2].error)
    assert len(lives(tmp_path / "marks", 1)) == 1
    assert (tmp_path / "log").read_text() == "farewell\n"
    assert len((tmp_path / "trace.jsonl").read_text().splitlines()) == 2
    for part in (os.uname().nodename, "cannot import nowhere:Mine", "shared disk"):
        assert part in str(there[3].error)
    assert not (tmp_path / "never").exists()
    assert not (tmp_path / "shared").exists()


def test_a_job_that_dies_or_falls_silent_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, its job is gone; stopped, its job is there, and only signs of life are missing; cancelled, its
    trial dies before it does.
    """
    with local(tmp_path / "shared", linger=60).open() as running:  # each job goes on with the next trial
        for number, how in enumerate((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)):
            marks = tmp_path / how.name
            running.submit(number, small_trial(f"{MINE}:first_waits", marks=marks))
            [(trial, _, worker)] = lives(marks, 1, running)
            if how == signal.SIGTERM:
                os.kill(trial, how)  # as Slurm does when it cancels: all processes of a job
            os.kill(worker, how)
            if how == signal.SIGSTOP:
                wait_until_stopped(worker)
                [alive] = (tmp_path / "shared").glob("*/alive/[!.]*")
                silent = alive.stat().st_mtime - 1000  # as if that long had gone
                os.utime(alive, (silent, silent))
            outcome = outcomes(running, 1)[number]
            assert outcome.error is None
            assert len(lives(marks, 2)) == 2
        monkeypatch.setattr(slurm_engine, "MAX_LOSSES", 0)
        running.submit(5, small_trial(f"{MINE}:always_waits", marks=tmp_path / "last"))
        [(_, _, worker)] = lives(tmp_path / "last", 1, running)
        os.kill(worker, signal.SIGKILL)
        assert "was lost 1 times, the last time so: job" in str(outcomes(running, 1)[5].error)
    assert gone(worker)


def wait_until_stopped(process: int) -> None:
    """A signal takes a moment, and a process that runs could touch its file meanwhile."""
    while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)


def test_a_driver_that_ignores_interrupts_ends_its_jobs_all_the_same(tmp_path: Path) -> None:
    """As one that a script began with & or nohup; the job is stopped, and cannot leave by itself."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with local(tmp_path / "shared").open() as running:
            running.submit(0, small_trial(f"{MINE}:always_waits", marks=tmp_path / "marks"))
            [(_, _, worker)] = lives(tmp_path / "marks", 1, running)
            os.kill(worker, signal.SIGSTOP)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(worker)


def test_clocks_that_disagree_do_not_matter(tmp_path: Path) -> None:
    """The file server's clock is hours ahead of this machine's, whose own is not looked at."""
    exchange = Exchange(tmp_path / "shared")
    exchange.make()
    workers = [exchange.enter(f"job-{number}") for number in range(2)]
    hours = 3 * 3600.0
    server = time.time() + hours
    for name, ago in (("clock", 0.0), (f"alive/{workers[0]}", 4.0), (f"alive/{workers[1]}", 400.0)):
        os.utime(tmp_path / "shared" / name, (server - ago, server - ago))
    assert [round(exchange.silence(worker)) for worker in workers] == [4, 400]
    assert round(exchange.driver_silence(workers[1])) == -400
    assert changed(tmp_path / "shared" / "clock") == pytest.approx(server)


@pytest.mark.parametrize("shift", [-86400.0, 86400.0])
def test_a_node_whose_clock_is_a_day_off_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    """And neither is its trial: the worker's own clock is shifted before it begins."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import time\n_true = time.time\ntime.time = lambda: _true() + {shift}\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with local(tmp_path / "shared", patience=30).open() as running:
        running.submit(0, small_trial(f"{MINE}:marked", marks=tmp_path / "marks"))
        assert outcomes(running, 1)[0].error is None
    assert len(lives(tmp_path / "marks", 1)) == 1


def test_a_second_outcome_of_a_trial_counts_for_nothing(tmp_path: Path) -> None:
    """As where a worker that was taken for lost comes back: the first that is written stands."""
    exchange = Exchange(tmp_path / "shared")
    exchange.make()
    trial = small_trial()
    first, second = exchange.enter("1"), exchange.enter("2")
    exchange.offer(7, trial)
    claim, _ = exchange.take(first) or pytest.fail("nothing waits")
    assert exchange.take(second) is None
    exchange.release(claim)
    assert exchange.unwanted(claim)
    exchange.offer(7, trial)
    again, content = exchange.take(second) or pytest.fail("nothing waits")
    told = slurm_engine._run(content, None, lambda: None)
    exchange.tell(again, replace(told, node="second"))
    exchange.tell(claim, replace(told, node="first"))
    assert [(number, found.node) for number, found in exchange.ended()] == [(7, "second")]
    assert list(exchange.ended()) == []


def test_jobs_that_cannot_begin_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the last of them said: here that its packages are other ones."""
    monkeypatch.setattr(slurm_engine, "versions", lambda: {"torch": "1.0"})
    engine = local(tmp_path / "shared", slots=1)  # of several, more than the third may have ended at a look
    with engine.open() as running:
        for number in range(3):
            running.submit(number, small_trial(seed=number))
        with pytest.raises(UsageError, match=r"3 jobs ended .* said: .*pip install torch==1.0.*same path"):
            outcomes(running, 3)


def test_trials_run_in_this_process_where_there_are_no_jobs(tmp_path: Path) -> None:
    with Slurm(folder=tmp_path / "shared", executor="debug", slots=2).open() as running:
        for number in range(3):
            running.submit(number, small_trial("mlp", seed=number))
        running.drop([1])
        assert sorted(outcomes(running, 2)) == [0, 2]
        assert running.hear() == []


def test_a_cluster_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"needs sbatch and srun.*login node"), Slurm(folder=tmp_path).open():
        pass
    for name, answer in (("sbatch", ""), ("srun", ""), ("scontrol", "Slurmctld(primary) at far is DOWN")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{answer}'\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(UsageError, match=r"at far is DOWN.*start slurmctld"), Slurm(folder=tmp_path).open():
        pass
    (tmp_path / "file").touch()
    with pytest.raises(UnusableFileError, match="cannot be made"), local(tmp_path / "file").open():
        pass


def test_options_that_cannot_be_meant() -> None:
    for options, words in (
        ({"executor": "pbs"}, "it is slurm, local, debug"),
        ({"gpus": 0.5}, "whole ones"),
        ({"cpus": 0}, "1 or more"),
        ({"slots": 0}, "1 or more"),
        ({"beat": 60, "patience": 30}, "wait longer"),
    ):
        with pytest.raises(UsageError, match=words):
            Slurm(**options)
