"""The contract of a solver: all that can be checked within seconds, without training."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping

from ....datasets.task import Task
from ...trials.spec import SolverSpec
from ...trials.training import Training
from ..finding import Finding, Status
from ..registry import Registry
from .global_state import each_with_kept_state
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
    batch: int = Training.batch,
    label: str | None = None,
    known: Mapping[str, Status] | None = None,
    starting: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Every check of the contract on one task, without training; `known` are those that ran already.

    `batch` is how many rows training hands the solver at once; `label` is what the task is called beside
    others of its name. Settings of the process that the solver changes are put back after each check.
    """
    subject = Subject(spec, task, device, batch)
    running = contract.run(subject, label or task.name, known=known, starting=starting)
    yield from each_with_kept_state(running)
