"""`groundcheck diagnose`: what it prints, writes and refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import Diagnosis, check, diagnose, diagnose_report, read_report
from groundcheck.grounding.cli import app
from groundcheck.grounding.results.report import Report

SHORT = {"puzzles": 64, "epochs": 3, "batch": 16}
TASK = Mapping(symbols=3)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a check that fails."""
    folder = tmp_path_factory.mktemp("check") / "run"
    check("mlp", tasks=[TASK], seeds=1, settings=SHORT, workers=0, run=folder)
    return folder


def asked(*words: Any) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["diagnose", *map(str, words)])
    return done.exit_code, done.output


def test_a_kept_check_is_read_and_nothing_is_trained(kept: Path, tmp_path: Path) -> None:
    page, record = tmp_path / "why.html", tmp_path / "why.json"
    code, output = asked("mlp", "--run", kept, "-o", page, "--json", record)
    assert code == 1, output
    assert "mlp on mapping" in output
    assert "To do: " in output
    assert "Refuted by: " in output
    told = json.loads(record.read_text())
    assert told["ran"] == 0
    assert told["explanations"][0]["cause"] in told["looked_for"]
    drawn = page.read_text()
    assert told["explanations"][0]["title"] in drawn.lower()
    assert "<svg" in drawn
    assert "http" not in drawn.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_trials_that_were_not_recorded_are_run_again(kept: Path) -> None:
    report = read_report(kept)
    [task] = report.tasks
    older = [replace(o, curve=[replace(p, interface=None) for p in o.curve]) for o in task.outcomes]
    found = diagnose_report(replace(report, tasks=[replace(task, outcomes=older)]))
    assert found.ran == 1
    assert replace(found, ran=0) == diagnose_report(report)


def test_without_a_run_the_solver_is_checked_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = {"seeds": 1, "settings": SHORT, "workers": 0}
    found = diagnose("mlp", task=TASK, run=folder, **settings)
    assert isinstance(found, Diagnosis)
    assert found.ran == 3  # the baseline is the solver itself
    again = diagnose("mlp", task=TASK, run=folder)
    assert replace(again, ran=found.ran) == found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["satnet"], "the run is of mlp, not of satnet"),
        (["mlp", "--task", "sudoku"], "the run has no task 'sudoku': it has mapping"),
        (["mlp", "-o", "why.pdf"], "a page ends in .html"),
    ],
)
def test_what_cannot_be_meant_is_told(kept: Path, words: list[str], message: str) -> None:
    code, output = asked(*words, "--run", kept)
    assert code == 2
    assert message in " ".join(output.split())


def test_what_was_not_trained_here_is_not_diagnosed(kept: Path) -> None:
    report = read_report(kept)
    [task] = report.tasks
    judged = replace(report, tasks=[replace(task, training={"trained": "elsewhere"})])
    with pytest.raises(UsageError, match="nothing was trained in this run"):
        diagnose_report(judged)
    symbols = replace(report, tasks=[replace(task, settings={**task.settings, "seen": "symbols"})])
    with pytest.raises(UsageError, match="seen as symbols"):
        diagnose_report(symbols)


def test_several_tasks_have_to_be_told_apart(kept: Path) -> None:
    report: Report = read_report(kept)
    [task] = report.tasks
    two = replace(report, tasks=[replace(task, label="a"), replace(task, label="b")])
    with pytest.raises(UsageError, match="name one of a, b with --task"):
        diagnose_report(two)
    assert diagnose_report(two, task="b").task == "b"
