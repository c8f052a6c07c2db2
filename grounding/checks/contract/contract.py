"""The contract of a solver: all that can be checked within seconds, without training."""

from collections.abc import Callable, Iterator, Mapping

from ....datasets.task import Task
from ...trials.spec import SolverSpec
from ..finding import Finding, Status
from ..registry import Registry
from . import behaviour_checks as conduct
from . import claim_checks as declared
from . import gradient_checks as gradient
from . import output_checks as form
from .subject import Subject

contract: Registry[Subject] = Registry("contract")
for _part in (form, conduct, declared, gradient):
    contract.checks.extend(_part.PART.checks)


def check_contract(
    spec: SolverSpec,
    task: Task,
    device: str = "cpu",
    *,
    known: Mapping[str, Status] | None = None,
    starting: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Every check of the contract on one task, without training; `known` are those that ran already."""
    yield from contract.run(Subject(spec, task, device), task.name, known=known, starting=starting)
