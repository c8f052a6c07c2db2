"""Progress: a live table in a terminal, plain lines in a log, nothing when quiet; and trackers."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import Listener
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.commands.shell import consoles
from groundcheck.grounding.report.progress import Progress, clock, follow_suite
from groundcheck.grounding.report.tracking import label, scalars, tracked
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial

PASS, FAIL = Finding("contract/shape", "pass", "it fits"), Finding("contract/range", "fail", "it does not")


def trials(count: int) -> list[Trial]:
    solver, budget = SolverSpec("mlp"), Training()
    return [
        Trial(task=Mapping(), solver=solver, role="grounding", seed=s, training=budget) for s in range(count)
    ]


def heard(outcome: Outcome, *, terminal: bool, quiet: bool = False, verbose: bool = False) -> str:
    """What is written while two checks and one of two trials end."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100, _environ={"TERM": "xterm"})
    with follow_suite(console, quiet=quiet, verbose=verbose) as listener:
        listener.finding(PASS)
        listener.finding(FAIL)
        listener.wave(trials(2))
        listener.outcome(outcome)
    return file.getvalue()


def test_log_gets_plain_lines(mlp_report: Report) -> None:
    outcome = mlp_report.tasks[0].outcomes[0]
    told = heard(outcome, terminal=False)
    assert "\x1b" not in told
    lines = told.splitlines()
    assert [line.split(" ", 1)[1] for line in lines[:2]] == [
        "contract/range: fail",
        "2 checks ended; 2 trials to run",
    ]
    assert "grounding/mapping mlp seed 0: task" in lines[2]
    assert len(lines) == 3


def test_verbose_tells_every_check_and_quiet_nothing(mlp_report: Report) -> None:
    outcome = mlp_report.tasks[0].outcomes[0]
    assert "contract/shape: pass: it fits" in heard(outcome, terminal=False, verbose=True)
    assert heard(outcome, terminal=False, quiet=True) == ""
    assert heard(outcome, terminal=True, quiet=True) == ""


def test_terminal_gets_a_live_table(mlp_report: Report) -> None:
    told = heard(mlp_report.tasks[0].outcomes[0], terminal=True)
    assert "mapping" in told
    assert "1/2" in told
    assert "left for 1 trial;" in told
    assert "1 pass, 1 fail" in told


def test_estimate_is_the_pace_so_far(mlp_report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    progress = Progress()
    progress.wave(trials(4))
    assert progress.remaining(110.0) is None
    progress.outcome(mlp_report.tasks[0].outcomes[0])
    assert progress.remaining(110.0) == pytest.approx(30.0)  # one of four in 10 s
    assert [clock(seconds) for seconds in (9.4, 75.0, 3661.0)] == ["0:09", "1:15", "1:01:01"]


def test_colours_follow_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not consoles()[0].no_color
    monkeypatch.setenv("NO_COLOR", "1")
    assert consoles()[0].no_color


def test_scalars_are_the_figures_of_the_record(mlp_report: Report) -> None:
    outcome = mlp_report.tasks[0].outcomes[0]
    assert outcome.scores
    logged = scalars(outcome)
    assert ("test/task", outcome.scores.task, 2) in logged
    trained = outcome.curve[1:]  # before training there is no loss
    assert [value for name, value, _ in logged if name == "curve/loss"] == [p.loss for p in trained]
    names = {name for name, _, _ in logged}
    assert {"curve/gradient", "curve/symbols_used", "test/aligned", "test/collapse"} <= names


def test_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--track 'wandb': it is tensorboard or mlflow"):
        tracked("wandb", tmp_path, Listener()).__enter__()


@pytest.mark.filterwarnings("ignore")  # TensorBoard's and MLflow's own
def test_tensorboard_logs_the_same_figures(tmp_path: Path, mlp_report: Report) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    outcome = mlp_report.tasks[0].outcomes[0]
    passed_on: list[Outcome] = []
    with tracked("tensorboard", tmp_path, Listener(outcome=passed_on.append)) as listener:
        listener.outcome(outcome)
    assert passed_on == [outcome]
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / label(outcome))).Reload()
    logged = {
        (name, event.step): event.value for name in read.Tags()["scalars"] for event in read.Scalars(name)
    }
    assert logged == pytest.approx({(name, epoch): value for name, value, epoch in scalars(outcome)})


@pytest.mark.filterwarnings("ignore")
def test_mlflow_logs_the_same_figures(
    tmp_path: Path, mlp_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    outcome = mlp_report.tasks[0].outcomes[0]
    with tracked("mlflow", None, Listener()) as listener:
        listener.outcome(outcome)
    [run] = mlflow.search_runs(experiment_names=["groundcheck"], output_format="list")
    assert run.info.run_name == label(outcome)
    last = {name: value for name, value, _ in scalars(outcome)}
    assert run.data.metrics == pytest.approx(last)
    assert json.loads(json.dumps(run.data.params))["seed"] == "0"
