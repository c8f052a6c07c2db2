"""The public face of groundcheck: `check` a solver, read its `Report`."""

from typing import TYPE_CHECKING

from ..datasets.exports import lazy_attributes

if TYPE_CHECKING:
    from .checks.audit import audit
    from .checks.finding import Finding
    from .checks.task_checks import check_task
    from .engines.children import Limits
    from .engines.processes import Processes
    from .gate.pytest_checks import parametrize_with_checks
    from .gate.pytest_tasks import parametrize_with_task_checks
    from .judging.arrays import score
    from .judging.callbacks import lightning_callback, trainer_callback
    from .judging.monitor import Monitor
    from .judging.network import Network
    from .judging.networks import judge
    from .measures.metrics import Scores
    from .perception.spec import PerceptionSpec
    from .report.export import export_figures
    from .report.html import write_page
    from .report.table import print_report
    from .results.report import Report, TaskReport
    from .suite.budget import Budget
    from .suite.report_io import read_report
    from .suite.suite import Listener, check
    from .trials.run import run_trial
    from .trials.spec import SolverSpec
    from .trials.training import Training
    from .trials.trial import Outcome, Trial
    from .verdict import Judgement

__all__ = [
    "Budget",
    "Finding",
    "Judgement",
    "Limits",
    "Listener",
    "Monitor",
    "Network",
    "Outcome",
    "PerceptionSpec",
    "Processes",
    "Report",
    "Scores",
    "SolverSpec",
    "TaskReport",
    "Training",
    "Trial",
    "audit",
    "check",
    "check_task",
    "export_figures",
    "judge",
    "lightning_callback",
    "parametrize_with_checks",
    "parametrize_with_task_checks",
    "print_report",
    "read_report",
    "run_trial",
    "score",
    "trainer_callback",
    "write_page",
]

# On first use: the command line must answer `--help` without waiting for torch.
HOMES = {
    "Budget": "suite.budget",
    "Finding": "checks.finding",
    "Judgement": "verdict",
    "Limits": "engines.children",
    "Listener": "suite.suite",
    "Monitor": "judging.monitor",
    "Network": "judging.network",
    "Outcome": "trials.trial",
    "PerceptionSpec": "perception.spec",
    "Processes": "engines.processes",
    "Report": "results.report",
    "Scores": "measures.metrics",
    "SolverSpec": "trials.spec",
    "TaskReport": "results.report",
    "Training": "trials.training",
    "Trial": "trials.trial",
    "audit": "checks.audit",
    "check": "suite.suite",
    "check_task": "checks.task_checks",
    "parametrize_with_task_checks": "gate.pytest_tasks",
    "export_figures": "report.export",
    "judge": "judging.networks",
    "lightning_callback": "judging.callbacks",
    "parametrize_with_checks": "gate.pytest_checks",
    "print_report": "report.table",
    "read_report": "suite.report_io",
    "run_trial": "trials.run",
    "score": "judging.arrays",
    "trainer_callback": "judging.callbacks",
    "write_page": "report.html",
}
__getattr__ = lazy_attributes(__name__, HOMES)
