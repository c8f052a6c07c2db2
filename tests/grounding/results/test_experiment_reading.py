"""Reading the folder of an experiment: whole, still running, killed, damaged, or something else."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from groundcheck.datasets.errors import UsageError
from groundcheck.grounding.results.cells import NOT_DECIDED, cell_results
from groundcheck.grounding.results.experiment import ExperimentRecord
from groundcheck.grounding.results.experiment_reading import holds_experiment, read_experiment
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.results.report import Report

from ..sweeps import sweep, write_sweep


@pytest.fixture(scope="module")
def record(mlp_report: Report) -> ExperimentRecord:
    return sweep(mlp_report)


def test_what_was_written_is_read(tmp_path: Path, record: ExperimentRecord) -> None:
    folder = write_sweep(tmp_path / "sweep", record)
    assert plain(read_experiment(folder)) == plain(record)
    assert holds_experiment(folder)
    assert not holds_experiment(tmp_path)


def test_an_experiment_that_has_not_ended_has_no_verdict_yet(
    tmp_path: Path, record: ExperimentRecord
) -> None:
    folder = write_sweep(tmp_path / "sweep", replace(record, ended=""))
    with (folder / "trials.jsonl").open("a") as file:
        file.write('{"key": "half a li')  # a kill cut it short, or it is being written
    before = (folder / "trials.jsonl").read_bytes()
    found = read_experiment(folder)
    assert (folder / "trials.jsonl").read_bytes() == before
    assert (found.ended, found.reports, len(found.trials)) == ("", {}, len(record.trials))
    results = cell_results(found)
    assert {result.verdict for result in results} == {NOT_DECIDED}
    assert [result.seeds for result in results] == ["2 ran"] * 4
    assert results[0].estimate("task") == cell_results(record)[0].estimate("task")


def test_garbage_is_collected_again_after_damage(tmp_path: Path, record: ExperimentRecord) -> None:
    (write_sweep(tmp_path / "s", record) / "trials.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="line 1"):
        read_experiment(tmp_path / "s")
    assert gc.isenabled()


def test_an_experiment_that_has_just_begun_has_cells(tmp_path: Path, record: ExperimentRecord) -> None:
    folder = write_sweep(tmp_path / "sweep", replace(record, ended="", trials=[]))
    (folder / "trials.jsonl").unlink()
    assert [result.seeds for result in cell_results(read_experiment(folder))] == ["0 ran"] * 4


def test_a_trial_that_was_retried_counts_once(tmp_path: Path, record: ExperimentRecord) -> None:
    first = record.trials[0]
    again = replace(first, cells=[1])
    folder = write_sweep(tmp_path / "sweep", replace(record, trials=[*record.trials, first, again]))
    found = read_experiment(folder)
    assert len(found.trials) == len(record.trials)
    assert found.trials[0].cells == [0, 1]


def test_trials_that_a_verdict_did_not_need_are_left_out_of_its_figures(record: ExperimentRecord) -> None:
    report = record.reports[0]
    counted = [row.outcome for row in record.trials if 0 in row.cells and row.outcome.seed == 0]
    early = replace(record, reports={**record.reports, 0: replace(report, outcomes=counted)})
    result = cell_results(early)[0]
    assert len(result.trials) == 6
    assert list(result.values("task")) == [0]


def damage(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


DAMAGE = [
    ("trials.jsonl", '"seed": 0', '"seed": "no"', r"trials\.jsonl is damaged \(line 1, outcome\.seed"),
    ("trials.jsonl", '"cells": [0]', '"cells": [9]', r"line 1 names cell 9 of 4\): delete that line"),
    ("trials.jsonl", '{"key"', "no JSON", r"trials\.jsonl is damaged \(line 1, column"),
    ("experiment.json", '"schema": 1', '"schema": 9', r"has schema 9.*update groundcheck"),
    ("experiment.json", '"number": 1', '"number": 7', r"not numbered 0, 1, 2 … but 0, 7, 2, 3"),
    ("experiment.json", '"axes"', '"other"', r"experiment\.json is damaged .*`axes`"),
    ("report.json", '"3": {', '"8": {', r"is damaged \(it reports on cell 8 of 4\): delete it"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), DAMAGE)
def test_damage_is_told_with_its_place(
    tmp_path: Path, record: ExperimentRecord, name: str, old: str, new: str, message: str
) -> None:
    folder = write_sweep(tmp_path / "sweep", record)
    damage(folder, name, old, new)
    with pytest.raises(UsageError, match=message):
        read_experiment(folder)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_experiment(tmp_path / "missing")
    with pytest.raises(UsageError, match=r"is no experiment: it has no experiment\.json"):
        read_experiment(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UsageError, match="holds a single run"):
        read_experiment(tmp_path)
