"""What is measured of a trained network beyond its test set; it never changes how it is trained."""

from dataclasses import dataclass
from typing import Any

from ...datasets.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What scoring asks of a trained network beyond the test set. Nothing of it reaches training.

    Args:
        robust: Whether it is asked on the ood split, on corrupted givens, and how sure it is.
        wrong: How many givens of each board show a wrong symbol where correction is scored; 0: it is not.

    Raises:
        UsageError: For a number of wrong givens that cannot be meant.
    """

    robust: bool = False
    wrong: int = 0

    def __post_init__(self) -> None:
        if self.wrong < 0:
            raise UsageError(
                f"wrong={self.wrong!r}: it says how many givens of a board show a wrong symbol, 0 or more"
            )

    @property
    def asks(self) -> bool:
        """Whether anything is asked at all."""
        return self.robust or self.wrong > 0

    @property
    def record(self) -> dict[str, Any]:
        """For the key of a trial and the record of a run: nothing where nothing is asked."""
        return {"robust": self.robust, "wrong": self.wrong} if self.asks else {}
