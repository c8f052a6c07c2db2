"""groundcheck.toml: a project's solvers, profiles, thresholds and expected failures."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec

from ...datasets.errors import UsageError
from .profiles import PROFILES, Profile

NAME = "groundcheck.toml"


@dataclass(frozen=True)
class Terms:
    """What a gate asks of a solver."""

    profile: str = "standard"
    require: str = "GROUNDED"
    baseline: Path | None = None
    max_regression: float = 0.02
    require_robust: bool = False
    max_ood_drop: float | None = None

    @property
    def asks_beyond(self) -> bool:
        """Whether it asks anything that only robust = true measures."""
        return self.require_robust or self.max_ood_drop is not None


@dataclass(frozen=True)
class Entry:
    """A solver of a project: how it is named, built and held to account."""

    solver: str
    options: Mapping[str, Any] = field(default_factory=dict)
    terms: Terms = field(default_factory=Terms)
    expected_failures: Mapping[str, str] = field(default_factory=dict)  # id of a case: reason


@dataclass(frozen=True)
class Project:
    """The content of a groundcheck.toml; without one, only the built-in profiles."""

    terms: Terms = field(default_factory=Terms)
    profiles: Mapping[str, Profile] = field(default_factory=lambda: dict(PROFILES))
    solvers: Mapping[str, Entry] = field(default_factory=dict)

    def entry(self, solver: str) -> Entry:
        """The entry of that name, or the terms of the project for a solver without one."""
        return self.solvers.get(solver) or Entry(solver, terms=self.terms)

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises `UsageError` with the nearest."""
        if name not in self.profiles:
            near = difflib.get_close_matches(name, self.profiles, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self.profiles)}"
            raise UsageError(f"unknown profile {name!r}: {hint}")
        return self.profiles[name]


VERDICTS = ("GROUNDED", "SHORTCUT", "NOT REASONING", "UNGROUNDED")
Count = Annotated[int, msgspec.Meta(ge=1)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _TermsTable(msgspec.Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """[gate]: what every solver is held to where its own table says nothing else."""

    profile: str | None = None
    require: str | None = None
    baseline: str | None = None
    max_regression: Fraction | None = None
    require_robust: bool | None = None
    max_ood_drop: Fraction | None = None


class _SolverTable(_TermsTable, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """[solvers.NAME]."""

    solver: str | None = None
    options: dict[str, Any] = {}
    expected_failures: dict[str, str] = {}


class _ProfileTable(msgspec.Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """[profiles.NAME]."""

    tasks: list[str] | None = None
    puzzles: str | None = None
    images: str = "digits"
    seeds: Count = 12
    epochs: Count | None = None
    settings: dict[str, Any] = {}
    perception: str = "lenet"
    classes: list[str] = []
    robust: bool = False


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The tables of a groundcheck.toml."""

    gate: dict[str, Any] = {}
    profiles: dict[str, Any] = {}
    solvers: dict[str, Any] = {}


Table = TypeVar("Table", bound=msgspec.Struct)
WORDS = {  # msgspec's types in a user's words
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list of texts",
    "object": "a table",
}


def read_project(path: Path | None = None) -> Project:
    """The project of a file, by default groundcheck.toml here if there is one.

    Raises `UsageError` naming the line for TOML that does not parse, an unknown key or a wrong type.
    """
    if path is None:
        path = Path(NAME)
        if not path.exists():
            return Project()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no TOML: it is not written in UTF-8 ({error.reason})") from error
    try:
        return _Reader(path, text).project()
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from error


@dataclass(frozen=True)
class _Reader:
    path: Path
    text: str

    def project(self) -> Project:
        file = self._read(tomllib.loads(self.text), _File)
        terms = self._terms(self._read(file.gate, _TermsTable, "gate"), Terms(), "gate")
        profiles = {**PROFILES, **{name: self._profile(name, t) for name, t in file.profiles.items()}}
        solvers = {name: self._entry(name, table, terms) for name, table in file.solvers.items()}
        for where, named in ((("gate",), terms), *((("solvers", n), e.terms) for n, e in solvers.items())):
            if named.profile not in profiles:
                self._refuse((*where, "profile"), f"there is no profile {named.profile!r}")
        return Project(terms, profiles, solvers)

    def _terms(self, table: _TermsTable, inherited: Terms, *where: str) -> Terms:
        if table.require is not None and table.require not in VERDICTS:
            verdicts = ", ".join(VERDICTS)
            self._refuse((*where, "require"), f"{table.require!r} is no verdict: it is {verdicts}")
        found = {
            "profile": table.profile,
            "require": table.require,
            "baseline": None if table.baseline is None else self.path.parent / table.baseline,
            "max_regression": table.max_regression,
            "require_robust": table.require_robust,
            "max_ood_drop": table.max_ood_drop,
        }
        said: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
        return replace(inherited, **said)

    def _profile(self, name: str, content: Any) -> Profile:
        table = self._read(content, _ProfileTable, "profiles", name)
        tasks = None if table.tasks is None else tuple(table.tasks)
        puzzles = None if table.puzzles is None else self.path.parent / table.puzzles
        return Profile(
            tasks,
            table.images,
            table.seeds,
            table.epochs,
            table.settings,
            table.perception,
            tuple(table.classes),
            puzzles,
            table.robust,
        )

    def _entry(self, name: str, content: Any, inherited: Terms) -> Entry:
        where = ("solvers", name)
        table = self._read(content, _SolverTable, *where)
        return Entry(
            solver=table.solver or name,
            options=table.options,
            terms=self._terms(table, inherited, *where),
            expected_failures=table.expected_failures,
        )

    def _read(self, content: Any, kind: type[Table], *where: str) -> Table:
        """A table of the file as what it has to be; refused by the line of what does not fit."""
        try:
            return msgspec.convert(content, kind)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            self._refuse(*self._told(reason, content, kind, path.rstrip("`"), where))

    def _told(
        self, reason: str, content: Any, kind: type[msgspec.Struct], path: str, where: tuple[str, ...]
    ) -> tuple[tuple[str, ...], str]:
        """The key of what does not fit, and why in words."""
        if unknown := re.fullmatch("Object contains unknown field `(.*)`", reason):
            known = [field.encode_name for field in msgspec.structs.fields(kind)]
            near = difflib.get_close_matches(unknown[1], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            return (*where, unknown[1]), f"unknown key: {hint}"
        expected = re.match(r"Expected `(\w+)", reason)
        wanted = WORDS.get(expected[1], reason) if expected else reason
        for name, bracket in re.findall(r"([^.\[\]]+)(?:\[([^\]]*)\])?", path):
            where, content = (*where, name), content[name]
            if bracket == "...":  # an entry of a table, and msgspec does not tell which
                entry, content = next((k, v) for k, v in content.items() if not isinstance(v, str))
                where = (*where, entry)
            elif bracket:
                wanted = WORDS["array"]
        if ">= 1" in reason:
            return where, "it takes at least 1"
        if "=" in reason:
            return where, f"{content} is no fraction between 0 and 1"
        return where, f"{wanted} is expected, not {content!r}"

    def _refuse(self, key: tuple[str, ...], reason: str) -> NoReturn:
        raise UsageError(f"{self.path}, line {self._line(key)}: {'.'.join(key)}: {reason}")

    def _line(self, key: tuple[str, ...]) -> int:
        """Where a key begins: behind the last line up to which the file parses and lacks it."""
        lines, before = self.text.splitlines(), 0
        for count in range(1, len(lines) + 1):
            try:
                content: Any = tomllib.loads("\n".join(lines[:count]))
            except tomllib.TOMLDecodeError:
                continue
            for part in key:
                content = content.get(part) if isinstance(content, dict) else None
            if content is not None:
                return before + 1
            before = count
        return len(lines)
