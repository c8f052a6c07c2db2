"""Trials on a Ray cluster: a solver that dies is a result, a machine that dies is replaced."""

import importlib.util
import logging
import os
import pickle
import socket
import time
import warnings
from collections import Counter, deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...datasets.errors import UsageError
from ...solvers.extras import Extra
from ..trials.trial import Outcome, Trial
from .carried import Baggage, Parcel, baggage_of, node_root
from .children import Limits
from .nodes import (
    MAX_LOSSES,
    Told,
    UnlikeNodeError,
    is_file,
    lost_for_good,
    refused,
    require_alike,
    run_on_node,
    unpickled,
    versions,
)

EXTRA = Extra("ray", "Ray", "ray")
PATIENCE = 5.0  # seconds for an address to take a connection
AHEAD = 2  # trials in Ray's hands, for each that runs: enough to keep nodes busy, few enough to wait for
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # no warning about GPUs that nobody asked for
}
START = "start one there with `ray start --head --port=6379` (and `ray start --address=HOST:6379` on others)"
TOKEN = "a head that asks for a token needs RAY_AUTH_MODE=token here, and its ~/.ray/auth_token"


@dataclass(frozen=True)
class Ray:
    """A Ray cluster. Every trial is a task of Ray's, and runs on its node in a process beside Ray's.

    Nodes need groundcheck, torch and NumPy in the versions of this machine, which is looked at before the
    first trial of each. Image sets, boards and weights are put into Ray's object store once, and written on
    each node once.

    Args:
        address: HOST:PORT or ray://HOST:PORT; "auto": the one of this machine; None: that of RAY_ADDRESS, or
            else one is started here, and ended.
        slots: At most how many trials run at once; None: as many as the cluster has room for.
        cpus: Cores of a trial; a fraction lets several share one.
        gpus: GPUs of a trial; 0.25 lets four share one.
        limits: Time and memory of a trial; None: the usual ones of solvers from outside.
        working_dir: A folder that every node gets a copy of, in which trials run there; None: none.
        modules: Further folders with packages, and files, that can be imported there.
    """

    address: str | None = None
    slots: int | None = None
    cpus: float | int = 1
    gpus: float | int = 0
    limits: Limits | None = None
    working_dir: Path | None = None
    modules: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.cpus < 0 or self.gpus < 0 or self.cpus + self.gpus <= 0:
            raise UsageError(f"a trial on {self.cpus:g} cores and {self.gpus:g} GPUs: take more than none")
        if self.gpus > 1 and self.gpus % 1:
            raise UsageError(f"a trial on {self.gpus:g} GPUs: a part of one, or a whole number")
        if self.slots is not None and self.slots < 1:
            raise UsageError(f"{self.slots} trials at once: 1 or more")
        for path in (*([self.working_dir] if self.working_dir else []), *self.modules):
            if not path.exists():
                raise UsageError(f"there is no {path} for the nodes to get: name a folder, or a Python file")

    @property
    def name(self) -> str:
        """As `Engine.name`."""
        return "ray"

    @contextmanager
    def open(self) -> Generator["RayRunning"]:
        """Connects, or starts a cluster on this machine, which then ends with the context."""
        ray = imported_ray()
        address = self.address or os.environ.get("RAY_ADDRESS") or None
        if address is not None and address not in ("auto", "local"):
            _require_answer(address)
        ours = not ray.is_initialized()
        if ours:
            self._connect(ray, address)
        try:
            running = RayRunning(ray, self)
            try:
                yield running
            finally:
                running.close()
        finally:
            if ours:
                ray.shutdown()

    def room(self, resources: Mapping[str, float | int]) -> int:
        """How many trials nodes with these resources run at once."""
        rooms = [
            int(resources.get(name, 0.0) / asked + 1e-9)
            for name, asked in (("CPU", self.cpus), ("GPU", self.gpus))
            if asked
        ]
        return min(rooms)

    def _connect(self, ray: Any, address: str | None) -> None:
        environment: dict[str, Any] = {}
        if self.working_dir is not None:
            environment["working_dir"] = str(self.working_dir)
        if self.modules:
            environment["py_modules"] = [str(path.resolve()) for path in self.modules]
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address is None or address == "local":
            options |= {"include_dashboard": False}
            if self.slots is not None and not self.gpus:
                options["num_cpus"] = max(1, round(self.slots * self.cpus))
        try:
            ray.init(address=address, runtime_env=environment or None, **options)
        except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
            line = " ".join(str(error).split())[:300]
            if "maximum size" in line:
                raise UsageError(
                    f"{self.working_dir} is more than Ray carries to the nodes ({line}): start groundcheck "
                    "in a folder with the code alone, or name in .gitignore what nodes need not get"
                ) from error
            hint = f"; {TOKEN}" if address and address.startswith("ray://") else ""
            raise UsageError(
                f"no Ray cluster at {address or 'this machine'} ({type(error).__name__}: {line}): {START}, "
                f"with the same versions of Ray and Python as here, or leave the address out{hint}"
            ) from error
        _hush()


class RayRunning:
    """An open Ray cluster; it is `Running`."""

    def __init__(self, ray: Any, engine: Ray) -> None:
        self._ray = ray
        self._engine = engine
        self._waiting: deque[int] = deque()
        self._trials: dict[int, Trial] = {}  # that wait or run
        self._runs: dict[Any, int] = {}  # the number of each task in Ray's hands
        self.losses: Counter[int] = Counter()  # how often each trial lost its worker
        self._told: list[tuple[int, Outcome]] = []  # that need no node
        self._parcels: dict[str, Any] = {}  # in the object store, by digest
        options: dict[str, Any] = {"num_cpus": engine.cpus, "num_gpus": engine.gpus, "max_retries": 0}
        self._task = ray.remote(**options)(_run_task)
        self._versions = versions()
        if self._room() < 1 and self._engine.address not in (None, "local"):
            self._complain_of_room()

    @property
    def slots(self) -> int:
        """As many as the cluster has room for now; nodes may come and go."""
        room = max(1, self._room())
        return room if self._engine.slots is None else min(room, self._engine.slots)

    def submit(self, number: int, trial: Trial) -> None:
        """Takes a trial."""
        self._trials[number] = trial
        self._waiting.append(number)

    def drop(self, numbers: Iterable[int]) -> None:
        """Forgets trials, and ends those that run."""
        unwanted = {number for number in numbers if self._trials.pop(number, None) is not None}
        self._waiting = deque(number for number in self._waiting if number not in unwanted)
        for task in [task for task, number in self._runs.items() if number in unwanted]:
            del self._runs[task]
            self._ray.cancel(task)  # KeyboardInterrupt in the worker, which ends the trial's processes

    def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
        """Outcomes that came since; a trial whose node or worker was lost begins anew.

        Raises:
            UsageError: For a node without groundcheck, or with other versions of what decides outcomes.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            self._fill()
            if self._told or not self._runs:
                heard, self._told = self._told, []
                return heard
            left = None if until is None else max(0.0, until - time.monotonic())
            if not self._ray.wait([*self._runs], num_returns=1, timeout=left)[0]:
                return []
            ended, _ = self._ray.wait([*self._runs], num_returns=len(self._runs), timeout=0)
            for task in ended:
                self._take(task, self._runs.pop(task))

    def close(self) -> None:
        """Ends every trial that still runs."""
        self.drop([*self._trials])
        self._parcels.clear()

    def _room(self) -> int:
        return self._engine.room(self._ray.cluster_resources())

    def _complain_of_room(self) -> None:
        found = self._ray.cluster_resources()
        raise UsageError(
            f"the Ray cluster at {self._engine.address} has {found.get('CPU', 0):g} cores and "
            f"{found.get('GPU', 0):g} GPUs, and a trial asks for {self._engine.cpus:g} and "
            f"{self._engine.gpus:g}: ask for less, or start nodes with "
            f"`ray start --address={self._engine.address}`"
        )

    def _fill(self) -> None:
        """Hands trials to Ray, a few more than run, so that whoever waits for them looks at few."""
        most = self._engine.slots or AHEAD * self.slots
        while self._waiting and len(self._runs) < most:
            number = self._waiting.popleft()
            trial = self._trials[number]
            try:
                baggage = baggage_of(trial, self._keep)
            except Exception as error:  # told as the trial itself would have told it
                self._tell(number, refused(trial, f"{type(error).__name__}: {error}"))
                continue
            packed = pickle.dumps(_relative(trial, self._engine.working_dir))
            parcels = {digest: self._parcels[digest] for digest in baggage.parcels.values()}
            task = self._task.remote(packed, baggage, parcels, self._engine.limits, self._versions)
            self._runs[task] = number

    def _keep(self, parcel: Parcel) -> None:
        digest = parcel.digest
        if digest not in self._parcels:
            self._parcels[digest] = self._ray.put(parcel)

    def _take(self, task: Any, number: int) -> None:
        """What came of a task: an outcome, or the loss of a machine."""
        errors = self._ray.exceptions
        trial = self._trials[number]
        try:
            told: Told = self._ray.get(task)
        except (errors.RuntimeEnvSetupError, errors.RayTaskError) as error:
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, KeyboardInterrupt):
                self._lose(number, "it was interrupted")
                return
            if isinstance(cause, UnlikeNodeError):
                raise UsageError(str(cause)) from error
            line = " ".join(str(cause).split())[-300:]
            raise UsageError(
                f"a node of the Ray cluster cannot run trials ({type(cause).__name__}: {line}): install on "
                "every node what this machine has: pip install "
                f"'groundcheck[ray]=={self._versions['groundcheck']}'"
            ) from error
        except errors.RayError as error:
            self._lose(number, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        else:
            self._tell(number, told.keep(trial))

    def _lose(self, number: int, cause: str) -> None:
        """A trial lost its machine: it is the next to begin, unless that happened too often."""
        self.losses[number] += 1
        if self.losses[number] > MAX_LOSSES:
            self._tell(number, lost_for_good(self._trials[number], self.losses[number], cause))
        else:
            self._waiting.appendleft(number)

    def _tell(self, number: int, outcome: Outcome) -> None:
        del self._trials[number]
        self._told.append((number, outcome))


def _run_task(
    packed: bytes,
    baggage: Baggage,
    parcels: Mapping[str, Any],
    limits: Limits | None,
    asked: Mapping[str, str],
) -> Told:
    """What a worker of Ray's does."""
    require_alike(asked)
    trial = unpickled(packed)
    if isinstance(trial, Told):
        return trial
    root = node_root()
    for digest, parcel in parcels.items():
        if not (root / digest).is_dir():
            # Only a worker of Ray's comes here; by name, as this file is called ray as well.
            fetched: Any = importlib.import_module("ray").get(parcel)
            fetched.unpack(root / digest)
    return run_on_node(baggage.placed(trial, root), limits)


def home_of(plugins: Sequence[str]) -> Path | None:
    """The working directory, where something named file.py:attribute or module:attribute lies in it."""
    here = Path.cwd()
    for name in plugins:
        module = name.rpartition(":")[0]
        if not module:
            continue
        if is_file(module):
            origin: str | None = module
        else:
            try:
                spec = importlib.util.find_spec(module.partition(".")[0])
            except (ImportError, ValueError):
                spec = None
            origin = spec.origin if spec else None
        if origin and (here / origin).resolve().is_relative_to(here):
            return here
    return None


def _relative(trial: Trial, folder: Path | None) -> Trial:
    """The trial, with code of the user's named from the working directory that travels."""
    if folder is None:
        return trial

    def moved(spec: Any) -> Any:
        module, _, attribute = spec.name.rpartition(":")
        if spec.factory is None and is_file(module) and Path(module).is_absolute():
            with suppress(ValueError):
                inside = Path(module).relative_to(folder.resolve())
                return replace(spec, name=f"./{inside}:{attribute}")
        return spec

    beside = trial.beside and moved(trial.beside)
    return replace(trial, solver=moved(trial.solver), perception=moved(trial.perception), beside=beside)


def imported_ray() -> Any:
    """Ray, which says less than it would."""
    if not EXTRA.installed:
        raise UsageError(f"engine ray {EXTRA.message}, or leave out --engine")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EXTRA.load()


def _require_answer(address: str) -> None:
    """Sees to it that something listens: Ray itself would try for a minute."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"address={address}: it is written HOST:PORT, as 10.0.0.1:6379, or ray://HOST:10001")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except OSError as error:
        raise UsageError(f"no Ray cluster answers at {address} ({error}): {START}") from error


def _hush() -> None:
    """Keeps Ray from printing between the lines of a report that a node was lost, which hear() deals with."""
    worker = importlib.import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        logger = logging.getLogger(__name__)
        worker.print_to_stdstream = lambda said, **_: logger.info("%s", said)  # pyright: ignore
