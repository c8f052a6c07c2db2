"""The cells of an experiment as reports, for what compares reports."""

import json
from collections.abc import Iterable

from ...solvers.catalogue import SOLVERS
from .cells import CellResult, cell_results
from .experiment import Cell, ExperimentRecord
from .files import plain
from .report import PerceptionRecord, Report


def experiment_reports(record: ExperimentRecord) -> list[Report]:
    """The cells that have a verdict, as reports: cells that differ in their task alone are one.

    Args:
        record: An experiment; cells that are not decided yet are left out.

    Returns:
        Reports in the order of their first cells.
    """
    groups: dict[str, list[CellResult]] = {}
    for result in cell_results(record):
        if result.decided:
            own = {axis: value for axis, value in result.cell.varied.items() if axis != "task"}
            key = json.dumps([plain(own), result.cell.solver, plain(result.cell.options)], sort_keys=True)
            groups.setdefault(key, []).append(result)
    return [_report(record, group) for group in groups.values()]


def _report(record: ExperimentRecord, group: Iterable[CellResult]) -> Report:
    results = list(group)
    cell = results[0].cell
    return Report(
        solver=cell.solver,
        options=cell.options,
        rules=rules_of(cell),
        images=cell.images,
        images_digest=record.sources.get(cell.images, ""),
        device=str(record.environment.get("device", "cpu")),
        environment=record.environment,
        tasks=[result.task for result in results],
        interrupted=record.interrupted,
        perception=PerceptionRecord(cell.perception),
        started=record.started,
        ended=record.ended,
    )


def rules_of(cell: Cell) -> str:
    """Whether the solver was "given" the rules or they were "learned"; "" of one from outside."""
    if cell.solver not in SOLVERS.ours:
        return ""
    return str(getattr(SOLVERS.load(cell.solver), "rules", "learned"))
