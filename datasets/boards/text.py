"""Boards as text: a board a line, or a CSV with columns for puzzles and solutions; gzipped or not.

Lists as they go round: 81 characters a line with 0 or a dot for an open cell (the lists of 17 clues, with or
without a count in the first line), `quizzes,solutions` and `puzzle,solution` as on Kaggle, other columns
beside them. Boards of 4×4, 6×6 and 16×16 have 16, 36 and 256 characters.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from ..errors import UnusableFileError, UsageError
from ..packed import GZIP, foreign_format
from ..sudoku import BLOCKS, Sudoku
from ..task import Task
from .chunk import CHUNK, Chunk

PUZZLE = ("puzzle", "puzzles", "quiz", "quizzes", "board", "boards", "question", "sudoku")
SOLUTION = ("solution", "solutions", "solved", "answer", "answers")
OPEN = b".*_-"  # besides 0, where 0 is no symbol
BLOCK = 1 << 20  # bytes read at a time
LONGEST = 1 << 16  # bytes of a line; a longer one holds no board
LENGTHS = {size * size: size for size in BLOCKS}
NONE, BAD = -1, -2  # in a table of characters: an open cell, and what is no cell


@dataclass(frozen=True)
class Columns:
    """Where in a line its board and its solution stand.

    Attributes:
        delimiter: Between columns; None: any white space.
        puzzle: Number of the column, from 0 on.
        solution: That of the solution; None without one.
        first: The line that the first board stands in.
        cells: Of a board.
    """

    delimiter: bytes | None
    puzzle: int
    solution: int | None
    first: int
    cells: int


@dataclass(frozen=True)
class TextBoards:
    """A text file of Sudoku boards."""

    path: Path
    unit: str = "line"

    def task(self) -> Task:
        """Sudoku of the size that the boards have."""
        return Sudoku(size=LENGTHS[self._columns.cells])

    def chunks(self) -> Iterator[Chunk]:
        """The boards line by line; comments (#) and empty lines are left out."""
        columns, table = self._columns, self._table
        puzzles: list[bytes] = []
        solutions: list[bytes] = []
        numbers: list[int] = []
        for number, line in self._lines():
            if number < columns.first:
                continue
            cells = _split(line, columns.delimiter)
            puzzles.append(self._cell(cells, columns.puzzle, number))
            if columns.solution is not None:
                solutions.append(self._cell(cells, columns.solution, number))
            numbers.append(number)
            if len(numbers) == CHUNK:
                yield self._chunk(puzzles, solutions, numbers, table)
                puzzles, solutions, numbers = [], [], []
        if numbers:
            yield self._chunk(puzzles, solutions, numbers, table)

    def _cell(self, cells: Sequence[bytes], column: int, number: int) -> bytes:
        if column < len(cells):
            return cells[column].strip()
        raise self._refused(number, f"it has {len(cells)} columns, and boards stand in column {column + 1}")

    def _chunk(
        self, puzzles: list[bytes], solutions: list[bytes], numbers: list[int], table: np.ndarray
    ) -> Chunk:
        decoded = self._decoded(puzzles, numbers, table)
        stated = self._decoded(solutions, numbers, table) if solutions else None
        return Chunk(decoded, stated, np.asarray(numbers))

    def _decoded(self, boards: list[bytes], numbers: list[int], table: np.ndarray) -> Int[np.ndarray, "_ _"]:
        cells = self._columns.cells
        if {len(board) for board in boards} != {cells}:
            row = next(row for row, board in enumerate(boards) if len(board) != cells)
            raise self._refused(
                numbers[row], f"{len(boards[row])} characters, where the boards of this file have {cells}"
            )
        found = table[np.frombuffer(b"".join(boards), dtype=np.uint8)].reshape(-1, cells)
        bad = np.flatnonzero((found == BAD).any(axis=1))
        if len(bad):
            row, size = int(bad[0]), LENGTHS[cells]
            cell = int(np.flatnonzero(found[row] == BAD)[0])
            symbols = bytes(np.flatnonzero(table >= 0).astype(np.uint8)).decode()
            raise self._refused(
                numbers[row],
                f"{chr(boards[row][cell])!r} in row {cell // size + 1}, column {cell % size + 1} is neither "
                f"one of {symbols} nor an open cell (0 or a dot)",
            )
        return found

    @cached_property
    def _head(self) -> list[tuple[int, bytes]]:
        """The first lines that hold something, which tell the format."""
        found: list[tuple[int, bytes]] = []
        for entry in self._lines():
            found.append(entry)
            if len(found) == 1000:
                break
        if not found:
            raise UsageError(f"{self.path} holds no boards: write one a line")
        return found

    @cached_property
    def _columns(self) -> Columns:
        number, line = self._head[0]
        delimiter = next((d for d in (b",", b";", b"\t") if d in line), None)
        cells = [cell.strip() for cell in _split(line, delimiter)]
        boards = [column for column, cell in enumerate(cells) if len(cell) in LENGTHS and _looks_filled(cell)]
        if boards:
            solution = boards[1] if len(boards) > 1 else None
            return Columns(delimiter, boards[0], solution, number, len(cells[boards[0]]))
        names = [cell.decode("utf-8", "replace").lower() for cell in cells]
        if len(self._head) == 1:
            raise self._refused(number, self._no_board(cells))
        puzzle = next((names.index(name) for name in PUZZLE if name in names), None)
        solution = next((names.index(name) for name in SOLUTION if name in names), None)
        first, line = self._head[1]
        if puzzle is None and len(cells) == 1 and cells[0].isdigit():  # a list that begins with its length
            puzzle, delimiter = 0, None
        if puzzle is None:
            if delimiter is not None and any(name.isidentifier() for name in names):
                raise self._refused(
                    number,
                    f"none of the columns {', '.join(names)} is called {', '.join(PUZZLE[:4])}: name the one "
                    "with the boards so, and the one with solutions, if any, solution",
                )
            raise self._refused(number, self._no_board(cells))
        row = _split(line, delimiter)
        board = row[puzzle].strip() if puzzle < len(row) else b""
        if len(board) not in LENGTHS:
            raise self._refused(first, self._no_board([board]))
        return Columns(delimiter, puzzle, solution, first, len(board))

    @staticmethod
    def _no_board(cells: Sequence[bytes]) -> str:
        lengths = ", ".join(map(str, LENGTHS))
        return (
            f"{len(max(cells, key=len))} characters are no board: one has {lengths} (one board a line, row "
            "after row, 0 or a dot where a cell is open)"
        )

    @cached_property
    def _table(self) -> Int[np.ndarray, " characters"]:
        """The symbol of each character, from what the first boards are written with."""
        columns, used = self._columns, set[int]()
        for number, line in self._head:
            cells = _split(line, columns.delimiter)
            if number >= columns.first and columns.puzzle < len(cells):
                used.update(cells[columns.puzzle].strip().upper())
        return character_table(LENGTHS[columns.cells], bytes(sorted(used)))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers, without comments and empty ones, in blocks: never the whole file."""
        number, rest = 0, b""
        try:
            with _opened(self.path) as file:
                while block := file.read(BLOCK):
                    if not number and not rest and (advice := foreign_format(block)):
                        raise UsageError(f"{self.path} {advice}")
                    *lines, rest = (rest + block).split(b"\n")
                    if len(rest) > LONGEST:
                        raise self._refused(number + len(lines) + 1, "this line is too long for a board")
                    for line in lines:
                        number += 1
                        if (told := line.strip(b" \r\xef\xbb\xbf")) and not told.startswith(b"#"):
                            yield number, told
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UsageError(f"{self.path} is a damaged or truncated .gz: {error}") from error
        except OSError as error:
            raise UnusableFileError(f"{self.path} cannot be read: {error.strerror or error}") from error
        if (told := rest.strip()) and not told.startswith(b"#"):
            yield number + 1, told

    def _refused(self, line: int, reason: str) -> UsageError:
        return UsageError(f"{self.path}, line {line}: {reason}")


def character_table(size: int, used: bytes) -> Int[np.ndarray, " characters"]:
    """The symbol of each character on boards of a size.

    Up to nine symbols are 1 to 9. Of sixteen there are three ways, told apart by what is used: 0 to F where
    a zero stands beside another sign for open cells, A to P without digits, else 1 to G.

    Args:
        size: Cells of a row.
        used: The characters that boards of the file are written with, in capitals.

    Returns:
        (256,) symbols from 0 on; −1 for an open cell, −2 for what is no cell.
    """
    symbols = "123456789"[:size]
    if size > 9:
        if b"0"[0] in used and any(sign in used for sign in OPEN):
            symbols = "0123456789ABCDEF"
        elif any(chr(code).isalpha() for code in used) and not any(chr(c) in "123456789" for c in used):
            symbols = "ABCDEFGHIJKLMNOP"
        else:
            symbols = "123456789ABCDEFG"
    table = np.full(256, BAD, dtype=np.int8)
    table[[*OPEN, *(b"" if "0" in symbols else b"0")]] = NONE
    for written in (symbols, symbols.lower()):
        table[list(written.encode())] = np.arange(size)
    return table


def _looks_filled(cell: bytes) -> bool:
    """Whether it may be a board: a word of the right length is not taken for one."""
    return len(cell) > 16 or any(code in b"0123456789." for code in cell)


def _split(line: bytes, delimiter: bytes | None) -> list[bytes]:
    if b'"' in line and delimiter is not None:
        [cells] = csv.reader([line.decode("latin-1")], delimiter=delimiter.decode())
        return [cell.encode("latin-1") for cell in cells]
    return line.split(delimiter)


def _opened(path: Path) -> gzip.GzipFile | io.BufferedReader:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")
