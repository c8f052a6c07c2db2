"""Does the answer come through the solver? Interventions on what a trained solver is handed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pysat.solvers import Solver as SatSolver
from torch import Tensor

from ...datasets.problem import Problem
from ..metrics import answered_right
from ..statistics import wilson_interval
from .registry import Registry, Result, SkipCheckError, failed, passed

PUZZLES = 100  # test puzzles that are intervened on
FEWEST = 10  # puzzles whose answer an intervention must have made wrong, for it to say something
HALF = 0.5  # of what the network has over chance may be left after shuffling and permuting
MOST = 0.9  # the same after corrupting: a solver may outvote one wrong given, but not every time

Answer = Callable[
    [Float[Tensor, "puzzles variables symbols"]], Float[np.ndarray, "puzzles variables symbols"]
]


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
    """The three interventions on one trained network."""

    plain: float  # fraction of puzzles answered right without any
    chance: float  # fraction that the answer of another puzzle answers right
    shuffle: Intervention
    permute: Intervention
    corrupt: Intervention

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Interventions":
        """From a JSON record."""
        parts: dict[str, Any] = {
            name: Intervention(**record[name]) for name in ("shuffle", "permute", "corrupt")
        }
        return cls(**{**record, **parts})


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
    predicted = np.empty(symbols, dtype=np.int64)
    predicted[np.asarray(relabelling)] = np.arange(symbols)
    turned = np.asarray(relabelling)[
        (predicted + 1) % symbols
    ]  # true symbol after its belief moved on by one
    rng = np.random.default_rng(0)
    one = np.zeros_like(shown)
    for row in np.flatnonzero(shown.any(axis=1)):
        one[row, rng.choice(np.flatnonzero(shown[row]))] = True
    seen = np.where(shown, solution, 0)
    both = given & np.roll(given, 1, axis=0)
    moved = torch.from_numpy(_moved_on(beliefs.numpy(force=True), symbols)).to(beliefs)
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
        answers = _determined(problem, given, np.where(given, facts, -1))
        determined = (answers >= 0).all(axis=1)
        followed = _right(completion, given, answers) & determined
        left[name] = Intervention(*(int(rows.sum()) for rows in (must_go, kept, determined, followed)))
    same = ((shuffled == solution) | given).all(axis=1)
    return Interventions(float(right_before.mean()), float(same.mean()), **left)


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


def _determined(
    problem: Problem,
    given: Bool[np.ndarray, "puzzles variables"],
    facts: Int[np.ndarray, "puzzles variables"],
) -> Int[np.ndarray, "puzzles variables"]:
    """The one answer that the rules leave at the queries, 0 at the givens; −1 where there is none or more."""
    assert problem.rules is not None
    answers = np.full(facts.shape, -1)
    free = problem.rules.nv or 0
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as solver:
        for row in np.flatnonzero((facts < np.asarray(problem.domains)).all(axis=1)):
            known = problem.assumptions(facts[row].tolist())
            if not solver.solve(assumptions=known):
                continue
            held = set(solver.get_model() or [])
            free += 1
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


@dataclass(frozen=True)
class Grounded:
    """What the bypass checks look at: the interventions on the seeds of one task."""

    seeds: Sequence[Interventions] = field(default_factory=tuple)


bypass: Registry[Grounded] = Registry("bypass")


@bypass.check("shuffle")
def check_shuffle(subject: Grounded) -> Result:
    """With the beliefs of another puzzle, the trained network no longer answers this one.

    Failure: the figure is the share of puzzles that kept an answer the rules no longer allow. The answer
    does not come through the solver.

    Remedy: Look for what reaches the answer beside the beliefs: state kept between calls, the order of the
    puzzles, an answer that is nearly always the same.
    """
    return _judge(subject, "shuffle", HALF)


@bypass.check("permute")
def check_permute(subject: Grounded) -> Result:
    """With every symbol renamed on its way into the solver, the old answers go.

    Each symbol is believed to be the next one; the answers must follow as the rules say, or fall to chance.
    The reason tells how many follow: of the puzzles whose answer the rules determine for the renamed symbols,
    those that were given it.

    Failure: as for bypass/shuffle. Here the network still hears of this puzzle, but not in these symbols.

    Remedy: See which beliefs are used beside the most likely symbol: a code spread over small probabilities.
    """
    return _judge(subject, "permute", HALF)


@bypass.check("corrupt")
def check_corrupt(subject: Grounded) -> Result:
    """With one given replaced by another symbol, the old answer goes.

    Failure: as for bypass/shuffle; the bound is higher, since a solver may outvote one wrong given.

    Remedy: Check that every given reaches the answer.
    """
    return _judge(subject, "corrupt", MOST)


def _judge(subject: Grounded, name: str, left: float) -> Result:
    if not subject.seeds:
        raise SkipCheckError("no trained network to intervene on")
    found: list[Intervention] = [getattr(seed, name) for seed in subject.seeds]
    plain = float(np.mean([seed.plain for seed in subject.seeds]))
    chance = float(np.mean([seed.chance for seed in subject.seeds]))
    puzzles, kept = sum(f.puzzles for f in found), sum(f.kept for f in found)
    if puzzles < FEWEST:
        raise SkipCheckError(f"the intervention makes the answers of only {puzzles} puzzles wrong")
    if plain <= chance + 0.1:
        raise SkipCheckError(
            f"the network answers {plain:.2f} of the puzzles (chance {chance:.2f}): nothing to lose"
        )
    share, bound = kept / puzzles, chance + left * (plain - chance)
    told = f"of {plain:.2f} answered, {share:.2f} of {puzzles} keep an answer that is now wrong"
    if determined := sum(f.determined for f in found):
        followed = sum(f.followed for f in found)
        told += f"; {followed / determined:.2f} of {determined} follow the rules to their one new answer"
    interval = wilson_interval(kept, puzzles)
    return passed(told, share, bound, interval) if share <= bound else failed(told, share, bound, interval)
