"""What one check found."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["pass", "fail", "inconclusive", "skip", "error"]


@dataclass(frozen=True)
class Finding:
    """The result of one check: a status, the figure it rests on, and what to make of it.

    `interval` is a 95 % interval of the figure where one is meaningful; `bound` is what the figure was held
    against. `reason` says what was seen, `remedy` what to do about it, one sentence each.
    """

    check: str  # family/name
    status: Status
    reason: str
    remedy: str = ""
    figure: float | None = None
    bound: float | None = None
    interval: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For a JSON record."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Finding":
        """From a JSON record."""
        interval = record.get("interval")
        parts: dict[str, Any] = {**record, "interval": None if interval is None else tuple(interval)}
        return cls(**parts)
