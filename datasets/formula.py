"""The assignments of a CNF: how many different ones a split has, and some of them by SAT."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Int
from pysat.solvers import Solver as SatSolver

from .search.splits import share_of
from .task import SPLITS, Split

SATISFIED, ONE_BROKEN, BROKEN = 0, 1, -1  # what is wanted of an assignment, as the random walk counts it
WORDS = {
    SATISFIED: ("satisfy it", "fewer clauses, or longer ones"),
    ONE_BROKEN: ("break exactly one clause", "more clauses, or shorter ones"),
    BROKEN: ("break a clause", "more clauses, or shorter ones"),
}
# Different assignments of a kind that a split has at least: with fewer, each would stand ten times and more
# among the 150 that are satisfied in a test set of 300.
MIN_DISTINCT = 16


@dataclass(frozen=True)
class Formula:
    """A CNF over variables 1 to `variables`; splits have a quarter of the assignments each, by content."""

    variables: int
    clauses: tuple[tuple[int, ...], ...]

    def assignments(self, wanted: int) -> Iterator[tuple[int, ...]]:
        """Every assignment of a kind, as signed literals, each once."""
        if wanted == BROKEN:
            seen: set[tuple[int, ...]] = set()
            for clause in self.breakable:
                denied = {-literal for literal in clause}
                names = range(1, self.variables + 1)
                free = [(v,) if v in denied else (-v,) if -v in denied else (v, -v) for v in names]
                for model in itertools.product(*free):
                    if model not in seen:
                        seen.add(model)
                        yield model
            return
        with Sampler(self) as sampler:
            asked = [None] if wanted == SATISFIED else range(len(self.clauses))
            for clause in asked:
                while model := sampler.model(clause):
                    yield tuple(model)
                    sampler.exclude(model)

    @cached_property
    def breakable(self) -> list[tuple[int, ...]]:
        """The clauses that something breaks: all but those that hold a variable and its negation."""
        return [clause for clause in self.clauses if not any(-literal in clause for literal in clause)]

    def shortage(self, wanted: int, splits: Iterable[Split]) -> str | None:
        """Why some of these splits cannot be filled with a kind of assignments, if that is so."""
        splits = tuple(splits)
        found = count_distinct(self, wanted, splits)
        if all(found[split] >= MIN_DISTINCT for split in splits):
            return None
        kind, advice = WORDS[wanted]
        shares = ", ".join(f"{split} {count}" for split, count in found.items())
        return (
            f"assignments that {kind}: {sum(found.values())} ({shares}), but a split needs {MIN_DISTINCT} "
            f"different ones: take a formula with {advice}"
        )


@lru_cache(maxsize=64)
def count_distinct(formula: Formula, wanted: int, splits: tuple[Split, ...]) -> dict[Split, int]:
    """How many assignments of a kind each split has; counting ends when `splits` have `MIN_DISTINCT` each."""
    found: dict[Split, int] = dict.fromkeys(SPLITS, 0)
    for model in formula.assignments(wanted):
        found[SPLITS[share_of(as_bits(model))]] += 1
        if all(found[split] >= MIN_DISTINCT for split in splits):
            return found
    return found


def as_bits(model: Iterable[int]) -> Int[np.ndarray, " variables"]:
    """Truth values from signed literals in order."""
    return (np.fromiter(model, dtype=np.int64) > 0).astype(np.int8)


class Sampler:
    """One SAT solver that finds assignments of a formula; close it, or use it as a context.

    Each clause is guarded by a literal of its own, so that all but one may be asked to hold.
    """

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self._guards = [formula.variables + 1 + number for number in range(len(formula.clauses))]
        self._next = formula.variables + len(formula.clauses) + 1
        self._barren: set[int] = set()  # clauses that cannot be broken alone
        self._solver = SatSolver(name="glucose4")
        for guard, clause in zip(self._guards, formula.clauses, strict=True):
            self._solver.add_clause([-guard, *clause])

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(self, *_: object) -> None:
        self._solver.delete()

    def model(self, broken: int | None = None, *, also: tuple[int, ...] = ()) -> list[int] | None:
        """An assignment that satisfies the formula, or all of it but one clause; None where there is none."""
        held = [guard for number, guard in enumerate(self._guards) if number != broken]
        denied = [] if broken is None else [-literal for literal in self.formula.clauses[broken]]
        if not self._solver.solve(assumptions=[*held, *denied, *also]):
            return None
        model = self._solver.get_model() or []
        return [v if model[v - 1] > 0 else -v for v in range(1, self.formula.variables + 1)]

    def exclude(self, model: Iterable[int], unless: int | None = None) -> None:
        """Never finds this assignment again; with `unless`, only while that literal is assumed."""
        guard = [] if unless is None else [-unless]
        self._solver.add_clause([*guard, *(-literal for literal in model)])

    def draw(self, wanted: int, split: Split, seed: int) -> Int[np.ndarray, " variables"]:
        """An assignment of a kind in the split's quarter; the formula must have one there.

        What is found lies near a uniform assignment, whose values the solver prefers. Assignments in
        other quarters are set aside for the time of the draw, so that it ends.
        """
        rng = np.random.default_rng(seed)
        draw = self._broken if wanted == BROKEN else self._found
        self._next += 1  # the literal under which this draw sets assignments aside
        while True:
            bits = draw(wanted, rng)
            if share_of(bits) == SPLITS.index(split):
                return bits
            self.exclude(np.where(bits == 1, self._names, -self._names).tolist(), unless=self._next)

    @property
    def _names(self) -> Int[np.ndarray, " variables"]:
        return np.arange(1, self.formula.variables + 1)

    def _broken(self, wanted: int, rng: np.random.Generator) -> Int[np.ndarray, " variables"]:
        """A uniform assignment, but for a random clause that it denies."""
        del wanted
        bits = rng.integers(2, size=self.formula.variables, dtype=np.int8)
        denied = self.formula.breakable[rng.integers(len(self.formula.breakable))]
        bits[np.abs(denied) - 1] = np.asarray(denied) < 0
        return bits

    def _found(self, wanted: int, rng: np.random.Generator) -> Int[np.ndarray, " variables"]:
        """An assignment near a uniform one that satisfies every clause, or every clause but a random one."""
        bits = rng.integers(2, size=self.formula.variables, dtype=np.int8)
        self._solver.set_phases(np.where(bits == 1, self._names, -self._names).tolist())
        clauses = range(len(self.formula.clauses))
        order = [None] if wanted == SATISFIED else [c for c in clauses if c not in self._barren]
        for clause in rng.permutation(np.asarray(order, dtype=object)).tolist():
            if model := self.model(clause, also=(self._next,)):
                return as_bits(model)
            if clause is not None and self.model(clause) is None:
                self._barren.add(clause)
        raise ValueError("this formula has no assignment of this kind in this split")
