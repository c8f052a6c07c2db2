"""Trials on a real Ray cluster of several nodes, all of them on this machine."""

import importlib
import os
import shutil
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.logic import Logic
from groundcheck.grounding.engines import ray as ray_engine
from groundcheck.grounding.engines.engine import Running
from groundcheck.grounding.engines.ray import Ray
from groundcheck.grounding.trials.spec import SolverSpec

from .trials import PATIENCE, gone, lives, outcomes, parent_of, run_here, small_trial, timeless

pytest.importorskip("ray", reason="the extra ray is not installed")
FORMULA = "p cnf 20 20\n" + "".join(f"{v} -{v % 20 + 1} {(v * 7 + 3) % 20 + 1} 0\n" for v in range(1, 21))
STORE = 80 * 2**20  # bytes: the least that Ray takes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of a user, with a solver."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(Path(__file__).with_name("unreliable.py"), folder / "mine.py")
    return folder


@pytest.fixture(scope="module")
def cluster():
    ray_engine.imported_ray()
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - starts to warn when imported

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONWARNINGS", "ignore")  # of Ray's own processes
        head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def nodes_of(cluster):
    return [cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=STORE) for _ in range(2)]


@pytest.fixture(scope="module")
def running(cluster, nodes_of, home: Path):
    with Ray(cluster.address, working_dir=home, cpus=1).open() as running:
        yield running


def test_outcomes_are_those_of_this_machine(running: Running, tmp_path: Path) -> None:
    """Bit by bit, of trials that read images and a formula that lie nowhere but here."""
    digits = load_digits()
    np.savez(tmp_path / "own.npz", images=np.kron(digits.images / 16, np.ones((2, 2))), labels=digits.target)
    (tmp_path / "own.cnf").write_text(FORMULA)
    trials = [
        small_trial(images=ImageSource(f"arrays:{tmp_path}/own.npz?scale=1"), log=tmp_path / "log"),
        small_trial("mlp", role="reasoning", task=Logic(file=str(tmp_path / "own.cnf"))),
        small_trial("satnet", seed=1, trace=tmp_path / "trace.jsonl"),
    ]
    for number, trial in enumerate(trials):
        running.submit(number, trial)
    there = outcomes(running, len(trials))
    assert len((tmp_path / "trace.jsonl").read_text().splitlines()) == 2  # before training, and an epoch
    here = [run_here(replace(trial, log=None, trace=None)) for trial in trials]
    assert all(outcome.error is None for outcome in here)
    assert [timeless(there[number]) for number in range(len(trials))] == [timeless(o) for o in here]


def test_a_solver_that_dies_is_a_result(running: Running, home: Path, tmp_path: Path) -> None:
    trial = small_trial(f"{home}/mine.py:kills_itself", marks=tmp_path / "marks", log=tmp_path / "log")
    running.submit(10, trial)
    outcome = outcomes(running, 1)[10]
    assert "died of SIGKILL" in str(outcome.error)
    assert outcome.solver == trial.solver.name
    assert len(lives(tmp_path / "marks", 1)) == 1
    assert (tmp_path / "log").read_text() == "farewell\n"


def test_a_worker_that_is_killed_is_replaced(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial runs again and counts once; where that happened too often, it is an outcome."""
    trial = small_trial("mine:first_waits", marks=tmp_path / "marks")
    running.submit(20, trial)
    [(first, _, worker)] = lives(tmp_path / "marks", 1, running)
    os.kill(worker, signal.SIGKILL)
    outcome = outcomes(running, 1)[20]
    assert outcome.error is None
    assert len(lives(tmp_path / "marks", 2)) == 2
    assert gone(first)
    monkeypatch.setattr(ray_engine, "MAX_LOSSES", 0)
    running.submit(21, small_trial("mine:always_waits", marks=tmp_path / "others"))
    [(_, _, worker)] = lives(tmp_path / "others", 1, running)
    os.kill(worker, signal.SIGKILL)
    assert "was lost 1 times, the last time so: WorkerCrashedError" in str(outcomes(running, 1)[21].error)
    assert running.hear(0.5) == []


def test_what_nobody_wants_ends(running: Running, tmp_path: Path) -> None:
    trials = [small_trial("mine:always_waits", marks=tmp_path / str(number)) for number in range(3)]
    for number, trial in enumerate(trials):
        running.submit(30 + number, trial)
    [(first, _, _)] = lives(tmp_path / "0", 1, running)
    [(second, _, _)] = lives(tmp_path / "1", 1, running)
    running.drop([30, 31, 32, 99])
    assert gone(first)
    assert gone(second)
    assert running.hear(1.0) == []
    assert not (tmp_path / "2").exists()


def test_a_module_that_the_nodes_lack_is_named(running: Running, tmp_path: Path, monkeypatch) -> None:
    """By name, and where a class was handed over."""
    (tmp_path / "only_here.py").write_text("class Mine:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    only_here = importlib.import_module("only_here")

    running.submit(40, small_trial("only_here:Mine"))
    running.submit(41, small_trial(spec=SolverSpec.of(only_here.Mine)))
    heard = outcomes(running, 2)
    for outcome in heard.values():
        for part in (socket.gethostname(), "only_here", "carry=PATH", "cannot import"):
            assert part in str(outcome.error)


def test_a_node_that_is_lost_is_replaced(
    running: Running, cluster, nodes_of, home: Path, tmp_path: Path
) -> None:
    """Without grace: its raylet is killed while the solver is being built."""
    trial = small_trial("mine:first_waits", marks=tmp_path / "marks")
    running.submit(50, trial)
    [(first, _, worker)] = lives(tmp_path / "marks", 1, running)
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes_of]
    cluster.remove_node(nodes_of[raylets.index(parent_of(worker))], allow_graceful=False)
    outcome = outcomes(running, 1)[50]
    assert outcome.error is None
    assert gone(first)
    assert len(lives(tmp_path / "marks", 2)) == 2
    until = time.monotonic() + PATIENCE
    while running.slots > 1 and time.monotonic() < until:
        time.sleep(0.1)
    assert running.slots == 1
    spec = SolverSpec(f"{home}/mine.py:first_waits", trial.solver.options)  # whose marks stand there
    here = run_here(small_trial(spec=spec))
    assert timeless(replace(here, solver=outcome.solver)) == timeless(outcome)


def test_a_share_of_a_gpu_gives_room_to_several() -> None:
    assert Ray(gpus=0.25).room({"CPU": 16, "GPU": 2}) == 8
    assert Ray(cpus=0.5).room({"CPU": 3}) == 6
    assert Ray(gpus=1, cpus=0).room({"CPU": 4}) == 0
    for options, words in (
        ({"gpus": 1.5}, "a part of one, or a whole number"),
        ({"cpus": -1}, "more than none"),
        ({"slots": 0}, "0 trials at once"),
        ({"working_dir": Path("/not/there")}, "no /not/there for the nodes"),
    ):
        with pytest.raises(UsageError, match=words):
            Ray(**options)


def test_more_than_any_node_has(running: Running, cluster) -> None:
    with (
        pytest.raises(
            UsageError, match=rf"at {cluster.address} has .* a trial asks for 64 and 0: ask for less"
        ),
        Ray(cluster.address, cpus=64).open(),
    ):
        pass


def test_an_address_where_nobody_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"  # nobody listens there
        for name in (address, f"ray://{address}"):
            with pytest.raises(UsageError, match=rf"at {name} .*ray start --head"), Ray(name).open():
                pass
    with pytest.raises(UsageError, match="HOST:PORT"), Ray("cluster").open():
        pass
