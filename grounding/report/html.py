"""The report as one self-contained page: nothing is fetched, nothing in it is trusted."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...datasets.errors import DataUnavailableError, UsageError
from ...datasets.image_set import ImageSet
from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from ..checks.finding import Finding
from ..measures.counts import count_of
from ..measures.figures import RATE, TEST_SET, Figure, Place, figures_at
from ..results.files import write_text
from ..results.report import Report, TaskReport
from ..trials.roles import ROLES, label_of, trained_solver
from ..trials.trial import Outcome, Role
from .canvas import embedded
from .dates import period
from .figures import matrices, plots_of
from .pictures import Drawing, lay_out, task_of
from .robustness import table_of
from .table import title

TEMPLATES = Path(__file__).parent / "templates"
TRACEBACKS = 20  # shown in full; the table tells of every trial


def render_report(report: Report, images: ImageSet | None) -> str:
    """The page of a report; `images` is the image set it was made with, None where that is not at hand."""
    images = matching(report, images)
    outcomes = [outcome for task in report.tasks for outcome in task.outcomes]
    asked = _only_asked(report)
    return page(
        "report.html.j2",
        report=report,
        tasks=[_task(report, number, task, images) for number, task in enumerate(report.tasks)],
        pictures=images is not None,
        period=period(report.started, report.ended, report.ran, "seed" if report.judged else "trial"),
        trials=[(title(task), o, trained_solver(o)) for task in report.tasks for o in task.outcomes],
        shown={place.name.lower(): _told(figures_at(place), asked=asked) for place in Place},
        asked=asked,
        intervals={"test_set": TEST_SET, "rate": RATE},
        trial_count=count_of(len(outcomes), "outcome" if report.judged else "trial"),
        broken=[(label_of(o), o.error) for o in outcomes if o.error][:TRACEBACKS],
        environment=environment_rows(report),
    )


def matching(report: Report, images: ImageSet | None) -> ImageSet | None:
    """The image set, if the report was made with it."""
    return images if images is not None and images.digest == report.images_digest else None


def load_matching(report: Report, source: ImageSource | None) -> ImageSet | None:
    """The image set that a report was made with; None where it is not at hand."""
    try:
        return matching(report, (source or ImageSource(report.images, classes=tuple(report.classes))).load())
    except (DataUnavailableError, UsageError, ValueError):
        return None


def write_page(path: Path, report: Report, source: ImageSource | None = None) -> None:
    """Writes a report as one self-contained page.

    Args:
        path: The HTML file.
        report: What the page is of.
        source: Where its image set is found; None for the usual folder. Without the set at hand, boards show
            no pictures.

    Raises:
        UsageError: Where the file cannot be written.
    """
    write_text(path, render_report(report, load_matching(report, source)))


def page(template: str, *, scripts: tuple[str, ...] = ("page.js",), **values: Any) -> str:
    """Fills a template. Scripts and style are ours; the page's own policy lets no other script run."""
    return _templates().get_template(template).render(policy=_policy(scripts), **values)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"figure": _figure, "quantity": _quantity}
    return templates


@cache
def _policy(scripts: tuple[str, ...]) -> str:
    """Content security policy: pictures from the page itself, scripts by their hash, no connections."""
    digests = [hashlib.sha256((TEMPLATES / script).read_bytes()).digest() for script in scripts]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}"


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _quantity(value: float | None) -> str:
    """A figure of any size: three decimals, or two significant digits where these say more."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        message = f"{value:,.0f}"
    else:
        message = f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.2g}"
    return message.replace("-", "−")


def _task(report: Report, number: int, task: TaskReport, images: ImageSet | None) -> dict[str, Any]:
    """Everything the page shows of one task."""
    shown = typical(task)
    drawn = shown and task_of(task, shown.seed)
    return {
        "id": f"task-{number}",
        "title": title(task),
        "report": task,
        "settings": _listed(task.settings),
        "training": _listed(task.training),
        "means": _means(task, task.subject),
        "ceiling": task.mean("ceiling", "aligned"),
        "beside": [
            ((task.only_asked and role.asked) or role.title, _means(task, role.name))
            for role in ROLES
            if role.beside and role.name != task.subject and any(o.role == role.name for o in task.outcomes)
        ],
        "plots": [
            {
                "title": plot.title,
                "described": plot.described,
                "svg": embedded(plot.figure),
                "caption": plot.caption,
            }
            for plot in plots_of(task, len(drawn.classes) if drawn else None)
        ],
        "robust": table_of(task.outcomes),
        "corrected": [f.reason for f in task.findings if f.check == "correction" and f.status != "skip"],
        "shown": shown,
        "several": len(task.scores(task.subject)) > 1,
        "matrices": matrices(shown, names_of(report, drawn, images)),
        "boards": boards(report, task, images),
        "note": drawn.layout.note if drawn else "",
        "trouble": by_trouble([f for f in task.findings if f.status not in FOLDED]),
        "folded": by_trouble([f for f in task.findings if f.status in FOLDED]),
        "identifiability": [f.reason for f in task.findings if f.family == "identifiable"],
    }


ASKED = {  # what a figure counts where no network was trained
    "raw": "what was read is what stands there",
    "aligned": "the same after the best one-to-one renaming, fitted on other boards",
}


def _only_asked(report: Report) -> bool:
    """Whether a model was asked, so that words of training have no place."""
    return any(task.only_asked for task in report.tasks)


def _told(figures: Sequence[Figure], *, asked: bool) -> list[Figure]:
    """Figures in the words that fit what was judged."""
    return [replace(f, meaning=ASKED[f.name]) if asked and f.name in ASKED else f for f in figures]


def names_of(report: Report, task: Task | None, images: ImageSet | None) -> list[str] | None:
    """What the symbols that images show are called: as the classes that show them; None: nobody knows."""
    if images is not None and task is not None:
        return [images.called(label) for label in images.test.classes_of(task)]
    if report.classes:
        return report.classes
    return None if task is None else [str(label) for label in task.classes]


def typical(task: TaskReport) -> Outcome | None:
    """The seed of median aligned (else task) accuracy: what is shown of one trial is shown of this one."""
    outcomes = [o for o in task.outcomes if o.role == task.subject]
    scored = [(o.scores.aligned or o.scores.task, o.seed, o) for o in outcomes if o.scores]
    return sorted(scored, key=lambda entry: entry[:2])[(len(scored) - 1) // 2][2] if scored else None


def boards(report: Report, task: TaskReport, images: ImageSet | None) -> list[Drawing]:
    """Sample boards of the typical seed; readings stand after alignment where rules are learned."""
    shown = typical(task)
    if shown is None or shown.scores is None:
        return []
    renamed = shown.scores.relabelling if report.rules == "learned" else None
    return [lay_out(task_of(task, shown.seed), board, images, renamed) for board in shown.scores.boards]


def _means(task: TaskReport, role: Role) -> dict[str, tuple[float | None, float | None]]:
    """Mean over seeds and half the test-set interval of every figure of the page, by name."""
    return {f.name: (task.mean(role, f), task.half_width(role, f)) for f in figures_at(Place.MEANS)}


def _listed(settings: Mapping[str, Any]) -> str:
    """Settings in a line, without those that are left to a default."""
    return ", ".join(f"{name}={value}" for name, value in settings.items() if value is not None)


TROUBLE: Sequence[str] = ("error", "fail", "inconclusive", "skip", "pass")
FOLDED = ("pass", "skip")  # nothing to look into


def by_trouble(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings, the worst first, and how many there are of each status."""
    ordered = sorted(findings, key=lambda finding: TROUBLE.index(finding.status))
    order = TROUBLE if any(f.status not in FOLDED for f in findings) else TROUBLE[::-1]
    counts = [(sum(f.status == status for f in findings), status) for status in order]
    told = [f"{count} {STATUS_WORDS[status]}" for count, status in counts if count]
    return {"findings": ordered, "message": ", ".join(told)}


STATUS_WORDS = {
    "error": "broke", "fail": "failed", "inconclusive": "inconclusive", "skip": "skipped", "pass": "passed",
}  # fmt: skip


def environment_rows(report: Report) -> list[tuple[str, str]]:
    """Rows of the environment table."""
    around: Mapping[str, Any] = report.environment
    seeds, asked = sorted({o.seed for task in report.tasks for o in task.outcomes}), _only_asked(report)
    trained: list[tuple[str, Any]] = [
        ("solver path", ", ".join(f"{t.task}: {t.path}" for t in report.tasks if t.path) or "one only"),
        ("perception", _perception(report)),
        ("threads per trial", around.get("threads")),
    ]
    reached = report.device if asked else f"{report.device} ({around.get('device', 'unknown')})"
    rows: list[tuple[str, Any]] = [
        ("command", around.get("command")),
        ("revision of the project", around.get("revision")),
        *([] if asked else trained[:1]),
        (
            "asked with" if asked else "solver options",
            ", ".join(f"{k}={v}" for k, v in report.options.items()) or "none",
        ),
        *([] if asked else trained[1:2]),
        ("image set", f"{report.images}, SHA-256 {report.images_digest}"),
        *([("classes for the symbols", ", ".join(report.classes))] if report.classes else []),
        ("samples", len(seeds)) if asked else ("seeds", _ranges(seeds)),
        ("endpoint" if asked else "device", reached),
        *([] if asked else trained[2:]),
        *([("cost", report.spent.sentence)] if report.spent and report.spent.sentence else []),
        ("cores", around.get("cores")),
        ("processor", around.get("capability")),
        ("platform", around.get("platform")),
        ("Python", around.get("python")),
        *sorted(around.get("versions", {}).items()),
        ("schema", report.schema),
    ]
    return [(name, "unknown" if value is None else str(value)) for name, value in rows]


def _perception(report: Report) -> str:
    files = "".join(f"; {name}: SHA-256 {digest}" for name, digest in report.perception.files.items())
    return f"{report.read_by}{files}"


def _ranges(numbers: Sequence[int]) -> str:
    """0, 1, 2, 5 as "0 to 2, 5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "none"
