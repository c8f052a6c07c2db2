"""What an experiment is asked for: solvers, tasks, images, perceptions and settings, each with its values."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, NoReturn

import msgspec

from ...datasets.errors import UsageError
from ..suite.budget import MAX_SEEDS
from ..trials.roles import ROLE_NAMES
from .positions import Path, line_of

UNTIL_DECIDED = "until decided"
Count = Annotated[int, msgspec.Meta(ge=1)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


@dataclass(frozen=True)
class Origin:
    """Where an experiment was written down, so that what does not fit is told by its line.

    Attributes:
        file: As the user named it; "" for an experiment from Python.
        lines: Of its keys.
    """

    file: str = ""
    lines: dict[Path, int] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """A key, with file and line where there are any, in front of what is wrong with it."""
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        line = f", line {line_of(self.lines, path)}" if path[:1] in self.lines else ""
        where = f"{self.file}{line}: " if self.file else ""
        return f"{where}{key}: " if key else where

    def refuse(self, path: Path, reason: str) -> NoReturn:
        """Raises `UsageError` for a key."""
        raise UsageError(self.place(path) + reason)

    @contextmanager
    def told(self, *path: str | int) -> Generator[None]:
        """Names the key in front of what is raised by what it stands for."""
        try:
            yield
        except UsageError as error:
            raise type(error)(self.place(path) + str(error)) from error


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the file: an unknown key is an error."""


class SolverEntry(_Table, frozen=True, kw_only=True):
    """A solver with options.

    Attributes:
        solver: A name, `package.module:attribute` or `file.py:attribute`.
        options: For its constructor, by name.
        name: What it is called in this experiment; by default its name with its options.
    """

    solver: str
    options: dict[str, Any] = {}
    name: str = ""


class TaskEntry(_Table, frozen=True, kw_only=True):
    """A task with settings, or the boards of a file.

    Attributes:
        task: A name, `package.module:attribute` or `file.py:attribute`; "" with `puzzles`.
        puzzles: A file of boards, relative to the file of the experiment.
        settings: Of the task, by name.
        name: What it is called in this experiment; by default its name with these settings.
    """

    task: str = ""
    puzzles: str = ""
    settings: dict[str, Any] = {}
    name: str = ""


class ImagesEntry(_Table, frozen=True, kw_only=True):
    """An image set of which some classes stand for the symbols.

    Attributes:
        images: A name, as `check --images` takes it.
        classes: Names or numbers of the classes, in order.
        name: What it is called in this experiment; by default its name.
    """

    images: str
    classes: list[str | int] = []
    name: str = ""


class PerceptionEntry(_Table, frozen=True, kw_only=True):
    """A perception with options.

    Attributes:
        perception: A name, as `check --perception` takes it.
        options: By name; `weights` is a file.
        name: What it is called in this experiment; by default its name with its options.
    """

    perception: str
    options: dict[str, Any] = {}
    name: str = ""


Solvers = str | SolverEntry | list[str | SolverEntry]
Tasks = str | TaskEntry | list[str | TaskEntry]
ImageSets = str | ImagesEntry | list[str | ImagesEntry]
Perceptions = str | PerceptionEntry | list[str | PerceptionEntry]


class Combination(_Table, frozen=True, kw_only=True):
    """Values that belong together; what a combination does not say, it has from the whole experiment.

    Attributes:
        name: What it is called; without a name, what it sets.
        solver: One or several, as in `Experiment`; so are the others.
        task: One or several.
        images: One or several.
        perception: One or several.
        settings: By name; a list stands for several values.
    """

    name: str = ""
    solver: Solvers = []
    task: Tasks = []
    images: ImageSets = []
    perception: Perceptions = []
    settings: dict[str, Any] = {}


class PublishedEntry(_Table, frozen=True, kw_only=True):
    """A figure of others, which stands beside ours.

    Attributes:
        where: The cells that it stands beside: values on axes.
        figure: "task", "raw", "aligned" …
        value: 0 to 1.
        source: Paper and table, and whether at second hand.
        note: What differs from what is run here.
    """

    where: dict[str, Any] = {}
    figure: str
    value: Fraction
    source: str
    note: str = ""


class Experiment(_Table, frozen=True, kw_only=True):
    """Many solvers, tasks and settings in one run; its cells are the product of all that has several values.

    A file in TOML holds the same, with - for _ in names.

    Attributes:
        name: What it is called; of a file, by default the file's name.
        about: What it is for, in a sentence.
        solvers: Names, or entries with options.
        tasks: Names, or entries with settings or with a file of boards.
        images: Names, or entries with classes.
        perceptions: Names, or entries with options.
        settings: Of tasks, solvers and training, by name, as `check --set` takes them: each goes to whoever
            knows it. A list stands for several values; one value that is a sequence is a list in a list.
        combination: Listed combinations, in place of or beside the product.
        seeds: So many for each cell; or "until decided": until the sequential test has decided a cell.
        max_seeds: At most so many for each cell, where they run until decided; 12 by default.
        roles: What is trained on each seed; "grounding" and "ceiling" at least, by default all four.
        budget: As "2h", "30m" or "90s": after that no further trial begins; "" for none.
        device: Where networks run, as torch names it.
        published: Figures of others.
        origin: Where it was written down.
    """

    name: str = ""
    about: str = ""
    solvers: Solvers = []
    tasks: Tasks = []
    images: ImageSets = "digits"
    perceptions: Perceptions = "lenet"
    settings: dict[str, Any] = {}
    combination: list[Combination] = []
    seeds: Count | str = UNTIL_DECIDED
    max_seeds: Count | None = None
    roles: list[str] = msgspec.field(default_factory=lambda: list(ROLE_NAMES))
    budget: str = ""
    device: str = "cpu"
    published: list[PublishedEntry] = []
    origin: Origin = Origin()

    @property
    def until_decided(self) -> bool:
        """Whether seeds run until the sequential test has decided, and no further."""
        return isinstance(self.seeds, str)

    @property
    def at_most(self) -> int:
        """How many seeds a cell has at most."""
        return self.seeds if isinstance(self.seeds, int) else self.max_seeds or MAX_SEEDS

    @property
    def named(self) -> list[str]:
        """What it names of a user's own code: solvers, tasks, image sets and perceptions with an address."""
        whole = [self.solvers, self.tasks, self.images, self.perceptions]
        parts = [
            part
            for each in self.combination
            for part in (each.solver, each.task, each.images, each.perception)
        ]
        found: list[str] = []
        for part in (*whole, *parts):
            for entry in part if isinstance(part, list) else [part]:
                name = entry if isinstance(entry, str) else _first(entry)
                found += [name] if ":" in name and name not in found else []
        return found


def _first(entry: Any) -> str:
    """What an entry names; an object from Python names nothing."""
    return str(getattr(entry, entry.__struct_fields__[0])) if isinstance(entry, _Table) else ""
