"""groundcheck.toml: a project's solvers, profiles, thresholds and expected failures."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


TERMS = {"profile": str, "require": str, "baseline": str, "max-regression": float}
PROFILE = {"tasks": list, "images": str, "seeds": int, "epochs": int, "settings": dict}
ENTRY = {"solver": str, "options": dict, "expected-failures": dict, **TERMS}
VERDICTS = ("GROUNDED", "SHORTCUT", "NOT REASONING", "UNGROUNDED")
WORDS = {str: "text", list: "a list of texts", int: "a whole number", float: "a number", dict: "a table"}


def read_project(path: Path | None = None) -> Project:
    """The project of a file, by default groundcheck.toml here if there is one.

    Raises `UsageError` naming the line for TOML that does not parse, an unknown key or a wrong type.
    """
    if path is None:
        path = Path(NAME)
        if not path.exists():
            return Project()
    try:
        text = path.read_text()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return _Reader(path, text).project()
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from error


@dataclass(frozen=True)
class _Reader:
    path: Path
    text: str

    def project(self) -> Project:
        content = tomllib.loads(self.text)
        self._check(content, (), {"gate": dict, "profiles": dict, "solvers": dict})
        self._check(content.get("gate", {}), ("gate",), TERMS)
        terms = self._terms(content.get("gate", {}), ("gate",), Terms())
        profiles = dict(PROFILES)
        for name, table in content.get("profiles", {}).items():
            profiles[name] = self._profile(name, table)
        solvers = {
            name: self._entry(name, table, terms) for name, table in content.get("solvers", {}).items()
        }
        project = Project(terms, profiles, solvers)
        for where, named in ((("gate",), terms), *((("solvers", n), e.terms) for n, e in solvers.items())):
            if named.profile not in profiles:
                self._refuse((*where, "profile"), f"there is no profile {named.profile!r}")
        return project

    def _terms(self, table: Mapping[str, Any], where: tuple[str, ...], inherited: Terms) -> Terms:
        require = table.get("require", inherited.require)
        if require not in VERDICTS:
            self._refuse((*where, "require"), f"{require!r} is no verdict: it is {', '.join(VERDICTS)}")
        largest = table.get("max-regression", inherited.max_regression)
        if not 0 <= largest <= 1:
            self._refuse((*where, "max-regression"), f"{largest} is no fraction between 0 and 1")
        baseline = table.get("baseline")
        return Terms(
            profile=table.get("profile", inherited.profile),
            require=require,
            baseline=inherited.baseline if baseline is None else self.path.parent / baseline,
            max_regression=float(largest),
        )

    def _profile(self, name: str, table: Any) -> Profile:
        where = ("profiles", name)
        self._table(table, where)
        self._check(table, where, PROFILE)
        if table.get("seeds", 1) < 1:
            self._refuse((*where, "seeds"), "it takes at least 1")
        if table.get("epochs", 1) < 1:
            self._refuse((*where, "epochs"), "it takes at least 1")
        tasks = table.get("tasks")
        return Profile(
            tasks=None if tasks is None else tuple(tasks),
            images=table.get("images", "digits"),
            seeds=table.get("seeds", 12),
            epochs=table.get("epochs"),
            settings=table.get("settings", {}),
        )

    def _entry(self, name: str, table: Any, inherited: Terms) -> Entry:
        where = ("solvers", name)
        self._table(table, where)
        self._check(table, where, ENTRY)
        failures = table.get("expected-failures", {})
        self._check(failures, (*where, "expected-failures"), dict.fromkeys(failures, str))
        return Entry(
            solver=table.get("solver", name),
            options=table.get("options", {}),
            terms=self._terms(table, where, inherited),
            expected_failures=failures,
        )

    def _table(self, value: Any, where: tuple[str, ...]) -> None:
        if not isinstance(value, dict):
            self._refuse(where, f"a table is expected, not {value!r}")

    def _check(self, table: Mapping[str, Any], where: tuple[str, ...], known: Mapping[str, type]) -> None:
        for key, value in table.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self._refuse((*where, key), f"unknown key: {hint}")
            wanted = known[key]
            fits = isinstance(value, (int, float) if wanted is float else wanted)
            if wanted is list:
                fits = fits and all(isinstance(item, str) for item in value)
            if not fits or (isinstance(value, bool) and wanted in (int, float)):
                self._refuse((*where, key), f"{WORDS[wanted]} is expected, not {value!r}")

    def _refuse(self, key: tuple[str, ...], reason: str) -> None:
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
