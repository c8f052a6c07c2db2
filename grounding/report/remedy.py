"""What a search for a remedy found, in a terminal and as a page."""

from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..experiments.duration import told_duration
from ..measures.counts import count_of
from ..remedy.axes import PERCEPTION
from ..remedy.record import AxisFigures, Remedy, Tried
from ..results.files import write_text
from .canvas import BLUE, GREY, ORANGE, canvas, embedded, legend_above
from .html import page

SHOWN = 12  # configurations in a terminal; the page tells of all


def summary_of(found: Remedy) -> list[str]:
    """What came of the search, in sentences."""
    whole = len(found.tried)
    if not whole:
        return [f"The time was over before {found.solver} as it is had been tried."]
    seeds = " and ".join(map(str, found.choice_seeds))
    stopped = sum(each.stopped for each in found.tried)
    lines = [
        f"{count_of(whole, 'configuration')} tried, {stopped} of them given up by their curve; "
        f"{found.passed} ({found.passed / whole:.0%}) ground on the seeds of the choice ({seeds}), "
        f"{found.confirmed} went on to the sequential test on seeds 0, 1, …"
    ]
    if (smallest := found.smallest) is not None:
        lines.append(_of_smallest(smallest))
    elif found.passed > found.confirmed:
        lines.append("The time was over before those that ground on the seeds of the choice were confirmed.")
    else:
        best = found.ranked[0]
        lines.append(
            f"No change that was tried is GROUNDED on seeds that it was not chosen on. The best that was "
            f"found: {best.told}, score {best.score:.3f}{_told_confirmation(best)}."
        )
    if found.interrupted:
        lines.append("The search was interrupted: what was not tried may do.")
    elif found.out_of_time:
        spent = f" of {told_duration(found.budget)}" if found.budget else ""
        lines.append(f"The budget{spent} ended before the search did: what was not tried may do.")
    return lines


def _of_smallest(smallest: Tried) -> str:
    confirmed = smallest.confirmation
    assert confirmed is not None
    seeds = f"{confirmed.grounded} of {count_of(confirmed.seeds, 'seed')} from 0 on"
    if not smallest.changes:
        return f"There is nothing to remedy: as it is, it is GROUNDED on {seeds}; {confirmed.reason}."
    size = count_of(len(smallest.changes), "setting")
    return (
        f"The smallest change that is GROUNDED on seeds it was not chosen on: {smallest.told} ({size}): "
        f"{seeds}; {confirmed.reason}."
    )


def _told_confirmation(one: Tried) -> str:
    confirmed = one.confirmation
    if confirmed is None:
        return ""
    return f", {confirmed.verdict} on {confirmed.grounded} of {count_of(confirmed.seeds, 'seed')} from 0 on"


def command_of(found: Remedy) -> str:
    """What shows the remedy again, with all that a check shows; "" where there is none."""
    if found.smallest is None:
        return ""
    every = {**found.settings, **found.smallest.changes}
    sets = "".join(
        f" --{name} {value}" if name == PERCEPTION else f" --set {name}={value}"
        for name, value in every.items()
    )
    return f"groundcheck check {found.solver} --task {found.task} --images {found.images}{sets}"


def outcome_of(one: Tried) -> str:
    """How a configuration ended, in a word or two."""
    if one.confirmation is not None:
        found = one.confirmation
        return f"{found.verdict}, {found.grounded} of {found.seeds}"
    if one.passed:
        return "not confirmed yet"
    last = one.seeds[-1]
    return f"given up, epoch {last.stopped}" if last.stopped is not None else str(last.verdict)


def print_remedy(found: Remedy, console: Console) -> None:
    """Prints the smallest change, the best configurations, and how much each axis matters.

    Args:
        found: What to print.
        console: Where to.
    """
    if found.tried:
        table = Table(title=escape(f"{found.solver} on {found.task}"), title_justify="left")
        for heading in ("changed", "score", "task acc.", "raw", "aligned", "seeds"):
            table.add_column(heading, justify="left" if heading == "changed" else "right")
        table.add_column("outcome")
        for one in _shown(found):
            last = one.seeds[-1]
            figures = ("–" if f is None else f"{f:.3f}" for f in (last.task, last.raw, last.aligned))
            table.add_row(
                escape(one.told), f"{one.score:.3f}", *figures, str(len(one.seeds)), escape(outcome_of(one))
            )
        console.print(table)
        _print_axes(found.axes, console)
    for line in summary_of(found):
        console.print(line, highlight=False, markup=False)
    if command := command_of(found):
        console.print(command, highlight=False, markup=False, soft_wrap=True)


def _shown(found: Remedy) -> list[Tried]:
    """The best, and what all is held against."""
    best = found.ranked[:SHOWN]
    return best if found.tried[0] in best else [*best[:-1], found.tried[0]]


def _print_axes(axes: list[AxisFigures], console: Console) -> None:
    table = Table(title="How much each axis matters", title_justify="left")
    table.add_column("setting")
    table.add_column("as it is", justify="right")
    table.add_column("tried")
    table.add_column("importance", justify="right")
    table.add_column("best alone", justify="right")
    for axis in axes:
        table.add_row(*map(escape, axis_row(axis)))
    console.print(table)


def axis_row(axis: AxisFigures) -> tuple[str, str, str, str, str]:
    """Name, usual value, tried values, importance, and the best that a change of it alone did."""
    return (
        axis.name,
        _value(axis.usual),
        ", ".join(_value(value) for value in axis.values),
        "–" if axis.importance is None else f"{axis.importance:.2f}",
        "–" if axis.alone is None else f"{axis.alone:.3f} ({_value(axis.best)})",
    )


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def draw_search(found: Remedy) -> Figure:
    """Every configuration's score in the order in which they were tried, by how many settings it changes."""
    with canvas(5.4, 2.6) as (figure, axes):
        for label, colour, chosen in (
            ("given up", GREY, [t.stopped for t in found.tried]),
            ("came to its end", BLUE, [not t.stopped and not t.passed for t in found.tried]),
            ("grounds on the seeds of the choice", ORANGE, [t.passed for t in found.tried]),
        ):
            places = [number for number, use in enumerate(chosen) if use]
            axes.scatter(places, [found.tried[n].score for n in places], s=18, color=colour, label=label)
        sizes = [len(t.changes) for t in found.tried]
        for number in range(1, len(sizes)):
            if sizes[number] != sizes[number - 1]:
                axes.axvline(number - 0.5, color=GREY, lw=0.8)
        axes.set(xlabel="configuration, in the order tried; a line where one more setting is changed",
                 ylabel="score", ylim=(-0.03, 1.03))  # fmt: skip
        legend_above(axes)
        return figure


def render_remedy(found: Remedy) -> str:
    """The page of a search, which fetches nothing."""
    return page(
        "remedy.html.j2",
        found=found,
        summary=summary_of(found),
        command=command_of(found),
        svg=embedded(draw_search(found)) if found.tried else "",
        rows=[(one, one.seeds[-1], outcome_of(one)) for one in found.ranked],
        axes=[axis_row(axis) for axis in found.axes],
    )


def write_remedy(path: Path, found: Remedy) -> None:
    """Writes a search as one self-contained page.

    Args:
        path: The HTML file.
        found: What the page is of.

    Raises:
        UnusableFileError: Where the file cannot be written.
    """
    write_text(path, render_remedy(found))
