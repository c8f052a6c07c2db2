"""From puzzles and an image bank to what trains (`Examples`) and what only scoring may open (`Sealed`)."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .image_set import Bank, Gallery
from .task import Puzzles, Task


@dataclass(frozen=True)
class Batch:
    """What one training step sees. An image that occurs twice is held, and perceived, once.

    Attributes:
        images: (images, channels, height, width) in [0, 1].
        place: (batch, variables) the row of `images` that a variable shows, −1 where it shows none.
        symbols: (batch, variables) the symbols of givens that are seen as symbols, −1 elsewhere.
        given: (batch, variables) truth values: which variables are seen.
        answer: (batch, variables) the symbols of the queries, −1 at the givens; under leaky supervision the
            givens' labels as well.
    """

    images: Float[Tensor, "images channels height width"]
    place: Int[Tensor, "batch variables"]
    symbols: Int[Tensor, "batch variables"]
    given: Bool[Tensor, "batch variables"]
    answer: Int[Tensor, "batch variables"]

    def part(self, rows: slice) -> "Batch":
        """Some of its puzzles, with the images that they show."""
        distinct, place = _number_images(self.place[rows])
        return Batch(self.images[distinct], place, self.symbols[rows], self.given[rows], self.answer[rows])


@dataclass(frozen=True)
class Examples:
    """All that a trainer can reach of one split: images, what is given, and the answer.

    Attributes:
        gallery: The pictures of the split, without labels.
        image: (puzzles, variables) rows of the gallery, −1 where a variable shows no image.
        symbols: (puzzles, variables) as in `Batch`.
        given: (puzzles, variables) as in `Batch`.
        answer: (puzzles, variables) as in `Batch`.
    """

    gallery: Gallery
    image: Int[Tensor, "puzzles variables"]
    symbols: Int[Tensor, "puzzles variables"]
    given: Bool[Tensor, "puzzles variables"]
    answer: Int[Tensor, "puzzles variables"]

    def __len__(self) -> int:
        return len(self.given)

    def parts(self, puzzles: int, images: int) -> Iterator[slice]:
        """The rows in turn, at most so many `puzzles` at once, and at most so many `images`.

        A puzzle that shows more of them stands alone; an image that occurs twice counts twice.
        """
        shown = (self.image >= 0).sum(1).cumsum(0).tolist()
        start, before = 0, 0
        while start < len(self):
            stop = max(start + 1, min(start + puzzles, bisect_right(shown, before + images)))
            yield slice(start, stop)
            start, before = stop, shown[stop - 1]

    def batch(self, rows: Int[Tensor, " rows"] | slice) -> Batch:
        """Gathers the images of some puzzles; everything stays on the device of the gallery.

        Args:
            rows: Which puzzles: their numbers, or a slice.
        """
        distinct, place = _number_images(self.image[rows])
        return Batch(
            images=self.gallery.gather(distinct),
            place=place,
            symbols=self.symbols[rows].long(),
            given=self.given[rows],
            answer=self.answer[rows].long(),
        )


def _number_images(
    image: Int[Tensor, "rows variables"],
) -> tuple[Int[Tensor, " images"], Int[Tensor, "rows variables"]]:
    """The images that are shown, each once, and where each variable finds its own among them; −1 for none."""
    distinct, place = torch.unique(image, return_inverse=True)
    if len(distinct) and distinct[0] < 0:  # −1 sorts first: "shows no image" is not an image
        distinct, place = distinct[1:], place - 1
    return distinct, place


@dataclass(frozen=True)
class Sealed:
    """The true symbols of every variable; handed to scoring, never to anything that trains."""

    solution: Int[Tensor, "puzzles variables"]


def assemble(task: Task, puzzles: Puzzles, bank: Bank) -> tuple[Examples, Sealed]:
    """Splits puzzles into what trains and what is sealed, with the images of `bank`.

    This is the one place where an answer is made: the symbols of the queries, −1 at the givens. Only a
    task that says `supervision="leaky"` gets more.
    """
    device = bank.device
    solution = puzzles.solution.astype(np.int16)  # narrow: a data set is held whole, a batch is widened
    shown = puzzles.picture >= 0
    if task.seen == "symbols":
        shown = np.zeros_like(shown)
    image = np.full(solution.shape, -1, dtype=np.int32)
    if shown.any():
        classes = np.asarray(bank.classes_of(task))
        image[shown] = bank.find(classes[solution[shown]], puzzles.picture[shown])
    as_symbols = puzzles.given & ~shown
    answered = np.ones_like(puzzles.given) if task.supervision == "leaky" else ~puzzles.given
    examples = Examples(
        gallery=bank.gallery,
        image=torch.from_numpy(image).to(device),
        symbols=torch.from_numpy(np.where(as_symbols, solution, np.int16(-1))).to(device),
        given=torch.from_numpy(puzzles.given.copy()).to(device),
        answer=torch.from_numpy(np.where(answered, solution, np.int16(-1))).to(device),
    )
    return examples, Sealed(torch.from_numpy(solution).to(device))
