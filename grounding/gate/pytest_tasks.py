"""The contract of a task inside a user's own tests: one pytest test per check.

from groundcheck.testing import parametrize_with_task_checks

@parametrize_with_task_checks("mytask.py:Median")
def test_median(check):
    check()
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..checks.names import registered

if TYPE_CHECKING:
    from ...datasets.task import Task
    from ..checks.finding import Finding


@dataclass(frozen=True)
class PlannedTaskCheck:
    """One check of a task, to be called in a test: raises where it fails."""

    task: "str | type[Task] | Task"
    name: str  # family/name

    def __call__(self) -> None:
        """Runs it, or looks up what ran for another test. Raises `AssertionError`, or skips."""
        import pytest  # noqa: PLC0415

        found = _findings(self.task)[self.name]
        if found.status in ("fail", "error"):
            raise AssertionError(f"{found.id}: {found.reason}. {found.remedy}{found.traceback}")
        if found.status != "pass":
            pytest.skip(found.reason)


def parametrize_with_task_checks(task: "str | type[Task] | Task") -> Any:
    """Decorates a test that takes `check`: it runs once for each thing that a task has to keep.

    Deterministic in split, size and seed; no global generator moves; splits share no puzzle; solutions keep
    the rules, by their CNF and by `verify`; the givens leave one completion; everything is in range, can be
    drawn, recorded and handed to another process. Nothing is trained.

    Args:
        task: A task, its class, a name, `module:attribute` or `file.py:attribute`.

    Returns:
        The decorator.
    """
    import pytest  # noqa: PLC0415

    called = task if isinstance(task, str) else getattr(task, "__name__", type(task).__name__)
    checks = [PlannedTaskCheck(task, name) for name in registered("task_checks")]
    marked = [pytest.param(check, id=f"{called}-{check.name}") for check in checks]
    return pytest.mark.parametrize("check", marked)


@cache
def _findings(task: "str | type[Task] | Task") -> "dict[str, Finding]":
    from ..checks.task_checks import check_task  # noqa: PLC0415

    return {finding.check: finding for finding in check_task(task)}
