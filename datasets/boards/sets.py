"""Sets of our own as boards: what `groundcheck generate` wrote."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..storage import PuzzleSet, load_set
from ..task import Task
from .chunk import CHUNK, Chunk


@dataclass(frozen=True)
class SetBoards:
    """A folder that `groundcheck generate` wrote, of any task."""

    path: Path
    unit: str = "board"

    @cached_property
    def _set(self) -> PuzzleSet:
        return load_set(self.path)

    def task(self) -> Task:
        """The task that the set was made of."""
        return self._set.task

    def chunks(self) -> Iterator[Chunk]:
        """The puzzles in order, counted from 1."""
        puzzles = self._set.puzzles
        for first in range(0, len(puzzles), CHUNK):
            part = puzzles[first : first + CHUNK]
            solution = np.asarray(part.solution)
            yield Chunk(
                np.where(part.given, solution, np.int8(-1)), solution, np.arange(first, first + len(part)) + 1
            )
