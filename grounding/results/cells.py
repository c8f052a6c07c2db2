"""The cells of an experiment, each with its trials, its verdict and what others published of it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..measures.figures import FIGURE, Figure
from ..trials.trial import Outcome, Role
from ..verdict import Judgement
from .comparison import Estimate, estimate
from .experiment import Cell, ExperimentRecord, Published, TrialRow
from .files import plain
from .report import TaskReport

NOT_DECIDED = "not decided yet"  # of a cell without a report


@dataclass(frozen=True)
class CellResult:
    """A cell with what came of it so far.

    Attributes:
        cell: Which.
        trials: Those that ended, also of seeds that its verdict did not need.
        task: Its report; of a cell that has none yet, one that decides nothing.
        decided: Whether it has one.
        published: Figures of others that stand beside it.
    """

    cell: Cell
    trials: list[TrialRow]
    task: TaskReport
    decided: bool
    published: list[Published]

    @property
    def verdict(self) -> str:
        """GROUNDED, SHORTCUT …, or that it is not decided yet."""
        return self.task.judgement.verdict if self.decided else NOT_DECIDED

    @property
    def seeds(self) -> str:
        """How many seeds grounded, of how many; of a cell without a verdict, how many ran."""
        judged = self.task.judgement
        return f"{judged.grounded} of {judged.seeds}" if self.decided else f"{judged.seeds} ran"

    @property
    def outcomes(self) -> list[Outcome]:
        """The trials that its figures rest on."""
        return self.task.outcomes

    @property
    def subject(self) -> Role:
        """The role that its verdict is about."""
        return self.task.subject

    def values(self, figure: Figure | str, role: Role | None = None) -> dict[int, float]:
        """A figure by seed, of the role that the verdict is about unless another is asked for."""
        return self.task.values(role or self.subject, FIGURE[figure] if isinstance(figure, str) else figure)

    def estimate(self, figure: Figure | str, role: Role | None = None) -> Estimate | None:
        """The mean of a figure with its seed interval; None where no trial has it."""
        return estimate(list(self.values(figure, role).values()))


def cell_results(record: ExperimentRecord) -> list[CellResult]:
    """Every cell of an experiment, in the order of their numbers."""
    trials: list[list[TrialRow]] = [[] for _ in record.cells]
    for row in record.trials:
        for number in row.cells:
            trials[number].append(row)
    return [
        CellResult(
            cell,
            ran,
            task=_task(cell, record.reports.get(cell.number), ran),
            decided=cell.number in record.reports,
            published=[p for p in record.published if stands_beside(p, cell)],
        )
        for cell, ran in zip(record.cells, trials, strict=True)
    ]


def stands_beside(published: Published, cell: Cell) -> bool:
    """Whether a figure of others is of what a cell runs."""
    missing = object()
    return all(
        plain(value) == plain(cell.varied.get(axis, missing)) for axis, value in published.where.items()
    )


def _task(cell: Cell, report: TaskReport | None, trials: Sequence[TrialRow]) -> TaskReport:
    """The report with its outcomes: its own, which leave out what was run ahead and not needed, or all."""
    outcomes = sorted((row.outcome for row in trials), key=lambda o: (o.seed, o.role))
    if report is not None:
        return report if report.outcomes else replace(report, outcomes=outcomes)
    blank = TaskReport(
        task=cell.task,
        version=cell.version,
        settings=cell.settings,
        training=cell.training,
        judgement=Judgement("INCONCLUSIVE", 0, 0, 0, (0.0, 1.0), NOT_DECIDED, ""),
        outcomes=outcomes,
        reference=cell.reference,
    )
    ran = len({o.seed for o in outcomes if o.role == blank.subject})
    return replace(blank, judgement=replace(blank.judgement, seeds=ran))


def varying(record: ExperimentRecord) -> dict[str, list[Any]]:
    """The axes on which cells differ, each with its values in the order of the experiment, as JSON has them.

    Where fewer than two differ, solver and task stand in for those that are missing, so that a grid always
    has its rows and columns.
    """
    found: dict[str, list[Any]] = {}
    for axis, values in record.axes.items():
        met = [plain(cell.varied.get(axis)) for cell in record.cells]
        ordered: dict[Hashable, Any] = {}
        for value in (*(plain(value) for value in values), *met):
            ordered.setdefault(hashed(value), value)
        known = {hashed(value) for value in met}
        kept = [value for key, value in ordered.items() if key in known]
        if len(kept) > 1:
            found[axis] = kept
    for name in ("solver", "task"):
        if len(found) < 2 and name not in found:
            found[name] = list(dict.fromkeys(getattr(cell, name) for cell in record.cells))
    return found


def value_on(cell: Cell, axis: str) -> Any:
    """The value that a cell has on an axis of `varying`, as JSON has it; None of an axis that it lacks."""
    own = {"solver": cell.solver, "task": cell.task}
    return plain(cell.varied.get(axis, own.get(axis)))


def hashed(value: Any) -> Hashable:
    """Equal for values of JSON that are equal, so that one can be looked up among many."""
    if isinstance(value, dict):
        return dict, frozenset((name, hashed(item)) for name, item in value.items())
    return (list, *map(hashed, value)) if isinstance(value, list) else value
