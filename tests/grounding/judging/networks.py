"""Networks of the tests, named as a user's would be: `networks:Good`."""

import os
import sys
import time
from typing import Any

import numpy as np
import torch

from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.exact import Exact

TASK = Mapping(symbols=3, bijection=(1, 2, 0))


class Good:
    """Reads digits 0 to 2 by their nearest mean, and answers by the rules of `TASK`."""

    def __init__(self, task: Any = TASK, moved: int = 0) -> None:
        bank = load_images("digits").train
        pictures = bank.gallery.gather(torch.arange(len(bank.labels))).flatten(1)
        labels = torch.from_numpy(bank.labels)
        kept = [pictures[labels == label] for label in task.classes]
        self.examples = torch.cat(kept)
        self.labels = torch.arange(len(kept)).repeat_interleave(torch.tensor([len(part) for part in kept]))
        self.labels = (self.labels + moved) % len(kept)
        self.solver = Exact(task.problem)
        self.legal = torch.from_numpy(task.problem.legal).float()
        self.shown = len(kept)

    def read(self, images: Any) -> Any:
        nearest = torch.cdist(images.flatten(1), self.examples).argmin(-1)
        certain = torch.nn.functional.one_hot(self.labels[nearest], self.shown).float()
        return 0.94 * certain + 0.06 / self.shown

    def answer(self, images: Any, place: Any, given: Any) -> Any:
        uniform = self.legal / self.legal.sum(-1, keepdim=True)
        seen = torch.where((place >= 0)[..., None], self.read(images)[place.clamp_min(0)], uniform)
        return self.through(seen, given)

    def through(self, beliefs: Any, given: Any) -> Any:
        return self.solver(beliefs, given)


class Interfaced(Good):
    """With an interface."""

    def complete(self, beliefs: Any, given: Any) -> Any:
        return self.through(beliefs, given)


class Bypassing(Interfaced):
    """Answers from its images, and has an interface that it does not use."""

    def complete(self, beliefs: Any, given: Any) -> Any:
        return self.legal.expand_as(beliefs) / self.legal.sum(-1, keepdim=True)


class Spoilt(Interfaced):
    """Its interface depends on the other rows of a batch."""

    def through(self, beliefs: Any, given: Any) -> Any:
        found = super().through(beliefs, given)
        return found * (0.5 + 0.5 * beliefs[..., 0].mean())


class Numbers(Good):
    """Answers with symbols, in NumPy."""

    def answer(self, images: Any, place: Any, given: Any) -> Any:
        answers = super().answer(images, place, given).argmax(-1).numpy()
        answers[0] = -1
        return answers


class Looks(Good):
    """Notes everything that it is handed."""

    heard: list[tuple[str, list[Any]]]

    def __init__(self) -> None:
        super().__init__()
        self.heard = []

    def read(self, images: Any) -> Any:
        self.heard.append(("read", [images]))
        return super().read(images)

    def answer(self, *arrays: Any) -> Any:
        self.heard.append(("answer", list(arrays)))
        return super().answer(*arrays)


class Tuple(Good):
    def read(self, images: Any) -> Any:
        return super().read(images), 1


class Logits(Good):
    def read(self, images: Any) -> Any:
        return super().read(images).log()


class NaNs(Good):
    def read(self, images: Any) -> Any:
        return super().read(images) * float("nan")


class Wide(Good):
    def read(self, images: Any) -> Any:
        return torch.zeros(len(images), 11)


class Words(Good):
    def answer(self, images: Any, place: Any, given: Any) -> Any:
        return np.full(tuple(given.shape), "three")


class Objects(Good):
    def answer(self, images: Any, place: Any, given: Any) -> Any:
        return np.full(tuple(given.shape), None)


class Listed(Good):
    def answer(self, images: Any, place: Any, given: Any) -> Any:
        return [[0, 0]] * len(given)


class Beyond(Good):
    def answer(self, images: Any, place: Any, given: Any) -> Any:
        return torch.full(tuple(given.shape), 7)


class Short(Good):
    def answer(self, images: Any, place: Any, given: Any) -> Any:
        return super().answer(images, place, given)[1:]


class Raises(Good):
    def answer(self, images: Any, place: Any, given: Any) -> Any:
        raise RuntimeError("out of ideas")


class Ends(Good):
    def answer(self, images: Any, place: Any, given: Any) -> Any:
        sys.stdout.write("the last words of a network")
        sys.stdout.flush()
        os._exit(3)


class Asks:
    def __init__(self, path: str) -> None:
        self.path = path


def crashes() -> Any:
    raise RuntimeError("no checkpoint here")


def asleep() -> Any:
    time.sleep(600)


def made() -> Good:
    return Good()


def sudoku() -> Interfaced:
    return Interfaced(Sudoku())


def moved() -> Interfaced:
    return Interfaced(TASK, moved=1)


one = 1
bare = torch.nn.Linear(1, 1)
