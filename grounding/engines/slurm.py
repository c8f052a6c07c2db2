"""Trials on a Slurm cluster: array jobs of workers, which take trials from a folder that all machines see."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ...datasets.errors import UnusableFileError, UsageError
from ...solvers.extras import Extra
from ..trials.trial import Outcome, Trial
from .children import Limits
from .exchange import Exchange
from .nodes import MAX_LOSSES, Told, end_kept, lost_for_good, require_alike, run_on_node, unpickled, versions

EXTRA = Extra("submitit", "submitit", "slurm")
HERE = "here"  # the job of a worker without one
EXECUTORS = ("slurm", "local", "debug")
AHEAD = 4  # trials that wait in the folder, for each that runs: short listings, and no worker is idle
MAX_STILLBORN = 3  # jobs in a row that ended before a worker of theirs began
DRIVER_PATIENCE = 900.0  # seconds without a sign of the driver, after which a worker leaves
FIRST_LOOK, LAST_LOOK = 0.02, 1.0  # seconds between looks into the folder: longer and longer
FAREWELL = 5.0  # seconds for jobs to end, before their folder goes
MEMORY_AROUND = 2  # GiB that a worker itself takes, and the process that scores


@dataclass(frozen=True)
class Slurm:
    """A Slurm cluster, by way of submitit. Workers are the jobs of an array; each runs trials, one after the
    other and in processes beside it, until none waits.

    A worker touches a file every few seconds. One that is silent, or whose job is gone, is lost: its trial is
    given to another, at most 3 times. So nothing hangs where a job dies before it can say so, whether or not
    the cluster keeps accounts. Ages are taken from the file server's clock alone.

    Args:
        slots: At most how many jobs at once.
        folder: Where jobs and driver meet, below which a folder is made; every node sees it by this path.
        partition: Of nodes; None: the cluster's usual one.
        minutes: Time limit of a job. A worker takes no trial for which the time may be too short.
        cpus: Cores of a job.
        gpus: GPUs of a job, a whole number.
        limits: Time and memory of a trial; None: the usual ones of solvers from outside.
        executor: What starts jobs: "slurm"; "local": processes of this machine; "debug": this process.
        beat: Seconds between signs of life.
        patience: Seconds of silence after which a worker is lost; longer than what a network file system may
            keep to itself (a minute).
        linger: Seconds that a worker waits for another trial.
    """

    slots: int = 8
    folder: Path = Path("groundcheck-slurm")
    partition: str | None = None
    minutes: int = 240
    cpus: float | int = 1
    gpus: float | int = 0
    limits: Limits | None = None
    executor: str = "slurm"
    beat: float | int = 10
    patience: float | int = 180
    linger: float | int = 30

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS:
            raise UsageError(f"executor {self.executor!r}: it is {', '.join(EXECUTORS)}")
        for name in ("cpus", "gpus"):
            if getattr(self, name) % 1 or getattr(self, name) < 0:
                raise UsageError(f"{name}={getattr(self, name):g}: Slurm gives whole ones to a job")
        for name in ("slots", "minutes", "cpus"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name):g}: 1 or more")
        if not 0 < self.beat < self.patience:
            raise UsageError(
                f"a sign of life every {self.beat:g} s, missed after {self.patience:g} s: wait longer"
            )

    @property
    def name(self) -> str:
        """As `Engine.name`."""
        return "slurm"

    @contextmanager
    def open(self) -> Generator["SlurmRunning"]:
        """Makes the folder; jobs begin with the first trials, and are ended with the context."""
        if not EXTRA.installed:
            raise UsageError(f"engine slurm {EXTRA.message}, or leave out --engine")
        if self.executor == "slurm":
            _require_controller()
        folder = self.folder.resolve() / uuid.uuid4().hex[:12]
        exchange = Exchange(folder)
        try:
            exchange.make()
        except OSError as error:
            raise UnusableFileError(
                f"{folder} cannot be made: {error.strerror}: name another with --on folder=PATH"
            ) from error
        running = SlurmRunning(self, exchange, _jobs_of(self, exchange))
        try:
            yield running
        finally:
            running.close()


@runtime_checkable
class Jobs(Protocol):
    """What starts workers."""

    def start(self, count: int) -> None:
        """Starts so many more."""
        ...

    def living(self) -> set[str]:
        """The ids of those that wait for a node, or run."""
        ...

    def end(self, jobs: Iterable[str]) -> None:
        """Ends some."""
        ...

    def last_words(self) -> str:
        """What the job that was started last, and ended, said before it did."""
        ...


class SlurmRunning:
    """An open Slurm cluster; it is `Running`."""

    def __init__(self, engine: Slurm, exchange: Exchange, jobs: Jobs) -> None:
        self.slots = engine.slots
        self._engine, self._exchange, self._jobs = engine, exchange, jobs
        self._waiting: deque[int] = deque()  # not in the folder yet
        self._trials: dict[int, Trial] = {}  # that wait or run
        self._offered: set[int] = set()
        self.losses: Counter[int] = Counter()  # how often each trial lost its worker
        self._stillborn = 0
        self._living: set[str] = set()
        self._next_look = 0.0

    def submit(self, number: int, trial: Trial) -> None:
        """Takes a trial."""
        self._trials[number] = trial
        self._waiting.append(number)

    def drop(self, numbers: Iterable[int]) -> None:
        """Forgets trials; workers end them at their next breath."""
        unwanted = {number for number in numbers if self._trials.pop(number, None) is not None}
        self._waiting = deque(number for number in self._waiting if number not in unwanted)
        for number in unwanted & self._offered:
            self._exchange.withdraw(number)
        self._offered -= unwanted

    def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
        """Outcomes that came since; a trial whose worker is lost is given to another.

        Raises:
            UsageError: Where jobs end before they can run anything, with what the last of them said.
        """
        until = None if seconds is None else time.monotonic() + seconds
        pause = FIRST_LOOK
        while True:
            self._exchange.tick()
            self._fill()
            told = self._ended()
            if time.monotonic() >= self._next_look:
                told += self._look_after_workers()
                self._next_look = time.monotonic() + min(self._engine.beat, self._engine.patience / 4)
            if told or not self._trials:
                return told
            if until is not None and (pause := min(pause, until - time.monotonic())) <= 0:
                return []
            time.sleep(pause)
            pause = min(1.5 * pause, LAST_LOOK)

    def close(self) -> None:
        """Ends every job, and removes the folder."""
        self._exchange.end()
        self._jobs.end(self._jobs.living())
        until = time.monotonic() + FAREWELL
        while self._jobs.living() and time.monotonic() < until:
            time.sleep(FIRST_LOOK)
        shutil.rmtree(self._exchange.folder, ignore_errors=True)
        with suppress(OSError):
            self._exchange.folder.parent.rmdir()  # unless others use it

    def _fill(self) -> None:
        """Lets workers take trials, a few more than they need, and starts as many as there is need of."""
        while self._waiting and len(self._offered) < AHEAD * self.slots:
            number = self._waiting.popleft()
            self._offered.add(number)
            self._exchange.offer(number, self._trials[number])
        wanted = min(self.slots, len(self._trials)) - len(self._living)
        if wanted > 0:
            self._living = self._jobs.living()
            wanted = min(self.slots, len(self._trials)) - len(self._living)
        if wanted > 0:
            self._jobs.start(wanted)
            self._living = self._jobs.living()

    def _ended(self) -> list[tuple[int, Outcome]]:
        heard: list[tuple[int, Outcome]] = []
        for number, told in self._exchange.ended():
            self._offered.discard(number)
            trial = self._trials.pop(number, None)
            if trial is not None:  # neither dropped nor heard before
                heard.append((number, told.keep(trial)))
        return heard

    def _look_after_workers(self) -> list[tuple[int, Outcome]]:
        """Gives the trials of lost workers to others; outcomes are those that lost too many."""
        before, self._living = self._living, self._jobs.living()
        self._count_stillborn(before - self._living)
        claims = self._exchange.claims()
        workers = self._exchange.jobs()
        lost = {worker: cause for worker, job in workers.items() if (cause := self._fate(worker, job))}
        heard = self._ended()  # after their claims were looked at: who ended since, is not lost
        for claim in claims:
            cause = lost.get(claim.worker) or ("" if claim.worker in workers else "its worker left")
            if not cause:
                continue
            self._exchange.release(claim)
            trial = self._trials.get(claim.number)
            if trial is None:
                continue
            self.losses[claim.number] += 1
            if self.losses[claim.number] > MAX_LOSSES:
                self._trials.pop(claim.number)
                self._offered.discard(claim.number)
                cause = f"{cause}; jobs said last: {self._jobs.last_words()}"
                heard.append((claim.number, lost_for_good(trial, self.losses[claim.number], cause)))
            else:
                self._exchange.offer(claim.number, trial)
        for worker in lost:
            self._exchange.forget(worker)
        self._jobs.end({workers[worker] for worker in lost} & self._living)
        return heard

    def _fate(self, worker: str, job: str) -> str:
        """Why a worker is lost; empty where it lives."""
        if job not in self._living:
            return f"job {job} is gone"
        silence = self._exchange.silence(worker)
        return f"job {job} gave no sign for {silence:.0f} s" if silence > self._engine.patience else ""

    def _count_stillborn(self, ended: set[str]) -> None:
        """Raises `UsageError` where jobs end, one after the other, and no worker of theirs ever began."""
        if not ended:
            return
        if any(self._exchange.began(job) for job in ended):
            self._stillborn = 0
            return
        self._stillborn += len(ended)
        if self._stillborn >= MAX_STILLBORN:
            raise UsageError(
                f"{self._stillborn} jobs ended before they could run a trial; the last of them said: "
                f"{self._jobs.last_words()}: every node must see this Python ({sys.executable}), "
                f"{Path.cwd()} and {self._exchange.folder} under the same path"
            )


def work(
    folder: str,
    home: str,
    path: Sequence[str],
    asked: Mapping[str, str],
    limits: Limits | None,
    rhythm: tuple[float | int, float | int, float | int],
) -> int:
    """What a job does: it takes trials as long as any wait.

    Args:
        folder: Where it meets the driver.
        home: The driver's working directory.
        path: Where the driver's Python finds modules.
        asked: The driver's versions of what decides outcomes.
        limits: Of a trial.
        rhythm: Seconds between signs of life, to wait for another trial, and that the job has.

    Returns:
        How many trials it ran.
    """
    beat, linger, has = rhythm
    began = time.monotonic()
    require_alike(asked)
    os.chdir(home)
    sys.path += [place for place in path if place not in sys.path]
    exchange = Exchange(Path(folder))
    worker = exchange.enter(_own_job())
    heart = _Heart(exchange, worker, beat)
    ran, longest, idle_since = 0, 0.0, time.monotonic()
    with _left_with(exchange, worker):
        while not exchange.over:
            heart()
            if exchange.driver_silence(worker) > DRIVER_PATIENCE:
                break
            if ran and time.monotonic() - began + 1.5 * longest > has:
                break  # the next might not end in time; another job takes it
            taken = exchange.take(worker)
            if taken is None:
                if time.monotonic() - idle_since >= linger:
                    break
                time.sleep(min(LAST_LOOK, linger / 10))
                continue
            claim, content = taken
            started = time.monotonic()
            with suppress(_UnwantedError):
                told = _run(content, limits, lambda claim=claim: heart(claim))
                exchange.tell(claim, told)
            ran, idle_since = ran + 1, time.monotonic()
            longest = max(longest, idle_since - started)
    return ran


@contextmanager
def _left_with(exchange: Exchange, worker: str) -> Generator[None]:
    """Sees to it that a worker leaves in order where its job is ended: cancelled, preempted, out of time.

    Slurm tells all processes of a job. The one of the trial dies of it, which is no fault of the solver's:
    this one leaves as well, and tells nothing, and the trial is given to another.
    """

    def leave(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before: dict[int, Any] = {}
    with suppress(ValueError):  # not in the main thread, where nobody sends signals
        for number in (signal.SIGTERM, signal.SIGUSR2):
            before[number] = signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        end_kept()
        with suppress(FileNotFoundError):
            exchange.leave(worker)


def _run(content: bytes, limits: Limits | None, meanwhile: Callable[[], None]) -> Told:
    trial = unpickled(content)
    return trial if isinstance(trial, Told) else run_on_node(trial, limits, meanwhile)


class _UnwantedError(Exception):
    """Nobody waits for the outcome of this trial any more."""


@dataclass
class _Heart:
    """Signs of life of a worker, also while a trial runs."""

    exchange: Exchange
    worker: str
    beat: float | int
    last: float = -1e9

    def __call__(self, claim: Any = None) -> None:
        if time.monotonic() - self.last >= self.beat:
            self.exchange.beat(self.worker)
            self.last = time.monotonic()
        if claim is not None and self.exchange.unwanted(claim):
            raise _UnwantedError


def _own_job() -> str:
    import submitit  # noqa: PLC0415 - an extra

    try:
        return submitit.JobEnvironment().job_id
    except RuntimeError:  # "debug": no job, this process
        return HERE


class _Submitted:
    """Jobs that submitit starts: of Slurm, or processes of this machine."""

    def __init__(self, engine: Slurm, exchange: Exchange) -> None:
        self.engine = engine
        self.call = _call_of(engine, exchange)
        self.jobs: dict[str, Any] = {}  # all that were started
        self.logs = exchange.folder / "jobs"
        submitit = EXTRA.load()
        self.executor = submitit.AutoExecutor(self.logs, cluster=engine.executor)
        options: dict[str, Any] = {"timeout_min": engine.minutes, "cpus_per_task": int(engine.cpus)}
        if engine.limits is not None and engine.limits.memory is not None:
            options["mem_gb"] = engine.limits.memory + MEMORY_AROUND
        if engine.gpus:
            options["gpus_per_node"] = int(engine.gpus)
        if engine.executor == "slurm":
            options["slurm_array_parallelism"] = engine.slots
            options["slurm_additional_parameters"] = {"requeue": True}  # after its node failed
            options["slurm_job_name"] = "groundcheck"
            if engine.partition:
                options["slurm_partition"] = engine.partition
        self.executor.update_parameters(**options)

    def start(self, count: int) -> None:
        """As `Jobs.start`: one array."""
        try:
            with _heeding_interrupts():
                started = self.executor.map_array(work, *([value] * count for value in self.call))
        except Exception as error:
            line = " ".join(str(error).split())[-400:]
            raise UsageError(f"the jobs could not be submitted ({type(error).__name__}): {line}") from error
        self.jobs |= {job.job_id: job for job in started}

    def living(self) -> set[str]:
        """As `Jobs.living`."""
        if self.engine.executor == "slurm":
            return _in_queue(self.jobs)
        return {name for name, job in self.jobs.items() if job.state == "RUNNING"}

    def end(self, jobs: Iterable[str]) -> None:
        """As `Jobs.end`."""
        for name in jobs:
            self.jobs[name].cancel(check=False)

    def last_words(self) -> str:
        """As `Jobs.last_words`."""
        logs = sorted(self.logs.glob("*.err"), key=lambda path: path.stat().st_mtime)
        for path in reversed(logs):
            lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
            if lines:
                return lines[-1][:300]
        return "nothing"


@contextmanager
def _heeding_interrupts() -> Generator[None]:
    """Jobs of this machine are ended by SIGINT, and inherit that it is ignored: what a script began with & or
    nohup does so.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ignored &= threading.current_thread() is threading.main_thread()
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Here:
    """No job: trials run when somebody listens, in this process's children."""

    def __init__(self, engine: Slurm, exchange: Exchange) -> None:
        self.call = _call_of(engine, exchange, linger=0.0)

    def start(self, count: int) -> None:
        """As `Jobs.start`."""
        del count
        work(*self.call)

    def living(self) -> set[str]:
        """As `Jobs.living`: there is none that would be lost."""
        return set()

    def end(self, jobs: Iterable[str]) -> None:
        """As `Jobs.end`."""

    def last_words(self) -> str:
        """As `Jobs.last_words`."""
        return "nothing"


def _jobs_of(engine: Slurm, exchange: Exchange) -> Jobs:
    return _Here(engine, exchange) if engine.executor == "debug" else _Submitted(engine, exchange)


def _call_of(engine: Slurm, exchange: Exchange, linger: float | int | None = None) -> tuple[Any, ...]:
    rhythm = (engine.beat, engine.linger if linger is None else linger, 60.0 * engine.minutes)
    return (str(exchange.folder), str(Path.cwd()), [*sys.path], versions(), engine.limits, rhythm)


def _in_queue(jobs: Iterable[str]) -> set[str]:
    """Which jobs the queue still has. It needs no accounts of jobs that ended, which many clusters lack."""
    arrays = sorted({job.partition("_")[0] for job in jobs})
    if not arrays:
        return set()
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--jobs={','.join(arrays)}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "Invalid job id" not in done.stderr:
        return set(jobs)  # it does not answer now: signs of life have to do
    return {*done.stdout.split()} & {*jobs}


def _require_controller() -> None:
    """Sees to it that jobs can be submitted from here."""
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise UsageError(
            "engine slurm needs sbatch and srun, which this machine does not have: start groundcheck on a "
            "login node of the cluster, or leave out --engine"
        )
    done = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, check=False)
    if done.returncode or " UP" not in done.stdout:
        line = " ".join((done.stdout + done.stderr).split())[:300]
        raise UsageError(
            f"no slurmctld answers ({line}): start it on that machine (systemctl start slurmctld munge), or "
            "ask who runs the cluster"
        )
