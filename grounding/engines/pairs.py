"""Trials in pairs of processes: one trains, the other scores and never ran the solver.

A trial that runs code from outside, or under limits, has a fresh pair. One without either may have the pair
of such a trial before it: to start two processes takes longer than a small trial.
"""

import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from ..trials.printed import print_to
from ..trials.run import run_trial
from ..trials.session import RemoteSession, Scored, serve, without_solver
from ..trials.spec import SolverSpec
from ..trials.trial import Outcome, Trial
from .children import NO_LIMITS, Died, Limits, Worker, process_context, ran_out, settle
from .scorer import packed, run_here, score_many, train_many


def run_trials(
    trials: Sequence[Trial], workers: int, ended: Callable[[int, Outcome], None], limits: Limits = NO_LIMITS
) -> None:
    """Runs trials; `ended` hears the index and the outcome of each as soon as it ends.

    With `workers` = 0 they run here, one after the other. Otherwise at most `workers` at a time run, each in
    another process: one that dies, or goes beyond `limits`, costs its own trial, which becomes an error
    that names the cause. Another process scores, which never runs the solver's code. Outcomes are the same
    either way. On Ctrl-C the processes are ended and KeyboardInterrupt is raised.
    """
    if workers == 0:
        for index, trial in enumerate(trials):
            ended(index, run_here(trial))
        return
    pairs = Pairs(workers, limits)
    try:
        for index, trial in enumerate(trials):
            pairs.submit(index, trial)
        while told := pairs.hear():
            for index, outcome in told:
                ended(index, outcome)
    finally:
        pairs.end()


@dataclass
class _Pair:
    """A trial on its way: the process that trains, and the one that scores."""

    trial: Trial
    trainer: Worker
    scorer: Worker
    orders: Connection | None = None  # to the process that trains, of a pair that is kept
    began: float = field(default_factory=time.monotonic)  # the trial
    scored: Scored | None = None
    processor_seconds: float = 0.0  # of both for this trial, as far as they told

    @classmethod
    def start(cls, trial: Trial, memory: float | int | None) -> "_Pair":
        """A pair for this trial alone."""
        asking, answering = process_context().Pipe()
        scorer = Worker.start(_score, (without_solver(trial), asking))
        trainer = Worker.start(_train, (trial, memory, answering))
        asking.close()
        answering.close()
        return cls(trial, trainer, scorer)

    @classmethod
    def start_kept(cls, trial: Trial) -> "_Pair":
        """A pair for this trial and those that `take` brings."""
        asking, answering = process_context().Pipe()
        ordered, orders = process_context().Pipe(duplex=False)
        scorer = Worker.start(score_many, (asking, True))
        trainer = Worker.start(train_many, (ordered, answering))
        for end in (asking, answering, ordered):
            end.close()
        pair = cls(trial, trainer, scorer, orders)
        pair.take(trial)
        return pair

    @property
    def lives(self) -> bool:
        """Whether both of its processes do."""
        return self.trainer.process.is_alive() and self.scorer.process.is_alive()

    def take(self, trial: Trial) -> None:
        """Begins another trial, where the last one ended well."""
        assert self.orders is not None
        self.trial, self.scored, self.processor_seconds = trial, None, 0.0
        self.began = time.monotonic()
        # A ceiling trains no solver: what it names may be code from outside, and is not imported.
        named = SolverSpec(trial.solver.name)
        asked = replace(trial, solver=named, beside=None) if trial.role == "ceiling" else trial
        with suppress(ConnectionError):  # who died meanwhile is heard of as one who dies later
            self.orders.send_bytes(packed(asked))

    @property
    def signs(self) -> tuple[Connection | int, ...]:
        """What becomes ready when either has something to say."""
        return (*self.trainer.signs, *(self.scorer.signs if self.scored is None else ()))

    def hear_score(self) -> None:
        """Takes in what the scorer found, if it did."""
        if self.scored is None and self.scorer.receiver.poll():
            said = self.scorer.read()
            if isinstance(said, Died):
                self.scored = Scored()
            else:
                self.scored, seconds = said
                self.processor_seconds += seconds

    def hear_outcome(self) -> Outcome | Died:
        """What the trainer says of itself."""
        said = self.trainer.read()
        if isinstance(said, Died):
            return said
        outcome, seconds = said
        self.processor_seconds += seconds
        return outcome

    def outcome(self, said: Outcome | Died) -> Outcome:
        """Of the trainer what it says of itself, of the scorer what it scored."""
        self.hear_score()
        trial, scored = self.trial, self.scored or Scored()
        if isinstance(said, Died):
            seconds = time.monotonic() - self.began
            said = Outcome(trial.role, trial.task.name, trial.solver.name, trial.seed, seconds=seconds,
                           error=f"the process of this trial {said.cause}")  # fmt: skip
        elif said.error is None and scored.scores is None:
            said = replace(said, error="this trial ended, and nothing was scored")
        if said.error is not None:
            return replace(said, scores=None, interventions=None, beyond=None)
        return scored.told(said)

    def end(self) -> None:
        """Ends both; the one that scores first, which would else complain that nobody listens."""
        self.scorer.end()
        self.trainer.end()
        if self.orders is not None:
            self.orders.close()


class Pairs:
    """Trials in pairs of processes, at most so many at once: a `Running` of this machine.

    Args:
        workers: How many, 1 or more.
        limits: Of each.
    """

    def __init__(self, workers: int, limits: Limits = NO_LIMITS) -> None:
        self.slots = workers
        self.limits = limits
        self.processor_seconds = 0.0  # of trials that ended
        self.waiting: deque[tuple[int, Trial]] = deque()
        self.running: dict[int, _Pair] = {}
        self.resting: list[_Pair] = []  # kept, without a trial

    def submit(self, number: int, trial: Trial) -> None:
        """As `Running.submit`."""
        self.waiting.append((number, trial))
        self._fill()

    def drop(self, numbers: Iterable[int]) -> None:
        """As `Running.drop`: those that run are killed."""
        gone = set(numbers)
        self.waiting = deque(each for each in self.waiting if each[0] not in gone)
        for number in gone & self.running.keys():
            self.running.pop(number).end()
        self._fill()

    def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
        """As `Running.hear`; nothing at once where nothing runs."""
        until = None if seconds is None else time.monotonic() + seconds
        while self.running:
            ready = set(
                wait([s for pair in self.running.values() for s in pair.signs], self._patience(until))
            )
            told = [
                (number, outcome)
                for number, pair in list(self.running.items())
                if (outcome := self._ended(pair, ready)) is not None
            ]
            for number, outcome in told:
                pair = self.running[number]
                self.processor_seconds += pair.processor_seconds
                if pair.orders is not None and outcome.error is None:
                    self.resting.append(pair)
                else:
                    pair.end()
                del self.running[number]
            self._fill()
            if told or (until is not None and time.monotonic() >= until):
                return told
        return []

    def end(self) -> None:
        """Ends what still runs; what waits does not begin."""
        self.waiting.clear()
        for pair in (*self.running.values(), *self.resting):
            pair.end()
        self.running.clear()
        self.resting.clear()

    def _fill(self) -> None:
        while self.waiting and len(self.running) < self.slots:
            number, trial = self.waiting.popleft()
            self.running[number] = self._begin(trial)

    def _begin(self, trial: Trial) -> _Pair:
        kept = self.limits == NO_LIMITS and trial.ours
        if kept:
            while self.resting:
                pair = self.resting.pop()
                if pair.lives:
                    pair.take(trial)
                    return pair
                pair.end()
            return _Pair.start_kept(trial)
        while len(self.resting) + len(self.running) >= self.slots and self.resting:
            self.resting.pop().end()  # there are never more pairs than slots
        return _Pair.start(trial, self.limits.memory)

    def _patience(self, until: float | None) -> float | None:
        """Seconds until there is something to do whether or not anybody speaks; None: there never is."""
        times = [] if until is None else [until]
        if self.limits.seconds is not None:
            times += [pair.began + self.limits.seconds for pair in self.running.values()]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _ended(self, pair: _Pair, ready: Container[Any]) -> Outcome | None:
        pair.hear_score()
        if any(sign in ready for sign in pair.trainer.signs):
            return pair.outcome(pair.hear_outcome())
        seconds = self.limits.seconds
        if seconds is not None and time.monotonic() >= pair.began + seconds:
            return pair.outcome(Died(f"was ended after the time limit of {seconds:g} s"))
        return None


class Here:
    """Trials in this process, one at a time, each when somebody listens: a `Running` without processes."""

    slots = 1
    processor_seconds = 0.0  # none but this process's own

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, Trial]] = deque()

    def submit(self, number: int, trial: Trial) -> None:
        """As `Running.submit`."""
        self.waiting.append((number, trial))

    def drop(self, numbers: Iterable[int]) -> None:
        """As `Running.drop`."""
        gone = set(numbers)
        self.waiting = deque(each for each in self.waiting if each[0] not in gone)

    def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
        """As `Running.hear`, but that the trial which it runs takes the time it takes."""
        del seconds
        if not self.waiting:
            return []
        number, trial = self.waiting.popleft()
        return [(number, run_here(trial))]


def _train(trial: Trial, memory: float | int | None, pipe: Connection, sender: Connection) -> None:
    settle(memory)
    print_to(trial.log)
    outcome = run_trial(replace(trial, log=None), scoring=lambda: RemoteSession(pipe))
    if memory is not None and outcome.error and ran_out(outcome.error):
        outcome = replace(outcome, error=f"{outcome.error}\nthe memory limit of {memory:g} GiB was reached")
    sender.send((replace(outcome, scores=None, interventions=None, beyond=None), time.process_time()))


def _score(trial: Trial, pipe: Connection, sender: Connection) -> None:
    settle(None)
    serve(trial, pipe, lambda scored: sender.send((scored, time.process_time())))
