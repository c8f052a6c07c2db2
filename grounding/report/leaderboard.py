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
from ..results.files import plain
from ..results.report import Report, TaskReport
from ..suite.report_io import read_report
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
    options: str
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
    runs = {path.parent for path in folder.rglob("run.json")}
    candidates = [*runs, *(p for p in folder.rglob("*.json") if p.parent not in runs and _claims(p))]
    for path in sorted(candidates):
        try:
            found.append((path, read_report(path)))
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


def render_leaderboard(found: Sequence[tuple[Path, Report]], beside: Path) -> str:
    """The page, to be put into the folder `beside`: links to reports are relative to it."""
    groups: dict[str, list[Line]] = {}
    headings: dict[str, Mapping[str, Any]] = {}
    for path, report in found:
        for task in report.tasks:
            terms = {
                "task": title(task),
                "version": task.version,
                **plain(task.settings),
                "images": f"{report.images} ({report.images_digest[:12]})",
                **_perception(report),
                **{name: task.training.get(name) for name in BUDGET},
            }
            key = json.dumps(terms, sort_keys=True)
            headings[key] = terms
            groups.setdefault(key, []).append(_line(path, report, task, beside))
    ordered = sorted(groups, key=lambda key: (headings[key]["task"], key))
    first = {headings[key]["task"]: headings[key] for key in reversed(ordered)}
    tables = [
        {
            "id": f"group-{number}",
            "terms": headings[key],
            "conditions": _conditions(headings[key]),
            "differs": differences(first[headings[key]["task"]], headings[key]),
            "lines": sorted(groups[key], key=_rank),
        }
        for number, key in enumerate(ordered)
    ]
    return page(
        "leaderboard.html.j2",
        tables=tables,
        reports=count_of(len(found), "report"),
        headings=figures_at(Place.RANKING),
        interval=ACROSS_SEEDS,
    )


def _perception(report: Report) -> dict[str, str]:
    usual = report.perception.usual and not report.judged
    return {} if usual else {"perception": report.read_by}


def _conditions(terms: Mapping[str, Any]) -> str:
    """What every line of a table has in common, in words."""
    budget = {name: terms[name] for name in BUDGET if isinstance(terms[name], int)}
    named = {"puzzles": "training puzzle", "epochs": "epoch"}
    told = [count_of(budget[name], words) for name, words in named.items() if name in budget]
    told += [f"batches of {budget['batch']}"] if "batch" in budget else []
    read = [f"perception {terms['perception']}"] if "perception" in terms else []
    return ", ".join([f"images {str(terms['images']).partition(' (')[0]}", *read, *told])


def differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What makes two tables of one task incomparable, in words: "epochs 20 instead of 5"; "" of the same.

    Args:
        first: What holds for the first table of the task, by name.
        other: The same of another.
    """
    names = [*first, *(name for name in other if name not in first)]
    return "; ".join(
        f"{WORDS.get(name, name)} {_told(other.get(name))} instead of {_told(first.get(name))}"
        for name in names
        if first.get(name) != other.get(name)
    )


WORDS = {"version": "version of the task", "puzzles": "training puzzles", "batch": "batches of"}


def _told(value: Any) -> str:
    return "unset" if value is None else f"{value:,}" if type(value) is int else str(value)


def _line(path: Path, report: Report, task: TaskReport, beside: Path) -> Line:
    target = path if path.is_file() else path / "report.html"
    target = target if target.exists() else path / "report.json"
    return Line(
        solver=report.solver,
        options=", ".join(f"{name}={value}" for name, value in report.options.items()),
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
