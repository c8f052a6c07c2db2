"""An experiment as data: what was varied, every trial, and the verdict of each cell.

experiment.json  what was asked, resolved: axes, cells, published figures; written once, with a schema version
trials.jsonl     one JSON line per trial that ended, with the numbers of the cells that it belongs to
findings.jsonl   one JSON line per check, with the number of its cell
report.json      the report of every cell; written when the experiment ends, and anew when it is continued
"""

from dataclasses import dataclass, field
from typing import Any

from ...datasets.task import Setting
from ..trials.trial import Outcome
from .report import TaskReport
from .spent import Spent

SCHEMA = 1


@dataclass(frozen=True)
class Cell:
    """One solver with one choice of every setting on one task: what a verdict is about.

    Attributes:
        number: Of the cell in its experiment, from 0.
        varied: The value that this cell has on each axis of the experiment, by the name of the axis.
        solver: Name of the solver.
        options: Its options.
        task: What the task is called in this experiment.
        reference: What finds the task's class.
        version: Of the task's generator.
        settings: Of the task.
        images: Name of the image set.
        perception: Name of what reads the images.
        training: The budget of each trial, by name.
        seeds: At most how many.
        roles: What is trained on every seed.
    """

    number: int
    varied: dict[str, Setting]
    solver: str
    options: dict[str, Any]
    task: str
    reference: str
    version: int
    settings: dict[str, Setting]
    images: str
    perception: str
    training: dict[str, Any]
    seeds: int
    roles: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Published:
    """A figure that others published: it stands beside ours, and is never mixed into them.

    Attributes:
        where: The cells that it stands beside, as values on axes; every cell that has them all.
        figure: Name of the figure, as "task" or "raw".
        value: What was published, 0 to 1.
        source: Where: paper and table, and whether at second hand.
        note: What differs from what is run here.
    """

    where: dict[str, Setting]
    figure: str
    value: float
    source: str
    note: str = ""


@dataclass(frozen=True)
class TrialRow:
    """A trial that ended.

    Attributes:
        key: A digest of everything that decides its outcome.
        cells: The numbers of the cells that it belongs to: a ceiling belongs to every solver's.
        outcome: What came of it.
        cached: Whether it was taken from the cache of this machine, and not run.
    """

    key: str
    cells: list[int]
    outcome: Outcome
    cached: bool = False


@dataclass(frozen=True)
class ExperimentRecord:
    """What a folder of an experiment holds.

    Attributes:
        name: Of the experiment.
        axes: Names of what varies, in the order of the file, each with its values.
        cells: In the order of their numbers.
        trials: In the order in which they ended.
        reports: What each cell amounts to, by its number; of cells that have none yet, nothing.
        published: Figures of others.
        environment: Where it ran.
        started: ISO 8601, UTC.
        ended: Empty where it still runs, or was killed.
        interrupted: Whether it was ended before every cell was decided.
        out_of_time: Whether that was because the time it was given was over.
        spent: What its last part cost; None where that is not known.
        sources: Digests of what was read: image sets by name, files of boards by path.
    """

    name: str
    axes: dict[str, list[Setting]]
    cells: list[Cell]
    trials: list[TrialRow] = field(default_factory=list)
    reports: dict[int, TaskReport] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    interrupted: bool = False
    out_of_time: bool = False
    spent: Spent | None = None
    sources: dict[str, str] = field(default_factory=dict)
