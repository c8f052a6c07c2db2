"""Completion of n queens, with exactly one solution."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .grids import as_range, fewer
from .problem import Problem, make_problem
from .search.queens import make_queens
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

ATTEMPTS = 10_000  # boards tried for one puzzle before the settings are called impossible


@dataclass(frozen=True, kw_only=True)
class Queens(Task):
    """Complete a board of `size` queens that do not attack each other, given some of them.

    One variable per row; its symbol is the column of the row's queen, shown as a digit. A random solution
    loses queens one by one as long as it stays the only completion. The splits are disjoint by content; the
    ood split has fewer givens. Completion is NP-complete. Source: Gent, Jefferson & Nightingale 2017.

    Args:
        size: Rows of the board, 7 to 16.
        givens: Range of the number of queens given, uniform: "MIN:MAX", a number or a pair; None for size/2 −
            1 to size/2 + 1, rounded down, and at least 3.
    """

    name: ClassVar[str] = "queens"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Gent, Jefferson & Nightingale 2017, Complexity of n-queens completion (JAIR 59)"

    size: int = 8
    givens: str | int | tuple[int, int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 7 <= self.size <= 16:
            raise UsageError(f"size={self.size}: boards have 7 to 16 queens")
        limits = self._limits
        if self.givens is not None:  # however it was written, equal tasks are equal; None follows the size
            object.__setattr__(self, "givens", limits)

    @cached_property
    def _limits(self) -> tuple[int, int]:
        usual = (self.floor + 1, self.size // 2 + 1)
        return as_range(usual if self.givens is None else self.givens, "givens", self.floor, self.size - 1)

    @property
    def floor(self) -> int:
        """Fewest givens that removing queens at random reaches without thousands of attempts."""
        return max(2, self.size // 2 - 2)

    @cached_property
    def problem(self) -> Problem:
        """One queen in each row (a variable) and column, at most one in each diagonal; pairwise."""
        n = self.size
        frame = Problem(tuple(f"row{r}" for r in range(1, n + 1)), (n,) * n)
        return make_problem(frame.variables, frame.domains, self._clauses(frame))

    def _clauses(self, frame: Problem) -> Iterator[list[int]]:
        n = self.size
        for column in range(n):
            yield [frame.literal(row, column) for row in range(n)]
        for above, below in itertools.combinations(range(n), 2):
            for one, other in itertools.product(range(n), repeat=2):
                if one == other or abs(one - other) == below - above:
                    yield [-frame.literal(above, one), -frame.literal(below, other)]

    @property
    def classes(self) -> tuple[int, ...]:
        """Column k, counted from 0, is shown by class k: boards above ten need a larger image set."""
        return tuple(range(self.size))

    @property
    def layout(self) -> Layout:
        """A board; the picture of a row stands in the column that it names."""
        return Layout(
            self.size,
            self.size,
            tuple((row, 0) for row in range(self.size)),
            along=True,
            piece="♛",
            note="♛ the symbol is the column",
        )

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Boards with one completion. Raises `UsageError` where the settings hardly admit any."""
        fewest, most = fewer(self._limits, self.floor) if split == "ood" else self._limits
        seeds = rng.integers(0, 2**64, size=size, dtype=np.uint64)
        solution = np.empty((size, self.size), dtype=np.int8)
        clues = np.empty_like(solution)
        if make_queens(seeds, self.size, fewest, most, SPLITS.index(split), ATTEMPTS, solution, clues) < size:
            raise UsageError(
                f"no board of {self.size} queens with {fewest} to {most} givens in {ATTEMPTS:,} attempts: "
                "allow other givens"
            )
        given = clues >= 0
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether columns and both kinds of diagonals are all different."""
        rows = np.arange(self.size)
        columns = solution.astype(np.int64)
        apart = [np.diff(np.sort(columns + k * rows, axis=1), axis=1) > 0 for k in (-1, 0, 1)]
        return np.all(apart, axis=(0, 2))
