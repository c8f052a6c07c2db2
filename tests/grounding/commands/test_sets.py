"""Sets of puzzles from the command line: made, proved, and refused."""

import numpy as np
from typer.testing import CliRunner

from groundcheck.datasets.storage import load_set
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.cli import app


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_set_is_made_and_certified(tmp_path) -> None:
    folder = tmp_path / "set"
    made = run("generate", "sudoku", "--set", "givens=6:7", "--split", "ood", "--puzzles", 40, "-o", folder)
    assert made.exit_code == 0, made.output
    loaded = load_set(folder)
    assert loaded.task == Sudoku(givens=(6, 7))
    assert len(loaded.puzzles) == 40
    proved = run("certify", folder)
    assert proved.exit_code == 0
    assert "all 40 puzzles have exactly one completion" in proved.output


def test_a_set_with_an_ambiguous_puzzle_is_not_certified(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "set"
    block = Sudoku.block

    def careless(*arguments):
        puzzles = block(*arguments)
        puzzles.given[3] = np.arange(16) == 0
        return puzzles

    monkeypatch.setattr(Sudoku, "block", careless)
    assert run("generate", "sudoku", "--puzzles", 10, "-o", folder).exit_code == 0
    proved = run("certify", folder)
    assert proved.exit_code == 1
    assert "of 10 puzzles 1 have another completion (first: 3)" in proved.output


def test_bad_input_is_told_in_one_sentence(tmp_path) -> None:
    assert run("certify", tmp_path).exit_code == 4
    assert run("generate", "sudoku", "--split", "exam", "-o", tmp_path / "a").exit_code == 2
    assert run("generate", "soduku", "-o", tmp_path / "a").exit_code == 2
    assert run("generate", "sudoku", "--set", "size=5", "-o", tmp_path / "a").exit_code == 2
    (tmp_path / "notes").write_text("mine")
    assert run("generate", "sudoku", "-o", tmp_path).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
