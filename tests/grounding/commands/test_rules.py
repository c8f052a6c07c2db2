"""`groundcheck rules`: what a solver learned, printed, written and drawn."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

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
    assert "acquired on sudoku, reasoning, seed 0" in told.output
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


def tried(role: str, seed: int, **found: object) -> dict[str, object]:
    """A trial as a report has it."""
    return {"role": role, "task": "t", "solver": "acquired", "seed": seed, **found}


APART = [{"first": 0, "second": 1, "kind": "equal"}]
BROKE = "Traceback (most recent call last):\n  …\nValueError: no such shape\n"


@pytest.fixture
def several(trained, tmp_path):
    """Writes the report of a run with several tasks, and the trials of each."""

    def write(**trials: list[dict[str, object]]) -> Path:
        report = json.loads(trained[0].read_text())
        (one,) = report["tasks"]
        settings = {"sudoku": one["settings"]}
        report["tasks"] = [
            one
            | {"task": name, "label": name, "reference": name, "outcomes": outcomes}
            | {"settings": settings.get(name, {})}
            for name, outcomes in trials.items()
        ]
        path = tmp_path / "several.json"
        path.write_text(json.dumps(report))
        return path

    return write


@pytest.fixture
def two(several):
    return several(
        mapping=[
            tried("ceiling", 0),
            tried("reasoning", 0, rules=[]),
            tried("grounding", 1, rules=[]),
            tried("grounding", 0, rules=[]),
            tried("baseline", 0),
        ],
        sudoku=[tried("reasoning", 0, rules=APART), tried("reasoning", 2, rules=[])],
    )


def headings(told) -> list[str]:
    assert told.exit_code == 0, told.output
    return [line.removeprefix("acquired on ") for line in told.output.splitlines() if " on " in line[:13]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["mapping, grounding, seed 0", "sudoku, reasoning, seed 0"]),
        (("--task", "sudoku"), ["sudoku, reasoning, seed 0"]),
        (("--task", "mapping", "--role", "reasoning"), ["mapping, reasoning, seed 0"]),
        (("--role", "reasoning"), ["mapping, reasoning, seed 0", "sudoku, reasoning, seed 0"]),
        (("--seed", 0), ["mapping, grounding, seed 0", "sudoku, reasoning, seed 0"]),
        (("--task", "sudoku", "--seed", 2), ["sudoku, reasoning, seed 2"]),
    ],
)
def test_every_task_is_told_unless_one_is_chosen(two, words, expected) -> None:
    told = run(two, *words)
    assert headings(told) == expected
    assert "not told" not in told.output
    assert ("r1c1 ≠ r1c2" in told.output) is any("sudoku" in one and "seed 0" in one for one in expected)


def test_a_task_that_tells_nothing_is_named_beside_the_others(two) -> None:
    told = run(two, "--seed", 1)
    assert headings(told) == ["mapping, grounding, seed 1"]
    assert "not told: sudoku has no trial of seed 1, only of 0, 2" in told.output
    assert headings(run(two, "--role", "grounding")) == ["mapping, grounding, seed 0"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--task", "sudok"), "unknown task 'sudok': there are mapping, sudoku"),
        (("--seed", 9),
         "mapping has no trial of seed 9, only of 0, 1; sudoku has no trial of seed 9, only of 0, 2"),
        (("--task", "mapping", "--role", "reasoning", "--seed", 1),
         "mapping has no reasoning trial of seed 1, only of 0"),
        (("--task", "sudoku", "--role", "grounding"),
         "sudoku has no grounding trial that learned rules, only reasoning"),
        (("--task", "mapping", "--role", "baseline"),
         "mapping has no baseline trial that learned rules, only reasoning, grounding"),
    ],
)  # fmt: skip
def test_a_choice_that_there_is_not_is_refused_with_what_there_is(two, words, reason) -> None:
    refused = run(two, *words)
    assert refused.exit_code == 2
    assert reason in refused.output


@pytest.mark.parametrize(("option", "name"), [("--dimacs", "rules.cnf"), ("--picture", "rules.svg")])
def test_one_file_is_of_one_task(two, tmp_path, option, name) -> None:
    file = tmp_path / name
    refused = run(two, option, file)
    assert refused.exit_code == 2
    assert "has rules of mapping, sudoku" in refused.output
    assert "choose it with --task NAME" in refused.output
    assert not file.exists()
    assert headings(run(two, "--task", "sudoku", option, file)) == ["sudoku, reasoning, seed 0"]
    assert file.stat().st_size


def test_a_trial_that_broke_is_told_as_that(several) -> None:
    broken = tried("grounding", 0, error=BROKE)
    refused = run(several(sudoku=[broken]))
    assert refused.exit_code == 2
    assert "sudoku, grounding, seed 0: this trial broke: ValueError: no such shape" in refused.output
    assert "learned_rules" not in refused.output
    other = several(sudoku=[broken, tried("grounding", 1, rules=APART)], mapping=[broken])
    told = run(other)
    assert headings(told) == ["sudoku, grounding, seed 1"]
    assert "not told: mapping, grounding, seed 0: this trial broke: ValueError" in told.output
    assert "seed 0: this trial broke" in run(other, "--task", "sudoku", "--seed", 0).output


def test_a_solver_that_tells_no_rules_is_told_what_it_needs(several) -> None:
    silent = [tried("grounding", 0, error=BROKE), tried("grounding", 1)]
    refused = run(several(sudoku=silent))
    assert refused.exit_code == 2
    assert "sudoku, grounding, seed 1 tells no rules: acquired would need an attribute" in refused.output
    assert "sudoku has no trial of a solver" in run(several(sudoku=[tried("ceiling", 0)])).output
    assert "this report has no task" in run(several()).output
    assert "unknown task 'sudoku': there are none" in run(several(), "--task", "sudoku").output


@pytest.mark.parametrize("linked", [False, True])
def test_the_report_is_never_written_over(trained, tmp_path, linked) -> None:
    own = tmp_path / "run.svg"
    own.write_bytes(trained[0].read_bytes())
    onto = tmp_path / "linked.svg" if linked else own
    if linked:
        onto.symlink_to(own)
    for option in ("--dimacs", "--picture"):
        refused = run(own, option, onto)
        assert refused.exit_code == 2
        assert "is a file of the run itself" in refused.output
    assert own.read_bytes() == trained[0].read_bytes()


def test_files_that_a_run_rests_on_are_kept_and_others_go_beside_them(trained, tmp_path) -> None:
    report, traces, beside = tmp_path / "report.json", tmp_path / "traces" / "a.jsonl", tmp_path / "rules.cnf"
    traces.parent.mkdir()
    traces.write_text("{}")
    report.write_bytes(trained[0].read_bytes())
    trials = tmp_path / "trials.jsonl"
    trials.write_text("{}")
    (tmp_path / "b.json").symlink_to(tmp_path / "gone.json")
    for named, own in itertools.product((tmp_path, report), (report, traces, trials)):
        told = run(named, "--dimacs", own)
        assert (told.exit_code, trials.read_text()) == (2, "{}")
        assert "is a file of the run itself" in told.output.replace("\n", " ")
    told = run(tmp_path, "--dimacs", tmp_path / "x.svg", "--picture", tmp_path / "x.svg")
    assert told.exit_code == 2
    assert not (tmp_path / "x.svg").exists()
    assert (report.read_bytes(), traces.read_text()) == (trained[0].read_bytes(), "{}")
    for _ in range(2):  # what it wrote itself is written again
        assert run(tmp_path, "--dimacs", beside).exit_code == 0
    assert "r1c1 ≠ r1c2" in beside.read_text()


def test_rules_weaker_than_a_task_with_auxiliaries_are_told_with_an_example(several) -> None:
    told = run(several(parity=[tried("grounding", 0, rules=[])]))
    assert told.exit_code == 0, told.output
    assert "weaker than the task: what was learned allows bit" in told.output
    assert "which the task forbids" in told.output
    assert "not decided" not in told.output


def test_a_record_brings_rules_back(trained) -> None:
    _, outcome = trained
    content = json.dumps(plain(outcome)).encode()
    assert decode_record(content, Outcome).rules == outcome.rules
    assert decode_record(json.dumps(plain(replace(outcome, rules=None))).encode(), Outcome).rules is None
