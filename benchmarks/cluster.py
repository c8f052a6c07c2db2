"""Runs trials on a cluster, and again on this machine: every outcome has to be the same, bit by bit.

    python benchmarks/cluster.py ray [--address HOST:PORT] [--trials 8]
    bash benchmarks/slurm_loopback.sh --kill-after 20 python benchmarks/cluster.py slurm
    python benchmarks/cluster.py ray --nodes 3 --lose 20   # nodes on this machine, one of which is lost
    python benchmarks/cluster.py ray --kill-driver 3       # killed after 3 outcomes, and continued

It exits 1 where an outcome differs.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.engine import Engine
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.engines.ray import Ray, imported_ray
from groundcheck.grounding.engines.slurm import Slurm
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial

STORE = 80 * 2**20  # bytes: the least that Ray takes


def trials_of(count: int, epochs: int) -> list[Trial]:
    """Trials of two solvers in turn, each on a seed of its own."""
    return [
        Trial(
            task=Mapping(),
            solver=SolverSpec(("satnet", "exact")[seed % 2]),
            role="grounding",
            seed=seed,
            training=Training(puzzles=256, epochs=epochs),
        )
        for seed in range(count)
    ]


def run(engine: Engine, trials: Sequence[Trial], record: Path | None = None) -> list[Outcome]:
    """The outcomes of trials, in their order; those that a record has are not run again."""
    began, found = time.monotonic(), read(record)
    if known := len(found):
        print(f"{known} outcomes stand in the record", flush=True)
    with engine.open() as running:
        for number, trial in enumerate(trials):
            if number not in found:
                running.submit(number, trial)
        while len(found) < len(trials):
            for number, outcome in running.hear(5.0):
                assert number not in found, "an outcome was told twice"
                found[number] = outcome
                if record is not None:
                    with record.open("ab") as file:
                        file.write(msgspec.json.encode((number, outcome)) + b"\n")
                    told = outcome.error or (outcome.scores and f"task {outcome.scores.task:.3f}")
                    print(f"{time.monotonic() - began:6.1f} s  {trials[number].label}: {told}", flush=True)
        lost = {number: count for number, count in getattr(running, "losses", {}).items() if count}
    if record is not None:
        print(f"lost with their worker, and run again: {lost or 'none'} (trial: times)")
    return [found[number] for number in range(len(trials))]


def read(record: Path | None) -> dict[int, Outcome]:
    """The outcomes of a record, but for a line that was not written to its end."""
    found: dict[int, Outcome] = {}
    if record is not None and record.exists():
        for line in record.read_bytes().split(b"\n")[:-1]:
            number, outcome = msgspec.json.decode(line, type=tuple[int, Outcome])
            found[number] = outcome
    return found


def kill_a_driver(after: int, record: Path) -> None:
    """Begins the same in another process, which is killed when its record has so many outcomes."""
    own = [word for word in sys.argv if not word.startswith("--kill-driver")]
    own.remove(str(after))
    driver = subprocess.Popen([sys.executable, *own, "--record", str(record)])
    while len(read(record)) < after and driver.poll() is None:
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    print(f"--- the driver was killed: exit status {driver.returncode}", flush=True)


def local_cluster(nodes: int, lose: float | None) -> Any:
    """A Ray cluster of several nodes on this machine, one of which is lost after so many seconds."""
    imported_ray()
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    added = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(nodes)]

    def take_away() -> None:
        print(f"--- node 1 of {nodes} is lost", flush=True)
        cluster.remove_node(added[0], allow_graceful=False)

    if lose is not None:
        timer = threading.Timer(lose, take_away)
        timer.daemon = True
        timer.start()
    return cluster


def main() -> int:
    """Both runs, and what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", choices=["ray", "slurm"])
    parser.add_argument("--address")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--nodes", type=int, help="of a Ray cluster that is started here")
    parser.add_argument("--lose", type=float, metavar="SECONDS", help="lose one of them after so many")
    parser.add_argument("--kill-driver", type=int, metavar="OUTCOMES", help="… and continue with the rest")
    parser.add_argument("--record", type=Path, help="a file that keeps outcomes, and is continued")
    parser.add_argument("--slots", type=int, default=2, help="jobs of Slurm's at once")
    parser.add_argument("--executor", default="slurm", help="slurm, or local")
    parser.add_argument("--folder", type=Path, default=Path("groundcheck-slurm"))
    asked = parser.parse_args()
    trials = trials_of(asked.trials, asked.epochs)
    with ExitStack() as stack:
        if asked.engine == "ray":
            address = asked.address
            if asked.nodes:
                cluster = local_cluster(asked.nodes, asked.lose)
                stack.callback(cluster.shutdown)
                address = cluster.address
            engine: Engine = Ray(address)
        else:
            engine = Slurm(
                slots=asked.slots,
                folder=asked.folder,
                minutes=30,
                executor=asked.executor,
                beat=2,
                patience=30,
            )
        record = asked.record or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "record.jsonl"
        if asked.kill_driver:
            kill_a_driver(asked.kill_driver, record)
        there = run(engine, trials, record)
    here = run(Processes(2), trials)
    same = sum(replace(a, seconds=0.0) == replace(b, seconds=0.0) for a, b in zip(there, here, strict=True))
    print(f"{same} of {len(trials)} outcomes on {asked.engine} equal those of processes bit by bit")
    return 0 if same == len(trials) else 1


if __name__ == "__main__":
    sys.exit(main())
