"""Held-out boards with corrupted givens, all in one set: scoring's side of the barrier.

Board i is the same in every suite and at every rate, and a given that is corrupted at one rate is corrupted
at every higher one, so that whatever changes along a suite is the corruption.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ...datasets.batch import Examples
from ...datasets.corruptions import CORRUPTIONS
from ...datasets.errors import UsageError
from ...datasets.image_set import Bank, Gallery
from ...datasets.task import Task
from ..measures.robustness import RATES, SUITES
from .evaluation import Evaluation
from .scoring import EvaluationSet
from .training import Training

Mask = Bool[np.ndarray, "boards variables"]

# Boards are as many as this share of a trial's passes through its network allows, an update counted as three
# passes, so that the whole family stays below a tenth of a trial (benchmarks/robust_cost.py).
SHARE = 0.07
PASSES_OF_A_STEP = 3
FEWEST_BOARDS, MOST_BOARDS = 8, 128
OOD_PUZZLES = 150
PROBED = 64  # boards that tell how many givens a task shows
STREAM = 16  # of the task's random numbers, beside those of its puzzles


@dataclass(frozen=True)
class CorruptedBoards:
    """Corrupted boards, one after the other, with what is known of them.

    Attributes:
        chosen: The boards as a network is asked them, and their sealed solutions.
        suite: (boards,) number of the suite in `SUITES`; −1: correction.
        rate: (boards,) the rate; −1: correction.
        origin: (boards,) which test puzzle it was.
        facts: (boards, variables) true symbols of the givens that are still told; −1 elsewhere.
        asked: (boards, variables) the queries of the test puzzle; what vanished is a query as well.
        wrong: (boards, variables) givens that show a wrong symbol.
    """

    chosen: EvaluationSet
    suite: Int[np.ndarray, " boards"]
    rate: Float[np.ndarray, " boards"]
    origin: Int[np.ndarray, " boards"]
    facts: Int[np.ndarray, "boards variables"]
    asked: Mask
    wrong: Mask


def boards_within(training: Training, suites: int) -> int:
    """How many boards each of so many suites has at each rate, from what a trial costs anyway."""
    passes = PASSES_OF_A_STEP * training.puzzles * training.epochs
    return min(MOST_BOARDS, max(FEWEST_BOARDS, int(SHARE * passes / (suites * (len(RATES) - 1)))))


def corrupt_boards(
    test: EvaluationSet, evaluation: Evaluation, training: Training, seed: int
) -> CorruptedBoards | None:
    """The first test puzzles, corrupted in every way that fits; None where nothing shows an image."""
    image = test.examples.image.numpy(force=True).astype(np.int64)
    if not (image >= 0).any():
        return None
    image = image[: boards_within(training, len(suites_of(test.task, image >= 0)))]
    shown = image >= 0
    rng = test.task.stream("test", seed, STREAM)
    making = _Making(test, image, shown, rng)
    if evaluation.robust:
        making.add_robust()
    if evaluation.wrong:
        making.add_wrong(evaluation.wrong)
    return making.boards()


def require_givens(task: Task, evaluation: Evaluation) -> None:
    """Raises `UsageError` where more givens should be wrong than boards of a task show as images."""
    if not evaluation.wrong or task.seen == "symbols":
        return
    shown = task.generate("test", PROBED, 0).picture >= 0
    if evaluation.wrong > (most := int(shown.sum(axis=1).max(initial=0))):
        raise UsageError(
            f"wrong={evaluation.wrong}: a board of {task.name} shows at most {most} givens as images, so "
            f"that no more can be wrong: say wrong={most} or fewer"
        )


def compact(chosen: EvaluationSet) -> EvaluationSet:
    """The same boards with a bank of those images alone that they show, each once."""
    image = chosen.examples.image.numpy(force=True)
    used, place = np.unique(image, return_inverse=True)
    place = place.reshape(image.shape)
    if used[0] < 0:
        used, place = used[1:], place - 1
    gallery = Gallery(chosen.bank.gallery.pictures[torch.from_numpy(used.astype(np.int64))])
    bank = Bank(gallery, chosen.bank.labels[used], chosen.bank.chosen)
    old = chosen.examples
    examples = Examples(gallery, torch.from_numpy(place.astype(np.int32)), old.symbols, old.given, old.answer)
    return EvaluationSet(chosen.task, examples, chosen.sealed, bank)


def suites_of(task: Task, shown: Mask) -> tuple[str, ...]:
    """The suites that fit a task: rows and blocks where it has some, ends where a board has three givens."""
    rows = {task.layout.places[v][0] for v in np.flatnonzero(shown.any(axis=0))}
    left_out: set[str] = set()
    if len(rows) < 2:
        left_out.add("drop-row")
    if task.layout.block is None:
        left_out.add("drop-block")
    if shown.sum(axis=1).max() < 3:
        left_out |= {"drop-start", "drop-middle", "drop-end"}
    return tuple(suite for suite in SUITES if suite not in left_out)


class _Making:
    """Boards on their way."""

    def __init__(
        self,
        test: EvaluationSet,
        image: Int[np.ndarray, "boards variables"],
        shown: Mask,
        rng: np.random.Generator,
    ) -> None:
        self.test, self.shown, self.rng = test, shown, rng
        count = len(image)
        self.given = test.examples.given[:count].numpy(force=True)
        self.symbols = test.examples.symbols[:count].numpy(force=True).astype(np.int64)
        self.solution = test.sealed.solution[:count].numpy(force=True).astype(np.int64)
        used, place = np.unique(image[shown], return_inverse=True)
        self.pictures = [test.bank.gallery.pictures[torch.from_numpy(used)].numpy(force=True)]
        self.held = len(used)
        self.image = np.full_like(image, -1)
        self.image[shown] = place
        self.parts: list[tuple[int, float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []

    def add_robust(self) -> None:
        """Every suite at every rate; what is uncorrupted once."""
        none = np.zeros_like(self.shown)
        self._add("", 0.0, self.image, none, none, none)
        for suite in suites_of(self.test.task, self.shown):
            order = self._order(suite)
            image = self._corrupted(suite, self.shown & (order < RATES[-1]))
            for rate in RATES[1:]:
                struck = self.shown & (order < rate)
                dropped = struck if suite.startswith("drop") else none
                self._add(
                    suite, rate, np.where(struck, image, self.image), dropped,
                    struck if suite == "ood-class" else none, struck if suite == "swap" else none,
                )  # fmt: skip

    def add_wrong(self, count: int) -> None:
        """So many givens of each board show a wrong symbol."""
        none = np.zeros_like(self.shown)
        order = np.where(self.shown, self.rng.random(self.shown.shape), np.inf)
        struck = self.shown & (order.argsort(axis=1).argsort(axis=1) < count)
        image = self._corrupted("swap", struck)
        self._add("wrong", -1.0, np.where(struck, image, self.image), none, none, struck)

    def _add(
        self, suite: str, rate: float, image: np.ndarray, dropped: Mask, untold: Mask, wrong: Mask
    ) -> None:
        number = SUITES.index(suite) if suite in SUITES else -1
        self.parts.append((number, rate, np.where(dropped, -1, image), dropped, untold, wrong))

    def boards(self) -> CorruptedBoards:
        """All that was added, the variants of a board beside each other: they share images in a batch."""
        count = len(self.given)
        suite, rate, images, dropped, untold, wrong = zip(*self.parts, strict=True)
        rows = [(number, board) for board in range(count) for number in range(len(self.parts))]
        part, origin = (np.array(column) for column in zip(*rows, strict=True))

        def stacked(masks: Sequence[np.ndarray]) -> np.ndarray:
            return np.stack(masks)[part, origin]

        given = self.given[origin] & ~stacked(dropped)
        symbols = np.where(given, self.symbols[origin], -1)
        told = given & ~stacked(untold)
        gallery = Gallery(torch.from_numpy(np.concatenate(self.pictures)))
        examples = Examples(
            gallery=gallery,
            image=torch.from_numpy(stacked(images).astype(np.int32)),
            symbols=torch.from_numpy(symbols.astype(np.int16)),
            given=torch.from_numpy(given),
            answer=torch.full(given.shape, -1, dtype=torch.int16),
        )
        solution = self.solution[origin]
        sealed = type(self.test.sealed)(torch.from_numpy(solution.astype(np.int16)))
        bank = Bank(gallery, np.zeros(len(gallery), dtype=np.int64))
        return CorruptedBoards(
            EvaluationSet(self.test.task, examples, sealed, bank),
            np.array(suite)[part],
            np.array(rate)[part],
            origin,
            np.where(told, solution, -1),
            ~self.given[origin],
            stacked(wrong),
        )

    def _corrupted(self, suite: str, struck: Mask) -> Int[np.ndarray, "boards variables"]:
        """The image of every given that is struck, in this suite's own pictures."""
        if suite.startswith("drop"):
            return self.image
        if suite == "swap":
            pictures = self._others(struck)
        else:
            before = self.pictures[0][self.image[struck]]
            pictures = CORRUPTIONS[suite](before, self.rng)
        image = np.full_like(self.image, -1)
        image[struck] = self.held + np.arange(len(pictures))
        self.pictures.append(pictures)
        self.held += len(pictures)
        return image

    def _others(self, struck: Mask) -> np.ndarray:
        """Test images of another symbol that the variable may take."""
        task, bank = self.test.task, self.test.bank
        variables, true = np.nonzero(struck)[1], self.solution[struck]
        choices = np.minimum(np.asarray(task.problem.domains)[variables], len(task.classes))
        other = (true + 1 + (self.rng.random(len(true)) * (choices - 1)).astype(np.int64)) % choices
        classes = np.asarray(bank.classes_of(task))
        rows = bank.find(classes[other], self.rng.integers(0, 2**31 - 1, len(other)))
        return bank.gallery.pictures[torch.from_numpy(rows)].numpy(force=True)

    def _order(self, suite: str) -> Float[np.ndarray, "boards variables"]:
        """For each given the rate from which on it is struck."""
        shape = self.shown.shape
        if not suite.startswith("drop-"):
            return self.rng.random(shape)
        order = np.full(shape, np.inf)
        places = np.asarray(self.test.task.layout.places, dtype=float)
        reading = np.lexsort((places[:, 1], places[:, 0]))
        for board, shown in enumerate(self.shown):
            own = [int(v) for v in reading if shown[v]]
            groups = dict(_groups(suite, own, places, self.test.task.layout.block))
            keys = self._sorted(suite, list(groups))
            begun, late = 0, self.rng.random()  # so that on average the rate is met, few as givens may be
            for key in keys:
                order[board, groups[key]] = (begun + late * len(groups[key])) / len(own)
                begun += len(groups[key])
        return order

    def _sorted(self, suite: str, keys: list[int]) -> list[int]:
        """Which group vanishes first."""
        if suite in ("drop-row", "drop-block"):
            return [keys[k] for k in self.rng.permutation(len(keys))]
        middle = (len(keys) - 1) / 2
        ranked: Mapping[str, list[int]] = {
            "drop-start": keys,
            "drop-end": keys[::-1],
            "drop-middle": sorted(keys, key=lambda key: abs(key - middle)),
        }
        return ranked[suite]


def _groups(
    suite: str, own: Sequence[int], places: np.ndarray, block: tuple[int, int] | None
) -> Iterator[tuple[int, list[int]]]:
    """The givens of a board that vanish together: of a row, of a block, or each alone, in reading order."""
    if suite not in ("drop-row", "drop-block"):
        yield from ((rank, [variable]) for rank, variable in enumerate(own))
        return
    row, column = places[:, 0], places[:, 1]
    key = row
    if suite == "drop-block" and block is not None:
        key = np.floor(row / block[0]) * math.ceil((column.max() + 1) / block[1]) + np.floor(
            column / block[1]
        )
    for name in np.unique(key[list(own)]):
        yield round(10 * name), [v for v in own if key[v] == name]
