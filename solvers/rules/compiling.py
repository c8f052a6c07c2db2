"""Rules in clauses compiled to a sentential decision diagram (SDD)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from ...datasets.problem import Problem
from ..extras import Extra
from .worlds import TooManySolutionsError

PYSDD = Extra("pysdd.sdd", "PySDD", "circuits")

ROUNDS = 100  # of FORCE; the arrangements of every task here stand still before
MAX_LINK_CLAUSES = 6  # clauses; a link of a sequential counter stands in 4, a carry in hundreds
MAX_NODES = 100_000  # of an SDD under construction; 4×4 Sudoku takes 3,000, addition of five digits 13,000


@dataclass(frozen=True)
class Gate:
    """An auxiliary that others determine: `literal` holds exactly where none of `inputs` does."""

    literal: int
    inputs: tuple[int, ...]


def find_gates(clauses: list[list[int]], first: int) -> tuple[dict[int, Gate], list[list[int]]]:
    """The gates among the auxiliaries above `first`, in rising order, and the clauses that define none.

    A gate is written as [g, a, b, …] with [−g, −a], [−g, −b], … (Tseitin 1968); its inputs are indicators or
    auxiliaries below it, so that no gate stands in its own definition.
    """
    written = {frozenset(clause) for clause in clauses}
    gates: dict[int, Gate] = {}
    defining: set[frozenset[int]] = set()
    for clause in clauses:
        literal = max(clause, key=abs)
        inputs = tuple(sorted({*clause} - {literal}, key=abs))
        links = {frozenset((-literal, -other)) for other in inputs}
        auxiliary = abs(literal)
        taken = auxiliary <= first or auxiliary in gates or not inputs
        if not taken and all(abs(other) < auxiliary for other in inputs) and links <= written:
            gates[auxiliary] = Gate(literal, inputs)
            defining |= {frozenset(clause), *links}
    left = [clause for clause in clauses if frozenset(clause) not in defining]
    return dict(sorted(gates.items())), left


def _arrange(clauses: list[list[int]], variables: int) -> Int[np.ndarray, " positions"]:
    """A position for each variable (index 0 is unused) that keeps every clause's variables close together.

    FORCE: each variable moves to the mean of the centres of its clauses, over and over; the arrangement with
    the least total span is kept. Source: Aloul, Markov, Sakallah 2003.
    """
    clause = np.repeat(np.arange(len(clauses)), [len(c) for c in clauses])
    variable = np.abs(np.concatenate([np.asarray(c) for c in clauses]))
    sizes = np.bincount(clause)
    degrees = np.maximum(np.bincount(variable, minlength=variables + 1), 1)
    position = np.arange(variables + 1)
    best, least = position, np.inf
    for _ in range(ROUNDS):
        centres = np.bincount(clause, weights=position[variable]) / sizes
        moved = np.bincount(variable, weights=centres[clause], minlength=variables + 1) / degrees
        position = np.zeros(variables + 1, dtype=np.int64)
        position[np.argsort(moved[1:], kind="stable") + 1] = np.arange(1, variables + 1)
        low, high = np.full(len(clauses), np.inf), np.zeros(len(clauses))
        np.minimum.at(low, clause, position[variable])
        np.maximum.at(high, clause, position[variable])
        if (span := (high - low).sum()) < least:
            best, least = position, span
    return best


def _arrange_by_owner(
    scopes: list[frozenset[int]], problem: Problem, variables: int
) -> Int[np.ndarray, " positions"]:
    """As `_arrange`, with the indicators of one variable of the problem side by side."""
    owner = np.arange(variables + 1)
    owner[1 : problem.indicators + 1] = np.repeat(
        [problem.literal(v, 0) for v in range(len(problem.domains))], problem.domains
    )
    place = _arrange([sorted({int(owner[v]) for v in scope}) for scope in scopes], variables)
    position = np.zeros(variables + 1, dtype=np.int64)
    position[1 + np.lexsort((np.arange(1, variables + 1), place[owner[1:]]))] = np.arange(1, variables + 1)
    return position


class _Compiler:
    """One compilation: the manager, what keeps nodes alive, and the order in which clauses are joined."""

    def __init__(self, problem: Problem) -> None:
        sdd = PYSDD.load()
        if problem.rules is None:
            raise ValueError("this problem was given without rules, so there is nothing to compile")
        self.problem = problem
        top = max(problem.rules.nv or 0, problem.indicators)
        self.gates, self.clauses = find_gates(problem.rules.clauses, problem.indicators)
        self._scopes: dict[int, frozenset[int]] = {}
        for auxiliary, gate in self.gates.items():
            self._scopes[auxiliary] = self.scope(gate.inputs)
        self.plain = [c for c in self.clauses if self.gates.keys().isdisjoint(map(abs, c))]
        if self.gates:
            scopes = [*map(self.scope, self.plain), *self._scopes.values()]
            arranged = _arrange_by_owner(scopes, problem, top)
        else:
            arranged = _arrange(self.clauses, top)
        self.position: list[int] = arranged.tolist()
        free = [v for v in range(1, top + 1) if v not in self.gates]
        self.number = {variable: number for number, variable in enumerate(free, start=1)}
        self.auxiliaries = [v for v in reversed(free) if v > problem.indicators]
        order = [self.number[v] for v in sorted(free, key=self.position.__getitem__)]
        self.manager: Any = sdd.SddManager.from_vtree(sdd.Vtree(len(order), order, "balanced"))
        self._nodes: dict[int, Any] = {}
        for auxiliary, gate in self.gates.items():
            node = self.manager.true()
            for other in gate.inputs:
                node = node & ~self.literal(other)
            self._nodes[auxiliary] = self.kept(node if gate.literal > 0 else ~node)

    def scope(self, literals: Iterable[int]) -> frozenset[int]:
        """The variables that some literals depend on; a gate's are those of its inputs."""
        return frozenset[int]().union(*(self._scopes.get(abs(one), {abs(one)}) for one in literals))

    def literal(self, literal: int) -> Any:
        """The node of a literal, a gate's by its definition."""
        if (node := self._nodes.get(abs(literal))) is not None:
            return node if literal > 0 else ~node
        number = self.number[abs(literal)]
        return self.manager.literal(number if literal > 0 else -number)

    def kept(self, node: Any) -> Any:
        """The node, protected from the collector. Raises `TooManySolutionsError` beyond `MAX_NODES`."""
        node.ref()
        if self.manager.dead_size() > MAX_NODES:
            self.manager.garbage_collect()
        if self.manager.live_size() > MAX_NODES:
            raise TooManySolutionsError(
                f"these rules do not compile to a circuit of {MAX_NODES:,} nodes: take a smaller task or a "
                "solver that searches, such as conditional"
            )
        return node

    def joined(self, root: Any, clause: list[int], place: Callable[[int], int]) -> Any:
        """`root` and a clause, some of whose literals are gates.

        Its denial is joined to the root literal by literal, which keeps every step within the rules so far;
        the clause by itself ("some clause of the formula fails") may be large.
        """
        denied = root
        for literal in sorted(clause, key=place):
            further = self.kept(denied & ~self.literal(literal))
            if denied is not root:
                denied.deref()
            denied = further
        node = self.kept(root & ~denied)
        denied.deref()
        return node


def compile_rules(problem: Problem) -> tuple[Any, Any]:
    """The rules as an SDD over the indicators alone: the manager that owns it, and its root.

    Auxiliaries that others determine are replaced by their definitions, so that a formula with a literal per
    clause ("this clause fails") compiles as the formula itself. Clauses are joined along the arrangement of
    their variables. Other auxiliaries are quantified as soon as nothing mentions them any more; those of a
    counter, which few clauses mention, before all else: joined with the rest, the counters of two ten-symbol
    variables and their sum took 8 s, this way 0.1 s. Raises `TooManySolutionsError` when the SDD outgrows
    `MAX_NODES`.
    """
    compiler = _Compiler(problem)
    manager, position, scope, kept = compiler.manager, compiler.position, compiler.scope, compiler.kept
    factors: list[tuple[frozenset[int], Any, int]] = []  # scope, node, where along the arrangement it joins
    for clause in compiler.plain:
        node = manager.false()
        for literal in clause:
            node = node | compiler.literal(literal)
        factors.append((scope(clause), kept(node), max(position[abs(v)] for v in clause)))
    gated = [clause for clause in compiler.clauses if not compiler.gates.keys().isdisjoint(map(abs, clause))]
    bound = scope(literal for clause in gated for literal in clause)
    for auxiliary in compiler.auxiliaries:
        touched = [factor for factor in factors if auxiliary in factor[0]]
        if auxiliary in bound or len(touched) > MAX_LINK_CLAUSES:
            continue
        node, mentioned = manager.true(), frozenset[int]()
        for also, factor, _ in touched:
            node, mentioned = node & factor, mentioned | also
        mentioned -= {auxiliary}
        factors = [factor for factor in factors if auxiliary not in factor[0]]
        node = kept(manager.exists(compiler.number[auxiliary], node))
        factors.append((mentioned, node, min((position[v] for v in mentioned), default=0)))
    factors.sort(key=lambda factor: factor[2])
    last = {variable: index for index, (mentioned, *_) in enumerate(factors) for variable in mentioned}
    root = kept(manager.true())
    for index, (mentioned, factor, _) in enumerate(factors):
        joined = root & factor
        for done in (v for v in mentioned if v > problem.indicators and v not in bound and last[v] == index):
            joined = manager.exists(compiler.number[done], joined)
        kept(joined)
        root.deref()
        root = joined

    def place(literal: int) -> int:
        return max(position[v] for v in scope([literal]))

    def reached(clause: list[int]) -> int:
        return max(place(literal) for literal in clause if abs(literal) in compiler.gates)

    for clause in sorted(gated, key=reached):
        joined = compiler.joined(root, clause, place)
        root.deref()
        root = joined
    for auxiliary in compiler.auxiliaries:
        if auxiliary in bound:
            root = kept(manager.exists(compiler.number[auxiliary], root))
    return manager, root
