"""The report in a terminal."""

from collections.abc import Iterable
from pathlib import Path

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..measures.figures import TEST_SET, Place, figures_at
from ..results.report import Report, TaskReport
from ..trials.roles import ROLES, label_of
from ..trials.trial import Role
from .robustness import print_robustness

COLOURS = {"GROUNDED": "green", "INCONCLUSIVE": "yellow", "SKIPPED": "yellow"}
MERGED = 100  # columns of a terminal below which solver and task share one of the table
NARROW = 80  # below which the verdict stands under the table alone


def print_report(report: Report, console: Console) -> None:
    """Prints the table, one sentence per task, the failed checks, and the summary.

    Args:
        report: What to print.
        console: Where to; its width decides how many columns the table has.
    """
    console.print(_table(report, console.width))
    for task in report.tasks:
        _explain(task, console)
    for reason, count in report.accounting.skipped.items():
        console.print(f"[dim]skipped {count}: {escape(reason)}[/]", highlight=False)
    for warning in report.accounting.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", highlight=False)
    console.print(report.summary, highlight=False)
    if report.spent is not None and report.spent.sentence:
        console.print(report.spent.sentence, highlight=False)


def _heading(report: Report) -> str:
    """The solver, what it was tried on, and what reads the images where that is not the usual one."""
    perception = "" if report.perception.usual else f", perception {report.read_by}"
    return escape(f"{report.solver} on {report.images} (rules {report.rules}{perception})")


def _table(report: Report, width: int) -> Table:
    """A block of rows per task; a terminal that is narrow gets the same figures in fewer columns."""
    table = Table(
        title=_heading(report),
        title_justify="left",
        box=HEAVY_HEAD if width >= NARROW else SIMPLE_HEAD,
        padding=(0, 1) if width >= NARROW else (0, 1, 0, 0),
    )
    for heading in ("solver", "task") if width >= MERGED else ("task",):
        table.add_column(heading, overflow="fold")
    for heading in (*(figure.heading for figure in figures_at(Place.VERDICTS)), "seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    if width >= NARROW:
        table.add_column("verdict", no_wrap=True)
    for task in report.tasks:
        for solver, name, *cells, verdict in _rows(report, task):
            first = (solver, name) if width >= MERGED else (name or solver,)
            last = (verdict,) if width >= NARROW else ()
            table.add_row(*first, *cells, *last, style="" if verdict else "dim")
    return table


def _explain(task: TaskReport, console: Console) -> None:
    """The verdict in a sentence, what to do, and what did not pass, under the name of the task."""
    judgement = task.judgement

    def tell(text: str, *, quiet: bool = False) -> None:
        console.print(
            Padding(
                Text.from_markup(text, style="dim" if quiet else "", emoji=False), (0, 0, 0, 2), expand=False
            )
        )

    console.print(f"[bold]{title(task)}[/] {_verdict(judgement.verdict)}", highlight=False)
    tell(f"{escape(judgement.reason)}.")
    if judgement.remedy:
        tell(f"To do: {escape(judgement.remedy)}", quiet=True)
    if task.path:
        tell(f"Computed on path {escape(task.path)}", quiet=True)
    print_robustness(task.outcomes, console)
    for finding in task.findings:
        if finding.check == "correction" and finding.status == "pass":  # asked for by --set wrong=k
            tell(f"pass {escape(finding.id)}: {escape(finding.reason)}.")
        # The verdict is told already.
        tabled = finding.family == "robust" and finding.status == "inconclusive"
        if finding.status not in ("pass", "skip") and finding.check != "grounding" and not tabled:
            tell(f"[red]{finding.status}[/] {escape(finding.id)}: {escape(finding.reason)}.")
            tell(f"To do: {escape(finding.remedy)}", quiet=True)
    for trace in [finding.traceback for finding in task.findings if finding.traceback][:1]:
        console.print(escape(trace), highlight=False)
    for broken in [o for o in task.outcomes if o.error and o.error != judgement.reason][:1]:
        tell(f"[red]first error[/], {escape(label_of(broken))}:")
        console.print(escape(broken.error or ""), highlight=False)


def _verdict(name: str) -> str:
    return f"[{COLOURS.get(name, 'red')}]{name}[/]"


def title(task: TaskReport) -> str:
    """A task with the settings that mark it."""
    seen = " seen as symbols" if task.on_symbols else ""
    leaky = " (leaky supervision: never passes)" if task.leaky else ""
    size = task.settings.get("size")
    file = task.settings.get("file")
    of = f" of {Path(str(file)).name}" if file else ""
    return f"{task.task}{of}{f' {size}×{size}' if size else ''}{seen}{leaky}"


def _rows(report: Report, task: TaskReport) -> list[list[str]]:
    """Solver, task, figures, seeds and verdict; below them what stands beside, without a verdict."""
    judged, shown = task.judgement, figures_at(Place.VERDICTS)

    def row(name: str, cells: Iterable[str]) -> list[str]:
        return [name, "", *cells, "", ""]

    def means(role: Role) -> list[str]:
        return [figure.text(task.mean(role, figure)) for figure in shown]

    seeds, verdict = f"{judged.grounded} of {judged.seeds}", _verdict(judged.verdict)
    rows = [[escape(report.solver), title(task), *means(task.subject), seeds, verdict]]
    widths = [task.half_width(task.subject, figure) for figure in shown]
    if any(width is not None for width in widths):
        rows.append(row(TEST_SET.name, ("" if width is None else f"±{width:.3f}" for width in widths)))
    rows += [
        row(role.heading, means(role.name) if role.sees == "images" else _without_images(means(role.name)))
        for role in ROLES
        if role.beside and role.name != task.subject and task.scores(role.name)
    ]
    return rows


def _without_images(cells: list[str]) -> list[str]:
    """Nothing was read, so that there is nothing to be told of it: no dash is needed."""
    return ["" if cell == "–" else cell for cell in cells]
