"""The gate: what passes, what fails, and what pipelines are told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.cli import app
from groundcheck.grounding.gate import pipeline
from groundcheck.grounding.gate.gate import Gated, evaluate_gate
from groundcheck.grounding.gate.project import Project, Terms, read_project
from groundcheck.grounding.results.files import write_json
from groundcheck.grounding.results.report import Report, TaskReport
from groundcheck.grounding.suite.report_io import read_report


def task_with(report: Report, verdict: str, *findings: Finding) -> Report:
    [task, *_] = report.tasks
    judged = replace(task.judgement, verdict=verdict)
    return replace(report, tasks=[replace(task, judgement=judged, findings=list(findings))])


def moved(task: TaskReport, by: float) -> TaskReport:
    """The same task with another task accuracy at every seed."""
    outcomes = [
        replace(o, scores=replace(o.scores, task=o.scores.task + by)) if o.scores else o
        for o in task.outcomes
    ]
    return replace(task, outcomes=outcomes)


@pytest.mark.parametrize(
    ("verdict", "require", "code"),
    [
        ("GROUNDED", "GROUNDED", 0),
        ("GROUNDED", "UNGROUNDED", 0),
        ("SHORTCUT", "GROUNDED", 1),
        ("SHORTCUT", "SHORTCUT", 0),
        ("SHORTCUT", "NOT REASONING", 1),
        ("UNGROUNDED", "UNGROUNDED", 0),
        ("LEAKY", "UNGROUNDED", 1),
        ("ERROR", "UNGROUNDED", 1),
        ("INCONCLUSIVE", "GROUNDED", 3),
        ("SKIPPED", "GROUNDED", 3),
    ],
)
def test_verdicts_and_exit_codes(mlp_report: Report, verdict: str, require: str, code: int) -> None:
    assert evaluate_gate(task_with(mlp_report, verdict), Terms(require=require)).exit_code == code


def test_a_failed_check_fails_the_gate(mlp_report: Report) -> None:
    failed = Finding("leak/labels", "fail", "it leaks", "stop it", task="mapping")
    gated = evaluate_gate(task_with(mlp_report, "GROUNDED", failed), Terms())
    assert gated.exit_code == 1
    assert [case.result for case in gated.cases] == ["fail", "pass"]


def test_expected_failures_are_strict(mlp_report: Report) -> None:
    ungrounded = task_with(mlp_report, "UNGROUNDED")
    expected = {"verdict/mapping": "no logic in it"}
    assert evaluate_gate(ungrounded, Terms(), expected_failures=expected).exit_code == 0
    surprise = evaluate_gate(task_with(mlp_report, "GROUNDED"), Terms(), expected_failures=expected)
    assert surprise.exit_code == 1
    assert "expected to fail (no logic in it)" in surprise.cases[-1].message
    with pytest.raises(
        ValueError, match="'verdict/maping' names no case of this gate: did you mean verdict/mapping"
    ):
        evaluate_gate(ungrounded, Terms(), expected_failures={"verdict/maping": ""})


def test_regression_against_a_baseline(mlp_report: Report) -> None:
    report = task_with(mlp_report, "GROUNDED")
    [task] = report.tasks
    for lost, code in ((0.0, 0), (0.019, 0), (0.021, 1)):
        better = replace(report, tasks=[moved(task, lost)])
        gated = evaluate_gate(report, Terms(max_regression=0.02), better)
        assert gated.exit_code == code
        assert "regression/task/mapping" in [case.id for case in gated.cases]


def test_what_a_gate_wrote_is_a_baseline(tmp_path: Path, mlp_report: Report, report: Report) -> None:
    gate = tmp_path / "gate.json"
    one, other = evaluate_gate(mlp_report, Terms()), evaluate_gate(report, Terms())
    write_json(gate, pipeline.record([one], 1))
    assert read_report(gate).summary == mlp_report.summary
    write_json(gate, pipeline.record([one, other], 1))
    assert read_report(gate, "exact").solver == "exact"
    with pytest.raises(ValueError, match=r"holds the reports of several solvers \(mlp, exact\)"):
        read_report(gate)
    for damaged in ('{"solvers": 3}', '{"solvers": [{}]}'):
        gate.write_text(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            read_report(gate)


def test_a_baseline_that_lacks_a_task_or_differs_is_refused(report: Report, mlp_report: Report) -> None:
    with pytest.raises(ValueError, match="the baseline lacks the task sudoku: it has mapping"):
        evaluate_gate(report, Terms(), mlp_report)
    [task] = mlp_report.tasks
    other = replace(task, version=99, training={**task.training, "epochs": 7})
    with pytest.raises(
        ValueError, match=r"version of the task is 1 in one and 99.*budget epochs is 2 in one and 7"
    ):
        evaluate_gate(mlp_report, Terms(), replace(mlp_report, tasks=[other]))


# What pipelines read


@pytest.fixture
def gated(mlp_report: Report) -> list[Gated]:
    hostile = "\x1b[31m<b>|`x`| [a](http://b) \x00 @everyone"
    findings = [
        Finding("contract/a", "skip", "no", task="mapping"),
        Finding("contract/b", "error", hostile, task="mapping"),
    ]
    return [evaluate_gate(replace(task_with(mlp_report, "UNGROUNDED", *findings), solver=hostile), Terms())]


def test_junit_is_read_by_an_xml_parser(gated: list[Gated]) -> None:
    root = ET.fromstring(pipeline.junit(gated))
    [suite] = root
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert [[child.tag for child in case] for case in suite] == [["skipped"], ["error"], ["failure"]]
    assert "<b>|`x`|" in (suite[1][0].get("message") or "")


def test_markdown_lets_nothing_through(gated: list[Gated]) -> None:
    text = pipeline.markdown(gated)
    assert "<b>" not in text
    assert "[a](" not in text
    assert " @everyone" not in text
    [row] = [line for line in text.splitlines() if line.startswith("| ❌")]
    assert row.replace("\\|", "").count("|") == 8


def test_command_writes_what_it_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlp_report: Report
) -> None:
    asked: dict[str, Any] = {}

    def check(solver: Any, **options: Any) -> Report:
        asked.update(options, solver=solver.name)
        return task_with(mlp_report, "UNGROUNDED")

    monkeypatch.setattr("groundcheck.grounding.suite.check.check", check)
    monkeypatch.chdir(tmp_path)
    paths = {name: tmp_path / f"out.{name}" for name in ("junit", "markdown", "json")}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    told = CliRunner().invoke(app, ["gate", "mlp", "--profile", "quick", *options])
    assert told.exit_code == 1, told.output
    assert asked["tasks"] == ["mapping"]
    assert "fail: verdict/mapping: UNGROUNDED, GROUNDED is required" in told.output
    assert ET.parse(paths["junit"]).getroot().find(".//failure") is not None
    assert "❌" in paths["markdown"].read_text()
    written = json.loads(paths["json"].read_text())
    assert (written["exit_code"], written["solvers"][0]["solver"]) == (1, "mlp")

    told = CliRunner().invoke(app, ["gate", "mlp", "--profile", "quick", "--require", "UNGROUNDED"])
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["mlp", "--profile", "quik"], "unknown profile 'quik': did you mean quick?"),
        (["mlp", "--require", "GOOD"], "--require 'GOOD' is no verdict"),
        (["mlp", "--baseline", "missing.json"], "missing.json"),
        (["mlp", "--junit", "/proc/junit.xml"], "/proc/junit.xml cannot be written"),
        ([], "no solver: name one"),
        (["mlp", "--config", "missing.toml"], "missing.toml cannot be read"),
    ],
)
def test_command_refuses_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["gate", *options])
    assert told.exit_code == 2
    assert message in told.output


def test_command_finds_a_lacking_baseline_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlp_report: Report
) -> None:
    monkeypatch.setattr("groundcheck.grounding.suite.check.check", lambda *_, **__: pytest.fail("it trained"))
    mlp_report.write(tmp_path / "baseline.json")
    options = ["mlp", "--profile", "standard", "--baseline", str(tmp_path / "baseline.json")]
    told = CliRunner().invoke(app, ["gate", *options])
    assert told.exit_code == 2
    assert "the baseline lacks the task sudoku" in told.output


# groundcheck.toml

GOOD = """
[gate]
profile = "nightly"
baseline = "baselines/main.json"

[profiles.nightly]
tasks = ["mapping"]
images = "mnist"
seeds = 4
settings = { symbols = 4 }

[solvers.mine]
solver = "package.module:Layer"
options = { hidden = 8 }
require = "SHORTCUT"
max-regression = 0.1

[solvers.mine.expected-failures]
"verdict/mapping" = "known"
"""


def project_of(tmp_path: Path, text: str) -> Project:
    (tmp_path / "groundcheck.toml").write_text(text)
    return read_project(tmp_path / "groundcheck.toml")


def test_file_holds_solvers_profiles_thresholds_and_expected_failures(tmp_path: Path) -> None:
    project = project_of(tmp_path, GOOD)
    entry = project.entry("mine")
    assert (entry.solver, entry.options) == ("package.module:Layer", {"hidden": 8})
    assert entry.terms == Terms("nightly", "SHORTCUT", tmp_path / "baselines/main.json", 0.1)
    assert entry.expected_failures == {"verdict/mapping": "known"}
    profile = project.profile("nightly")
    assert (profile.tasks, profile.images, profile.seeds) == (("mapping",), "mnist", 4)
    assert project.profile("quick").tasks == ("mapping",)
    assert project.entry("satnet").terms.profile == "nightly"


@pytest.mark.parametrize(
    ("find", "replacement", "message"),
    [
        ("images =", "image =", r"line 8: profiles\.nightly\.image: unknown key: did you mean images\?"),
        ("[gate]", "[gates]", r"line 2: gates: unknown key: did you mean gate\?"),
        (
            "seeds = 4",
            'seeds = "4"',
            r"line 9: profiles\.nightly\.seeds: a whole number is expected",
        ),
        ("seeds = 4", "seeds = true", "line 9: .*a whole number is expected, not True"),
        ("seeds = 4", "seeds = 0", "line 9: .*at least 1"),
        ('tasks = ["mapping"]', "tasks = [\n  1,\n]", r"line 7: profiles\.nightly\.tasks: a list of texts"),
        ("max-regression = 0.1", "max-regression = 2", "line 16: .*no fraction between 0 and 1"),
        ('require = "SHORTCUT"', 'require = "FINE"', "line 15: .*'FINE' is no verdict"),
        ('"known"', "1", r"line 19: solvers\.mine\.expected-failures\.verdict/mapping: text is expected"),
        ('profile = "nightly"', 'profile = "daily"', r"line 3: gate\.profile: there is no profile 'daily'"),
        ('require = "SHORTCUT"', "[[solvers.other]]", r"line 15: solvers\.other: a table is expected"),
        (
            "options = { hidden = 8 }",
            "options = 3",
            r"line 14: .*options: a table is expected, not 3",
        ),
        ('tasks = ["mapping"]', 'tasks = "mapping"', "line 7: .*a list of texts is expected, not 'mapping'"),
        ("max-regression = 0.1", "max-regression = true", "line 16: .*a number is expected, not True"),
        ("[gate]\n", "gate = 3\n[solvers.x]\n", r"line 2: gate: a table is expected, not 3"),
        ("[gate]", "[gate", "is no TOML: .*line 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, find: str, replacement: str, message: str
) -> None:
    assert find in GOOD
    with pytest.raises(ValueError, match=message):
        project_of(tmp_path, GOOD.replace(find, replacement, 1))


def test_perception_of_the_command_line_is_put_over_that_of_the_profile() -> None:
    told = CliRunner().invoke(app, ["gate", "mlp", "--profile", "quick", "--perception", "lenett"])
    assert told.exit_code == 2
    assert "unknown perception 'lenett': did you mean lenet" in told.output
