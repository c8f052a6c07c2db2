"""What a check is asked for: the command line, and below it what groundcheck.toml says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..gate.project import NAME, read_project
from ..suite.budget import MAX_SEEDS


@dataclass(frozen=True)
class Asked:
    """What a check is asked for.

    Attributes:
        solver: Name, or module:attribute.
        options: Of the solver.
        tasks: Their names; None for the usual ones.
        puzzles: A file of boards to be checked on as well.
        images: Name of the image set.
        classes: Of the image set, that stand for the symbols; empty: as the task has them.
        perception: What reads the images.
        seeds: At most so many.
        epochs: Of each trial; None leaves every task its own.
        settings: Of tasks, solver and training, by name.
        robust: Whether trained networks are asked beyond the test set as well.
        source: What groundcheck.toml decided, in words; "" where it decided nothing.
    """

    solver: str
    options: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] | None = None
    puzzles: Path | None = None
    images: str = "digits"
    classes: tuple[str, ...] = ()
    perception: str = "lenet"
    seeds: int = MAX_SEEDS
    epochs: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    robust: bool = False
    source: str = ""


def asked_for(
    solver: str,
    *,
    tasks: Sequence[str] | None,
    puzzles: Path | None,
    images: str | None,
    classes: Sequence[str],
    perception: str | None,
    seeds: int | None,
    epochs: int | None,
    settings: Mapping[str, Any],
    robust: bool = False,
) -> Asked:
    """What the command line says, and where it says nothing, the profile and the entry of groundcheck.toml.

    Raises:
        UsageError: For a groundcheck.toml that cannot be read, naming the line.
    """
    here = Path(NAME).exists()
    project = read_project()
    entry = project.entry(solver)
    profile = project.profile(entry.terms.profile).read_by(perception)
    named = tuple(tasks) if tasks else None
    boards = puzzles
    if named is None and puzzles is None:
        boards = profile.puzzles
        named = profile.names
    of = f"{NAME}: profile {entry.terms.profile}"
    if entry.solver != solver:
        of += f", {solver} is {entry.solver}"
    return Asked(
        solver=entry.solver,
        options=entry.options,
        tasks=named,
        puzzles=boards,
        images=images or profile.images,
        classes=tuple(classes) or (profile.classes if images in (None, profile.images) else ()),
        perception=profile.perception,
        seeds=profile.seeds if seeds is None else seeds,
        epochs=profile.epochs if epochs is None else epochs,
        settings={**profile.settings, **settings},
        robust=robust or profile.robust,
        source=of if here else "",
    )
