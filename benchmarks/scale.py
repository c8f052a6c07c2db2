"""What an engine adds to a trial: thousands of trials of milliseconds, in steps, so that growth shows.

    python benchmarks/scale.py here --trials 1000 2000 4000
    python benchmarks/scale.py processes --workers 1 2 --trials 50 100 200
    python benchmarks/scale.py ray --workers 2 --trials 50 100
    python benchmarks/scale.py slurm --executor local --workers 2 --trials 50 100

A trial is real and as small as one can be: `mlp` on the true symbols of 8 mapping puzzles, one epoch, 8
puzzles scored; "here" runs it in this process, which is what it costs by itself. Of each step the table tells
processor time of the driver and (for processes of this machine) of all that trained and scored, wall time,
the driver's memory after it, and what a trial takes in a folder of results. The first trials are left out:
they start processes.
"""

import argparse
import gc
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.engine import Engine, Running
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.engines.ray import Ray
from groundcheck.grounding.engines.slurm import Slurm
from groundcheck.grounding.results.experiment import TrialRow
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial


def trial_of(seed: int) -> Trial:
    """The smallest trial that there is."""
    return Trial(
        task=Mapping(),
        solver=SolverSpec("mlp"),
        role="reasoning",
        seed=seed,
        training=Training(puzzles=8, epochs=1, batch=8),
        validation_puzzles=8,
        test_puzzles=8,
    )


def run(running: Running, count: int, first: int) -> list[int]:
    """Runs trials and forgets their outcomes; tells how many bytes each takes in a folder of results."""
    for number in range(first, first + count):
        running.submit(number, trial_of(number))
    sizes: list[int] = []
    while len(sizes) < count:
        sizes += [size_of(outcome) for _, outcome in running.hear(10.0)]
    return sizes


def size_of(outcome: Outcome) -> int:
    """Bytes of the line that an experiment's folder keeps of a trial."""
    assert outcome.error is None, outcome.error
    return len(msgspec.json.encode(TrialRow("0" * 64, [0], outcome))) + 1


def memory() -> float:
    """MiB that this process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def engine_of(name: str, workers: int, asked: argparse.Namespace) -> Engine:
    """The engine, with so many slots."""
    if name == "ray":
        return Ray(asked.address, slots=workers)
    if name == "slurm":
        return Slurm(slots=workers, folder=asked.folder, executor=asked.executor)
    return Processes(0 if name == "here" else workers, isolate=False)


def main() -> int:
    """Every engine and number of workers that was asked for, a line per step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", choices=["here", "processes", "ray", "slurm"])
    parser.add_argument("--trials", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--address")
    parser.add_argument("--executor", default="slurm")
    parser.add_argument("--folder", type=Path, default=Path("groundcheck-slurm"))
    asked = parser.parse_args()
    print("engine     workers  trials  driver ms  trained ms  wall ms  driver MiB  bytes")
    for workers in asked.workers:
        with ExitStack() as stack:
            running = stack.enter_context(engine_of(asked.engine, workers, asked).open())
            run(running, 2 * workers, 1_000_000)
            for step, count in enumerate(asked.trials):
                wall, driver = time.perf_counter(), time.process_time()
                trained: float | None = getattr(running, "processor_seconds", None)
                sizes = run(running, count, 100_000 * step)
                wall, driver = time.perf_counter() - wall, time.process_time() - driver
                apart = (
                    "" if trained is None else f"{1e3 * (running.processor_seconds - trained) / count:.1f}"
                )  # pyright: ignore
                print(
                    f"{asked.engine:10} {workers:7} {count:7} {1e3 * driver / count:10.2f} {apart:>11} "
                    f"{1e3 * wall / count:8.1f} {memory():11.1f} {sum(sizes) / count:6.0f}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
