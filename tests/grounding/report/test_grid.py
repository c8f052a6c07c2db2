"""The verdicts of an experiment in a terminal, from 60 columns on."""

import io
from typing import Any

import pytest
from rich.console import Console

from groundcheck.grounding.report.grid import print_grid
from groundcheck.grounding.results.experiment import Cell, ExperimentRecord, Published, TrialRow
from groundcheck.grounding.results.report import Report, TaskReport


def record(reports: list[TaskReport], axes: dict[str, list[Any]], **more: Any) -> ExperimentRecord:
    """Cells of the product of some axes, the first of which have a report."""
    places: list[dict[str, Any]] = [{}]
    for axis, values in axes.items():
        places = [{**place, axis: value} for place in places for value in values]
    cells = [
        Cell(
            number, place, str(place["solver"]), {}, str(place["task"]), str(place["task"]), 1, {}, "digits",
            "lenet", {}, 2,
        )
        for number, place in enumerate(places)
    ]  # fmt: skip
    rows = [TrialRow(f"{n}", [0], outcome) for n, outcome in enumerate(reports[0].outcomes)]
    return ExperimentRecord("sweep", axes, cells, rows, dict(enumerate(reports)), **more)


def printed(shown: ExperimentRecord, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_grid(shown, console)
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert all(len(line) <= width for line in text.splitlines()), text
    return text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_solvers_by_tasks(report: Report, width: int) -> None:
    reports = [*report.tasks, *report.tasks][:3]
    text = printed(record(reports, {"solver": ["exact", "mlp"], "task": ["mapping", "sudoku"]}), width)
    lines = [line.split() for line in text.splitlines()]
    assert ["solver", "mapping", "sudoku"] in lines
    [row] = [line for line in lines if line[:1] == ["mlp"]]
    assert row[-2:] == ["not", "decided"]
    told = reports[0].mean("grounding", "task")
    assert f"{told:.3f} / {reports[0].mean('grounding', 'aligned'):.3f}, 0 of 1" in text
    assert "3 of 4 cells decided; 4 trials ran\n" in text


def test_what_does_not_fit_has_a_line_for_each_cell(report: Report) -> None:
    axes = {"solver": ["exact"], "task": ["mapping"], "aux": [*range(8)], "rate": [0.1, 0.2, 0.3, None]}
    text = printed(record([report.tasks[0]] * 32, axes), 60)
    assert ["aux", "rate", "task", "aligned", "seeds", "verdict"] in [
        line.split() for line in text.splitlines()
    ]
    assert sum(line.split()[:2] == ["7", "–"] for line in text.splitlines()) == 1
    wide = printed(record([report.tasks[0]] * 8, {**axes, "aux": [1, 2]}), 120)
    heading = ["aux", "rate", "0.1", "rate", "0.2", "rate", "0.3", "rate", "–"]
    assert heading in [line.split() for line in wide.splitlines()]


def test_figures_of_others_stand_beside_ours(report: Report) -> None:
    published = [
        Published({"task": "mapping"}, "task", 0.721, "a paper, Table 1", "two layers"),
        Published({"task": "sudoku"}, "board", 0.0, "another paper"),
    ]
    shown = record(
        report.tasks[:1], {"solver": ["exact"], "task": ["mapping", "sudoku"]}, published=published
    )
    text = printed(shown, 60)
    lines = [line.split() for line in text.splitlines()]
    mean = report.tasks[0].mean("grounding", "task")
    assert ["mapping", "task", f"{mean:.3f}", "(n", "=", "1)", "0.721", "[1]"] in lines
    assert ["sudoku", "board", "–", "0.000", "[2]"] in lines
    assert "[1] a paper, Table 1; two layers" in text
    assert "0.721" not in text.split("Published by others")[0]


def test_a_published_figure_names_the_axis_and_how_many_cells_are_ours(report: Report) -> None:
    published = [
        Published({"solver": "exact", "aux": 64}, "task", 0.5, "a paper"),
        Published({"solver": "exact"}, "task", 0.5, "a paper"),
    ]
    axes = {"solver": ["exact"], "task": ["mapping"], "aux": [64, 128]}
    text = printed(record([report.tasks[0]] * 2, axes, published=published), 100)
    assert "exact, aux=64" in text
    assert "(mean of 2 cells)" in text


def test_a_verdict_is_not_broken(report: Report) -> None:
    axes = {"solver": ["a.file:WithALongName"], "task": ["mapping"], "puzzles": [64, 128], "batch": [16, 32]}
    text = printed(record([report.tasks[0]] * 4, axes), 60)
    assert text.count(report.tasks[0].judgement.verdict) == 4


def test_a_long_list_is_cut(report: Report) -> None:
    axes = {"solver": ["exact"], "task": ["mapping"], "aux": [*range(50)]}
    text = printed(record(report.tasks[:1], axes), 80)
    assert "50 cells in all" in text
    assert not any(line.startswith("41 ") for line in text.splitlines())
