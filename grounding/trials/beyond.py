"""Scoring a trained network beyond its test set: out of distribution, corrupted, and where it is silent."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ...datasets.problem import Problem
from ...solvers.exact import log_leaves
from ...solvers.rules.worlds import Enumeration, TooManySolutionsError
from ..measures.abstention import Selective, measure_abstention
from ..measures.beyond import Beyond, Worlds
from ..measures.interventions import answers_possible
from ..measures.metrics import (
    Scores,
    answered_right,
    best_relabelling,
    board_intervals,
    confusion_matrix,
    grounding_accuracy,
    image_intervals,
    relabel,
    score,
)
from ..measures.robustness import (
    SUITES,
    TELLING_LESS,
    Condition,
    Copies,
    Correction,
    Robustness,
    pack,
    sureness,
)
from .answers import Answers
from .corrupted import CorruptedBoards, compact, corrupt_boards
from .evaluation import Evaluation
from .scoring import EvaluationSet, symbol_of
from .training import Training

WORLDS_LIMIT = 20_000  # worlds up to which the exact posterior is computed beside a network

Completion = Float[np.ndarray, "boards variables symbols"]
Mask = Bool[np.ndarray, "boards variables"]


class BeyondTest:
    """Held-out boards beyond the test set, and what a network makes of them.

    Args:
        test: The test puzzles.
        ood: The puzzles of the ood split.
        evaluation: What is asked.
        training: The budget, which says how many boards are within measure.
        seed: Of the trial.
    """

    def __init__(
        self,
        test: EvaluationSet,
        ood: EvaluationSet | None,
        evaluation: Evaluation,
        training: Training,
        seed: int,
    ) -> None:
        self.test, self.evaluation, self.seed = test, evaluation, seed
        self.ood = None if ood is None else compact(ood) if (ood.examples.image >= 0).any() else ood
        self.boards = corrupt_boards(test, evaluation, training, seed)
        self.table = None if self.boards is None else list_worlds(test.task.problem)
        self.sets: dict[Any, EvaluationSet] = {}
        if self.ood is not None:
            self.sets["ood"] = self.ood
        if self.boards is not None:
            self.sets["corrupted"] = self.boards.chosen

    def score(self, answers: Answers, scores: Scores, *, rules_only: bool = False) -> Beyond:
        """What a trained network makes of them; `scores` are those on the test set, for its relabelling.

        `rules_only`: no solver was trained, and the exact rules answer from what is read.
        """
        ood = None
        if self.ood is not None:
            ood = score_elsewhere(answers, self.ood, scores.relabelling, "ood", deduced=rules_only)
        if rules_only:
            return Beyond(ood=ood)
        found = Beyond(ood=ood, clean=self._clean(answers) if self.evaluation.robust else None)
        if self.boards is None:
            return found
        completion = answers.predict("corrupted")  # type: ignore[arg-type]
        beliefs = answers.believe("corrupted", len(completion))  # type: ignore[arg-type]
        posterior = (
            None if self.table is None else Posterior.of(self.table, beliefs, self.boards, scores.relabelling)
        )
        if self.evaluation.robust:
            robustness, corrupted = self._robust(completion, beliefs, posterior)
            worlds = None if posterior is None else posterior.worlds(completion, self.boards.rate == 0)
            found = replace(found, robustness=robustness, corrupted=corrupted, worlds=worlds)
        if self.evaluation.wrong:
            found = replace(found, correction=self._correction(completion, beliefs, posterior))
        return found

    def _clean(self, answers: Answers) -> Selective:
        completion = answers.predict("test")
        given = self.test.examples.given.numpy(force=True)
        solution = self.test.sealed.solution.numpy(force=True)
        right: Any = answered_right(completion, given, solution)[0].all(axis=1)
        return measure_abstention(right, *sureness(completion, ~given), np.random.default_rng(0))

    def _robust(
        self, completion: Completion, beliefs: Completion, posterior: "Posterior | None"
    ) -> tuple[Robustness, Selective]:
        boards = self.boards
        assert boards is not None
        given = boards.chosen.examples.given.numpy(force=True)
        solution = boards.chosen.sealed.solution.numpy(force=True).astype(np.int64)
        unsolved: Any = np.isnan(completion).any(-1)
        right, strict = self._right(completion.argmax(-1), unsolved)
        exact = self._exact(beliefs, posterior)
        sure, independent = sureness(completion, ~given)
        percent = np.where(np.isnan(sure), -1, np.floor(100 * np.nan_to_num(sure))).astype(np.int64)
        conditions: list[Condition] = []
        pairs = sorted({(int(s), float(r)) for s, r in zip(boards.suite, boards.rate, strict=True) if r >= 0})
        for suite, rate in pairs:
            rows = np.flatnonzero((boards.suite == suite) & (boards.rate == rate))
            rows = rows[boards.origin[rows].argsort()]
            name = SUITES[suite] if suite >= 0 else ""
            conditions.append(
                Condition(
                    suite=name,
                    rate=rate,
                    right=pack(right[rows]),
                    exact=pack(exact[rows]),
                    sure=percent[rows].tolist(),
                    strict="" if (strict[rows] == right[rows]).all() else pack(strict[rows]),
                )
            )
        clean = boards.rate == 0
        less = (boards.rate > 0) & np.isin(boards.suite, [SUITES.index(suite) for suite in TELLING_LESS])
        corrupted = measure_abstention(right[less], sure[less], independent[less], np.random.default_rng(0))
        copies = _copies(
            completion[clean], beliefs[clean], given[clean], solution[clean], boards.asked[clean]
        )
        return Robustness(int(clean.sum()), conditions, copies), corrupted

    def _right(
        self, answered: Int[np.ndarray, "boards variables"], unsolved: Mask
    ) -> tuple[Bool[np.ndarray, " boards"], Bool[np.ndarray, " boards"]]:
        """Which answers agree, query by query, with what is told; and which are that of the puzzle.

        Beliefs are about single queries: where several completions are left, the likeliest symbols of two
        queries may stem from two of them, of the exact posterior as well. So each symbol has to be possible.
        """
        boards = self.boards
        assert boards is not None
        given = boards.chosen.examples.given.numpy(force=True)
        solution = boards.chosen.sealed.solution.numpy(force=True).astype(np.int64)
        solved = ~(unsolved & ~given).any(axis=1)
        strict = solved & ((answered == solution) | ~boards.asked).all(axis=1)
        right = strict.copy()
        told = self.test.examples.given.numpy(force=True).sum(axis=1)
        less = (boards.facts >= 0).sum(axis=1) < told[boards.origin]
        rows = np.flatnonzero(solved & less)
        problem = self.test.task.problem
        if self.table is not None:
            fits = possible_symbols(self.table, problem.symbols, boards.facts[rows])
            possible = np.take_along_axis(fits, answered[rows][..., None], -1)[..., 0]
            right[rows] = (possible | given[rows]).all(axis=1)
        elif problem.rules is not None:
            right[rows] = answers_possible(problem, boards.facts[rows], answered[rows], ~given[rows])
        return right, strict

    def _exact(self, beliefs: Completion, posterior: "Posterior | None") -> Bool[np.ndarray, " boards"]:
        """Which boards the exact rules answer right from the same readings.

        Where the worlds are too many to list: where everything that is told was read right.
        """
        boards = self.boards
        assert boards is not None
        if posterior is not None:
            return self._right(posterior.likeliest, np.zeros(boards.facts.shape, dtype=np.bool_))[0]
        shown = (boards.chosen.examples.image.numpy(force=True) >= 0) & (boards.facts >= 0)
        solution = boards.chosen.sealed.solution.numpy(force=True)
        return ((beliefs.argmax(-1) == solution) | ~shown).all(axis=1)

    def _correction(
        self, completion: Completion, beliefs: Completion, posterior: "Posterior | None"
    ) -> Correction | None:
        boards = self.boards
        assert boards is not None
        rows = boards.rate < 0
        shown = boards.chosen.examples.image.numpy(force=True)[rows] >= 0
        solution = boards.chosen.sealed.solution.numpy(force=True).astype(np.int64)[rows]
        wrong, asked, read = boards.wrong[rows], boards.asked[rows], beliefs[rows].argmax(-1)
        if not wrong.any():
            return None
        unsolved: Any = np.isnan(completion[rows]).any((-2, -1))
        answered = np.where(unsolved[:, None], -1, completion[rows].argmax(-1))
        found = _tracks(answered, read, shown, wrong, asked, solution)
        exact = {}
        if posterior is not None:
            exact = _tracks(
                posterior.marginals[rows].argmax(-1), posterior.read[rows], shown, wrong, asked, solution
            )
        return Correction(self.evaluation.wrong, int(rows.sum()), **found, exact=exact)


def _tracks(
    answered: np.ndarray, read: np.ndarray, shown: Mask, wrong: Mask, asked: Mask, solution: np.ndarray
) -> dict[str, float]:
    """Found, corrected, answered; a board left unsolved tells nothing of its givens."""
    contradicted = (answered != read) & (answered >= 0)
    others = shown & ~wrong
    return {
        "found": float(contradicted[wrong].mean()),
        "false_alarms": float(contradicted[others].mean()) if others.any() else 0.0,
        "corrected": float((answered == solution)[wrong].mean()),
        "answered": float(((answered == solution) | ~asked).all(axis=1).mean()),
    }


def _copies(
    completion: Completion, beliefs: Completion, given: Mask, solution: np.ndarray, asked: Mask
) -> Copies:
    answered = np.where(np.isnan(completion).any(-1), -1, completion.argmax(-1))
    queries = solution[asked]
    return Copies(
        handed_back=float((answered == beliefs.argmax(-1))[given].mean()),
        answered=float((answered == solution)[asked].mean()),
        guessed=float(np.bincount(queries).max() / len(queries)),
        cells=int(asked.sum()),
    )


def list_worlds(problem: Problem) -> Enumeration | None:
    """Where the rules are known and their worlds can be listed."""
    if problem.rules is None:
        return None
    try:
        return Enumeration(problem, WORLDS_LIMIT)
    except (TooManySolutionsError, ValueError):
        return None


def possible_symbols(
    table: Enumeration, symbols: int, facts: Int[np.ndarray, "boards variables"]
) -> Bool[np.ndarray, "boards variables symbols"]:
    """Which symbols some world has that agrees with what is told; −1: nothing is."""
    told = (facts[..., None] == np.arange(symbols)).reshape(len(facts), facts.shape[1] * symbols)
    worlds = table.table.numpy().astype(np.float32)
    agrees = told.astype(np.float32) @ worlds.T >= (facts >= 0).sum(axis=1, keepdims=True) - 0.5
    return (agrees.astype(np.float32) @ worlds > 0.5).reshape(*facts.shape, symbols)


def score_elsewhere(
    answers: Answers,
    chosen: EvaluationSet,
    relabelling: list[int] | None,
    asked_as: Any,
    *,
    deduced: bool = False,
) -> Scores:
    """Scores on puzzles or images of another kind, with the relabelling of validation images."""
    given = chosen.examples.given.numpy(force=True)
    solution = chosen.sealed.solution.numpy(force=True)
    image = chosen.examples.image.numpy(force=True)
    right = np.ones_like(given)
    shown = image >= 0
    confusion = None
    if shown.any():
        predicted, _ = answers.read(asked_as, None)
        true = symbol_of(chosen)
        right[shown] = (predicted == true)[image[shown]]
        known = true >= 0
        confusion = confusion_matrix(true[known], predicted[known], len(chosen.task.classes))
    if deduced:
        completion = np.eye(chosen.task.problem.symbols)[solution]
        completion[~right.all(-1)] = np.nan
    else:
        completion = answers.predict(asked_as)
    scores = score(completion, given, solution, right)
    intervals = board_intervals(completion, given, solution, image, right)
    if confusion is None or relabelling is None:
        return replace(scores, intervals=intervals)
    names = np.asarray(relabelling) if len(relabelling) == len(confusion) else best_relabelling(confusion)
    scores = replace(
        scores,
        raw=grounding_accuracy(confusion),
        aligned=grounding_accuracy(relabel(confusion, names)),
        images=int(confusion.sum()),
    )
    return replace(scores, intervals=intervals | image_intervals(scores))


class Posterior:
    """The exact posterior on what a network reads of corrupted boards, under true names of symbols."""

    def __init__(self, table: Enumeration, beliefs: Completion, given: Mask) -> None:
        self.table = table
        self.read = beliefs.argmax(-1)
        self.leaves = log_leaves(torch.from_numpy(beliefs), torch.from_numpy(given))
        self.likeliest: Int[np.ndarray, "boards variables"] = (
            table.most_likely(self.leaves).numpy().astype(np.int64)
        )

    @classmethod
    def of(
        cls, table: Enumeration, beliefs: Completion, boards: CorruptedBoards, relabelling: list[int] | None
    ) -> "Posterior":
        """Of the worlds of a table, under the relabelling of validation images."""
        shown = boards.chosen.examples.image.numpy(force=True) >= 0
        named = beliefs.astype(np.float64)
        if relabelling is not None:
            renamed = named.copy()
            renamed[..., np.asarray(relabelling)] = named[..., : len(relabelling)]
            named = np.where(shown[..., None], renamed, named)
        return cls(table, named, boards.chosen.examples.given.numpy(force=True))

    @property
    def marginals(self) -> Completion:
        """Cell by cell."""
        return self.table.marginals(self.leaves).view(*self.read.shape, -1).numpy()

    def worlds(self, completion: Completion, rows: Bool[np.ndarray, " boards"]) -> Worlds | None:
        """What completions leave of the worlds, against the posterior, on some boards."""
        solved = rows & ~np.isnan(completion).any((-2, -1))
        if not solved.any():
            return None
        own = torch.from_numpy(completion[solved].astype(np.float64))
        leaves = log_leaves(own, torch.ones(own.shape[:2], dtype=torch.bool))
        exact = self.leaves[torch.from_numpy(solved)]
        return Worlds(
            entropy=float(self.table.entropy(leaves).mean()),
            exact=float(self.table.entropy(exact).mean()),
            divergence=float(self.table.divergence(leaves, exact).mean()),
            bound=math.log(len(self.table.solutions)),
            boards=int(solved.sum()),
        )
