"""Rules from answers alone: which symbols never stand together, though chance would have put them there.

Constraint acquisition from solutions (Bessiere, Koriche, Lazaar, O'Sullivan 2017, *Constraint acquisition*,
AIJ 244; Kumar, Kolb, Guns 2022, COUNT-CP), as tests of independence: it is counted what two variables were
answered together; a relation that independence would have produced often and that did not occur is a rule.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import binom

from ...datasets.problem import Problem, make_problem

# A relation is a rule if it occurs significantly less often than this share of what independence promises …
RARE = 0.5
FALSE_DISCOVERIES = 0.01  # … expected among what is found, per kind of relation (Benjamini & Hochberg 1995)
MAX_NOISE = 0.25  # of what independence promises: rules that are broken more often are none
CONTRADICTED = 1e-3  # a rule broken more often than the others is given up, at this level for all together

Counts = Int[np.ndarray, "cells cells"]


@dataclass(frozen=True)
class Rule:
    """One relation between two variables that answers never show, and what it rests on.

    `kind` is "equal", "less", "greater", "difference" (with `offset` = first − second) or "pair" (of the
    symbols in `pair`). `expected` is how often independent variables would have shown it, `broken` how
    often it was seen.
    """

    first: int
    second: int
    kind: str
    offset: int = 0
    pair: tuple[int, int] = (-1, -1)
    expected: float = 0.0
    broken: int = 0

    def forbids(self, domains: tuple[int, int]) -> Bool[np.ndarray, "first second"]:
        """The pairs of symbols that it rules out."""
        gap = np.arange(domains[0])[:, None] - np.arange(domains[1])[None, :]
        if self.kind == "pair":
            ruled = np.zeros(domains, dtype=bool)
            ruled[self.pair] = True
            return ruled
        return relation(self.kind, self.offset, gap)

    def written(self, problem: Problem) -> str:
        """In words."""
        one, other = problem.variables[self.first], problem.variables[self.second]
        if self.kind == "pair":
            return f"not ({one} = {self.pair[0]} and {other} = {self.pair[1]})"
        if self.kind == "difference":
            return f"{one} − {other} ≠ {self.offset}"
        return f"{one} {({'equal': '≠', 'less': '≥', 'greater': '≤'})[self.kind]} {other}"


def relation(kind: str, offset: int, gap: Int[np.ndarray, "*cells"]) -> Bool[np.ndarray, "*cells"]:
    """Where a relation holds, from the first symbol minus the second."""
    return {"equal": gap == 0, "less": gap < 0, "greater": gap > 0, "difference": gap == offset}[kind]


def acquire(problem: Problem, together: Counts) -> list[Rule]:
    """The rules that answers bear out, relations before single pairs of symbols.

    `together[(u, a), (v, b)]` counts the answers in which variable u took symbol a and v took b (cells
    v·symbols + k; on the diagonal how often a cell was answered). With n answers of both variables
    and their own frequencies p_u, p_v, a relation R is expected n·Σ_{(a,b) ∈ R} p_u(a) p_v(b) times if they
    are independent. It is tested against the hypothesis that it is at least half as frequent as that, and
    kept where Benjamini and Hochberg's procedure rejects this with at most 1 % false discoveries expected
    among the relations of a kind. Where rules are broken now and then, by wrong answers, the rate at
    which all of them are is the measure: a rule that is broken significantly more often is given up, so
    that without wrong answers one contradiction is enough.
    """
    size, symbols = len(problem.variables), problem.symbols
    table = together.reshape(size, symbols, size, symbols)
    alone = np.einsum("vkvk->vk", table).astype(np.float64) + 0.5 * problem.legal
    share = alone / alone.sum(1, keepdims=True)
    first, second = np.triu_indices(size, 1)
    answered = table.sum((1, 3))[first, second]
    known = answered > 0
    first, second, answered = first[known], second[known], answered[known]
    if not len(first):
        return []
    seen = table[first, :, second, :]  # (pairs, symbols, symbols)
    expected = answered[:, None, None] * share[first][:, :, None] * share[second][:, None, :]
    found: list[Rule] = []
    covered = np.zeros(seen.shape, dtype=bool)
    gap = np.arange(symbols)[:, None] - np.arange(symbols)[None, :]
    kinds = [("equal", 0), ("less", 0), ("greater", 0)]
    kinds += [("difference", offset) for offset in range(1 - symbols, symbols) if offset]
    for kind, offset in kinds:
        holds = relation(kind, offset, gap)
        open_ = holds & ~covered
        hope, count = (expected * open_).sum((1, 2)), (seen * open_).sum((1, 2))
        chosen = np.flatnonzero(never(count, hope, answered))
        covered[chosen] |= holds
        found += [
            Rule(int(first[p]), int(second[p]), kind, offset, (-1, -1), float(hope[p]), int(count[p]))
            for p in chosen
        ]
    flat = ~covered
    pairs = np.broadcast_to(answered[:, None, None], seen.shape)[flat]
    chosen = np.flatnonzero(never(seen[flat], expected[flat], pairs))
    where = np.argwhere(flat)[chosen]
    found += [
        Rule(
            int(first[p]),
            int(second[p]),
            "pair",
            0,
            (int(a), int(b)),
            float(expected[p, a, b]),
            int(seen[p, a, b]),
        )
        for p, a, b in where
    ]
    return consistent(found) if found else []


def never(
    count: Int[np.ndarray, " tests"],
    expected: Float[np.ndarray, " tests"],
    answered: Int[np.ndarray, " tests"],
) -> Bool[np.ndarray, " tests"]:
    """Which relations occurred too rarely to be merely unlucky."""
    possible = expected * RARE > -np.log(FALSE_DISCOVERIES)  # others could not be told even if never seen
    chance = np.ones(len(count))
    rate = np.clip(RARE * expected[possible] / answered[possible], 0, 1)
    chance[possible] = binom.cdf(count[possible], answered[possible], rate)
    order = np.argsort(chance, kind="stable")
    passes = chance[order] <= FALSE_DISCOVERIES * np.arange(1, len(order) + 1) / max(1, len(order))
    rejected = np.zeros(len(count), dtype=bool)
    if passes.any():
        rejected[order[: np.flatnonzero(passes)[-1] + 1]] = True
    return rejected & (count <= MAX_NOISE * expected)


def consistent(rules: Sequence[Rule]) -> list[Rule]:
    """Without the rules that are broken more often than the others are."""
    broken = np.array([rule.broken for rule in rules])
    expected = np.array([rule.expected for rule in rules])
    others = (broken.sum() - broken) / np.maximum(expected.sum() - expected, 1)
    chance = binom.sf(broken - 1, np.maximum(1, expected.round()).astype(int), np.minimum(1, others))
    return [rule for rule, kept in zip(rules, chance > CONTRADICTED / len(rules), strict=True) if kept]


def allowed_pairs(
    problem: Problem, rules: Sequence[Rule]
) -> dict[tuple[int, int], Bool[np.ndarray, "first second"]]:
    """For each pair of variables with rules, the pairs of symbols they leave."""
    allowed: dict[tuple[int, int], Bool[np.ndarray, "first second"]] = {}
    for rule in rules:
        pair = (rule.first, rule.second)
        domains = (problem.domains[rule.first], problem.domains[rule.second])
        left = allowed.setdefault(pair, np.ones(domains, dtype=bool))
        left &= ~rule.forbids(domains)
    return allowed


def as_clauses(problem: Problem, rules: Sequence[Rule]) -> Iterator[list[int]]:
    """A clause for every pair of symbols that is ruled out."""
    for (u, v), left in allowed_pairs(problem, rules).items():
        for a, b in np.argwhere(~left).tolist():
            yield [-problem.literal(u, a), -problem.literal(v, b)]


def with_rules(problem: Problem, rules: Sequence[Rule]) -> Problem:
    """The problem under these rules."""
    return make_problem(problem.variables, problem.domains, as_clauses(problem, rules))
