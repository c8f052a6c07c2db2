"""Comparing reports: paired differences over the seeds that both have, between equals only."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from ...datasets.errors import UsageError
from ..measures.figures import Place, figures_at
from .files import plain
from .report import Report, TaskReport
from .terms import common_terms, told_apart

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
    reach = quantile(count) * stdev(values) / math.sqrt(count)
    return Estimate(mean, (max(mean - reach, bounds[0]), min(mean + reach, bounds[1])), count)


@cache
def quantile(count: int) -> float:
    """How many standard errors a seed interval reaches to either side, for so many seeds: Student's t."""
    return float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))


def compare(reports: Sequence[Report], *, any_budget: bool = False) -> list[Compared]:
    """Every figure of every task that all reports have.

    Args:
        reports: Two or more; the others are compared with the first.
        any_budget: Whether reports of different budgets are compared as well; so are those of networks that
            were trained elsewhere, whose budget nobody knows.

    Raises:
        UsageError: Where there is no such task, or where tasks, image sets or budgets differ, naming what
            differs.
    """
    first, *others = reports
    if not others:
        raise UsageError("a comparison takes two reports or more")
    rows: list[Compared] = []
    refused: list[str] = []
    other_reasons = False  # for which they are refused, whatever is said of budgets
    named = [_by_name(other) for other in others]
    for task in first.tasks:
        found = [_alike(task, tasks.get(task.task, [])) for tasks in named]
        tasks = [task, *(other for other in found if other is not None)]
        if len(tasks) < len(reports):
            continue
        for report, other in zip(others, tasks[1:], strict=True):
            told = incomparable(first, task, report, other, any_budget=any_budget)
            refused += [f"{task.task}: {difference}" for difference in told]
            other_reasons |= bool(incomparable(first, task, report, other, any_budget=True))
        rows += _rows(tasks)
    if refused:
        way_out = "" if other_reasons else ". With --any-budget they are"
        raise UsageError(f"these reports cannot be compared: {'; '.join(dict.fromkeys(refused))}{way_out}")
    if not rows:
        have = "; ".join(f"report {n} has {_names(r)}" for n, r in enumerate(reports, 1))
        raise UsageError(f"these reports have no task in common: {have}")
    return rows


def _names(report: Report) -> str:
    return ", ".join(task.task for task in report.tasks) or "none"


def counterpart(task: TaskReport, report: Report) -> TaskReport | None:
    """The same task in another report, with the same settings if there is one; None where it lacks it."""
    return _alike(task, _by_name(report).get(task.task, []))


def _by_name(report: Report) -> dict[str, list[TaskReport]]:
    named: dict[str, list[TaskReport]] = {}
    for task in report.tasks:
        named.setdefault(task.task, []).append(task)
    return named


def _alike(task: TaskReport, named: Sequence[TaskReport]) -> TaskReport | None:
    alike = [other for other in named if plain(other.settings) == plain(task.settings)]
    return next(iter(alike or named), None)


def incomparable(
    a: Report, one: TaskReport, b: Report, other: TaskReport, *, any_budget: bool = False
) -> list[str]:
    """What makes two results on a task incomparable, in words; empty where nothing does.

    `any_budget`: Budgets may differ, and one of the two may have been trained elsewhere. Settings are
    compared as JSON: a report that was just made has tuples where one that was read has lists.
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
    if a.images == b.images and a.images_digest and b.images_digest:
        pairs.append(("content of the image set", a.images_digest[:12], b.images_digest[:12]))
    if a.judged == b.judged:
        pairs.append(("perception", a.read_by, b.read_by))
        pairs.append(("content of its weights", a.perception.files, b.perception.files))
    if a.judged != b.judged and not any_budget:
        where = {True: "done elsewhere", False: "done here"}
        pairs.append(("training", where[a.judged], where[b.judged]))
    elif not any_budget:
        pairs += [(f"budget {name}", one.training.get(name), other.training.get(name)) for name in BUDGET]
    return [
        f"{name} is {_told(x)} in one and {_told(y)} in the other"
        for name, x, y in pairs
        if plain(x) != plain(y)
    ]


def _told(value: Any) -> str:
    return "not set" if value is None else str(plain(value))


def report_terms(report: Report, tasks: Collection[str]) -> dict[str, Any]:
    """What a report was asked, by name, as far as it may differ from one that it is compared with.

    Of training it is what these tasks have in common. Where an option of the solver has the name of a setting
    of training, it is `solver.NAME`.
    """
    training = common_terms([task.training for task in report.tasks if task.task in tasks])
    options = {f"solver.{n}" if n in training else n: value for n, value in report.options.items()}
    return {"solver": report.solver, **options, "perception": report.read_by, **training}


def report_names(reports: Sequence[Report]) -> list[str]:
    """What each report is called: by what tells it from the others, and by its solver where nothing does."""
    shared = set.intersection(*({task.task for task in report.tasks} for report in reports))
    terms = [report_terms(report, shared) for report in reports]
    names = told_apart([{name: v for name, v in one.items() if name != "solver"} for one in terms])
    several = len({report.solver for report in reports}) > 1
    return [
        ", ".join(filter(None, [report.solver if several or not name else "", name]))
        for report, name in zip(reports, names, strict=True)
    ]


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
