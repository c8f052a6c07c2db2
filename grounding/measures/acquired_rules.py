"""Rules that a solver learned, held against those of the task."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from pysat.solvers import Solver as SatSolver

from ...datasets.problem import Problem
from ...solvers.rules.acquisition import Rule, as_clauses, with_rules

CONFLICTS = 20_000  # that SAT may run into before it is left open whether one clause follows
SOLUTIONS = 20  # of the learned rules that are tried in a task whose clauses mention auxiliaries


@dataclass(frozen=True)
class RulesComparison:
    """What learned rules have to do with those of a task.

    Attributes:
        superfluous: Learned rules that forbid what the rules of the task allow.
        missing: Clauses of the task that do not follow from the learned rules.
        undecided: Clauses of the task that mention auxiliaries, or of which SAT did not tell within its
            limit.
        forbidden: Indicator literals that the learned rules allow together and the task forbids. Sought
            only where no clause is missing and some mention auxiliaries; empty where none were found.
    """

    superfluous: list[Rule]
    missing: list[list[int]]
    undecided: list[list[int]]
    forbidden: list[int] = field(default_factory=list)

    @property
    def equivalent(self) -> bool | None:
        """Whether both allow the same assignments; None where that was not decided."""
        if self.superfluous or self.missing or self.forbidden:
            return False
        return None if self.undecided else True


def compare_rules(problem: Problem, rules: Sequence[Rule]) -> RulesComparison:
    """Compares learned rules with those of the problem, by SAT.

    A learned rule is superfluous if the rules of the problem have a solution that it forbids. A clause of the
    problem is missing if the learned rules have a solution that breaks it. That some variable of as many as
    there are symbols takes a symbol, all of them different, follows by counting; SAT would need exponential
    time for it (the pigeonhole principle, Haken 1985). Of clauses that mention auxiliaries it is not told one
    by one; but a solution of the learned rules that the problem has no auxiliaries for shows that they allow
    more, and a few are tried.

    Args:
        problem: With its rules.
        rules: What was learned of the same variables and symbols.

    Raises:
        ValueError: Where the problem was handed over without its rules.
    """
    if problem.rules is None:
        raise ValueError("this problem was given without rules, so there is nothing to compare with")
    superfluous: list[Rule] = []
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as sat:
        for rule in rules:
            clauses = as_clauses(problem, [rule])
            if any(sat.solve(assumptions=[-literal for literal in clause]) for clause in clauses):
                superfluous.append(rule)
    learned = with_rules(problem, rules)
    different = {(rule.first, rule.second) for rule in rules if rule.kind == "equal"}
    missing: list[list[int]] = []
    undecided: list[list[int]] = []
    with SatSolver(name="glucose4", bootstrap_with=learned.rules) as sat:
        for clause in problem.rules.clauses:
            if mentions_auxiliary(problem, clause):
                undecided.append(clause)  # of auxiliaries the learned rules know nothing
                continue
            if _by_counting(problem, clause, different):
                continue
            sat.conf_budget(CONFLICTS)
            breaks = sat.solve_limited(assumptions=[-literal for literal in clause])
            if breaks is None:
                undecided.append(clause)
            elif breaks:
                missing.append(clause)
        sought = not missing and any(mentions_auxiliary(problem, clause) for clause in undecided)
        forbidden = _forbidden(problem, sat) if sought else []
    return RulesComparison(superfluous, missing, undecided, forbidden)


def mentions_auxiliary(problem: Problem, clause: Sequence[int]) -> bool:
    """Whether a clause mentions a literal that speaks of no variable."""
    return any(abs(literal) > problem.indicators for literal in clause)


def _forbidden(problem: Problem, learned: SatSolver) -> list[int]:
    """What solutions of the learned rules hold together and the rules of the problem forbid.

    Empty where SAT found none of the solutions that were tried impossible. The solver of the learned rules is
    left with clauses that rule these out.
    """
    with SatSolver(name="glucose4", bootstrap_with=problem.rules) as task:
        for _ in range(SOLUTIONS):
            learned.conf_budget(CONFLICTS)
            if not learned.solve_limited():
                break
            held = problem.assumptions(problem.decode(learned.get_model() or []).tolist())
            task.conf_budget(CONFLICTS)
            if task.solve_limited(assumptions=held) is False:
                return sorted(task.get_core() or held)
            learned.add_clause([-literal for literal in held])
    return []


def _by_counting(problem: Problem, clause: Sequence[int], different: set[tuple[int, int]]) -> bool:
    """Whether a clause says of one symbol that one of as many different variables as symbols takes it."""
    if len(clause) != problem.symbols or min(clause) < 0:
        return False
    places = [problem.meaning(literal) for literal in clause]
    variables = sorted(variable for variable, _ in places)
    return len({symbol for _, symbol in places}) == 1 and all(
        pair in different for pair in itertools.combinations(variables, 2)
    )


def all_different(rules: Sequence[Rule]) -> list[list[int]]:
    """Groups of variables that are all different, so that every learned pair stands in one of them.

    Greedy: each group starts at the first pair that no group has yet, and takes in what differs from all its
    members, in order; minimal for rows, columns and blocks.
    """
    pairs = sorted((rule.first, rule.second) for rule in rules if rule.kind == "equal")
    if not pairs:
        return []
    size = 1 + max(second for _, second in pairs)
    differs = np.zeros((size, size), dtype=bool)
    for first, second in pairs:
        differs[first, second] = differs[second, first] = True
    open_ = differs.copy()
    groups: list[list[int]] = []
    for first, second in pairs:
        if not open_[first, second]:
            continue
        group = [first, second]
        candidates = differs[first] & differs[second]
        while candidates.any():
            # The one that brings most open pairs, then the one that leaves most candidates, then the first.
            gain = open_[:, group].sum(1) * size + (differs & candidates).sum(1)
            chosen = int(np.where(candidates, gain, -1).argmax())
            group.append(chosen)
            candidates = candidates & differs[chosen]
        group.sort()
        open_[np.ix_(group, group)] = False
        groups.append(group)
    return groups


def in_words(problem: Problem, rules: Sequence[Rule]) -> Iterator[str]:
    """Sentences that say all rules: groups that are all different first, then what remains, one by one."""
    names = problem.variables
    for group in all_different(rules):
        if len(group) == 2:
            yield f"{names[group[0]]} ≠ {names[group[1]]}"
        else:
            yield f"all different: {', '.join(names[v] for v in group)}"
    for rule in rules:
        if rule.kind != "equal":
            yield rule.written(problem)


def clause_in_words(problem: Problem, clause: Sequence[int]) -> str:
    """A clause as a sentence about variables and symbols."""
    places = [(literal > 0, *problem.meaning(literal)) for literal in clause]
    return " or ".join(f"{problem.variables[v]} {'=' if holds else '≠'} {k}" for holds, v, k in places)


def assignment_in_words(problem: Problem, literals: Sequence[int]) -> str:
    """What indicator literals say together, the variables of a symbol named in one go: a, c = 0 and b = 1."""
    holders: dict[int, list[str]] = {}
    for variable, symbol in map(problem.meaning, literals):
        holders.setdefault(symbol, []).append(problem.variables[variable])
    return " and ".join(f"{', '.join(names)} = {symbol}" for symbol, names in sorted(holders.items()))
