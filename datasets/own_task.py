"""From what a user calls a task to the task, and from a record of a task back to it."""

import inspect
from collections.abc import Mapping
from typing import Any

from .catalogue import TASKS
from .errors import UnknownNameError, UsageError
from .outside import import_attribute
from .task import Task


def find_task(name: str) -> Task:
    """The task of a name, as it is unless something is set.

    Args:
        name: Of the catalogue; or `package.module:attribute` or `path/to/file.py:attribute`, which stands for
            a class derived from `Task`, a task, or a function that returns one.

    Raises:
        UsageError: For what is none, with the nearest names or with what its module raised.
    """
    if ":" not in name and not name.endswith(".py"):
        return TASKS.load(name)()
    found = import_attribute(name, "task")
    task = _made(found, name) if callable(found) else found
    if not isinstance(task, Task):
        raise UnknownNameError(
            f"task {name!r} is {_kind(task)}: name a class derived from groundcheck.datasets.Task, a task, "
            "or a function without arguments that returns one"
        )
    return _adopted(task, name)


def reference_of(task: Task) -> str:
    """What finds the class of a task again: its name in the catalogue, else where a user said it stands."""
    kind = type(task)
    where = f"{kind.__module__}:{kind.__qualname__}"
    entry = TASKS.entries().get(task.name)
    if entry is not None and entry.value == where:
        return task.name
    return kind.found_as or where


def rebuild_task(reference: str, settings: Mapping[str, Any]) -> Task:
    """A task from what `reference_of` and its settings say of it.

    Raises:
        UsageError: Where it is not found, or does not take these settings any more.
    """
    if ":" not in reference:
        return TASKS.load(reference)(**settings)
    found = import_attribute(reference, "task")
    if inspect.isclass(found):
        kind: Any = found
    else:
        kind = type(_made(found, reference) if callable(found) else found)
    try:
        return _adopted(kind(**settings), reference)
    except TypeError as error:
        raise UsageError(f"task {reference!r} does not take the settings of this record: {error}") from error


def _made(found: Any, name: str) -> Any:
    try:
        return found()
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"task {name!r} could not be made: {type(error).__name__}: {error}. A task is made without "
            "arguments: give every field a default"
        ) from error


def _adopted(task: Task, name: str) -> Task:
    """The task, after a look at what records and messages call it."""
    kind = type(task)
    for attribute, what in (("name", str), ("version", int), ("source", str)):
        value = getattr(task, attribute, None)
        if not isinstance(value, what) or not value:
            fits = "a word" if what is str else "a whole number from 1 on"
            raise UsageError(f"task {name!r}: {kind.__name__}.{attribute} is {value!r}: it is {fits}")
    if task.name in TASKS.ours and not kind.__module__.startswith("groundcheck."):
        raise UsageError(
            f"task {name!r} is called {task.name!r}, as a task of groundcheck's: give it a name of its own"
        )
    if not kind.__module__.startswith("groundcheck."):
        kind.found_as = name
    return task


def _kind(found: Any) -> str:
    return f"a class {found.__name__}" if inspect.isclass(found) else f"a {type(found).__name__}"
