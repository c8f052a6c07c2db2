"""Sudoku of 4, 6, 9 or 16 symbols, every puzzle with exactly one solution."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from .errors import UsageError
from .grids import GridTask

BLOCKS = {4: (2, 2), 6: (2, 3), 9: (3, 3), 16: (4, 4)}  # rows and columns of a block
GIVENS = {4: (5, 9), 6: (12, 20), 9: (31, 42), 16: (120, 160)}
FLOOR = {4: 4, 6: 9, 9: 23, 16: 100}  # fewer than 4 givens never determine a 4×4 grid


@dataclass(frozen=True, kw_only=True)
class Sudoku(GridTask):
    """Complete the grid: every symbol once in each row, column and block.

    A full random grid is emptied cell by cell as long as it stays the only completion. The splits are
    disjoint by content; the ood split has fewer givens than any puzzle of the others. Source: Wang et al.
    2019 (SATNet; 9×9 with 36.2 givens on average, and its permuted control).

    Args:
        size: Cells of a row: 4, 6 (blocks of 2×3), 9 or 16.
        givens: Range of the number of cells given, uniform: "MIN:MAX", a number or a pair; None for 5:9,
            12:20, 31:42 or 120:160 by size.
        difficulty: "any"; "singles": naked and hidden singles solve the puzzle; or "search": it needs more.
        permuted: Whether the variables stand in an order that hides the grid, one and the same for every
            seed.
    """

    name: ClassVar[str] = "sudoku"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Wang et al. 2019, arXiv:1905.12149"

    permuted: bool = False

    def check_size(self) -> None:
        """Sizes 4, 6, 9 and 16 have blocks that tile the grid."""
        if self.size not in BLOCKS:
            raise UsageError(f"size={self.size}: Sudoku comes in sizes {', '.join(map(str, BLOCKS))}")

    @property
    def usual_givens(self) -> tuple[int, int]:
        """31 to 42 for 9×9, close to the 36.2 on average of the SATNet boards."""
        return GIVENS[self.size]

    @property
    def floor(self) -> int:
        """4, 9, 23 or 100 givens."""
        return FLOOR[self.size]

    @property
    def box(self) -> tuple[int, int]:
        """Rows and columns of a block."""
        return BLOCKS[self.size]

    @cached_property
    def place(self) -> Int[np.ndarray, " variables"]:
        """The cell of each variable."""
        cells = np.arange(self.size**2)
        return np.random.default_rng(self.size).permutation(cells) if self.permuted else cells
