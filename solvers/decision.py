"""Solvers that answer with one world, the most likely."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from ..datasets.problem import Problem
from .exact import disagreeing, log_leaves
from .rules.search import Search
from .rules.worlds import LOG_IMPOSSIBLE, Enumeration, TooManySolutionsError
from .solver import Answer, Beliefs, Given, Solver

LISTED = 2000  # worlds that are kept as a table; a product with it is faster than any search
REMEMBERED = 50_000  # answers whose worlds are kept: those of a training set are asked for in every epoch

TIE = 1e-4  # nats; sums of float32 logarithms of up to 69 nats over some 20 variables are that far from exact

Weights = Float[Tensor, "batch variables symbols"]
Assignment = Int[Tensor, "batch variables"]  # symbols; −1 in a row for which no world was found


class MapSolver(Solver):
    """Base of the solvers that are given the rules and answer with the most likely world.

    `forward` is argmax_w ∏_v beliefs[v, w(v)] over the worlds w, as certainties; givens are corrected where
    the rules demand it. Where several worlds are equally likely, it is their mean. It takes no gradient; how
    perception learns is each method's own. Up to 2,000 worlds are kept as a table. Where there are more (9×9
    Sudoku), they are searched by incremental SAT: the answer is the best world that the search finds, and the
    search breaks ties.

    Args:
        problem: With its rules.
        nodes: At most so many propagations per row, 200 to 5,000; it matters only where worlds are searched.
    """

    rules: ClassVar = "given"

    def __init__(self, problem: Problem, nodes: int = 2000) -> None:
        super().__init__(problem)
        self.search = Search(problem, nodes)
        self.table: Enumeration | None
        try:
            self.table = Enumeration(problem, LISTED)
        except TooManySolutionsError:
            self.table = None
        self._remembered: dict[bytes, Int[np.ndarray, "worlds variables"] | None] = {}

    def weights(self, beliefs: Beliefs, given: Given) -> Weights:
        """Log of the beliefs at the givens, each at least log 1e-30, and 0 at the queries.

        Args:
            beliefs: (batch, variables, symbols).
            given: (batch, variables) truth values.

        Returns:
            (batch, variables, symbols) nats.
        """
        return log_leaves(beliefs, given).view_as(beliefs)

    @torch.no_grad()
    def heaviest(self, weights: Weights, fixed: Answer | None = None) -> Assignment:
        """The world w of greatest Σ_v weights[v, w(v)] in every row.

        Args:
            weights: (batch, variables, symbols) nats.
            fixed: (batch, variables) symbols that the world has to agree with, −1 where it is free; None: all
                are.

        Returns:
            (batch, variables) symbols; −1 in a row for which no world was found.
        """
        if self.table is not None:
            leaves = weights.flatten(1)
            if fixed is None:
                return self.table.most_likely(leaves)
            leaves = leaves.masked_fill(disagreeing(fixed, self.problem.symbols), LOG_IMPOSSIBLE)
            found = self.table.most_likely(leaves)
            agrees = ((found == fixed) | (fixed < 0)).all(-1, keepdim=True)
            return found.masked_fill(~agrees, -1)
        rows = weights.double().cpu().numpy()
        open_ = np.full(rows.shape[:2], -1)
        constraints = open_ if fixed is None else fixed.cpu().numpy()
        found = np.full_like(open_, -1)
        for row, (own, constraint) in enumerate(zip(rows, constraints, strict=True)):
            known = None if fixed is None else self._worlds(constraint)
            if known is None:
                world = self.search.heaviest(own, constraint.tolist())
            elif len(known):
                world = known[own[np.arange(own.shape[0]), known].sum(1).argmax()]
            else:
                world = None
            if world is not None:
                found[row] = world
        return torch.from_numpy(found).to(weights.device)

    @torch.no_grad()
    def agreeing(
        self, answer: Answer
    ) -> tuple[Int[Tensor, "batch worlds variables"], Bool[Tensor, "batch worlds"]]:
        """All worlds that agree with each answer, as a padded table.

        Args:
            answer: (batch, variables) symbols, −1 where a world is free.

        Returns:
            (batch, worlds, variables) symbols, and (batch, worlds) which rows of the table are filled: none
            for an answer with which no world agrees, or too many to list.
        """
        each = [self._worlds(row) for row in answer.cpu().numpy()]
        lists = [
            worlds if worlds is not None else np.zeros((0, answer.shape[1]), np.int64) for worlds in each
        ]
        most = max(1, *(len(worlds) for worlds in lists))
        padded = np.zeros((len(lists), most, answer.shape[1]), dtype=np.int64)
        filled = np.zeros((len(lists), most), dtype=bool)
        for row, worlds in enumerate(lists):
            padded[row, : len(worlds)], filled[row, : len(worlds)] = worlds, True
        return torch.from_numpy(padded).to(answer.device), torch.from_numpy(filled).to(answer.device)

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The most likely world, as certainties."""
        return self.map_assignment(self.weights(beliefs, given))

    @torch.no_grad()
    def map_assignment(self, weights: Weights) -> Beliefs:
        """The heaviest world of each row, or the mean of those that share the greatest weight.

        Args:
            weights: (batch, variables, symbols) nats.

        Returns:
            (batch, variables, symbols) beliefs.
        """
        if self.table is None:
            return self.certain(self.heaviest(weights), weights)
        table = self.table.table.to(weights.dtype)
        totals = weights.flatten(1) @ table.T
        tied = (totals >= totals.max(-1, keepdim=True).values - TIE).to(weights.dtype)
        return ((tied / tied.sum(-1, keepdim=True)) @ table).view_as(weights).clamp(max=1)

    def certain(self, assignment: Assignment, like: Beliefs) -> Beliefs:
        """An assignment as beliefs of 0 and 1.

        Args:
            assignment: (batch, variables) symbols, −1 in rows that have none: they become NaN.
            like: A tensor of the type that beliefs are to have.

        Returns:
            (batch, variables, symbols) beliefs.
        """
        hot = functional.one_hot(assignment.clamp_min(0), self.problem.symbols).to(like.dtype)
        return hot.masked_fill((assignment < 0).unsqueeze(-1), torch.nan)

    def _worlds(self, fixed: Int[np.ndarray, " variables"]) -> Int[np.ndarray, "worlds variables"] | None:
        key = fixed.tobytes()
        if key not in self._remembered:
            if self.table is not None:
                worlds = self.table.solutions.cpu().numpy()
                found = worlds[((worlds == fixed) | (fixed < 0)).all(1)]
            else:
                found = self.search.worlds(fixed.tolist(), LISTED)
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found
        return self._remembered[key]
