"""Small trials for the tests of engines, and how their outcomes are compared."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.engine import Running
from groundcheck.grounding.engines.scorer import run_here
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial

PATIENCE = 400.0  # seconds until a test gives up on an engine; machines may be busy


def small_trial(
    solver: str = "exact",
    seed: int = 0,
    *,
    marks: Path | None = None,
    spec: SolverSpec | None = None,
    **changes: Any,
) -> Trial:
    options = {} if marks is None else {"marks": str(marks)}
    trial = Trial(
        task=Mapping(),
        solver=spec or SolverSpec(solver, options),
        role="grounding",
        seed=seed,
        training=Training(puzzles=32, epochs=1),
        validation_puzzles=20,
        test_puzzles=20,
    )
    return replace(trial, **changes)


def timeless(outcome: Outcome) -> Outcome:
    return replace(outcome, seconds=0.0)


def outcomes(running: Running, count: int) -> dict[int, Outcome]:
    """So many outcomes; each number once."""
    heard: list[tuple[int, Outcome]] = []
    until = time.monotonic() + PATIENCE
    while len(heard) < count and time.monotonic() < until:
        heard += running.hear(1.0)
    assert len({number for number, _ in heard}) == len(heard) == count
    return dict(heard)


def lives(marks: Path, count: int, running: Running | None = None) -> list[tuple[int, int, int]]:
    """The ids that the first so many lives of a solver left: its own, its server's, its worker's."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if running is not None:
            assert running.hear(0.1) == []
        found = sorted(marks.iterdir(), key=lambda path: path.stat().st_mtime_ns) if marks.is_dir() else []
        if len(found) >= count:
            break
        time.sleep(0.05)
    assert len(found) == count
    ids = [path.read_text().split() for path in found]
    return [(int(own), int(server), int(worker)) for own, server, worker in ids]


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def gone(process: int) -> bool:
    """Whether a process ends within the patience of a test."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


__all__ = ["gone", "lives", "outcomes", "parent_of", "run_here", "small_trial", "timeless"]
