"""Boards of a user's as a task: their own puzzles, split by grid."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Int

from ..errors import UsageError
from ..problem import Problem
from ..task import BLOCK, Layout, Puzzles, Shift, Split, Task, draw_pictures
from .kept import Boards, digest_of, open_file, proved_boards

# The tenths of all grids that each split has; ood shows the test boards, with slanted images.
TENTHS: dict[Split, tuple[int, ...]] = {
    "train": tuple(range(8)),
    "validation": (8,),
    "test": (9,),
    "ood": (9,),
}
MIN_BOARDS = 10  # of a split: with fewer, each would stand thirty times and more in a test set of 300


@dataclass(frozen=True, kw_only=True)
class FileBoards(Task):
    """The boards of a file: complete each one.

    Every board is proved, when it is read, to have exactly one solution. The splits are disjoint by grid: all
    boards with the same solution stand in one split, decided by that solution alone, so that a grid is in the
    same split of every file. Grids count as the same where they are identical; two that differ by a renaming
    of symbols, or by an exchange of rows, are two. Eight tenths of all grids train, one validates, one tests.
    What is new in the ood split are the images: test boards shown with slanted test images. Where more
    puzzles are asked for than a split has boards, boards come again, with other images.

    Args:
        file: A board a line, a CSV, SATNet's tensors, or a folder that `groundcheck generate` wrote.
        absolute: Where it lies, for processes that stand in another folder; filled in from `file`, and no
            part of what the task is.
    """

    name: ClassVar[str] = "puzzles"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "a file of boards"
    shift: ClassVar[Shift] = "images"

    file: str
    absolute: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.absolute:
            object.__setattr__(self, "absolute", str(Path(self.file).resolve()))
        for split in ("train", "validation", "test"):
            if len(self._rows(split)) < MIN_BOARDS:
                counts = ", ".join(f"{s} {len(self._rows(s))}" for s in ("train", "validation", "test"))
                raise UsageError(
                    f"{self.file}: {len(self.boards):,} boards with {self.boards.grids:,} different "
                    f"solutions leave the splits too few ({counts}), as boards with one solution stay "
                    f"together: each needs {MIN_BOARDS}, which some 200 different solutions give"
                )

    def __getstate__(self) -> dict[str, Any]:
        """Its settings, and where the file lies: another process maps the boards for itself."""
        return {**self.settings, "absolute": self.absolute}

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration, with the file as the user named it."""
        return {name: value for name, value in super().settings.items() if name != "absolute"}

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return Path(self.absolute)

    @property
    def boards(self) -> Boards:
        """The boards, proved."""
        return proved_boards(self.path)

    @property
    def base(self) -> Task:
        """The family that the boards are of."""
        return self.boards.task

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 of the file."""
        return {"file": digest_of(open_file(self.path))}

    @cached_property
    def problem(self) -> Problem:
        """That of the family."""
        return self.base.problem

    @property
    def classes(self) -> tuple[int, ...]:
        """Those of the family."""
        return self.base.classes

    @property
    def layout(self) -> Layout:
        """That of the family."""
        return self.base.layout

    def written(self, variable: int, symbol: int) -> str:
        """As the family writes it."""
        return self.base.written(variable, symbol)

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """As the family does."""
        return self.base.verify(solution)

    @property
    def summary(self) -> str:
        """What was read, and how it is split."""
        boards, (fewest, most) = self.boards, self.boards.givens
        splits = ", ".join(f"{s} {len(self._rows(s)):,}" for s in ("train", "validation", "test"))
        givens = f"{fewest} to {most}" if fewest < most else f"{fewest}"
        return (
            f"{self.file}: {len(boards):,} boards of {self.base.name} with {givens} givens, each with "
            f"exactly one solution, {boards.grids:,} different ones; split by solution: {splits}"
        )

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Boards of a split in random order; each comes once before any comes again."""
        rows = self._rows(split)
        turns = [rng.permutation(rows) for _ in range(-(-size // len(rows)))]
        return self._shown(np.concatenate([rows[:0], *turns])[:size], rng)

    def block(self, split: Split, size: int, seed: int, block: int) -> Puzzles:
        """One of the blocks of a set, in which a board comes again only after every other has come."""
        first = block * BLOCK
        places = np.arange(first, min(first + BLOCK, size))
        rows = self._rows(split)
        order = self.stream(split, seed, 1).permutation(rows)
        return self._shown(order[places % len(rows)], self.stream(split, seed, 0, block))

    def _shown(self, rows: Int[np.ndarray, " puzzles"], rng: np.random.Generator) -> Puzzles:
        solution, given = np.array(self.boards.solution[rows]), np.array(self.boards.given[rows])
        unseen = np.zeros(solution.shape[1], dtype=bool)
        unseen[list(self.base.layout.frameless)] = True  # signs between the cells are never images
        return Puzzles(solution, given, draw_pictures(given & ~unseen, rng))

    def _rows(self, split: Split) -> Int[np.ndarray, " boards"]:
        return np.flatnonzero(np.isin(self.boards.part, TENTHS[split]))
