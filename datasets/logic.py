"""Is a formula satisfied? Any CNF file, or a random one, over images of 0 and 1."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int
from pysat.solvers import Solver as SatSolver

from .dimacs import read_dimacs
from .logic_walk import make_assignments
from .problem import Problem, make_problem
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

ENOUGH = 12  # variables from which on there are puzzles enough for splits that are disjoint by content
ATTEMPTS = 10_000  # walks for one assignment before the formula is called unfit
ROW = 10  # images in a row when drawn


@dataclass(frozen=True, kw_only=True)
class Logic(Task):
    """Images of 0 and 1 are the truth values of a CNF's variables; is the CNF satisfied?

    Bring your own knowledge: `file` names a CNF file in DIMACS format. Without one, a random `width`-CNF is
    drawn from the number `formula`: `clauses` clauses over distinct variables of `variables`, signs uniform.
    Half of the assignments satisfy it, found by a random walk; the others are uniform. In the ood split
    the others are near misses that break exactly one clause. From 12 variables on the splits are disjoint
    by content; below, they differ in their images. Source: rsbench's MNIST-Logic (Bortolotti et al. 2024).
    """

    name: ClassVar[str] = "logic"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Bortolotti et al. 2024 (rsbench), arXiv:2406.10368"

    file: str | None = None
    variables: int = 16
    clauses: int = 32
    width: int = 3
    formula: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.file is None and not 1 <= self.width <= self.variables:
            raise ValueError(f"width={self.width}: clauses have 1 to variables={self.variables} literals")
        if self.clauses < 1 or self.formula < 0:
            raise ValueError(f"clauses={self.clauses}, formula={self.formula}: at least 1 clause, and 0")
        with SatSolver(name="cadical153", bootstrap_with=self.cnf[1]) as solver:
            if not solver.solve():
                raise ValueError(f"nothing satisfies {self._which}: every label would be the same")

    @property
    def _which(self) -> str:
        if self.file is not None:
            return self.file
        return f"random formula {self.formula} with {self.clauses} clauses over {self.variables} variables"

    @cached_property
    def cnf(self) -> tuple[int, list[list[int]]]:
        """Number of variables, and the clauses."""
        if self.file is not None:
            return read_dimacs(Path(self.file))
        rng = np.random.default_rng(np.random.SeedSequence((self.formula, self.variables, self.width)))
        clauses = [
            (1 + rng.choice(self.variables, self.width, replace=False)) * rng.choice((-1, 1), self.width)
            for _ in range(self.clauses)
        ]
        return self.variables, [clause.tolist() for clause in clauses]

    @cached_property
    def problem(self) -> Problem:
        """The truth values, and whether they satisfy the formula; an auxiliary literal per clause."""
        count, _ = self.cnf
        names = (*(f"x{i}" for i in range(1, count + 1)), "satisfied")
        frame = Problem(names, (2,) * (count + 1))
        return make_problem(frame.variables, frame.domains, self._rules(frame))

    def _rules(self, frame: Problem) -> Iterator[list[int]]:
        count, clauses = self.cnf
        label = frame.literal(count, 1)
        broken = [frame.indicators + 1 + number for number in range(len(clauses))]
        for clause, fails in zip(clauses, broken, strict=True):
            literals = [frame.literal(abs(literal) - 1, int(literal > 0)) for literal in clause]
            yield [fails, *literals]
            yield from ([-fails, -literal] for literal in literals)
            yield [-fails, -label]
        yield [label, *broken]

    @property
    def classes(self) -> tuple[int, ...]:
        """False is shown by digit 0, true by digit 1."""
        return 0, 1

    @property
    def layout(self) -> Layout:
        """Rows of ten images, and the label at the end."""
        count = self.cnf[0] + 1
        places = tuple(divmod(i, ROW) for i in range(count))
        return Layout((count - 1) // ROW + 1, min(ROW, count) + 0.5, places)  # the label is a word

    def written(self, variable: int, symbol: int) -> str:
        """Digits, and a word for the label."""
        if variable < self.cnf[0]:
            return super().written(variable, symbol)
        return ("false", "true")[symbol]

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Satisfied or not with equal chances. Raises `ValueError` where a formula admits hardly any."""
        count, clauses = self.cnf
        padded = np.zeros((len(clauses), max(map(len, clauses))), dtype=np.int64)
        for row, clause in zip(padded, clauses, strict=True):
            row[: len(clause)] = clause
        satisfied = rng.integers(2, size=size, dtype=np.int8)
        wanted = np.where(satisfied == 1, 0, 1 if split == "ood" else -1)
        share = SPLITS.index(split) if count >= ENOUGH else -1
        bits = np.empty((size, count), dtype=np.int8)
        seeds = rng.integers(0, 2**64, size=size, dtype=np.uint64)
        made = make_assignments(seeds, padded, wanted, share, 100 * count, ATTEMPTS, bits)
        if made < size:
            kinds = {0: "satisfies it", 1: "breaks exactly one clause", -1: "breaks a clause"}
            kind = kinds[int(wanted[made])]
            raise ValueError(f"{self._which}: {ATTEMPTS:,} random walks found nothing new that {kind}")
        given = np.tile(np.arange(count + 1) < count, (size, 1))
        solution = np.concatenate([bits, satisfied[:, None]], axis=1)
        return Puzzles(solution, given, draw_pictures(given, rng))

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether the label is right."""
        holds = np.ones(len(solution), dtype=bool)
        for clause in self.cnf[1]:
            literals = np.asarray(clause)
            holds &= (solution[:, np.abs(literals) - 1] == (literals > 0)).any(axis=1)
        return holds == (solution[:, -1] == 1)
