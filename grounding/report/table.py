"""The report in a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..results.report import Report, TaskReport
from ..trials.trial import Role

COLOURS = {"GROUNDED": "green", "INCONCLUSIVE": "yellow", "SKIPPED": "yellow"}
BESIDE: tuple[tuple[Role, str], ...] = (("baseline", "without logic"), ("ceiling", "ceiling"))


def print_report(report: Report, console: Console) -> None:
    """The table, one sentence per task, failed checks, and the summary."""
    table = Table(
        title=f"{escape(report.solver)} on {report.images} (rules {report.rules})", title_justify="left"
    )
    for heading in ("solver", "task"):
        table.add_column(heading, overflow="fold")
    for heading in ("task acc.", "raw", "aligned", "seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for task in report.tasks:
        _add_rows(table, report, task)
    console.print(table)
    for task in report.tasks:
        _explain(task, console)
    for reason, count in report.accounting.skipped.items():
        console.print(f"[dim]skipped {count}: {escape(reason)}[/]", highlight=False)
    for warning in report.accounting.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", highlight=False)
    console.print(report.summary, highlight=False)


def _explain(task: TaskReport, console: Console) -> None:
    """The verdict in a sentence, what to do, and what did not pass, under the name of the task."""
    judgement = task.judgement

    def tell(text: str, *, quiet: bool = False) -> None:
        console.print(
            Padding(Text.from_markup(text, style="dim" if quiet else ""), (0, 0, 0, 2), expand=False)
        )

    console.print(f"[bold]{title(task)}[/] {_verdict(judgement.verdict)}", highlight=False)
    tell(f"{escape(judgement.reason)}.")
    if judgement.remedy:
        tell(f"To do: {escape(judgement.remedy)}", quiet=True)
    if task.path:
        tell(f"Computed on path {escape(task.path)}", quiet=True)
    for finding in task.findings:
        # The verdict is told already.
        if finding.status not in ("pass", "skip") and finding.check != "grounding":
            tell(f"[red]{finding.status}[/] {escape(finding.id)}: {escape(finding.reason)}.")
            tell(f"To do: {escape(finding.remedy)}", quiet=True)
    for trace in [finding.traceback for finding in task.findings if finding.traceback][:1]:
        console.print(escape(trace), highlight=False)
    for broken in [outcome for outcome in task.outcomes if outcome.error][:1]:
        tell(f"[red]first error[/], {broken.role} seed {broken.seed}:")
        console.print(escape(broken.error or ""), highlight=False)


def _verdict(name: str) -> str:
    return f"[{COLOURS.get(name, 'red')}]{name}[/]"


def title(task: TaskReport) -> str:
    """A task with the settings that mark it."""
    seen = " seen as symbols" if task.settings.get("seen") == "symbols" else ""
    leaky = " (leaky supervision: never passes)" if task.leaky else ""
    size = task.settings.get("size")
    return f"{task.task}{f' {size}×{size}' if size else ''}{seen}{leaky}"


def _add_rows(table: Table, report: Report, task: TaskReport) -> None:
    judgement = task.judgement
    subject: Role = "grounding" if task.settings.get("seen") != "symbols" else "reasoning"
    table.add_row(
        escape(report.solver),
        title(task),
        *(_percent(task.mean(subject, figure)) for figure in ("task", "raw", "aligned")),
        f"{judgement.grounded} of {judgement.seeds}",
        _verdict(judgement.verdict),
    )
    widths = [task.half_width(subject, figure) for figure in ("task", "raw", "aligned")]
    if any(width is not None for width in widths):
        message = ("" if width is None else f"±{width:.3f}" for width in widths)
        table.add_row("95 % interval", "", *message, "", "", style="dim")
    for role, name in BESIDE:
        if task.scores(role):
            figures = (_percent(task.mean(role, figure)) for figure in ("task", "raw", "aligned"))
            table.add_row(name, "", *figures, "", "", style="dim")
    if task.scores("reasoning") and subject != "reasoning":
        table.add_row(
            "on true symbols", "", _percent(task.mean("reasoning", "task")), "", "", "", "", style="dim"
        )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
