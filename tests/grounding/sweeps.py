"""Small experiments from trials that really ran, written as their folders."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from groundcheck.grounding.results.experiment import (
    SCHEMA,
    Cell,
    ExperimentRecord,
    Published,
    TrialRow,
)
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.results.report import Report, TaskReport
from groundcheck.grounding.trials.trial import Outcome

RATES = (0.001, 0.01)


def moved(outcome: Outcome, by: float) -> Outcome:
    """The same trial with other accuracies, its learning curve untouched."""
    scores = outcome.scores
    if scores is None or scores.aligned is None:
        return outcome
    shifted = replace(scores, task=min(1, scores.task + by), aligned=min(1, scores.aligned + by))
    return replace(outcome, scores=shifted)


def sweep(report: Report, *, solvers: tuple[str, ...] = ("mlp", "rival"), **more: Any) -> ExperimentRecord:
    """Solvers by learning rates on the task of a report: the trials are its own, moved a little per cell."""
    [task] = report.tasks
    cells: list[Cell] = []
    trials: list[TrialRow] = []
    reports: dict[int, TaskReport] = {}
    choices = [(solver, rate) for solver in solvers for rate in RATES]
    for number, (solver, rate) in enumerate(choices):
        cell = Cell(
            number=number,
            varied={"solver": solver, "task": task.task, "lr": rate},
            solver=solver,
            options={"width": 8},
            task=task.task,
            reference=task.reference,
            version=task.version,
            settings=task.settings,
            images=report.images,
            perception="lenet",
            training={**task.training, "lr": rate},
            seeds=2,
            roles=["grounding", "baseline", "ceiling", "reasoning"],
        )
        cells.append(cell)
        outcomes = [replace(moved(o, 0.1 * number), solver=solver) for o in task.outcomes]
        trials += [
            TrialRow(f"{o.role}-{o.seed}-{number}", [number], o) for o in outcomes if o.role != "ceiling"
        ]
        reports[number] = replace(task, outcomes=[], training=cell.training)
    every = list(range(len(cells)))
    trials += [
        TrialRow(f"ceiling-{o.seed}", every, o, cached=True) for o in task.outcomes if o.role == "ceiling"
    ]
    record = ExperimentRecord(
        "sweep", {"solver": list(solvers), "task": [task.task], "lr": list(RATES)}, cells, trials, reports,
        [Published({"solver": "mlp"}, "task", 0.987, "Somebody 2019, Table 2", "on 9,000 puzzles")],
        {"cores": 2}, "2026-11-27T15:47:00+00:00", "2026-11-27T16:47:00+00:00",
    )  # fmt: skip
    return replace(record, **more)


def write_sweep(folder: Path, record: ExperimentRecord) -> Path:
    """The folder of an experiment; without report.json where it has not ended."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("name", "axes", "cells", "published", "environment", "started")
    asked = {"schema": SCHEMA, **{name: getattr(record, name) for name in names}}
    (folder / "experiment.json").write_text(json.dumps(plain(asked)))
    lines = [json.dumps(plain(row)) + "\n" for row in record.trials]
    (folder / "trials.jsonl").write_text("".join(lines))
    if record.ended:
        told = {"reports": record.reports, "ended": record.ended, "interrupted": record.interrupted}
        (folder / "report.json").write_text(json.dumps(plain({"schema": SCHEMA, **told})))
    return folder
