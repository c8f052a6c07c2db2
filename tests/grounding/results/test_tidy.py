"""An experiment as a table, and its cells pooled."""

import csv
import io
import json
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest

from groundcheck.grounding.measures.figures import FIGURES
from groundcheck.grounding.results.cells import cell_results, varying
from groundcheck.grounding.results.comparison import estimate
from groundcheck.grounding.results.experiment import ExperimentRecord
from groundcheck.grounding.results.pooling import MAX_POINTS, learning_curve, pooled
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.results.terms import common_terms, differing_terms, told, told_apart
from groundcheck.grounding.results.tidy import tidy

from ..sweeps import sweep


@pytest.fixture(scope="module")
def record(mlp_report: Report) -> ExperimentRecord:
    return sweep(mlp_report)


def test_a_row_per_trial_and_cell(record: ExperimentRecord) -> None:
    rows = list(tidy(record).records())
    assert len(rows) == sum(len(row.cells) for row in record.trials) == 24
    first = rows[0]
    cell, outcome = record.cells[0], record.trials[0].outcome
    assert outcome.scores
    assert (first["experiment"], first["cell"], first["trial"]) == ("sweep", 0, record.trials[0].key)
    assert (first["varied.lr"], first["training.lr"], first["option.width"]) == (0.001, 0.001, 8)
    assert "varied.task" not in first  # every cell has the same
    for name, value in cell.settings.items():
        assert first[f"setting.{name}"] in (value, json.dumps(value))
    for figure in FIGURES:
        assert first[f"figure.{figure.name}"] == figure.value(outcome.scores)
    for name, (low, high) in outcome.scores.intervals.items():
        assert (first[f"figure.{name}.low"], first[f"figure.{name}.high"]) == (low, high)
    assert "figure.collapse.low" not in first  # nothing has this interval
    assert first["verdict"] == record.reports[0].judgement.verdict
    shared = [row for row in rows if row["trial"] == "ceiling-0"]
    assert [row["cell"] for row in shared] == [0, 1, 2, 3]
    assert {row["cached"] for row in shared} == {True}


def test_columns_stand_in_the_order_that_is_told(record: ExperimentRecord) -> None:
    columns = tidy(record).columns
    marks = ["experiment", "cell", "trial", "varied.solver", "varied.lr", "solver", "option.width", "task"]
    marks += ["task_version", "images", "perception", "training.puzzles", "role", "seed", "counted"]
    marks += ["figure.task", "figure.task.low", "figure.task.high", "figure.aligned", "seconds", "verdict"]
    places = [columns.index(name) for name in marks]
    assert places == sorted(places)
    assert columns[-1] == "seeds_judged"


def test_what_broke_and_what_is_undecided_are_told(record: ExperimentRecord) -> None:
    broken = replace(
        record.trials[0].outcome, scores=None, error="Traceback\n  File x\nValueError: no, never\n"
    )
    rows = [replace(record.trials[0], outcome=broken), *record.trials[1:]]
    first = next(tidy(replace(record, trials=rows, reports={})).records())
    assert first["error"] == "ValueError: no, never"
    assert (first["figure.task"], first["verdict"], first["seeds_judged"]) == (None, "not decided yet", None)


def test_csv_holds_lists_and_commas_and_is_read_back(record: ExperimentRecord) -> None:
    cells = [replace(cell, options={"shape": (1, 2), "words": 'a,"b"\nc'}) for cell in record.cells]
    rows = list(csv.DictReader(io.StringIO(tidy(replace(record, cells=cells)).as_csv())))
    assert len(rows) == 24
    assert json.loads(rows[0]["option.shape"]) == [1, 2]
    assert rows[0]["option.words"] == 'a,"b"\nc'
    assert (rows[0]["cached"], rows[0]["error"]) == ("false", "")
    scores = record.trials[0].outcome.scores
    assert scores
    assert float(rows[0]["figure.task"]) == scores.task


def test_an_experiment_without_trials_has_a_heading(record: ExperimentRecord) -> None:
    empty = tidy(replace(record, trials=[]))
    assert empty.rows == []
    assert empty.columns[:3] == ["experiment", "cell", "trial"]


def test_what_varies(record: ExperimentRecord) -> None:
    assert varying(record) == {"solver": ["mlp", "rival"], "lr": [0.001, 0.01]}
    [first, *_] = record.cells
    alone = replace(record, cells=[first], reports={}, trials=[])
    assert varying(alone) == {"solver": ["mlp"], "task": [first.task]}
    without = replace(first, number=1, varied={"solver": "mlp"})  # a cell that does not know the setting
    both = replace(record, cells=[first, without], reports={}, trials=[])
    assert varying(both)["lr"] == [0.001, None]


def test_values_that_no_set_can_hold_vary(record: ExperimentRecord) -> None:
    [first, *_] = record.cells
    asked: list[Any] = [(1, (2,)), {"low": 1, "high": (2,)}, 1, "1"]
    met: list[Any] = [{"high": (2.0,), "low": 1}, (1, (2,)), "1", 1.0, (1, (2,))]
    cells = [replace(first, number=number, varied={"lr": value}) for number, value in enumerate(met)]
    found = varying(replace(record, axes={"lr": asked}, cells=cells, reports={}, trials=[]))
    assert found["lr"] == [[1, [2]], {"low": 1, "high": [2]}, 1, "1"]


def test_cells_are_pooled_over_the_seeds_that_they_share(record: ExperimentRecord) -> None:
    one, other, *_ = cell_results(record)
    assert pooled([one], "task") == one.estimate("task")
    both = pooled([one, other], "task")
    seeds = [fmean((one.values("task")[seed], other.values("task")[seed])) for seed in (0, 1)]
    assert both == estimate(seeds)
    apart = [
        replace(r, task=replace(r.task, outcomes=[o for o in r.outcomes if o.seed == n]))
        for n, r in enumerate((one, other))
    ]
    found = pooled(apart, "task")
    assert found
    assert (found.mean, found.interval, found.seeds) == (
        fmean((one.values("task")[0], other.values("task")[1])), None, 0,
    )  # fmt: skip
    assert pooled([], "task") is None


def test_learning_curves_are_means_and_are_thinned_from_their_end(record: ExperimentRecord) -> None:
    [result, *_] = cell_results(record)
    curve = learning_curve(result, "task")
    own = [o for o in result.outcomes if o.role == "grounding"]
    assert [epoch for epoch, _ in curve] == [0, 1, 2]
    assert curve[-1][1] == estimate([o.curve[-1].task for o in own])
    long = replace(own[0], curve=[replace(own[0].curve[1], epoch=epoch) for epoch in range(101)])
    thin = learning_curve(replace(result, task=replace(result.task, outcomes=[long])), "task")
    assert len(thin) <= MAX_POINTS
    assert thin[-1][0] == 100


def test_terms() -> None:
    one, other = {"lr": 1, "width": (1, 2), "a": None}, {"lr": 2, "width": [1, 2]}
    assert common_terms([one, other]) == {"width": (1, 2)}
    assert differing_terms([one, other]) == ["lr", "a"]
    assert told_apart([one, other]) == ["lr=1", "lr=2"]
    assert told({"a": [1, None], "b": True}) == "a=(1, –), b=True"
