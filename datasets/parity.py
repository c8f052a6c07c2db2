"""Parity of a chain of bits."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .problem import Problem, make_problem
from .search.splits import shares
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

MIN_DISJOINT_BITS = 12  # bits from which on there are puzzles enough for splits that are disjoint by content
DENSE = 0.75  # share of ones from which on a chain is held out
ROW = 10  # bits in a row when drawn


@dataclass(frozen=True, kw_only=True)
class Parity(Task):
    """Whether the number of ones among `length` images of 0 and 1 is odd.

    The rules are a chain of exclusive ors with one auxiliary literal per link. Bits are uniform among chains
    with less than three quarters ones; the ood split has the others. From 12 bits on the splits are disjoint
    by content; shorter ones differ in their images. Reading every 0 as 1 and every 1 as 0 is a shortcut
    exactly where the length is even. Source: Wang et al. 2019 (SATNet's parity chain, given as bits there).

    Args:
        length: How many bits, 2 to 40.
    """

    name: ClassVar[str] = "parity"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Wang et al. 2019, arXiv:1905.12149"

    length: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.length <= 40:
            raise UsageError(f"length={self.length}: parity takes 2 to 40 bits")

    @cached_property
    def problem(self) -> Problem:
        """The bits, and their parity."""
        names = (*(f"bit{i}" for i in range(1, self.length + 1)), "parity")
        frame = Problem(names, (2,) * (self.length + 1))
        return make_problem(frame.variables, frame.domains, self._clauses(frame))

    def _clauses(self, frame: Problem) -> Iterator[list[int]]:
        running = frame.literal(0, 1)
        for i in range(1, self.length):
            bit = frame.literal(i, 1)
            last = i == self.length - 1
            after = frame.literal(self.length, 1) if last else frame.indicators + i
            for a, b in itertools.product((1, -1), repeat=2):  # after ⇔ running ⊕ bit
                yield [-a * running, -b * bit, after if a != b else -after]
            running = after

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by digit k."""
        return 0, 1

    @property
    def layout(self) -> Layout:
        """Rows of ten bits, and to the right of the last row their parity."""
        bits = tuple(divmod(i, ROW) for i in range(self.length))
        row, after = bits[-1][0], bits[-1][1] + 1
        return Layout(
            row + 1,
            max(min(ROW, self.length), after + 2.2),
            (*bits, (row, after + 1.2)),
            signs=((row + 0.5, after + 0.6, "⊕ ="),),
            note="⊕ 1 where the ones are odd in number",
        )

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Chains of the split; dense ones have a uniformly drawn number of ones."""
        dense = ceil(DENSE * self.length)
        kept: list[Int[np.ndarray, "puzzles bits"]] = []
        while (missing := size - sum(map(len, kept))) > 0 or not kept:
            shape = (8 * missing + 16, self.length)
            if split == "ood":
                ones = rng.integers(dense, self.length + 1, size=shape[0])
                bits = rng.permuted(np.arange(self.length) < ones[:, None], axis=1).astype(np.int8)
            else:
                bits = rng.integers(2, size=shape, dtype=np.int8)
                bits = bits[bits.sum(axis=1) < dense]
            if self.length >= MIN_DISJOINT_BITS and split != "ood":
                bits = bits[shares(bits) == SPLITS.index(split)]
            kept.append(bits[:missing])
        bits = np.concatenate(kept)
        solution = np.concatenate([bits, bits.sum(axis=1, keepdims=True, dtype=np.int8) % 2], axis=1)
        given = np.tile(np.arange(self.length + 1) < self.length, (size, 1))
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether the parity is that of the bits."""
        return solution[:, :-1].sum(axis=1, dtype=np.int64) % 2 == solution[:, -1]
