"""The examples run as they stand."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundcheck.grounding import score

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["ten_lines", "loss_only"])
def test_solvers_are_checked(name):
    report = load(EXAMPLES / f"{name}.py").main(
        seeds=1, epochs=1, workers=0, settings={"training.puzzles": 64}
    )
    outcomes = [outcome for task in report.tasks for outcome in task.outcomes]
    assert any(outcome.role == "grounding" for outcome in outcomes)
    assert [outcome.error for outcome in outcomes if outcome.error] == []


def test_a_plain_script_is_judged_from_its_arrays(tmp_path):
    load(EXAMPLES / "plain_training.py").main(tmp_path, seeds=2, epochs=8)
    files = [tmp_path / f"predictions{seed}.npz" for seed in range(2)]
    [task] = score(*files, ceiling=tmp_path / "ceiling.npz").tasks
    assert task.mean("ceiling", "aligned") > 0.8
    assert task.mean("grounding", "task") > 0.3
    assert task.judgement.seeds == 2


def test_an_installed_package_is_found_by_its_entry_point(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for file in (EXAMPLES / "package").iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    target = tmp_path / "installed"
    subprocess.run(
        [*PIP, "--no-deps", "--no-build-isolation", "--target", str(target), str(source)],
        check=True,
        timeout=120,
    )
    told = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(target), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert told.stdout.split() == ["learned", "(2,", "2,", "10)"]


ASK = """
import torch
from groundcheck.datasets.mapping import Mapping
from groundcheck.solvers.catalogue import SOLVERS
solver = SOLVERS.load("bilinear")(Mapping().problem.without_rules())
given = torch.tensor([[True, False]]).expand(2, 2)
print(solver.rules, tuple(solver(torch.rand(2, 2, 10), given).shape))
"""
