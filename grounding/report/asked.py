"""What a model that was asked read and answered, in a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..results.report import Report


def print_asked(report: Report, console: Console) -> None:
    """Prints the figures of every question, and what became of the replies.

    Args:
        report: Of a model behind an endpoint; of anything else nothing is printed.
        console: Where to.
    """
    for task in report.tasks:
        if task.asked is None:
            continue
        table = Table(title=f"{task.label}, by question", title_justify="left", box=SIMPLE_HEAD)
        table.add_column("", overflow="fold")
        table.add_column("share", justify="right", no_wrap=True)
        table.add_column("of", justify="right", no_wrap=True)
        table.add_column("95 % interval", justify="right", no_wrap=True)
        for share in task.asked.shares:
            value = "–" if share.share is None else f"{share.share:.3f}"
            interval = "" if share.interval is None else f"{share.interval[0]:.2f} to {share.interval[1]:.2f}"
            table.add_row(share.title, value, str(share.of), interval)
        console.print(table)
        counts = task.asked.counts
        console.print(
            f"{counts['replies']:,} replies: {counts['refused']:,} refused, "
            f"{counts['malformed']:,} malformed, {counts['truncated']:,} cut off; {counts['requests']:,} requests, "
            f"{counts['prompt_tokens']:,} tokens asked, {counts['completion_tokens']:,} answered",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
