"""`groundcheck results`, and experiments where reports are compared."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundcheck.grounding.cli import app
from groundcheck.grounding.results.experiment import ExperimentRecord
from groundcheck.grounding.results.report import Report

from ..sweeps import sweep, write_sweep


@pytest.fixture(scope="module")
def record(mlp_report: Report) -> ExperimentRecord:
    return sweep(mlp_report)


def test_everything_that_is_asked_for_is_written(tmp_path: Path, record: ExperimentRecord) -> None:
    folder = write_sweep(tmp_path / "sweep", record)
    parquet = find_spec("pyarrow") is not None  # an extra; what is said without it has a test of its own
    options = ["--csv", "--latex", "--json", "--figures", "svg", "-o", str(tmp_path / "made")]
    options += ["--parquet"] if parquet else []
    told = CliRunner().invoke(app, ["results", str(folder), *options])
    assert told.exit_code == 0, told.output
    made = {path.name for path in (tmp_path / "made").iterdir()}
    kinds = ("csv", "tex", "json", "html", *(["parquet"] if parquet else []))
    tables = {f"results.{kind}" for kind in kinds}
    assert made == tables | {"figures"}
    assert "figures: 10 in" in told.output
    assert "rival" in told.output
    untouched = {path.name for path in folder.iterdir()}
    assert untouched == {"experiment.json", "trials.jsonl", "report.json"}


def test_by_default_the_page_lies_beside_the_trials(tmp_path: Path, record: ExperimentRecord) -> None:
    folder = write_sweep(tmp_path / "sweep", replace(record, ended=""))
    told = CliRunner().invoke(app, ["results", str(folder)])
    assert told.exit_code == 0, told.output
    assert "0 of 4 cells decided" in told.output
    assert "not decided yet" in (folder / "results.html").read_text()
    assert not (folder / "results.csv").exists()


def test_bad_input_is_one_sentence(tmp_path: Path, record: ExperimentRecord) -> None:
    told = CliRunner().invoke(app, ["results", str(tmp_path)])
    assert (told.exit_code, "has no experiment.json" in told.output) == (2, True)
    folder = write_sweep(tmp_path / "sweep", record)
    (tmp_path / "file").write_text("")
    told = CliRunner().invoke(app, ["results", str(folder), "-o", str(tmp_path / "file")])
    assert (told.exit_code, "is a file: name a folder" in told.output) == (2, True)
    told = CliRunner().invoke(app, ["results", str(folder), "--figures", "gif"])
    assert told.exit_code == 2
    (folder / "trials.jsonl").write_text("{}\n")
    told = CliRunner().invoke(app, ["results", str(folder)])
    assert (told.exit_code, "delete that line" in told.output) == (2, True)


def test_compare_takes_an_experiment_and_names_what_differs(tmp_path: Path, record: ExperimentRecord) -> None:
    folder = write_sweep(tmp_path / "sweep", record)
    told = CliRunner().invoke(app, ["compare", str(folder), "--json", str(tmp_path / "c.json")])
    assert told.exit_code == 0, told.output
    names = [report["name"] for report in json.loads((tmp_path / "c.json").read_text())["reports"]]
    assert names == ["mlp, lr=0.001", "mlp, lr=0.01", "rival, lr=0.001", "rival, lr=0.01"]
    folder = write_sweep(tmp_path / "running", replace(record, ended=""))
    told = CliRunner().invoke(app, ["compare", str(folder)])
    assert (told.exit_code, "no cell of this experiment is decided yet" in told.output) == (2, True)


def test_leaderboard_takes_an_experiment(tmp_path: Path, record: ExperimentRecord) -> None:
    folder = write_sweep(tmp_path / "runs" / "sweep", record)
    CliRunner().invoke(app, ["results", str(folder)])
    output = tmp_path / "runs" / "index.html"
    told = CliRunner().invoke(app, ["leaderboard", str(tmp_path / "runs"), "-o", str(output)])
    assert told.exit_code == 0, told.output
    assert "4 reports" in told.output
    assert "passed over" not in told.output
    page = output.read_text()
    assert 'href="sweep/results.html"' in page
    assert '<td data-label="lr">0.01</td>' in page
    assert 'data-label="width"' not in page  # all have the same
    assert "width=8" in page
