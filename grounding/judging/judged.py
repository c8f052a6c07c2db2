"""From outcomes of what was trained elsewhere to a report, with what it cannot say."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ...datasets.errors import UsageError
from ...datasets.own_task import reference_of
from ...datasets.task import Task
from ..checks.bypass import Grounded, bypass
from ..checks.finding import Finding
from ..checks.trained import Trained, trained
from ..measures.statistics import SequentialTest
from ..results.environment import environment
from ..results.report import Report, TaskReport
from ..results.run_directory import timestamp
from ..trials.trial import Outcome
from ..verdict import Judgement, judge

Rules = Literal["learned", "given"]
OWN_TASK, OWN_IMAGES = "own task", "own images"
NO_CEILING = (
    "Give the ceiling with --ceiling: a number, or a file of predictions; it is the aligned accuracy of the "
    "same perception trained with the labels of its images."
)
MORE_SEEDS = "Judge more seeds of the same run: 2 failures or 6 successes decide."
READ_TOO = (
    "Add what was read, as `true` with `symbols` or `beliefs`, and `image`: grounding is a property of it."
)
ANSWERS_TOO = (
    "Add what was answered, as `solution`, `given`, `answers` and `image`: right symbols are half of it."
)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is judged: outcomes of every seed, and what stands beside them.

    Args:
        name: What the solver is called.
        outcomes: One for each seed.
        ceilings: Of the same seeds; empty where none is known.
        baselines: Of the same seeds; empty where none is known.
        task: What was solved; None where only the arrays are known.
        rules: Whether the method was "given" the rules, or "learned" them.
        images: Name of the image set.
        classes: Of the image set, that were named to stand for the symbols.
        digest: SHA-256 of what was scored on.
        device: What the networks ran on.
        findings: Of checks that ran beside.
        notes: What else was seen, in words for the reason.
        lacking: What could not be looked at, in the same.
        options: What belongs to the identity of what was judged, by name.
        started: When judging began, as ISO 8601 in UTC.
    """

    name: str
    outcomes: Sequence[Outcome]
    ceilings: Sequence[Outcome] = ()
    baselines: Sequence[Outcome] = ()
    task: Task | None = None
    rules: Rules = "learned"
    images: str = OWN_IMAGES
    classes: Sequence[str] = ()
    digest: str = ""
    device: str = "cpu"
    findings: Sequence[Finding] = ()
    lacking: Sequence[str] = ()
    notes: Sequence[str] = ()
    options: dict[str, Any] = field(default_factory=dict)
    started: str = field(default_factory=timestamp)

    def report(self) -> Report:
        """The report, as that of a suite; nothing of it says how the network was trained."""
        return Report(
            solver=self.name,
            options=self.options,
            rules=self.rules,
            images=self.images,
            images_digest=self.digest,
            classes=list(self.classes),
            device=self.device,
            environment=environment(self.device),
            tasks=[self._task_report()],
            started=self.started,
            ended=timestamp(),
        )

    def _task_report(self) -> TaskReport:
        judgement = self._judgement()
        outcomes = [*self.outcomes, *self.baselines, *self.ceilings]
        label = self.task.name if self.task else OWN_TASK
        return TaskReport(
            task=label,
            version=self.task.version if self.task else 0,
            settings=self.task.settings if self.task else {},
            files=self.task.files if self.task else {},
            reference=reference_of(self.task) if self.task else "",
            training={"trained": "elsewhere"},
            judgement=judgement,
            findings=[*self.findings, *self._trained(judgement, outcomes, label)],
            outcomes=sorted(outcomes, key=lambda o: o.seed),
        )

    def _judgement(self) -> Judgement:
        judgement = judge(
            self.outcomes,
            self.ceilings,
            SequentialTest(),
            rules_given=self.rules == "given",
            baselines=self.baselines,
            assumed=not self.ceilings,
        )
        judgement = replace(judgement, reason="; ".join([judgement.reason, *self.notes, *self.lacking]))
        scored = [o.scores for o in self.outcomes if o.scores]
        if judgement.verdict != "INCONCLUSIVE" or not scored:
            return judgement
        remedy = MORE_SEEDS
        if any(s.aligned is None for s in scored):
            remedy = READ_TOO
        elif any(not s.puzzles for s in scored):
            remedy = ANSWERS_TOO
        elif not self.ceilings and judgement.grounded < judgement.seeds:
            remedy = NO_CEILING
        elif self.ceilings and judgement.grounded + judgement.failed < judgement.seeds:
            remedy = judgement.remedy
        return replace(judgement, remedy=remedy)

    def _trained(self, judgement: Judgement, outcomes: Sequence[Outcome], label: str) -> list[Finding]:
        """Findings of the checks that have something to look at."""
        subject = Trained(judgement, outcomes, rules_given=self.rules == "given")
        names = ["grounding"]
        names += ["baseline"] if self.baselines else []
        names += ["ceiling"] if self.ceilings else []
        seeds = [o.interventions for o in self.outcomes if o.interventions is not None]
        found = [trained[name].run(subject, label) for name in names]
        return found + (list(bypass.run(Grounded(seeds, subject.rules_given), label)) if seeds else [])


def require_rules(rules: str) -> Rules:
    """Raises `UsageError` for what neither way of having rules is called."""
    for known in get_args(Rules):
        if rules == known:
            return known
    raise UsageError(f"rules={rules!r}: it is learned or given, as the method was told the rules or not")


def joined_digest(digests: Sequence[str]) -> str:
    """One SHA-256 for what several seeds were scored on."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()
