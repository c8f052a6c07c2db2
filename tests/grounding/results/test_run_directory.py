"""Runs on disk: killed, continued, excluded, damaged."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import check
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.report.dates import day
from groundcheck.grounding.results import run_directory
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.results.run_directory import differences, key_of, open_run, read_trials
from groundcheck.grounding.suite import suite
from groundcheck.grounding.suite.report_io import read_report
from groundcheck.grounding.suite.suite import Listener
from groundcheck.grounding.trials import checkpoint
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial
from groundcheck.solvers.neural import MLP

TINY_TASK: dict[str, Any] = {
    "tasks": ["mapping"],
    "seeds": 2,
    "epochs": 1,
    "settings": {"puzzles": 64},
    "workers": 0,
}
INSPECTION = suite.Suite.inspection
KEPT = {"settings": {"seeds": 2}, "environment": {"versions": {"torch": "2"}}}
TRIAL = Trial(
    task=Mapping(),
    solver=SolverSpec("mlp"),
    role="grounding",
    seed=3,
    training=Training(puzzles=64, epochs=2),
)


def figures(report: Report) -> Any:
    return report.as_dict(timings=False)["tasks"]


@pytest.fixture(scope="module", autouse=True)
def unchecked() -> Iterator[None]:
    """Leaves out the checks that need no training: these tests are about trials."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite.Suite, "inspection", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def whole() -> Report:
    """The run that nothing disturbed."""
    return check("mlp", **TINY_TASK)


def test_a_killed_run_continues_with_what_is_missing(tmp_path: Path, whole: Report) -> None:
    folder = tmp_path / "run"
    script = (
        "from groundcheck.grounding import check\n"
        "from groundcheck.grounding.suite import suite\n"
        "suite.Suite.inspection = lambda *_: None\n"
        f"check('mlp', run={str(folder)!r}, **{TINY_TASK!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    trials = folder / "trials.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if trials.exists() and trials.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.01)
    process.kill()
    _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told.decode()

    kept = read_trials(folder)
    assert 2 <= len(kept) < 6
    halfway = read_report(folder)
    assert halfway.interrupted
    assert sum(len(task.outcomes) for task in halfway.tasks) == len(kept)

    ran: list[Outcome] = []
    continued = check("mlp", run=folder, resume=True, listener=Listener(outcome=ran.append), **TINY_TASK)
    assert len(ran) == 6 - len(kept)
    assert figures(continued) == figures(whole)
    assert figures(read_report(folder)) == figures(whole)


def test_a_continued_run_repeats_no_check_that_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.Suite, "inspection", INSPECTION)
    whole = check("mlp", run=tmp_path, train=False, **TINY_TASK).tasks[0].findings
    kept = tmp_path / "findings.jsonl"
    lines = kept.read_text().splitlines(keepends=True)
    assert len(lines) == len(whole) > 25
    kept.write_text("".join(lines[:20]) + lines[20][:30])  # as a kill leaves it
    heard: list[Finding] = []
    listener = Listener(finding=heard.append)
    continued = check("mlp", run=tmp_path, resume=True, train=False, listener=listener, **TINY_TASK)
    assert continued.tasks[0].findings == whole
    assert heard == whole[20:]
    assert kept.read_text() == "".join(lines)


def test_ctrl_c_keeps_what_ended_and_can_be_continued(tmp_path: Path, whole: Report) -> None:
    def interrupt(outcome: Outcome) -> None:
        if outcome.seed == 1:
            raise KeyboardInterrupt

    broken_off = check("mlp", run=tmp_path, listener=Listener(outcome=interrupt), **TINY_TASK)
    assert broken_off.interrupted
    assert broken_off.exit_code == 130
    assert len(read_trials(tmp_path)) == 4  # the one whose end was interrupted is kept as well
    continued = check("mlp", run=tmp_path, resume=True, **TINY_TASK)
    assert figures(continued) == figures(whole)
    assert not continued.interrupted


class Interrupted(MLP):
    """Ctrl-C comes in its third epoch, once."""

    steps = 0

    def loss(self, beliefs: Any, given: Any, answer: Any) -> Any:
        Interrupted.steps += self.training
        if Interrupted.steps == 5:  # of two in an epoch
            raise KeyboardInterrupt
        return super().loss(beliefs, given, answer)


def test_a_trial_goes_on_from_its_checkpoint_which_then_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "COSTS", 0)
    budget = {"seeds": 1, "epochs": 4, "settings": {"puzzles": 64, "batch": 32}}
    asked = {**TINY_TASK, **budget, "isolate": False}
    Interrupted.steps = 5
    whole = check(Interrupted, **asked)
    steps, Interrupted.steps = Interrupted.steps - 5, 0
    assert check(Interrupted, run=tmp_path, **asked).interrupted
    [folder] = (tmp_path / "checkpoints").iterdir()
    assert folder.name.startswith("mapping-grounding-0-")
    assert {path.stem[-6:] for path in folder.iterdir()} == {"000001", "000002"}
    continued = check(Interrupted, run=tmp_path, resume=True, **asked)
    assert figures(continued) == figures(whole)
    assert Interrupted.steps == steps + 1  # that of the epoch in flight was taken twice
    assert not (tmp_path / "checkpoints").exists()


def test_workers_give_the_same_results_in_the_same_order(tmp_path: Path, whole: Report) -> None:
    parallel = check("mlp", run=tmp_path, **{**TINY_TASK, "workers": 2})
    assert figures(parallel) == figures(whole)
    outcomes = parallel.tasks[0].outcomes
    assert [(o.seed, o.role) for o in outcomes] == [
        (seed, role) for seed in (0, 1) for role in ("grounding", "ceiling", "reasoning")
    ]
    traces = sorted((tmp_path / "traces").iterdir())
    assert len(traces) == 6
    lines = [json.loads(line) for line in traces[0].read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]  # before training, and after it


def test_a_run_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    with open_run(tmp_path, **KEPT, resume=False):
        pass
    with pytest.raises(ValueError, match="holds a run already: continue it with --resume"):
        open_run(tmp_path, **KEPT, resume=False).__enter__()


def test_a_run_is_not_continued_with_other_settings_or_versions(tmp_path: Path) -> None:
    with open_run(tmp_path, **KEPT, resume=False):
        pass
    other = {"settings": {"seeds": 3}, "environment": {"versions": {"torch": "3"}}}
    with pytest.raises(ValueError, match=r"seeds was 2 and is now 3; torch was 2 and is now 3"):
        open_run(tmp_path, **other, resume=True).__enter__()


def test_what_was_read_and_changed_is_told_by_its_name() -> None:
    def asked(boards: str, images: str) -> dict[str, Any]:
        task = {"task": "boards", "settings": {"file": "mine.csv"}, "files": {"file": boards}}
        return {"tasks": [task], "images": "digits", "images_digest": images}

    before = asked("a", "b")
    assert list(differences("", before, asked("a", "b"))) == []
    assert list(differences("", before, asked("x", "b"))) == ["boards: the content of mine.csv was changed"]
    assert list(differences("", before, asked("a", "x"))) == ["the content of digits was changed"]
    other = asked("x", "b")
    other["tasks"][0]["settings"]["file"] = "other.csv"
    [told] = differences("", before, other)
    assert told == "boards: settings.file was 'mine.csv' and is now 'other.csv'"


HOLD = """
import sys, time
from pathlib import Path
from groundcheck.grounding.results.run_directory import open_run
with open_run(Path(sys.argv[1]), **{kept}, resume=False):
    print("held", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a run in tmp_path."""
    command = [sys.executable, "-c", HOLD.format(kept=KEPT), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_two_processes_exclude_each_other(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(ValueError, match=rf"is in use by process {holder.pid} on .*wait until it has ended"):
        open_run(tmp_path, **KEPT, resume=True).__enter__()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with open_run(tmp_path, **KEPT, resume=True):  # a lock ends with its process, however it ends
        pass


def test_a_line_cut_short_by_a_kill_is_mended(tmp_path: Path) -> None:
    outcome = run_trial(TRIAL)
    with open_run(tmp_path, **KEPT, resume=False) as record:
        record.keep(TRIAL, outcome)
    trials = tmp_path / "trials.jsonl"
    line = trials.read_bytes()
    trials.write_bytes(line + line[: len(line) // 2])
    assert read_trials(tmp_path) == {key_of(TRIAL): outcome}
    with open_run(tmp_path, **KEPT, resume=True) as record:
        assert record.recall(TRIAL) == outcome
        assert record.recall(replace(TRIAL, seed=4)) is None
        record.keep(replace(TRIAL, seed=4), outcome)
    assert len(read_trials(tmp_path)) == 2


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    with open_run(tmp_path, **KEPT, resume=False):
        pass
    (tmp_path / "trials.jsonl").write_text('{"key": "0"\n')
    with pytest.raises(ValueError, match=r"trials\.jsonl is damaged \(line 1, "):
        open_run(tmp_path, **KEPT, resume=True).__enter__()
    (tmp_path / "trials.jsonl").write_text('{"key": "0", "surprise": 1}\n')
    with pytest.raises(ValueError, match=r"trials\.jsonl is damaged \(line 1, "):
        read_trials(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": 1, "sett', "run.json is damaged"),
        ('{"schema": 99, "settings": {}, "environment": {}}', "has schema 99.*update groundcheck"),
        ("[]", "run.json is damaged .line 1, the whole: Expected .object"),
    ],
)
def test_a_damaged_or_newer_run_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_report(tmp_path)
    with pytest.raises(ValueError, match=message):
        open_run(tmp_path, **KEPT, resume=True).__enter__()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"is not empty \(thesis.tex\) and holds no run"):
        open_run(tmp_path, **KEPT, resume=False).__enter__()
    with pytest.raises(ValueError, match=r"is no run: it has no run\.json"):
        read_report(tmp_path)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    outcome = run_trial(TRIAL)
    with open_run(tmp_path, **KEPT, resume=False) as record:
        (tmp_path / "trials.jsonl").symlink_to("/dev/full")
        with pytest.raises(OSError, match=r"No space left on device.*make room, then continue with --resume"):
            record.keep(TRIAL, outcome)
        (tmp_path / "report.json").symlink_to("/dev/full")
        with pytest.raises(
            OSError, match=r"report\.json cannot be written: No space left.*then continue with"
        ):
            record.finish({})


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written: Not a directory"):
        check("mlp", run=tmp_path / "file" / "run", **TINY_TASK)
    with pytest.raises(OSError, match="file is a file: name a folder"):
        check("mlp", run=tmp_path / "file", **TINY_TASK)
    with pytest.raises(OSError, match="/proc/run cannot be written"):  # where even root cannot make a folder
        check("mlp", run="/proc/run", **TINY_TASK)


def test_a_trial_that_cannot_write_its_trace_goes_on(tmp_path: Path) -> None:
    traced = run_trial(replace(TRIAL, trace=tmp_path / "trace.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines] == [point.loss for point in traced.curve]
    without = run_trial(replace(TRIAL, trace=tmp_path / "missing" / "trace.jsonl"))
    assert (without.scores, without.curve) == (traced.scores, traced.curve)


def test_a_continued_run_keeps_when_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_run(tmp_path / "run", **KEPT, resume=False) as first:
        began = first.started
    monkeypatch.setattr(run_directory, "timestamp", lambda: "2099-01-01T00:00:00+00:00")
    with open_run(tmp_path / "run", **KEPT, resume=True) as second:
        assert second.started == began != "2099-01-01T00:00:00+00:00"


def test_a_report_is_dated_and_equal_without_its_dates(whole: Report) -> None:
    assert whole.started <= whole.ended
    assert day(whole.ended)
    assert not {"started", "ended"} & whole.as_dict(timings=False).keys()
