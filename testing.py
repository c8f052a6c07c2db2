"""For a user's own tests: solvers and tasks held to what groundcheck's own are held to.

    from groundcheck.testing import parametrize_with_checks, parametrize_with_task_checks

    @parametrize_with_task_checks("mytask.py:Median")
    def test_task(check):
        check()

`check_task` gives the same as findings, without pytest.
"""

from typing import TYPE_CHECKING

from .datasets.exports import lazy_attributes

if TYPE_CHECKING:
    from .grounding.checks.task_checks import check_task
    from .grounding.gate.pytest_checks import parametrize_with_checks
    from .grounding.gate.pytest_tasks import parametrize_with_task_checks

__all__ = ["check_task", "parametrize_with_checks", "parametrize_with_task_checks"]

# On first use: collecting tests must not wait for torch.
HOMES = {
    "check_task": "checks.task_checks",
    "parametrize_with_checks": "gate.pytest_checks",
    "parametrize_with_task_checks": "gate.pytest_tasks",
}
__getattr__ = lazy_attributes("groundcheck.grounding", HOMES)
