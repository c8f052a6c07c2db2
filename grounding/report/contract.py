"""The contract alone in a terminal: kept, or what failed."""

from typing import Any

from rich.console import Console

from ..checks.finding import Finding
from ..measures.counts import count_of
from ..results.report import FAILED, INTERRUPTED, PASSED, TOO_LITTLE_RAN, Report

FAMILIES = ("contract", "perception", "leak")


def contract_findings(report: Report) -> list[Finding]:
    """What the checks of the contract, of the solver and of perception, and of leaks found."""
    return [f for task in report.tasks for f in task.findings if f.family in FAMILIES]


def contract_exit_code(report: Report) -> int:
    """0: kept; 1: something failed or broke; 3: nothing could be checked; 130: interrupted."""
    if report.interrupted:
        return INTERRUPTED
    statuses = {f.status for f in contract_findings(report) if f.id not in report.accounting.expected}
    if statuses & {"fail", "error"}:
        return FAILED
    return PASSED if "pass" in statuses or report.accounting.expected else TOO_LITTLE_RAN


def print_contract(report: Report, console: Console) -> None:
    """What failed, with what to do, and the verdict in a line.

    Args:
        report: Of a suite that trained nothing.
        console: Where to.
    """
    plain: Any = {"highlight": False, "markup": False, "soft_wrap": True}
    findings = contract_findings(report)
    expected = report.accounting.expected
    told = [f for f in findings if f.status in ("fail", "error", "inconclusive")]
    for finding in told:
        note = " (expected)" if finding.id in expected else ""
        console.print(f"{finding.status}: {finding.id}: {finding.reason}.{note}", **plain)
        if finding.remedy:
            console.print(f"  To do: {finding.remedy}", **plain)
    for traceback in [f.traceback for f in told if f.traceback][:1]:
        console.print(traceback, **plain)
    counts = [(sum(f.status == status for f in findings), status) for status in ORDER]
    counted = ", ".join(f"{count} {status}" for count, status in counts if count)
    failed = [f for f in told if f.status != "inconclusive" and f.id not in expected]
    verdict = {
        PASSED: "contract kept",
        FAILED: f"contract broken: {', '.join(f.id for f in failed)}",
        TOO_LITTLE_RAN: "nothing could be checked",
        INTERRUPTED: "interrupted",
    }[contract_exit_code(report)]
    tasks = ", ".join(task.label for task in report.tasks)
    line = (
        f"{report.solver} on {tasks}: {verdict} ({count_of(len(findings), 'check')}: {counted or 'none ran'})"
    )
    console.print(line, **plain)
    if report.spent is not None and report.spent.cached_checks:
        console.print(report.spent.sentence, **plain)


ORDER = ("pass", "fail", "error", "inconclusive", "skip")
