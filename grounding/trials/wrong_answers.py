"""Answers that training is told wrong, on purpose."""

from dataclasses import replace

import numpy as np
import torch

from ...datasets.batch import Examples
from ...datasets.problem import Problem


def with_wrong_answers(examples: Examples, problem: Problem, share: float, seed: int) -> Examples:
    """Each answer, with probability `share`, is another symbol of its variable, any of them alike.

    Args:
        examples: What trains.
        problem: Whose domains say which symbols there are.
        share: From 0 to 1.
        seed: Of the draw; another stream than that of the puzzles.
    """
    if share == 0:
        return examples
    rng = np.random.default_rng((seed, 10))
    answer = examples.answer.numpy(force=True)
    domains = np.broadcast_to(np.asarray(problem.domains), answer.shape)
    moved = (answer + rng.integers(1, domains)) % domains
    wrong = (rng.random(answer.shape) < share) & (answer >= 0)
    told = np.where(wrong, moved, answer).astype(answer.dtype)
    return replace(examples, answer=torch.from_numpy(told).to(examples.answer.device))
