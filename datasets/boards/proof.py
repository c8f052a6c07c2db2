"""Proof that every board has one solution, and no other: compiled search for grids, SAT for the rest."""

from typing import Literal

import numpy as np
from jaxtyping import Int

from ..certify import certify
from ..errors import UsageError
from ..grids import GridTask, lines_of
from ..search.grids import solve_grids
from ..task import Puzzles, Task
from .chunk import BoardFile, Chunk

PATIENCE = 2_000_000  # branchings of the search for one board; 9×9 is searched to its end


def prove(file: BoardFile, task: Task, chunk: Chunk) -> Int[np.ndarray, "boards variables"]:
    """The only solution of each board.

    Args:
        file: Where the boards are from, for the message.
        task: The rules.
        chunk: Some of its boards.

    Returns:
        (boards, variables) symbols.

    Raises:
        UsageError: For the first board, by its line, that is full, or empty, or has no solution, or two, or
            another than the file states.
    """
    given = chunk.puzzle >= 0
    for rows, reason in (
        (given.all(axis=1), "no cell is open: there is nothing to ask"),
        (~given.any(axis=1), "no cell is given: nothing is shown"),
    ):
        if rows.any():
            raise _refused(file, chunk, int(rows.argmax()), reason)
    if isinstance(task, GridTask):
        return _searched(file, task, chunk)
    assert chunk.solution is not None  # sets of ours state it
    certificate = certify(task, Puzzles(chunk.solution, given, np.where(given, 0, -1)))
    for rows, reason in (
        (certificate.broken, "its solution breaks the rules"),
        (certificate.ambiguous, "it has another solution than the one stated"),
    ):
        if rows:
            raise _refused(file, chunk, rows[0], reason)
    return chunk.solution


def _searched(file: BoardFile, task: GridTask, chunk: Chunk) -> Int[np.ndarray, "boards variables"]:
    """By counting the completions of the cells up to two."""
    cells = np.empty(chunk.puzzle.shape, dtype=np.int8)
    cells[:, task.place] = chunk.puzzle
    solved, found = np.empty_like(cells), np.empty(len(cells), dtype=np.int64)
    lines = lines_of(task.size, task.box)
    solve_grids(cells, lines, task.size, 2, solved, found, PATIENCE)
    if len(rows := np.flatnonzero(found != 1)):
        row = int(rows[0])
        count: Literal[-1, 0, 2] = int(found[row])  # pyright: ignore[reportAssignmentType]
        reasons = {
            0: "it has no solution",
            -1: f"whether it has one solution is not settled within {PATIENCE:,} branchings",
        }
        reason = reasons.get(count) or _second(task, cells[row], solved[row], lines)
        raise _refused(file, chunk, row, reason)
    solution = solved[:, task.place]
    if chunk.solution is not None:
        differs = chunk.solution != solution
        if differs.any():
            row = int(differs.any(axis=1).argmax())
            variable = int(differs[row].argmax())
            stated = int(chunk.solution[row, variable])
            told = "left open" if stated < 0 else f"{task.written(variable, stated)}"
            raise _refused(
                file, chunk, row,
                f"the solution beside it is not that of the board: {task.problem.variables[variable]} is "
                f"{told} there, and has to be {task.written(variable, int(solution[row, variable]))}",
            )  # fmt: skip
    return solution


def _second(task: GridTask, cells: np.ndarray, solved: np.ndarray, lines: np.ndarray) -> str:
    """A cell that has different symbols in two solutions of a board, in words."""
    for cell in np.flatnonzero(cells < 0):
        for symbol in range(task.size):
            if symbol == solved[cell]:
                continue
            other, first, found = cells[None].copy(), np.empty_like(cells)[None], np.empty(1, dtype=np.int64)
            other[0, cell] = symbol
            solve_grids(other, lines, task.size, 1, first, found, PATIENCE)
            if found[0] == 1:
                variable = int(np.flatnonzero(task.place == cell)[0])
                names = f"{task.written(variable, int(solved[cell]))} or {task.written(variable, symbol)}"
                return f"it has two solutions or more: {task.problem.variables[variable]} may be {names}"
    return "it has two solutions or more"


def _refused(file: BoardFile, chunk: Chunk, row: int, reason: str) -> UsageError:
    return UsageError(f"{file.path}, {file.unit} {int(chunk.number[row])}: {reason}")
