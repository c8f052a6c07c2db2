"""Sudoku of 4, 6, 9 or 16 symbols, every puzzle with exactly one solution."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .grid_search import make_grids
from .grids import all_different, are_permutations, as_range, cell_names, lines_of
from .problem import Problem, make_problem
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

BLOCKS = {4: (2, 2), 6: (2, 3), 9: (3, 3), 16: (4, 4)}  # rows and columns of a block
GIVENS = {4: (5, 9), 6: (12, 20), 9: (31, 42), 16: (120, 160)}
# Fewest givens that opening cells at random reaches without thousands of attempts; for 4×4 fewer than 4
# never determine a grid.
FLOOR = {4: 4, 6: 9, 9: 23, 16: 100}
ATTEMPTS = 100_000
DIFFICULTIES = {"any": -1, "singles": 0, "search": 1}


@dataclass(frozen=True)
class Sudoku(Task):
    """Complete the grid: every symbol once in each row, column and block.

    Source: Wang et al. 2019 (SATNet; 9×9, 36.2 givens on average, and its `permuted` control, in which
    the variables stand in an order that hides the grid). Puzzles are certified when they are made: a full
    random grid is emptied cell by cell as long as it stays the only completion.

    `givens` is the range of the number of givens, uniform: "MIN:MAX", a number or a pair; by default
    5 to 9 for 4×4 and 31 to 42 for 9×9. `difficulty` keeps only puzzles that naked and hidden singles
    solve ("singles") or that need more ("search"). The splits are disjoint by content. The ood split has
    fewer givens than any puzzle of the others: as many less as the range is wide, down to the fewest that
    random emptying reaches.
    """

    name: ClassVar[str] = "sudoku"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Wang et al. 2019, arXiv:1905.12149"

    size: int = 4
    givens: str | int | tuple[int, int] | None = None
    difficulty: str = "any"
    permuted: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size not in BLOCKS:
            raise ValueError(f"size={self.size}: Sudoku comes in sizes {', '.join(map(str, BLOCKS))}")
        if self.difficulty not in DIFFICULTIES:
            raise ValueError(f"difficulty={self.difficulty!r}: it is {', '.join(DIFFICULTIES)}")
        if self.size == 4 and self.difficulty == "search":
            raise ValueError('difficulty="search": singles solve every 4×4 puzzle; take a larger size')
        wanted = GIVENS[self.size] if self.givens is None else self.givens
        limits = as_range(wanted, "givens", FLOOR[self.size], self.size**2 - 1)
        object.__setattr__(self, "givens", limits)  # however it was written, equal tasks are equal

    @cached_property
    def _place(self) -> Int[np.ndarray, " variables"]:
        """The cell of each variable. The permutation is one and the same for every seed."""
        cells = np.arange(self.size**2)
        return np.random.default_rng(self.size).permutation(cells) if self.permuted else cells

    @cached_property
    def _groups(self) -> Int[np.ndarray, "lines members"]:
        """The variables of each row, column and block."""
        lines = lines_of(self.size, BLOCKS[self.size])[self._place]
        return np.array([np.flatnonzero((lines == line).any(axis=1)) for line in range(3 * self.size)])

    def _range(self, split: Split) -> tuple[int, int]:
        fewest, most = as_range(self.givens, "givens", 0, self.size**2)
        if split != "ood":
            return fewest, most
        floor = FLOOR[self.size]
        if fewest == floor:
            raise ValueError(
                f"givens={fewest}:{most} leaves no fewer givens for the ood split of {self.size}×{self.size} "
                f"boards: begin at {floor + 1} or more"
            )
        return max(floor, 2 * fewest - most - 1), fewest - 1

    @cached_property
    def problem(self) -> Problem:
        """One variable per cell; rules in direct encoding, pairwise, so that symmetries can be read off."""
        names = cell_names(self.size)
        frame = Problem(tuple(names[cell] for cell in self._place), (self.size,) * self.size**2)
        clauses = all_different(frame, self._groups.tolist(), self.size)
        return make_problem(frame.variables, frame.domains, clauses)

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by digit k + 1; 16×16 takes an image set of 16 classes from its class 0 on."""
        first = 0 if self.size > 9 else 1
        return tuple(range(first, first + self.size))

    @property
    def layout(self) -> Layout:
        """The grid."""
        places = tuple((int(cell) // self.size, int(cell) % self.size) for cell in self._place)
        return Layout(self.size, self.size, places, block=BLOCKS[self.size])

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Puzzles with one solution. Raises `ValueError` where the settings hardly admit any."""
        fewest, most = self._range(split)
        seeds = rng.integers(0, 2**64, size=size, dtype=np.uint64)
        solution = np.empty((size, self.size**2), dtype=np.int8)
        clues = np.empty_like(solution)
        made = make_grids(
            seeds, lines_of(self.size, BLOCKS[self.size]), self.size, fewest, most,
            DIFFICULTIES[self.difficulty], SPLITS.index(split), ATTEMPTS, solution, clues,
        )  # fmt: skip
        if made < size:
            raise ValueError(
                f"no {self.size}×{self.size} puzzle with {fewest} to {most} givens and "
                f"difficulty={self.difficulty!r} in {ATTEMPTS:,} attempts: "
                "allow other givens, or any difficulty"
            )
        given = clues[:, self._place] >= 0
        return Puzzles(solution[:, self._place], given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether every row, column and block holds each symbol once."""
        return are_permutations(solution, self._groups)
