"""Interventions on what a trained solver is handed: which answers stay, and which follow the rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pysat.solvers import Solver as SatSolver
from torch import Tensor

from ...datasets.problem import Problem
from .metrics import answered_right
from .statistics import wilson_interval

Answer = Callable[
    [Float[Tensor, "puzzles variables symbols"]], Float[np.ndarray, "puzzles variables symbols"]
]

MIN_DETERMINED = 10  # puzzles whose answer the rules determine, for true symbols to say something
CLEAR_OF_CHANCE = 0.1  # what a network must have over chance, for there to be something to lose
FOLLOWED_SHARE = 0.8  # of what it has over chance on images must be left on true symbols


@dataclass(frozen=True)
class Intervention:
    """What an intervention left: of `puzzles` whose old answer the rules no longer allow, so many kept it.

    Of `determined` puzzles whose answer the rules determine after the intervention, `followed` were given it.
    """

    puzzles: int
    kept: int
    determined: int = 0
    followed: int = 0


@dataclass(frozen=True)
class Interventions:
    """The interventions on one trained network.

    `symbols` is of true symbols in the place of readings. `handed` is the answer to each name of a symbol
    where the rules make a query a renaming of a given (−1: that name was not handed), None where no query is.
    """

    plain: float  # fraction of puzzles answered right without any
    chance: float  # fraction that the answer of another puzzle answers right
    shuffle: Intervention
    permute: Intervention
    corrupt: Intervention
    symbols: Intervention = Intervention(0, 0)
    handed: list[int] | None = None


def intervene(
    problem: Problem,
    beliefs: Float[Tensor, "puzzles variables symbols"],
    given: Bool[np.ndarray, "puzzles variables"],
    shown: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
    relabelling: Sequence[int],
    answer: Answer,
) -> Interventions:
    """Hands the solver other beliefs and counts answers that stay, where the rules say that they must not.

    `answer` is the solver on these puzzles; `relabelling` is the true symbol of each predicted one. An old
    answer must go if the rules, with what is shown after the intervention, do not allow it.
    """
    shuffled = np.roll(solution, 1, axis=0)
    symbols = len(relabelling)
    predicted = names_of(relabelling)
    turned = np.asarray(relabelling)[
        (predicted + 1) % symbols
    ]  # true symbol after its belief moved on by one
    rng = np.random.default_rng(0)
    one = np.zeros_like(shown)
    for row in np.flatnonzero(shown.any(axis=1)):
        one[row, rng.choice(np.flatnonzero(shown[row]))] = True
    seen = np.where(shown, solution, 0)
    both = given & np.roll(given, 1, axis=0)
    moved = torch.from_numpy(_moved_on(beliefs.detach().cpu().numpy(), symbols)).to(beliefs)
    changed = {
        "shuffle": (beliefs.roll(1, 0), np.where(both, shuffled, -1)),
        "permute": (
            torch.where(torch.from_numpy(shown[..., None]).to(beliefs.device), moved, beliefs),
            np.where(shown, turned[seen], solution),
        ),
        "corrupt": (
            torch.where(torch.from_numpy(one[..., None]).to(beliefs.device), moved, beliefs),
            np.where(one, turned[seen], solution),
        ),
    }
    right_before = _right(answer(beliefs), given, solution)
    left: dict[str, Intervention] = {}
    for name, (new, facts) in changed.items():
        completion = answer(new)
        must_go = ~_allowed(problem, np.where(given, facts, solution))
        kept = _right(completion, given, solution) & must_go
        determined, followed = _following(problem, given, np.where(given, facts, -1), completion)
        left[name] = Intervention(*(int(rows.sum()) for rows in (must_go, kept, determined, followed)))
    same = ((shuffled == solution) | given).all(axis=1)
    return Interventions(
        plain=float(right_before.mean()),
        chance=float(same.mean()),
        shuffle=left["shuffle"],
        permute=left["permute"],
        corrupt=left["corrupt"],
    )


def names_of(relabelling: Sequence[int]) -> Int[np.ndarray, " symbols"]:
    """What perception calls each true symbol, from the true symbol of each predicted one."""
    names = np.empty(len(relabelling), dtype=np.int64)
    names[np.asarray(relabelling)] = np.arange(len(relabelling))
    return names


@dataclass(frozen=True)
class Followed:
    """How well networks answer from true symbols, against what they answer from images."""

    plain: float  # share of puzzles answered right from images
    share: float  # and from true symbols, of those whose answer the rules determine
    determined: int
    bound: float
    interval: tuple[float, float]  # Wilson's, of `share`

    @property
    def holds(self) -> bool:
        """Whether the answers come from symbols: not where the whole interval is below the bound."""
        return self.interval[1] >= self.bound


def answered_from_symbols(seeds: Sequence[Interventions]) -> Followed | None:
    """Over the trained networks of some seeds; None where too few puzzles are determined, or answered."""
    determined = sum(seed.symbols.determined for seed in seeds)
    if determined < MIN_DETERMINED:
        return None
    plain = float(np.mean([seed.plain for seed in seeds]))
    chance = float(np.mean([seed.chance for seed in seeds]))
    if plain <= chance + CLEAR_OF_CHANCE:
        return None
    followed = sum(seed.symbols.followed for seed in seeds)
    bound = chance + FOLLOWED_SHARE * (plain - chance)
    return Followed(plain, followed / determined, determined, bound, wilson_interval(followed, determined))


def follow_symbols(
    problem: Problem,
    given: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
    completion: Float[np.ndarray, "puzzles variables symbols"],
) -> Intervention:
    """How many puzzles a solver answered by the rules that was handed their true symbols under some names.

    Of those whose answer the rules determine.
    """
    determined, followed = _following(problem, given, np.where(given, solution, -1), completion)
    return Intervention(0, 0, int(determined.sum()), int(followed.sum()))


def _following(
    problem: Problem,
    given: Bool[np.ndarray, "puzzles variables"],
    facts: Int[np.ndarray, "puzzles variables"],
    completion: Float[np.ndarray, "puzzles variables symbols"],
) -> tuple[Bool[np.ndarray, " puzzles"], Bool[np.ndarray, " puzzles"]]:
    """Of which puzzles the rules and what is known determine the answer, and which were given it."""
    answers = determined_answers(problem, given, facts)
    determined = answers[:, 0] >= 0  # a row has all of its answers, or none
    return determined, _right(completion, given, answers) & determined


def _moved_on(
    beliefs: Float[np.ndarray, "puzzles variables symbols"], symbols: int
) -> Float[np.ndarray, "puzzles variables symbols"]:
    """What was believed of a symbol is believed of the next, among those that images show."""
    moved = beliefs.copy()
    moved[..., :symbols] = np.roll(beliefs[..., :symbols], 1, axis=-1)
    return moved


def _right(
    completion: Float[np.ndarray, "puzzles variables symbols"],
    given: Bool[np.ndarray, "puzzles variables"],
    solution: Int[np.ndarray, "puzzles variables"],
) -> Bool[np.ndarray, " puzzles"]:
    right, _ = answered_right(completion, given, solution)
    return np.all(right, axis=1)


def _allowed(problem: Problem, facts: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
    """Whether the rules allow what is known of each puzzle; −1 is not known."""
    assert problem.rules is not None
    domains = np.asarray(problem.domains)
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as solver:
        return np.array(
            [
                bool((row < domains).all()) and solver.solve(assumptions=problem.assumptions(row.tolist()))
                for row in facts
            ]
        )


def answers_possible(
    problem: Problem,
    facts: Int[np.ndarray, "puzzles variables"],
    answered: Int[np.ndarray, "puzzles variables"],
    asked: Bool[np.ndarray, "puzzles variables"],
) -> Bool[np.ndarray, " puzzles"]:
    """Whether the rules, and what is known, allow the answer to each query by itself; −1 is not known."""
    assert problem.rules is not None
    legal = answered < np.asarray(problem.domains)
    possible = np.asarray((legal | ~asked).all(axis=1))
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as solver:
        for row in np.flatnonzero(possible):
            known = problem.assumptions(facts[row].tolist())
            possible[row] = all(
                solver.solve(assumptions=[*known, problem.literal(v, int(answered[row, v]))])
                for v in np.flatnonzero(asked[row]).tolist()
            )
    return possible


def determined_answers(
    problem: Problem,
    given: Bool[np.ndarray, "puzzles variables"],
    facts: Int[np.ndarray, "puzzles variables"],
) -> Int[np.ndarray, "puzzles variables"]:
    """The one answer that the rules leave at the queries, 0 at the givens; −1 where there is none or more."""
    assert problem.rules is not None
    answers = np.full(facts.shape, -1)
    legal = (facts < np.asarray(problem.domains)).all(axis=1)
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as solver:
        for free, row in enumerate(np.flatnonzero(legal), 1 + (problem.rules.nv or 0)):
            known = problem.assumptions(facts[row].tolist())
            if not solver.solve(assumptions=known):
                continue
            held = set(solver.get_model() or [])
            answer = np.zeros_like(facts[row])
            chosen: list[int] = []
            for v in np.flatnonzero(~given[row]).tolist():
                literals = [problem.literal(v, symbol) for symbol in range(problem.domains[v])]
                answer[v] = next(symbol for symbol, literal in enumerate(literals) if literal in held)
                chosen.append(literals[answer[v]])
            solver.add_clause([-free, *(-literal for literal in chosen)])
            if not solver.solve(assumptions=[*known, free]):
                answers[row] = answer
    return answers
