"""How much of what a check may spend, as a user says it; nothing heavy is imported here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...datasets.errors import UsageError

MAX_SEEDS = 12


@dataclass(frozen=True)
class Budget:
    """How much a check may spend.

    Args:
        seeds: At most so many, 1 or more; 2 failures or 6 successes decide.
        epochs: Of each trial; None leaves every task its own.
        settings: By name, for the task, solver or training that knows the name; they come after `epochs`.
        train: Whether solvers are trained end to end; without, only the checks run that need no such
            training.
        robust: Whether trained networks are asked beyond the test set as well: out of distribution, on
            corrupted boards, and how sure they are. It changes no training, and no figure of the test set.

    Raises:
        UsageError: For `seeds` below 1.
    """

    seeds: int = MAX_SEEDS
    epochs: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    train: bool = True
    robust: bool = False

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UsageError(
                f"seeds={self.seeds}: at least 1 is needed, and 2 failures or 6 successes decide"
            )
