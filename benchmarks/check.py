"""How long `groundcheck check` takes, as a multiple of training its perception alone for the same steps.

    python benchmarks/check.py [SOLVER] [--repeats 3]

A trial's floor is the training of the same perception, with labels, for the same steps on the same batches.
Trial and floor run in turn in this process, one thread; medians and their ratio are printed. Then the whole
suite runs as the command line runs it, and its wall time is given in floors as well.

With --apart (Linux), instead: what scoring in a process of its own costs, in processor seconds of all
processes together, which other work on the machine changes little. Both ways alternate.
"""

import argparse
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from groundcheck.datasets.catalogue import TASKS
from groundcheck.grounding import check
from groundcheck.grounding.engines.scorer import run_here
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


def processor_seconds() -> float:
    """Of this process and of all that it started, living ones among them."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        ticks[pid] = sum(map(int, fields[11:15]))  # its own and its ended children's, user and system
    ours = {os.getpid()}
    while further := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= further
    return sum(ticks[pid] for pid in ours) / os.sysconf("SC_CLK_TCK")


def print_cost_of_scoring_apart(spec: SolverSpec, repeats: int) -> None:
    """Medians of both ways, and what the one costs beyond the other."""
    print(f"{'task':10} {'apart':>8} {'in one':>8} {'cost':>7}  processor seconds, medians")
    for name in DEFAULT_TASKS:
        task = TASKS.load(name)()
        trial = Trial(task=task, solver=spec, role="grounding", seed=0, training=budget_for(task))
        brief = replace(trial, training=replace(trial.training, puzzles=64, epochs=1))
        taken: dict[str, list[float]] = {"apart": [], "in one": []}
        ways = {"apart": run_here, "in one": run_trial}
        for run in ways.values():  # uncounted: compiles, starts, imports
            run(brief)
        for _ in range(repeats):
            for way, run in ways.items():
                before = processor_seconds()
                run(trial)
                taken[way].append(processor_seconds() - before)
        apart, alone = (statistics.median(seconds) for seconds in taken.values())
        print(f"{name:10} {apart:8.2f} {alone:8.2f} {apart / alone - 1:+7.1%}  {taken}", flush=True)


def main() -> None:
    """Prints the table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("solver", nargs="?", default="satnet")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--apart", action="store_true", help="only the cost of scoring in its own process")
    arguments = parser.parse_args()
    spec = SolverSpec(arguments.solver)
    if arguments.apart:
        print_cost_of_scoring_apart(spec, arguments.repeats)
        return
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
