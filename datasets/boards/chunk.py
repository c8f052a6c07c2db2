"""Boards on their way in: what every format is read into, a chunk at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Int
from numpy import ndarray

from ..task import Task

CHUNK = 16_384  # boards held in memory at a time


@dataclass(frozen=True)
class Chunk:
    """Boards that stand one after the other in a file.

    Attributes:
        puzzle: (boards, variables) symbols from 0 on; −1 where a cell is open.
        solution: (boards, variables) the solutions that the file states, −1 where it leaves one open; None
            where it states none.
        number: (boards,) where each stands: its line, counted from 1, or its own number.
    """

    puzzle: Int[ndarray, "boards variables"]
    solution: Int[ndarray, "boards variables"] | None
    number: Int[ndarray, " boards"]

    def __len__(self) -> int:
        return len(self.puzzle)


@runtime_checkable
class BoardFile(Protocol):
    """A file, or a folder, of boards in some format."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def unit(self) -> str:
        """What the numbers of its boards count: "line" or "board"."""
        ...

    def task(self) -> Task:
        """The family that its boards are of: its variables, symbols and rules."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """Its boards in order, at most `CHUNK` at a time.

        Raises `UsageError` with the line of what is none.
        """
        ...
