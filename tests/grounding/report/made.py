"""Outcomes made by hand, for what draws them: nothing is trained."""

from dataclasses import replace
from typing import Any

from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.report_samples import Board, Calibration
from groundcheck.grounding.results.report import Report, TaskReport
from groundcheck.grounding.trials.trial import Outcome, Point, Role
from groundcheck.grounding.verdict import Judgement

IMAGES = 400


def scores(task: float, aligned: float) -> Scores:
    """Of three symbols, of which the last is never read where `aligned` is low."""
    right = round(100 * aligned)
    confusion = [[right, 100 - right, 0], [100 - right, right, 0], [0, 100, 0]]
    return Scores(
        task=task, board=task, cell=task, unsolved=0.0, read=aligned, puzzles=300, raw=aligned,
        aligned=aligned, collapse=1 / 3, images=IMAGES, confusion=confusion, relabelling=[0, 1, 2],
        calibration=Calibration(
            [0, 0, 0, 0, 0, 3, 40, 0, 0, 100], [None] * 5 + [0.55, 0.65, None, None, 0.97],
            [None] * 5 + [1.0, 0.5, None, None, 0.9], 0.05,
        ),
        boards=[Board([-1, -1], [0, -1], [True, False], [0, 1], [0, 2])],
        intervals={"task": (task - 0.05, task + 0.05), "aligned": (aligned - 0.05, aligned + 0.05)},
    )  # fmt: skip


UNREAD = {"raw": None, "aligned": None, "collapse": None, "confusion": None, "calibration": None}


def outcome(
    role: Role, seed: int, task: float, aligned: float | None, *, epochs: int = 3, **more: Any
) -> Outcome:
    """A trial that learned steadily; without `aligned` it read no image."""
    curve = [
        Point(e, 3.0 - e if e else None, 0.0, task * e / epochs, aligned, aligned, 3, 0.1 * e)
        for e in range(epochs + 1)
    ]
    told = replace(scores(task, aligned or 0.0), **(UNREAD if aligned is None else {}), **more)
    return Outcome(role, "made", "made", seed, told, curve, seconds=30.0)


def task_report(outcomes: list[Outcome], **more: Any) -> TaskReport:
    """A task that nobody knows."""
    judged = Judgement("SHORTCUT", 0, 2, 2, (0.0, 0.66), "it looks well", "do this")
    return replace(TaskReport("made", 1, {}, {"epochs": 3}, judged, outcomes=outcomes), **more)


def report(*tasks: TaskReport, **more: Any) -> Report:
    """On images that are not at hand."""
    return replace(
        Report("made", {}, "learned", "of-nobody", "0" * 64, "cpu", {}, list(tasks)),
        **{"started": "2026-11-27T15:47:00+00:00", "ended": "2026-11-27T15:52:09+00:00", **more},
    )
