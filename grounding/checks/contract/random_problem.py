"""Small random problems whose every assignment is known, as ground truth for checks."""

import itertools
from functools import lru_cache

import numpy as np
import torch

from ....datasets.problem import Problem, make_problem
from .subject import Sample

Worlds = tuple[tuple[int, ...], ...]
ROWS = 6


@lru_cache(maxsize=8)
def random_problem(domains: tuple[int, ...], seed: int) -> tuple[Problem, Worlds]:
    """A problem that allows a random third of all assignments, and these; every other one is a clause."""
    rng = np.random.default_rng((seed, 7))
    everything = list(itertools.product(*map(range, domains)))
    chosen = set(rng.choice(len(everything), size=len(everything) // 3, replace=False).tolist())
    names = tuple(f"x{v}" for v in range(len(domains)))
    frame = Problem(names, domains)
    forbidden = [a for n, a in enumerate(everything) if n not in chosen]
    clauses = [[-literal for literal in frame.assumptions(assignment)] for assignment in forbidden]
    allowed = tuple(a for n, a in enumerate(everything) if n in chosen)
    return make_problem(names, domains, clauses), allowed


def random_beliefs(problem: Problem, worlds: Worlds, seed: int) -> Sample:
    """Rows of fractional beliefs in float64, each with one to all but one variables given; the answers are
    those of a world.
    """
    rng = np.random.default_rng((seed, 8))
    size = len(problem.variables)
    drawn = (rng.gamma(1.0, size=(ROWS, size, problem.symbols)) + 0.05) * problem.legal
    beliefs = torch.from_numpy(drawn / drawn.sum(-1, keepdims=True))
    given = np.zeros((ROWS, size), dtype=bool)
    for row in range(ROWS):
        given[row, rng.choice(size, size=1 + row % (size - 1), replace=False)] = True
    world = np.array(worlds)[rng.integers(len(worlds), size=ROWS)]
    answer = torch.from_numpy(np.where(given, -1, world))
    return Sample(beliefs, torch.from_numpy(given), answer)
