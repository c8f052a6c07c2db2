"""ViSudo-PC: is a filled Sudoku board right?"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .grids import cell_names, lines_of
from .problem import Problem, make_problem
from .search.visudo import make_boards
from .sudoku import BLOCKS
from .task import SPLITS, Layout, Puzzles, Split, Task, as_order, draw_pictures

POOL = 10  # symbols of the strategies that use more than a line is long
FURTHER = 0.5  # chance of each corruption after the first
STRATEGIES = ("simple", "split", "puzzle", "cell", "transfer")


@dataclass(frozen=True, kw_only=True)
class ViSudo(Task):
    """Every cell of a 4×4 or 9×9 board shows an image; only whether the board is right is told.

    A board is right if all symbols of a row, column or block differ. Half of the boards are right. The others
    are corrupted, half of them by replacing cells, half by swapping cells: at least one, each further one
    with chance 0.5, at most ten, and again until the board is wrong. Splits are disjoint by content. In the
    ood split wrong boards differ from a right one by a single swap. Source: Augustine et al. 2022.

    Args:
        size: Cells of a row, 4 or 9.
        strategy: Which symbols stand on a board: "simple" the first `size` classes, "split" classes drawn
            from ten for a trial, "puzzle" classes drawn for every board, "cell" all ten on every board,
            "transfer" classes drawn for a trial in training and others in the other splits (4×4).
        order: The ten classes in the order in which "split" and "transfer" take them; None draws it for a
            trial.
    """

    name: ClassVar[str] = "visudo"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Augustine et al. 2022, Visual Sudoku Puzzle Classification (NeSy)"

    size: int = 4
    strategy: str = "simple"
    order: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size not in (4, 9):
            raise UsageError(f"size={self.size}: boards are 4×4 or 9×9")
        if self.strategy not in STRATEGIES:
            raise UsageError(f"strategy={self.strategy!r}: it is {', '.join(STRATEGIES)}")
        if self.strategy == "transfer" and 2 * self.size > POOL:
            raise UsageError(
                f'strategy="transfer" needs {2 * self.size} classes, twice the size, of {POOL}: take size=4'
            )
        if self.order is not None:
            object.__setattr__(self, "order", as_order(self.order, "order", POOL))

    def drawn(self, seed: int) -> "ViSudo":
        """With the order drawn in which classes are taken, for the strategies "split" and "transfer"."""
        if self.order is not None or self.strategy not in ("split", "transfer"):
            return self
        return replace(self, order=tuple(self.stream("train", seed, 1).permutation(POOL).tolist()))

    @cached_property
    def _order(self) -> tuple[int, ...]:
        return self.order or tuple(range(POOL))

    @property
    def _symbols(self) -> int:
        return self.size if self.strategy in ("simple", "split") else POOL

    @cached_property
    def _clashing(self) -> list[tuple[int, int]]:
        """Pairs of cells that share a line."""
        lines = lines_of(self.size, BLOCKS[self.size])
        pairs = itertools.combinations(range(self.size**2), 2)
        return [(a, b) for a, b in pairs if (lines[a] == lines[b]).any()]

    @cached_property
    def problem(self) -> Problem:
        """The cells, and whether the board is right; an auxiliary literal per pair of cells and symbol."""
        cells = self.size**2
        frame = Problem((*cell_names(self.size), "right"), (*(self._symbols,) * cells, 2))
        return make_problem(frame.variables, frame.domains, self._clauses(frame))

    def _clauses(self, frame: Problem) -> Iterator[list[int]]:
        label = frame.literal(self.size**2, 1)
        clashes: list[int] = []
        for (a, b), symbol in itertools.product(self._clashing, range(self._symbols)):
            clash = frame.indicators + len(clashes) + 1  # ⇔ both cells take this symbol
            one, other = frame.literal(a, symbol), frame.literal(b, symbol)
            yield from ([-clash, one], [-clash, other], [clash, -one, -other], [-clash, -label])
            clashes.append(clash)
        yield [label, *clashes]

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by the k-th class of the order: by digit k unless one is drawn."""
        return self._order[: self._symbols]

    @property
    def layout(self) -> Layout:
        """The board, and the label to the right of its last row."""
        cells = itertools.product(range(self.size), repeat=2)
        places = (*((float(r), float(c)) for r, c in cells), (self.size - 1.0, self.size + 0.9))
        return Layout(
            self.size,
            self.size + 2.4,
            places,
            block=BLOCKS[self.size],
            signs=((self.size - 0.5, self.size + 0.45, "→"),),
            note="→ whether the board is right",
        )

    def written(self, variable: int, symbol: int) -> str:
        """Digits, and a word for the label."""
        if variable < self.size**2:
            return super().written(variable, symbol)
        return ("wrong", "right")[symbol]

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Right or wrong with equal chances."""
        right = rng.integers(2, size=size, dtype=np.int8)
        pool = np.arange(self._symbols)
        if self.strategy == "transfer":
            pool = pool[: self.size] if split == "train" else pool[self.size :]
        boards = np.empty((size, self.size**2), dtype=np.int8)
        ood = split == "ood"
        make_boards(
            rng.integers(0, 2**64, size=size, dtype=np.uint64), right, lines_of(self.size, BLOCKS[self.size]),
            self.size, pool, self.strategy == "cell", self.strategy in ("puzzle", "transfer"),
            1 if ood else -1, 0.0 if ood else FURTHER, SPLITS.index(split), boards,
        )  # fmt: skip
        solution = np.concatenate([boards, right[:, None]], axis=1)
        given = np.tile(np.arange(self.size**2 + 1) < self.size**2, (size, 1))
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether the label is right."""
        lines = lines_of(self.size, BLOCKS[self.size])
        groups = np.array([np.flatnonzero((lines == line).any(axis=1)) for line in range(3 * self.size)])
        distinct = np.diff(np.sort(solution[:, groups], axis=-1), axis=-1) > 0
        return distinct.all(axis=(1, 2)) == (solution[:, -1] == 1)
