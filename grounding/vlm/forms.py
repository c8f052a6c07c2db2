"""What a reading and an answer look like as JSON, task by task, and how symbols are written in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from ...datasets.addition import Addition
from ...datasets.errors import UsageError
from ...datasets.futoshiki import Futoshiki
from ...datasets.grids import GridTask
from ...datasets.mapping import Mapping
from ...datasets.task import Task

COVERED = "mapping, addition, sudoku up to 9×9, latin up to 9×9, futoshiki"
BLANK = -1  # a cell that is empty, or was read as empty
UNREADABLE = -2  # something stands there that is no symbol
SIGNS = (("", "<", ">"), ("", "^", "v"))  # beside each other, and one above the other


@dataclass(frozen=True)
class Field:
    """One key of a JSON object: variables in rows, in a line, or a single one.

    Attributes:
        name: The key.
        variables: Number of the variable at each place: (rows, columns), (length,) or ().
        words: How each symbol is written there.
        blank: Whether a place may be empty, which is written "".
        what: What stands at a place, for the description.
    """

    name: str
    variables: Int[np.ndarray, "..."]
    words: tuple[str, ...]
    blank: bool
    what: str

    @property
    def allowed(self) -> tuple[str, ...]:
        """Every word that may stand at a place."""
        return (*self.words, "") if self.blank else self.words

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON schema."""
        found: dict[str, Any] = {"type": "string", "enum": list(self.allowed)}
        for length in reversed(self.variables.shape):
            found = {"type": "array", "items": found, "minItems": length, "maxItems": length}
        return found

    @property
    def told(self) -> str:
        """In words."""
        *last, final = (f'"{word}"' for word in self.words if word)
        empty = ', or "" where it is empty' if self.blank else ""
        empty = ', or "" where there is no sign' if "" in self.words else empty
        each = f"{', '.join(last)} or {final}{empty}"
        match self.variables.shape:
            case ():
                return f'"{self.name}": {self.what}: {each}'
            case (length,):
                return f'"{self.name}": a list of {length} strings, {self.what}: each {each}'
            case _:
                rows, columns = self.variables.shape
                shape = f"a list of {rows} rows, each a list of {columns} strings"
                return f'"{self.name}": {shape}, {self.what}: each {each}'

    def written(self, symbols: Int[np.ndarray, " variables"]) -> Any:
        """The JSON value of a puzzle: words at their places."""
        words = [self.words[s] if s >= 0 else "" for s in symbols[self.variables.ravel()].tolist()]
        return np.array(words, dtype=object).reshape(self.variables.shape).tolist()


@dataclass(frozen=True)
class Form:
    """What is read of a board of a task, and what is answered."""

    reading: tuple[Field, ...]
    answer: tuple[Field, ...]

    @property
    def pictures(self) -> Int[np.ndarray, " variables"]:
        """The variables that may show a symbol's picture; further ones of the reading are signs."""
        return self.reading_variables(signs=False)

    @property
    def signs(self) -> Int[np.ndarray, " variables"]:
        """The variables that are signs between cells."""
        return np.setdiff1d(self.reading_variables(), self.pictures)

    def reading_variables(self, *, signs: bool = True) -> Int[np.ndarray, " variables"]:
        """The variables that a reading tells of."""
        fields = [field for field in self.reading if signs or "" not in field.words]
        return np.concatenate([field.variables.ravel() for field in fields])

    @property
    def answer_variables(self) -> Int[np.ndarray, " variables"]:
        """The variables that an answer tells of."""
        return np.concatenate([field.variables.ravel() for field in self.answer])


def form_of(task: Task, words: tuple[str, ...]) -> Form:
    """The form of a task whose symbols are called by these words.

    Raises:
        UsageError: For a task that no question is written for.
    """
    if task.supervision != "masked" or task.seen != "images":
        raise UsageError("vlm asks about tasks as they are: leave out seen and supervision")
    if isinstance(task, Mapping):
        picture = Field("picture", np.array(0), words, blank=False, what="the symbol that is shown")
        output = Field("output", np.array(1), words, blank=False, what="its output")
        return Form((picture,), (output,))
    if isinstance(task, Addition):
        n = task.digits
        numbers = [
            Field(name, start + np.arange(n), words, blank=False, what=f"the digits of the {name} number")
            for name, start in (("first", 0), ("second", n))
        ]
        total = Field(
            "sum", 2 * n + np.arange(n + 1), words, blank=False,
            what=f"the digits of the sum, all {n + 1} of them, with a leading {words[0]} where it has fewer",
        )  # fmt: skip
        return Form(tuple(numbers), (total,))
    if isinstance(task, GridTask | Futoshiki) and task.size <= 9:
        return _grid(task, words)
    settings = f" of size {task.settings['size']}" if "size" in task.settings else ""
    raise UsageError(f"vlm has no questions about {task.name}{settings}: it asks about {COVERED}")


def _grid(task: GridTask | Futoshiki, words: tuple[str, ...]) -> Form:
    size = task.size
    cells = np.arange(size**2)
    if isinstance(task, GridTask):
        cells = np.argsort(task.place)  # the variable of each cell, counted along the rows
    square = cells.reshape(size, size)
    along = "from left to right, rows from top to bottom"
    reading = [Field("cells", square, words, blank=True, what=along)]
    if isinstance(task, Futoshiki):
        half = len(task.pairs) // 2
        first = size**2
        beside = np.arange(first, first + half).reshape(size, size - 1)
        below = np.arange(first + half, first + 2 * half).reshape(size - 1, size)
        reading += [
            Field("beside", beside, SIGNS[0], blank=False, what="the signs between neighbours in a row"),
            Field("below", below, SIGNS[1], blank=False, what="the signs between a row and the next one"),
        ]
    return Form(tuple(reading), (Field("cells", square, words, blank=False, what=along),))


def schema_of(fields: Sequence[Field]) -> dict[str, Any]:
    """The JSON schema of an object with these fields and no others."""
    return {
        "type": "object",
        "properties": {field.name: field.schema for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


def format_of(fields: Sequence[Field]) -> str:
    """The same in words, for models whose server takes no schema."""
    return "a JSON object with " + "; ".join(field.told for field in fields)


def written(fields: Sequence[Field], symbols: Int[np.ndarray, " variables"]) -> dict[str, Any]:
    """A puzzle as the JSON object of these fields; what is below zero is left empty."""
    return {field.name: field.written(symbols) for field in fields}
