"""A diagnosis in a terminal, with small plots made of letters, and as a page."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..diagnosis.cause import Explanation, Series
from ..diagnosis.causes import CAUSE
from ..diagnosis.diagnosis import Diagnosis
from ..results.files import write_text
from .canvas import BLUE, GREY, ORANGE, canvas, embedded
from .html import page

BARS = "▁▂▃▄▅▆▇█"
MOST_LETTERS = 40  # of a small plot in a terminal; a longer curve is thinned


def sparkline(values: Sequence[float | None]) -> str:
    """A curve as a line of letters, from its least to its largest value; a dot where there is none."""
    step = -(-len(values) // MOST_LETTERS) if values else 1
    shown = list(values)[::-1][::step][::-1]  # thinned from the end, so that the last epoch stays
    known = [value for value in shown if value is not None and math.isfinite(value)]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)

    def letter(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return "·"
        return BARS[round((value - low) / span * (len(BARS) - 1)) if span else 0]

    return "".join(letter(value) for value in shown)


def told(series: Series) -> str:
    """A curve in a line: its title, its letters, and where it begins and ends."""
    known = [value for value in series.values if value is not None]
    ends = f"{known[0]:.3g} → {known[-1]:.3g}" if known else ""
    return f"{series.title} {sparkline(series.values)} {ends}"


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """Prints the verdict, the seeds, and every cause with its figures, its curves and what would refute it.

    Args:
        diagnosis: What to print.
        console: Where to.
    """
    table = Table(title=escape(f"{diagnosis.solver} on {diagnosis.task}"), title_justify="left")
    for heading in ("seed", "task acc.", "raw", "aligned", "ceiling", "fails"):
        table.add_column(heading, justify="right")
    for seed in diagnosis.seeds:
        figures = (seed.task, seed.raw, seed.aligned, seed.ceiling)
        table.add_row(str(seed.seed), *(f"{f:.3f}" for f in figures), "yes" if seed.failing else "no")
    console.print(table)
    console.print(f"[bold]{escape(diagnosis.verdict)}[/]: {escape(diagnosis.reason)}.", highlight=False)
    console.print(f"{escape(diagnosis.summary)}.", highlight=False)
    for number, found in enumerate(diagnosis.explanations, 1):
        _print_cause(number, found, console)
    if diagnosis.plateau is not None:
        state = "no longer falls" if diagnosis.plateau else "still falls"
        console.print(f"The training loss of most failing seeds {state} in the last third.", highlight=False)
    if others := _others(diagnosis):
        console.print(f"[dim]Looked for and not found: {escape(', '.join(others))}.[/]", highlight=False)


def _print_cause(number: int, found: Explanation, console: Console) -> None:
    after = f", perhaps as {escape(CAUSE[found.follows].title)}" if found.follows in CAUSE else ""
    console.print(
        f"\n[bold]{number}. {escape(found.title)}[/] "
        f"({escape(found.cause)}, strength {found.strength:.2f}{_on(found)}{after})",
        highlight=False,
    )
    seen = f" (seed {found.seed})" if found.seed >= 0 else ""
    lines = [f"{found.sentence[:1].upper()}{found.sentence[1:]}{seen}.", *(told(s) for s in found.plot)]
    lines += [f"To do: {found.remedy}", f"Refuted by: {found.refuted_by}"]
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))


def _on(found: Explanation) -> str:
    """On how many of the failing seeds it shows, where it does not on all."""
    shown, failing = found.shown
    return f", on {shown} of {failing} failing seeds" if shown < failing else ""


def _others(diagnosis: Diagnosis) -> list[str]:
    named = {found.cause for found in diagnosis.explanations}
    return [CAUSE[name].title for name in diagnosis.looked_for if name not in named and name in CAUSE]


def draw_series(plot: Sequence[Series]) -> Figure:
    """The curves of a cause over the epochs, each on its own scale, as their ends say."""
    with canvas(3.7, 2.4) as (figure, axes):
        for series, colour in zip(plot, (ORANGE, BLUE, GREY), strict=False):
            known = [v for v in series.values if v is not None]
            low, span = min(known), (max(known) - min(known)) or 1.0
            heights = [math.nan if v is None else (v - low) / span for v in series.values]
            label = f"{series.title}, {known[0]:.2g} to {known[-1]:.2g}"
            epochs = range(1, len(heights) + 1)
            axes.plot(epochs, heights, marker="o", ms=3, color=colour, lw=1.8, label=label)
        axes.set(xlabel="epoch", yticks=[], ylim=(-0.05, 1.05))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=1, frameon=False, fontsize=7.5)
        return figure


def render_diagnosis(diagnosis: Diagnosis) -> str:
    """The page of a diagnosis, which fetches nothing."""
    causes: list[dict[str, Any]] = [
        {
            "found": found,
            "svg": embedded(draw_series(found.plot)) if found.plot else "",
            "described": "; ".join(told(series) for series in found.plot),
            "on": _on(found),
            "after": CAUSE[found.follows].title if found.follows in CAUSE else "",
        }
        for found in diagnosis.explanations
    ]
    return page("diagnosis.html.j2", diagnosis=diagnosis, causes=causes, others=_others(diagnosis))


def write_diagnosis(path: Path, diagnosis: Diagnosis) -> None:
    """Writes a diagnosis as one self-contained page.

    Args:
        path: The HTML file.
        diagnosis: What the page is of.

    Raises:
        UnusableFileError: Where the file cannot be written.
    """
    write_text(path, render_diagnosis(diagnosis))
