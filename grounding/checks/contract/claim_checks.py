"""The contract of a solver: what it declares of itself is true."""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from ....solvers.solver import UnsupportedProblemError
from ..registry import Measurement, Registry, SkipCheckError
from .noise import movement
from .random_problem import random_beliefs, random_problem
from .subject import Sample, Subject, distance, run_forward
from .symmetry import Symmetry, find_symmetries

POSTERIOR_TOLERANCE = 1e-5  # of a probability, in float64 where the solver has it, else float32
SHAPES = ((2, 2, 2, 2), (3, 3, 3), (3, 2, 4))  # domains of the random problems
SYMMETRY_TOLERANCE = 1e-4  # of a belief, under a symmetry
SYMMETRIES = 4


PART: Registry[Subject] = Registry("contract", place=30)


@PART.check("posterior", needs=["shape", "device"], at_most=POSTERIOR_TOLERANCE)
def check_posterior(subject: Subject) -> Measurement:
    """A solver that declares `exact = True` returns the posterior under the rules.

    On random problems of 16 to 27 assignments, of which a third are allowed, with random givens and
    fractional beliefs, it is compared with the sum over all assignments, which this check takes itself.

    Failure: the figure is the largest error of a probability.

    Remedy: Compare by hand on a problem of two variables; look for a normalisation per variable where one
    over all assignments is due, and for beliefs at the queries that were multiplied in.
    """
    if not subject.exact:
        raise SkipCheckError("the solver does not declare that it is exact")
    worst = 0.0
    for number, domains in enumerate(SHAPES):
        problem, worlds = random_problem(domains, number)
        try:
            solver = subject.build(problem=problem).double()
        except UnsupportedProblemError as unsupported:
            raise SkipCheckError(f"no random problem can be tried: {unsupported}") from unsupported
        sample = random_beliefs(problem, worlds, number)
        expected = enumerated_posterior(sample.beliefs, sample.given, worlds)
        there = Sample(sample.beliefs.to(subject.device), sample.given.to(subject.device), sample.answer)
        found = run_forward(solver, there).cpu().double()
        legal = torch.from_numpy(problem.legal)
        at_queries = ~sample.given.unsqueeze(-1) & legal
        share = found / found.sum(-1, keepdim=True)
        worst = max(worst, distance(share[at_queries], expected[at_queries]))
    return Measurement(worst, f"probabilities are off by up to {worst:.2g} on {len(SHAPES)} random problems")


def enumerated_posterior(
    beliefs: Float[Tensor, "rows variables symbols"], given: Tensor, worlds: tuple[tuple[int, ...], ...]
) -> Float[Tensor, "rows variables symbols"]:
    """The marginals under the rules, one row and one world at a time."""
    marginals = torch.zeros_like(beliefs)
    for row, world in itertools.product(range(len(beliefs)), worlds):
        weight = math.prod(
            float(beliefs[row, variable, symbol])
            for variable, symbol in enumerate(world)
            if given[row, variable]
        )
        for variable, symbol in enumerate(world):
            marginals[row, variable, symbol] += weight
    return marginals / marginals.sum(-1, keepdim=True)


@PART.check("equivariance", needs=["shape", "rows"], at_most=SYMMETRY_TOLERANCE)
def check_equivariance(subject: Subject) -> Measurement:
    """What the rules cannot tell apart, a solver that has them and nothing else cannot either.

    Permutations of symbols and of variables that map the clauses to themselves are searched for (renaming
    the symbols of a Sudoku, exchanging its rows, transposing it; exchanging the two summands of an
    addition). Beliefs permuted by one of them must lead to answers permuted by it. Applies to
    solvers that are given the rules and have no parameters, and to those that declare `equivariant = True`;
    other parameters may prefer what they were trained on.

    Failure: the figure is the largest difference of a belief. The solver prefers one of two symbols, or
    places, that are alike, whatever it sees.

    Remedy: Look for ties that are broken by order, and for clauses that were left out.
    """
    if not subject.equivariant:
        raise SkipCheckError("only solvers that have rules and no parameters must keep their symmetries")
    symmetries = find_symmetries(subject.problem, SYMMETRIES)
    if not symmetries:
        raise SkipCheckError("no symmetry of these rules was found")
    solver, sample = subject.solver(), subject.few
    moved = 0.0
    for symmetry in symmetries:
        other = _turn(sample, symmetry)

        def turned(seed: int, other: Sample = other) -> Tensor:
            return run_forward(solver, other, seed)[~other.given]

        def expected(seed: int, other: Sample = other, symmetry: Symmetry = symmetry) -> Tensor:
            return _permute(run_forward(solver, sample, seed), symmetry)[~other.given]

        found = movement(turned, expected, noisy=not subject.deterministic, tolerance=SYMMETRY_TOLERANCE)
        moved = max(moved, found.figure)
    return Measurement(
        moved, f"answers differ by up to {moved:.2g} under {len(symmetries)} symmetries of the rules"
    )


def _permute(beliefs: Tensor, symmetry: Symmetry) -> Tensor:
    permuted = torch.empty_like(beliefs).flatten(1)
    permuted[:, torch.from_numpy(symmetry.cells).to(beliefs.device)] = beliefs.flatten(1)
    return permuted.view_as(beliefs)


def _turn(sample: Sample, symmetry: Symmetry) -> Sample:
    given = torch.empty_like(sample.given)
    given[:, torch.from_numpy(symmetry.variables).to(given.device)] = sample.given
    return Sample(_permute(sample.beliefs, symmetry), given, sample.answer)
