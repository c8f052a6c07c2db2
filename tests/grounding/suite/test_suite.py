import importlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from groundcheck.datasets.errors import DataUnavailableError, UnknownNameError
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding import Listener, Report, check
from groundcheck.grounding.gate.gate import evaluate_gate
from groundcheck.grounding.gate.project import Terms
from groundcheck.grounding.report.html import environment_rows
from groundcheck.grounding.report.table import print_report
from groundcheck.solvers.solver import answer_nll

sys.path.insert(0, str(Path(__file__).parents[1]))  # of `broken`, in trials too
Fair = importlib.import_module("broken").Fair
SMALL = {"puzzles": 64, "epochs": 1}


def short(solver: str, **options: object) -> Report:
    """A check in this process, on one tiny task, with a budget that teaches nothing."""
    settings = {**SMALL, **options.pop("settings", {})}
    return check(
        solver, **{"tasks": [Mapping(symbols=3)], "seeds": 1, "workers": 0, "settings": settings, **options}
    )


def test_exact_rules_ground_the_mapping_on_every_seed() -> None:
    report = check(
        "exact", tasks=[Mapping(symbols=3)], workers=0, settings={"puzzles": 300, "epochs": 4, "batch": 32}
    )
    [task] = report.tasks
    assert task.judgement.verdict == "GROUNDED", task.judgement.reason
    assert (task.judgement.grounded, task.judgement.seeds) == (6, 6)
    assert {o.role for o in task.outcomes} == {"grounding", "baseline", "ceiling", "reasoning"}
    assert len(task.outcomes) == 24
    assert report.exit_code == 0


def test_a_network_without_logic_that_learns_nothing_fails_after_two_seeds() -> None:
    report = check("mlp", tasks=[Sudoku()], workers=0, settings=SMALL)
    [task] = report.tasks
    assert task.judgement.verdict == "UNGROUNDED"
    assert task.judgement.failed == 2  # seeds whose ceiling reads at chance decide nothing
    assert report.exit_code == 1


def test_two_runs_and_any_number_of_workers_give_the_same_report_bit_by_bit() -> None:
    reports = [short("mlp", seeds=2, workers=workers).as_dict(timings=False) for workers in (0, 0, 2)]
    assert json.dumps(reports[0]) == json.dumps(reports[1]) == json.dumps(reports[2])


def test_the_report_tells_which_path_computed_the_solver(capsys: pytest.CaptureFixture[str]) -> None:
    report = short("satnet", settings={"path": "blocks"})
    assert report.tasks[0].path == "blocks"
    assert ("solver path", "mapping: blocks") in environment_rows(report)
    print_report(report, Console())
    assert "Computed on path blocks" in capsys.readouterr().out
    assert short("mlp").tasks[0].path is None


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = short("mlp")
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report
    record = json.loads((tmp_path / "report.json").read_text())
    assert record["schema"] == 2
    assert record["tasks"][0]["outcomes"][0]["scores"]["puzzles"] == 300


def test_a_report_of_a_newer_schema_and_what_is_no_report_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"schema": 99}')
    with pytest.raises(ValueError, match="schema 99"):
        Report.read(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="no groundcheck report"):
        Report.read(path)


def test_one_seed_cannot_decide_and_too_little_ran() -> None:
    report = short("exact", settings={"puzzles": 300, "epochs": 4, "batch": 32})
    assert report.tasks[0].judgement.verdict == "INCONCLUSIVE"
    assert report.exit_code == 3


def test_leaky_supervision_is_found_by_intervention_and_never_passes() -> None:
    report = check("exact", tasks=[Sudoku(supervision="leaky")], seeds=1, workers=0, settings=SMALL)
    [task] = report.tasks
    assert task.judgement.verdict == "LEAKY"
    assert "labels of the givens" in task.judgement.reason
    assert report.exit_code == 1


class Blind(Fair):
    """Its loss leaves the givens out whatever the answer holds, so that no intervention moves it."""

    def loss(self, beliefs: torch.Tensor, given: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        return answer_nll(self(beliefs, given), answer.masked_fill(given, -1))


def test_leaky_supervision_never_passes_even_where_the_loss_ignores_it() -> None:
    report = check(Blind, tasks=[Mapping(symbols=3, supervision="leaky")], seeds=1, workers=0, settings=SMALL)
    [task] = report.tasks
    assert not [f for f in task.findings if f.check == "leak/labels" and f.status == "fail"]
    assert task.judgement.verdict == "LEAKY"
    assert report.exit_code == 1


def test_seen_as_symbols_there_is_nothing_to_say_of_grounding() -> None:
    report = short("exact", tasks=[Mapping(symbols=3, seen="symbols")], seeds=2)
    [task] = report.tasks
    assert task.judgement.verdict == "INCONCLUSIVE"
    assert task.mean("reasoning", "task") == 1.0
    assert task.mean("reasoning", "aligned") is None


def test_a_solver_from_outside_needs_nothing_of_ours() -> None:
    report = short("broken:Fair", workers=1)
    [task] = report.tasks
    assert not [outcome.error for outcome in task.outcomes if outcome.error]
    untrained = [f for f in task.findings if f.family in ("contract", "leak")]
    assert {finding.status for finding in untrained} == {"pass", "skip"}


@pytest.mark.parametrize(
    ("solver", "told"),
    [
        ("broken:raises", "KeyError: 'no such layer'"),
        ("broken:no_module", "returned a str where an nn.Module"),
    ],
)
def test_a_solver_that_cannot_be_built_is_an_error_and_trains_nothing(solver: str, told: str) -> None:
    report = short(solver)
    [task] = report.tasks
    assert task.judgement.verdict == "ERROR"
    assert told in task.judgement.reason
    assert not task.outcomes
    assert report.exit_code == 1


@pytest.fixture
def _no_satnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "satnet", None)


@pytest.mark.usefixtures("_no_satnet")
def test_a_solver_whose_package_is_missing_is_skipped_with_the_reason_and_counted() -> None:
    report = short("public-satnet", tasks=["mapping"], settings={})
    [task] = report.tasks
    assert task.judgement.verdict == "SKIPPED"
    assert "pip install 'groundcheck[satnet]'" in task.judgement.reason
    assert not task.outcomes
    assert report.exit_code == 3
    counted = report.accounting
    assert (counted.errors, counted.ran) == (0, 0)
    assert counted.skipped[task.judgement.reason] == 1
    assert sum(counted.skipped.values()) == counted.collected
    gated = evaluate_gate(report, Terms())
    assert gated.exit_code == 3
    assert {case.result for case in gated.cases} == {"skip"}


@pytest.mark.parametrize(
    ("solver", "told"),
    [
        ("broken:WrongShape", "shape (8, 1, 3) where (8, 2, 3) was expected"),
        ("broken:Unbounded", "values from"),
        ("broken:Nan", "no value at a query is finite"),
    ],
)
def test_an_output_that_breaks_the_contract_is_found(solver: str, told: str) -> None:
    report = short(solver)
    failed = [finding for finding in report.tasks[0].findings if finding.status == "fail"]
    assert any(told in finding.reason for finding in failed), failed
    assert report.exit_code == 1


class Unanswering(Fair):
    """Has a loss, and no answer to anything."""

    def loss(self, beliefs: torch.Tensor, given: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        return answer_nll(super().forward(beliefs, given), answer)

    def forward(self, beliefs: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        return super().forward(beliefs, given) * torch.nan


def test_a_solver_that_answers_nan_is_reported_as_unsolved() -> None:
    report = check(Unanswering, tasks=[Mapping(symbols=3)], seeds=1, workers=0, isolate=False, settings=SMALL)
    assert [o.error for o in report.tasks[0].outcomes] == [None] * 4
    scores = report.tasks[0].scores("grounding")[0]
    assert (scores.unsolved, scores.task) == (1.0, 0.0)


def test_a_loss_that_is_no_number_trains_nothing() -> None:
    [task] = short("broken:Nan").tasks
    assert (task.outcomes, task.judgement.verdict) == ([], "ERROR")


def test_a_solver_that_raises_in_training_costs_its_own_trials() -> None:
    report = short("broken:RaisesInTraining", settings={"puzzles": 512}, seeds=2)
    [task] = report.tasks
    assert task.judgement.verdict == "ERROR"
    broken = {o.role for o in task.outcomes if o.error}
    assert broken == {"grounding", "reasoning"}
    assert "ZeroDivisionError: the sixth step was one too many" in (task.outcomes[0].error or "")
    assert len(task.scores("ceiling")) == len(task.scores("baseline")) == 2


@pytest.mark.parametrize(
    ("solver", "told"),
    [
        ("satnett", "did you mean satnet"),
        ("broken:Absent", "no attribute 'Absent'"),
        ("nowhere.at_all:Solver", "No module named 'nowhere'"),
        ("broken:not_callable", "is a int, not a callable"),
    ],
)
def test_a_solver_that_is_not_there_is_told_before_anything_runs(solver: str, told: str) -> None:
    with pytest.raises(UnknownNameError, match=told):
        short(solver)


def test_an_unknown_task_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean sudoku"):
        short("mlp", tasks=["soduku"])


def test_no_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="seeds=0: at least 1"):
        short("mlp", seeds=0)


def test_missing_images_are_told_before_anything_runs(tmp_path: Path) -> None:
    heard: list[object] = []
    with pytest.raises(DataUnavailableError):
        short("mlp", images="mnist", data_root=tmp_path, listener=Listener(finding=heard.append))
    assert not heard


def test_a_callable_is_checked_too() -> None:
    factory = lambda problem: Fair(problem)  # noqa: E731, PLW0108 - a lambda is the point
    report = check(factory, tasks=[Mapping(symbols=3)], seeds=1, settings=SMALL)
    assert len(report.tasks[0].outcomes) == 4  # in this process: a lambda cannot be sent to another


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    command = [sys.executable, "-m", "groundcheck.grounding", "check", "mlp", "--json", str(output)]
    command += ["--set", "puzzles=2000", "--epochs", "200", "--task", "mapping"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        # Where the tests themselves run in the background, Ctrl-C is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "trials" in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out
    report = Report.read(output)
    assert report.interrupted
    assert report.tasks[0].findings
