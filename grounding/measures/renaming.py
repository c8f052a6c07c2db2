"""Queries that are a renaming of a given: where a solver that hands its reading on keeps every rule."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from pysat.solvers import Solver as SatSolver

from ...datasets.problem import Problem

# A naming that shares this much with the answers' names, or the seed before, comes about by chance less often
# than once in a thousand suites.
SIGNIFICANCE = 0.001


@dataclass(frozen=True)
class Renaming:
    """`queries[i]` takes symbol `answer[k]` wherever the variable `givens[i]` takes symbol k."""

    answer: tuple[int, ...]
    givens: tuple[int, ...]
    queries: tuple[int, ...]


def find_renaming(
    problem: Problem,
    given: Bool[np.ndarray, "puzzles variables"],
    shown: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
    symbols: int,
) -> Renaming | None:
    """The renaming that joins most pairs of a shown given and a query; None where the rules join none.

    Such a pair exists where the rules make the query an injective function of the given alone, into the
    `symbols` that images show: perception may then name each image by its answer, and a solver that hands
    that name on obeys the rules. Pairs are proposed by the puzzles, and proved by SAT: exact for the pairs
    that the puzzles show.
    """
    if problem.rules is None:
        return None
    pairs: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as solver:
        for one, other in _proposed(given, shown, solution):
            answer = _forced(problem, solver, one, other, symbols)
            if answer is not None:
                pairs.setdefault(answer, []).append((one, other))
    if not pairs:
        return None
    answer = max(pairs, key=lambda answer: len(pairs[answer]))
    givens, queries = zip(*pairs[answer], strict=True)
    return Renaming(answer, givens, queries)


def _proposed(
    given: Bool[np.ndarray, "puzzles variables"],
    shown: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
) -> list[tuple[int, int]]:
    """Pairs of a shown given and a query in which, over the puzzles, either tells the other."""
    proposed: list[tuple[int, int]] = []
    for one in np.flatnonzero(shown.any(axis=0)).tolist():
        for other in np.flatnonzero((shown[:, [one]] & ~given).any(axis=0)).tolist():
            rows = shown[:, one] & ~given[:, other]
            both = {(int(a), int(b)) for a, b in solution[rows][:, [one, other]]}
            if len({a for a, _ in both}) == len({b for _, b in both}) == len(both):
                proposed.append((one, other))
    return proposed


def _forced(
    problem: Problem, solver: SatSolver, one: int, other: int, symbols: int
) -> tuple[int, ...] | None:
    """The symbol of `other` for each of `one`, where the rules leave one each and no two the same."""
    answer: list[int] = []
    for symbol in range(min(symbols, problem.domains[one])):
        known = problem.literal(one, symbol)
        if not solver.solve(assumptions=[known]):
            return None
        model = set(solver.get_model() or [])
        value = next(k for k in range(problem.domains[other]) if problem.literal(other, k) in model)
        if value >= symbols or solver.solve(assumptions=[known, -problem.literal(other, value)]):
            return None
        answer.append(value)
    return tuple(answer) if len(set(answer)) == len(answer) else None


def answers_to_names(
    renaming: Renaming,
    names: Int[np.ndarray, " symbols"],
    given: Bool[np.ndarray, "puzzles variables"],
    shown: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
    completion: Float[np.ndarray, "puzzles variables symbols"],
) -> list[int]:
    """What a solver mostly answers to each name at the queries of a renaming; −1 for a name it never heard.

    It was handed `solution` at the shown givens, symbol t under the name `names[t]`.
    """
    answers_of_name: list[Counter[int]] = [Counter() for _ in names]
    answered = completion.argmax(-1)
    for one, other in zip(renaming.givens, renaming.queries, strict=True):
        rows = np.flatnonzero(shown[:, one] & ~given[:, other] & ~np.isnan(completion[:, other]).any(-1))
        for row in rows.tolist():
            answers_of_name[int(names[solution[row, one]])][int(answered[row, other])] += 1
    return [max(counts, key=counts.__getitem__, default=-1) for counts in answers_of_name]


@dataclass(frozen=True)
class HandedOn:
    """How often trained solvers answer a name by itself (`copied`), and as in the seed before (`repeated`).

    `by_chance` is the probability of that many, or more, where the naming owes nothing to the answers: the
    smaller of the two, doubled. `at_most` is that of a solver that copies every name.
    """

    names: int  # over all seeds
    copied: int
    repeated: int
    by_chance: float
    at_most: float

    @property
    def found(self) -> bool:
        """Whether the solvers hand their readings on, which chance does not explain."""
        return self.by_chance < SIGNIFICANCE

    @property
    def open(self) -> bool:
        """Whether they look like it, and the names are too few to say that it is not chance."""
        return not self.found and self.at_most >= SIGNIFICANCE and 2 * self.copied > self.names

    @property
    def sentence(self) -> str:
        """What was counted, for a reason."""
        again = f", {self.repeated} as in the seed before" if self.repeated else ""
        return (
            f"the solver answers {self.copied} of {self.names} names by themselves{again} "
            f"(chance {self.by_chance:.1g})"
        )


def handed_on(seeds: Sequence[Sequence[int]]) -> HandedOn | None:
    """Of what the solver of each seed answers to each name; None where none answers one to one.

    Where names are free, perception and solver settle on a naming that knows nothing of the names of the
    answers: a solver that answers each name differently is then one of all one-to-one maps from names to
    answers, each as likely. The names that it answers by themselves are as many as a random permutation has
    fixed points, one on average; so are those that it answers as the solver of the seed before, whose naming
    was another draw. A layer that hands its reading on, as it is or under a renaming of its own, answers
    alike in every seed.
    """
    maps = [seed for seed in seeds if sorted(seed) == list(range(len(seed)))]
    if not maps:
        return None
    sizes = [len(answers) for answers in maps]
    copied = sum(answer == name for answers in maps for name, answer in enumerate(answers))
    repeated = sum(a == b for before, after in pairwise(maps) for a, b in zip(before, after, strict=True))
    chances = (chance_of_fixed(sizes, copied), chance_of_fixed(sizes[1:], repeated))
    return HandedOn(
        names=sum(sizes),
        copied=copied,
        repeated=repeated,
        by_chance=min(1.0, 2 * min(chances)),
        at_most=min(1.0, 2 * chance_of_fixed(sizes, sum(sizes))),
    )


def chance_of_fixed(sizes: Sequence[int], points: int) -> float:
    """Probability that random permutations of these sizes have `points` fixed points together, or more."""
    total = np.ones(1)
    for size in sizes:
        alone = [
            math.comb(size, fixed) * without / math.factorial(size)
            for fixed, without in enumerate(reversed(_derangements(size)))
        ]
        total = np.convolve(total, alone)
    return float(min(1.0, total[points:].sum()))


def _derangements(size: int) -> list[int]:
    """How many permutations of 0 to `size` things have no fixed point."""
    counts = [1]
    for n in range(1, size + 1):
        counts.append(n * counts[-1] + (-1) ** n)
    return counts
