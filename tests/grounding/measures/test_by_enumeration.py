"""Interventions, renamings and learned rules against every world that some drawn rules allow."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.grounding.measures.acquired_rules import all_different, compare_rules
from groundcheck.grounding.measures.interventions import (
    Followed,
    Intervention,
    Interventions,
    answered_from_symbols,
    answers_possible,
    determined_answers,
    follow_symbols,
    intervene,
    names_of,
)
from groundcheck.grounding.measures.renaming import (
    HandedOn,
    Renaming,
    answers_to_names,
    find_renaming,
    handed_on,
)
from groundcheck.grounding.measures.statistics import wilson_interval
from groundcheck.solvers.rules.acquisition import Rule

NAMES = ("a", "b", "c", "d")


def allowing(domains: tuple[int, ...], worlds: list[tuple[int, ...]]) -> Problem:
    """A problem of these worlds: every other one is a clause."""
    names, every = NAMES[: len(domains)], itertools.product(*map(range, domains))
    frame = Problem(names, domains)
    kept = set(worlds)
    return make_problem(
        names, domains, [[-x for x in frame.assumptions(list(w))] for w in every if w not in kept]
    )


def drawn_worlds(domains: tuple[int, ...], share: float, rng: np.random.Generator) -> list[tuple[int, ...]]:
    every = list(itertools.product(*map(range, domains)))
    return [world for world in every if rng.random() < share]


def completions(worlds: list[tuple[int, ...]], known: dict[int, int], queries: list[int]) -> set[tuple]:
    """What the worlds that agree with what is known say of the queries."""
    fit = [w for w in worlds if all(w[v] == symbol for v, symbol in known.items())]
    return {tuple(w[v] for v in queries) for w in fit}


@pytest.mark.parametrize("seed", range(5))
def test_every_count_of_an_intervention_is_that_of_all_worlds(seed: int) -> None:  # noqa: PLR0915 - one case
    """Drawn rules, readings under drawn names, and a solver that answers at random or as before."""
    rng = np.random.default_rng(seed)
    domains, symbols, rows = (3, 3, 2, 3), 3, 30
    worlds = drawn_worlds(domains, 0.35, rng)
    problem = allowing(domains, worlds)
    solution = np.array(worlds)[rng.integers(len(worlds), size=rows)]
    given = rng.random((rows, 4)) < 0.6
    given[:, 0], given[:, 3] = True, False
    shown = given & (rng.random((rows, 4)) < 0.7)
    shown[0] = False
    names = rng.permutation(symbols)
    relabelling = np.argsort(names)  # the true symbol of each name
    read = np.where(shown, names[solution], solution)
    beliefs = torch.from_numpy(0.9 * np.eye(3)[read] + 0.05)
    asked: list[np.ndarray] = []
    answers: list[np.ndarray] = []

    def answer(handed: torch.Tensor) -> np.ndarray:
        asked.append(handed.numpy().argmax(-1))
        found = np.where(rng.random((rows, 1)) < 0.5, solution, rng.integers(0, domains, (rows, 4)))
        answers.append(found)
        said = np.eye(3)[found]
        said[rng.random(rows) < 0.1, 3, 0] = np.nan
        answers[-1] = np.where(np.isnan(said).any(-1) & ~given, -1, found)
        return said

    found = intervene(problem, beliefs, given, shown, solution, relabelling.tolist(), answer)
    lost = [(a < 0).any(1) for a in answers]
    right = ((answers[0] == solution) | given).all(1) & ~lost[0]
    assert found.plain == right.mean()
    before = np.roll(solution, 1, axis=0)
    assert found.chance == ((before == solution) | given).all(1).mean()
    for place, name in enumerate(("shuffle", "permute", "corrupt"), 1):
        counts = Counter[str]()
        for row in range(rows):
            queries = [v for v in range(4) if not given[row, v]]
            heard = {}  # what the solver is now told of the givens, by their true symbols
            for v in (v for v in range(4) if given[row, v]):
                symbol = int(asked[place][row, v])
                if name == "shuffle":
                    if given[row - 1, v]:
                        heard[v] = int(solution[row - 1, v])
                else:
                    heard[v] = int(relabelling[symbol]) if shown[row, v] else symbol
            left = completions(worlds, heard, queries)
            old = tuple(solution[row, v] for v in queries)
            gave = None if lost[place][row] else tuple(answers[place][row, v] for v in queries)
            counts["puzzles"] += old not in left
            counts["kept"] += old not in left and gave == old
            counts["determined"] += len(left) == 1
            counts["followed"] += len(left) == 1 and gave in left
        assert getattr(found, name) == Intervention(**counts), name
        assert counts["puzzles"] > 0
    moved = asked[3] != asked[0]
    assert (moved.sum(1) == shown.any(1)).all()  # one of those that are shown, where any is
    assert not (moved & ~shown).any()
    assert names_of(relabelling.tolist()).tolist() == names.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_answers_are_determined_where_one_completion_is_left(seed: int) -> None:
    rng = np.random.default_rng(seed)
    domains = (2, 3, 3)
    worlds = drawn_worlds(domains, 0.4, rng)
    problem = allowing(domains, worlds)
    given = rng.random((40, 3)) < 0.5
    facts = np.where(given & (rng.random((40, 3)) < 0.9), rng.integers(0, 3, (40, 3)), -1)
    found = determined_answers(problem, given, facts)
    kinds = Counter[str]()
    for row in range(40):
        queries = [v for v in range(3) if not given[row, v]]
        known = {v: int(facts[row, v]) for v in range(3) if facts[row, v] >= 0}
        left = completions(worlds, known, queries)
        if len(left) == 1:
            [only] = left
            assert [int(found[row, v]) for v in queries] == list(only)
            assert (found[row][given[row]] == 0).all()
        else:
            assert (found[row] == -1).all()
        kinds[str(min(2, len(left)))] += 1
    assert kinds.keys() == {"0", "1", "2"}
    solution = np.array(worlds)[rng.integers(len(worlds), size=40)]
    gave = np.where(rng.random((40, 1)) < 0.5, solution, rng.integers(0, domains, (40, 3)))
    followed = determined = 0
    for row in range(40):
        queries = [v for v in range(3) if not given[row, v]]
        left = completions(worlds, {v: solution[row, v] for v in range(3) if given[row, v]}, queries)
        determined += len(left) == 1
        followed += len(left) == 1 and tuple(gave[row, v] for v in queries) in left
    assert follow_symbols(problem, given, solution, np.eye(3)[gave]) == Intervention(
        0, 0, determined, followed
    )


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_is_possible_where_every_query_by_itself_has_a_world(seed: int) -> None:
    rng = np.random.default_rng(seed)
    domains = (2, 3, 3)
    worlds = drawn_worlds(domains, 0.4, rng)
    facts = np.where(rng.random((60, 3)) < 0.3, rng.integers(0, domains, (60, 3)), -1)
    answered, asked = rng.integers(0, 3, (60, 3)), facts < 0
    found = answers_possible(allowing(domains, worlds), facts, answered, asked)
    for row in range(60):
        known = {v: int(facts[row, v]) for v in range(3) if not asked[row, v]}
        left = [completions(worlds, known, [v]) for v in range(3)]
        assert found[row] == all((answered[row, v],) in left[v] for v in range(3) if asked[row, v])
    assert 0 < found.sum() < 60


def on_symbols(*seeds: tuple[float, float, int, int]) -> Followed | None:
    quiet = Intervention(0, 0)
    return answered_from_symbols(
        [Interventions(p, c, quiet, quiet, quiet, Intervention(0, 0, d, f)) for p, c, d, f in seeds]
    )


def test_true_symbols_are_asked_of_what_is_clear_of_chance() -> None:
    assert on_symbols((0.9, 0.1, 9, 0)) is None
    assert on_symbols((0.9, 0.1, 4, 0), (0.9, 0.1, 5, 0)) is None
    assert on_symbols((0.9, 0.1, 4, 0), (0.9, 0.1, 6, 0)) is not None
    assert on_symbols((0.35, 0.25, 50, 0)) is None  # no more than a tenth over chance
    assert on_symbols((0.36, 0.25, 50, 0)) is not None
    found = on_symbols((0.9, 0.1, 30, 20), (0.7, 0.3, 10, 10))
    assert found is not None
    assert (found.plain, found.share, found.determined) == (pytest.approx(0.8), 0.75, 40)
    assert found.bound == pytest.approx(0.2 + 0.8 * 0.6)
    assert found.interval == wilson_interval(30, 40)
    quiet = Intervention(0, 0)
    assert Interventions(0.9, 0.1, quiet, quiet, quiet).symbols == quiet
    at_bound = Followed(0.9, 0.5, 10, 0.6, (0.4, 0.6))
    assert at_bound.holds
    assert not Followed(0.9, 0.5, 10, 0.61, (0.4, 0.6)).holds


@pytest.mark.parametrize("seed", range(12))
def test_a_renaming_joins_the_pairs_that_every_world_joins_alike(seed: int) -> None:
    """b and d may follow a, each in its way or both in one; c is drawn."""
    rng = np.random.default_rng(seed)
    symbols = 3
    one, other = (rng.permutation(symbols) for _ in range(2))
    if seed % 3 == 0:
        other = one
    worlds = [(a, int(one[a]), c, int(other[a])) for a in range(3) for c in range(3)]
    if seed % 3 == 1:
        worlds.append((0, int(one[1]), 0, int(other[0])))  # b no longer follows
    problem = allowing((3, 3, 3, 3), worlds)
    solution = np.array(worlds[:9])[rng.permutation(np.repeat(np.arange(9), 3))]
    given = np.array([[True, False, True, False]] * len(solution))
    shown = given & np.array([True, False, seed % 2 == 0, False])
    found = find_renaming(problem, given, shown, solution, symbols)
    joined: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for g, q in itertools.product((0, 2), (1, 3)):
        maps = {k: {w[q] for w in worlds if w[g] == k} for k in range(symbols)}
        if shown[:, g].any() and all(len(m) == 1 for m in maps.values()):
            answer = tuple(next(iter(maps[k])) for k in range(symbols))
            if len(set(answer)) == symbols:
                joined.setdefault(answer, []).append((g, q))
    assert joined
    assert found is not None
    pairs = list(zip(found.givens, found.queries, strict=True))
    assert pairs == joined[found.answer]
    assert len(pairs) == max(map(len, joined.values()))
    names = rng.permutation(symbols)
    said = rng.integers(0, symbols, solution.shape)
    completion = np.eye(symbols)[said]
    completion[rng.random(len(solution)) < 0.2, found.queries[0], 1] = np.nan
    heard: list[Counter[int]] = [Counter() for _ in range(symbols)]
    for g, q in pairs:
        for row in range(len(solution)):
            if shown[row, g] and not np.isnan(completion[row, q]).any():
                heard[names[solution[row, g]]][int(said[row, q])] += 1
    answers = answers_to_names(found, names, given, shown, solution, completion)
    for counts, answer in zip(heard, answers, strict=True):
        assert counts[answer] == max(counts.values())
    nothing = Renaming((0, 1, 2), (0,), (1,))
    blind = np.zeros_like(shown)
    assert answers_to_names(nothing, names, given, blind, solution, completion) == [-1] * symbols


def test_what_is_handed_on_is_found_below_one_in_a_thousand_and_open_above() -> None:
    at = HandedOn(names=10, copied=6, repeated=0, by_chance=0.001, at_most=0.001)
    assert (at.found, at.open) == (False, True)
    assert HandedOn(10, 6, 0, 0.0009, 0.001).found
    assert not HandedOn(10, 6, 0, 0.0009, 0.001).open
    assert not HandedOn(10, 5, 0, 0.5, 0.5).open  # half of the names are not most
    assert not HandedOn(10, 6, 0, 0.5, 0.0009).open  # enough names to tell
    assert "as in the seed before" not in HandedOn(10, 6, 0, 0.5, 0.5).sentence
    assert ", 1 as in the seed before (chance 0.5)" in HandedOn(10, 6, 1, 0.5, 0.5).sentence
    assert "6 of 10 names" in HandedOn(10, 6, 1, 0.5, 0.5).sentence
    some = handed_on([[1, 0, 2], [1, 2, 0], [0, 0, 1], [2, 1, 0]])
    assert some is not None
    assert (some.names, some.copied, some.repeated) == (9, 2, 2)
    assert some.by_chance == 1.0


def drawn_rules(rng: np.random.Generator, domains: tuple[int, ...]) -> list[Rule]:
    pairs = list(itertools.combinations(range(len(domains)), 2))
    rules = []
    for number in rng.choice(len(pairs), size=rng.integers(1, 4), replace=False):
        u, v = pairs[number]
        kind = ("equal", "less", "greater", "difference", "pair")[rng.integers(5)]
        pair = (int(rng.integers(domains[u])), int(rng.integers(domains[v])))
        rules.append(Rule(u, v, kind, offset=int(rng.integers(-1, 2)), pair=pair))
    return rules


@pytest.mark.parametrize("seed", range(12))
def test_learned_rules_are_compared_over_every_world(seed: int) -> None:
    rng = np.random.default_rng(seed)
    domains = ((3, 3, 3), (2, 3, 4))[seed % 2]
    true, learned = drawn_rules(rng, domains), drawn_rules(rng, domains)
    if seed % 4 == 0:
        learned = [*true, *learned] if seed % 8 else list(true)
    every = list(itertools.product(*map(range, domains)))

    def broken(rule: Rule, world: tuple[int, ...]) -> bool:
        u, v = rule.first, rule.second
        return bool(rule.forbids((domains[u], domains[v]))[world[u], world[v]])

    allowed = [w for w in every if not any(broken(rule, w) for rule in true)]
    kept = [w for w in every if not any(broken(rule, w) for rule in learned)]
    frame = Problem(NAMES[:3], domains)
    clauses = [
        [-frame.literal(r.first, a), -frame.literal(r.second, b)]
        for r in true
        for a, b in np.argwhere(r.forbids((domains[r.first], domains[r.second]))).tolist()
    ]
    problem = make_problem(frame.variables, domains, clauses)
    found = compare_rules(problem, learned)
    assert found.superfluous == [r for r in learned if any(broken(r, w) for w in allowed)]

    def follows(clause: list[int]) -> bool:
        worlds = [set(frame.assumptions(list(w))) for w in kept]
        return all(any((x in w) if x > 0 else (-x not in w) for x in clause) for w in worlds)

    assert found.missing == [c for c in problem.rules.clauses if not follows(list(c))]
    assert found.undecided == []
    assert found.equivalent == (set(allowed) == set(kept) or not (found.superfluous or found.missing))


@pytest.mark.parametrize("seed", range(6))
def test_groups_of_different_variables_hold_every_pair_and_no_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [p for p in itertools.combinations(range(7), 2) if rng.random() < 0.55]
    others = [Rule(0, 1, "less"), Rule(2, 3, "pair", pair=(0, 1))]
    groups = all_different([Rule(u, v, "equal") for u, v in rng.permutation(pairs).tolist()] + others)
    assert {p for group in groups for p in itertools.combinations(group, 2)} == set(pairs)
    assert all(group == sorted(group) for group in groups)
    for group in groups:  # none could take in one more
        assert not any(all(tuple(sorted((v, w))) in pairs for w in group) for v in range(7) if v not in group)
