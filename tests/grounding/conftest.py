"""A small report that was really trained, for the tests of what is made of reports; boards of a user's."""

from pathlib import Path

import numpy as np
import pytest

from groundcheck.datasets import Sudoku
from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.images import load_images
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.results.environment import environment
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.results.run_directory import Record
from groundcheck.grounding.suite.scheduling import schedule
from groundcheck.grounding.suite.suite import Listener, Suite, TaskRun
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training


def train_report(solver: str, *, seeds: int, rules_given: bool, tasks: tuple[str, ...]) -> Report:
    """What `check` does without its checks of the contract, which take longer than this."""
    budget = Training(puzzles=64, epochs=2)
    runs = [TaskRun(TASKS.load(task)(), budget) for task in tasks]
    for run in runs:
        run.findings.append(Finding("contract/build", "pass", f"{solver} was built", task=run.label))
    suite = Suite(SolverSpec(solver), rules_given, runs, seeds, ImageSource())
    suite.checks = False
    schedule([suite], Processes(0), Record(), Listener())
    return suite.whole(load_images("digits").digest, environment(), interrupted=False)


@pytest.fixture(scope="session")
def report() -> Report:
    """`exact` on two tasks, one seed."""
    return train_report("exact", seeds=1, rules_given=True, tasks=("mapping", "sudoku"))


@pytest.fixture(scope="session")
def mlp_report() -> Report:
    """`mlp` on mapping, two seeds."""
    return train_report("mlp", seeds=2, rules_given=False, tasks=("mapping",))


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CSV of 4×4 boards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    puzzles = Sudoku().generate("train", 700, 0)
    rows = [
        "".join(map(str, np.where(given, solution + 1, 0))) + "," + "".join(map(str, solution + 1))
        for solution, given in zip(puzzles.solution, puzzles.given, strict=True)
    ]
    path = tmp_path / "boards.csv"
    path.write_text("\n".join(["quizzes,solutions", *rows]) + "\n")
    return path
