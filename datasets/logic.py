"""Is a formula satisfied? Any CNF file, or a random one, over images of 0 and 1."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int
from pysat.solvers import Solver as SatSolver

from .dimacs import read_dimacs
from .errors import UsageError
from .formula import BROKEN, ONE_BROKEN, SATISFIED, Formula, Sampler
from .problem import Problem, make_problem
from .search.walk import make_assignments
from .task import SPLITS, Layout, Puzzles, Split, Task, draw_pictures

MIN_DISJOINT_VARIABLES = (
    12  # variables from which on there are puzzles enough for splits that are disjoint by content
)
# Clauses looked at by random walks for one assignment before SAT finds it and all others of its kind.
BUDGET = 100_000_000
ROW = 10  # images in a row when drawn


@dataclass(frozen=True, kw_only=True)
class Logic(Task):
    """Images of 0 and 1 are the truth values of a CNF's variables; is the CNF satisfied?

    Bring your own knowledge as a DIMACS file, or have a CNF drawn: distinct variables in each clause, signs
    uniform. Half of the assignments satisfy it, found by a random walk, or by SAT where it finds none; the
    others are uniform, and in the ood split near misses that break exactly one clause.

    From 12 variables on the splits are disjoint by content, and a formula that leaves one with fewer than 16
    different assignments of a kind is refused. Below, the ood split gets a quarter of the assignments that
    satisfy the formula and a quarter of the nearest misses to itself (never the last of either), and the
    other splits differ in their images. Source: rsbench's MNIST-Logic (Bortolotti et al. 2024).

    Args:
        file: A CNF file in DIMACS format; None draws the CNF from the options below.
        lenient: Whether a file without a header, or with another number of clauses than its header says, is
            read all the same.
        variables: How many variables the drawn CNF has.
        clauses: How many clauses.
        width: Literals of a clause, 1 to `variables`.
        formula: The number that the CNF is drawn from, 0 or more.
    """

    name: ClassVar[str] = "logic"
    version: ClassVar[int] = 3
    source: ClassVar[str] = "Bortolotti et al. 2024 (rsbench), arXiv:2406.10368"

    file: str | None = None
    lenient: bool = False
    variables: int = 16
    clauses: int = 32
    width: int = 3
    formula: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, least in (("variables", 1), ("clauses", 1), ("formula", 0)):
            if getattr(self, option) < least:
                raise UsageError(f"{option}={getattr(self, option)}: at least {least}")
        if self.file is None and not 1 <= self.width <= self.variables:
            raise UsageError(f"width={self.width}: clauses have 1 to variables={self.variables} literals")
        with SatSolver(name="cadical153", bootstrap_with=self.cnf[1]) as solver:
            if not solver.solve():
                raise UsageError(f"nothing satisfies {self._which}: every label would be the same")
        if all(any(-literal in clause for literal in clause) for clause in self.cnf[1]):
            raise UsageError(f"everything satisfies {self._which}: every label would be the same")
        for wanted in (SATISFIED, BROKEN):
            self._require(wanted, ("train", "validation", "test"))

    def _require(self, wanted: int, splits: tuple[Split, ...]) -> None:
        """Raises `UsageError` where one of these splits has too few different assignments of a kind."""
        if self.cnf[0] < MIN_DISJOINT_VARIABLES:
            return
        if shortage := self.assignments.shortage(wanted, splits):
            raise UsageError(f"{self._which}: {shortage}")

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 of the CNF file."""
        if self.file is None:
            return {}
        return {"file": hashlib.sha256(Path(self.file).read_bytes()).hexdigest()}

    @property
    def _which(self) -> str:
        if self.file is not None:
            return self.file
        return f"random formula {self.formula} with {self.clauses} clauses over {self.variables} variables"

    @cached_property
    def cnf(self) -> tuple[int, list[list[int]]]:
        """Number of variables, and the clauses."""
        if self.file is not None:
            return read_dimacs(Path(self.file), lenient=self.lenient)
        rng = np.random.default_rng(np.random.SeedSequence((self.formula, self.variables, self.width)))
        clauses = [
            (1 + rng.choice(self.variables, self.width, replace=False)) * rng.choice((-1, 1), self.width)
            for _ in range(self.clauses)
        ]
        return self.variables, [clause.tolist() for clause in clauses]

    @cached_property
    def assignments(self) -> Formula:
        """The clauses, as what assignments are counted and drawn from."""
        count, clauses = self.cnf
        return Formula(count, tuple(map(tuple, clauses)))

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
        """Rows of ten images, and to the right of the last row the label, a word."""
        count = self.cnf[0]
        images = tuple(divmod(i, ROW) for i in range(count))
        row, after = images[-1][0], images[-1][1] + 1
        return Layout(
            row + 1,
            max(min(ROW, count), after + 2.4),
            (*images, (row, after + 0.9)),
            signs=((row + 0.5, after + 0.45, "→"),),
            note="→ whether the formula is satisfied",
        )

    def written(self, variable: int, symbol: int) -> str:
        """Digits, and a word for the label."""
        if variable < self.cnf[0]:
            return super().written(variable, symbol)
        return ("false", "true")[symbol]

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Satisfied or not with equal chances. Raises `UsageError` where a formula admits hardly any."""
        count = self.cnf[0]
        satisfied = rng.integers(2, size=size, dtype=np.int8)
        bits = (self._chosen if count < MIN_DISJOINT_VARIABLES else self._walked)(split, satisfied, rng)
        given = np.tile(np.arange(count + 1) < count, (size, 1))
        solution = np.concatenate([bits, satisfied[:, None]], axis=1)
        return Puzzles(solution, given, draw_pictures(given, rng))

    @cached_property
    def _every(self) -> tuple[Int[np.ndarray, "assignments bits"], Int[np.ndarray, " assignments"]]:
        """All assignments, and how many clauses each breaks."""
        count, clauses = self.cnf
        bits = (np.arange(2**count)[:, None] >> np.arange(count) & 1).astype(np.int8)
        return bits, np.sum([~_holds(clause, bits) for clause in clauses], axis=0)

    def _chosen(
        self, split: Split, satisfied: Int[np.ndarray, " puzzles"], rng: np.random.Generator
    ) -> Int[np.ndarray, "puzzles bits"]:
        """Uniform over the assignments of the split, of which there are few."""
        every, broken = self._every
        held = np.zeros(len(every), dtype=bool)
        order = np.random.default_rng(len(every)).permutation(len(every))  # the same for every seed
        nearest = broken[broken > 0].min()
        for kind in (0, nearest):
            alike = order[broken[order] == kind]
            held[alike[: min(max(1, len(alike) // 4), len(alike) - 1)]] = True
        chosen = np.empty(len(satisfied), dtype=np.int64)
        for label, kind, others in ((1, broken == 0, broken == 0), (0, broken == nearest, broken > 0)):
            pool = kind & held if split == "ood" else others & ~held
            if not pool.any():  # the only one of its kind
                pool = kind
            rows = satisfied == label
            chosen[rows] = rng.choice(np.flatnonzero(pool), size=int(rows.sum()))
        return every[chosen]

    def _walked(
        self, split: Split, satisfied: Int[np.ndarray, " puzzles"], rng: np.random.Generator
    ) -> Int[np.ndarray, "puzzles bits"]:
        """Assignments of the split's share, by random walks; by SAT those of a kind that a walk gave up."""
        count, clauses = self.cnf
        if split == "ood":
            for kind in (SATISFIED, ONE_BROKEN):
                self._require(kind, ("ood",))
        padded = np.zeros((len(clauses), max(map(len, clauses))), dtype=np.int64)
        for row, clause in zip(padded, clauses, strict=True):
            row[: len(clause)] = clause
        wanted = np.where(satisfied == 1, SATISFIED, ONE_BROKEN if split == "ood" else BROKEN)
        bits = np.empty((len(satisfied), count), dtype=np.int8)
        seeds = rng.integers(0, 2**64, size=len(satisfied), dtype=np.uint64)
        left = np.arange(len(satisfied))
        while len(left):
            found = np.empty((len(left), count), dtype=np.int8)
            share, budget = SPLITS.index(split), BUDGET // len(clauses)
            made = make_assignments(seeds[left], padded, wanted[left], share, 100 * count, budget, found)
            bits[left[:made]] = found[:made]
            if made == len(left):
                break
            kind, left = int(wanted[left[made]]), left[made:]
            with Sampler(self.assignments) as sampler:
                for row in left[wanted[left] == kind]:
                    bits[row] = sampler.draw(kind, split, int(seeds[row]))
            left = left[wanted[left] != kind]
        return bits

    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Whether the label is right."""
        holds = np.ones(len(solution), dtype=bool)
        for clause in self.cnf[1]:
            holds &= _holds(clause, solution)
        return holds == (solution[:, -1] == 1)


def _holds(
    clause: list[int], bits: Int[np.ndarray, "assignments variables"]
) -> Bool[np.ndarray, " assignments"]:
    """Which assignments satisfy a clause."""
    literals = np.asarray(clause)
    return (bits[:, np.abs(literals) - 1] == (literals > 0)).any(axis=1)
