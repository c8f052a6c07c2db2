"""Proofs, by a SAT solver, that puzzles have exactly one completion."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pysat.solvers import Solver as SatSolver

from .errors import UsageError
from .task import Puzzles, Task


@dataclass(frozen=True)
class Certificate:
    """What was proved of a set of puzzles: rows that break the rules, and rows with other completions."""

    puzzles: int
    broken: tuple[int, ...]
    ambiguous: tuple[int, ...]

    @property
    def summary(self) -> str:
        """One sentence: what holds, or the first puzzles of which it does not."""
        if self.holds:
            return f"all {self.puzzles:,} puzzles have exactly one completion, the one stored with them"
        if not self.puzzles:
            return "there are no puzzles to certify"
        faults = [
            f"{len(rows):,} {what} (first: {', '.join(map(str, rows[:5]))})"
            for rows, what in ((self.broken, "break the rules"), (self.ambiguous, "have another completion"))
            if rows
        ]
        return f"of {self.puzzles:,} puzzles {' and '.join(faults)}"

    @property
    def holds(self) -> bool:
        """Every puzzle has exactly the completion that is stored with it."""
        return self.puzzles > 0 and not self.broken and not self.ambiguous


def certify(task: Task, puzzles: Puzzles, progress: Callable[[int], None] | None = None) -> Certificate:
    """Proves of each puzzle that its solution keeps the rules and that no other completion does.

    Only the CNF of the rules is used, nothing of the code that makes puzzles: one SAT solver, the givens as
    assumptions, and, unless unit propagation alone forces every query, a clause that some query differs
    from the solution, which must be unsatisfiable. `progress` is called with the number of puzzles done.
    """
    problem = task.problem
    if problem.rules is None:
        raise UsageError(f"{task.name} has no rules to prove anything by")
    broken: list[int] = []
    ambiguous: list[int] = []
    differs = max(problem.rules.nv or 0, problem.indicators)  # above: one switch per puzzle
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as solver:
        for row in range(len(puzzles)):
            if progress is not None:
                progress(row)
            solution, given = puzzles.solution[row], puzzles.given[row]
            if not ((solution >= 0) & (solution < np.asarray(problem.domains))).all():
                broken.append(row)  # no solution at all
                continue
            held = problem.assumptions(np.where(given, solution, -1).tolist())
            whole = problem.assumptions(solution.tolist())
            if not solver.solve(assumptions=whole):
                broken.append(row)
            _, implied = solver.propagate(assumptions=held) or (False, [])
            if not set(whole) <= set(implied):  # else the givens force all of it, without any search
                differs += 1
                solver.add_clause([-differs, *(-literal for literal in set(whole) - set(held))])
                if solver.solve(assumptions=[*held, differs]):
                    ambiguous.append(row)
                solver.add_clause([-differs])  # the clause is satisfied for good
    if progress is not None:
        progress(len(puzzles))
    return Certificate(len(puzzles), tuple(broken), tuple(ambiguous))
