"""What the tasks of a run are called, where several have one name."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields

from ...datasets.task import Task


def distinct_tasks(tasks: Sequence[Task]) -> list[int]:
    """The numbers of the tasks that stand here for the first time: a task that is given twice runs once."""
    seen: list[tuple[type[Task], Mapping[str, object]]] = []
    kept: list[int] = []
    for number, task in enumerate(tasks):
        if (type(task), task.settings) not in seen:
            seen.append((type(task), task.settings))
            kept.append(number)
    return kept


def label_tasks(tasks: Sequence[Task]) -> list[str]:
    """A label for each of several distinct tasks: its name, and where others share it the settings in which
    they differ, as `sudoku[size=9]`; a setting that is left to its default is not told.
    """
    return [_label(task, [other for other in tasks if other.name == task.name]) for task in tasks]


def _label(task: Task, alike: Sequence[Task]) -> str:
    usual = {f.name: f.default for f in fields(task) if f.default is not MISSING}
    told = [
        f"{name}={value}"
        for name, value in task.settings.items()
        if any(other.settings.get(name) != value for other in alike)
        if not (name in usual and usual[name] == value)
    ]
    return f"{task.name}[{','.join(told)}]" if told else task.name
