"""Latin squares: Sudoku without blocks."""

from dataclasses import dataclass
from typing import ClassVar

from .errors import UsageError
from .grids import GridTask


@dataclass(frozen=True, kw_only=True)
class Latin(GridTask):
    """Complete the square: every symbol once in each row and column.

    A full random square is emptied cell by cell as long as it stays the only completion. The splits are
    disjoint by content; the ood split has fewer givens than any puzzle of the others. Completing partial
    Latin squares is NP-complete (Colbourn 1984), and as quasigroup completion a standard benchmark of
    constraint solving. Source: Gomes & Selman 1997.

    Args:
        size: Cells of a row, 3 to 12.
        givens: Range of the number of cells given, uniform: "MIN:MAX", a number or a pair; None for about
            0.45 to 0.65 of the cells, 0.5 to 0.65 above nine symbols.
        difficulty: "any"; "singles": naked and hidden singles solve the puzzle; or "search": it needs more.
    """

    name: ClassVar[str] = "latin"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Gomes & Selman 1997, Problem structure in the presence of perturbations (AAAI)"

    size: int = 5

    def check_size(self) -> None:
        """Sizes 3 to 12."""
        if not 3 <= self.size <= 12:
            raise UsageError(f"size={self.size}: Latin squares come in sizes 3 to 12")

    @property
    def usual_givens(self) -> tuple[int, int]:
        """About 0.45 to 0.65 of the cells, from 0.5 on above nine symbols."""
        fewest = (0.45 if self.size <= 9 else 0.5) * self.size**2
        return max(self.floor + 1, round(fewest)), round(0.65 * self.size**2)

    @property
    def floor(self) -> int:
        """About 0.38 of the cells, 0.44 above nine symbols."""
        return max(3, round((0.38 if self.size <= 9 else 0.44) * self.size**2))
