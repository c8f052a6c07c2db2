"""Many reports on one page: a table for each set of results that can be compared."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..measures.counts import count_of
from ..measures.figures import ACROSS_SEEDS, Place, figures_at
from ..results.comparison import BUDGET, Estimate, estimate
from ..results.experiment_directory import ASKED
from ..results.files import plain
from ..results.report import Report, TaskReport
from ..results.terms import common_terms, differing_terms, told
from ..suite.report_io import read_reports
from .dates import day
from .html import page
from .plane import miniature
from .table import title

ORDER = ("GROUNDED", "SHORTCUT", "NOT REASONING", "UNGROUNDED", "INCONCLUSIVE", "SKIPPED", "ERROR", "LEAKY")
BESIDE = ("ceiling", "baseline")  # what a plane is relative to


@dataclass(frozen=True)
class Line:
    """One solver on one task."""

    solver: str
    terms: dict[str, Any]  # options of the solver, and of its training what does not make it incomparable
    rules: str
    task: TaskReport
    figures: list[Estimate | None]  # in the order of `figures_at`
    ceiling: float | None
    link: str  # to its page or its JSON, relative to the leaderboard
    plane: str | None  # in miniature, as SVG
    day: str  # when it was run


def gather(folder: Path) -> tuple[list[tuple[Path, Report]], list[str]]:
    """Every report below a folder, and a line about each file that looked like one but is none."""
    found: list[tuple[Path, Report]] = []
    passed_over: list[str] = []
    experiments = {path.parent for path in folder.rglob(ASKED)}
    runs = {path.parent for path in folder.rglob("run.json")}
    runs = {path for path in runs if not experiments.intersection((path, *path.parents))}
    known = runs | experiments
    single = (p for p in folder.rglob("*.json") if not known.intersection(p.parents) and _claims(p))
    for path in sorted([*known, *single]):
        try:
            found += [(path, report) for report in read_reports(path)]
        except (ValueError, OSError) as error:
            passed_over.append(str(error))
    return found, passed_over


def _claims(path: Path) -> bool:
    """Whether a JSON file says that it is a report; what does not is none of our business."""
    try:
        content: Any = json.loads(path.read_bytes())
    except (ValueError, OSError):
        return False
    return isinstance(content, dict) and {"schema", "solver", "tasks"} <= content.keys()


def render_leaderboard(
    found: Sequence[tuple[Path, Report]], beside: Path, *, any_budget: bool = False
) -> str:
    """The page, to be put into the folder `beside`: links to reports are relative to it.

    `any_budget`: Runs of different budgets share a table, and their budgets are told beside them.
    """
    groups: dict[str, list[Line]] = {}
    headings: dict[str, Mapping[str, Any]] = {}
    for path, report in found:
        for task in report.tasks:
            terms = {
                "task": title(task),
                "version": task.version,
                **plain(task.settings),
                "images": f"{report.images} ({report.images_digest[:12] or 'content unknown'})",
                **_perception(report),
                **_budget(report, task, any_budget=any_budget),
            }
            key = json.dumps(terms, sort_keys=True)
            headings[key] = terms
            groups.setdefault(key, []).append(_line(path, report, task, beside, any_budget=any_budget))
    ordered = sorted(groups, key=lambda key: (headings[key]["task"], key))
    first = {headings[key]["task"]: headings[key] for key in reversed(ordered)}
    tables = [
        {
            "id": f"group-{number}",
            "terms": headings[key],
            "conditions": _conditions(headings[key]),
            "differs": differences(first[headings[key]["task"]], headings[key]),
            "lines": sorted(groups[key], key=_rank),
            "varied": differing_terms([line.terms for line in groups[key]]),
            "common": common_terms([line.terms for line in groups[key]]),
        }
        for number, key in enumerate(ordered)
    ]
    return page(
        "leaderboard.html.j2",
        tables=tables,
        reports=count_of(len(found), "report"),
        headings=figures_at(Place.RANKING),
        interval=ACROSS_SEEDS,
        told=told,
    )


def _budget(report: Report, task: TaskReport, *, any_budget: bool) -> dict[str, Any]:
    """What was spent on training, where that decides what it is compared with, and is known."""
    if report.judged:
        return {ELSEWHERE: True}
    return {} if any_budget else {name: task.training.get(name) for name in BUDGET}


def _perception(report: Report) -> dict[str, str]:
    return {} if report.perception.usual or report.judged else {"perception": report.read_by}


def _conditions(terms: Mapping[str, Any]) -> str:
    """What every line of a table has in common, in words."""
    budget = {name: terms[name] for name in BUDGET if isinstance(terms.get(name), int)}
    named = {"puzzles": "training puzzle", "epochs": "epoch"}
    told = [count_of(budget[name], words) for name, words in named.items() if name in budget]
    told += [f"batches of {budget['batch']}"] if "batch" in budget else []
    if ELSEWHERE in terms:
        told.append(ELSEWHERE)
    elif "perception" in terms:
        told.insert(0, f"perception {terms['perception']}")
    return ", ".join([f"images {str(terms['images']).partition(' (')[0]}", *told])


def differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What makes two tables of one task incomparable, in words: "epochs 20 instead of 5"; "" of the same.

    Args:
        first: What holds for the first table of the task, by name.
        other: The same of another.
    """
    names = [*first, *(name for name in other if name not in first)]
    parts: list[str] = []
    if (ELSEWHERE in first) != (ELSEWHERE in other):  # what was spent there, and what read, nobody knows
        names = [name for name in names if name not in (ELSEWHERE, "perception", *BUDGET)]
        parts = [ELSEWHERE if ELSEWHERE in other else "trained here"]
    parts += [
        f"{WORDS.get(name, name)} {_told(other.get(name))} instead of {_told(first.get(name))}"
        for name in names
        if first.get(name) != other.get(name)
    ]
    return "; ".join(parts)


ELSEWHERE = "trained elsewhere"
WORDS = {"version": "version of the task", "puzzles": "training puzzles", "batch": "batches of"}


def _told(value: Any) -> str:
    return "unset" if value is None else f"{value:,}" if type(value) is int else str(value)


def _line(path: Path, report: Report, task: TaskReport, beside: Path, *, any_budget: bool) -> Line:
    pages = [path / "report.html", path / "results.html", path / "report.json"]
    target = path if path.is_file() else next((page for page in pages if page.exists()), path)
    training = {n: v for n, v in task.training.items() if any_budget or n not in BUDGET}
    options = {f"solver.{n}" if n in training else n: v for n, v in report.options.items()}
    return Line(
        solver=report.solver,
        terms={name: value for name, value in {**options, **training}.items() if value is not None},
        rules=report.rules,
        task=task,
        figures=[estimate(list(task.values(task.subject, f).values())) for f in figures_at(Place.RANKING)],
        ceiling=task.mean("ceiling", "aligned"),
        link=quote(os.path.relpath(target.resolve(), beside)),
        plane=miniature(*([o for o in task.outcomes if o.role == role] for role in (task.subject, *BESIDE))),
        day=day(report.ended or report.started),
    )


def _rank(line: Line) -> tuple[int, float, str]:
    """The better verdict first, then the better first figure."""
    leading, ranked = figures_at(Place.RANKING)[0], line.figures[0]
    return (
        ORDER.index(line.task.judgement.verdict),
        -leading.gain(0.0, ranked.mean) if ranked else math.inf,
        line.solver,
    )
