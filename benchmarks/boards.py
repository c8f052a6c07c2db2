"""A CSV of a million boards, read, proved, compared and split: python -P benchmarks/boards.py [BOARDS].

It is written to a temporary folder first, 20,000 puzzles under renamings of their symbols, so that every grid
is another; two processes of their own then read it, the first without and the second with what is kept.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from groundcheck.datasets import Sudoku

DRAWN = 20_000
READ = """
import resource, sys, time
from groundcheck.datasets import FileBoards
from groundcheck.datasets.search.grids import solve_grids

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before, wall, busy = peak(), time.perf_counter(), time.process_time()
task = FileBoards(file=sys.argv[1])
wall, busy = time.perf_counter() - wall, time.process_time() - busy
print(task.summary)
task.generate("train", 600, 0)
print(f"read in {wall:.1f} s, {busy:.1f} s of processor time; peak {peak():.0f} MB, {before:.0f} MB before")
"""


def write_boards(path: Path, boards: int) -> None:
    """A CSV with the columns of Kaggle's."""
    rng = np.random.default_rng(0)
    puzzles = Sudoku(size=9, givens="24:36").generate("train", min(boards, DRAWN), 1)
    with path.open("wb") as file:
        file.write(b"quizzes,solutions\n")
        for first in range(0, boards, DRAWN):
            rows = slice(0, min(DRAWN, boards - first))
            solution = (rng.permutation(9)[puzzles.solution[rows]] + ord("1")).astype(np.uint8)
            quiz = np.where(puzzles.given[rows], solution, ord("0")).astype(np.uint8)
            comma, end = (np.full((len(quiz), 1), ord(sign), np.uint8) for sign in ",\n")
            file.write(np.concatenate([quiz, comma, solution, end], axis=1).tobytes())


def main() -> None:
    """Writes, and reads twice."""
    boards = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "boards.csv"
        write_boards(path, boards)
        print(f"{path.stat().st_size / 1e6:.0f} MB")
        for _ in range(2):
            around = {**os.environ, "XDG_CACHE_HOME": folder}
            subprocess.run([sys.executable, "-c", READ, str(path)], env=around, check=True)


if __name__ == "__main__":
    main()
