"""Names to things: what comes with groundcheck, and what installed packages register."""

import difflib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import UnknownNameError
from .outside import importing


class Catalogue:
    """Names of one kind, each with the "module:attribute" it stands for; nothing is imported before use.

    Packages add to it with an entry point in `group`; a name that groundcheck has itself is not replaced.
    """

    def __init__(self, kind: str, group: str, ours: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self.ours = ours

    def entries(self) -> dict[str, EntryPoint]:
        """Every name with its entry point, ours first."""
        found = {name: EntryPoint(name, value, self.group) for name, value in self.ours.items()}
        for entry in sorted(entry_points(group=self.group)):
            found.setdefault(entry.name, entry)
        return found

    def load(self, name: str) -> Any:
        """What `name` stands for.

        Raises `UnknownNameError`, with the nearest names, or with what the package that registered it raised.
        """
        if name in self.ours:  # without a look at every package that is installed
            return EntryPoint(name, self.ours[name], self.group).load()
        entries = self.entries()
        if name not in entries:
            near = difflib.get_close_matches(name, entries, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(entries)}"
            raise UnknownNameError(f"unknown {self.kind} {name!r}: {hint}")
        entry = entries[name]
        package = f", of the package {entry.dist.name}" if entry.dist else ""
        with importing(f"{self.kind} {name!r} ({entry.value}{package})", "The package has to be mended"):
            return entry.load()


TASKS = Catalogue(
    "task",
    "groundcheck.tasks",
    {
        "mapping": "groundcheck.datasets.mapping:Mapping",
        "sudoku": "groundcheck.datasets.sudoku:Sudoku",
        "latin": "groundcheck.datasets.latin:Latin",
        "futoshiki": "groundcheck.datasets.futoshiki:Futoshiki",
        "queens": "groundcheck.datasets.queens:Queens",
        "addition": "groundcheck.datasets.addition:Addition",
        "evenodd": "groundcheck.datasets.pair_sum:EvenOdd",
        "half": "groundcheck.datasets.pair_sum:Half",
        "parity": "groundcheck.datasets.parity:Parity",
        "logic": "groundcheck.datasets.logic:Logic",
        "visudo": "groundcheck.datasets.visudo:ViSudo",
    },
)

IMAGES = Catalogue(
    "image set",
    "groundcheck.images",
    {
        "digits": "groundcheck.datasets.images:digits",
        "mnist": "groundcheck.datasets.idx:mnist",
        "fashion": "groundcheck.datasets.idx:fashion",
    },
)
