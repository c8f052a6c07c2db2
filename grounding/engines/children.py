"""Runs what a solver takes part in, here or in processes of its own, and tells how each came out."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from types import ModuleType
from typing import Any, ClassVar

from ...datasets.errors import UsageError
from ..checks.finding import Finding, Status
from ..trials.printed import print_to
from ..trials.run import run_trial
from ..trials.session import RemoteSession, Scored, end_session, serve, without_solver
from ..trials.timing import seconds_per_step
from ..trials.trial import Outcome, Point, Trial
from .inspection import Inspection

# torch._dynamo: torch imports it at the first step of an optimiser, which every process would wait for.
PRELOAD = ["groundcheck.grounding.trials.run", "sklearn.datasets", "scipy.optimize", "torch._dynamo"]


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


def run_trials(
    trials: Sequence[Trial], workers: int, ended: Callable[[int, Outcome], None], limits: Limits = NO_LIMITS
) -> None:
    """Runs trials; `ended` hears the index and the outcome of each as soon as it ends.

    With `workers` = 0 they run here, one after the other. Otherwise at most `workers` at a time run each in
    a process of its own: one that dies, or goes beyond `limits`, costs its own trial, which becomes an error
    that names the cause. Another process scores, which never runs the solver's code. Outcomes are the same
    either way. On Ctrl-C the processes are ended and KeyboardInterrupt is raised.
    """
    if workers == 0:
        for index, trial in enumerate(trials):
            ended(index, run_here(trial))
        return
    for index, outcome in _in_processes(trials, workers, limits):
        ended(index, outcome)


def run_here(trial: Trial, after_epoch: Callable[[Point], None] = lambda _: None) -> Outcome:
    """Runs a trial in this process; another, which is kept for the next trial, scores it.

    This one scores where no other can be told of the task, as a script or a notebook defines it, or where
    this process may start none.
    """
    scorer = _Scorer.told_of(trial)
    if scorer is None:
        return run_trial(trial, after_epoch)
    settled = False
    try:
        outcome = run_trial(trial, after_epoch, lambda: RemoteSession(scorer.pipe))
        if settled := outcome.error is None:
            end_session(scorer.pipe)
    finally:
        if not settled:  # it may wait for an answer that never comes
            scorer.end()
    return outcome


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
        with Worker.running(_inspect, (inspection, known, limits.memory)) as worker:
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


def time_steps(trials: Sequence[Trial], limits: Limits) -> dict[int, float]:
    """Seconds of a training step of each trial, taken in a process of its own, by number.

    Those that a broken or hanging solver keeps from being taken are left out.
    """
    steps: dict[int, float] = {}
    with Worker.running(_time, (list(trials), limits.memory)) as worker:
        for number in range(len(trials)):
            said = worker.hear(limits.seconds)
            if isinstance(said, Died):
                break
            if said is not None:
                steps[number] = said
    return steps


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


@dataclass
class _Scorer:
    """A process that scores trials of this one, one after the other."""

    worker: Worker
    pipe: Connection
    kept: ClassVar["_Scorer | None"] = None

    @classmethod
    def told_of(cls, trial: Trial) -> "_Scorer | None":
        """The one that is kept, once it knows the trial; None where none can."""
        if multiprocessing.current_process().daemon:
            return None
        try:
            told = pickle.dumps((_folder(), without_solver(trial)))
        except (pickle.PicklingError, AttributeError, TypeError):
            return None
        if cls.kept is None:
            pipe, other = process_context().Pipe()
            cls.kept = cls(Worker.start(_score_many, (other,), daemon=True), pipe)
            other.close()
        scorer = cls.kept
        scorer.pipe.send_bytes(told)
        if not scorer.pipe.recv():
            return None
        return scorer

    def end(self) -> None:
        """Ends it; the next trial starts another."""
        self.worker.end()
        self.pipe.close()
        _Scorer.kept = None


def _folder() -> str | None:
    """The working directory, from which paths that a user wrote count; None where it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


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


@dataclass
class _Running:
    """A trial on its way: the process that trains, and the one that scores."""

    trial: Trial
    trainer: Worker
    scorer: Worker
    scored: Scored | None = None

    @classmethod
    def start(cls, trial: Trial, memory: float | int | None) -> "_Running":
        asking, answering = process_context().Pipe()
        scorer = Worker.start(_score, (without_solver(trial), asking))
        trainer = Worker.start(_train, (trial, memory, answering))
        asking.close()
        answering.close()
        return cls(trial, trainer, scorer)

    @property
    def signs(self) -> tuple[Connection | int, ...]:
        """What becomes ready when either has something to say."""
        return (*self.trainer.signs, *(self.scorer.signs if self.scored is None else ()))

    def hear_score(self) -> None:
        """Takes in what the scorer found, if it did."""
        if self.scored is None and self.scorer.receiver.poll():
            said = self.scorer.read()
            self.scored = said if isinstance(said, Scored) else Scored()

    def outcome(self, said: Outcome | Died) -> Outcome:
        """Of the trainer what it says of itself, of the scorer what it scored."""
        self.hear_score()
        trial, scored = self.trial, self.scored or Scored()
        if isinstance(said, Died):
            seconds = time.monotonic() - self.trainer.started
            said = Outcome(trial.role, trial.task.name, trial.solver.name, trial.seed, seconds=seconds,
                           error=f"the process of this trial {said.cause}")  # fmt: skip
        elif said.error is None and scored.scores is None:
            said = replace(said, error="this trial ended, and nothing was scored")
        if said.error is not None:
            return replace(said, scores=None, interventions=None)
        return replace(said, curve=scored.curve, scores=scored.scores, interventions=scored.interventions)

    def end(self) -> None:
        """Ends both."""
        self.trainer.end()
        self.scorer.end()


def _in_processes(trials: Sequence[Trial], workers: int, limits: Limits) -> Iterator[tuple[int, Outcome]]:
    waiting = list(enumerate(trials))[::-1]
    running: dict[int, _Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index, trial = waiting.pop()
                running[index] = _Running.start(trial, limits.memory)
            patience = None
            if limits.seconds is not None:
                oldest = min(pair.trainer.started for pair in running.values())
                patience = max(0.0, oldest + limits.seconds - time.monotonic())
            ready = set(wait([sign for pair in running.values() for sign in pair.signs], patience))
            for index, pair in list(running.items()):
                started = pair.trainer.started
                late = limits.seconds is not None and time.monotonic() >= started + limits.seconds
                pair.hear_score()
                if ready & set(pair.trainer.signs):
                    said = pair.trainer.read()
                elif late:
                    said = Died(f"was ended after the time limit of {limits.seconds:g} s")
                else:
                    continue
                running.pop(index)
                outcome = pair.outcome(said)
                pair.end()
                yield index, outcome
    finally:
        for pair in running.values():
            pair.end()


def _train(trial: Trial, memory: float | int | None, pipe: Connection, sender: Connection) -> None:
    settle(memory)
    print_to(trial.log)
    outcome = run_trial(replace(trial, log=None), scoring=lambda: RemoteSession(pipe))
    if memory is not None and outcome.error and _ran_out(outcome.error):
        outcome = replace(outcome, error=f"{outcome.error}\nthe memory limit of {memory:g} GiB was reached")
    sender.send(replace(outcome, scores=None, interventions=None))


def _time(trials: Sequence[Trial], memory: float | int | None, sender: Connection) -> None:
    settle(memory)
    for trial in trials:
        print_to(trial.log)
        sender.send(seconds_per_step(trial))


def _score(trial: Trial, pipe: Connection, sender: Connection) -> None:
    settle(None)
    serve(trial, pipe, sender.send)


def _score_many(pipe: Connection, sender: Connection) -> None:
    del sender
    settle(None)
    while True:
        told = pipe.recv_bytes()
        try:
            folder, trial = pickle.loads(told)
        except (ImportError, AttributeError):  # what a script or a notebook defines
            pipe.send(False)
            continue
        pipe.send(True)
        if folder is not None:  # this process began where its parent was then
            os.chdir(folder)
        serve(trial, pipe)


def _inspect(
    inspection: Inspection, known: dict[str, Status], memory: float | int | None, sender: Connection
) -> None:
    settle(memory)
    print_to(inspection.log)
    inspection = replace(inspection, log=None)
    for finding in inspection.findings(known=known, starting=sender.send):
        if memory is not None and finding.status in ("fail", "error") and _ran_out(finding.reason):
            reason = f"{finding.reason}: the memory limit of {memory:g} GiB was reached"
            sender.send(replace(finding, status="error", reason=reason))
        else:
            sender.send(finding)
    sender.send(None)


def _ran_out(error: str) -> bool:
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
