"""--puzzles on the command line: read, proved, trained on, and known by their content."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from groundcheck.datasets import Sudoku
from groundcheck.grounding.cli import app
from groundcheck.grounding.suite.report_io import read_report

TINY = ["--epochs", "1", "--set", "training.puzzles=16"]


@pytest.fixture(autouse=True)
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CSV of 4×4 boards with the columns that Kaggle's have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    puzzles = Sudoku().generate("train", 700, 0)
    rows = [
        "".join(map(str, np.where(given, solution + 1, 0))) + "," + "".join(map(str, solution + 1))
        for solution, given in zip(puzzles.solution, puzzles.given, strict=True)
    ]
    path = tmp_path / "boards.csv"
    path.write_text("\n".join(["quizzes,solutions", *rows]) + "\n")
    return path


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_run_trains_on_them() -> None:
    code, out = said("run", "mlp", "--puzzles", "boards.csv", *TINY, "--json", "r.json")
    assert code == 0, out
    assert "boards.csv: 700 boards of sudoku with 5 to 9 givens, each with exactly one solution" in out
    assert re.search(r"about \d+:\d\d for 1 epoch of 16 puzzles", out)
    [task] = read_report(Path("r.json")).tasks
    assert (task.task, task.settings["file"]) == ("puzzles", "boards.csv")
    assert task.reference == "groundcheck.datasets.boards.task:FileBoards"
    assert len(task.files["file"]) == 64
    assert said("report", "r.json")[0] == 0
    assert "puzzles of boards.csv" in Path("r.html").read_text()


def test_check_takes_them_and_does_not_go_on_with_others(
    boards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundcheck.grounding.suite.suite.Suite.inspection", lambda *_: None)
    words = ["check", "mlp", "--puzzles", "boards.csv", *TINY, "--seeds", "1", "--workers", "0", "--run", "r"]
    code, out = said(*words)
    assert code == 3, out
    assert "puzzles of boards.csv" in out
    assert [o.error for o in read_report(Path("r")).tasks[0].outcomes] == [None] * 3
    boards.write_text(boards.read_text().rpartition("\n")[0].rpartition("\n")[0])
    code, out = said(*words, "--resume")
    assert (code, "r cannot be continued: puzzles: the content of boards.csv was changed" in out) == (2, True)
    Path("r/report.json").unlink()
    assert "boards.csv has changed since this run was begun" in said("report", "r")[1]


def test_show_draws_them_and_certify_proves_them() -> None:
    code, out = said("show", "--puzzles", "boards.csv", "--count", "1")
    assert code == 0, out
    with Image.open("boards.png") as picture:
        assert min(picture.size) > 200
    code, out = said("certify", "boards.csv")
    assert (code, out) == (0, "boards.csv: all 700 boards of sudoku have exactly one solution\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["run", "sudoku", "mlp", "--puzzles", "boards.csv"],
            "the boards are the task, name the solver alone",
        ),
        (["run", "sudoku"], "name a task and a solver"),
        (["show", "sudoku", "--puzzles", "boards.csv"], "name one of the two"),
        (["show"], "name one of the two"),
        (["run", "mlp", "--puzzles", "gone.csv"], "there is no file gone.csv: name one with boards"),
        (
            ["check", "mlp", "--puzzles", "two.csv"],
            "two.csv, line 1: it has two solutions or more: r1c2 may be 2 or",
        ),
        (["certify", "two.csv"], "two.csv, line 1: it has two solutions or more"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_trains(words: list[str], told: str) -> None:
    Path("two.csv").write_text("1...............\n")
    code, out = said(*words)
    assert (code, told in " ".join(out.split())) == (2, True), out


def test_a_profile_of_groundcheck_toml_may_name_them(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("groundcheck.toml").write_text(
        '[gate]\nprofile = "mine"\n[profiles.mine]\npuzzles = "boards.csv"\nseeds = 1\nepochs = 1\n'
        'settings = { "training.puzzles" = 16 }\n'
    )
    monkeypatch.setattr("groundcheck.grounding.suite.suite.Suite.inspection", lambda *_: None)
    code, out = said("gate", "mlp", "--workers", "0", "--require", "UNGROUNDED")
    assert code == 3, out
    assert "puzzles of boards.csv INCONCLUSIVE" in out


def test_a_formula_without_a_header_is_read_where_that_is_asked_for() -> None:
    Path("f.cnf").write_text("1 2 3 0\n-1 4 0\n")
    words = ["show", "logic", "--set", "file=f.cnf", "--count", "1"]
    code, out = said(*words)
    assert code == 2
    assert "f.cnf, line 1: a clause before the header" in out
    assert "--lenient" in out
    assert said(*words, "--lenient")[0] == 0
    rest = ("--set", "file=f.cnf", "--lenient", "--set", "training.puzzles=8")  # in whatever order they stand
    code, out = said("check", "exact", "--task", "logic", "--contract", "-q", "--workers", "0", *rest)
    assert (code, "contract kept" in out) == (0, True), out
    assert said("run", "logic", "exact", "--epochs", "1", *rest)[0] == 0
    code, out = said("show", "sudoku", "--lenient")
    assert (code, "sudoku has no setting 'lenient'" in out) == (2, True)
