"""How much of what a check may spend, as a user says it; nothing heavy is imported here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...datasets.errors import UsageError

MAX_SEEDS = 12


@dataclass(frozen=True)
class Budget:
    """At most how many seeds, and how each trial is trained.

    `epochs` None leaves every task its own. `settings` go to the task, solver or training that knows their
    name, and come after `epochs`. Without `train` only the checks run that need no training end to end.
    """

    seeds: int = MAX_SEEDS
    epochs: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    train: bool = True

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UsageError(
                f"seeds={self.seeds}: at least 1 is needed, and 2 failures or 6 successes decide"
            )
