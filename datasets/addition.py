"""Addition of two numbers, digit by digit."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .problem import Problem, make_problem
from .search.splits import shares
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

# Pairs (a, b) held out of training, by a − b modulo 10: with a pair its other order, of each digit two of ten
# partners, and never a + a, which pins the symbols down.
HELD_OUT = (3, 7)
LONGEST = 15  # digits, so that sums fit 64-bit integers with room to spare


@dataclass(frozen=True, kw_only=True)
class Addition(Task):
    """Two numbers of `digits` digits are seen, the digits of their sum are to be found.

    The rules go digit by digit with one auxiliary literal per carry, so they grow with the number of digits
    and not with the number of sums. Pairs of digits (a, b) with a − b ≡ 3 or 7 modulo 10 stand above each
    other in the ood split alone, where no others do: the symbols are known, their combinations are new. From
    two digits on the other splits are disjoint by content; with one digit there are only 80 puzzles, and they
    differ in their images. Source: Manhaeve et al. 2018 (DeepProbLog).

    Args:
        digits: Of each of the two numbers, 1 to 15.
    """

    name: ClassVar[str] = "addition"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Manhaeve et al. 2018, arXiv:1805.10872"

    digits: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.digits <= LONGEST:
            raise UsageError(f"digits={self.digits}: numbers have 1 to {LONGEST} digits")

    @cached_property
    def problem(self) -> Problem:
        """Digits of both numbers and of the sum, most significant first; the sum leads with 0 or 1."""
        n = self.digits
        names = [f"{number}{place}" for number in "ab" for place in range(n, 0, -1)]
        names += [f"sum{place}" for place in range(n + 1, 0, -1)]
        frame = Problem(tuple(names), (*(10,) * (2 * n), 2, *(10,) * n))
        return make_problem(frame.variables, frame.domains, self._clauses(frame))

    def _clauses(self, frame: Problem) -> Iterator[list[int]]:
        n = self.digits
        # What is carried into place p (from the right); out of the last place comes the leading digit.
        carries = [frame.indicators + p for p in range(1, n)] + [frame.literal(2 * n, 1)]
        for p in range(n):
            a, b, total = n - 1 - p, 2 * n - 1 - p, 3 * n - p
            for x, y, carried in itertools.product(range(10), range(10), range(2 if p else 1)):
                case = [-frame.literal(a, x), -frame.literal(b, y)]
                if p:
                    case.append(-carries[p - 1] if carried else carries[p - 1])
                over, digit = divmod(x + y + carried, 10)
                yield [*case, frame.literal(total, digit)]
                yield [*case, carries[p] if over else -carries[p]]

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by digit k."""
        return tuple(range(10))

    @property
    def layout(self) -> Layout:
        """One number above the other, and the sum below."""
        n = self.digits
        numbers = [(row, column) for row in range(2) for column in range(1, n + 1)]
        return Layout(
            3.3,
            n + 1,
            (*numbers, *((2.3, column) for column in range(n + 1))),
            signs=((1.5, 0.5, "+"),),
            strokes=((2.15, 0, 2.15, n + 1),),
        )

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Digits uniform over the pairs of the split."""
        n = self.digits
        differences = [d for d in range(10) if (d in HELD_OUT) == (split == "ood")]
        kept: list[Int[np.ndarray, "puzzles digits"]] = []
        while (missing := size - sum(map(len, kept))) > 0 or not kept:
            first = rng.integers(10, size=(4 * missing + 16, n))
            apart = rng.choice(differences, size=first.shape)
            numbers = np.concatenate([first, (first - apart) % 10], axis=1)
            if n > 1:
                numbers = numbers[shares(numbers) == SPLITS.index(split)]
            kept.append(numbers[:missing])
        numbers = np.concatenate(kept)
        total = _value(numbers[:, :n]) + _value(numbers[:, n:])
        sums = total[:, None] // 10 ** np.arange(n, -1, -1) % 10
        solution = np.concatenate([numbers, sums], axis=1).astype(np.int8)
        given = np.tile(np.arange(3 * n + 1) < 2 * n, (size, 1))
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether the numbers add up."""
        n = self.digits
        return _value(solution[:, :n]) + _value(solution[:, n : 2 * n]) == _value(solution[:, 2 * n :])


def _value(digits: Int[np.ndarray, "puzzles digits"]) -> Int[np.ndarray, " puzzles"]:
    return digits.astype(np.int64) @ 10 ** np.arange(digits.shape[1] - 1, -1, -1)
