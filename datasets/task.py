"""What a task is: a problem, a way to draw puzzles of it, and how its symbols are shown."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Int

from .errors import UsageError
from .problem import Problem

# What a task is set to, as JSON gives it back where it is read into this type: settings are hashable, and a
# sequence is a tuple.
Scalar = bool | int | float | str | None
Setting = Scalar | dict[str, Any] | tuple[Scalar | dict[str, Any] | tuple[Any, ...], ...]
Split = Literal["train", "validation", "test", "ood"]
Shift = Literal["puzzles", "images"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "ood")
BLOCK = 4096  # puzzles drawn from one stream
_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a word"}


def as_split(name: str) -> Split:
    """The split of this name. Raises `UsageError` for a name that none has."""
    for split in SPLITS:
        if split == name:
            return split
    raise UsageError(f"split {name!r}: it is {', '.join(SPLITS)}")


def as_order(value: object, name: str, of: int, otherwise: str = "") -> tuple[int, ...]:
    """A permutation of 0 … `of` − 1. Raises `UsageError` for anything else."""
    entries: list[object] = list(value) if isinstance(value, list | tuple) else []
    order = tuple(entry for entry in entries if type(entry) is int)
    if len(order) != len(entries) or sorted(order) != list(range(of)):
        advice = f"name each of 0 to {of - 1} once, {otherwise}or leave it out to have it drawn"
        raise UsageError(f"{name}={value!r}: {advice}")
    return order


@dataclass(frozen=True)
class Puzzles:
    """Puzzles of one task, as arrays; they name pictures and never hold them.

    Attributes:
        solution: (puzzles, variables) symbols: the true one of every variable.
        given: (puzzles, variables) truth values: which variables are seen. The others are the queries.
        picture: (puzzles, variables) which picture of its symbol a given shows: a draw in [0, 2³¹), which an
            image bank takes modulo the number of its pictures of that symbol, so that puzzles fit every image
            set. −1 at the queries, and at givens that are always seen as symbols (the inequality signs of a
            futoshiki).
    """

    solution: Int[np.ndarray, "puzzles variables"]
    given: Bool[np.ndarray, "puzzles variables"]
    picture: Int[np.ndarray, "puzzles variables"]

    def __len__(self) -> int:
        return len(self.solution)

    def __getitem__(self, rows: slice | Int[np.ndarray, " rows"]) -> "Puzzles":
        return Puzzles(self.solution[rows], self.given[rows], self.picture[rows])


def join(parts: Sequence[Puzzles]) -> Puzzles:
    """Puzzles one after the other."""
    if len(parts) == 1:
        return parts[0]
    solutions, givens, pictures = zip(*((p.solution, p.given, p.picture) for p in parts), strict=True)
    return Puzzles(np.concatenate(solutions), np.concatenate(givens), np.concatenate(pictures))


@dataclass(frozen=True)
class Layout:
    """Where each variable stands when a puzzle is drawn, in cells.

    Args:
        rows: Height of the whole.
        columns: Width of the whole.
        places: The row, counted downwards from 0, and the column, counted rightwards, of each variable.
        block: Rows and columns of a block, around which lines are drawn heavier; None without blocks.
        frameless: Variables that stand between the cells, as marks.
        along: Whether a variable stands as many columns further right as its symbol says.
        signs: Operators and arrows that belong to no variable: row and column of their middle, and the sign.
        strokes: Lines that belong to no variable: rows and columns of their two ends.
        piece: What stands on a chess board wherever a variable does.
        note: A sign and what it means, in a few words, for the legend of a picture.
    """

    rows: int | float
    columns: int | float
    places: tuple[tuple[int | float, int | float], ...]
    block: tuple[int, int] | None = None
    frameless: tuple[int, ...] = ()
    along: bool = False
    signs: tuple[tuple[int | float, int | float, str], ...] = ()
    strokes: tuple[tuple[int | float, int | float, int | float, int | float], ...] = ()
    piece: str = ""
    note: str = ""

    @property
    def lines(self) -> tuple[tuple[int | float, int | float, int | float, int | float], ...]:
        """The strokes, and the borders of blocks, as far as the grid of whole cells reaches."""
        if self.block is None:
            return self.strokes
        side = int(self.rows)
        across = [(row, 0, row, side) for row in range(0, side + 1, self.block[0])]
        down = [(0, column, side, column) for column in range(0, side + 1, self.block[1])]
        return (*self.strokes, *across, *down)


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A family of puzzles; the frozen dataclass is its own configuration.

    The same split, size and seed give the same puzzles; different seeds or splits share no random stream.

    Args:
        seen: How givens are seen: "images", or "symbols", the textual control: the solver is handed their
            true symbols.
        supervision: "masked", or "leaky": the answer also holds the labels of the givens, as in the SATNet
            experiments of 2019. It exists to reproduce that result and never passes.

    Attributes:
        name: What the family is called.
        version: Raised whenever the same split, size and seed give other puzzles.
        source: The paper or page that this task comes from.
        shift: What is new in the ood split: its "puzzles", or its "images", which are test images slanted.

    Raises:
        UsageError: For an option that cannot be meant.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    source: ClassVar[str]
    shift: ClassVar[Shift] = "puzzles"
    found_as: ClassVar[str] = ""  # module:attribute or file.py:attribute, where a user named it so

    seen: str = "images"
    supervision: str = "masked"

    def __post_init__(self) -> None:
        for option in fields(self):
            value, usual = getattr(self, option.name), option.default
            for kind, words in _KINDS.items():
                if type(usual) is kind and not isinstance(value, (int, float) if kind is float else kind):
                    raise UsageError(f"{option.name}={value!r}: it is {words}")
        for option, fits in (("seen", ("images", "symbols")), ("supervision", ("masked", "leaky"))):
            if getattr(self, option) not in fits:
                raise UsageError(f"{option}={getattr(self, option)!r}: it is {' or '.join(fits)}")

    @cached_property
    @abstractmethod
    def problem(self) -> Problem:
        """The variables, their symbols and the rules."""

    @property
    @abstractmethod
    def classes(self) -> tuple[int, ...]:
        """Entry k is the class of the image set that shows symbol k; further symbols are never shown."""

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """Where each variable stands when a puzzle is drawn."""

    def written(self, variable: int, symbol: int) -> str:
        """How a symbol is written where it is not shown by an image: by default as its digit.

        Args:
            variable: Number of the variable, from 0 on.
            symbol: Number of the symbol, from 0 on.
        """
        del variable
        return str(self.classes[symbol] if symbol < len(self.classes) else symbol)

    @abstractmethod
    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        """Draws puzzles; `generate` calls it block by block.

        Args:
            split: Which split they are of.
            size: How many.
            rng: The only source of randomness.
        """

    def generate(self, split: Split, size: int, seed: int) -> Puzzles:
        """Puzzles of a split, the same for the same arguments.

        They come in blocks of 4,096, each from a stream of its own, so that several processes can make the
        blocks of one large set.

        Args:
            split: "train", "validation", "test" or "ood".
            size: How many, 0 or more.
            seed: A whole number from 0 on.

        Raises:
            UsageError: For a size, split or seed that cannot be meant, or settings that hardly any puzzle
                fits.
        """
        if size < 0:
            raise UsageError(f"size={size!r}: ask for 0 puzzles or more")
        return join([self.block(split, size, seed, block) for block in range(max(1, -(-size // BLOCK)))])

    def block(self, split: Split, size: int, seed: int, block: int) -> Puzzles:
        """One of the blocks that `generate` joins.

        Args:
            split: As in `generate`.
            size: How many puzzles all blocks have together.
            seed: As in `generate`.
            block: Number of the block, from 0 on.
        """
        count = min(BLOCK, size - block * BLOCK)
        return self.draw(split, count, self.stream(split, seed, 0, block))

    @abstractmethod
    def verify(self, solution: Int[np.ndarray, "puzzles variables"]) -> Bool[np.ndarray, " puzzles"]:
        """Which assignments keep every rule, decided without the CNF.

        Args:
            solution: (puzzles, variables) symbols.

        Returns:
            (puzzles,) truth values.
        """

    def drawn(self, seed: int) -> "Task":
        """The task as the trial of this seed meets it.

        A task that draws part of itself (mapping: its bijection) returns the one drawn from `seed`; most are
        the same for every seed.
        """
        del seed
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration, for records and captions."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 of the file that a setting names, by the name of the setting; records keep it beside the
        settings.
        """
        return {}

    def stream(self, split: Split, seed: int, *more: int) -> np.random.Generator:
        """The generator of this task, split and seed: independent of every other, by SeedSequence.

        Args:
            split: Which split it is for.
            seed: A whole number from 0 on.
            *more: Further numbers; each sequence of them has a stream of its own.

        Raises:
            UsageError: For a negative seed or an unknown split.
        """
        if seed < 0:
            raise UsageError(f"seed {seed!r}: seeds are whole numbers from 0 on")
        key = (zlib.crc32(self.name.encode()), SPLITS.index(as_split(split)), seed)
        return np.random.default_rng(np.random.SeedSequence(key, spawn_key=more))


def draw_pictures(
    shown: Bool[np.ndarray, "puzzles variables"], rng: np.random.Generator
) -> Int[np.ndarray, "puzzles variables"]:
    """Draws which picture of its symbol each shown variable shows.

    Args:
        shown: (puzzles, variables) truth values: which variables show a picture.
        rng: Where the draws come from.

    Returns:
        (puzzles, variables) draws in [0, 2³¹), −1 where nothing is shown: `Puzzles.picture`.
    """
    drawn = rng.integers(0, 2**31 - 1, size=shown.shape, dtype=np.int32)
    return np.where(shown, drawn, np.int32(-1))


def textual(task: Task) -> Task:
    """The same task with the givens seen as symbols: the control without perception."""
    return replace(task, seen="symbols")
