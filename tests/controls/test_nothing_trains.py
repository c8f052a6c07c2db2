"""Where the contract leaves nothing to train, nothing trains, and no check tells of what it did not see."""

import os
import time
from pathlib import Path

import gallery
import pytest
import sound
import torch
from rich.console import Console

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import check
from groundcheck.grounding.engines.children import Limits, Worker
from groundcheck.grounding.engines.errands import examine
from groundcheck.grounding.engines.inspection import Inspection
from groundcheck.grounding.report.table import print_report
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.solvers.neural import MLP

TASK = Mapping(symbols=4)
SHORT = {"tasks": [TASK], "seeds": 1, "settings": {"puzzles": 64, "epochs": 1}, "workers": 0}


def checked(solver: type) -> Report:
    return check(solver, isolate=False, **SHORT)


BROKEN = [
    (gallery.RaisesAtOnce, "contract/build", "RuntimeError: no licence"),
    (gallery.NamesAModuleLoss, "contract/build", "its attribute loss is a module (CrossEntropyLoss)"),
    (gallery.NamesAModulePath, "contract/build", "its attribute path is a module (Linear)"),
    (gallery.LeavesItsRateOpen, "contract/build", "its attribute learning_rate is None"),
    (gallery.ReturnsADict, "contract/shape", "forward r"),  # beartype, in tests, raises before it is told
    (gallery.ReturnsMoreThanATensor, "contract/shape", "forward r"),
    (gallery.TakesBeliefsAlone, "contract/shape", "takes 2 positional arguments but 3 were given"),
    (gallery.MakesItsWeightsLate, "contract/shape", "forward made the parameter late.bias"),
    (gallery.WrongShape, "contract/shape", "forward returned the shape (8, 2, 3)"),
    (gallery.RaisesInItsLoss, "contract/loss", "the loss raised IndexError: no such row"),
    (gallery.AveragedLoss, "contract/loss", "the loss has the shape ()"),
]


@pytest.mark.parametrize(
    ("solver", "check_id", "words"), BROKEN, ids=lambda value: getattr(value, "__name__", "")
)
def test_what_cannot_be_trained_is_one_failure_and_no_trial(solver: type, check_id: str, words: str) -> None:
    report = checked(solver)
    [task] = report.tasks
    [failed] = [finding for finding in task.findings if finding.status in ("fail", "error")]
    assert failed.check == check_id
    assert words in failed.reason
    assert not task.outcomes
    assert task.judgement.verdict == "ERROR"
    assert words in task.judgement.reason
    assert report.exit_code == 1
    labels = [finding.status for finding in task.findings if finding.check == "leak/labels"]
    assert labels in ([], ["skip"])


@pytest.mark.parametrize("solver", [gallery.RaisesAtOnce, gallery.TakesBeliefsAlone, gallery.RaisesInItsLoss])
def test_what_a_solver_raises_is_shown_with_its_traceback(solver: type) -> None:
    report = checked(solver)
    [failed] = [finding for finding in report.tasks[0].findings if finding.status == "fail"]
    assert failed.traceback.startswith("Traceback")
    if solver is not gallery.TakesBeliefsAlone:  # which is not even entered
        assert "gallery.py" in failed.traceback
    console = Console(record=True, width=200, file=Path(os.devnull).open("w"))  # noqa: SIM115
    print_report(report, console)
    console.file.close()
    assert failed.traceback.splitlines()[-1] in console.export_text()


def test_a_solver_that_is_not_made_for_a_problem_is_skipped_with_its_reason() -> None:
    report = checked(sound.ForBoardsAlone)
    [task] = report.tasks
    assert {finding.status for finding in task.findings} == {"skip"}
    assert task.findings[0].reason == "it is made for boards"
    assert (task.judgement.verdict, task.judgement.reason) == ("SKIPPED", "it is made for boards")
    assert (task.outcomes, report.exit_code) == ([], 3)
    refusing = type("Refusing", (MLP,), {"supports": staticmethod(lambda problem: False)})
    task = checked(refusing).tasks[0]
    assert task.judgement.verdict == "SKIPPED"
    assert "does not support this problem" in task.judgement.reason


def test_a_claim_to_be_exact_on_one_problem_alone_is_skipped_where_it_cannot_be_tried() -> None:
    inspection = Inspection(SolverSpec.of(sound.ForFourSymbols), TASK, Training(), ImageSource("digits"))
    statuses = {f.check: (f.status, f.reason) for f in inspection.findings()}
    status, reason = statuses["contract/posterior"]
    assert status == "skip"
    assert "no random problem can be tried" in reason
    assert statuses["contract/gradient-beliefs"][0] == "pass"


def test_a_lazy_solver_has_its_parameters_before_it_is_trained() -> None:
    built = SolverSpec.of(sound.Lazy).build(TASK.problem)
    assert [tuple(p.shape) for p in built.parameters()] == [(8, 8), (8,)]
    assert built.training


def test_a_solver_may_keep_a_pool_of_processes() -> None:
    inspection = Inspection(SolverSpec("sound:KeepsAPool"), TASK, Training(), ImageSource("digits"))
    found = examine(inspection, Limits(60.0))
    assert [(f.check, f.status) for _, f in zip(range(2), found, strict=False)] == [
        ("contract/build", "pass"), ("contract/shape", "pass"),
    ]  # fmt: skip
    found.close()


def runs(state: Path) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_what_a_worker_started_ends_with_it() -> None:
    with Worker.running(sound.start_another, ()) as worker:
        pid = worker.hear(60.0)
        assert Path(f"/proc/{pid}").exists()
    deadline = time.monotonic() + 10
    state = Path(f"/proc/{pid}/stat")
    while time.monotonic() < deadline and runs(state):
        time.sleep(0.05)
    assert not runs(state)


def test_settings_of_the_process_are_put_back_after_a_check_that_changed_them() -> None:
    before = torch.get_default_dtype()
    for solver in (gallery.SetsTheDefaultDtype, gallery.TurnsGradientsOff, gallery.AsksForDeterminism):
        list(Inspection(SolverSpec.of(solver), TASK, Training(), ImageSource("digits")).findings())
        assert torch.get_default_dtype() == before
        assert torch.is_grad_enabled()
        assert not torch.are_deterministic_algorithms_enabled()
