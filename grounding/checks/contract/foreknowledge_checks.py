"""The contract of a solver: one that says that it learns its rules brings none along."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ....datasets.problem import Problem
from ....datasets.task import Split
from ..registry import MEASURED, FailCheckError, Measurement, Registry, SkipCheckError
from .subject import Sample, Subject, distance, row_losses, run_forward

SEEDS = 5  # untrained solvers that are asked
RENAMINGS = 20  # other rules that one is asked for, where all seeds have the same weights
UNTRAINED_PUZZLES = 100
# By how much untrained solvers may do better than chance, beyond three standard errors over their seeds.
CHANCE_MARGIN = 0.1
ORDER_MARGIN = 0.1  # the same for how often the true symbol is preferred to another one; half is chance
STEPS: tuple[int, ...] = (2, 20)  # of a short training on rules of the same shape, after which it is looked
ROWS_PER_STEP = 16
RATES = (1e-2, 1.0)  # Adam's: what is hidden behind a small factor moves at a large one
LEARNERS = 5  # solvers, each of another seed, that may be trained on either rules
LEAD = 0.25  # by how much more the rules of the task may be learned than others


PART: Registry[Subject] = Registry("contract", place=35)


@PART.check("untrained", needs=["shape", "device"], at_most=MEASURED)
def check_untrained(subject: Subject) -> Measurement:
    """A solver that declares that it learns its rules does not know them before it was trained.

    Solvers that are given the rules and solvers that learn them are never compared with each other; one
    that carries the rules of a benchmark inside and says that it learns them would be. Five new solvers, each
    of another seed, answer the queries of real puzzles from the true symbols of the givens. It is looked at
    their answers, and at their order: beliefs may be all but uniform and still prefer the true symbol, which
    a temperature then brings out. A symbol's belief is compared with what the same symbol gets on average
    over the puzzles, so that a prior counts for nothing. Where every seed gets the same weights, what they do
    by chance is seen under twenty other rules of the same shape.

    Failure: the figure is the share of queries answered right; the bound is chance plus a tenth, plus three
    standard errors over the seeds (three standard deviations over the other rules). Or the true symbol is
    preferred to another one more often than in half of the cases, by as much.

    Remedy: Declare `rules = "given"`, and take the rules from `problem.rules`.
    """
    if subject.rules != "learned":
        raise SkipCheckError("the solver declares that it is given the rules")
    sample = subject.sample(min(UNTRAINED_PUZZLES, 4 * len(subject.many.given)), seed=2, certain=True)
    queries = ~sample.given
    legal = torch.from_numpy(subject.problem.legal).to(sample.beliefs.device)
    built = [subject.build(seed=100 + seed, untrained=True) for seed in range(SEEDS)]
    completions = [run_forward(solver, sample) for solver in built]
    shares = [_share_right(completion, sample) for completion in completions]
    orders = [_preference(completion, sample, legal) for completion in completions]
    chances = _standard_error(shares), _standard_error(orders)
    if all(distance(completion, completions[0]) == 0 for completion in completions):
        others = [other_rules(subject.problem, seed)(sample) for seed in range(RENAMINGS)]
        renamed = [(run_forward(built[0], other), other) for other in others]
        chances = (
            float(np.std([_share_right(completion, other) for completion, other in renamed])),
            float(np.std([_preference(completion, other, legal) for completion, other in renamed])),
        )
    counts = torch.from_numpy(np.asarray(subject.problem.domains)).expand(sample.answer.shape)
    chance = _guessing(sample.answer.cpu(), counts, queries.cpu())
    share, bound = float(np.mean(shares)), chance + CHANCE_MARGIN + 3 * chances[0]
    order, most = float(np.mean(orders)), 0.5 + ORDER_MARGIN + 3 * chances[1]
    message = (
        f"untrained, it answers {share:.2f} of the queries (chance {chance:.2f}), and prefers the true "
        f"symbol to another one in {order:.2f} of the cases (chance 0.50)"
    )
    if order > most and share <= bound:
        raise FailCheckError(f"{message}: at most {most:.2f} may be", share)
    return Measurement(share, message, bound=bound)


def _standard_error(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) / len(values) ** 0.5


def _share_right(completion: Tensor, sample: Sample) -> float:
    """The share of queries that are answered right."""
    answered = completion.nan_to_num(-torch.inf).argmax(-1)
    return float((answered == sample.answer)[~sample.given].double().mean())


def _preference(completion: Tensor, sample: Sample, legal: Tensor) -> float:
    """How often the true symbol of a query has more belief than another one, ties counted half: of beliefs
    as logarithms, less what the symbol has on average where the variable is asked for.
    """
    level = completion.double().clamp_min(1e-300).log().nan_to_num(-1e3)
    asked = ~sample.given
    weight = asked.double().unsqueeze(-1)
    usual = (level * weight).sum(0) / weight.sum(0).clamp_min(1)
    level = level - usual
    true = level.gather(-1, sample.answer.clamp_min(0).unsqueeze(-1))
    other = legal & (torch.arange(level.shape[-1], device=level.device) != sample.answer.unsqueeze(-1))
    pairs = other & asked.unsqueeze(-1)
    # Differences of rounding are ties.
    near = (true - level).abs() <= 1e-6 * (1 + level.abs())
    wins = torch.where(near, 0.5, (true > level).double())
    return float((wins * pairs).sum() / pairs.sum().clamp_min(1))


def _guessing(answer: Tensor, counts: Tensor, queries: Tensor) -> float:
    """What the best constant answer per variable gets right, or a uniform guess if that is better."""
    right = 0.0
    for variable in range(answer.shape[1]):
        asked = answer[queries[:, variable], variable]
        if len(asked):
            commonest = int(torch.bincount(asked).max())
            right += max(commonest, len(asked) / int(counts[0, variable]))
    return right / max(1, int(queries.sum()))


@dataclass(frozen=True)
class Renaming:
    """Other rules of the same shape: variables change places, and symbols their names."""

    variables: Int[np.ndarray, " variables"]  # variable v goes to `variables[v]`
    symbols: Int[np.ndarray, "variables symbols"]  # symbol k of variable v is called `symbols[v, k]`

    def __call__(self, sample: Sample) -> Sample:
        """The sample under the other rules."""
        places = torch.from_numpy(self.variables).to(sample.given.device)
        names = torch.from_numpy(self.symbols).to(sample.given.device)
        beliefs = torch.empty_like(sample.beliefs)
        beliefs.scatter_(-1, names.expand(sample.beliefs.shape), sample.beliefs)
        named = names.expand(sample.beliefs.shape).gather(-1, sample.answer.clamp_min(0).unsqueeze(-1))
        answer = torch.where(sample.given, -1, named.squeeze(-1))
        moved = [torch.empty_like(part) for part in (beliefs, sample.given, answer)]
        for part, source in zip(moved, (beliefs, sample.given, answer), strict=True):
            part[:, places] = source
        return Sample(*moved)


def other_rules(problem: Problem, seed: int) -> Renaming:
    """A random renaming: variables with as many symbols change places, and all of them rename alike."""
    rng = np.random.default_rng((seed, 9))
    sizes = np.asarray(problem.domains)
    variables = np.arange(len(sizes))
    symbols = np.tile(np.arange(problem.symbols), (len(sizes), 1))
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        variables[members] = rng.permutation(members)
        symbols[np.ix_(members, np.arange(size))] = rng.permutation(size)
    return Renaming(variables, symbols)


@PART.check("other-rules", needs=["loss", "listens", "globals", "untrained"], at_most=LEAD)
def check_other_rules(subject: Subject) -> Measurement:
    """A solver that declares that it learns its rules learns others of the same shape as well as those of
    the task.

    The others are those of the task with variables moved to other places and symbols renamed: another
    bijection, a Sudoku whose cells were shuffled. A solver that is handed no rules cannot tell them apart;
    one that carries the rules of the task, behind a temperature or mixed in with a little weight, brings
    them out in a few steps, and has nothing to bring out for the others. A new solver takes twenty steps on
    true symbols from either; the better of two rates counts for each, after two steps and after all. Where
    it does better under the rules of the task, four more of other seeds have to confirm it.

    Failure: the figure is by how much more of the queries each of five solvers answers, at least, under the
    rules of the task, after as many steps. It brings what it should learn.

    Remedy: Declare `rules = "given"`; if it is the arrangement of the variables that it knows (rows, columns,
    neighbours), that is knowledge of the rules too.
    """
    if subject.rules != "learned":
        raise SkipCheckError("the solver declares that it is given the rules")
    if not any(p.requires_grad for p in subject.solver().parameters()):
        raise SkipCheckError("the solver has no parameters")
    leads = dict.fromkeys(STEPS, np.inf)
    message = ""
    for seed in range(LEARNERS):
        own, chance = _learned(subject, None, seed)
        if max(own.values()) - chance <= LEAD:  # nothing is there to lead with
            answered = f"after {STEPS[-1]} steps it answers {own[STEPS[-1]]:.2f} of the queries"
            return Measurement(max(own.values()) - chance, f"{answered} (chance {chance:.2f})")
        other, _ = _learned(subject, other_rules(subject.problem, seed), seed)
        leads = {steps: min(lead, own[steps] - other[steps]) for steps, lead in leads.items()}
        steps = max(leads, key=lambda steps: leads[steps])
        message = (
            f"after {steps} steps it answers {own[steps]:.2f} of the queries under the rules of the task, "
            f"{other[steps]:.2f} under others of the same shape"
        )
        if max(leads.values()) <= LEAD:
            break
    return Measurement(float(max(leads.values())), message)


def _learned(subject: Subject, renaming: Renaming | None, seed: int) -> tuple[dict[int, float], float]:
    """The share of queries that a new solver answers after so many steps on true symbols, at the better of
    two rates; and what guessing answers.
    """
    splits: tuple[tuple[int, Split], ...] = (
        (STEPS[-1] * ROWS_PER_STEP, "train"),
        (UNTRAINED_PUZZLES, "validation"),
    )
    training, held_out = (
        subject.sample(rows, seed=30 + seed, certain=True, split=split) for rows, split in splits
    )
    if renaming is not None:
        training, held_out = renaming(training), renaming(held_out)
    counts = torch.from_numpy(np.asarray(subject.problem.domains)).expand(held_out.answer.shape)
    queries = ~held_out.given
    best = dict.fromkeys(STEPS, 0.0)
    for rate in RATES:
        solver = subject.build(seed=200 + seed, untrained=True)
        optimiser = torch.optim.Adam([p for p in solver.parameters() if p.requires_grad], lr=rate)
        for step in range(STEPS[-1]):
            rows = slice(step * ROWS_PER_STEP, (step + 1) * ROWS_PER_STEP)
            losses = row_losses(solver.train(), training.rows(rows))
            solved = losses[losses.isfinite()]
            if not len(solved) or not solved.requires_grad:
                break
            optimiser.zero_grad()
            solved.mean().backward()
            if not all(bool(p.grad.isfinite().all()) for p in solver.parameters() if p.grad is not None):
                break
            optimiser.step()
            if step + 1 in STEPS:
                share = _share_right(run_forward(solver.eval(), held_out), held_out)
                best[step + 1] = max(best[step + 1], share)
    return best, _guessing(held_out.answer.cpu(), counts, queries.cpu())
