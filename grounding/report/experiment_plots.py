"""The figures of an experiment as files, in the width of a paper's column.

Unlike the plots of a report these hold words of a user, names of solvers and values of settings: they are
drawn as they are, never as formulas.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import ceil, log
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from ...datasets.errors import UnusableFileError
from ..measures.figures import CURVE, FIGURE, Figure, Place, figures_at
from ..results.cells import CellResult, cell_results, value_on
from ..results.comparison import Estimate
from ..results.experiment import ExperimentRecord
from ..results.pooling import learning_curve, pooled
from ..results.terms import told
from .canvas import BLUE, GREY, INK, MAROON, OLIVE, ORANGE, PLUM, TEAL, Format, canvas, save
from .experiment_data import VERDICTS, Axis, axes_of, first_choice
from .export import plain_stem
from .plane import REGIONS

COLUMN, PAGE = 3.35, 6.9  # inches: a column of a two-column paper, and both
HUES = (BLUE, ORANGE, TEAL, PLUM, OLIVE, GREY)
DASHES = ("-", (0, (5, 3)), (0, (1, 2)), (0, (6, 2, 1, 2)))  # lines beyond the hues
LEAST_SQUARE = 0.36  # inches, of a table of two axes: three decimals
LONG = 22  # characters of a name that is drawn; the rest is left out
FACTOR = 10  # between the ends of an axis, from which values stand at the distances of their logarithms


def export_experiment(record: ExperimentRecord, folder: Path, kind: Format) -> list[Path]:
    """Writes the figures of an experiment, each as a file of its own, on white.

    `verdicts`; `heat-A-B-FIGURE` for every pair of axes and `curve-A-FIGURE` for every axis, of task accuracy
    and aligned grounding; `learning-FIGURE`; `parallel`.

    Args:
        record: What the figures are of.
        folder: Where they go; made if it is missing. Files of the same name are written over.
        kind: "svg", "pdf" or "png".

    Returns:
        The files.

    Raises:
        UnusableFileError: Where the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableFileError(f"the folder {folder} cannot be made: {error.strerror}") from error
    written: list[Path] = []
    for name, drawing in figures_of(record):
        path = folder / f"{name}.{kind}"
        save(drawing, path)
        written.append(path)
    return written


def figures_of(record: ExperimentRecord) -> Iterator[tuple[str, Drawing]]:
    """Every figure of an experiment with the stem of its file; those that have something to show."""
    results, axes = cell_results(record), axes_of(record)
    stems = _stems(axes)
    named, first = {axis.name: axis for axis in axes}, first_choice(axes)
    ranked = [f for f in figures_at(Place.RANKING) if any(result.values(f) for result in results)]
    yield "verdicts", verdict_grid(results, named[first.rows], named[first.columns])
    for rows, columns in combinations(axes, 2):
        for figure in ranked:
            stem = f"heat-{stems[rows.name]}-{stems[columns.name]}-{figure.name}"
            yield stem, heat_map(results, rows, columns, figure)
    for across in (axis for axis in axes if len(axis.values) > 1):
        lines = named[first.lines if first.lines != across.name else first.across]
        for figure in ranked:
            yield f"curve-{stems[across.name]}-{figure.name}", curves(results, across, lines, figure)
    for point in (f for f in CURVE if f.place <= Place.RANKING):
        if any(learning_curve(result, point.name) for result in results):
            yield f"learning-{point.name}", learning(results, named[first.lines], point)
    if ranked:
        yield "parallel", parallel(results, axes, ranked)


def _stems(axes: Sequence[Axis]) -> dict[str, str]:
    """Each axis in plain letters, none like another."""
    found: dict[str, str] = {}
    for number, axis in enumerate(axes, 1):
        stem = plain_stem(axis.name) or "axis"
        found[axis.name] = stem if stem not in found.values() else f"{stem}-{number}"
    return found


def _short(text: str, most: int = LONG) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _at(results: Sequence[CellResult], axis: Axis, value: object) -> list[CellResult]:
    return [result for result in results if value_on(result.cell, axis.name) == value]


Fill = Callable[[Axes, int, int, object, object, float], None]


def _table(rows: Axis, columns: Axis, fill: Fill, *, wide: float, high: float) -> Drawing:
    """A table of two axes, of squares of that size in inches, smaller only where a page has no room for them.

    `fill` draws the square at (row, column) of two values, and is told the share of the size that it has.
    """
    labels = [_short(text) for text in columns.labels]
    side = 0.35 + 0.06 * max(len(_short(text)) for text in rows.labels)
    needed = side + wide * len(labels)
    width = COLUMN if needed <= COLUMN else max(min(PAGE, needed), side + LEAST_SQUARE * len(labels))
    square = (width - side) / len(labels)
    turned = max(map(len, labels)) * 0.06 > square
    top = 0.3 + (0.06 * max(map(len, labels)) if turned else 0.12)
    size = min(1.0, square / wide)
    with canvas(width, high * len(rows.values) + top) as (figure, axes):
        for down, row in enumerate(rows.values):
            for along, column in enumerate(columns.values):
                fill(axes, down, along, row, column, size)
                axes.add_patch(Rectangle((along - 0.5, down - 0.5), 1, 1, fc="none", ec="0.6", lw=0.5))
        axes.set(xlim=(-0.5, len(labels) - 0.5), ylim=(len(rows.values) - 0.5, -0.5))
        axes.set(xticks=range(len(labels)), yticks=range(len(rows.values)))
        axes.set_xticklabels(labels, parse_math=False, fontsize=7, rotation=90 if turned else 0)
        axes.set_yticklabels([_short(t) for t in rows.labels], parse_math=False, fontsize=7)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xlabel(_short(columns.name), parse_math=False, fontsize=7.5)
        axes.set_ylabel(_short(rows.name), parse_math=False, fontsize=7.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return figure


AREAS = {name: (area, letters) for name, (_, area, letters) in REGIONS.items()}
OTHERS = {"LEAKY": ("#d55e00", MAROON), "ERROR": ("#d55e00", MAROON)}


def verdict_grid(results: Sequence[CellResult], rows: Axis, columns: Axis) -> Drawing:
    """The verdicts of every pair of two values; where several cells share a square, how many have each."""
    most = max(
        len({r.verdict for r in _at(_at(results, rows, row), columns, column)})
        for row in rows.values
        for column in columns.values
    )

    single = len(results) <= len(rows.values) * len(columns.values)

    def fill(axes: Axes, down: int, along: int, row: object, column: object, size: float) -> None:
        here = [r.verdict for r in _at(_at(results, rows, row), columns, column)]
        found = [(verdict, here.count(verdict)) for verdict in VERDICTS if verdict in here]
        for place, (verdict, count) in enumerate(found):
            area, letters = AREAS.get(verdict, OTHERS.get(verdict, ("#98a1ab", GREY)))
            low, share = down - 0.5 + place / len(found), 1 / len(found)
            axes.add_patch(Rectangle((along - 0.5, low), 1, share, color=area, alpha=0.2, lw=0))
            words = re.sub("(?i)^(not( decided)?) ", r"\1\n", verdict)
            axes.text(
                along, low + share / 2, words if len(here) == 1 else f"{words} {count}", ha="center",
                va="center", fontsize=4.8 * size, fontweight="bold", color=letters, linespacing=1.05,
            )  # fmt: skip

    return _table(rows, columns, fill, wide=0.55 if single else 0.64, high=0.1 + 0.17 * most)


def heat_map(results: Sequence[CellResult], rows: Axis, columns: Axis, figure: Figure) -> Drawing:
    """The mean of a figure at every pair of two values, darker where it is higher."""

    def fill(axes: Axes, down: int, along: int, row: object, column: object, size: float) -> None:
        found = pooled(_at(_at(results, rows, row), columns, column), figure)
        if found is not None:
            share = 0.05 + 0.5 * min(1.0, max(0.0, found.mean))
            axes.add_patch(Rectangle((along - 0.5, down - 0.5), 1, 1, color=BLUE, alpha=share, lw=0))
        axes.text(
            along, down, "–" if found is None else figure.text(found.mean), ha="center", va="center",
            fontsize=7 * size, color=INK,
        )  # fmt: skip

    drawing = _table(rows, columns, fill, wide=0.4, high=0.25)
    drawing.axes[0].set_title(figure.title, fontsize=8, loc="left")
    return drawing


def _legend(axes: Axes, lines: Axis) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    wide = max(map(len, labels))
    columns = max(1, min(4, int(56 / (wide + 6)), len(labels)))
    legend = axes.figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, frameon=False, fontsize=7,
        title=_short(lines.name), title_fontsize=7, alignment="left", handlelength=1.8, columnspacing=1,
        borderaxespad=0.1, labelspacing=0.3,
    )  # fmt: skip
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)


def _line(axes: Axes, points: Sequence[tuple[int | float, Estimate]], number: int, label: str) -> None:
    colour, dash = HUES[number % len(HUES)], DASHES[number // len(HUES) % len(DASHES)]
    place = [x for x, _ in points]
    banded = [(x, e.interval) for x, e in points if e.interval is not None]
    if len(banded) > 1:
        low, high = zip(*(interval for _, interval in banded), strict=True)
        axes.fill_between([x for x, _ in banded], low, high, color=colour, alpha=0.16, lw=0)
    elif banded:
        axes.plot([banded[0][0]] * 2, banded[0][1], color=colour, lw=0.9)
    marker = "o" if len(points) <= 12 else ""
    label = f" {label}" if label.startswith("_") else label  # which matplotlib would pass over
    axes.plot(
        place, [e.mean for _, e in points], color=colour, ls=dash, lw=1.5, marker=marker, ms=3, label=label
    )


def _height(lines: Axis) -> float:
    return 2.2 + 0.13 * ceil(len(lines.values) / 2)


def curves(results: Sequence[CellResult], across: Axis, lines: Axis, figure: Figure) -> Drawing:
    """A figure over the values of an axis: means with their seed intervals as bands, a line per value."""
    places = across.numbers or list(range(len(across.values)))
    labels = [_short(text, 18) for text in across.labels]
    turned = sum(map(len, labels)) > 44 and not across.numbers
    with canvas(COLUMN, _height(lines) + (0.05 * max(map(len, labels)) if turned else 0)) as (drawing, axes):
        for number, value in enumerate(lines.values):
            own = _at(results, lines, value)
            points = [
                (place, found)
                for place, at in sorted(zip(places, across.values, strict=True), key=lambda pair: pair[0])
                if (found := pooled(_at(own, across, at), figure)) is not None
            ]
            if points:
                _line(axes, points, number, _short(lines.labels[number]))
        if across.numbers and min(places) > 0 and max(places) / min(places) >= FACTOR:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
        kept = _apart(places, labels) if across.numbers else list(range(len(places)))
        axes.set_xticks([places[n] for n in kept])
        axes.set_xticklabels(
            [labels[n] for n in kept], parse_math=False, rotation=90 if turned else 0, fontsize=7.5
        )
        axes.set_xlabel(_short(across.name, 40), parse_math=False, fontsize=8)
        _upwards(axes, figure.title)
        _legend(axes, lines)
        return drawing


def _upwards(axes: Axes, title: str) -> None:
    axes.set(ylim=(-0.02, 1.02), yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.set_yticklabels(["0", "0.25", "0.5", "0.75", "1"], fontsize=7.5)
    axes.set_ylabel(title, fontsize=8)


def _apart(places: Sequence[int | float], labels: Sequence[str]) -> list[int]:
    """The numbers of those ticks whose words do not run into each other."""
    low, high = min(places), max(places)
    by = log if low > 0 and high / low >= FACTOR else float
    width = (by(high) - by(low)) or 1.0
    kept: list[int] = []
    end = float("-inf")
    for number in sorted(range(len(places)), key=lambda n: places[n]):
        middle, half = 44 * (by(places[number]) - by(low)) / width, len(labels[number]) / 2
        if middle - half > end:
            kept.append(number)
            end = middle + half + 1
    return kept


def learning(results: Sequence[CellResult], lines: Axis, figure: Figure) -> Drawing:
    """Learning curves on validation: of one cell with its seed interval as a band, of several their mean."""
    with canvas(COLUMN, _height(lines)) as (drawing, axes):
        for number, value in enumerate(lines.values):
            found = [c for r in _at(results, lines, value) if (c := dict(learning_curve(r, figure.name)))]
            shared = sorted(set(found[0]).intersection(*found[1:])) if found else []
            points = [(epoch, _mean([curve[epoch] for curve in found])) for epoch in shared]
            if points:
                _line(axes, points, number, _short(lines.labels[number]))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("epoch", fontsize=8)
        axes.tick_params(axis="x", labelsize=7.5)
        _upwards(axes, f"{figure.title}, validation")
        _legend(axes, lines)
        return drawing


def _mean(several: Sequence[Estimate]) -> Estimate:
    if len(several) == 1:
        return several[0]
    return Estimate(float(np.mean([e.mean for e in several])), None, several[0].seeds)


def parallel(results: Sequence[CellResult], axes: Sequence[Axis], figures: Sequence[Figure]) -> Drawing:
    """A line per cell over everything that varies and what came of it, in the colour of its verdict."""
    names = [*(axis.name for axis in axes), *(FIGURE[f.name].heading for f in figures)]
    width = COLUMN if len(names) <= 4 else min(PAGE, 0.85 * len(names))
    with canvas(width, 2.6) as (drawing, plot):
        for result in results:
            places = [
                *(_share(axis, axis.place(result.cell)) for axis in axes),
                *(found.mean if (found := result.estimate(f)) else float("nan") for f in figures),
            ]
            _, colour = AREAS.get(result.verdict, OTHERS.get(result.verdict, ("", GREY)))
            plot.plot(range(len(names)), places, color=colour, lw=0.8, alpha=0.6)
        for number, axis in enumerate(axes):
            plot.axvline(number, color=INK, lw=0.7)
            step = ceil(len(axis.values) / 14)
            for place, text in list(enumerate(axis.labels))[::step]:
                _word(plot, number, _share(axis, place), _short(text, 12))
        for number in range(len(axes), len(names)):
            plot.axvline(number, color=INK, lw=0.7)
            for share in (0, 0.5, 1):
                _word(plot, number, share, f"{share:g}")
        for verdict in (v for v in VERDICTS if any(r.verdict == v for r in results)):
            _, colour = AREAS.get(verdict, OTHERS.get(verdict, ("", GREY)))
            plot.plot([], [], color=colour, lw=1.5, label=verdict)
        drawing.legend(
            loc="outside lower center", ncols=3 if width < PAGE / 1.5 else 6, frameon=False, fontsize=6.5
        )
        plot.set(xlim=(-0.15, len(names) - 0.45), ylim=(-0.04, 1.04), yticks=[], xticks=range(len(names)))
        plot.set_xticklabels([_short(name, 13) for name in names], parse_math=False, fontsize=7)
        plot.xaxis.tick_top()
        plot.tick_params(length=0)
        plot.spines[:].set_visible(False)
        return drawing


def _share(axis: Axis, number: int) -> float:
    return 0.5 if len(axis.values) < 2 else number / (len(axis.values) - 1)


def _word(plot: Axes, x: int, y: int | float, text: str) -> None:
    plot.text(
        x + 0.04, y, told(text), fontsize=6, va="center", parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
    )  # fmt: skip
