"""MNIST mapping: the easiest instance of symbol grounding."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .problem import Problem, make_problem
from .task import Layout, Puzzles, Shift, Split, Task, as_order, draw_pictures


@dataclass(frozen=True)
class Mapping(Task):
    """One image in, one of `symbols` outputs out, under a bijection.

    The bijection is part of the rules: a solver that is given rules gets it, one that learns them has to find
    it together with the symbols. There are only `symbols` puzzles, so the ood split has none of its own: it
    shows the test images slanted. Source: Chang et al. 2020 (§5), who propose it as a sanity check for any
    differentiable symbolic solver.

    Args:
        symbols: How many symbols, 2 to 10.
        bijection: The output of each symbol; "identity"; or None to draw it from the seed of the trial.
    """

    name: ClassVar[str] = "mapping"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Chang et al. 2020, arXiv:2312.11522"
    shift: ClassVar[Shift] = "images"

    symbols: int = 10
    bijection: tuple[int, ...] | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.symbols <= 10:
            raise UsageError(f"symbols={self.symbols}: mapping takes 2 to 10 symbols")
        if self.bijection not in (None, "identity"):
            order = as_order(self.bijection, "bijection", self.symbols, "say 'identity', ")
            object.__setattr__(self, "bijection", order)

    @cached_property
    def _outputs(self) -> Int[np.ndarray, " symbols"]:
        if isinstance(self.bijection, tuple):
            return np.asarray(self.bijection)
        return np.arange(self.symbols)

    @cached_property
    def problem(self) -> Problem:
        """Two variables, the image's symbol and the output, joined by the bijection."""
        frame = Problem(("image", "output"), (self.symbols, self.symbols))
        clauses = [
            [-frame.literal(0, symbol), frame.literal(1, int(output))]
            for symbol, output in enumerate(self._outputs)
        ]
        return make_problem(frame.variables, frame.domains, clauses)

    @property
    def classes(self) -> tuple[int, ...]:
        """Symbol k is shown by digit k."""
        return tuple(range(self.symbols))

    @property
    def layout(self) -> Layout:
        """The image, and its output to the right."""
        return Layout(1, 2.7, ((0, 0), (0, 1.7)), signs=((0.5, 1.35, "→"),), note="→ is mapped to")

    def drawn(self, seed: int) -> "Mapping":
        """With its bijection drawn from `seed`, unless one was fixed."""
        if self.bijection is not None:
            return self
        order = self.stream("train", seed, 1).permutation(self.symbols)
        return replace(self, bijection=tuple(order.tolist()))

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Symbols uniform; the splits differ in their images, as there are only `symbols` puzzles."""
        del split
        symbol = rng.integers(self.symbols, size=size)
        given = np.tile(np.array([True, False]), (size, 1))
        solution = np.stack([symbol, self._outputs[symbol]], axis=1).astype(np.int8)
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether the output is the bijection of the symbol."""
        return self._outputs[solution[:, 0]] == solution[:, 1]
