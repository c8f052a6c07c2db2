"""Which trial of a report tells the rules that a solver learned on a task."""

from collections.abc import Iterable

from ...datasets.errors import UnknownNameError, UsageError
from ..trials.roles import BY_NAME
from ..trials.trial import Outcome
from .report import Report, TaskReport


def tasks_labelled(report: Report, label: str | None = None) -> list[TaskReport]:
    """The task that a report calls so, alone; all of its tasks where none is named.

    Raises:
        UnknownNameError: Where it has no such task.
    """
    tasks = [task for task in report.tasks if label in (None, task.label)]
    if label is not None and not tasks:
        known = _listed(task.label for task in report.tasks) or "none"
        raise UnknownNameError(f"unknown task {label!r}: there are {known}")
    return tasks


def trial_with_rules(task: TaskReport, *, role: str | None = None, seed: int | None = None) -> Outcome:
    """The trial of a task that tells its rules, end to end before on symbols, the first seed before others.

    Args:
        task: The task in a report.
        role: Of the trial; None for any in which the solver was trained.
        seed: Of the trial; None for any.

    Raises:
        UsageError: Where there is no such trial (it says which there are), where it broke (it says of what),
            and where its solver tells no rules.
    """
    trials = [trial for trial in task.outcomes if BY_NAME[trial.role].answers == "solver"]
    if not trials:
        raise UsageError(f"{task.label} has no trial of a solver")
    of_role = [trial for trial in trials if role in (None, trial.role)]
    if not of_role:
        raise UsageError(
            f"{task.label} has no {role} trial that learned rules, only "
            f"{_listed(dict.fromkeys(trial.role for trial in trials))}"
        )
    of_seed = [trial for trial in of_role if seed in (None, trial.seed)]
    if not of_seed:
        raise UsageError(
            f"{task.label} has no {f'{role} ' if role else ''}trial of seed {seed}, only of "
            f"{_listed(sorted({trial.seed for trial in of_role}))}"
        )
    trial = min(of_seed, key=_last)
    if trial.error is not None:
        reason = trial.error.strip().rpartition("\n")[2]
        raise UsageError(f"{task.label}, {trial.role}, seed {trial.seed}: this trial broke: {reason}")
    if trial.rules is None:
        raise UsageError(
            f"{task.label}, {trial.role}, seed {trial.seed} tells no rules: {trial.solver} would need an "
            "attribute `learned_rules`, as `acquired` has one"
        )
    return trial


def _last(trial: Outcome) -> tuple[bool, bool, bool, int]:
    """Sorts trials by how little they have to tell of rules."""
    return trial.rules is None, trial.error is not None, trial.role != "grounding", trial.seed


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
