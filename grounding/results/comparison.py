"""Comparing reports: paired differences over the seeds that both have, between equals only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t as student

from ...datasets.errors import UsageError
from ..measures.figures import Place, figures_at
from .files import plain
from .report import Report, TaskReport

CONFIDENCE = 0.95
BUDGET = ("puzzles", "epochs", "batch")  # learning rates and the like are what a comparison may be about


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its seed interval; None where a single seed gives none."""

    mean: float
    interval: tuple[float, float] | None
    seeds: int


@dataclass(frozen=True)
class Compared:
    """One figure of one task in one report, and its paired difference to the first report."""

    task: str
    figure: str
    report: int
    estimate: Estimate | None
    difference: Estimate | None  # this report minus the first, over common seeds


def estimate(values: Sequence[float], bounds: tuple[float, float] = (0.0, 1.0)) -> Estimate | None:
    """The mean of values that vary from seed to seed; the interval ends at the bounds of the values."""
    if not values:
        return None
    mean, count = fmean(values), len(values)
    if count < 2:
        return Estimate(mean, None, count)
    reach = float(student.ppf((1 + CONFIDENCE) / 2, count - 1)) * stdev(values) / math.sqrt(count)
    return Estimate(mean, (max(mean - reach, bounds[0]), min(mean + reach, bounds[1])), count)


def compare(reports: Sequence[Report]) -> list[Compared]:
    """Every figure of every task that all reports have.

    Raises `UsageError` where there is no such task, or where tasks, image sets or budgets differ, naming
    what differs.
    """
    first, *others = reports
    if not others:
        raise UsageError("a comparison takes two reports or more")
    rows: list[Compared] = []
    refused: list[str] = []
    for task in first.tasks:
        found = [counterpart(task, other) for other in others]
        tasks = [task, *(other for other in found if other is not None)]
        if len(tasks) < len(reports):
            continue
        for report, other in zip(others, tasks[1:], strict=True):
            refused += [f"{task.task}: {d}" for d in incomparable(first, task, report, other)]
        rows += _rows(tasks)
    if refused:
        raise UsageError(f"these reports cannot be compared: {'; '.join(refused)}")
    if not rows:
        have = "; ".join(f"report {n} has {_names(r)}" for n, r in enumerate(reports, 1))
        raise UsageError(f"these reports have no task in common: {have}")
    return rows


def _names(report: Report) -> str:
    return ", ".join(task.task for task in report.tasks) or "none"


def counterpart(task: TaskReport, report: Report) -> TaskReport | None:
    """The same task in another report, with the same settings if there is one; None where it lacks it."""
    named = [other for other in report.tasks if other.task == task.task]
    alike = [other for other in named if plain(other.settings) == plain(task.settings)]
    return next(iter(alike or named), None)


def incomparable(a: Report, one: TaskReport, b: Report, other: TaskReport) -> list[str]:
    """What makes two results on a task incomparable, in words; empty where nothing does.

    Settings are compared as JSON: a report that was just made has tuples where one that was read has lists.
    """
    pairs: list[tuple[str, Any, Any]] = [("version of the task", one.version, other.version)]
    pairs += [
        (f"setting {name}", one.settings.get(name), other.settings.get(name))
        for name in sorted(one.settings.keys() | other.settings.keys())
    ]
    pairs += [
        (f"content of {name}", one.files.get(name, "")[:12], other.files.get(name, "")[:12])
        for name in sorted(one.files.keys() & other.files.keys())
    ]
    pairs.append(("image set", a.images, b.images))
    pairs.append(("classes of the images", a.classes, b.classes))
    pairs.append(("perception", a.read_by, b.read_by))
    pairs.append(("content of its weights", a.perception.files, b.perception.files))
    if a.images == b.images:
        pairs.append(("content of the image set", a.images_digest[:12], b.images_digest[:12]))
    pairs += [(f"budget {name}", one.training.get(name), other.training.get(name)) for name in BUDGET]
    return [
        f"{name} is {_told(x)} in one and {_told(y)} in the other"
        for name, x, y in pairs
        if plain(x) != plain(y)
    ]


def _told(value: Any) -> str:
    return "not set" if value is None else str(plain(value))


def _rows(tasks: Sequence[TaskReport]) -> list[Compared]:
    rows: list[Compared] = []
    for figure in figures_at(Place.VERDICTS):
        by_seed = [task.values(tasks[0].subject, figure) for task in tasks]
        if not any(by_seed):
            continue
        for number, values in enumerate(by_seed):
            common = sorted(values.keys() & by_seed[0].keys())
            paired = [values[seed] - by_seed[0][seed] for seed in common]
            difference = estimate(paired, (-1.0, 1.0)) if number else None
            found = estimate(list(values.values()))
            rows.append(Compared(tasks[0].task, figure.name, number, found, difference))
    return rows
