"""Sums of two digits where only some pairs are seen in training, so that other readings fit as well."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .problem import Problem, make_problem
from .task import Layout, Puzzles, Split, Task, draw_pictures


@dataclass(frozen=True, kw_only=True)
class PairSum(Task):
    """Two digits are seen, their sum is to be found; training shows a few pairs, in either order.

    The ood split shows every other pair, which finds out who misread the symbols in a way that fits the
    training pairs. There are few puzzles, so the other splits differ in their images. Puzzles are uniform
    over the ordered pairs of a split.
    """

    sizes: ClassVar[dict[Split, int]]  # examples per split as published
    digits: ClassVar[int]  # symbols are 0 … digits − 1
    pairs: ClassVar[tuple[tuple[int, int], ...]]  # seen in training, each in either order

    def _pairs(self, split: Split) -> Int[np.ndarray, "pairs 2"]:
        seen = {*self.pairs, *((b, a) for a, b in self.pairs)}
        every = itertools.product(range(self.digits), repeat=2)
        return np.array([pair for pair in every if (pair in seen) == (split != "ood")])

    @cached_property
    def problem(self) -> Problem:
        """Two digits and their sum; the rules hold for every pair, seen in training or not."""
        frame = Problem(("first", "second", "sum"), (self.digits, self.digits, 2 * self.digits - 1))
        clauses = [
            [-frame.literal(0, a), -frame.literal(1, b), frame.literal(2, a + b)]
            for a, b in itertools.product(range(self.digits), repeat=2)
        ]
        return make_problem(frame.variables, frame.domains, clauses)

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by digit k."""
        return tuple(range(self.digits))

    @property
    def layout(self) -> Layout:
        """Both digits, and the sum to the right."""
        return Layout(1, 4.2, ((0, 0), (0, 1.6), (0, 3.2)), signs=((0.5, 1.3, "+"), (0.5, 2.9, "=")))

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Uniform over the ordered pairs of the split."""
        shown = rng.choice(self._pairs(split), size=size)
        solution = np.concatenate([shown, shown.sum(axis=1, keepdims=True)], axis=1).astype(np.int8)
        given = np.tile(np.array([True, True, False]), (size, 1))
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether the digits add up."""
        return solution[:, 0].astype(np.int64) + solution[:, 1] == solution[:, 2]


@dataclass(frozen=True, kw_only=True)
class EvenOdd(PairSum):
    """The sum of two digits, trained on eight pairs that leave the digits unidentified.

    36 maps of the ten digits into 0 … 9 fit all training sums, the true one included: 6 for the even
    digits times 6 for the odd ones. Source: Marconato et al. 2023 (arXiv:2305.19951), as in rsbench
    (Bortolotti et al. 2024, arXiv:2406.10368).
    """

    name: ClassVar[str] = "evenodd"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Marconato et al. 2023, arXiv:2305.19951; rsbench, arXiv:2406.10368"
    sizes: ClassVar[dict[Split, int]] = {"train": 6720, "validation": 1920, "test": 960, "ood": 5040}
    digits: ClassVar[int] = 10
    pairs: ClassVar[tuple[tuple[int, int], ...]] = (
        (0, 6), (2, 8), (4, 6), (4, 8), (1, 5), (3, 7), (1, 9), (3, 9),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Half(PairSum):
    """The sum of two of the digits 0 to 4: training pins 0 and 1 down, but not 2, 3 and 4.

    3 maps of the five digits into 0 … 4 fit all training sums, the true one included. Source: Marconato
    et al. 2024 (BEARS, arXiv:2402.12240), as in rsbench (Bortolotti et al. 2024, arXiv:2406.10368).
    """

    name: ClassVar[str] = "half"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Marconato et al. 2024, arXiv:2402.12240; rsbench, arXiv:2406.10368"
    sizes: ClassVar[dict[Split, int]] = {"train": 2940, "validation": 840, "test": 420, "ood": 1080}
    digits: ClassVar[int] = 5
    pairs: ClassVar[tuple[tuple[int, int], ...]] = ((0, 0), (0, 1), (2, 3), (2, 4))
