"""Your own task in one file: groundcheck check satnet --task examples/own_task.py:Median.

Three images of digits, and the question which of their values lies in the middle. What it has to keep is
tested by three lines with `groundcheck.testing` (docs/puzzles.md).
"""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from groundcheck.datasets import Layout, Problem, Puzzles, Task, draw_pictures, make_problem, shares
from groundcheck.datasets.task import SPLITS


@dataclass(frozen=True, kw_only=True)
class Median(Task):
    """The middle one of three digits.

    Args:
        digits: Symbols are 0 to `digits` − 1.
    """

    name: ClassVar[str] = "median"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "an example"

    digits: int = 10

    @cached_property
    def problem(self) -> Problem:
        """For every three digits a clause that says what lies in the middle."""
        frame = Problem(("first", "second", "third", "median"), (self.digits,) * 4)
        clauses = [
            [*(-frame.literal(v, s) for v, s in enumerate(three)), frame.literal(3, sorted(three)[1])]
            for three in itertools.product(range(self.digits), repeat=3)
        ]
        return make_problem(frame.variables, frame.domains, clauses)

    @property
    def classes(self):
        """Symbol k is shown by digit k."""
        return tuple(range(self.digits))

    @property
    def layout(self):
        """In a row."""
        return Layout(1, 4.5, ((0, 0), (0, 1), (0, 2), (0, 3.5)))

    def draw(self, split, size, rng):
        """Uniform over the split's quarter of all threes: no three digits are in two splits."""
        every = np.array(list(itertools.product(range(self.digits), repeat=3)), dtype=np.int8)
        own = every[shares(every) == SPLITS.index(split)]
        seen = own[rng.integers(len(own), size=size)]
        solution = np.concatenate([seen, np.sort(seen, axis=1)[:, 1:2]], axis=1)
        given = np.tile([True, True, True, False], (size, 1))
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution):
        """Whether the last is the middle one of the first three."""
        return np.sort(solution[:, :3], axis=1)[:, 1] == solution[:, 3]
