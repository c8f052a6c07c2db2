"""`groundcheck rules`: what a solver learned, printed, written and drawn."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from groundcheck.datasets.dimacs import read_dimacs
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.cli import app
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.results.records import decode_record
from groundcheck.grounding.suite.single import report_trial
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial


def run(*words: object):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["rules", *map(str, words)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """The report of a real, short run on symbols: answers alone bring the rules."""
    images = ImageSource()
    trial = Trial(
        task=Sudoku(seen="symbols"),
        solver=SolverSpec("acquired"),
        role="reasoning",
        seed=0,
        training=Training(puzzles=300, epochs=1),
        images=images,
        validation_puzzles=10,
        test_puzzles=20,
    )
    outcome = run_trial(trial)
    path = tmp_path_factory.mktemp("run") / "report.json"
    report_trial(trial, outcome, images.load()).write(path)
    return path, outcome


def test_they_are_printed_with_their_support_and_compared(trained) -> None:
    path, outcome = trained
    assert outcome.scores.task == 1.0
    told = run(path)
    assert told.exit_code == 0, told.output
    assert "acquired on sudoku, seed 0" in told.output
    assert "all different: r1c1, r1c2, r1c3, r1c4" in told.output
    assert "56 rules (56 ≠)" in told.output
    assert "equivalent to the rules of the task" in told.output


def test_dimacs_has_the_clauses_with_names_and_support(trained, tmp_path) -> None:
    path, _ = trained
    file = tmp_path / "rules.cnf"
    assert run(path, "--dimacs", file).exit_code == 0
    variables, clauses = read_dimacs(file)
    problem = Sudoku().problem
    assert variables == problem.indicators
    known = {tuple(sorted(clause)) for clause in problem.rules.clauses}
    assert len(clauses) == 56 * 4
    assert all(tuple(sorted(clause)) in known for clause in clauses)
    text = file.read_text()
    assert "c r1c1: 1=0 2=1 3=2 4=3" in text
    assert "c r1c1 ≠ r1c2 (expected" in text


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_they_are_drawn(trained, tmp_path, suffix, start) -> None:
    path, _ = trained
    file = tmp_path / f"rules{suffix}"
    assert run(path, "--picture", file).exit_code == 0
    assert file.read_bytes().startswith(start)


def test_rules_that_rest_on_no_count_are_told_without_one(trained, tmp_path) -> None:
    path, _ = trained
    told = json.loads(path.read_text())
    (learned,) = [o["rules"] for t in told["tasks"] for o in t["outcomes"]]
    assert len(learned) == 56
    for rule in learned:
        rule["expected"], rule["broken"] = 0.0, 0
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps(told))
    printed = run(bare, "--dimacs", tmp_path / "r.cnf", "--picture", tmp_path / "r.svg")
    assert printed.exit_code == 0, printed.output
    assert "56 rules (56 ≠); the solver does not tell how often answers bear them out" in printed.output
    assert "c r1c1 ≠ r1c2\n" in (tmp_path / "r.cnf").read_text()
    assert run(path, "--picture", tmp_path / "counted.svg").exit_code == 0
    one, both = ((tmp_path / name).read_text().count('id="axes_') for name in ("r.svg", "counted.svg"))
    assert (one, both) == (1, 2)


def test_superfluous_and_missing_rules_are_told(trained, tmp_path) -> None:
    path, outcome = trained
    report = json.loads(path.read_text())
    rules = [plain(rule) for rule in outcome.rules]
    rules = [rule for rule in rules if rule["first"] != 0]
    rules.append(rules[0] | {"first": 0, "second": 15})  # r1c1 ≠ r4c4, in place of all that bind r1c1
    report["tasks"][0]["outcomes"][0]["rules"] = rules
    other = tmp_path / "other.json"
    other.write_text(json.dumps(report))
    told = run(other, "--all")
    assert "superfluous: 1 of the learned rules" in told.output
    assert "r1c1 ≠ r4c4" in told.output
    assert "missing: " in told.output
    assert "r1c1 ≠ 0 or r1c2 ≠ 0" in told.output
    drawn = tmp_path / "other.svg"
    assert run(other, "--picture", drawn).exit_code == 0
    assert "superfluous" in drawn.read_text()
    assert "missing" in drawn.read_text()


def test_no_rules_are_told_as_that(trained, tmp_path) -> None:
    path, _ = trained
    report = json.loads(path.read_text())
    report["tasks"][0]["outcomes"][0]["rules"] = []
    none = tmp_path / "none.json"
    none.write_text(json.dumps(report))
    told = run(none, "--picture", tmp_path / "none.svg")
    assert told.exit_code == 0, told.output
    assert "no rule was found" in told.output


def test_what_has_no_rules_is_refused_in_one_sentence(trained, tmp_path) -> None:
    path, _ = trained
    assert "does not exist" in run(tmp_path / "nowhere").output
    assert run(tmp_path / "nowhere").exit_code == 2
    refused = run(path, "--seed", 7)
    assert refused.exit_code == 2
    assert "no trial of seed 7" in refused.output
    assert run(path, "--picture", tmp_path / "a.gif").exit_code == 2
    assert not (tmp_path / "a.gif").exists()
    assert run(path, "--dimacs", tmp_path / "no" / "a.cnf").exit_code == 2


def test_a_record_brings_rules_back(trained) -> None:
    _, outcome = trained
    content = json.dumps(plain(outcome)).encode()
    assert decode_record(content, Outcome).rules == outcome.rules
    assert decode_record(json.dumps(plain(replace(outcome, rules=None))).encode(), Outcome).rules is None
