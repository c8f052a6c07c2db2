"""What is asked beside the trials: the checks of a task, and how long a step takes. In processes, or here."""

import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, runtime_checkable

from ..checks.finding import Finding, Status
from ..trials.printed import print_to, printed_to
from ..trials.timing import seconds_per_step
from ..trials.trial import Trial
from .children import Died, Limits, Worker, ran_out, settle
from .inspection import Inspection


@dataclass(frozen=True)
class Found:
    """A finding of the inspection of that number."""

    number: int
    finding: Finding


@dataclass(frozen=True)
class Inspected:
    """The inspection of that number is over."""

    number: int


@dataclass(frozen=True)
class Timed:
    """Seconds of a training step, by the number of the trial; those that could not be taken are left out."""

    steps: dict[int, float]


Told = Found | Inspected | Timed


@runtime_checkable
class Errands(Protocol):
    """Runs inspections and timings beside the trials."""

    processor_seconds: float  # of processes that ended

    @property
    def count(self) -> int:
        """How many are on their way."""
        ...

    def inspect(self, number: int, inspection: Inspection, known: Mapping[str, Status]) -> None:
        """Begins the checks of a task, under a number; `known` are those that ran already."""
        ...

    def time_steps(self, trials: Sequence[Trial]) -> None:
        """Begins to take a few steps of each trial."""
        ...

    def hear(self, seconds: float | None = None) -> list[Told]:
        """What was found since; waits for the first, at most so many seconds."""
        ...


class ErrandsHere:
    """In this process, step by step, when somebody listens."""

    processor_seconds = 0.0  # none but this process's own

    def __init__(self) -> None:
        self.begun: deque[Iterator[Told]] = deque()

    @property
    def count(self) -> int:
        """As `Errands.count`."""
        return len(self.begun)

    def inspect(self, number: int, inspection: Inspection, known: Mapping[str, Status]) -> None:
        """As `Errands.inspect`."""
        self.begun.append(_inspect_here(number, inspection, known))

    def time_steps(self, trials: Sequence[Trial]) -> None:
        """As `Errands.time_steps`."""
        self.begun.append(_time_here(trials))

    def hear(self, seconds: float | None = None) -> list[Told]:
        """As `Errands.hear`, but that the check which it runs takes the time it takes."""
        del seconds
        while self.begun:
            told = next(self.begun[0], None)
            if told is None:
                self.begun.popleft()
                continue
            if not isinstance(told, Found):
                self.begun.popleft()
            return [told]
        return []


class ErrandsApart:
    """Each in a process of its own.

    A check that ends its process, or goes beyond the limits, is an error that names the cause; the checks
    after it run in a new process.

    Args:
        limits: Of each check.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.processor_seconds = 0.0
        self.running: list[_Inspecting | _Timing] = []

    @property
    def count(self) -> int:
        """As `Errands.count`."""
        return len(self.running)

    def inspect(self, number: int, inspection: Inspection, known: Mapping[str, Status]) -> None:
        """As `Errands.inspect`."""
        self.running.append(_Inspecting(number, inspection, self.limits, dict(known)))

    def time_steps(self, trials: Sequence[Trial]) -> None:
        """As `Errands.time_steps`."""
        self.running.append(_Timing(list(trials), self.limits))

    def hear(self, seconds: float | None = None) -> list[Told]:
        """As `Errands.hear`; nothing at once where nothing runs."""
        until = None if seconds is None else time.monotonic() + seconds
        while self.running:
            times = [] if until is None else [until]
            times += [errand.expires for errand in self.running if errand.expires is not None]
            patience = max(0.0, min(times) - time.monotonic()) if times else None
            ready = set(wait([sign for errand in self.running for sign in errand.worker.signs], patience))
            told: list[Told] = []
            for errand in list(self.running):
                said: Any = None
                if ready & set(errand.worker.signs):
                    said = errand.worker.read()
                elif errand.expires is not None and time.monotonic() >= errand.expires:
                    said = Died(f"was ended after the time limit of {self.limits.seconds:g} s")
                else:
                    continue
                errand.heard = time.monotonic()
                told += errand.take(said)
                if errand.over:
                    errand.worker.end()
                    self.processor_seconds += errand.processor_seconds
                    self.running.remove(errand)
            if told or (until is not None and time.monotonic() >= until):
                return told
        return []

    def end(self) -> None:
        """Ends what still runs."""
        for errand in self.running:
            errand.worker.end()
        self.running.clear()


def examine(
    inspection: Inspection, limits: Limits, known: Mapping[str, Status] | None = None
) -> Generator[Finding]:
    """The findings of an inspection, made in a process of its own; `known` are checks that ran already."""
    errands = ErrandsApart(limits)
    try:
        errands.inspect(0, inspection, known or {})
        while told := errands.hear():
            yield from (each.finding for each in told if isinstance(each, Found))
    finally:
        errands.end()


def time_steps(trials: Sequence[Trial], limits: Limits) -> dict[int, float]:
    """Seconds of a training step of each trial, taken in a process of its own, by number.

    Those that a broken or hanging solver keeps from being taken are left out.
    """
    errands = ErrandsApart(limits)
    try:
        errands.time_steps(trials)
        return next((told.steps for told in errands.hear() if isinstance(told, Timed)), {})
    finally:
        errands.end()


@dataclass
class _Errand:
    """A process, and what it was sent for."""

    limits: Limits
    worker: Worker = field(init=False)
    heard: float = field(default_factory=time.monotonic)  # when it last said something
    processor_seconds: float = 0.0
    over: bool = False

    @property
    def expires(self) -> float | None:
        """When it has been silent for too long."""
        return None if self.limits.seconds is None else self.heard + self.limits.seconds


class _Inspecting(_Errand):
    def __init__(self, number: int, inspection: Inspection, limits: Limits, known: dict[str, Status]) -> None:
        super().__init__(limits)
        self.number, self.inspection, self.known = number, inspection, known
        self._begin()

    def _begin(self) -> None:
        self.current, self.spoke = "contract/build", False
        self.worker = Worker.start(_inspect, (self.inspection, dict(self.known), self.limits.memory))

    def take(self, said: Any) -> list[Told]:
        """What follows from a word of the process."""
        if isinstance(said, Died):
            self.known[self.current] = "error"
            label = self.inspection.label or self.inspection.task.name
            finding = Finding(
                self.current,
                "error",
                f"the process of this check {said.cause}",
                "Try this check by itself, in a process that you can watch.",
                task=label,
            )
            self.over = not self.spoke  # nor would another process
            if self.over:
                return [Found(self.number, finding), Inspected(self.number)]
            self.worker.end()
            self._begin()
            return [Found(self.number, finding)]
        self.spoke = True
        if isinstance(said, Finding):
            self.known[self.current] = said.status
            return [Found(self.number, said)]
        if isinstance(said, str):
            self.current = said
            return []
        self.processor_seconds += said
        self.over = True
        return [Inspected(self.number)]


class _Timing(_Errand):
    def __init__(self, trials: list[Trial], limits: Limits) -> None:
        super().__init__(limits)
        self.count, self.steps, self.number = len(trials), dict[int, float](), 0
        self.worker = Worker.start(_time, (trials, limits.memory))

    def take(self, said: Any) -> list[Told]:
        """What follows from a word of the process."""
        if not isinstance(said, Died):
            seconds, self.processor_seconds = said
            if seconds is not None:
                self.steps[self.number] = seconds
            self.number += 1
        self.over = isinstance(said, Died) or self.number == self.count
        return [Timed(self.steps)] if self.over else []


def _inspect_here(number: int, inspection: Inspection, known: Mapping[str, Status]) -> Iterator[Told]:
    for finding in inspection.findings(known=known):
        yield Found(number, finding)
    yield Inspected(number)


def _time_here(trials: Sequence[Trial]) -> Iterator[Told]:
    steps: dict[int, float] = {}
    for number, trial in enumerate(trials):
        with printed_to(trial.log):
            if (seconds := seconds_per_step(trial)) is not None:
                steps[number] = seconds
    yield Timed(steps)


def _inspect(
    inspection: Inspection, known: dict[str, Status], memory: float | int | None, sender: Connection
) -> None:
    settle(memory)
    print_to(inspection.log)
    inspection = replace(inspection, log=None)
    for finding in inspection.findings(known=known, starting=sender.send):
        if memory is not None and finding.status in ("fail", "error") and ran_out(finding.reason):
            reason = f"{finding.reason}: the memory limit of {memory:g} GiB was reached"
            sender.send(replace(finding, status="error", reason=reason))
        else:
            sender.send(finding)
    sender.send(time.process_time())


def _time(trials: Sequence[Trial], memory: float | int | None, sender: Connection) -> None:
    settle(memory)
    for trial in trials:
        print_to(trial.log)
        sender.send((seconds_per_step(trial), time.process_time()))
