"""The public face of groundcheck: `check` a solver, read its `Report`."""

from typing import TYPE_CHECKING

from ..datasets.exports import lazy_attributes

if TYPE_CHECKING:
    from .checks.audit import audit
    from .checks.finding import Finding
    from .checks.task_checks import check_task
    from .diagnosis.cause import Explanation
    from .diagnosis.diagnosis import Diagnosis
    from .engines.children import Limits
    from .engines.processes import Processes
    from .experiments.driver import run_experiment
    from .experiments.experiment import Experiment
    from .experiments.file import find_experiment
    from .experiments.plan import plan_experiment
    from .gate.pytest_checks import parametrize_with_checks
    from .gate.pytest_tasks import parametrize_with_task_checks
    from .judging.arrays import score
    from .judging.callbacks import lightning_callback, trainer_callback
    from .judging.monitor import Monitor
    from .judging.network import Network
    from .judging.networks import judge
    from .measures.metrics import Scores
    from .perception.spec import PerceptionSpec
    from .remedy.record import Remedy
    from .remedy.search import find_remedy
    from .report.diagnosis import print_diagnosis, write_diagnosis
    from .report.export import export_figures
    from .report.html import write_page
    from .report.remedy import print_remedy, write_remedy
    from .report.table import print_report
    from .results.experiment import ExperimentRecord
    from .results.experiment_reading import read_experiment
    from .results.report import Report, TaskReport
    from .results.tidy import tidy
    from .suite.budget import Budget
    from .suite.check import check
    from .suite.diagnose import diagnose, diagnose_report
    from .suite.report_io import read_report
    from .suite.suite import Listener
    from .trials.run import run_trial
    from .trials.spec import SolverSpec
    from .trials.training import Training
    from .trials.trial import Outcome, Trial
    from .verdict import Judgement

__all__ = [
    "Budget",
    "Diagnosis",
    "Experiment",
    "ExperimentRecord",
    "Explanation",
    "Finding",
    "Judgement",
    "Limits",
    "Listener",
    "Monitor",
    "Network",
    "Outcome",
    "PerceptionSpec",
    "Processes",
    "Remedy",
    "Report",
    "Scores",
    "SolverSpec",
    "TaskReport",
    "Training",
    "Trial",
    "audit",
    "check",
    "check_task",
    "diagnose",
    "diagnose_report",
    "export_figures",
    "find_experiment",
    "find_remedy",
    "judge",
    "lightning_callback",
    "parametrize_with_checks",
    "parametrize_with_task_checks",
    "plan_experiment",
    "print_diagnosis",
    "print_remedy",
    "print_report",
    "read_experiment",
    "read_report",
    "run_experiment",
    "run_trial",
    "score",
    "tidy",
    "trainer_callback",
    "write_diagnosis",
    "write_page",
    "write_remedy",
]

# On first use: the command line must answer `--help` without waiting for torch.
HOMES = {
    "Budget": "suite.budget",
    "Diagnosis": "diagnosis.diagnosis",
    "Experiment": "experiments.experiment",
    "ExperimentRecord": "results.experiment",
    "Explanation": "diagnosis.cause",
    "Remedy": "remedy.record",
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
    "check": "suite.check",
    "check_task": "checks.task_checks",
    "diagnose": "suite.diagnose",
    "diagnose_report": "suite.diagnose",
    "find_remedy": "remedy.search",
    "print_diagnosis": "report.diagnosis",
    "print_remedy": "report.remedy",
    "write_diagnosis": "report.diagnosis",
    "write_remedy": "report.remedy",
    "parametrize_with_task_checks": "gate.pytest_tasks",
    "export_figures": "report.export",
    "find_experiment": "experiments.file",
    "judge": "judging.networks",
    "lightning_callback": "judging.callbacks",
    "parametrize_with_checks": "gate.pytest_checks",
    "plan_experiment": "experiments.plan",
    "print_report": "report.table",
    "read_experiment": "results.experiment_reading",
    "read_report": "suite.report_io",
    "run_experiment": "experiments.driver",
    "run_trial": "trials.run",
    "score": "judging.arrays",
    "tidy": "results.tidy",
    "trainer_callback": "judging.callbacks",
    "write_page": "report.html",
}
__getattr__ = lazy_attributes(__name__, HOMES)
