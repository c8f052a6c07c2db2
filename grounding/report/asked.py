"""What a model that was asked read and answered, in a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..results.report import Report

BECAME = {"refused": "refused", "malformed": "malformed", "truncated": "cut off"}  # counts of replies


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
        counts = {name: f"{count:,}" for name, count in task.asked.counts.items()}
        became = ", ".join(f"{counts[name]} {words}" for name, words in BECAME.items())
        tokens = f"{counts['prompt_tokens']} tokens asked, {counts['completion_tokens']} answered"
        line = f"{counts['replies']} replies: {became}; {counts['requests']} requests, {tokens}"
        console.print(line, highlight=False, soft_wrap=True)
