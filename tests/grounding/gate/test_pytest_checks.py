"""The suite inside a user's own tests, as pytest runs it in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from groundcheck.datasets.boards.task import FileBoards
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding import parametrize_with_checks
from groundcheck.grounding.gate.pytest_checks import BOARDS

CONFIG = """
[profiles.tiny]
tasks = ["mapping"]
seeds = 2
epochs = 1
settings = { puzzles = 64 }
"""
SOUND = """
import sys
from groundcheck.grounding import parametrize_with_checks

@parametrize_with_checks("mlp", profile="tiny", expected_failures={"mlp-mapping-grounding": "no logic in it"})
def test_mlp(check):
    check()

if sys.argv[0] != "worker":
    assert "torch" not in sys.modules, "collecting has imported torch"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "groundcheck.toml").write_text(CONFIG)
    (tmp_path / "test_sound.py").write_text(SOUND)
    return tmp_path


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_boards_of_a_profile_are_a_task_of_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    drawn = Sudoku().generate("train", 300, 0)
    shown = np.where(drawn.given, drawn.solution + 1, 0)
    (tmp_path / "boards.txt").write_text("\n".join("".join(map(str, board)) for board in shown))
    (tmp_path / "groundcheck.toml").write_text('[profiles.own]\npuzzles = "boards.txt"\n')
    assert FileBoards.name == BOARDS
    planned = [parameter.values[0] for parameter in parametrize_with_checks("exact", "own").args[1]]
    assert {check.task for check in planned} == {BOARDS}
    [shape] = [check for check in planned if check.name == "contract/shape"]
    assert shape.id == "exact-puzzles-contract/shape"
    shape()


def test_ids_are_readable_and_collecting_imports_no_torch(folder: Path) -> None:
    told = run_pytest(folder, "--collect-only", "-q", "-k", "grounding or contract/gradient")
    assert told.returncode == 0, told.stdout
    ids = [line for line in told.stdout.splitlines() if "::" in line]
    assert ids == [
        "test_sound.py::test_mlp[mlp-mapping-contract/gradient-beliefs]",
        "test_sound.py::test_mlp[mlp-mapping-contract/gradient-parameters]",
        "test_sound.py::test_mlp[mlp-mapping-contract/gradient-settings]",
        "test_sound.py::test_mlp[mlp-mapping-contract/gradient-training]",
        "test_sound.py::test_mlp[mlp-mapping-grounding]",
    ]


def test_a_single_check_is_run_by_its_id(folder: Path) -> None:
    told = run_pytest(folder, "-q", "test_sound.py::test_mlp[mlp-mapping-contract/shape]")
    assert told.returncode == 0, told.stdout
    assert "1 passed" in told.stdout


def test_runs_with_xdist_and_junit_and_expected_failures(folder: Path) -> None:
    told = run_pytest(folder, "-n", "2", "--junitxml=junit.xml", "-rA", "-k", "grounding or ceiling or leak")
    assert told.returncode == 0, told.stdout
    assert "XFAIL test_sound.py::test_mlp[mlp-mapping-grounding] - no logic in it" in told.stdout
    cases = {
        case.get("name"): [child.tag for child in case]
        for case in ET.parse(folder / "junit.xml").iter("testcase")
    }
    assert cases["test_mlp[mlp-mapping-grounding]"] == ["skipped"]
    assert cases["test_mlp[mlp-mapping-leak/labels]"] == []
    assert cases["test_mlp[mlp-mapping-leak/echo]"] == []
    assert len(cases) == 5


BROKEN = """
import torch
from groundcheck.grounding import parametrize_with_checks

class Constant(torch.nn.Module):
    def __init__(self, problem):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, beliefs, given):
        return 2 * self.scale.abs() * torch.ones_like(beliefs)

EXPECTED = {
    "Constant-mapping-leak/labels": "it does not leak",
    "Constant-mapping-contract/range": "it returns what is no probability",
}

@parametrize_with_checks(Constant, profile="tiny", expected_failures=EXPECTED)
def test_constant(check):
    check()
"""


def test_failures_tell_what_failed_and_expected_ones_are_strict(folder: Path) -> None:
    (folder / "test_sound.py").write_text(BROKEN)
    told = run_pytest(folder, "-rA", "-k", "contract or leak")
    assert told.returncode == 1
    assert "FAILED test_sound.py::test_constant[Constant-mapping-contract/listens]" in told.stdout
    assert "XFAIL test_sound.py::test_constant[Constant-mapping-contract/range]" in told.stdout
    assert "PASSED test_sound.py::test_constant[Constant-mapping-contract/shape]" in told.stdout
    assert "[XPASS(strict)] it does not leak" in told.stdout


def test_an_expected_failure_of_no_test_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from groundcheck.grounding import parametrize_with_checks  # noqa: PLC0415

    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match="'mlp-mapping-ground' names none of 71 tests: did you mean mlp-"):
        parametrize_with_checks("mlp", "tiny", expected_failures={"mlp-mapping-ground": ""})
    with pytest.raises(ValueError, match="unknown profile 'tiney': did you mean tiny"):
        parametrize_with_checks("mlp", "tiney")
