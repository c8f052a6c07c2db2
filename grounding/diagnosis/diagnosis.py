"""A diagnosis as data: what is printed, drawn and written as JSON."""

from dataclasses import dataclass, field

from .cause import Explanation


@dataclass(frozen=True)
class SeedFigures:
    """What a seed came to.

    Attributes:
        seed: Which.
        task: Puzzles answered right.
        raw: Images read right.
        aligned: Images read right after relabelling.
        ceiling: What the same perception reads when it is trained with labels.
        failing: Whether there is anything to explain.
    """

    seed: int
    task: float
    raw: float
    aligned: float
    ceiling: float
    failing: bool


@dataclass(frozen=True)
class Diagnosis:
    """Why a solver does not ground on a task.

    Attributes:
        solver: What it was called by.
        task: What the task is called.
        verdict: On the task, from the same trials.
        reason: Why, in a sentence.
        explanations: The causes that are named, most likely first; consequences behind their causes.
        seeds: The figures of each seed.
        looked_for: Names of all causes that were looked for.
        plateau: Whether the loss had stopped falling on most failing seeds; None where no seed failed, or a
            curve is too short to tell.
        ran: How many trials were run for it.
    """

    solver: str
    task: str
    verdict: str
    reason: str
    explanations: list[Explanation]
    seeds: list[SeedFigures] = field(default_factory=list)
    looked_for: list[str] = field(default_factory=list)
    plateau: bool | None = None
    ran: int = 0

    @property
    def summary(self) -> str:
        """In a line."""
        failing = sum(seed.failing for seed in self.seeds)
        if not self.seeds:
            return "no seed was scored: there is nothing to explain a failure by"
        if not failing:
            return "nothing failed: there is nothing to explain"
        if not self.explanations:
            return f"{failing} of {len(self.seeds)} seeds fail, and no cause of the list explains it"
        return f"{failing} of {len(self.seeds)} seeds fail; most likely: {self.explanations[0].title}"
