"""Where each key of a TOML file stands: `tomllib` tells what a file says, and not on which line."""

import re
import tomllib
from dataclasses import dataclass, field

Path = tuple[str | int, ...]  # keys, and numbers of items in arrays: ("published", 0, "value")

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")  # numbers, dates, truth values
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (r'"""(?:\\.|[^\\])*?"{3,5}', r"'''.*?'{3,5}", r'"(?:\\.|[^"\\])*"', r"'[^']*'")
)


def key_lines(text: str) -> dict[Path, int]:
    """The line, counted from 1, of every key, item and table header, by its path.

    Args:
        text: TOML that `tomllib` has read without complaint.
    """
    scan = _Scan(text)
    scan.document()
    return scan.lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a path; of the nearest thing around it that has one where it has none; at least 1."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


@dataclass
class _Scan:
    """One walk over the text; `place` is where it has come to."""

    text: str
    place: int = 0
    lines: dict[Path, int] = field(default_factory=dict)
    arrays: dict[Path, int] = field(default_factory=dict)  # how many tables an [[array]] has so far

    def document(self) -> None:
        table: Path = ()
        while self._skip(_SPACE) and self.place < len(self.text):
            if self.text[self.place] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        many = self.text.startswith("[[", self.place)
        start = self.place
        self.place += 2 if many else 1
        path: Path = ()
        keys = self._key()
        for number, key in enumerate(keys):
            path = (*path, key)
            if many and number == len(keys) - 1:
                self._note(path, start)
                self.arrays[path] = self.arrays.get(path, -1) + 1
            if path in self.arrays:
                path = (*path, self.arrays[path])
        self._note(path, start)
        self.place += 2 if many else 1
        return path

    def _pair(self, table: Path) -> None:
        start, path = self.place, table
        for key in self._key():
            path = (*path, key)
            self._note(path, start)
        self.place += 1  # =
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        if self.text[self.place] == "[":
            self._items(path)
        elif self.text[self.place] == "{":
            self._members(path)
        else:
            any(self._skip(pattern) for pattern in (*_STRINGS, _SCALAR))

    def _items(self, path: Path) -> None:
        self.place += 1
        number = 0
        while not self._closed("]"):
            self._note((*path, number), self.place)
            self._value((*path, number))
            number += 1

    def _members(self, path: Path) -> None:
        self.place += 1
        while not self._closed("}"):
            self._pair(path)

    def _closed(self, bracket: str) -> bool:
        """Whether the next thing, after a comma or not, is the end of what is open."""
        self._skip(_SPACE)
        if self.text[self.place] == ",":
            self.place += 1
            self._skip(_SPACE)
        closed = self.text[self.place] == bracket
        self.place += closed
        return closed

    def _key(self) -> list[str]:
        """A dotted key, up to what follows it."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self.place
            bare = self._skip(_BARE) or not any(self._skip(pattern) for pattern in _STRINGS[2:])
            word = self.text[start : self.place]
            parts.append(word if bare else str(tomllib.loads(f"word = {word}")["word"]))
            self._skip(_SPACE)
            if self.text[self.place] != ".":
                return parts
            self.place += 1

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self.text, self.place)
        if found is None:
            return False
        self.place = found.end()
        return True

    def _note(self, path: Path, start: int) -> None:
        self.lines.setdefault(path, 1 + self.text.count("\n", 0, start))
