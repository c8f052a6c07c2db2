"""What one check found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["pass", "fail", "inconclusive", "skip", "error"]


def join_id(check: str, task: str) -> str:
    """What a check on a task is called wherever one word is needed: `contract/shape/sudoku`."""
    return f"{check}/{task}" if task else check


@dataclass(frozen=True)
class Finding:
    """The result of one check: a status, the figure it rests on, and what to make of it.

    `interval` is a 95 % interval of the figure where one is meaningful; `bound` is what the figure was held
    against. `reason` says what was seen, `remedy` what to do about it, one sentence each.
    """

    check: str  # family/name, or the name alone where a family has one check
    status: Status
    reason: str
    remedy: str = ""
    figure: float | None = None
    bound: float | None = None
    interval: tuple[float, float] | None = None
    task: str = ""  # on which it ran, with what tells it from others of its name: sudoku[size=9]
    traceback: str = ""  # of a check that broke, or of what the solver raised

    @property
    def id(self) -> str:
        """The check and the task in one word."""
        return join_id(self.check, self.task)

    @property
    def family(self) -> str:
        """The first part of the check's name: contract, leak, bypass."""
        return self.check.partition("/")[0]

    def as_dict(self) -> dict[str, Any]:
        """For a JSON record."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], task: str = "") -> "Finding":
        """From a JSON record. One of schema 1 holds check and task as one word, and `task` takes it apart."""
        interval = record.get("interval")
        parts: dict[str, Any] = {**record, "interval": None if interval is None else tuple(interval)}
        if "task" not in parts:
            parts |= {"check": parts["check"].removesuffix(f"/{task}"), "task": task}
        return cls(**parts)
