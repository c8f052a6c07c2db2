"""`name=value` settings: which part of a run each belongs to, and what its value is."""

import ast
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from ...datasets.errors import UnknownNameError
from ...datasets.task import Task
from ..perception.spec import WEIGHTS, PerceptionSpec
from ..trials.evaluation import Evaluation
from ..trials.spec import SolverSpec
from ..trials.training import Training
from .options import check_given, check_options, check_value, options_of, signature_of

PARTS = ("task", "solver", "training")
EVALUATION = "wrong"  # belongs to no part that is trained
PERCEPTION = "perception"  # whose options are always written with it in front
Part = TypeVar("Part", Task, Training)


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """From `name=value` words. Values are read as Python literals where they are one, else as text."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UnknownNameError(f"setting {pair!r}: it is written name=value")
        try:
            settings[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            settings[name] = text
    return settings


def apply_settings(
    settings: Mapping[str, Any], tasks: Sequence[Task], solver: SolverSpec, training: Sequence[Training]
) -> tuple[list[Task], SolverSpec, list[Training]]:
    """Hands every setting to the task, solver or training that knows its name.

    A name that several know needs its part in front (`solver.size`), and so does one that a solver takes by
    `**options`; one that none knows raises `UnknownNameError` with the nearest, and a solver's option of
    another type `UsageError`. A task setting reaches every task that has it. `training` holds one
    budget per task.
    """
    options = dict(solver.options)
    of_tasks: dict[str, Any] = {}
    of_training: dict[str, Any] = {}
    homes = {"solver": options, "training": of_training, "task": of_tasks}
    for full, value in settings.items():
        homes[_home(full, tasks, solver)][full.rpartition(".")[2]] = value
    chosen = [
        _replaced(task, {f.name: of_tasks[f.name] for f in fields(task) if f.name in of_tasks})
        for task in tasks
    ]
    solver = replace(solver, options=options)
    check_options(solver)
    budgets = [_replaced(budget, of_training) for budget in training]
    if getattr(solver.load(), "rules", "learned") == "given":
        for budget in budgets:
            budget.require_rules_learned(solver.name)
    return chosen, solver, budgets


def takes_setting(full: str, task: Task, solver: SolverSpec, perception: PerceptionSpec) -> bool:
    """Whether the task, the solver, the training or perception knows a setting of that name.

    Raises `UnknownNameError` for a name that several know, or with a part in front that there is not.
    """
    if full.startswith(f"{PERCEPTION}."):
        taken = options_of(perception.load(), handed=2)
        return taken.open or full.removeprefix(f"{PERCEPTION}.") in (*taken.known, WEIGHTS)
    return bool(_homes(full, [task], solver))


def setting_names(task: Task, solver: SolverSpec) -> set[str]:
    """The names of all settings that the task, the solver or the training knows."""
    return set().union(*_known([task], solver).values())


def _known(tasks: Sequence[Task], solver: SolverSpec) -> dict[str, set[str]]:
    """The names of settings that each part knows."""
    return {
        "task": {f.name for task in tasks for f in fields(task)},
        "solver": set(options_of(solver.load()).known),
        "training": {f.name for f in fields(Training)},
    }


def _homes(full: str, tasks: Sequence[Task], solver: SolverSpec) -> list[str]:
    """The part that a setting belongs to; empty where none knows it."""
    part, _, name = full.rpartition(".")
    if part and part not in PARTS:
        raise UnknownNameError(
            f"setting {full!r}: the part before the dot is {', '.join(PARTS)} or {PERCEPTION}"
        )
    known = _known(tasks, solver)
    homes = [home for home in ([part] if part else PARTS) if name in known[home]]
    if not homes and part == "solver" and options_of(solver.load()).open:
        return ["solver"]
    if len(homes) > 1:
        ways = " or ".join(f"{home}.{name}" for home in homes)
        raise UnknownNameError(f"setting {full!r} could belong to several parts: write {ways}")
    return homes


def _home(full: str, tasks: Sequence[Task], solver: SolverSpec) -> str:
    """The same; raises `UnknownNameError` with the nearest names where none knows it."""
    if homes := _homes(full, tasks, solver):
        return homes[0]
    part, _, name = full.rpartition(".")
    names = sorted(set().union(*_known(tasks, solver).values()))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"
    if part in ("", "solver") and options_of(solver.load()).open:
        hint += f" An option that only {solver.name} knows of is written solver.{name}"
    raise UnknownNameError(f"unknown setting {full!r}: {hint}")


def apply_perception_settings(
    settings: Mapping[str, Any], perception: PerceptionSpec
) -> tuple[dict[str, Any], PerceptionSpec]:
    """The settings that are left for others, and perception with those written `perception.NAME`.

    Raises `UnknownNameError` for an option that it does not have, `UsageError` for one of another type.
    """
    prefix = f"{PERCEPTION}."
    own = {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}
    rest = {name: value for name, value in settings.items() if not name.startswith(prefix)}
    found = replace(perception, options={**perception.options, **own})
    check_given(f"perception {found.name}", found.load(), found.built_with, handed=2, always=(WEIGHTS,))
    return rest, found


def apply_evaluation_settings(
    settings: Mapping[str, Any], *, robust: bool
) -> tuple[dict[str, Any], Evaluation]:
    """The settings that are left for others, and what is asked of trained networks beyond the test set.

    Raises `UsageError` for a number of wrong givens that cannot be meant.
    """
    rest = {name: value for name, value in settings.items() if name != EVALUATION}
    wrong = settings.get(EVALUATION, 0)
    check_value(EVALUATION, wrong, signature_of(Evaluation).parameters[EVALUATION])
    return rest, Evaluation(robust=robust, wrong=wrong)


def apply_task_settings(settings: Mapping[str, Any], task: Task) -> Task:
    """The task with these settings. Raises `UnknownNameError` for one it does not have."""
    for name in settings.keys() - {f.name for f in fields(task)}:
        raise UnknownNameError(
            f"{task.name} has no setting {name!r}: it has {', '.join(f.name for f in fields(task))}"
        )
    return _replaced(task, settings)


def _replaced(part: Part, settings: Mapping[str, Any]) -> Part:
    """A task or budget with these settings, all at once, as one may need another.

    Raises `UsageError` where one does not fit.
    """
    known = signature_of(type(part)).parameters
    fitting = {name: check_value(name, value, known[name]) for name, value in settings.items()}
    return replace(part, **fitting) if fitting else part
