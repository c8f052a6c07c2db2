"""One trial in a terminal: its progress, its learning curve, its scores."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..measures.counts import count_of
from ..measures.figures import CURVE, Place, figures_at
from ..trials.printed import printed_to
from ..trials.timing import seconds_of, seconds_per_step
from ..trials.trial import Outcome, Point, Trial, gradients_lost
from .progress import clock
from .robustness import print_alone

MOST_ROWS = 20  # of a learning curve; a longer one is thinned


def tell_estimate(trial: Trial, console: Console) -> None:
    """About how long a trial will take, from a few steps of its training, before it begins."""
    with printed_to(trial.log):
        step = seconds_per_step(trial)
    if step is not None:
        budget = trial.training
        told = f"{count_of(budget.epochs, 'epoch')} of {count_of(budget.puzzles, 'puzzle')}"
        console.print(f"about {clock(seconds_of(trial, step))} for {told}", highlight=False)


@contextmanager
def follow(trial: Trial, console: Console) -> Generator[Callable[[Point], None]]:
    """A live progress bar over the epochs; plain lines, one per epoch, where there is no terminal."""
    total = trial.training.epochs
    if not console.is_terminal:
        yield lambda point: console.print(
            f"epoch {point.epoch} of {total}: {_caption(point)}", highlight=False
        )
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(escape(trial.label), total=total, figures="")
        yield lambda point: progress.update(bar, completed=point.epoch, figures=_caption(point))


def print_outcome(trial: Trial, outcome: Outcome, console: Console) -> None:
    """The learning curve as a table (validation puzzles and images), then the scores on test."""
    table = Table(title=escape(trial.label), title_justify="left")
    shown = [figure for figure in CURVE if figure.place <= Place.TRIALS]
    for heading in ("epoch", *(figure.heading for figure in shown)):
        table.add_column(heading, justify="right")
    step = -(-len(outcome.curve) // MOST_ROWS) if outcome.curve else 1
    for point in outcome.curve[::-1][::step][::-1]:  # thinned from the end, so that the last epoch stays
        table.add_row(str(point.epoch), *(figure.text(figure.value(point)) for figure in shown))
    console.print(table)
    if outcome.error or outcome.scores is None:
        console.print(f"[red]the trial broke[/] after {outcome.seconds:.0f} s:")
        console.print(escape(outcome.error or ""), highlight=False)
        return
    values = [(figure, figure.value(outcome.scores)) for figure in figures_at(Place.TRIALS)]
    line = ", ".join(f"{figure.title} {figure.text(value)}" for figure, value in values if value is not None)
    awaits = trial.solver.awaits_evidence
    deaf = f"; {gradients_lost(outcome.no_gradient, awaits_evidence=awaits)}" if outcome.no_gradient else ""
    leaky = "; LEAKY supervision" if trial.task.supervision == "leaky" else ""
    console.print(f"test: {line}{deaf}{leaky} ({outcome.seconds:.0f} s)", highlight=False)
    print_alone(outcome, console)


def _caption(point: Point) -> str:
    aligned = "" if point.aligned is None else f", aligned {point.aligned:.2f}"
    loss = "" if point.loss is None else f"loss {point.loss:.4g}, "
    return f"{loss}task {point.task:.2f}{aligned}"
