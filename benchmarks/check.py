"""How long `groundcheck check` takes, as a multiple of training its perception alone for the same steps.

    python benchmarks/check.py [SOLVER] [--repeats 3]

A trial's floor is the training of the same perception, with labels, for the same steps on the same batches.
Trial and floor run in turn in this process, one thread; medians and their ratio are printed. Then the whole
suite runs as the command line runs it, and its wall time is given in floors as well.
"""

import argparse
import os
import statistics
import time
from dataclasses import replace

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from groundcheck.datasets.catalogue import TASKS
from groundcheck.grounding import check
from groundcheck.grounding.suite.suite import DEFAULT_TASKS
from groundcheck.grounding.trials.budget import budget_for
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.trial import Trial


def seconds_in_turn(trial: Trial, floor: Trial, repeats: int) -> tuple[float, float]:
    """Median seconds of both, run A B A B after one uncounted round that compiles and caches."""
    taken = [(run_trial(trial).seconds, run_trial(floor).seconds) for _ in range(repeats + 1)]
    ours, floors = zip(*taken[1:], strict=True)
    return statistics.median(ours), statistics.median(floors)


def main() -> None:
    """Prints the table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("solver", nargs="?", default="satnet")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    spec = SolverSpec(arguments.solver)
    floors = 0.0
    print(f"{'task':10} {'trial s':>8} {'floor s':>8} {'ratio':>6}")
    for name in DEFAULT_TASKS:
        task = TASKS.load(name)()
        trial = Trial(task=task, solver=spec, role="grounding", seed=0, training=budget_for(task))
        ours, floor = seconds_in_turn(trial, replace(trial, role="ceiling"), arguments.repeats)
        floors += floor
        print(f"{name:10} {ours:8.1f} {floor:8.1f} {ours / floor:6.2f}")
    started = time.perf_counter()
    report = check(arguments.solver)
    wall = time.perf_counter() - started
    trials = sum(len(task.outcomes) for task in report.tasks)
    verdicts = ", ".join(f"{task.task} {task.judgement.verdict}" for task in report.tasks)
    print(f"check {arguments.solver}: {wall:.0f} s wall for {trials} trials ({verdicts})")
    print(f"in floors (one perception per task): {wall / floors:.1f}")


if __name__ == "__main__":
    main()
