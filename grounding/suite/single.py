"""One training run as a report, so that what reads reports reads it."""

from typing import Any

from ...datasets.image_set import ImageSet
from ...datasets.own_task import reference_of
from ..results.environment import environment
from ..results.report import PerceptionRecord, Report, TaskReport
from ..results.run_directory import timestamp
from ..trials.trial import Outcome, Trial
from ..verdict import Judgement
from .suite import Suite, TaskRun


def asked_of(trial: Trial) -> dict[str, Any]:
    """Everything that decides what a single trial finds, for the record of a run."""
    rules_given = getattr(trial.solver.load(), "rules", "learned") == "given"
    runs = [TaskRun(trial.task, trial.training)]
    suite = Suite(trial.solver, rules_given, runs, 1, trial.images, trial.perception)
    return {**suite.asked, "role": trial.role, "seed": trial.seed}


def report_trial(trial: Trial, outcome: Outcome, images: ImageSet) -> Report:
    """The report on a single trial: it decides nothing, as nothing was trained beside it."""
    judgement = Judgement(
        verdict="ERROR" if outcome.error else "INCONCLUSIVE",
        grounded=0,
        failed=0,
        seeds=1,
        interval=(0.0, 1.0),
        reason=outcome.error.splitlines()[-1] if outcome.error else "one training run, nothing beside it",
        remedy="See its traceback." if outcome.error else f"groundcheck check {trial.solver.name} decides.",
    )
    task = TaskReport(
        task=trial.task.name,
        reference=reference_of(trial.task),
        version=trial.task.version,
        settings=trial.task.settings,
        training=trial.training.settings,
        judgement=judgement,
        outcomes=[outcome],
        files=trial.task.files,
    )
    return Report(
        solver=trial.solver.name,
        options=dict(trial.solver.options),
        rules=getattr(trial.solver.load(), "rules", "learned"),
        images=trial.images.name,
        images_digest=images.digest,
        classes=list(trial.images.classes),
        perception=PerceptionRecord(**trial.perception.record),
        device=trial.images.device,
        environment=environment(trial.images.device),
        tasks=[task],
        ended=timestamp(),
    )
