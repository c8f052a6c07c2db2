"""What one check found."""

from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["pass", "fail", "inconclusive", "skip", "error"]


def join_id(check: str, task: str) -> str:
    """What a check on a task is called wherever one word is needed: `contract/shape/sudoku`."""
    return f"{check}/{task}" if task else check


@dataclass(frozen=True)
class Finding:
    """The result of one check: a status, the figure it rests on, and what to make of it.

    Attributes:
        check: family/name, or the name alone where a family has one check.
        status: "pass", "fail", "inconclusive", "skip" or "error".
        reason: What was seen, in a sentence.
        remedy: What to do about it, in a sentence.
        figure: What was measured.
        bound: What the figure was held against.
        interval: A 95 % interval of the figure, where one is meaningful.
        task: On which the check ran, with what tells it from others of its name: sudoku[size=9].
        traceback: Of a check that broke, or of what the solver raised.
    """

    check: str
    status: Status
    reason: str
    remedy: str = ""
    figure: float | None = None
    bound: float | None = None
    interval: tuple[float, float] | None = None
    task: str = ""
    traceback: str = ""

    @property
    def id(self) -> str:
        """The check and the task in one word."""
        return join_id(self.check, self.task)

    @property
    def family(self) -> str:
        """The first part of the check's name: contract, leak, bypass."""
        return self.check.partition("/")[0]

    def taken_apart(self, task: str) -> "Finding":
        """The finding with check and task apart, which were one word in schema 1.

        Args:
            task: The task that the record is of.
        """
        return replace(self, check=self.check.removesuffix(f"/{task}"), task=task)
