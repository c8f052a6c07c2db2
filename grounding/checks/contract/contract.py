"""The contract of a solver: all that can be checked within seconds, without training."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping

from ....datasets.task import Task
from ...trials.spec import SolverSpec
from ..finding import Finding, Status
from ..registry import Registry
from .subject import Subject


def find_parts() -> list[Registry[Subject]]:
    """The `PART` of every module of this folder that is named `…_checks`, by place."""
    here = __name__.rpartition(".")[0]
    folder = importlib.import_module(here).__path__
    modules = [found.name for found in pkgutil.iter_modules(folder) if found.name.endswith("_checks")]
    parts = [importlib.import_module(f"{here}.{name}").PART for name in modules]
    return sorted(parts, key=lambda part: part.place)


contract: Registry[Subject] = Registry("contract")
for _part in find_parts():
    contract.checks.extend(_part.checks)


def check_contract(
    spec: SolverSpec,
    task: Task,
    device: str = "cpu",
    *,
    label: str | None = None,
    known: Mapping[str, Status] | None = None,
    starting: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Every check of the contract on one task, without training; `known` are those that ran already.

    `label` is what the task is called beside others of its name.
    """
    yield from contract.run(Subject(spec, task, device), label or task.name, known=known, starting=starting)
