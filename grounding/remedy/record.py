"""What a search for a remedy found, as data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...datasets.task import Setting
from ..remedies import Verdict
from ..trials.trial import Outcome


@dataclass(frozen=True)
class ChoiceSeed:
    """One seed that a configuration was chosen on.

    Attributes:
        seed: Its number.
        verdict: Of this seed, held against the ceiling of what was not changed; "" where it was given up.
        score: The least that task accuracy and grounding are of their bars, at most 1; where it was given
            up, the least of both on validation puzzles.
        task: Task accuracy on test puzzles.
        raw: Raw grounding.
        aligned: Aligned grounding.
        stopped: The epoch after which it was given up; None: it came to its end.
    """

    seed: int
    verdict: Verdict | str
    score: float
    task: float | None = None
    raw: float | None = None
    aligned: float | None = None
    stopped: int | None = None


@dataclass(frozen=True)
class Confirmation:
    """What seeds say that a configuration was not chosen on.

    Attributes:
        verdict: Of the suite's sequential test.
        grounded: How many seeds ground.
        failed: How many do not.
        seeds: How many ran: 0, 1, …
        reason: In a sentence.
        decided: Whether the test came to an end.
    """

    verdict: Verdict
    grounded: int
    failed: int
    seeds: int
    reason: str
    decided: bool


@dataclass(frozen=True)
class Tried:
    """A configuration that was tried.

    Attributes:
        changes: The settings that differ from what was asked for.
        seeds: Those it was chosen on, as far as it came.
        passed: Whether it grounds on all seeds of the choice.
        confirmation: What other seeds say, where it passed and the time sufficed.
    """

    changes: dict[str, Setting]
    seeds: list[ChoiceSeed]
    passed: bool
    confirmation: Confirmation | None = None

    @property
    def score(self) -> float:
        """Mean over its seeds."""
        return sum(seed.score for seed in self.seeds) / len(self.seeds)

    @property
    def stopped(self) -> bool:
        """Whether it was given up before its training ended."""
        return any(seed.stopped is not None for seed in self.seeds)

    @property
    def told(self) -> str:
        """Its changes, as `--set` takes them."""
        return " ".join(f"{name}={value}" for name, value in self.changes.items()) or "as it is"

    @property
    def grounded(self) -> bool:
        """Whether it is GROUNDED on seeds that it was not chosen on."""
        return self.confirmation is not None and self.confirmation.verdict == "GROUNDED"


@dataclass(frozen=True)
class AxisFigures:
    """How much an axis matters.

    Attributes:
        name: Of the setting.
        usual: What it had.
        values: What was tried.
        importance: Share of the variance of scores that fANOVA lays to it; None where nothing tells.
        alone: The best score of a change on this axis alone; None where none was tried.
        best: The value of that change.
    """

    name: str
    usual: Setting
    values: list[Setting]
    importance: float | None = None
    alone: float | None = None
    best: Setting = None


@dataclass(frozen=True)
class Remedy:
    """What a search came to.

    Attributes:
        solver: Name of the solver.
        task: What the task is called.
        images: Name of the image set.
        settings: Those that a user chose, which stayed.
        seed: Of the search.
        choice_seeds: What configurations were chosen on; they are confirmed on seeds 0, 1, …
        tried: In the order in which they were tried; the first is the solver as it is.
        axes: What may be changed, with how much it matters.
        out_of_time: Whether the time was over before the search was.
        interrupted: Whether Ctrl-C ended it.
        budget: Seconds that it was given; None: as many as it takes.
        seconds: That it took, in its last part.
    """

    solver: str
    task: str
    images: str
    settings: dict[str, Any]
    seed: int
    choice_seeds: list[int]
    tried: list[Tried] = field(default_factory=list)
    axes: list[AxisFigures] = field(default_factory=list)
    out_of_time: bool = False
    interrupted: bool = False
    budget: float | None = None
    seconds: float = 0.0

    @property
    def smallest(self) -> Tried | None:
        """The smallest change that is GROUNDED on seeds that it was not chosen on."""
        return min((each for each in self.tried if each.grounded), key=lambda t: len(t.changes), default=None)

    @property
    def ranked(self) -> list[Tried]:
        """Best first."""
        return rank(self.tried)

    @property
    def passed(self) -> int:
        """How many ground on all seeds of the choice."""
        return sum(each.passed for each in self.tried)

    @property
    def confirmed(self) -> int:
        """How many were put to the seeds that nothing was chosen on."""
        return sum(each.confirmation is not None for each in self.tried)


def rank(tried: Sequence[Tried]) -> list[Tried]:
    """Best first: confirmed, passed, by score, and the smaller of two that are alike."""
    return sorted(tried, key=lambda t: (-t.grounded, -t.passed, t.stopped, -t.score, len(t.changes)))


def broken(outcome: Outcome) -> str:
    """The last line of what broke; "" where nothing did."""
    return (outcome.error or "").strip().splitlines()[-1] if outcome.error else ""
