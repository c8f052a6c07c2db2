"""Futoshiki: Latin squares with inequality signs between neighbouring cells."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .grids import all_different, are_permutations, as_range, cell_names, fewer, grid_classes, lines_of
from .problem import Problem, make_problem
from .search.futoshiki import make_futoshiki
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

ATTEMPTS = 10_000  # boards tried for one puzzle before the settings are called impossible
NONE, LESS, GREATER = range(3)
SPACING = 1.5  # cells from one cell to the next when drawn, so that signs fit between


@dataclass(frozen=True, kw_only=True)
class Futoshiki(Task):
    """Complete the square: every symbol once in each row and column, and every inequality sign holds.

    The signs differ from board to board, so they are variables as well, with the symbols none, < and >; they
    are always given, and seen as symbols. A random Latin square gets signs between some neighbours and is
    emptied cell by cell as long as it stays the only completion. The splits are disjoint by content; the ood
    split has fewer givens. Source: Tamaki Seto's puzzle (2001).

    Args:
        size: Cells of a row, 3 to 9.
        givens: Range of the number of cells given, uniform: "MIN:MAX", a number or a pair; None for about 0.2
            to 0.36 of the cells.
        marks: Share of the pairs of neighbours that get a sign, 0 to 1.
    """

    name: ClassVar[str] = "futoshiki"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Tamaki Seto 2001"

    size: int = 5
    givens: str | int | tuple[int, int] | None = None
    marks: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 3 <= self.size <= 9:
            raise UsageError(f"size={self.size}: futoshiki comes in sizes 3 to 9")
        if not 0 <= self.marks <= 1:
            raise UsageError(f"marks={self.marks}: a share of the pairs of neighbours, from 0 to 1")
        limits = self._limits
        if self.givens is not None:  # however it was written, equal tasks are equal; None follows the size
            object.__setattr__(self, "givens", limits)

    @cached_property
    def _limits(self) -> tuple[int, int]:
        cells = self.size**2
        usual = (max(3, round(0.2 * cells)), round(0.36 * cells))
        return as_range(usual if self.givens is None else self.givens, "givens", 1, cells - 1)

    @cached_property
    def pairs(self) -> Int[np.ndarray, "signs 2"]:
        """The cells on both sides of each sign: first those beside each other, then one above the other."""
        cells = np.arange(self.size**2).reshape(self.size, self.size)
        beside = np.stack([cells[:, :-1].ravel(), cells[:, 1:].ravel()], axis=1)
        above = np.stack([cells[:-1].ravel(), cells[1:].ravel()], axis=1)
        return np.concatenate([beside, above])

    @cached_property
    def _groups(self) -> Int[np.ndarray, "groups members"]:
        cells = np.arange(self.size**2).reshape(self.size, self.size)
        return np.concatenate([cells, cells.T])

    @cached_property
    def problem(self) -> Problem:
        """The cells, then the signs between them."""
        names = cell_names(self.size)
        signs = tuple(f"{names[one]}-{names[other]}" for one, other in self.pairs)
        domains = (self.size,) * self.size**2 + (3,) * len(signs)
        frame = Problem(names + signs, domains)
        lines = all_different(frame, self._groups.tolist(), self.size)
        return make_problem(frame.variables, domains, itertools.chain(lines, self._inequalities(frame)))

    def _inequalities(self, frame: Problem) -> Iterator[list[int]]:
        for sign, (one, other) in enumerate(self.pairs.tolist(), start=self.size**2):
            for x, y in itertools.product(range(self.size), repeat=2):
                for symbol, broken in ((LESS, x >= y), (GREATER, x <= y)):
                    if broken and x != y:  # equal neighbours are forbidden already
                        yield [
                            -frame.literal(sign, symbol), -frame.literal(one, x), -frame.literal(other, y)
                        ]  # fmt: skip

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by digit k + 1."""
        return grid_classes(self.size)

    @property
    def layout(self) -> Layout:
        """Cells apart from each other, with the signs in between."""
        rows, columns = np.divmod(np.arange(self.size**2), self.size)
        cells = SPACING * np.stack([rows, columns], axis=1)
        places = np.concatenate([cells, cells[self.pairs].mean(axis=1)])
        side = SPACING * (self.size - 1) + 1
        signs = range(self.size**2, len(places))
        return Layout(
            side,
            side,
            tuple((float(r), float(c)) for r, c in places),
            frameless=tuple(signs),
            note="< opens towards the larger",
        )

    def written(self, variable: int, symbol: int) -> str:
        """Digits in the cells; signs open towards the larger cell."""
        sign = variable - self.size**2
        if sign < 0:
            return super().written(variable, symbol)
        beside = sign < len(self.pairs) // 2
        return ("", "<", ">")[symbol] if beside else ("", "∧", "∨")[symbol]

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Boards with one completion. Raises `UsageError` where the settings hardly admit any."""
        fewest, most = self._limits
        if split == "ood":
            reached = round((0.1 + 0.008 * self.size) * self.size**2)  # by random emptying, in a few attempts
            fewest, most = fewer(self._limits, max(1, min(fewest - 1, reached)))
        marks = round(self.marks * len(self.pairs))
        seeds = rng.integers(0, 2**64, size=size, dtype=np.uint64)
        boards = np.empty((size, self.size**2 + len(self.pairs)), dtype=np.int8)
        clues = np.empty_like(boards)
        made = make_futoshiki(
            seeds, lines_of(self.size, None), self.size, self.pairs, marks, fewest, most,
            SPLITS.index(split), ATTEMPTS, boards, clues,
        )  # fmt: skip
        if made < size:
            raise UsageError(
                f"no {self.size}×{self.size} board with {marks} signs and {fewest} to {most} givens in "
                f"{ATTEMPTS:,} attempts: allow more givens or more marks"
            )
        given = clues >= 0
        shown = given & (np.arange(boards.shape[1]) < self.size**2)
        return Puzzles(boards, given, draw_pictures(shown, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether every row and column holds each symbol once, and every sign is true."""
        one, other = (solution[:, cells] for cells in self.pairs.T)
        signs = solution[:, self.size**2 :]
        true = (signs == NONE) | ((signs == LESS) & (one < other)) | ((signs == GREATER) & (one > other))
        return are_permutations(solution, self._groups) & true.all(axis=1)
