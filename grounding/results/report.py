"""The report of a suite as data: what is printed, written as JSON and gated on."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from ...datasets.errors import UsageError
from ..checks.finding import Finding, join_id
from ..measures.metrics import Scores
from ..measures.statistics import mean_half_width
from ..trials.trial import Outcome, Role
from ..verdict import Judgement
from .accounting import Accounting, account
from .files import write_json

SCHEMA = 2  # raised whenever a reader of older reports would misread a newer one

UNDECIDED = ("INCONCLUSIVE", "SKIPPED")  # verdicts that say neither good nor bad of a solver
PASSED, FAILED, USAGE, TOO_LITTLE_RAN, DATA_UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 4, 130


@dataclass(frozen=True)
class TaskReport:
    """A solver on one task: the verdict, and everything it rests on."""

    task: str
    version: int
    settings: dict[str, Any]
    training: dict[str, Any]
    judgement: Judgement
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # SHA-256 of what settings that name files led to
    label: str = ""  # what the task is called beside others of its name: sudoku[size=9]

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.task)

    @property
    def verdict_id(self) -> str:
        """The id of the finding that tells the verdict."""
        return join_id("grounding", self.label)

    def scores(self, role: Role) -> list[Scores]:
        """Scores of the trials of a role that did not break, by seed."""
        return [o.scores for o in self.outcomes if o.role == role and o.scores is not None]

    def mean(self, role: Role, figure: str) -> float | None:
        """Mean of one figure over the seeds of a role; None where there is none."""
        values = [getattr(scores, figure) for scores in self.scores(role)]
        return None if not values or None in values else fmean(values)

    def half_width(self, role: Role, figure: str) -> float | None:
        """Half the 95 % bootstrap interval, over test puzzles, of a mean over the seeds that ran."""
        intervals = [scores.intervals.get(figure) for scores in self.scores(role)]
        known = [interval for interval in intervals if interval is not None]
        return mean_half_width(known) if known and len(known) == len(intervals) else None

    @property
    def path(self) -> str | None:
        """Which of its implementations computed the solver; None where it does not say."""
        own = (o.path for o in self.outcomes if o.role in ("grounding", "reasoning"))
        return next((path for path in own if path is not None), None)

    @property
    def leaky(self) -> bool:
        """Whether the task itself was set to leak, to reproduce the old result."""
        return self.settings.get("supervision") == "leaky"


@dataclass(frozen=True)
class Report:
    """A solver on every task of a suite."""

    solver: str
    options: dict[str, Any]
    rules: str
    images: str
    images_digest: str
    device: str
    environment: dict[str, Any]
    tasks: list[TaskReport]
    interrupted: bool = False
    expect: list[str] = field(default_factory=list)  # ids of checks that are expected to fail
    schema: int = SCHEMA

    @property
    def accounting(self) -> Accounting:
        """Checks collected, run, skipped, and failed as expected."""
        return account([finding for task in self.tasks for finding in task.findings], self.expect)

    @property
    def exit_code(self) -> int:
        """0 where every task is GROUNDED and no check failed; else what DESIGN's exit codes say."""
        if self.interrupted:
            return INTERRUPTED
        counted = self.accounting
        verdicts = [task.judgement.verdict for task in self.tasks if task.verdict_id not in counted.expected]
        if any(v not in ("GROUNDED", *UNDECIDED) for v in verdicts) or counted.unexpected:
            return FAILED
        little = not self.tasks or counted.too_few or any(v in UNDECIDED for v in verdicts)
        return TOO_LITTLE_RAN if little else PASSED

    @property
    def summary(self) -> str:
        """The closing line: tasks grounded, trials run and broken, checks by status."""
        grounded = sum(task.judgement.verdict == "GROUNDED" for task in self.tasks)
        outcomes = [outcome for task in self.tasks for outcome in task.outcomes]
        broken = sum(outcome.error is not None for outcome in outcomes)
        statuses = [finding.status for task in self.tasks for finding in task.findings]
        counts = ", ".join(f"{statuses.count(s)} {s}" for s in sorted(set(statuses), key=STATUS_ORDER.index))
        return (
            f"{grounded} of {len(self.tasks)} tasks grounded; {len(outcomes)} trials ran, {broken} broke; "
            f"{self.accounting.sentence}: {counts or 'none ran'}{'; interrupted' if self.interrupted else ''}"
        )

    def as_dict(self, *, timings: bool = True) -> dict[str, Any]:
        """For JSON. Without `timings` two runs of one seed and thread count are equal bit by bit."""
        record = asdict(self)
        record |= {"exit_code": self.exit_code, "summary": self.summary}
        if not timings:
            for task in record["tasks"]:
                for outcome in task["outcomes"]:
                    del outcome["seconds"]
        return record

    def write(self, path: Path) -> None:
        """As JSON."""
        write_json(path, self.as_dict())

    @classmethod
    def read(cls, path: Path, solver: str | None = None) -> "Report":
        """From JSON; from that of a gate the report of `solver`, or of its only one.

        Raises `UsageError` for a report of a newer schema, or for no report at all.
        """
        try:
            record: Any = json.loads(path.read_text())
        except ValueError as error:
            raise UsageError(f"{path} is damaged, or no groundcheck report: {error}") from error
        if isinstance(record, dict) and "solvers" in record:
            record = _of_gate(record["solvers"], solver, path)
        if not isinstance(record, dict) or "schema" not in record:
            raise UsageError(f"{path} is no groundcheck report: it has no schema version")
        if record["schema"] > SCHEMA:
            raise UsageError(
                f"{path} has schema {record['schema']}, and this groundcheck reads up to {SCHEMA}: "
                "update groundcheck"
            )
        try:
            del record["exit_code"], record["summary"]
            record["tasks"] = [_task_report(task) for task in record["tasks"]]
            record["schema"] = SCHEMA
            return cls(**record)
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _of_gate(solvers: Any, solver: str | None, path: Path) -> Any:
    """The report of a solver in the record of a gate."""
    try:
        held = {one["solver"]: one["report"] for one in solvers}
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    if solver in held or len(held) == 1:
        return held.get(solver, next(iter(held.values())))
    names = ", ".join(held) or "none"
    raise UsageError(f"{path} holds the reports of several solvers ({names}): take the report of one run")


def _task_report(record: dict[str, Any]) -> TaskReport:
    judgement: dict[str, Any] = {**record["judgement"]}
    judgement["interval"] = tuple(judgement["interval"])
    parts: dict[str, Any] = {
        "judgement": Judgement(**judgement),
        "findings": [Finding.from_dict(finding, record["task"]) for finding in record["findings"]],
        "outcomes": [Outcome.from_dict(outcome) for outcome in record["outcomes"]],
    }
    return TaskReport(**{**record, **parts})


STATUS_ORDER: Sequence[str] = ("pass", "fail", "inconclusive", "skip", "error")
