"""Where a user's own images lie, as it is written on a command line: `folder:PATH?size=32`."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .errors import UsageError

Kind = Literal["name", "folder", "arrays", "torchvision", "attribute"]
QUERY = re.compile(r"\w+=[^=&?]*(&\w+=[^=&?]*)*")


def _whole(text: str) -> int:
    return int(text)


def _size(text: str) -> tuple[int, int]:
    """Height and width: 32 is 32 by 32, 32x48 is 32 high and 48 wide."""
    height, _, width = text.partition("x")
    found = int(height), int(width or height)
    if min(found) < 1:
        raise ValueError(text)
    return found


# What may follow the question mark, and how each is read; None: whatever the data set's class takes.
OPTIONS: Mapping[str, Mapping[str, tuple[Callable[[str], Any], str]] | None] = {
    "folder": {
        "size": (_size, "the pixels of a side, as 32, or height and width, as 32x48"),
        "channels": (_whole, "1 (grey) or 3 (colour)"),
    },
    "arrays": {
        "scale": (_whole, "1 or 255, what pixels run up to"),
        "channels": (str, "last, where they come after height and width"),
    },
    "torchvision": None,
}
CHOICES: Mapping[tuple[str, str], tuple[object, ...]] = {
    ("folder", "channels"): (1, 3),
    ("arrays", "scale"): (1, 255),
    ("arrays", "channels"): ("first", "last"),
}


def split_name(name: str) -> list[str]:
    """The parts of a name that are joined by +, which may also stand inside a path."""
    return re.split(r"\+(?=[A-Za-z][\w.-]*(?:[:+]|$))", name)


@dataclass(frozen=True)
class Address:
    """One part of a name: a name of the catalogue, or a kind of place, the place, and options.

    Attributes:
        kind: What it is.
        place: A path, the name of a torchvision data set, or the name itself.
        options: Those after the question mark.
    """

    kind: Kind
    place: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, text: str) -> "Address":
        """From what a user writes. Raises `UsageError` for an option that the kind does not have."""
        kind, colon, rest = text.partition(":")
        if not colon:
            return cls("name", text, {})
        if kind not in OPTIONS:
            return cls("attribute", text, {})
        place, mark, query = rest.rpartition("?")
        if not mark or not QUERY.fullmatch(query):
            place, query = rest, ""
        if not place:
            raise UsageError(f"--images {text}: say which, as {kind}:{_EXAMPLE[kind]}")
        found: dict[str, Any] = {}
        for pair in filter(None, query.split("&")):
            name, _, value = pair.partition("=")
            found[name] = _read(text, kind, name, value)
        return cls(kind, place, found)  # pyright: ignore[reportArgumentType]  # one of OPTIONS

    def stamp(self) -> str:
        """Changes whenever a file changes that the images are read from; empty where no user named one."""
        if self.kind not in ("folder", "arrays"):
            return ""
        root = Path(self.place)
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        stamp = hashlib.sha256()
        for file in files:
            if file.exists():
                state = file.stat()
                stamp.update(f"{file}\0{state.st_mtime_ns}\0{state.st_size}\0".encode(errors="replace"))
        return stamp.hexdigest()


_EXAMPLE = {"folder": "PATH", "arrays": "FILE.npz", "torchvision": "KMNIST"}


def _read(text: str, kind: str, name: str, value: str) -> Any:
    options = OPTIONS[kind]
    if options is None:
        return value
    if name not in options:
        raise UsageError(f"--images {text}: {kind} has no option {name!r}: it has {' and '.join(options)}")
    read, words = options[name]
    try:
        found = read(value)
        choices = CHOICES.get((kind, name))
        if choices is not None and found not in choices:
            raise ValueError(value)
    except ValueError as error:
        raise UsageError(f"--images {text}: {name}={value} is not {words}") from error
    return found
