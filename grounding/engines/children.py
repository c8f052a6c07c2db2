"""Processes of their own for what a solver takes part in: started, heard, limited and ended."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from types import ModuleType
from typing import Any

from ...datasets.errors import UsageError

# torch._dynamo: torch imports it at the first step of an optimiser, which every process would wait for.
PRELOAD = ["groundcheck.grounding.trials.run", "scipy.optimize", "torch._dynamo"]


@dataclass(frozen=True)
class Limits:
    """What a process may use before it is ended; None is no limit.

    Args:
        seconds: Of a trial, and of a single check.
        memory: GiB of private memory.

    Raises:
        UsageError: For a limit that is not more than 0.
    """

    seconds: float | int | None = None
    memory: float | int | None = None

    def __post_init__(self) -> None:
        for name, unit in (("seconds", "s"), ("memory", "GiB")):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"a limit of {value:g} {unit} leaves nothing to run in: take more, or none")


OUTSIDE_LIMITS = Limits(seconds=1800.0, memory=8.0)  # of solvers from outside, unless others are asked for
NO_LIMITS = Limits()


@dataclass(frozen=True)
class Died:
    """A process that ended, or was ended, before it said what it was to say."""

    cause: str


@dataclass
class Worker:
    """A process and the pipe on which it reports."""

    process: ForkServerProcess
    receiver: Connection
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def start(
        cls, target: Callable[..., None], arguments: tuple[Any, ...], *, daemon: bool = False
    ) -> "Worker":
        """Starts one. A daemon ends with this process and may start none; a solver may want to."""
        context = process_context()
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(*arguments, sender), daemon=daemon)
        with _without_main():
            process.start()
        sender.close()
        return cls(process, receiver)

    @classmethod
    @contextmanager
    def running(cls, target: Callable[..., None], arguments: tuple[Any, ...]) -> Generator["Worker"]:
        """One that is ended with the context."""
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
        _kill_group(self.process.pid)
        self.process.kill()
        self.process.join()
        self.receiver.close()


def _kill_group(leader: int | None) -> None:
    """Ends what a worker started as well: a solver may keep processes of its own."""
    if leader is not None and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # it ended before, or has not made its group yet
            os.killpg(leader, signal.SIGKILL)


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


def process_context() -> ForkServerContext:
    """Where processes are forked from: one that has imported what every trial needs, and holds no thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def ran_out(error: str) -> bool:
    """Whether an error says that there was no more memory."""
    return "MemoryError" in error or "can't allocate memory" in error  # Python's, NumPy's; torch's


def settle(memory: float | int | None) -> None:
    """What a process that was started does first: it leaves Ctrl-C to its parent, ends with it, and keeps to
    so many GiB of private memory.
    """
    if hasattr(os, "setpgrp"):
        os.setpgrp()
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
    if hasattr(os, "getpgrp") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
