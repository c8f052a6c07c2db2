"""Processes that are kept from one trial to the next: one that trains, and one that scores what it trains."""

import multiprocessing
import os
import pickle
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import ClassVar

from ..checks.contract.global_state import kept_global_state
from ..checks.seeding import kept_generators
from ..trials.printed import claim_process
from ..trials.run import run_trial
from ..trials.session import RemoteSession, Scored, end_session, serve, without_solver
from ..trials.trial import Outcome, Point, Trial
from .children import Worker, process_context, settle


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
        outcome = _scored_over(scorer.pipe, trial, after_epoch)
        if outcome.error is None:
            scored: Scored = scorer.pipe.recv()
            outcome, settled = scored.told(outcome), True
    finally:
        if not settled:  # it may wait for an answer that never comes
            scorer.end()
    return outcome


def train_many(orders: Connection, pipe: Connection, sender: Connection) -> None:
    """What a process does that is kept to train: it tells of each trial that it is given, and of the seconds
    of processor time since it told last.

    Args:
        orders: Brings trials, packed by `packed`.
        pipe: To the process that scores them.
        sender: Hears of each.
    """
    settle(None)
    claim_process()  # what is printed goes to the log of the trial that prints it
    spent = 0.0
    with suppress(EOFError, ConnectionError):  # nobody wants another
        while True:
            trial = _unpacked(orders.recv_bytes())
            with _untouched():
                pipe.send_bytes(packed(without_solver(trial)))
                if not pipe.recv():
                    raise EOFError
                outcome = _scored_over(pipe, trial)
            now = time.process_time()
            sender.send((replace(outcome, scores=None, interventions=None, beyond=None), now - spent))
            spent = now


def packed(trial: Trial) -> bytes:
    """A trial, and the working directory, as they are sent to a process that is kept."""
    return pickle.dumps((_folder(), trial))


def _unpacked(told: bytes) -> Trial:
    folder, trial = pickle.loads(told)
    if folder is not None:  # this process began where its parent was then
        os.chdir(folder)
    return trial


def _scored_over(
    pipe: Connection, trial: Trial, after_epoch: Callable[[Point], None] = lambda _: None
) -> Outcome:
    """Runs a trial that the process at the other end of the pipe was told of, and leaves that one free for
    the next; where the trial broke, it may still wait for an answer.
    """
    outcome = run_trial(trial, after_epoch, lambda: RemoteSession(pipe))
    if outcome.error is None:
        end_session(pipe)
    return outcome


@contextmanager
def _untouched() -> Generator[None]:
    """Puts back what a trial may leave to the next in one process: settings, and random states."""
    with kept_global_state(), kept_generators():
        yield


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
            told = packed(without_solver(trial))
        except (pickle.PicklingError, AttributeError, TypeError):
            return None
        if cls.kept is None:
            pipe, other = process_context().Pipe()
            cls.kept = cls(Worker.start(score_many, (other, False), daemon=True), pipe)
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


def score_many(pipe: Connection, telling: bool, sender: Connection) -> None:
    """What a process does that is kept to score: trials come over the pipe, and are scored over it.

    Args:
        pipe: To the process that trains.
        telling: Whether `sender` is told what was found of each as soon as it is known, with the seconds of
            processor time since it told last; else it is told over the pipe, when the trial has ended.
        sender: Hears of each.
    """
    settle(None)
    spent = 0.0
    found: list[Scored] = []

    def tell(scored: Scored) -> None:
        nonlocal spent
        if not telling:
            found.append(scored)
            return
        now = time.process_time()
        sender.send((scored, now - spent))
        spent = now

    with suppress(EOFError, ConnectionError):  # the process that trains is gone
        while True:
            told = pipe.recv_bytes()
            try:
                trial = _unpacked(told)
            except (ImportError, AttributeError):  # what a script or a notebook defines
                pipe.send(False)
                continue
            pipe.send(True)
            with _untouched():
                serve(trial, pipe, tell)
            if found:
                pipe.send(found.pop())
