"""Worlds found by search: for rules with too many solutions to list."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from pysat.solvers import Solver as SatSolver

from ...datasets.errors import UsageError
from ...datasets.problem import Problem

World = Int[np.ndarray, " variables"]
Weights = Float[np.ndarray, "variables symbols"]

EASY = 100  # propagations after which the heaviest symbols are no easy question


class Search:
    """The worlds that agree with some fixed symbols, and the heaviest of them, by depth-first search.

    Fixed symbols are assumptions of an incremental SAT solver, and unit propagation narrows the open
    variables; weights live outside of it. What a SAT solver learns from one question would decide between
    equals in the next, so the one that propagates never solves, and where worlds have to be found by solving,
    each question gets a solver of its own (7 ms for 9×9 Sudoku): to the same question always the same answer.
    `seconds` counts the time spent in here.

    `nodes` bounds the propagations per question (0.05 to 0.1 ms each for 9×9 Sudoku).
    """

    def __init__(self, problem: Problem, nodes: int = 2000) -> None:
        if problem.rules is None:
            raise ValueError("this problem was given without rules, so there is nothing to search")
        if nodes < 1:
            raise UsageError(f"nodes={nodes}: a search needs at least 1")
        self.problem, self.nodes = problem, nodes
        self.seconds = 0.0
        self._cells = np.flatnonzero(problem.legal)  # cell v·symbols + k of each indicator literal
        self._literals = np.zeros(problem.legal.shape, dtype=np.int64)
        self._literals.flat[self._cells] = np.arange(1, problem.indicators + 1)
        self._open = problem.legal  # the symbols that no unit clause denies
        self._sat: Any = None
        self._judge: Any = None  # only ever asked whether there is a world
        self._process = 0

    def __getstate__(self) -> dict[str, Any]:
        """Without the SAT solvers: a copy, in this process or another, starts its own."""
        return {**self.__dict__, "_sat": None, "_judge": None}

    @property
    def _propagator(self) -> Any:
        if self._sat is None or self._process != os.getpid():
            self._sat = self._new_solver()
            self._judge = None
            self._process = os.getpid()
            # What unit clauses decide, propagation never tells: it is asked for here, once.
            self._open = self.problem.legal.copy()
            for cell, literal in zip(self._cells, self._literals.flat[self._cells].tolist(), strict=True):
                self._open.flat[cell] = self._sat.propagate(assumptions=[literal])[0]
        return self._sat

    def _new_solver(self) -> Any:
        return SatSolver(name="glucose4", bootstrap_with=self.problem.rules)

    def _narrow(self, assumed: list[int]) -> Bool[np.ndarray, "variables symbols"] | None:
        """The symbols that unit propagation leaves each variable, or None at a contradiction."""
        consistent, implied = self._propagator.propagate(assumptions=assumed)
        if not consistent:
            return None
        literals = np.asarray(implied, dtype=np.int64)
        denied = -literals[(literals < 0) & (literals >= -self.problem.indicators)] - 1
        allowed = self._open.copy()
        allowed.flat[self._cells[denied]] = False
        return allowed

    def _settled(self, assumed: list[int]) -> bool:
        """Whether a full assignment holds: the auxiliary literals may still object."""
        auxiliaries = (self.problem.rules.nv or 0) > self.problem.indicators  # pyright: ignore[reportOptionalMemberAccess]
        if not auxiliaries:
            return True
        if self._judge is None:
            self._judge = self._new_solver()
        return bool(self._judge.solve(assumptions=assumed))

    def _each(self, assumed: list[int]) -> Iterator[World | None]:
        """Every world under the assumptions; None for a node without one, so that nodes can be counted."""
        stack = [assumed]
        while stack:
            assumed = stack.pop()
            allowed = self._narrow(assumed)
            if allowed is None:
                yield None
                continue
            options = allowed.sum(1)
            if options.min() == 0:
                yield None
            elif options.max() == 1:
                world = allowed.argmax(1)
                whole = self._literals[np.arange(len(world)), world].tolist()
                yield world if self._settled(whole) else None
            else:
                variable = int(np.where(options > 1, options, options.max() + 1).argmin())
                branches = self._literals[variable, allowed[variable]].tolist()
                stack.extend([*assumed, literal] for literal in reversed(branches))
                yield None

    def worlds(self, fixed: Sequence[int], limit: int) -> Int[np.ndarray, "worlds variables"] | None:
        """Every world that agrees with `fixed` (−1: open); None if there are more than `limit`."""
        started = time.perf_counter()
        found: list[World] = []
        for visited, world in enumerate(self._each(self.problem.assumptions(fixed)), 1):
            if world is not None:
                found.append(world)
            if len(found) > limit or visited > self.nodes:
                self.seconds += time.perf_counter() - started
                return None
        self.seconds += time.perf_counter() - started
        return np.array(found, dtype=np.int64).reshape(len(found), len(self.problem.variables))

    def has_world(self, conflicts: int) -> bool:
        """Whether SAT comes upon a world before it has run into so many conflicts."""
        with self._new_solver() as sat:
            sat.conf_budget(conflicts)
            return bool(sat.solve_limited())

    def heaviest(self, weights: Weights, fixed: Sequence[int], *, proven: bool = False) -> World | None:
        """The world that agrees with `fixed` and has the greatest sum of weights[v, w(v)].

        Branch and bound: the most decided variable first, its heaviest symbol first; a branch is left where
        the heaviest symbols still allowed cannot beat the best world found. Variables whose weights
        are all equal are left to SAT. When the nodes run out it is the best world found, or None if
        `proven` or if none was found.
        """
        started = time.perf_counter()
        world, complete = self._branch_and_bound(weights, self.problem.assumptions(fixed))
        self.seconds += time.perf_counter() - started
        return world if complete or not proven else None

    def _branch_and_bound(self, weights: Weights, assumed: list[int]) -> tuple[World | None, bool]:
        masked = np.where(self.problem.legal, weights, np.nan)
        matters = np.nanmax(masked, axis=1) > np.nanmin(masked, axis=1)
        rows = np.arange(len(weights))
        if (easy := self._dominant(weights, matters, assumed)) is not None:
            return easy, True
        with self._new_solver() as sat:
            return self._search(sat, weights, matters, assumed, rows)

    def _dominant(
        self, weights: Weights, matters: Bool[np.ndarray, " variables"], assumed: list[int]
    ) -> World | None:
        """A world that has the heaviest symbol of every variable that matters, where one is found."""
        allowed = self._narrow(assumed)
        if allowed is None or not allowed.any(1).all():
            return None
        heaviest = np.where(allowed, weights, -np.inf).argmax(1)
        wanted = self._literals[matters, heaviest[matters]].tolist()
        for visited, world in enumerate(self._each([*assumed, *wanted]), 1):
            if world is not None:
                return world
            if visited > EASY:
                return None
        return None

    def _search(
        self,
        sat: Any,
        weights: Weights,
        matters: Bool[np.ndarray, " variables"],
        assumed: list[int],
        rows: Int[np.ndarray, " variables"],
    ) -> tuple[World | None, bool]:
        best, value = self._preferring(sat, weights, assumed, rows)
        if best is None:
            return None, True
        stack = [assumed]
        for _ in range(self.nodes):
            if not stack:
                return best, True
            assumed = stack.pop()
            allowed = self._narrow(assumed)
            if allowed is None or not allowed.any(1).all():
                continue
            open_weights = np.where(allowed, weights, -np.inf)
            heaviest = open_weights.max(1)
            if heaviest.sum() <= value + 1e-9 * max(1.0, abs(value)):
                continue
            undecided = matters & (allowed.sum(1) > 1)
            if not undecided.any():
                found, weight = self._preferring(sat, weights, assumed, rows)
                if found is not None and weight > value:
                    best, value = found, weight
                continue
            second = np.partition(open_weights, -2, axis=1)[:, -2]
            variable = int(np.where(undecided, heaviest - second, -1.0).argmax())
            order = np.argsort(open_weights[variable], kind="stable")  # the heaviest is popped first
            order = order[allowed[variable, order]]
            stack.extend([*assumed, literal] for literal in self._literals[variable, order].tolist())
        return best, not stack

    def _preferring(
        self, sat: Any, weights: Weights, assumed: list[int], rows: Int[np.ndarray, " variables"]
    ) -> tuple[World | None, float]:
        """Some world under the assumptions, decided in favour of the heaviest symbols."""
        wanted = np.where(self.problem.legal, weights, -np.inf).argmax(1)
        sat.set_phases(self._literals[rows, wanted].tolist())
        if not sat.solve(assumptions=assumed):
            return None, -np.inf
        world = self.problem.decode(sat.get_model())
        return world, float(weights[rows, world].sum())
