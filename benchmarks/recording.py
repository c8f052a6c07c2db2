"""What recording the interface costs: its processor time as a share of a whole trial's.

    python benchmarks/recording.py [SOLVER TASK [EPOCHS]]

Every function that records is timed where it is called, in the trials that it runs in; beside it stands what
the clock itself costs, which is part of what is shown.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from groundcheck.datasets.own_task import find_task
from groundcheck.grounding import SolverSpec, Trial, run_trial
from groundcheck.grounding.trials import recording, scoring
from groundcheck.grounding.trials.budget import budget_for

spent = {"recording": 0.0}


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its processor time added up."""

    def call(*arguments: Any, **options: Any) -> Any:
        began = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            spent["recording"] += time.process_time() - began

    return call


def main() -> None:
    """Times one trial of each solver and task."""
    asked = sys.argv[1:]
    cases = (
        [(asked[0], asked[1])] if asked else [("mlp", "mapping"), ("satnet", "mapping"), ("mlp", "sudoku")]
    )
    recorder = recording.Recorder
    for name in (
        "begin", "listen_at_logits", "hear_norm", "listen", "hear", "before_step", "after_step",
    ):  # fmt: skip
        setattr(recorder, name, timed(getattr(recorder, name)))
    recorder.recorded = property(timed(recorder.recorded.fget))
    scoring.record_interface = timed(scoring.record_interface)
    scoring.saturated = timed(scoring.saturated)
    for solver, task in cases:
        chosen = find_task(task)
        training = budget_for(chosen, int(asked[2]) if asked[2:] else 3)
        trial = Trial(task=chosen, solver=SolverSpec.of(solver), role="grounding", seed=0, training=training)
        run_trial(replace(trial, training=replace(training, epochs=1)))  # imports and kernels aside
        spent["recording"], began = 0.0, time.process_time()
        outcome = run_trial(trial)
        whole = time.process_time() - began
        assert outcome.error is None, outcome.error
        print(
            f"{task} {solver}: {spent['recording']:.3f} s of {whole:.2f} s, {spent['recording'] / whole:.2%}"
        )


if __name__ == "__main__":
    main()
