"""How many relabellings of the symbols the training puzzles leave open, exactly."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int
from pysat.formula import CNF
from pysat.solvers import Solver as SatSolver

from ...datasets.task import BLOCK, Puzzles, Task

MAX_RELABELLINGS = 20_000  # relabellings that are found one by one, up to symmetry
SHOWN_MAPS = 3  # in a report


@dataclass(frozen=True)
class Identifiability:
    """The relabellings that training cannot tell from the truth.

    A relabelling sends each symbol that images show to the symbol it is read as; it is consistent if on
    every training puzzle the symbols read, with the known answers, obey the rules.
    """

    count: int  # consistent relabellings; the identity is always one
    complete: bool  # False where more than `MAX_RELABELLINGS` were found, and counting stopped
    possible: Bool[np.ndarray, "true predicted"]  # what some consistent relabelling reads each symbol as
    examples: tuple[tuple[int, ...], ...]  # a few relabellings other than the identity
    puzzles: int
    refinements: int  # puzzles that the search needed as clauses

    @property
    def fixed(self) -> list[int]:
        """Symbols that every consistent relabelling reads as themselves."""
        return [s for s, row in enumerate(self.possible) if row.sum() == 1 and row[s]]

    @property
    def unique(self) -> bool:
        """Whether the identity is the only one."""
        return self.complete and self.count == 1

    @property
    def sentence(self) -> str:
        """What was counted, and what follows."""
        many = f"{self.count:,}" if self.complete else f"at least {self.count:,}"
        if self.unique:
            return f"the identity is the only relabelling that fits all {self.puzzles:,} training puzzles"
        fixed = ", ".join(map(str, self.fixed)) or "none"
        message = f"{many} relabellings fit all {self.puzzles:,} training puzzles (fixed symbols: {fixed})"
        instances = "; ".join(_written(example) for example in self.examples)
        return f"{message}, for instance {instances}" if instances else message


def _written(relabelling: tuple[int, ...]) -> str:
    return " ".join(f"{true}→{read}" for true, read in enumerate(relabelling) if true != read)


def count_relabellings(task: Task, puzzles: Puzzles, most: int = MAX_RELABELLINGS) -> Identifiability:
    """Counts, exactly, the relabellings that satisfy the rules on every puzzle, answers known.

    A SAT solver proposes relabellings over K² variables; each is held against all puzzles at once, by the
    task's own `verify`. One that fits is counted and excluded. One that does not is refuted by a puzzle,
    whose rules, with the symbols of its images replaced by the variables of the relabelling, are
    then added as clauses. So only as many puzzles become clauses as are needed. Where the rules are the
    same under every renaming of the symbols that images show, one relabelling of each class is counted
    for all (ViSudo: all permutations are consistent, 9! of them).

    The identity counts. Source of the notion: Marconato et al. 2023, arXiv:2305.19951.
    """
    search = _Search(task, puzzles)
    return search.count(most)


def _distinct(
    puzzles: Puzzles,
) -> tuple[Int[np.ndarray, "puzzles variables"], Bool[np.ndarray, "puzzles variables"]]:
    """Solution and shown variables of each different puzzle, in order of appearance."""
    shown = puzzles.picture >= 0
    content = np.ascontiguousarray(np.where(shown, puzzles.solution, ~puzzles.solution))  # ~s is −1 − s
    rows = content.view(np.dtype((np.void, content.strides[0])))[:, 0]
    first = np.sort(np.unique(rows, return_index=True)[1])
    return puzzles.solution[first], shown[first]


class _Search:
    def __init__(self, task: Task, puzzles: Puzzles) -> None:
        if task.problem.rules is None:
            raise ValueError("relabellings are counted against rules, and this problem has none")
        self.task, self.problem, self.rules = task, task.problem, task.problem.rules
        self.total = len(puzzles)
        self.symbols = len(task.classes)
        self.solution, self.shown = _distinct(puzzles)
        self.fresh = itertools.count(1 + self.symbols**2)  # variables above those of the relabelling

    def variable(self, true: int, read: int) -> int:
        return 1 + true * self.symbols + read

    @cached_property
    def symmetric(self) -> bool:
        """Whether any renaming of the symbols of the shown variables leaves the rules as they are.

        Only where the same variables are shown in every puzzle, so that answers are not renamed with them.
        Two generators of all permutations are tried on the clauses.
        """
        where = self.shown.any(axis=0)
        shown: list[int] = np.flatnonzero(where).tolist()
        if (self.shown != where).any() or any(self.problem.domains[v] != self.symbols for v in shown):
            return False
        joint = self._joint_clauses()
        swap = [1, 0, *range(2, self.symbols)]
        cycle = [*range(1, self.symbols), 0]
        return joint is not None and all(self._keeps(joint, shown, renaming) for renaming in (swap, cycle))

    def _joint_clauses(self) -> set[frozenset[int]] | None:
        """The rules without those about one variable alone, which say that it takes one of its symbols.

        How that is encoded need not be symmetric. None where they forbid a symbol.
        """
        clauses = {frozenset(clause) for clause in self.rules.clauses}
        variable = np.repeat(np.arange(len(self.problem.domains)), self.problem.domains)
        own = {
            clause: {int(variable[abs(x) - 1]) for x in clause if not self._auxiliary(x)}
            for clause in clauses
        }
        touched: dict[int, set[int]] = {}  # the variables that an auxiliary is joined to
        changed = True
        while changed:
            changed = False
            for clause in clauses:
                auxiliaries = [abs(x) for x in clause if self._auxiliary(x)]
                reach = set().union(own[clause], *(touched.get(x, set()) for x in auxiliaries))
                for x in auxiliaries:
                    changed |= touched.setdefault(x, set()) != reach
                    touched[x] = touched[x] | reach
        alone = {
            clause
            for clause in clauses
            if len(set().union(own[clause], *(touched[abs(x)] for x in clause if self._auxiliary(x)))) == 1
        }
        with SatSolver(name="cadical153", bootstrap_with=[list(clause) for clause in alone]) as solver:
            literals = range(1, self.problem.indicators + 1)
            if not all(solver.solve(assumptions=[literal]) for literal in literals):
                return None
        return clauses - alone

    def _auxiliary(self, literal: int) -> bool:
        return abs(literal) > self.problem.indicators

    def _keeps(self, clauses: set[frozenset[int]], shown: list[int], renaming: list[int]) -> bool:
        """Whether the clauses are mapped to themselves; auxiliary variables go where their clauses go."""
        image: dict[int, int] = {}
        for v in shown:
            for symbol, other in enumerate(renaming):
                one, two = self.problem.literal(v, symbol), self.problem.literal(v, other)
                image[one], image[-one] = two, -two
        homes: dict[int, set[frozenset[int]]] = {}  # of each auxiliary, its clauses: what they say of others
        for clause in clauses:
            known = frozenset(x for x in clause if not self._auxiliary(x))
            for x in clause - known:
                homes.setdefault(x, set()).add(known)
        by_home = {(frozenset(homes[x]), frozenset(homes.get(-x, ()))): x for x in homes}
        for x in homes:
            one, other = (
                frozenset(frozenset(image.get(y, y) for y in known) for known in homes.get(side, ()))
                for side in (x, -x)
            )
            if (one, other) not in by_home:
                return False
            image[x] = by_home[one, other]
        return {frozenset(image.get(x, x) for x in clause) for clause in clauses} == clauses

    def count(self, most: int) -> Identifiability:
        """The refinement loop."""
        formula = CNF(from_clauses=[clause for true in range(self.symbols) for clause in self.one_of(true)])
        possible = np.zeros((self.symbols, self.symbols), dtype=bool)
        examples: list[tuple[int, ...]] = []
        found, classes, refinements = 0, 0, 0
        with SatSolver(name="cadical153", bootstrap_with=formula) as solver:
            if self.symmetric:
                for clause in self.representatives():
                    solver.add_clause(clause)
            while classes < most and solver.solve():
                relabelling = self.read(solver.get_model() or [])
                culprit = self.refuted_by(relabelling)
                if culprit is not None:
                    refinements += 1
                    for clause in self.clauses_of(culprit):
                        solver.add_clause(clause)
                    continue
                classes += 1
                found += self.class_size(relabelling)
                possible |= self.class_union(relabelling)
                if len(examples) < SHOWN_MAPS and relabelling != tuple(range(self.symbols)):
                    examples.append(relabelling)
                solver.add_clause([-self.variable(true, read) for true, read in enumerate(relabelling)])
        if self.symmetric and found and not examples:
            examples.append((1, 0, *range(2, self.symbols)))
        return Identifiability(found, classes < most, possible, tuple(examples), self.total, refinements)

    def one_of(self, true: int) -> Iterator[list[int]]:
        """Clauses: each true symbol is read as exactly one."""
        readings = [self.variable(true, read) for read in range(self.symbols)]
        yield readings
        yield from ([-a, -b] for n, a in enumerate(readings) for b in readings[n + 1 :])

    def representatives(self) -> Iterator[list[int]]:
        """Clauses that leave one relabelling of each class under renaming of what is read.

        The one whose readings appear in order: symbol t is read as r > 0 only if some symbol before t is
        read as r − 1.
        """
        for true in range(self.symbols):
            for read in range(1, self.symbols):
                yield [-self.variable(true, read), *(self.variable(t, read - 1) for t in range(true))]

    def class_size(self, relabelling: tuple[int, ...]) -> int:
        """How many relabellings it stands for: K!/(K − r)! for r distinct readings."""
        return math.perm(self.symbols, len(set(relabelling))) if self.symmetric else 1

    def class_union(self, relabelling: tuple[int, ...]) -> Bool[np.ndarray, "true predicted"]:
        """Which readings occur in its class."""
        if self.symmetric:
            return np.ones((self.symbols, self.symbols), dtype=bool)
        return np.eye(self.symbols, dtype=bool)[list(relabelling)]

    def read(self, model: list[int]) -> tuple[int, ...]:
        """The relabelling of a SAT model."""
        held = np.asarray(model[: self.symbols**2]) > 0
        return tuple(int(row.argmax()) for row in held.reshape(self.symbols, self.symbols))

    def refuted_by(self, relabelling: tuple[int, ...]) -> int | None:
        """The first puzzle that the relabelling does not fit; None where it fits all."""
        for start in range(0, len(self.solution), BLOCK):
            solution, shown = self.solution[start : start + BLOCK], self.shown[start : start + BLOCK]
            renamed = np.asarray(relabelling)[np.where(shown, solution, 0)]
            read: Int[np.ndarray, "puzzles variables"] = np.where(shown, renamed, solution)
            fits = np.all(read < np.asarray(self.problem.domains), axis=1)
            fits[fits] = self.task.verify(read[fits])
            if not fits.all():
                return start + int(np.flatnonzero(~fits)[0])
        return None

    def clauses_of(self, puzzle: int) -> Iterator[list[int]]:
        """The rules on one puzzle: shown symbols are what they are read as, the others are known.

        Auxiliary variables of the rules get fresh copies.
        """
        solution, shown = self.solution[puzzle], self.shown[puzzle]
        literal: dict[int, int | bool] = {}
        for v, domain in enumerate(self.problem.domains):
            if not shown[v]:
                for symbol in range(domain):
                    literal[self.problem.literal(v, symbol)] = bool(symbol == solution[v])
                continue
            readings = [self.variable(int(solution[v]), read) for read in range(self.symbols)]
            for symbol in range(domain):
                literal[self.problem.literal(v, symbol)] = (
                    readings[symbol] if symbol < self.symbols else False
                )
            # Read as a symbol that this variable does not take: not consistent.
            yield from ([-beyond] for beyond in readings[domain:])
        for clause in self.rules.clauses:
            for own in clause:
                if abs(own) not in literal:
                    literal[abs(own)] = next(self.fresh)
            values = [(literal[abs(own)], own > 0) for own in clause]
            if not any(value is sign for value, sign in values):  # else it is satisfied
                yield [v if sign else -v for v, sign in values if not isinstance(v, bool)]
