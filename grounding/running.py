"""Runs trials, in this process or each in one of its own, and returns their outcomes in order."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

from .trial import Outcome, Trial, run_trial


def run_trials(trials: Sequence[Trial], workers: int, ended: Callable[[int, Outcome], None]) -> None:
    """Runs trials; `ended` hears the index and the outcome of each as soon as it ends.

    With `workers` = 0 they run here, one after the other. Otherwise at most `workers` at a time run each in
    a process of its own: one that dies costs its own trial, which becomes an error that names the cause.
    Outcomes are the same either way. On Ctrl-C the processes are ended and KeyboardInterrupt is raised.
    """
    if workers == 0:
        for index, trial in enumerate(trials):
            ended(index, run_trial(trial))
        return
    for index, outcome in _in_processes(trials, workers):
        ended(index, outcome)


def _in_processes(trials: Sequence[Trial], workers: int) -> Iterator[tuple[int, Outcome]]:
    context = multiprocessing.get_context("forkserver")
    # torch._dynamo: torch imports it at the first step of an optimiser, which every process would wait for.
    preload = ["groundcheck.grounding.trial", "sklearn.datasets", "scipy.optimize", "torch._dynamo"]
    context.set_forkserver_preload(preload)
    waiting = list(enumerate(trials))[::-1]
    running: dict[Connection, tuple[int, ForkServerProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index, trial = waiting.pop()
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(trial, sender), daemon=True)
                process.start()
                sender.close()
                running[receiver] = (index, process)
            for receiver in wait(list(running)):
                assert isinstance(receiver, Connection)
                index, process = running.pop(receiver)
                yield index, _received(trials[index], receiver, process)
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()


def _work(trial: Trial, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its children
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sender.send(run_trial(trial))


def _end_with_parent() -> None:
    """Ends this process when the one that wants its outcome is gone: killed, or interrupted as it began it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _received(trial: Trial, receiver: Connection, process: ForkServerProcess) -> Outcome:
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Outcome(
            role=trial.role,
            task=trial.task.name,
            solver=trial.solver.name,
            seed=trial.seed,
            error=f"the process of this trial died before it reported: {how}",
        )
    finally:
        receiver.close()
