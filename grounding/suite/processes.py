"""Runs what a solver takes part in, here or in processes of its own, and tells how each came out."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from types import ModuleType
from typing import Any

from ...datasets.errors import UsageError
from ..checks.finding import Finding, Status
from ..trials.run import run_trial
from ..trials.trial import Outcome, Trial
from .inspection import Inspection

# torch._dynamo: torch imports it at the first step of an optimiser, which every process would wait for.
PRELOAD = ["groundcheck.grounding.trials.run", "sklearn.datasets", "scipy.optimize", "torch._dynamo"]


@dataclass(frozen=True)
class Limits:
    """What a process may use before it is ended; None is no limit."""

    seconds: float | int | None = None  # of a trial, and of a single check
    memory: float | int | None = None  # GiB of private memory

    def __post_init__(self) -> None:
        for name, unit in (("seconds", "s"), ("memory", "GiB")):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"a limit of {value:g} {unit} leaves nothing to run in: take more, or none")


OUTSIDE_LIMITS = Limits(seconds=1800.0, memory=8.0)  # of solvers from outside, unless others are asked for
NO_LIMITS = Limits()


def run_trials(
    trials: Sequence[Trial], workers: int, ended: Callable[[int, Outcome], None], limits: Limits = NO_LIMITS
) -> None:
    """Runs trials; `ended` hears the index and the outcome of each as soon as it ends.

    With `workers` = 0 they run here, one after the other. Otherwise at most `workers` at a time run each in
    a process of its own: one that dies, or goes beyond `limits`, costs its own trial, which becomes an error
    that names the cause. Outcomes are the same either way. On Ctrl-C the processes are ended and
    KeyboardInterrupt is raised.
    """
    if workers == 0:
        for index, trial in enumerate(trials):
            ended(index, run_trial(trial))
        return
    for index, outcome in _in_processes(trials, workers, limits):
        ended(index, outcome)


def examine(
    inspection: Inspection, limits: Limits, known: Mapping[str, Status] | None = None
) -> Iterator[Finding]:
    """The findings of an inspection, made in a process of its own; `known` are checks that ran already.

    A check that ends the process, or goes beyond `limits`, is an error that names the cause; the checks
    after it run in a new process.
    """
    known = dict(known or {})
    while True:
        current, spoke = "contract/build", False
        with _Worker.running(_inspect, (inspection, known, limits.memory)) as worker:
            while True:
                said = worker.hear(limits.seconds)
                if isinstance(said, Died):
                    break
                spoke = True
                if said is None:
                    return
                if isinstance(said, Finding):
                    known[current] = said.status
                    yield said
                else:
                    current = said
        known[current] = "error"
        yield Finding(
            current,
            "error",
            f"the process of this check {said.cause}",
            "Try this check by itself, in a process that you can watch.",
            task=inspection.label or inspection.task.name,
        )
        if not spoke:  # nor would another process
            return


@dataclass(frozen=True)
class Died:
    """A process that ended, or was ended, before it said what it was to say."""

    cause: str


@dataclass
class _Worker:
    """A process and the pipe on which it reports."""

    process: ForkServerProcess
    receiver: Connection
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, target: Callable[..., None], arguments: tuple[Any, ...]) -> "_Worker":
        context = _context()
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(*arguments, sender), daemon=True)
        with _without_main():
            process.start()
        sender.close()
        return cls(process, receiver)

    @classmethod
    @contextmanager
    def running(cls, target: Callable[..., None], arguments: tuple[Any, ...]) -> Generator["_Worker"]:
        worker = cls.start(target, arguments)
        try:
            yield worker
        finally:
            worker.end()

    @property
    def signs(self) -> tuple[Connection, int]:
        """What becomes ready when it reports, or dies: a process it started may keep its pipe open."""
        return self.receiver, self.process.sentinel

    def hear(self, seconds: float | int | None) -> Any:
        """What it says next, within so many seconds; `Died` if it says no more."""
        if not wait(self.signs, seconds):
            return Died(f"was ended after the time limit of {seconds:g} s")
        return self.read()

    def read(self) -> Any:
        """What it said, or how it died."""
        try:
            if self.receiver.poll():
                return self.receiver.recv()
        except EOFError:
            pass
        self.process.join()
        code = self.process.exitcode or 0
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended itself with exit status {code}"
        return Died(f"{how} before it reported")

    def end(self) -> None:
        """Ends it if it still runs: with SIGKILL, as a solver may ignore other signals."""
        self.process.kill()
        self.process.join()
        self.receiver.close()


@contextmanager
def _without_main() -> Generator[None]:
    """Keeps the user's script out of the processes that are started meanwhile.

    They would run it again to be able to look things up in it, and a script that calls `check` without
    `if __name__ == "__main__"` would start processes that start processes. Nothing is looked up there:
    what a script defines itself is not handed to other processes (`SolverSpec.portable`).
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def _in_processes(trials: Sequence[Trial], workers: int, limits: Limits) -> Iterator[tuple[int, Outcome]]:
    waiting = list(enumerate(trials))[::-1]
    running: dict[int, _Worker] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index, trial = waiting.pop()
                running[index] = _Worker.start(_work, (trial, limits.memory))
            patience = None
            if limits.seconds is not None:
                oldest = min(worker.started for worker in running.values())
                patience = max(0.0, oldest + limits.seconds - time.monotonic())
            ready = set(wait([sign for worker in running.values() for sign in worker.signs], patience))
            for index, worker in list(running.items()):
                late = limits.seconds is not None and time.monotonic() >= worker.started + limits.seconds
                if ready & set(worker.signs):
                    said = worker.read()
                elif late:
                    said = Died(f"was ended after the time limit of {limits.seconds:g} s")
                else:
                    continue
                running.pop(index).end()
                yield index, _broken(trials[index], said, worker) if isinstance(said, Died) else said
    finally:
        for worker in running.values():
            worker.end()


def _broken(trial: Trial, died: Died, worker: _Worker) -> Outcome:
    return Outcome(
        role=trial.role,
        task=trial.task.name,
        solver=trial.solver.name,
        seed=trial.seed,
        error=f"the process of this trial {died.cause}",
        seconds=time.monotonic() - worker.started,
    )


def _work(trial: Trial, memory: float | int | None, sender: Connection) -> None:
    _settle(memory)
    outcome = run_trial(trial)
    if memory is not None and outcome.error and _ran_out(outcome.error):
        outcome = replace(outcome, error=f"{outcome.error}\nthe memory limit of {memory:g} GiB was reached")
    sender.send(outcome)


def _inspect(
    inspection: Inspection, known: dict[str, Status], memory: float | int | None, sender: Connection
) -> None:
    _settle(memory)
    for finding in inspection.findings(known=known, starting=sender.send):
        if memory is not None and finding.status in ("fail", "error") and _ran_out(finding.reason):
            reason = f"{finding.reason}: the memory limit of {memory:g} GiB was reached"
            sender.send(replace(finding, status="error", reason=reason))
        else:
            sender.send(finding)
    sender.send(None)


def _ran_out(error: str) -> bool:
    return "MemoryError" in error or "can't allocate memory" in error  # Python's, NumPy's; torch's


def _settle(memory: float | int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its children
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if memory is not None and hasattr(os, "fork"):
        import resource  # noqa: PLC0415 - not on every platform

        # Private, writable memory: address space would count what torch merely maps.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = int(memory * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def _end_with_parent() -> None:
    """Ends this process when the one that wants its outcome is gone: killed, or interrupted."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
