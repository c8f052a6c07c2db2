"""`name=value` settings: which part of a run each belongs to, and what its value is."""

import ast
import difflib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from ...datasets.errors import UnknownNameError
from ...datasets.task import Task
from ..trials.spec import SolverSpec
from ..trials.training import Training

PARTS = ("task", "solver", "training")


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

    A name that several know needs its part in front (`solver.size`); one that none knows raises
    `UnknownNameError` with the nearest. A task setting reaches every task that has it. `training` holds one
    budget per task.
    """
    tasks, training, options = list(tasks), list(training), dict(solver.options)
    known = {
        "task": {f.name for task in tasks for f in fields(task)},
        "solver": _options(solver),
        "training": {f.name for f in fields(Training)},
    }
    for full, value in settings.items():
        part, _, name = full.rpartition(".")
        if part and part not in PARTS:
            raise UnknownNameError(
                f"setting {full!r}: the part before the dot is {', '.join(PARTS[:-1])} or {PARTS[-1]}"
            )
        homes = [home for home in ([part] if part else PARTS) if name in known[home] or "**" in known[home]]
        sure = [home for home in homes if name in known[home]]
        homes = sure or homes
        if not homes:
            names = sorted(set().union(*known.values()))
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"
            raise UnknownNameError(f"unknown setting {full!r}: {hint}")
        if len(homes) > 1:
            ways = " or ".join(f"{home}.{name}" for home in homes)
            raise UnknownNameError(f"setting {full!r} could belong to several parts: write {ways}")
        if homes == ["solver"]:
            options[name] = value
        elif homes == ["training"]:
            training = [replace(budget, **{name: value}) for budget in training]
        else:
            tasks = [replace(t, **{name: value}) if name in {f.name for f in fields(t)} else t for t in tasks]
    return tasks, replace(solver, options=options), training


def apply_task_settings(settings: Mapping[str, Any], task: Task) -> Task:
    """The task with these settings. Raises `UnknownNameError` for one it does not have."""
    for name in settings.keys() - {f.name for f in fields(task)}:
        raise UnknownNameError(
            f"{task.name} has no setting {name!r}: it has {', '.join(f.name for f in fields(task))}"
        )
    return replace(task, **settings)


def _options(solver: SolverSpec) -> set[str]:
    """Names of a solver's options; "**" where it takes any."""
    parameters = list(inspect.signature(solver.load()).parameters.values())[1:]
    return {"**" if p.kind is p.VAR_KEYWORD else p.name for p in parameters if p.kind is not p.VAR_POSITIONAL}
