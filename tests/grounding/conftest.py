"""A small report that was really trained, for the tests of what is made of reports."""

import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.images import load_images
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.results.environment import environment
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.results.run_directory import Record
from groundcheck.grounding.suite.suite import Listener, Suite, TaskRun, run_wave
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training


def train_report(solver: str, *, seeds: int, rules_given: bool, tasks: tuple[str, ...]) -> Report:
    """What `check` does without its checks of the contract, which take longer than this."""
    budget = Training(puzzles=64, epochs=2)
    runs = [TaskRun(TASKS.load(task)(), budget) for task in tasks]
    for run in runs:
        run.findings.append(Finding("contract/build", "pass", f"{solver} was built", task=run.label))
    suite = Suite(SolverSpec(solver), rules_given, runs, seeds, ImageSource())
    while wave := suite.wave():
        run_wave(wave, Processes(0), Record(), Listener())
    return suite.whole(load_images("digits").digest, environment(), interrupted=False)


@pytest.fixture(scope="session")
def report() -> Report:
    """`exact` on two tasks, one seed."""
    return train_report("exact", seeds=1, rules_given=True, tasks=("mapping", "sudoku"))


@pytest.fixture(scope="session")
def mlp_report() -> Report:
    """`mlp` on mapping, two seeds."""
    return train_report("mlp", seeds=2, rules_given=False, tasks=("mapping",))
