"""Experiments run whole, killed, continued, out of time, and in folders that are not theirs."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groundcheck.datasets.errors import UnusableFileError, UsageError
from groundcheck.grounding.engines.engine import Running
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.experiments.driver import run_experiment
from groundcheck.grounding.results.experiment import ExperimentRecord
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.results.run_directory import held
from groundcheck.grounding.suite.suite import Listener
from groundcheck.grounding.trials.trial import Outcome

from .tiny import TINY, written

HERE = Processes(0)


def figures(record: ExperimentRecord) -> Any:
    """The reports, without the seconds that trials took."""
    untimed = {
        number: replace(task, outcomes=[replace(o, seconds=0.0) for o in task.outcomes])
        for number, task in record.reports.items()
    }
    return plain(untimed)


def reports_of(folder: Path) -> Any:
    """The same as the folder has it."""
    reports = json.loads((folder / "report.json").read_text())["reports"]
    for task in reports.values():
        for outcome in task["outcomes"]:
            outcome["seconds"] = 0.0
    return reports


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExperimentRecord]:
    """The experiment that nothing disturbed, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return folder / "run", run_experiment(written(folder), folder / "run", engine=HERE)


def test_every_cell_has_its_trials_and_a_report(whole: tuple[Path, ExperimentRecord]) -> None:
    folder, record = whole
    assert record.axes == {"solver": ["mlp"], "task": ["mapping"], "puzzles": [32, 64]}
    assert [cell.varied["puzzles"] for cell in record.cells] == [32, 64]
    assert sorted(record.reports) == [0, 1]
    assert (record.interrupted, record.name) == (False, "tiny")
    assert sorted((row.cells, row.outcome.role) for row in record.trials) == [
        ([0], "ceiling"), ([0], "grounding"), ([1], "ceiling"), ([1], "grounding"),
    ]  # fmt: skip
    # The checks before training ran once: they do not depend on how many puzzles train.
    checks = [
        [f.check for f in record.reports[number].findings if f.family == "contract"] for number in (0, 1)
    ]
    assert checks[0] == checks[1]
    assert len(checks[0]) > 10
    asked = json.loads((folder / "experiment.json").read_text())
    assert (asked["schema"], asked["name"], len(asked["cells"])) == (1, "tiny", 2)
    assert len(asked["sources"]["digits"]) == 64
    assert reports_of(folder) == figures(record)


def test_killed_in_the_middle_and_continued_it_reports_the_same(
    tmp_path: Path, whole: tuple[Path, ExperimentRecord]
) -> None:
    """With processes, of which one driver is killed without grace."""
    folder = tmp_path / "run"
    command = [
        sys.executable, "-m", "groundcheck", "experiment", str(written(tmp_path)), "--run", str(folder),
        "--workers", "2", "--no-cache", "-q",
    ]  # fmt: skip
    trials = folder / "trials.jsonl"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as driver:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and driver.poll() is None:
            if trials.exists() and trials.read_bytes().count(b"\n") >= 1:
                break
            time.sleep(0.01)
        driver.kill()
        told, _ = driver.communicate()
    assert driver.returncode == -signal.SIGKILL, told.decode()
    kept = trials.read_bytes().count(b"\n")
    assert 1 <= kept < 4
    assert not (folder / "report.json").exists()

    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert trials.read_bytes().count(b"\n") == 4
    assert reports_of(folder) == figures(whole[1])
    assert "2 of 2 cells decided; 4 trials ran" in done.stdout
    assert f"groundcheck results {folder}" in done.stdout


def test_out_of_time_nothing_more_begins_and_it_can_be_continued(
    tmp_path: Path, whole: tuple[Path, ExperimentRecord]
) -> None:
    begun = run_experiment(written(tmp_path), tmp_path / "run", engine=HERE, budget=0.0)
    assert (begun.interrupted, begun.reports, begun.trials) == (True, {}, [])
    ended: list[Outcome] = []
    listener = Listener(outcome=ended.append)
    continued = run_experiment(
        tmp_path / "tiny.toml", tmp_path / "run", resume=True, engine=HERE, listener=listener
    )
    heard = sorted((o.task, o.role) for o in ended)  # what progress calls them, which no record does
    assert heard == [(f"mapping[puzzles={n}]", role) for n in (32, 64) for role in ("ceiling", "grounding")]
    assert {row.outcome.task for row in continued.trials} == {"mapping"}
    assert figures(continued) == figures(whole[1])


def test_ctrl_c_keeps_what_ended(tmp_path: Path, whole: tuple[Path, ExperimentRecord]) -> None:
    def interrupt(_: Outcome) -> None:
        raise KeyboardInterrupt

    begun = run_experiment(
        written(tmp_path), tmp_path / "run", engine=HERE, listener=Listener(outcome=interrupt)
    )
    assert begun.interrupted
    assert 1 <= len(begun.trials) < 4
    assert json.loads((tmp_path / "run" / "report.json").read_text())["interrupted"]
    ended: list[Outcome] = []
    continued = run_experiment(
        tmp_path / "tiny.toml",
        tmp_path / "run",
        resume=True,
        engine=HERE,
        listener=Listener(outcome=ended.append),
    )
    assert len(ended) == 4 - len(begun.trials)
    assert figures(continued) == figures(whole[1])


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (TINY, "other.toml", "holds the experiment 'tiny', not 'other': choose another folder"),
        (TINY.replace("[32, 64]", "[32, 65]"), "tiny.toml", "cell 1: training.puzzles was 64 and is now 65"),
        (TINY.replace("[32, 64]", "32"), "tiny.toml", "it had 2 cells and has 1 now"),
        (TINY.replace("seeds = 1", "seeds = 2"), "tiny.toml", "cell 0: seeds was 1 and is now 2"),
    ],
)
def test_a_folder_of_another_experiment(
    tmp_path: Path, whole: tuple[Path, ExperimentRecord], text: str, name: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        run_experiment(written(tmp_path, text, name), whole[0], resume=True, engine=HERE)


def test_what_was_read_and_changed_is_named(tmp_path: Path, whole: tuple[Path, ExperimentRecord]) -> None:
    """By the name of the file or image set, as nobody knows a digest by sight."""
    asked = json.loads((whole[0] / "experiment.json").read_text())
    asked["sources"]["digits"] = 64 * "0"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "experiment.json").write_text(json.dumps(asked))
    with pytest.raises(UsageError, match="continued: the content of digits was changed"):
        run_experiment(written(tmp_path), tmp_path / "run", resume=True, engine=HERE)


def test_folders_that_hold_something_else(tmp_path: Path, whole: tuple[Path, ExperimentRecord]) -> None:
    file = written(tmp_path)
    with pytest.raises(UsageError, match="holds an experiment already: continue it with --resume"):
        run_experiment(file, whole[0], engine=HERE)
    with pytest.raises(UsageError, match=r"is not empty \(tiny.toml\) and holds no experiment"):
        run_experiment(file, tmp_path, engine=HERE)


class NobodyAnswers:
    name = "nobody"

    def open(self) -> AbstractContextManager[Running]:
        raise UsageError("no cluster answers")


def test_where_no_engine_answered_the_same_command_begins_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(UsageError, match="no cluster answers"):
        run_experiment(written(tmp_path), folder, engine=NobodyAnswers())
    assert run_experiment(written(tmp_path), folder, engine=HERE, budget=0.0).interrupted


def test_a_published_figure_may_be_added_later(tmp_path: Path, whole: tuple[Path, ExperimentRecord]) -> None:
    more = TINY + '[[published]]\nfigure = "task"\nvalue = 0.5\nsource = "a paper"\n'
    record = run_experiment(written(tmp_path, more), whole[0], resume=True, engine=HERE)
    assert [p.source for p in record.published] == ["a paper"]
    assert "a paper" in (whole[0] / "experiment.json").read_text()
    assert figures(record) == figures(whole[1])


def test_two_drivers_on_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with held(folder), pytest.raises(UsageError, match=f"is in use by process {os.getpid()} on"):
        run_experiment(written(tmp_path), folder, engine=HERE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", ["trials.jsonl", "findings.jsonl", "report.json"])
def test_a_full_disk_is_told_and_loses_nothing(
    tmp_path: Path, whole: tuple[Path, ExperimentRecord], name: str
) -> None:
    folder, file = tmp_path / "run", written(tmp_path)
    run_experiment(file, folder, engine=HERE, budget=0.0)
    if name == "report.json":
        for kept in ("trials.jsonl", "findings.jsonl"):
            (folder / kept).write_bytes((whole[0] / kept).read_bytes())

    def fill(_: object) -> None:
        (folder / name).symlink_to("/dev/full")

    with pytest.raises(UnusableFileError, match=r"No space left on device.*make room, then continue"):
        run_experiment(file, folder, resume=True, engine=HERE, listener=Listener(begun=fill))
    (folder / name).unlink()
    continued = run_experiment(file, folder, resume=True, engine=HERE)
    assert figures(continued) == figures(whole[1])


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    folder, file = tmp_path / "run", written(tmp_path)
    run_experiment(file, folder, engine=HERE, budget=0.0)
    (folder / "trials.jsonl").write_text('{"key": "x", "cells": [0], "outcome": 3}\n')
    with pytest.raises(UsageError, match=r"trials.jsonl is damaged \(line 1, outcome: .*delete that line"):
        run_experiment(file, folder, resume=True, engine=HERE)
    (folder / "experiment.json").write_text("{")
    with pytest.raises(UsageError, match=r"experiment.json is damaged \(line 1"):
        run_experiment(file, folder, resume=True, engine=HERE)
    (folder / "experiment.json").write_text('{"schema": 99}')
    with pytest.raises(UsageError, match="has schema 99, and this groundcheck reads up to 1"):
        run_experiment(file, folder, resume=True, engine=HERE)
