"""Boards as people have them, and a cache of their own for every test."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Puzzles

SIGNS = {4: "1234", 6: "123456", 9: "123456789", 16: "123456789ABCDEFG"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@cache
def make_puzzles(size: int = 9, count: int = 400, seed: int = 0) -> Puzzles:
    return Sudoku(size=size).generate("train", count, seed)


def written(symbols: np.ndarray, signs: str, blank: str = "0") -> str:
    """A board as text; −1 is an open cell."""
    return "".join(blank if symbol < 0 else signs[symbol] for symbol in symbols)


def lines_of_boards(puzzles: Puzzles, signs: str, blank: str = "0") -> list[tuple[str, str]]:
    """Each board and its solution as text."""
    return [
        (written(np.where(given, solution, -1), signs, blank), written(solution, signs))
        for solution, given in zip(puzzles.solution, puzzles.given, strict=True)
    ]


@pytest.fixture(scope="session")
def nine() -> Puzzles:
    return make_puzzles()


@pytest.fixture
def kaggle(nine: Puzzles, tmp_path: Path) -> Path:
    """`quizzes,solutions`, as in the million boards on Kaggle."""
    path = tmp_path / "sudoku.csv"
    rows = [f"{quiz},{solution}" for quiz, solution in lines_of_boards(nine, SIGNS[9])]
    path.write_text("\n".join(["quizzes,solutions", *rows]) + "\n")
    return path
