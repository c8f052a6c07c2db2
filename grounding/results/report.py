"""The report of a suite as data: what is printed, written as JSON and gated on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from ...datasets.errors import UsageError
from ...datasets.task import Setting
from ..checks.finding import Finding, join_id
from ..measures.asked import Asked
from ..measures.counts import count_of
from ..measures.figures import FIGURE, Figure, Place, figures_at
from ..measures.metrics import Scores
from ..measures.statistics import mean_half_width
from ..trials.roles import BY_NAME, subject_of
from ..trials.trial import Outcome, Role
from ..verdict import Judgement
from .accounting import Accounting, account
from .face import html_table
from .files import plain, write_json
from .records import RecordError, decode_record, read_file
from .spent import Spent

SCHEMA = 2  # raised whenever a reader of older reports would misread a newer one

UNDECIDED = ("INCONCLUSIVE", "SKIPPED")  # verdicts that say neither good nor bad of a solver
PASSED, FAILED, TOO_LITTLE_RAN, INTERRUPTED = 0, 1, 3, 130


@dataclass(frozen=True)
class TaskReport:
    """A solver on one task: the verdict, and everything it rests on.

    Attributes:
        task: Name of the task.
        version: Of the task's generator.
        settings: Of the task.
        training: The budget of each trial, by name.
        judgement: The verdict, and why.
        findings: What each check found.
        outcomes: What came of each trial.
        files: SHA-256 of each file that a setting names, by the name of the setting.
        label: What the task is called beside others of its name: sudoku[size=9].
        reference: What finds the task's class again: its name, or the module or file that it stands in.
        asked: What a model that was asked read and answered, where no network was trained.
    """

    task: str
    version: int
    settings: dict[str, Setting]
    training: dict[str, Any]
    judgement: Judgement
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    label: str = ""
    reference: str = ""
    asked: Asked | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.task)
        object.__setattr__(self, "reference", self.reference or self.task)

    @property
    def verdict_id(self) -> str:
        """The id of the finding that tells the verdict."""
        return join_id("grounding", self.label)

    def scores(self, role: Role) -> list[Scores]:
        """Scores of the trials of a role that did not break, by seed."""
        return [o.scores for o in self.outcomes if o.role == role and o.scores is not None]

    def values(self, role: Role, figure: Figure) -> dict[int, float]:
        """One figure of the trials of a role, by seed.

        Args:
            role: "grounding", "baseline", "ceiling" or "reasoning".
            figure: Which figure; seeds where it has no meaning are left out.
        """
        scored = ((o.seed, o.scores) for o in self.outcomes if o.role == role and o.scores is not None)
        told = {seed: figure.value(scores) for seed, scores in scored}
        return {seed: value for seed, value in told.items() if value is not None}

    def mean(self, role: Role, figure: Figure | str) -> float | None:
        """A figure of the trials of a role, mean over the seeds that were scored.

        Args:
            role: "grounding", "baseline", "ceiling" or "reasoning".
            figure: Which figure, or its name.

        Returns:
            The mean; None where a seed lacks the figure, or nothing was scored.
        """
        values = self.values(role, FIGURE[figure] if isinstance(figure, str) else figure)
        return fmean(values.values()) if values and len(values) == len(self.scores(role)) else None

    def half_width(self, role: Role, figure: Figure | str) -> float | None:
        """Half the 95 % test-set interval of a mean over the seeds that were scored.

        Args:
            role: "grounding", "baseline", "ceiling" or "reasoning".
            figure: Which figure, or its name.

        Returns:
            Half the width; None where a seed lacks the interval, or nothing was scored.
        """
        name = figure if isinstance(figure, str) else figure.name
        intervals = [scores.intervals.get(name) for scores in self.scores(role)]
        known = [interval for interval in intervals if interval is not None]
        return mean_half_width(known) if known and len(known) == len(intervals) else None

    @property
    def path(self) -> str | None:
        """Which of its implementations computed the solver; None where it does not say."""
        own = (o.path for o in self.outcomes if BY_NAME[o.role].answers == "solver")
        return next((path for path in own if path is not None), None)

    @property
    def subject(self) -> Role:
        """The role that the verdict is about: end to end, or, where the task is seen so, on symbols."""
        return subject_of(self.settings.get("seen"))

    @property
    def on_symbols(self) -> bool:
        """Whether the task was seen as symbols, so that nothing can be said of grounding."""
        return self.subject == "reasoning"

    @property
    def only_asked(self) -> bool:
        """Whether a model was asked, and nothing was trained."""
        return self.asked is not None

    @property
    def leaky(self) -> bool:
        """Whether the task itself was set to leak, to reproduce the old result."""
        return self.settings.get("supervision") == "leaky"


@dataclass(frozen=True)
class PerceptionRecord:
    """What read the images of a report.

    Attributes:
        name: What it was called by.
        options: Its options, by name.
        files: SHA-256 of each file that an option names, by the name of the option.
    """

    name: str = "lenet"  # of reports that are older than the choice
    options: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def usual(self) -> bool:
        """Whether it is what is taken where none is named."""
        return self == PerceptionRecord()

    @property
    def message(self) -> str:
        """In a line: its name, and its options in brackets."""
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name} ({options})" if options else self.name


@dataclass(frozen=True)
class Report:
    """A solver on every task of a suite.

    Attributes:
        solver: What it was called by.
        options: Its options, by name.
        rules: Whether it was "given" the rules or they were "learned".
        images: Name of the image set.
        images_digest: SHA-256 over its pictures and labels.
        device: What the networks ran on.
        environment: Command, versions and machine.
        tasks: One report per task.
        interrupted: Whether Ctrl-C, or the end of the process, left the run unfinished.
        expect: Ids of checks that are expected to fail.
        perception: What read the images.
        classes: The classes that were named to stand for the symbols, in order; empty where none were.
        started: When the run began, as ISO 8601 in UTC; "" where that is not known.
        ended: The same of its end.
        spent: What the run cost, and what came from the cache; None where that is not known.
        schema: Of the JSON, raised whenever a reader of older reports would misread a newer one.
    """

    solver: str
    options: dict[str, Any]
    rules: str
    images: str
    images_digest: str
    device: str
    environment: dict[str, Any]
    tasks: list[TaskReport]
    interrupted: bool = False
    expect: list[str] = field(default_factory=list)
    perception: PerceptionRecord = field(default_factory=PerceptionRecord)
    classes: list[str] = field(default_factory=list)
    started: str = ""
    ended: str = ""
    spent: Spent | None = None
    schema: int = SCHEMA

    @property
    def accounting(self) -> Accounting:
        """Checks collected, run, skipped, and failed as expected."""
        return account([finding for task in self.tasks for finding in task.findings], self.expect)

    @property
    def judged(self) -> bool:
        """Whether nothing was trained here: networks, or what they predicted, came from elsewhere."""
        return bool(self.tasks) and all(task.training.get("trained") == "elsewhere" for task in self.tasks)

    @property
    def read_by(self) -> str:
        """What read the images, in a line."""
        return "one trained elsewhere" if self.judged else self.perception.message

    @property
    def ran(self) -> list[Outcome]:
        """The trials that ran; of what was judged, its seeds: what stands beside them did not run here."""
        return [o for task in self.tasks for o in task.outcomes if not self.judged or o.role == task.subject]

    @property
    def exit_code(self) -> int:
        """What a command that made this report exits with.

        0: every task is GROUNDED and no check failed; 1: some verdict or check failed; 3: too little ran or
        was decided; 130: interrupted.
        """
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
        ran, broken = len(self.ran), sum(outcome.error is not None for outcome in self.ran)
        told = f"{count_of(ran, 'seed')} judged" if self.judged else f"{count_of(ran, 'trial')} ran"
        statuses = [finding.status for task in self.tasks for finding in task.findings]
        counts = ", ".join(f"{statuses.count(s)} {s}" for s in sorted(set(statuses), key=STATUS_ORDER.index))
        counted = self.accounting
        failed = f" ({', '.join(counted.unexpected)})" if counted.unexpected else ""
        return (
            f"{grounded} of {count_of(len(self.tasks), 'task')} grounded; "
            f"{told}, {broken} broke; "
            f"{counted.sentence}: {counts or 'none ran'}{failed}{'; interrupted' if self.interrupted else ''}"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdicts with their figures, and why."""
        shown = figures_at(Place.VERDICTS)
        rows = [
            [
                task.label,
                *(figure.text(task.mean(task.subject, figure)) for figure in shown),
                f"{task.judgement.grounded} of {task.judgement.seeds}",
                task.judgement.verdict,
            ]
            for task in self.tasks
        ]
        return html_table(
            f"{self.solver} on {self.images} (rules {self.rules})",
            ["task", *(figure.heading for figure in shown), "seeds", "verdict"],
            rows,
            [*(f"{task.label}: {task.judgement.reason}." for task in self.tasks), self.summary],
        )

    def as_dict(self, *, timings: bool = True) -> dict[str, Any]:
        """The report for JSON, with `exit_code` and `summary`.

        Args:
            timings: Whether dates, the seconds of outcomes and what the run cost are kept; without, two runs
                of one seed and thread count are equal bit by bit.
        """
        record: dict[str, Any] = plain(self)
        record |= {"exit_code": self.exit_code, "summary": self.summary}
        if not timings:
            del record["started"], record["ended"], record["spent"]
            for task in record["tasks"]:
                for outcome in task["outcomes"]:
                    del outcome["seconds"]
        return record

    def write(self, path: Path) -> None:
        """Writes the report as JSON."""
        write_json(path, self.as_dict())

    @classmethod
    def read(cls, path: Path, solver: str | None = None) -> "Report":
        """Reads a report from JSON.

        Args:
            path: What a run or a gate wrote.
            solver: Whose report to take from that of a gate; None where there is only one.

        Raises:
            UsageError: For a report of a newer schema, a damaged one (with the line), or none at all.
        """
        content, line = read_file(path), 1
        try:
            head = decode_record(content, _Head)
            if head.solvers is not None:
                part = bytes(_of_gate(decode_record(content, _Gate), solver, path))
                line, content = 1 + content.count(b"\n", 0, content.find(part)), part
                head = decode_record(content, _Head, first_line=line)
            if (head.schema or 0) <= SCHEMA:
                return decode_record(content, cls, first_line=line).updated()
        except RecordError as error:
            raise UsageError(f"{path} is damaged, or no groundcheck report: {error}") from error
        raise UsageError(
            f"{path} has schema {head.schema}, and this groundcheck reads up to {SCHEMA}: update groundcheck"
        )

    def updated(self) -> "Report":
        """The report in the present schema; in the one before, a finding's check and task were one word."""
        if self.schema == SCHEMA:
            return self
        tasks = [replace(t, findings=[f.taken_apart(t.task) for f in t.findings]) for t in self.tasks]
        return replace(self, tasks=tasks, schema=SCHEMA)


@dataclass(frozen=True)
class _Head:
    """What tells a report from what a gate wrote, and from a newer one."""

    schema: int | None = None
    solvers: Any = None


@dataclass(frozen=True)
class _Gated:
    solver: str
    report: msgspec.Raw


@dataclass(frozen=True)
class _Gate:
    """What a gate wrote, as far as its reports are concerned."""

    solvers: list[_Gated]


def _of_gate(gate: _Gate, solver: str | None, path: Path) -> msgspec.Raw:
    """The report of a solver in the record of a gate."""
    held = {one.solver: one.report for one in gate.solvers}
    if solver in held or len(held) == 1:
        return held.get(solver or "", next(iter(held.values())))
    names = ", ".join(held) or "none"
    raise UsageError(f"{path} holds the reports of several solvers ({names}): take the report of one run")


STATUS_ORDER: Sequence[str] = ("pass", "fail", "inconclusive", "skip", "error")
