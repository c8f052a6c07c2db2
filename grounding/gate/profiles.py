"""How much is checked: profiles that a command, a gate or a test names. Nothing heavy is imported here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...datasets.catalogue import TASKS
from ..suite.budget import Budget


@dataclass(frozen=True)
class Profile:
    """Which tasks, with which images, read by what, over at most how many seeds.

    `tasks` None: every task there is, or none but the boards of `puzzles` where that names a file.
    """

    tasks: tuple[str, ...] | None
    images: str = "digits"
    seeds: int = 12
    epochs: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    perception: str = "lenet"
    classes: tuple[str, ...] = ()
    puzzles: Path | None = None
    robust: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its tasks."""
        if self.tasks is None:
            return () if self.puzzles is not None else tuple(TASKS.ours)
        return self.tasks

    def read_by(self, perception: str | None) -> "Profile":
        """The same, read by another perception, without the options of its own; None: as it is."""
        if perception in (None, self.perception):
            return self
        kept = {name: value for name, value in self.settings.items() if not name.startswith("perception.")}
        return replace(self, perception=perception, settings=kept)

    def asking_beyond(self) -> "Profile":
        """The same, with trained networks asked beyond the test set."""
        return replace(self, robust=True)

    @property
    def budget(self) -> Budget:
        """What `check` may spend on it."""
        return Budget(self.seeds, self.epochs, self.settings, robust=self.robust)


PROFILES = {
    "quick": Profile(("mapping",)),  # the easiest instance of grounding: what fails here fails everywhere
    "standard": Profile(("mapping", "sudoku")),
    "full": Profile(None, images="mnist"),
}
