"""What Sudoku, Latin squares and futoshiki share: lines of all-different cells, and a range of givens."""

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .problem import Problem, make_problem
from .search.grids import make_grids
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

ATTEMPTS = 10_000  # grids tried for one puzzle before the settings are called impossible
DIFFICULTIES = {"any": -1, "singles": 0, "search": 1}


@lru_cache
def lines_of(size: int, block: tuple[int, int] | None) -> Int[np.ndarray, "cells 3"]:
    """Row, column and block of each cell, numbered on; without blocks the row stands in for one."""
    row, column = np.divmod(np.arange(size * size), size)
    third = row if block is None else (row // block[0]) * (size // block[1]) + column // block[1]
    lines = np.stack([row, size + column, 2 * size + third], axis=1)
    lines.setflags(write=False)
    return lines


def cell_names(size: int) -> tuple[str, ...]:
    """r1c1, r1c2, …: rows and columns counted from 1."""
    return tuple(f"r{r}c{c}" for r, c in itertools.product(range(1, size + 1), repeat=2))


def all_different(frame: Problem, groups: Sequence[Sequence[int]], symbols: int) -> Iterator[list[int]]:
    """Clauses: in each group of variables every symbol stands exactly once. Pairwise, no auxiliaries."""
    seen: set[tuple[int, int]] = set()
    for group in groups:
        for symbol in range(symbols):
            yield [frame.literal(variable, symbol) for variable in group]
        for pair in itertools.combinations(sorted(group), 2):
            if pair in seen:
                continue
            seen.add(pair)
            for symbol in range(symbols):
                yield [-frame.literal(variable, symbol) for variable in pair]


def are_permutations(
    solution: Int[np.ndarray, "puzzles variables"], groups: Int[np.ndarray, "groups members"]
) -> Bool[np.ndarray, " puzzles"]:
    """Which rows hold each of 0 … members−1 once in every group."""
    inside = np.sort(solution[:, groups], axis=-1) == np.arange(groups.shape[1])
    return inside.all(axis=(1, 2))


def as_range(
    text: str | int | tuple[int, ...] | list[int], name: str, fewest: int, most: int
) -> tuple[int, int]:
    """A range of givens from "MIN:MAX", a number, or a pair. Raises `UsageError` outside of its limits."""
    advice = f"say MIN:MAX with {fewest} ≤ MIN ≤ MAX ≤ {most}"
    parts = text.split(":") if isinstance(text, str) else text if isinstance(text, tuple | list) else (text,)
    ends = [int(part) for part in parts if type(part) is int or (isinstance(part, str) and part.isdecimal())]
    if len(ends) != len(parts):
        raise UsageError(f"{name}={text!r} is no range: {advice}")
    if len(ends) not in (1, 2) or not fewest <= ends[0] <= ends[-1] <= most:
        raise UsageError(f"{name}={text!r}: {advice}")
    return ends[0], ends[-1]


def fewer(limits: tuple[int, int], floor: int) -> tuple[int, int]:
    """The range of givens of the ood split: as many fewer as the range is wide, down to a floor."""
    fewest, most = limits
    if fewest <= floor:
        raise UsageError(
            f"givens={fewest}:{most} leaves no fewer givens for the ood split: begin at {floor + 1} or more"
        )
    return max(floor, 2 * fewest - most - 1), fewest - 1


def grid_classes(size: int) -> tuple[int, ...]:
    """Symbol k is shown by digit k + 1; above nine symbols by class k of an image set with so many."""
    first = 0 if size > 9 else 1
    return tuple(range(first, first + size))


@dataclass(frozen=True, kw_only=True)
class GridTask(Task):
    """A square of cells in which every line holds each symbol once, and a puzzle has one completion.

    A full random grid is emptied cell by cell as long as it stays the only completion. The splits are
    disjoint by content. The ood split has fewer givens than any puzzle of the others.

    Args:
        size: Cells of a row.
        givens: Range of the number of givens, uniform: "MIN:MAX", a number or a pair; None for the usual one.
        difficulty: "any"; "singles": naked and hidden singles solve the puzzle; or "search": it needs more.
    """

    size: int = 4
    givens: str | int | tuple[int, int] | None = None
    difficulty: str = "any"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_size()
        if self.difficulty not in DIFFICULTIES:
            raise UsageError(f"difficulty={self.difficulty!r}: it is {', '.join(DIFFICULTIES)}")
        if self.size <= 4 and self.difficulty == "search":  # checked for every set of givens
            square = f"{self.size}×{self.size}"
            raise UsageError(f'difficulty="search": singles solve every {square} puzzle; take a larger size')
        limits = self._limits
        if self.givens is not None:  # however it was written, equal tasks are equal; None follows the size
            object.__setattr__(self, "givens", limits)

    @cached_property
    def _limits(self) -> tuple[int, int]:
        wanted = self.usual_givens if self.givens is None else self.givens
        return as_range(wanted, "givens", self.floor, self.size**2 - 1)

    @abstractmethod
    def check_size(self) -> None:
        """Raises `UsageError` where the family does not come in this size."""

    @property
    @abstractmethod
    def usual_givens(self) -> tuple[int, int]:
        """The range of givens unless one is chosen."""

    @property
    @abstractmethod
    def floor(self) -> int:
        """Fewest givens that emptying cells at random reaches without thousands of attempts."""

    @property
    def box(self) -> tuple[int, int] | None:
        """Rows and columns of a block; None without blocks."""
        return None

    @cached_property
    def place(self) -> Int[np.ndarray, " variables"]:
        """The cell of each variable, counted along the rows."""
        return np.arange(self.size**2)

    @cached_property
    def groups(self) -> Int[np.ndarray, "groups members"]:
        """The variables of each row and column, and of each block if there are blocks."""
        lines = lines_of(self.size, self.box)[self.place]
        count = (2 if self.box is None else 3) * self.size
        return np.array([np.flatnonzero((lines == line).any(axis=1)) for line in range(count)])

    @cached_property
    def problem(self) -> Problem:
        """One variable per cell; rules in direct encoding, pairwise, so that symmetries can be read off."""
        names = cell_names(self.size)
        frame = Problem(tuple(names[cell] for cell in self.place), (self.size,) * self.size**2)
        clauses = all_different(frame, self.groups.tolist(), self.size)
        return make_problem(frame.variables, frame.domains, clauses)

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by digit k + 1; above nine symbols by class k of an image set with so many."""
        return grid_classes(self.size)

    @property
    def layout(self) -> Layout:
        """The grid."""
        places = tuple((int(cell) // self.size, int(cell) % self.size) for cell in self.place)
        return Layout(self.size, self.size, places, block=self.box)

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Puzzles with one solution. Raises `UsageError` where the settings hardly admit any."""
        fewest, most = fewer(self._limits, self.floor) if split == "ood" else self._limits
        seeds = rng.integers(0, 2**64, size=size, dtype=np.uint64)
        solution = np.empty((size, self.size**2), dtype=np.int8)
        clues = np.empty_like(solution)
        made = make_grids(
            seeds, lines_of(self.size, self.box), self.size, fewest, most,
            DIFFICULTIES[self.difficulty], SPLITS.index(split), ATTEMPTS, solution, clues,
        )  # fmt: skip
        if made < size:
            raise UsageError(
                f"no {self.size}×{self.size} puzzle with {fewest} to {most} givens and "
                f"difficulty={self.difficulty!r} in {ATTEMPTS:,} attempts: "
                "allow other givens, or any difficulty"
            )
        given = clues[:, self.place] >= 0
        return Puzzles(solution[:, self.place], given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether every line holds each symbol once."""
        return are_permutations(solution, self.groups)
