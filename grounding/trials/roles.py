"""The roles of a trial: what trains, on what, and what it is compared for."""

from dataclasses import dataclass
from typing import Literal

from .trial import Outcome, Role


@dataclass(frozen=True)
class RoleTraits:
    """A part of the comparison: see `Trial.role`."""

    name: Role
    title: str  # on the page, beside the solver's own row
    heading: str  # in a terminal
    trains_on: Literal["answers", "labels"]  # of puzzles; or of the images themselves
    sees: Literal["images", "symbols"]
    answers: Literal["solver", "baseline", "rules"]  # what completes puzzles from what was read
    beside: bool = True  # a row beside the solver's own
    asked: str = ""  # its title where a model was asked and nothing was trained


ROLES: tuple[RoleTraits, ...] = (
    RoleTraits("grounding", "trained end to end", "grounding", "answers", "images", "solver", beside=False),
    RoleTraits("baseline", "without logic", "without logic", "answers", "images", "baseline"),
    RoleTraits(
        "ceiling", "ceiling: same perception, with labels", "ceiling", "labels", "images", "rules",
        asked="ceiling: the exact rules on its own reading",
    ),
    RoleTraits(
        "reasoning", "same solver on true symbols", "on true symbols", "answers", "symbols", "solver",
        asked="same model on the true symbols as text",
    ),
)  # fmt: skip
ROLE_NAMES: tuple[Role, ...] = tuple(role.name for role in ROLES)
BY_NAME = {role.name: role for role in ROLES}


def subject_of(seen: object) -> Role:
    """The role that a verdict is about: the solver end to end, or, where a task is seen so, on symbols."""
    return "reasoning" if seen == "symbols" else "grounding"


def trained_solver(outcome: Outcome) -> str | None:
    """The solver that a trial trained; None for the ceiling, which trains perception alone."""
    return None if BY_NAME[outcome.role].answers == "rules" else outcome.solver


def label_of(outcome: Outcome) -> str:
    """How progress and reports call a trial."""
    solver = trained_solver(outcome)
    return f"{outcome.role}/{outcome.task}{f' {solver}' if solver else ''} seed {outcome.seed}"
