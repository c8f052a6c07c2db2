"""Tasks of one name in one run: nothing of one is taken for the other."""

import json
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from groundcheck.datasets.futoshiki import Futoshiki
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding import check
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.engines.inspection import Inspection
from groundcheck.grounding.engines.pairs import Here
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.gate import pipeline
from groundcheck.grounding.gate.gate import evaluate_gate
from groundcheck.grounding.gate.project import Terms
from groundcheck.grounding.report.progress import Progress
from groundcheck.grounding.results.accounting import account
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.results.run_directory import Record
from groundcheck.grounding.suite import suite
from groundcheck.grounding.suite.labels import distinct_tasks, label_tasks
from groundcheck.grounding.suite.report_io import read_report
from groundcheck.grounding.suite.scheduling import schedule
from groundcheck.grounding.trials.roles import label_of
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome

PLAIN, SMALL = "mapping", "mapping[symbols=3]"
ASKED: dict[str, Any] = {
    "tasks": ["mapping", Mapping(symbols=3), "mapping"],
    "seeds": 1,
    "epochs": 1,
    "settings": {"puzzles": 64},
    "workers": 0,
}


class TwoChecks(Inspection):
    """The small task fails a check that the other one passes; what a run has already is not made again."""

    def findings(self, *, known: Any = None, starting: Any = None) -> Iterator[Finding]:
        if "contract/build" not in known:
            yield Finding("contract/build", "pass", "built", task=self.label)
        if "contract/range" not in known:
            status = "fail" if self.label == SMALL else "pass"
            yield Finding("contract/range", status, "seen", "mend it", 1.0, 0.0, task=self.label)


def inspection(of: suite.Suite, run: suite.TaskRun, *_: object) -> TwoChecks:
    return TwoChecks(of.spec, run.task, run.training, of.images, run.label)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite.Suite, "inspection", inspection)
        check("mlp", run=path, **ASKED)
        yield path


def test_what_tells_tasks_of_one_name_apart() -> None:
    boards = [Sudoku(), Sudoku(size=9), Futoshiki(), Sudoku(seen="symbols"), Sudoku(size=9, seen="symbols")]
    assert label_tasks(boards) == [
        "sudoku", "sudoku[size=9]", "futoshiki", "sudoku[seen=symbols]", "sudoku[seen=symbols,size=9]",
    ]  # fmt: skip
    assert label_tasks([Sudoku(size=9)]) == ["sudoku"]
    assert label_tasks([Mapping(symbols=3), Mapping(symbols=4)]) == [SMALL, "mapping[symbols=4]"]
    assert distinct_tasks([Sudoku(), Mapping(), Sudoku(size=4), Sudoku(size=9)]) == [0, 1, 3]


def test_a_task_that_is_given_twice_runs_once(folder: Path) -> None:
    report = read_report(folder)
    assert [task.label for task in report.tasks] == [PLAIN, SMALL]
    ids = [finding.id for task in report.tasks for finding in task.findings]
    assert len(ids) == len(set(ids))
    assert {f"contract/range/{PLAIN}", f"contract/range/{SMALL}"} <= set(ids)


def test_an_expected_failure_is_that_of_one_of_them(folder: Path) -> None:
    findings = [finding for task in read_report(folder).tasks for finding in task.findings]
    ranges = [finding for finding in findings if finding.check == "contract/range"]
    assert account(ranges, [f"contract/range/{SMALL}"]).unexpected == ()
    other = account(ranges, [f"contract/range/{PLAIN}"])
    assert other.unexpected == (f"contract/range/{SMALL}",)
    assert other.passed_though_expected == (f"contract/range/{PLAIN}",)
    assert account(ranges, ["contract/range/mapping*"]).unexpected == ()
    assert account(ranges, ["contract/range/mapping?symbols=3?"]).unmatched


def test_every_case_of_a_gate_has_a_name_of_its_own(folder: Path) -> None:
    report = read_report(folder)
    gated = evaluate_gate(report, Terms(), report, {f"contract/range/{SMALL}": "too wide"})
    names = [str(case.get("name")) for case in ET.fromstring(pipeline.junit([gated])).iter("testcase")]
    assert len(names) == len(set(names))
    assert {f"verdict/{PLAIN}", f"verdict/{SMALL}", f"regression/task/{SMALL}"} <= set(names)
    results = {case.id: case.result for case in gated.cases}
    assert results[f"contract/range/{SMALL}"] == "expected"
    assert results[f"contract/range/{PLAIN}"] == "pass"
    [written] = pipeline.record([gated], 1)["solvers"]
    assert {"id": f"verdict/{SMALL}", "check": "verdict", "task": SMALL} in [
        {name: case[name] for name in ("id", "check", "task")} for case in written["cases"]
    ]


def test_each_has_its_trials_traces_and_findings_and_goes_on_with_them(folder: Path, tmp_path: Path) -> None:
    whole = read_report(folder).as_dict(timings=False)["tasks"]
    assert (
        len(list((folder / "traces").iterdir())) == 6
    )  # of three roles each; every file has its trial's key
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    for name in ("trials.jsonl", "findings.jsonl"):
        lines = (again / name).read_text().splitlines(keepends=True)
        (again / name).write_text("".join(lines[:3]))
    assert [[f.id for f in task.findings][:2] for task in read_report(folder).tasks] == [
        [f"contract/{name}/{task}" for name in ("build", "range")] for task in (PLAIN, SMALL)
    ]
    (again / "report.json").unlink()
    partial = read_report(again)
    assert [len(task.outcomes) for task in partial.tasks] == [3, 0]
    assert [task.label for task in partial.tasks] == [PLAIN, SMALL]
    continued = check("mlp", run=again, resume=True, **ASKED)
    assert continued.as_dict(timings=False)["tasks"] == whole
    assert len((again / "findings.jsonl").read_text().splitlines()) == 6  # with the count of relabellings


def as_before(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding as schema 1 has it: check and task in one word."""
    task = finding.pop("task")
    return {**{k: v for k, v in finding.items() if k != "traceback"}, "check": f"{finding['check']}/{task}"}


def test_a_report_of_the_version_before_is_read(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "report.json").read_text())
    record["tasks"] = record["tasks"][:1]
    [task] = record["tasks"]
    now = Report.read(folder / "report.json").tasks[0]
    del task["label"]
    task["findings"] = [as_before(finding) for finding in task["findings"]]
    old = tmp_path / "old.json"
    old.write_text(json.dumps({**record, "schema": 1}))
    read = Report.read(old)
    assert read.tasks == [now]
    read.write(old)
    assert Report.read(old).tasks == [now]


def test_a_run_of_the_version_before_is_read_and_not_continued(folder: Path, tmp_path: Path) -> None:
    now = read_report(folder)
    old = tmp_path / "run"
    shutil.copytree(folder, old)
    (old / "report.json").unlink()
    described = json.loads((old / "run.json").read_text())
    (old / "run.json").write_text(json.dumps({**described, "schema": 1}))
    lines = [json.loads(line) for line in (old / "findings.jsonl").read_text().splitlines()]
    for line in lines:
        line["task"] = "mapping"
    before = [{**as_before(line), "task": line.pop("number")} for line in lines]
    for line in before:
        del line["number"]
    (old / "findings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in before))
    read = read_report(old)
    assert [f.check for task in read.tasks for f in task.findings] == [
        f.check for task in now.tasks for f in task.findings
    ]
    assert [task.outcomes for task in read.tasks] == [task.outcomes for task in now.tasks]
    with pytest.raises(ValueError, match=r"an earlier groundcheck \(schema 1\).*choose another folder"):
        check("mlp", run=old, resume=True, **ASKED)


def test_the_progress_of_each_has_a_row_and_lines_of_its_own() -> None:
    tasks = [Mapping(), Mapping(symbols=3)]
    runs = [suite.TaskRun(task, Training(), label) for task, label in zip(tasks, (PLAIN, SMALL), strict=True)]
    planned = suite.Suite(SolverSpec("mlp"), False, runs, 1, ImageSource(), checks=False)
    trials = [trial for _, trial in planned.wave()]

    class Ended(Here):
        """Trials that end at once."""

        def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
            ended, self.waiting = list(self.waiting), deque()
            return [(n, Outcome(t.role, t.task.name, t.solver.name, t.seed, error="x")) for n, t in ended]

    class Engine(Processes):
        """Runs those."""

        @contextmanager
        def open(self) -> Iterator[Ended]:
            yield Ended()

    progress, lines = Progress(), []
    listener = suite.Listener(
        wave=progress.wave,
        outcome=lambda outcome: (progress.outcome(outcome), lines.append(label_of(outcome))),
    )
    schedule([planned], Engine(0), Record(), listener)
    assert {label: sum(map(len, row.ended.values())) for label, row in progress.rows.items()} == {
        PLAIN: 3, SMALL: 3,
    }  # fmt: skip
    assert f"grounding/{SMALL} mlp seed 0" in lines
    assert trials[-1].label.startswith(f"reasoning/{SMALL} ")
    assert [outcome.task for run in runs for outcome in run.outcomes] == ["mapping"] * 6
