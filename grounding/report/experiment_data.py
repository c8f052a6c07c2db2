"""What the page of an experiment draws from: per cell, not per trial, so that it stays small."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from ..measures.figures import CURVE, Figure, Place, figures_at
from ..results.cells import NOT_DECIDED, Cell, CellResult, hashed, value_on, varying
from ..results.comparison import quantile
from ..results.experiment import ExperimentRecord
from ..results.pooling import learning_curve
from ..results.terms import told

SCALE = 10_000  # accuracies are written as whole numbers: a third of the bytes
VERDICTS = (
    "GROUNDED", "SHORTCUT", "NOT REASONING", "UNGROUNDED", "LEAKY", "ERROR", "INCONCLUSIVE", "SKIPPED",
    NOT_DECIDED,
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """Something that cells differ in.

    Attributes:
        name: Of the axis.
        values: In the order of the experiment, as JSON has them.
    """

    name: str
    values: list[Any]

    @property
    def labels(self) -> list[str]:
        """The values in words."""
        return [told(value) for value in self.values]

    @property
    def numbers(self) -> list[float] | None:
        """The values, where all are numbers and have a place on a line."""
        numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)
        return [float(v) for v in self.values] if numeric and len(self.values) > 1 else None

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        return {hashed(value): place for place, value in enumerate(self.values)}

    def place(self, cell: Cell) -> int:
        """Which of the values a cell has; looked up, so that a page of many cells stays linear in them."""
        return self._places[hashed(value_on(cell, self.name))]


def axes_of(record: ExperimentRecord) -> list[Axis]:
    """What the cells of an experiment differ in."""
    return [Axis(name, values) for name, values in varying(record).items()]


@dataclass(frozen=True)
class Choice:
    """Which axes are shown at first; each of them can be chosen on the page.

    Attributes:
        rows: Of the grid of verdicts.
        columns: Of the same.
        across: Of the curves: what runs from left to right.
        lines: Of the curves: what has a line each.
        heat: Rows and columns of the heat map.
    """

    rows: str
    columns: str
    across: str
    lines: str
    heat: tuple[str, str]


def first_choice(axes: Sequence[Axis]) -> Choice:
    """Solvers by tasks where both vary; settings, numbers before names, in heat map and curves."""
    names = [axis.name for axis in axes]
    rows = "solver" if "solver" in names else names[0]
    columns = "task" if "task" in names and rows != "task" else next(n for n in names if n != rows)
    numeric = [axis.name for axis in axes if axis.numbers]
    settings = sorted((n for n in names if n not in (rows, columns)), key=lambda n: n not in numeric)
    across = next(iter([*(n for n in numeric if n in settings), *numeric, *settings, columns]))
    lines = next(n for n in (rows, columns, *names) if n != across)
    ordered = [*settings, columns, rows]
    return Choice(rows, columns, across, lines, (ordered[0], ordered[1]))


FIGURES: tuple[Figure, ...] = figures_at(Place.MEANS)
CURVES: tuple[Figure, ...] = tuple(f for f in CURVE if f.place <= Place.RANKING)


def page_data(record: ExperimentRecord, results: Sequence[CellResult]) -> dict[str, Any]:
    """Everything that the page's script draws, in JSON's own types."""
    axes = axes_of(record)
    shown = [f for f in FIGURES if any(result.values(f) for result in results)]
    first = first_choice(axes)
    most = max((len(result.values(f)) for result in results for f in shown), default=0)
    return {
        "axes": [{"name": a.name, "values": a.labels, "numbers": a.numbers} for a in axes],
        "figures": [{"name": f.name, "title": f.title, "heading": f.heading} for f in shown],
        "curves": [{"name": f.name, "title": f.title} for f in CURVES],
        "verdicts": VERDICTS,
        "scale": SCALE,
        "quantiles": [0.0, 0.0, *(round(quantile(count), 6) for count in range(2, most + 1))],
        "first": {
            "rows": first.rows, "columns": first.columns, "across": first.across, "lines": first.lines,
            "heat": first.heat,
        },
        "cells": [_cell(result, axes, shown) for result in results],
    }  # fmt: skip


def _cell(result: CellResult, axes: Sequence[Axis], shown: Sequence[Figure]) -> dict[str, Any]:
    values = {f.name: result.values(f) for f in shown}
    seeds = sorted({seed for of in values.values() for seed in of})
    return {
        "at": [axis.place(result.cell) for axis in axes],
        "verdict": result.verdict,
        "told": result.seeds,
        "seeds": seeds,
        "values": {name: [_whole(of.get(seed)) for seed in seeds] for name, of in values.items() if of},
        "curves": {
            f.name: [
                [epoch, _whole(e.mean), *map(_whole, e.interval or ())]
                for epoch, e in learning_curve(result, f.name)
            ]
            for f in CURVES
        },
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value * SCALE)


def embedded_json(data: Any) -> str:
    """JSON that can stand in an HTML element: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def mean_seconds(result: CellResult) -> float | None:
    """What a trial of a cell took, mean over those that ran here."""
    ran = [row.outcome.seconds for row in result.trials if not row.cached]
    return fmean(ran) if ran else None
