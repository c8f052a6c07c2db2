"""Abduction by the package ABLkit."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .abductive import Abductive
from .decision import LISTED, Assignment
from .exact import share_of_givens
from .extras import Extra
from .solver import Answer, Beliefs, Given, UnsupportedProblemError

DISTANCES = ("confidence", "avg_confidence", "hamming")


class ABLkit(Abductive):
    """ABLkit's abduction: its reasoner revises what was read until the rules give the answer.

    The worlds are a ground knowledge base of ABLkit (`GroundKB`), one for each set of givens: pseudo-labels
    are the symbols of the givens, their reasoning result is the symbols of the queries. Among the candidates
    c with the right result, its `Reasoner` keeps those that differ from the symbols read in the fewest places
    (or in up to `revisions` more), and of these takes argmin_c 1 − ∏_v beliefs[v, c(v)]. `loss` is
    −Σ_{givens} log beliefs[v, ĉ(v)]. `abductive` differs in one point: it looks at probabilities only, and
    never counts revisions. `forward` is the most likely world.

    Cost per row: the worlds with the right answer, times givens, in Python; at most 2,000 worlds. ABLkit's
    cache of candidates is not used, for it is shared by all knowledge bases of a process and does not tell
    them apart. Needs the extra [ablkit]. Source: Dai, Xu, Yu, Zhou 2019, NeurIPS, arXiv:1802.01173; Huang et
    al. 2024, Frontiers of Computer Science 18:186354 (ABLkit).

    Args:
        problem: With its rules.
        distance: ABLkit's `dist_func`: "confidence", as above, "avg_confidence" (1 − the mean of beliefs), or
            "hamming" (the first of those with the fewest revisions).
        revisions: ABLkit's `require_more_revision`, 0 or more; as many as there are givens: the nearest in
            probability alone.
        nodes: As `MapSolver` has it.

    Raises:
        UsageError: For another distance, or a negative number of revisions.
        UnsupportedProblemError: For rules with more than 2,000 worlds.
    """

    source: ClassVar[str] = "Dai et al. 2019, arXiv:1802.01173 (ABLkit)"
    extras: ClassVar[tuple[Extra, ...]] = (Extra("ablkit", "ABLkit", "ablkit"),)

    def __init__(
        self, problem: Problem, distance: str = "confidence", revisions: int = 0, nodes: int = 2000
    ) -> None:
        if distance not in DISTANCES:
            raise UsageError(f"distance={distance!r}: it is one of {', '.join(DISTANCES)}")
        if revisions < 0:
            raise UsageError(f"revisions={revisions}: 0 or more")
        [self._package] = (extra.load() for extra in self.extras)
        super().__init__(problem, nodes)
        if self.table is None:
            raise UnsupportedProblemError(
                f"ablkit lists all worlds of the rules, at most {LISTED:,}, and these rules on "
                f"{len(problem.variables)} variables have more: take a smaller task, or the solver abductive"
            )
        self.distance, self.revisions = distance, revisions
        self._listed: Int[np.ndarray, "worlds variables"] = self.table.solutions.cpu().numpy()
        self._reasoners: dict[bytes, Any] = {}

    def pseudo_labels(self, beliefs: Beliefs, given: Given, answer: Answer) -> Assignment:
        """ABLkit's revision of the symbols read, with the answer at the queries."""
        shares = share_of_givens(beliefs, given).detach().double().cpu().numpy()
        seen, answers = given.cpu().numpy(), answer.cpu().numpy()
        labels = np.full(answers.shape, -1)
        patterns, pattern_of = np.unique(seen, axis=0, return_inverse=True)
        for index, pattern in enumerate(patterns):
            rows = np.flatnonzero(pattern_of.reshape(-1) == index)
            revised = self._revised(pattern, shares[rows][:, pattern], answers[rows][:, ~pattern])
            for row, symbols in zip(rows, revised, strict=True):
                if len(symbols) == pattern.sum():
                    labels[row, pattern], labels[row, ~pattern] = symbols, answers[row, ~pattern]
        return torch.from_numpy(labels).to(answer.device)

    def _revised(
        self,
        pattern: Bool[np.ndarray, " variables"],
        shares: Float[np.ndarray, "rows givens symbols"],
        answers: Int[np.ndarray, "rows queries"],
    ) -> list[Any]:
        """Symbols of the givens for every row; an empty list where no world has the answer."""
        key = pattern.tobytes()
        if key not in self._reasoners:
            reasoning = self._package.reasoning
            knowledge = _ground_knowledge(reasoning.GroundKB, self._listed, pattern, self.problem.symbols)
            self._reasoners[key] = reasoning.Reasoner(
                knowledge, dist_func=self.distance, require_more_revision=self.revisions
            )
        examples = self._package.data.structures.ListData()
        examples.X = [[None] * int(pattern.sum()) for _ in shares]
        examples.pred_prob = list(shares)
        examples.pred_pseudo_label = shares.argmax(-1).tolist()
        examples.Y = [tuple(row) for row in answers.tolist()]
        return self._reasoners[key].batch_abduce(examples)


def _ground_knowledge(
    base: Any,
    worlds: Int[np.ndarray, "worlds variables"],
    pattern: Bool[np.ndarray, " variables"],
    symbols: int,
) -> Any:
    """ABLkit's ground knowledge base of the worlds, seen from one set of givens."""
    read = [tuple(world) for world in worlds[:, pattern].tolist()]
    results = [tuple(world) for world in worlds[:, ~pattern].tolist()]

    class Worlds(base):
        """Symbols of the givens, and what they make of the queries."""

        def _get_GKB(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:  # noqa: N802
            return read, results

        def logic_forward(self, pseudo_label: Any) -> tuple[int, ...] | None:
            own = tuple(pseudo_label)
            fitting = [result for world, result in zip(read, results, strict=True) if world == own]
            return fitting[0] if len(fitting) == 1 else None

    return Worlds(list(range(symbols)), [int(pattern.sum())])
