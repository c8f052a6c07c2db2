"""Rules from answers alone: which symbols never stand together, though chance would have put them there.

Constraint acquisition from solutions (Bessiere, Koriche, Lazaar, O'Sullivan 2017, *Constraint acquisition*,
AIJ 244; Kumar, Kolb, Guns 2022, COUNT-CP), as tests of independence: it is counted what two variables were
answered together; a relation that independence would have produced often and that did not occur is a rule.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ...datasets.problem import Problem, make_problem

# A relation is a rule if it occurs significantly less often than those of its kind that are none: as often as
# independence promises, or less, as they are seen to, but at least this share of it …
RAREST = 0.5
SPREADS = 2.0  # … which many of a kind may fall below their mean by, in standard deviations …
FALSE_DISCOVERIES = 0.01  # … expected among what is found, per kind of relation (Benjamini & Hochberg 1995)
MAX_NOISE = 0.25  # of what independence promises: rules that are broken more often are none
CONTRADICTED = 1e-3  # a rule broken more often than the others is given up, at this level for all together
# What is mistaken for a rule is seen at this share of what independence promises, or more; and the level at
# which something is seen more rarely than that.
MISTAKEN, SELDOM = 0.15, 0.05

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


def sought(symbols: int) -> list[tuple[str, int]]:
    """Kind and offset of every relation that is sought, in the order in which they are."""
    differences = [("difference", offset) for offset in range(1 - symbols, symbols) if offset]
    return [("equal", 0), ("less", 0), ("greater", 0), *differences]


def acquire(problem: Problem, together: Counts) -> list[Rule]:
    """The rules that answers bear out, relations before single pairs of symbols.

    `together[(u, a), (v, b)]` counts the answers in which variable u took symbol a and v took b (cells
    v·symbols + k; on the diagonal how often a cell was answered). With n answers of both variables
    and their own frequencies p_u, p_v, a relation R is expected n·Σ_{(a,b) ∈ R} p_u(a) p_v(b) times if they
    are independent. It is tested against the hypothesis that it is as frequent as that, or as rare as
    relations of its kind that do occur are seen to be (`usual_share`), and kept where Benjamini and
    Hochberg's procedure rejects this with at most 1 % false discoveries expected among the relations of a
    kind. What is broken all the same is given up, unless answers are wrong now and then (`uncontradicted`). A
    single pair of symbols may be broken as often as relations are, and without any never.
    """
    pairs = count_pairs(problem, together)
    if not len(pairs.first):
        return []
    found: list[Rule] = []
    offsets = np.arange(1 - problem.symbols, problem.symbols)
    covered = np.zeros(pairs.seen.shape, dtype=bool)  # by pair and offset
    for kind, offset in sought(problem.symbols):
        holds = relation(kind, offset, offsets)
        open_ = holds & ~covered
        count, hope = (pairs.seen * open_).sum(1), (pairs.expected * open_).sum(1)
        chosen = np.flatnonzero(never(count, hope, pairs.answered))
        covered[chosen] |= holds
        found += [
            Rule(
                int(pairs.first[p]),
                int(pairs.second[p]),
                kind,
                offset,
                (-1, -1),
                float(hope[p]),
                int(count[p]),
            )
            for p in chosen.tolist()
        ]
    singles = _single_pairs(problem, together, pairs, covered)
    wrong = answers_are_wrong(found)
    if not (relations := uncontradicted(found, wrong=wrong)):
        # Nothing tells wrong answers from symbols that merely stand together seldom.
        return [rule for rule in singles if rule.broken == 0]
    return uncontradicted([*relations, *singles], wrong=wrong)


def tells_apart(problem: Problem, together: Counts) -> bool:
    """Whether there are answers enough to find that two variables differ, if all of them always do."""
    pairs = count_pairs(problem, together)
    expected = pairs.expected[:, problem.symbols - 1]
    return bool(never(np.zeros(len(expected), dtype=np.int64), expected, pairs.answered).any())


@dataclass(frozen=True)
class Pairs:
    """The pairs of variables that were answered together, and how often they differed by how much."""

    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]
    answered: Int[np.ndarray, " pairs"]
    seen: Int[np.ndarray, "pairs offsets"]  # offset = first − second, from 1 − symbols on
    expected: Float[np.ndarray, "pairs offsets"]  # of independent variables
    share: Float[np.ndarray, "variables symbols"]  # how often a variable takes a symbol


def count_pairs(problem: Problem, together: Counts) -> Pairs:
    """What `acquire` has to know of every pair of variables."""
    size, symbols = len(problem.variables), problem.symbols
    table = together.reshape(size, symbols, size, symbols)
    alone = np.einsum("vkvk->vk", table).astype(np.float64) + 0.5 * problem.legal
    share = alone / alone.sum(1, keepdims=True)
    answered = table.sum((1, 3))
    first, second = np.nonzero(np.triu(answered, 1))
    rows = np.arange(symbols)
    seen = np.zeros((len(first), 2 * symbols - 1), dtype=np.int64)
    expected = np.zeros(seen.shape)
    for offset in range(1 - symbols, symbols):
        a = rows[max(0, offset) : symbols + min(0, offset)]
        b = a - offset
        column = offset + symbols - 1
        seen[:, column] = table[:, a, :, b].sum(0)[first, second]
        expected[:, column] = (share[:, a] @ share[:, b].T)[first, second]
    answered = answered[first, second]
    return Pairs(first, second, answered, seen, expected * answered[:, None], share)


def _single_pairs(
    problem: Problem, together: Counts, pairs: Pairs, covered: Bool[np.ndarray, "pairs offsets"]
) -> list[Rule]:
    """Rules about two symbols alone, where no relation of the two variables covers them."""
    symbols = problem.symbols
    offset = np.arange(symbols)[:, None] - np.arange(symbols) + symbols - 1
    expected = np.einsum("pa,pb->pab", pairs.share[pairs.first], pairs.share[pairs.second])
    expected *= pairs.answered[:, None, None]
    expected[covered[:, offset]] = 0.0
    pair, a, b = np.nonzero(expected > 0)
    table = together.reshape(len(problem.variables), symbols, -1, symbols)
    count = table[pairs.first[pair], a, pairs.second[pair], b]
    hope = expected[pair, a, b]
    return [
        Rule(
            int(pairs.first[pair[n]]), int(pairs.second[pair[n]]), "pair", 0, (int(a[n]), int(b[n])),
            float(hope[n]), int(count[n]),
        )
        for n in np.flatnonzero(never(count, hope, pairs.answered[pair])).tolist()
    ]  # fmt: skip


def usual_share(count: Int[np.ndarray, " tests"], expected: Float[np.ndarray, " tests"]) -> float:
    """How much of what independence promises relations that are no rules occur at least.

    Evidence is pooled over a kind: of its relations that occur, the mean share less two standard deviations
    of what differs between them beyond Poisson noise; from 0.5 to 1. A moment estimate, as in empirical
    Bayes (Robbins 1956).
    """
    occurs = count > MAX_NOISE * expected
    if not occurs.any():
        return RAREST
    share, hope = count[occurs] / expected[occurs], expected[occurs]
    mean = (share * hope).sum() / hope.sum()
    excess = ((share - mean) ** 2 - mean / hope) * hope
    spread = np.sqrt(max(0.0, excess.sum() / hope.sum()))
    return float(np.clip(mean - SPREADS * spread, RAREST, 1.0))


def never(
    count: Int[np.ndarray, " tests"],
    expected: Float[np.ndarray, " tests"],
    answered: Int[np.ndarray, " tests"],
) -> Bool[np.ndarray, " tests"]:
    """Which relations occurred too rarely to be merely unlucky."""
    from scipy.stats import binom  # noqa: PLC0415 - a third of a second, for one solver

    usual = usual_share(count, expected)
    possible = expected * usual > -np.log(FALSE_DISCOVERIES)  # others could not be told even if never seen
    chance = np.ones(len(count))
    rate = np.clip(usual * expected[possible] / answered[possible], 0, 1)
    chance[possible] = binom.cdf(count[possible], answered[possible], rate)
    order = np.argsort(chance, kind="stable")
    passes = chance[order] <= FALSE_DISCOVERIES * np.arange(1, len(order) + 1) / max(1, len(order))
    rejected = np.zeros(len(count), dtype=bool)
    if passes.any():
        rejected[order[: np.flatnonzero(passes)[-1] + 1]] = True
    return rejected & (count <= MAX_NOISE * expected)


def answers_are_wrong(rules: Sequence[Rule]) -> bool:
    """Whether more rules are broken than are mistaken for rules, so that answers are wrong now and then."""
    from scipy.stats import binom  # noqa: PLC0415 - a third of a second, for one solver

    broken = sum(rule.broken > 0 for rule in rules)
    return bool(binom.sf(broken - 1, len(rules), FALSE_DISCOVERIES) < CONTRADICTED) if rules else False


def uncontradicted(rules: Sequence[Rule], *, wrong: bool) -> list[Rule]:
    """Without the rules that answers contradict.

    Where answers are `wrong` now and then, rules are broken all over, and the rate at which the others are is
    the measure: those go that are broken significantly more often. Where nothing says so, what is broken
    goes, but for what is seen significantly more rarely than anything that is mistaken for a rule, while
    others are broken as well: a few wrong answers among many.
    """
    if not rules:
        return []
    from scipy.stats import binom, poisson  # noqa: PLC0415 - a third of a second, for one solver

    broken = np.array([rule.broken for rule in rules])
    expected = np.array([rule.expected for rule in rules])
    others = (broken.sum() - broken) / np.maximum(expected.sum() - expected, 1)
    chance = binom.sf(broken - 1, np.maximum(1, expected.round()).astype(int), np.minimum(1, others))
    kept = chance > CONTRADICTED / len(rules)
    if not wrong:
        kept &= (broken == 0) | (poisson.cdf(broken, MISTAKEN * expected) < SELDOM)
    return [rule for rule, stays in zip(rules, kept, strict=True) if stays]


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


def forbidden_cells(problem: Problem, rules: Sequence[Rule]) -> Bool[np.ndarray, "cells cells"]:
    """Which cells v·symbols + k, first and second, no answer may show together."""
    size, symbols = len(problem.variables), problem.symbols
    table = np.zeros((size, symbols, size, symbols), dtype=bool)
    for (u, v), left in allowed_pairs(problem, rules).items():
        table[u, : left.shape[0], v, : left.shape[1]] = ~left
    return table.reshape(size * symbols, -1)


def named(problem: Problem, forbidden: Bool[np.ndarray, "cells cells"]) -> list[Rule]:
    """The rules that forbid just these cells v·symbols + k together: relations before single pairs.

    They carry no support. What stands below the diagonal is not looked at.
    """
    size, symbols = len(problem.variables), problem.symbols
    table = forbidden.reshape(size, symbols, size, symbols)
    found: list[Rule] = []
    for u, v in np.argwhere(np.triu(table.any((1, 3)), 1)).tolist():
        domains = (problem.domains[u], problem.domains[v])
        left = table[u, : domains[0], v, : domains[1]].copy()
        for kind, offset in sought(symbols):
            rule = Rule(u, v, kind, offset)
            ruled = rule.forbids(domains)
            if ruled.any() and left[ruled].all():
                left &= ~ruled
                found.append(rule)
        found += [Rule(u, v, "pair", 0, (a, b)) for a, b in np.argwhere(left).tolist()]
    return found


def as_clauses(problem: Problem, rules: Sequence[Rule]) -> Iterator[list[int]]:
    """A clause for every pair of symbols that is ruled out."""
    for (u, v), left in allowed_pairs(problem, rules).items():
        for a, b in np.argwhere(~left).tolist():
            yield [-problem.literal(u, a), -problem.literal(v, b)]


def with_rules(problem: Problem, rules: Sequence[Rule]) -> Problem:
    """The problem under these rules."""
    return make_problem(problem.variables, problem.domains, as_clauses(problem, rules))
