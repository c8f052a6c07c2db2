"""The gate: from a report to cases that pass or fail, as a pipeline wants them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...datasets.errors import UnknownNameError, UsageError
from ..checks.finding import join_id
from ..checks.names import beyond_ids, check_ids, suggest
from ..measures.figures import Place, figures_at
from ..report.table import title
from ..results.comparison import counterpart, incomparable
from ..results.report import FAILED, INTERRUPTED, PASSED, TOO_LITTLE_RAN, Report, TaskReport
from .project import Terms

Result = Literal["pass", "fail", "error", "skip", "inconclusive", "expected"]
# A verdict also meets a requirement below it. SHORTCUT and NOT REASONING do not stand in for each other.
MEETS: Mapping[str, Sequence[str]] = {
    "GROUNDED": ("GROUNDED",),
    "SHORTCUT": ("GROUNDED", "SHORTCUT"),
    "NOT REASONING": ("GROUNDED", "NOT REASONING"),
    "UNGROUNDED": ("GROUNDED", "SHORTCUT", "NOT REASONING", "UNGROUNDED"),
}


OUTCOMES = {
    PASSED: "passed",
    FAILED: "failed",
    TOO_LITTLE_RAN: "too little ran to tell",
    INTERRUPTED: "interrupted",
}


@dataclass(frozen=True)
class Case:
    """One line of a gate: a check, the verdict on a task, or its distance to a baseline."""

    check: str
    task: str  # with what tells it from others of its name
    result: Result
    message: str
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The check and the task in one word."""
        return join_id(self.check, self.task)


@dataclass(frozen=True)
class Gated:
    """What a gate decided about one solver."""

    report: Report
    cases: list[Case]

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 too little ran to tell, 130 interrupted."""
        results = {case.result for case in self.cases}
        if self.report.interrupted:
            return INTERRUPTED
        if results & {"fail", "error"}:
            return FAILED
        return TOO_LITTLE_RAN if "inconclusive" in results or not results & {"pass", "expected"} else PASSED

    @property
    def summary(self) -> str:
        """What was decided: in a word, by task, and how many cases came out how."""
        verdicts = ", ".join(f"{title(task)} {task.judgement.verdict}" for task in self.report.tasks)
        counts = Counter(case.result for case in self.cases)
        message = ", ".join(f"{count} {result}" for result, count in counts.most_common())
        return f"{OUTCOMES[self.exit_code]}; {verdicts}; {len(self.cases)} cases: {message or 'none'}"


def evaluate_gate(
    report: Report,
    terms: Terms,
    baseline: Report | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Gated:
    """Holds a report against the terms of a gate.

    Expected failures are strict: a case that is expected to fail and passes, fails. Raises `UsageError`
    where an expected failure names no case, or the baseline cannot be compared with.
    """
    cases = [
        case
        for task in report.tasks
        for case in (
            *_findings(task),
            _verdict(task, terms.require),
            *_regression(report, task, baseline, terms),
            *_robust(task, terms),
        )
    ]
    expected = dict(expected_failures or {})
    require_cases(expected, [task.label for task in report.tasks])
    known = {case.id for case in cases}
    unheard = [
        Case(check, task.label, "skip", f"expected to fail ({expected[name]}), and did not run")
        for task in report.tasks
        for check in case_names()
        if (name := join_id(check, task.label)) in expected and name not in known
    ]
    cases = [_expected(case, expected[case.id]) if case.id in expected else case for case in cases]
    return Gated(report, cases + unheard)


def case_names() -> tuple[str, ...]:
    """The checks that a case of a gate can be about, its own among them."""
    return *check_ids(), "verdict", "regression/task", "regression/aligned", "required/robust", "required/ood"


def require_cases(expected: Iterable[str], tasks: Sequence[str]) -> None:
    """Raises `UnknownNameError` for an expected failure that no gate on these tasks has a case for."""
    known = [join_id(check, task) for task in tasks for check in case_names() if check != "grounding"]
    if unknown := sorted(set(expected) - set(known)):
        hint = suggest(unknown[0], known)
        raise UnknownNameError(f"expected failure {unknown[0]!r} names no case of this gate: {hint}")


def _expected(case: Case, reason: str) -> Case:
    if case.result == "pass":
        return replace(case, result="fail", message=f"passes, though it is expected to fail ({reason})")
    if case.result in ("fail", "error"):
        return replace(case, result="expected", message=f"fails as expected ({reason}): {case.message}")
    return case


def _findings(task: TaskReport) -> list[Case]:
    """Checks that were inconclusive do not stop a gate: the verdict has the say on what was measured.

    Nor do those beyond the test set: they tell, and `require_robust` and `max_ood_drop` have the say.
    """
    cases: list[Case] = []
    for finding in task.findings:
        if finding.check == "grounding":  # the verdict itself, held against what is required
            continue
        told = finding.status == "fail" and finding.check in beyond_ids()
        cases.append(
            Case(
                finding.check,
                task.label,
                "skip" if told or finding.status == "inconclusive" else finding.status,
                f"{finding.reason}. {finding.remedy}".strip(),
            )
        )
    return cases


def _verdict(task: TaskReport, require: str) -> Case:
    judgement = task.judgement
    seconds = sum((outcome.seconds for outcome in task.outcomes), 0.0)
    message = f"{judgement.verdict}, {require} is required: {judgement.reason}. {judgement.remedy}".strip()
    result: Result = "fail"
    if judgement.verdict in MEETS[require]:
        result = "pass"
    elif judgement.verdict == "INCONCLUSIVE":
        result = "inconclusive"
    elif judgement.verdict == "SKIPPED":
        result = "skip"
    elif judgement.verdict == "ERROR":
        result = "error"
    return Case("verdict", task.label, result, message, seconds)


def _robust(task: TaskReport, terms: Terms) -> list[Case]:
    """What a gate asks beyond the test set: ROBUST suites, and how much may be lost out of distribution."""
    cases: list[Case] = []
    if terms.require_robust:
        suites = [f for f in task.findings if f.family == "robust" and f.status != "skip"]
        short = [f for f in suites if f.status != "pass"]
        result: Result = "pass"
        told = f"every one of {len(suites)} checks of robustness passed"
        if not suites:
            result, told = "error", "nothing was asked beyond the test set: robust = true in the profile"
        elif short:
            result = "fail" if any(f.status in ("fail", "error") for f in short) else "inconclusive"
            told = "; ".join(f"{f.check}: {f.reason}" for f in short)
        cases.append(Case("required/robust", task.label, result, f"ROBUST is required: {told}"))
    if terms.max_ood_drop is not None:
        cases.append(_ood(task, terms.max_ood_drop))
    return cases


def _ood(task: TaskReport, most: float) -> Case:
    """Fails where clearly more is lost than may be; inconclusive where too few puzzles tell."""
    found = next((f for f in task.findings if f.check == "ood" and f.figure is not None), None)
    if found is None or found.figure is None:
        message = "nothing was asked out of distribution: robust = true in the profile"
        return Case("required/ood", task.label, "error", message)
    reached = task.mean(task.subject, "task")
    if reached is not None and reached <= most:
        message = f"it answers {reached:.2f} of the test puzzles, so that no more than {most:g} could be lost"
        return Case("required/ood", task.label, "inconclusive", message)
    low, high = found.interval or (found.figure, found.figure)
    result: Result = "pass" if found.figure <= most else "fail" if low > most else "inconclusive"
    message = (
        f"loses {found.figure:.3f} ({low:.3f} to {high:.3f}), at most {most:g} may be lost: {found.reason}"
    )
    return Case("required/ood", task.label, result, message)


def _regression(report: Report, task: TaskReport, baseline: Report | None, terms: Terms) -> list[Case]:
    if baseline is None:
        return []
    before = baseline_of(task, report, baseline)
    cases: list[Case] = []
    for figure in figures_at(Place.RANKING):
        was, now = before.mean(task.subject, figure), task.mean(task.subject, figure)
        if was is None:
            continue
        lost = 1.0 if now is None else figure.gain(now, was)
        message = "none" if now is None else figure.text(now)
        cases.append(
            Case(
                f"regression/{figure.name}",
                task.label,
                "fail" if lost > terms.max_regression else "pass",
                f"{figure.title} was {figure.text(was)} and is {message}; "
                f"at most {terms.max_regression:g} may be lost",
            )
        )
    return cases


def baseline_of(task: TaskReport, report: Report, baseline: Report) -> TaskReport:
    """The same task in a baseline. Raises `UsageError` where there is none, or it differs in what counts."""
    before = counterpart(task, baseline)
    if before is None:
        raise UsageError(lacking(task.task, baseline))
    if differing := incomparable(report, task, baseline, before):
        raise UsageError(f"{title(task)} cannot be held against the baseline: {'; '.join(differing)}")
    return before


def lacking(task: str, baseline: Report) -> str:
    """What to tell where a baseline lacks a task."""
    names = ", ".join(title(b) for b in baseline.tasks) or "none"
    return f"the baseline lacks the task {task}: it has {names}. Make it anew, with every task"
