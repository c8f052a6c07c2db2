"""A user's own solver: named by its file, its prints kept out of the report, its contract alone checked."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundcheck.grounding import Report, Trial, check, run_trial
from groundcheck.grounding.cli import app
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training

SOLVER = """
import os, sys
import torch
import beside
print("noise of the import")

class Solver(torch.nn.Module):
    def __init__(self, problem):
        super().__init__()
        print("noise of the constructor")
        size = len(problem.variables) * problem.symbols
        self.layer = torch.nn.Linear(size, size)

    def forward(self, beliefs, given):
        print("noise of forward", file=sys.stderr)
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0)
        return self.layer(seen.flatten(1)).view_as(beliefs).softmax(-1)

class Compiled(Solver):
    def __init__(self, problem):
        os.write(1, b"noise of a descriptor\\n")
        super().__init__(problem)

class Breaks(Solver):
    def train(self, mode=True):
        if mode and sys._getframe(2).f_code.co_name == "train":  # in the trial, not in the checks
            raise RuntimeError("out of ideas")
        return super().train(mode)

class Leaves(Solver):
    rules = "given"
    def forward(self, beliefs, given):
        return 20 * super().forward(beliefs, given)

instance = torch.nn.Linear(2, 2)
"""
TINY = ["--task", "mapping", "--set", "training.puzzles=16", "--set", "symbols=3", "--epochs", "1"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "150")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").write_text(SOLVER)
    (tmp_path / "code" / "beside.py").write_text("")
    for name in ("mine", "beside"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_a_solver_prints_goes_to_the_logs_of_the_run(workers: str) -> None:
    isolate = [] if workers == "1" else ["--no-isolate"]
    words = ["check", "code/mine.py:Compiled" if workers == "1" else "code/mine.py:Solver", *TINY]
    code, out = said(*words, "--seeds", "1", "--workers", workers, *isolate, "--run", "r")
    assert code in (1, 3), out
    assert "noise" not in out
    assert re.search(r"estimated: about \d+:\d\d for 1 seed \(one trial at a time\)", out)
    logs = {path.name: path.read_text() for path in Path("r/logs").iterdir()}
    [trial] = [text for name, text in logs.items() if name.startswith("mapping-grounding-0-")]
    assert "noise of the constructor" in trial
    assert "noise of forward" in trial
    if workers == "1":
        assert "noise of a descriptor" in trial
        assert "noise of the import" in trial
    assert "noise of the constructor" in logs["mapping-checks.log"]
    assert not [name for name in logs if "ceiling" in name]  # the solver has no part in it
    assert "what the solver printed" not in out


def test_without_a_run_folder_they_are_named_where_something_broke() -> None:
    code, out = said("run", "mapping", "code/mine.py:Breaks", *TINY[2:])
    assert code == 1
    assert "out of ideas" in out
    [path] = re.findall(r"what the solver printed: (.*)", out)
    assert "noise of the constructor" in Path(path).read_text()
    assert "noise" not in out.replace("noisy", "")
    code, out = said("run", "mapping", "code/mine.py:Solver", *TINY[2:])
    assert (code, "printed" in out, "noise" in out) == (0, False, False)


def test_from_python_the_log_is_told_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    short = {"seeds": 1, "epochs": 1, "settings": {"training.puzzles": 16}, "workers": 0, "isolate": False}
    report = check("code/mine.py:Breaks", tasks=["mapping"], **short)  # pyright: ignore
    out, err = capfd.readouterr()
    assert (out, report.tasks[0].outcomes[0].error is not None) == ("", True)
    assert re.fullmatch(r"groundcheck: what the solver printed: \S+\n", err)


def test_a_trial_of_ones_own_prints_as_ever(capfd: pytest.CaptureFixture[str]) -> None:
    from groundcheck.datasets import Mapping  # noqa: PLC0415

    trial = Trial(
        task=Mapping(), solver=SolverSpec("code/mine.py:Solver"), role="grounding", seed=0,
        training=Training(puzzles=16, epochs=1), validation_puzzles=4, test_puzzles=4,
    )  # fmt: skip
    assert run_trial(trial).error is None
    assert "noise of forward" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("solver", "code", "verdict"),
    [
        ("code/mine.py:Solver", 0, r"on mapping: contract kept \(\d+ checks: \d+ pass, \d+ skip\)"),
        ("code/mine.py:Leaves", 1, r"on mapping: contract broken: contract/range/mapping \("),
        ("exact", 0, r"exact on mapping: contract kept"),
    ],
)
def test_the_contract_alone(solver: str, code: int, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "groundcheck.grounding.engines.pairs.Pairs.submit", lambda *_: pytest.fail("it trained")
    )
    words = ["check", solver, "--contract", "--task", "mapping", "--workers", "0", "--no-isolate", "-q"]
    found, out = said(*words)
    assert (found, re.search(verdict, out) is not None) == (code, True), out
    assert ("To do:" in out) == (code == 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check", "code/mine.py:instance"], "is an instance of Linear: name the class itself"),
        (["check", "code/gone.py:Solver"], "there is no file code/gone.py"),
        (["check", "code/mine.py:Gone"], "has no attribute 'Gone'"),
        (["run", "sudoku", "code/mine.py"], "unknown solver 'code/mine.py'"),
    ],
)
def test_what_is_no_solver_is_told_in_a_sentence(words: list[str], told: str) -> None:
    code, out = said(*words)
    assert (code, told in " ".join(out.split())) == (2, True), out


def test_groundcheck_toml_says_what_the_command_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("groundcheck.toml").write_text(
        '[profiles.short]\ntasks = ["mapping"]\nseeds = 1\nepochs = 1\n'
        'settings = { "training.puzzles" = 16 }\n'
        '[solvers.own]\nsolver = "mlp"\nprofile = "short"\noptions = { hidden = 7 }\n'
    )
    monkeypatch.setattr("groundcheck.grounding.suite.suite.Suite.inspection", lambda *_: None)
    code, out = said("check", "own", "--workers", "0", "--json", "r.json")
    assert code == 3, out
    assert "groundcheck.toml: profile short, own is mlp" in out
    report = Report.read(Path("r.json"))
    [task] = report.tasks
    assert (report.solver, report.options, task.task) == ("mlp", {"hidden": 7}, "mapping")
    assert (task.training["puzzles"], task.training["epochs"]) == (16, 1)
    code, out = said(
        "check", "own", "--workers", "0", "--json", "r.json", "--epochs", "2", "--task", "sudoku"
    )
    assert code == 3, out
    [task] = Report.read(Path("r.json")).tasks
    assert (task.task, task.training["epochs"]) == ("sudoku", 2)


def test_the_package_is_a_command_with_completion() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "groundcheck", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"groundcheck \d+\.\d+.*\n", told.stdout)
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "--install-completion" in shown
    around = {
        "_GROUNDCHECK_COMPLETE": "complete_bash", "COMP_WORDS": "groundcheck check satn", "COMP_CWORD": "2",
    }  # fmt: skip
    offered = subprocess.run(
        [sys.executable, "-m", "groundcheck"],
        env={**os.environ, **around}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert offered.stdout.split() == ["satnet"]
