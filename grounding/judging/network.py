"""A network trained elsewhere, as scoring meets it: what it is asked, and whether its answers are what they
should be.
"""

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch, Examples
from ...datasets.errors import UsageError
from ...datasets.outside import import_attribute
from ...datasets.task import Task
from ..trials.answers import CHUNK, Held
from ..trials.network import IMAGES_AT_ONCE, place_readings
from .array_checks import ROUNDING
from .predictions import one_hot

METHODS = ("read", "answer", "complete")
PROMISED: Mapping[str, str] = {
    "read": "(images, symbols) beliefs: the probability of every symbol, for every image",
    "answer": "(puzzles, variables) symbols, -1 unsolved; or (puzzles, variables, symbols) beliefs, NaN "
    "unsolved",
    "complete": "(puzzles, variables, symbols) beliefs about every variable, NaN unsolved",
}


@runtime_checkable
class Network(Protocol):
    """Something trained elsewhere. Arrays may be tensors or NumPy's; it never sees a label.

    `complete(beliefs, given)` is asked for where it is there: (puzzles, variables, symbols) beliefs and
    (puzzles, variables) truth values to completed beliefs, as `Solver.forward` has it.
    """

    def read(self, images: Any) -> Any:
        """(images, channels, height, width) in [0, 1] to (images, symbols) beliefs."""
        ...

    def answer(self, images: Any, place: Any, given: Any) -> Any:
        """The answers to some puzzles.

        Args:
            images: As in `read`.
            place: (puzzles, variables) the row of `images` that stands at a variable, −1 where none does.
            given: (puzzles, variables) truth values: which variables are seen.

        Where a task shows givens as symbols (the signs of a futoshiki) a fourth argument holds them:
        (puzzles, variables), −1 elsewhere.

        Returns:
            (puzzles, variables) symbols, −1 unsolved; or (puzzles, variables, symbols) beliefs, NaN unsolved.
        """
        ...


class NetworkError(RuntimeError):
    """What a network raised when it was asked; its text is a traceback, or says how its process ended."""


# Asks a network for one of its methods, with arrays; raises `NetworkError`.
Call = Callable[[str, Sequence[np.ndarray]], Any]


def as_network(thing: Any, name: str) -> Any:
    """A network from what a user names: itself, or what a class or a function without arguments returns.

    Raises `UsageError` for what neither reads nor answers.
    """
    made = thing
    factory = isinstance(thing, type) or not (hasattr(thing, "read") or isinstance(thing, nn.Module))
    if factory and callable(thing):
        made = _made(thing, name)
    lacking = [method for method in METHODS[:2] if not callable(getattr(made, method, None))]
    if lacking:
        kind = type(made).__name__
        raise UsageError(
            f"network {name!r} is a {kind} without {' and '.join(f'{m}(…)' for m in lacking)}: it needs "
            "read(images) and answer(images, place, given), and may have complete(beliefs, given)"
        )
    if isinstance(made, nn.Module):
        made.eval()
    return made


def _made(factory: Any, name: str) -> Any:
    try:
        asked = [
            p.name
            for p in inspect.signature(factory).parameters.values()
            if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
    except (TypeError, ValueError):
        asked = []
    if asked:
        raise UsageError(
            f"network {name!r} is called without arguments, and asks for {', '.join(asked)}: name the "
            "trained network, or a function without arguments that returns it"
        )
    try:
        return factory()
    except Exception as error:
        raise UsageError(
            f"network {name!r} could not be made: {type(error).__name__}: {error}".splitlines()[0]
        ) from error


def import_network(name: str) -> Any:
    """The network that `package.module:attribute` names. Raises `UsageError` where there is none."""
    return as_network(import_attribute(name, "network"), name)


def ask_network(network: Any, method: str, arrays: Sequence[np.ndarray], device: str = "cpu") -> np.ndarray:
    """What a method of a network returns, as an array; it sees copies.

    Raises `NetworkError` with the traceback of what it raised, `UsageError` where it returns no array.
    """
    tensors = [torch.from_numpy(np.array(array)).to(device) for array in arrays]
    try:
        with torch.no_grad():
            found = getattr(network, method)(*tensors)
    except Exception as error:
        raise NetworkError("".join(traceback.format_exception(error))) from error
    if isinstance(found, Tensor):
        return found.numpy(force=True)
    if isinstance(found, np.ndarray):
        return found
    how = f"a tuple of {len(found)}" if isinstance(found, tuple) else f"a {type(found).__name__}"
    hint = ": return one of them" if isinstance(found, tuple) else ""
    raise UsageError(f"{method}(…) returned {how}, and it has to return one tensor or array{hint}")


class AskedNetwork:
    """The `Answers` of a network trained elsewhere: only images, places and givens reach it.

    Args:
        call: Asks it.
        name: What messages call it.
        task: As the seed meets it.
        held_out: The puzzles of each split, without answers.
    """

    def __init__(self, call: Call, name: str, task: Task, held_out: Mapping[Held, Examples]) -> None:
        self.call = call
        self.name = name
        self.task = task
        self.held_out = held_out
        self._read: dict[tuple[Held, int], Float[np.ndarray, "images symbols"]] = {}

    def read(
        self, split: Held, most: int | None
    ) -> tuple[Int[np.ndarray, " images"], Float[np.ndarray, " images"]]:
        """As `Answers.read`."""
        gallery = self.held_out[split].gallery
        size = len(gallery) if most is None else min(most, len(gallery))
        if (split, size) not in self._read:
            parts = [self._beliefs(gallery.gather(part)) for part in torch.arange(size).split(CHUNK)]
            self._read[split, size] = np.concatenate(parts)
        read = self._read[split, size]
        return read.argmax(-1), read.max(-1).clip(0, 1)

    def predict(self, split: Held) -> Float[np.ndarray, "puzzles variables symbols"]:
        """As `Answers.predict`."""
        examples = self.held_out[split]
        parts = examples.parts(CHUNK, IMAGES_AT_ONCE)
        return np.concatenate([self.answer(examples.batch(rows)) for rows in parts])

    def believe(self, split: Held, most: int) -> Float[np.ndarray, "puzzles variables symbols"]:
        """As `Answers.believe`: what is read, where it stands; the rest uniform, or as it is seen."""
        parts = self.held_out[split].parts(CHUNK, IMAGES_AT_ONCE)
        within = takewhile(lambda rows: rows.start < most, parts)
        return np.concatenate(
            [self._placed(split, slice(rows.start, min(rows.stop, most))) for rows in within]
        )

    def _placed(self, split: Held, rows: slice) -> Float[np.ndarray, "puzzles variables symbols"]:
        batch = self.held_out[split].batch(rows)
        read = torch.from_numpy(self._beliefs(batch.images)).float() if len(batch.images) else None
        return place_readings(torch.from_numpy(self.task.problem.legal), batch, read).float().numpy()

    def complete(
        self,
        beliefs: Float[np.ndarray, "puzzles variables symbols"],
        given: Bool[np.ndarray, "puzzles variables"],
    ) -> Float[np.ndarray, "puzzles variables symbols"]:
        """As `Answers.complete`."""
        found = self._ask("complete", [beliefs, given])
        self._require_shape(found, "complete", beliefs.shape)
        return self._probabilities(found, "complete", unsolved=True)

    def answer(self, batch: Batch) -> Float[np.ndarray, "puzzles variables symbols"]:
        """What it answers of some puzzles, as beliefs."""
        asked = [batch.images, batch.place, batch.given]
        symbols = self.task.problem.symbols
        if (batch.symbols >= 0).any():
            asked.append(batch.symbols)
        found = self._ask("answer", [array.numpy(force=True) for array in asked])
        shape = tuple(batch.given.shape)
        if found.ndim != 2:
            self._require_shape(found, "answer", (*shape, symbols))
            return self._probabilities(found, "answer", unsolved=True)
        self._require_shape(found, "answer", shape)
        if found.dtype.kind == "b" or (found != np.round(found)).any() or (found < -1).any() or (
            found >= symbols
        ).any():  # fmt: skip
            raise self._refused("answer", f"holds what is no symbol of {self.task.name}, 0 to {symbols - 1}")
        return one_hot(found.astype(np.int64), symbols)

    def _beliefs(self, images: Tensor) -> Float[np.ndarray, "images symbols"]:
        found = self._ask("read", [images.numpy(force=True)])
        self._require_shape(found, "read", (len(images), len(self.task.classes)))
        return self._probabilities(found, "read", unsolved=False)

    def _ask(self, method: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
        try:
            found = np.asarray(self.call(method, arrays))
        except UsageError as error:
            raise UsageError(f"network {self.name!r}: {error}; it is {PROMISED[method]}") from error
        if found.dtype.kind not in "biuf":
            raise self._refused(method, f"is of type {found.dtype}")
        return found

    def _require_shape(self, found: np.ndarray, method: str, shape: tuple[int, ...]) -> None:
        if found.shape != shape:
            raise self._refused(method, f"is of shape {found.shape} where {shape} was expected")

    def _probabilities(self, found: np.ndarray, method: str, *, unsolved: bool) -> np.ndarray:
        if not unsolved and np.isnan(found).any():
            raise self._refused(method, "holds NaN")
        if ((found < -ROUNDING) | (found > 1 + ROUNDING)).any():
            low, high = np.nanmin(found), np.nanmax(found)
            raise self._refused(
                method, f"runs from {low:.3g} to {high:.3g}, and probabilities lie in [0, 1]: take a softmax"
            )
        return found.astype(np.float64)

    def _refused(self, method: str, fault: str) -> UsageError:
        return UsageError(
            f"network {self.name!r}: what {method}(…) returned {fault}; it is {PROMISED[method]}"
        )
