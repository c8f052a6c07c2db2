"""Reading a report, or rebuilding it from a run that did not live to write one."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.own_task import rebuild_task
from ...datasets.task import Setting
from ..perception.spec import PerceptionSpec
from ..results.cell_reports import experiment_reports
from ..results.experiment_reading import holds_experiment, read_experiment
from ..results.report import PerceptionRecord, Report
from ..results.run_directory import key_of, read_findings, read_run, read_trials
from ..trials.evaluation import Evaluation
from ..trials.spec import SolverSpec
from ..trials.training import Training
from .labels import label_tasks
from .suite import Suite, TaskRun


def read_report(path: Path, solver: str | None = None) -> Report:
    """Reads a report, or rebuilds it where a run was killed before it wrote one.

    Args:
        path: A JSON file, written by a run or by a gate; or the folder of a run. Where that has no report
            yet, it is rebuilt from the trials that ended, and marked interrupted.
        solver: Whose report to take from what a gate wrote; None where there is only one.

    Raises:
        UsageError: For what is no report or run, is damaged, or is of a newer schema.
        OSError: For what cannot be read.
    """
    if not path.is_dir():
        return Report.read(path, solver)
    finished = path / "report.json"
    return Report.read(finished) if finished.exists() else rebuild(path)


def read_reports(path: Path) -> list[Report]:
    """Reads a report, or those of an experiment: one for each of its solvers and settings that has a verdict.

    Args:
        path: As for `read_report`, or the folder of an experiment.

    Raises:
        UsageError: As for `read_report`, and for an experiment of which nothing is decided yet.
        OSError: For what cannot be read.
    """
    if not holds_experiment(path):
        return [read_report(path)]
    found = experiment_reports(read_experiment(path))
    if not found:
        raise UsageError(f"{path}: no cell of this experiment is decided yet")
    return found


def rebuild(path: Path) -> Report:
    """The report on what a run folder has so far."""
    described = read_run(path)
    if described.settings.get("kind") == "vlm":
        raise UsageError(
            f"{path} asks a model and was interrupted before its report: go on with the same groundcheck "
            "judge and --resume, which asks nothing twice"
        )
    if "judged" in described.settings:
        raise UsageError(f"{path} has no report, as judging was broken off: judge again, in another folder")
    try:
        asked = msgspec.convert(described.settings, _Asked)
        suite = asked.suite()
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"{path / 'run.json'} is damaged: {error}") from error
    for number, finding in read_findings(path):
        suite.runs[number].findings.append(finding)
    outcomes = read_trials(path)
    for seed in range(suite.seeds):
        for run, trial in suite.trials_of(seed):
            if outcome := outcomes.get(key_of(trial)):
                run.outcomes.append(outcome)
    report = suite.whole(asked.images_digest, described.environment, interrupted=True)
    return replace(report, started=described.started)


@dataclass(frozen=True)
class _AskedTask:
    task: str
    settings: dict[str, Setting]
    training: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)  # SHA-256 of those that the settings name
    reference: str = ""  # where the task's class stands, unless the catalogue has it

    def run(self) -> TaskRun:
        """The task and its budget, before anything has run."""
        task = rebuild_task(self.reference or self.task, self.settings)
        for name, digest in task.files.items():
            if self.files.get(name) != digest:
                raise UsageError(
                    f"{task.settings[name]} has changed since this run was begun (its SHA-256 is now "
                    f"{digest[:12]}…), and the run wrote no report: put back the file as it was"
                )
        return TaskRun(task, Training(**self.training))


@dataclass(frozen=True)
class _Asked:
    """What `Suite.asked` wrote into a run.json."""

    solver: str
    options: dict[str, Any]
    rules: str
    images: str
    images_digest: str
    device: str
    seeds: int
    tasks: list[_AskedTask]
    classes: list[str] = field(default_factory=list)
    perception: PerceptionRecord = field(default_factory=PerceptionRecord)
    evaluation: Evaluation = field(default_factory=Evaluation)

    def suite(self) -> Suite:
        """The suite as it was when nothing had run."""
        runs = [task.run() for task in self.tasks]
        for run, label in zip(runs, label_tasks([run.task for run in runs]), strict=True):
            run.label = label
        return Suite(
            spec=SolverSpec(self.solver, self.options),
            rules_given=self.rules == "given",
            runs=runs,
            seeds=self.seeds,
            images=ImageSource(self.images, device=self.device, classes=tuple(self.classes)),
            perception=PerceptionSpec(self.perception.name, self.perception.options),
            evaluation=self.evaluation,
        )
