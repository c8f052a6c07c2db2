"""Boards of a file as a task: split by grid, the same for every seed, known by their content."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groundcheck.datasets import FileBoards
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.own_task import rebuild_task, reference_of
from groundcheck.datasets.storage import generate_set, load_set
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import BLOCK, Puzzles

from .conftest import SIGNS, lines_of_boards, make_puzzles


@pytest.fixture
def task(kaggle: Path) -> FileBoards:
    return FileBoards(file=str(kaggle))


def grids(puzzles: Puzzles) -> set[bytes]:
    return {row.tobytes() for row in puzzles.solution}


def test_splits_share_no_grid_and_hold_every_board(task: FileBoards, nine: Puzzles) -> None:
    found = {split: grids(task.generate(split, 1000, 0)) for split in ("train", "validation", "test", "ood")}
    assert not found["train"] & found["validation"]
    assert not found["train"] & found["test"]
    assert not found["validation"] & found["test"]
    assert found["ood"] == found["test"]
    assert task.shift == "images"
    assert set().union(*found.values()) == grids(nine)
    assert 0.7 < len(found["train"]) / len(nine) < 0.9


def test_a_grid_stands_in_one_split_whatever_its_lines(kaggle: Path, task: FileBoards, nine: Puzzles) -> None:
    """Each board twice, once with one given more: both lines have one solution, and go together."""
    fuller = nine.given.copy()
    fuller[np.arange(len(nine)), (~nine.given).argmax(axis=1)] = True
    more = Puzzles(nine.solution, fuller, nine.picture)
    rows = [*lines_of_boards(nine, SIGNS[9]), *lines_of_boards(more, SIGNS[9])]
    other = kaggle.with_name("twice.csv")
    other.write_text("\n".join(["puzzle,solution", *(",".join(row) for row in rows[::-1])]))
    twice = FileBoards(file=str(other))
    assert (len(twice.boards), twice.boards.grids) == (2 * len(nine), len(nine))
    for split in ("train", "validation", "test"):
        assert grids(twice.generate(split, 2000, 0)) == grids(task.generate(split, 1000, 0))


def test_every_puzzle_is_one_of_the_file(task: FileBoards, nine: Puzzles) -> None:
    known = {s.tobytes(): g.tobytes() for s, g in zip(nine.solution, nine.given, strict=True)}
    drawn = task.generate("train", 600, 5)
    assert all(known[s.tobytes()] == g.tobytes() for s, g in zip(drawn.solution, drawn.given, strict=True))
    assert task.verify(drawn.solution).all()
    assert ((drawn.picture >= 0) == drawn.given).all()


def test_boards_come_again_only_after_all_have_come(task: FileBoards) -> None:
    held = len(grids(task.generate("test", 5000, 0)))
    first = task.generate("test", held, 3)
    assert len(grids(first)) == held
    again = task.generate("test", 2 * held, 3)
    assert [len(grids(again[:held])), len(grids(again[held:]))] == [held, held]
    assert not np.array_equal(again.picture[:held], again.picture[held:])
    assert len(grids(task.draw("test", held, np.random.default_rng(0)))) == held


def test_blocks_are_parts_of_one_set(task: FileBoards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundcheck.datasets.task.BLOCK", 50)
    monkeypatch.setattr("groundcheck.datasets.boards.task.BLOCK", 50)
    assert len(grids(task.generate("train", 300, 1))) == 300
    assert BLOCK > 50


def test_the_same_seed_gives_the_same_puzzles_and_another_others(task: FileBoards) -> None:
    one, same, other = (task.generate("train", 100, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.solution, same.solution)
    assert np.array_equal(one.picture, same.picture)
    assert not np.array_equal(one.solution, other.solution)
    assert len(task.generate("test", 0, 0)) == 0


def test_it_is_known_by_its_content_and_found_again(task: FileBoards, kaggle: Path) -> None:
    assert task.files == {"file": task.boards.digest}
    assert reference_of(task) == "groundcheck.datasets.boards.task:FileBoards"
    assert rebuild_task(reference_of(task), json.loads(json.dumps(task.settings))) == task
    copy = pickle.loads(pickle.dumps(task))
    assert copy == task
    assert np.array_equal(copy.generate("test", 9, 0).solution, task.generate("test", 9, 0).solution)
    assert len(pickle.dumps(task)) < 900  # and no boards
    before = dict(task.files)
    kaggle.write_text(kaggle.read_text().rstrip("\n"))
    assert FileBoards(file=str(kaggle)).files != before


def test_a_process_that_stands_elsewhere_finds_the_file(
    kaggle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(kaggle.parent)
    sent = pickle.dumps(FileBoards(file=kaggle.name))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = pickle.loads(sent)
    assert len(found.generate("test", 5, 0)) == 5
    assert len(replace(found, seen="symbols").generate("test", 5, 0)) == 5
    assert found.settings == {"seen": "images", "supervision": "masked", "file": kaggle.name}


def test_what_was_read_is_told(task: FileBoards) -> None:
    assert task.summary.startswith(f"{task.file}: 400 boards of sudoku with ")
    assert "each with exactly one solution, 400 different ones; split by solution: train 3" in task.summary


def test_too_few_boards_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("\n".join(row for row, _ in lines_of_boards(make_puzzles(9, 30), SIGNS[9])))
    with pytest.raises(
        UsageError, match=r"few.txt: 30 boards with 30 different solutions leave the splits too few"
    ):
        FileBoards(file=str(path))


@pytest.mark.parametrize("size", [4, 9])
def test_a_set_of_ours_is_split_by_grid_too(size: int, tmp_path: Path) -> None:
    folder = generate_set(Sudoku(size=size), "train", 600, 0, tmp_path / "set")
    task = FileBoards(file=str(folder))
    assert task.base == Sudoku(size=size)
    assert (task.problem.variables, task.layout, task.classes) == (
        task.base.problem.variables, task.base.layout, task.base.classes,
    )  # fmt: skip
    assert not grids(task.generate("train", 600, 0)) & grids(task.generate("test", 600, 0))
    kept = generate_set(task, "test", 20, 0, tmp_path / "of the file")
    assert load_set(kept).task == task


def test_a_set_of_another_task_is_proved_by_sat(tmp_path: Path) -> None:
    from groundcheck.datasets.futoshiki import Futoshiki  # noqa: PLC0415

    folder = generate_set(Futoshiki(size=4), "train", 150, 0, tmp_path / "set")
    task = FileBoards(file=str(folder))
    drawn = task.generate("train", 100, 0)
    signs = list(task.layout.frameless)
    assert drawn.given[:, signs].all()
    assert (drawn.picture[:, signs] == -1).all()
    assert task.verify(drawn.solution).all()
    assert task.written(signs[0], 1) in ("<", "∧")
