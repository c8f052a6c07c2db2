"""Drives the trials of suites over an engine: decided in the order of seeds, with every core busy."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ...datasets.outside import is_portable
from ..checks.finding import Finding, Status
from ..engines.engine import Engine, Running
from ..engines.errands import Errands, Found, Inspected, Told
from ..engines.inspection import Inspection
from ..engines.pairs import Here
from ..engines.processes import Processes
from ..results.cache import TrialCache
from ..results.run_directory import Record, key_of
from ..results.spent import Spent
from ..trials.traces import write_trace
from ..trials.trial import Outcome, Trial
from .estimate import estimate_run
from .suite import TRAINABLE, Listener, Suite, TaskRun, identify

POLL = 0.1  # seconds between looks at the trials while checks are running
MIN_OPEN = 4  # tasks that may be under way at once, even where one trial runs at a time
NO_CACHE = TrialCache(None)


@dataclass(frozen=True)
class Driven:
    """What driving suites came to.

    Attributes:
        interrupted: Whether Ctrl-C ended it.
        out_of_time: Whether the time was over before every task was decided.
        spent: What it cost, and what came from the cache.
    """

    interrupted: bool
    out_of_time: bool
    spent: Spent


def fit_engine(engine: Processes, suites: Sequence[Suite]) -> Processes:
    """The engine with nothing left open, so that it fits every suite: see `Processes.fitted`.

    Tasks that other processes cannot be told of are solved in this one, too.
    """
    fitted = [engine.fitted(suite.spec, suite.images, suite.perception) for suite in suites]
    portable = all(is_portable(type(run.task)) for suite in suites for run in suite.runs)
    if not portable or any(not part.count for part in fitted):
        return replace(fitted[0], workers=0, isolate=False, limits=None)
    return next((part for part in fitted if part.isolate), fitted[0])


def schedule(
    suites: Sequence[Suite],
    engine: Engine,
    record: Record,
    listener: Listener,
    cache: TrialCache = NO_CACHE,
    *,
    inspector: Processes | None = None,
    train: bool = True,
    until: float | None = None,
) -> Driven:
    """Runs the checks of suites, and trials until the seeds of every task decide.

    What a suite finds is the same whatever engine runs it, and whatever runs beside it: which seeds count
    is decided in the order of the seeds. A trial that several suites ask for runs once. Slots that would
    stand idle run what the next decision may ask for; what it does not ask for is dropped.

    Args:
        suites: What to run; findings and outcomes are put into their runs. Their tasks are numbered over
            all suites, from 0: by that number the record knows them.
        engine: What runs the trials.
        record: What keeps findings and outcomes, and knows those that ended before.
        listener: Hears of findings, trials and outcomes.
        cache: Trials of earlier runs.
        inspector: What runs the checks; None: the engine, if it is of this machine.
        train: Whether anything is trained; without, only the checks run.
        until: A time of `time.monotonic`, after which nothing new begins; trials that were asked for and
            run then are waited for.

    Raises:
        UsageError: Where the engine cannot be reached.
        UnusableFileError: Where the record cannot be written.
    """
    if inspector is None:
        inspector = engine if isinstance(engine, Processes) else fit_engine(Processes(), suites)
    scheduler = _Scheduler(suites, record, listener, cache, train=train, until=until)
    began, own = time.monotonic(), time.process_time()
    processor_seconds: float | None = None
    interrupted, slots = False, 1
    try:
        with ExitStack() as stack:
            running = stack.enter_context(engine.open())
            errands = stack.enter_context(inspector.errands())
            slots = running.slots
            # What ran elsewhere may not repeat here bit by bit, and code from outside may have tampered with
            # what ran in this process.
            scheduler.keeps = isinstance(engine, Processes) and (bool(engine.count) or all_ours(suites))
            try:
                scheduler.run(running, errands, max(1, inspector.count), local=engine is inspector)
            finally:
                seconds: float | None = getattr(running, "processor_seconds", None)
                if seconds is not None:
                    processor_seconds = seconds + errands.processor_seconds + time.process_time() - own
    except KeyboardInterrupt:
        interrupted = True
    return Driven(
        interrupted=interrupted,
        out_of_time=not interrupted and any(not place.decided for place in scheduler.places),
        spent=replace(
            scheduler.spent,
            wall_seconds=time.monotonic() - began,
            processor_seconds=processor_seconds,
            slots=slots,
        ),
    )


@dataclass(eq=False)
class _Place:
    """A task of a suite on its way."""

    number: int
    suite: Suite
    run: TaskRun
    ready: bool = False  # nothing that was found forbids to train it, and the checks that could have ended
    inspected: bool = False
    inspection: Inspection | None = None  # if it runs from its first check to its last
    decided: bool = False
    planned: int = 0  # seeds below this one are asked for
    missing: dict[str, Trial] = field(default_factory=dict)  # asked for and not there yet, by key
    ahead: set[str] = field(default_factory=set)  # keys of trials that it may ask for

    @property
    def called(self) -> str:
        """What progress calls its task."""
        return self.run.heard_as or self.run.label


@dataclass(eq=False)
class _Job:
    """A trial that runs once, for whoever asks for it."""

    key: str
    trial: Trial  # with the files that it may write
    number: int | None = None  # at the engine; None: it was not submitted
    outcome: Outcome | None = None
    cached: bool = False
    kept: bool = False
    wanted: set[int] = field(default_factory=set)  # numbers of the places that ask for it, or may


class _Scheduler:
    def __init__(
        self,
        suites: Sequence[Suite],
        record: Record,
        listener: Listener,
        cache: TrialCache,
        *,
        train: bool,
        until: float | None,
    ) -> None:
        runs = [(suite, run) for suite in suites for run in suite.runs]
        self.places = [_Place(number, suite, run) for number, (suite, run) in enumerate(runs)]
        self.record, self.listener, self.cache = record, listener, cache
        self.train, self.until, self.several = train, until, len(suites) > 1
        self.jobs: dict[str, _Job] = {}
        self.flying: dict[int, _Job] = {}
        self.queue: deque[_Job] = deque()  # asked for, and not submitted
        self.open: list[_Place] = []
        self.waiting: deque[_Place] = deque(self.places)
        self.submitted, self.spent, self.keeps = 0, Spent(), False
        self.timing: list[Trial] | None = None
        self.seeds_timed = 0
        self.estimated = listener.estimate is None or not train

    def run(self, running: Running, errands: Errands, checked_at_once: int, *, local: bool) -> None:
        """Until every task is decided, or the time is over.

        Args:
            running: What runs the trials.
            errands: What runs the checks.
            checked_at_once: How many tasks may be checked at once.
            local: Whether checks take slots of trials.
        """
        self.running, self.errands, self.local = running, errands, local
        self.checked_at_once = checked_at_once
        try:
            while True:
                self.begin()
                self.estimate()
                self.submit()
                if not (self.errands.count or self.flying):
                    if not self.waiting or self.late:
                        break
                    continue
                self.hear()
        finally:
            self.close()

    @property
    def late(self) -> bool:
        """Whether nothing new may begin."""
        return self.until is not None and time.monotonic() >= self.until

    # Checks

    def begin(self) -> None:
        """Begins the checks of further tasks: a few tasks are under way at once, and finished one by one."""
        most = max(MIN_OPEN, 2 * self.running.slots)
        while self.waiting and len(self.open) < most and not self.late:
            if (self.free if self.local else self.checked_at_once - self.errands.count) <= 0:
                return
            place = self.waiting.popleft()
            self.open.append(place)
            place.run.findings.extend(self.record.findings(place.number))
            known: dict[str, Status] = {f.check: f.status for f in place.run.findings}
            place.run.built = all(known.get(check, "pass") == "pass" for check in TRAINABLE)
            place.ready = self.train and self.trainable(place)
            inspection = place.suite.inspection(place.run, self.log_of(place))
            if inspection is None:
                self.inspected(place)
            elif not known and (found := self.cache.look_up_findings(inspection)) is not None:
                for finding in found:
                    self.found(place, finding)
                self.spent = replace(self.spent, cached_checks=self.spent.cached_checks + len(found))
                self.inspected(place)
            else:
                place.inspection = None if known else inspection
                self.errands.inspect(place.number, inspection, known)

    def log_of(self, place: _Place) -> Any:
        """The file that gets what the solver prints while it is checked."""
        before = f"{place.number}-" if self.several else ""
        return self.record.logs.path(f"{before}{place.run.label}-checks")

    def found(self, place: _Place, finding: Finding) -> None:
        """Takes in what a check found."""
        run = place.run
        run.findings.append(finding)
        self.spent = replace(self.spent, checks=self.spent.checks + 1)
        run.built &= not (finding.check in TRAINABLE and finding.status != "pass")
        self.record.note(place.number, finding)
        self.listener.finding(finding)
        place.ready = self.train and self.trainable(place)

    def shows_images(self, place: _Place) -> bool:
        """Whether there is something to train on, by a perception that was tried, unless a check failed."""
        run = place.run
        return self.train and run.built and run.task.seen == "images" and place.suite.perception.ours

    @staticmethod
    def trainable(place: _Place) -> bool:
        """Whether the checks without which there is nothing to train passed, all of them.

        A perception of ours was tried on the images before anything ran (`plan_suite`): what is checked of it
        comes late, and need not be waited for.
        """
        run, ended = place.run, {f.check for f in place.run.findings}
        tried = {check for check in TRAINABLE if check.startswith("perception/")}
        needed = set(TRAINABLE) - (tried if place.suite.perception.ours else set())
        return run.built and run.task.seen == "images" and ended >= needed

    def inspected(self, place: _Place) -> None:
        """All checks of a task ended: now the trials that it asks for are known."""
        run = place.run
        if place.inspection is not None and self.keeps:
            self.cache.keep_findings(place.inspection, run.findings)
        known = not run.built or any(f.check == "identifiable" for f in run.findings)
        if not known and (finding := identify(run, [0])) is not None:
            self.found(place, finding)
        broke = any(f.status in ("fail", "error") for f in run.findings)
        self.record.logs.ended(self.log_of(place), broke=broke)
        place.inspected, place.ready = True, self.train and run.built
        self.decide(place)

    # Decisions

    def decide(self, place: _Place) -> None:
        """Asks for the trials of the next seeds, until there are none or one of them is not there yet."""
        while place.inspected and not place.missing and not place.decided:
            seeds = range(0)
            if self.train and place.run.built:
                seeds = place.suite.next_seeds(place.run)
            if not seeds:
                self.close_place(place)
                return
            place.planned = seeds.stop
            for trial in (t for seed in seeds for t in place.suite.trials(place.run, seed)):
                if (known := self.record.recall(trial)) is not None:
                    place.run.outcomes.append(named(known, trial))
                else:
                    place.missing[key_of(trial)] = trial
            if place.missing:
                missing = place.missing.values()
                self.listener.wave([replace(trial, called=place.called) for trial in missing])
            for key, trial in list(place.missing.items()):
                job = self.job(key, trial, place)
                if job.outcome is not None:
                    self.hand_over(place, job)
                elif job.number is None and job not in self.queue:
                    self.queue.append(job)

    def job(self, key: str, trial: Trial, place: _Place) -> _Job:
        """The trial as it runs for everybody, with its outcome where it is known from before."""
        if key not in self.jobs:
            job = self.jobs[key] = _Job(key, self.record.placed(trial))
            job.outcome = self.record.recall_ahead(trial)
            if job.outcome is None:
                job.outcome = self.cache.look_up(trial)
                job.cached = job.outcome is not None
        job = self.jobs[key]
        job.wanted.add(place.number)
        place.ahead.add(key)
        return job

    def hand_over(self, place: _Place, job: _Job, *, heard: bool = True) -> None:
        """Gives a place an outcome that it asked for, under the name of its own solver."""
        assert job.outcome is not None
        trial = place.missing.pop(job.key)
        outcome = named(job.outcome, trial)
        if not job.kept:
            job.kept = True
            self.record.logs.ended(job.trial.log, broke=outcome.error is not None)
            if job.cached:
                write_trace(job.trial.trace, outcome.curve)
            cached = self.spent.cached_trials + job.cached
            self.spent = replace(self.spent, trials=self.spent.trials + 1, cached_trials=cached)
        self.record.keep(trial, outcome, number=place.number, cached=job.cached)
        place.run.outcomes.append(outcome)
        if heard:
            self.listener.outcome(replace(outcome, task=place.called))

    def close_place(self, place: _Place) -> None:
        """A task is decided: what nobody else wants is dropped."""
        place.decided = True
        self.open.remove(place)
        jobs = [self.jobs[key] for key in place.ahead if key in self.jobs]
        for job in jobs:
            job.wanted.discard(place.number)
        self.drop([job for job in jobs if not job.wanted])

    def drop(self, jobs: Sequence[_Job]) -> None:
        """Nobody wants these any more; what they wrote goes."""
        gone = set(jobs)
        numbers = [number for number, job in self.flying.items() if job in gone]
        if numbers:
            self.running.drop(numbers)
        for number in numbers:
            del self.flying[number]
        for job in jobs:
            if not job.kept:
                for path in (job.trial.trace, job.trial.log):
                    with suppress(OSError):
                        if path is not None:
                            path.unlink(missing_ok=True)
                self.jobs.pop(job.key, None)

    # Trials

    @property
    def free(self) -> int:
        """How many slots run nothing: neither a trial nor, on this machine, a check."""
        return self.running.slots - len(self.flying) - (self.errands.count if self.local else 0)

    def submit(self) -> None:
        """Trials that are asked for, a few ahead of free slots; on idle slots, what may be asked for."""
        if self.late:
            self.queue.clear()
            asked = {key for place in self.open for key in place.missing}
            self.drop([job for job in self.flying.values() if job.key not in asked])
            return
        spare = 0 if self.errands.count or self.until is not None else self.running.slots
        while self.queue and self.free + spare > 0:
            self.start(self.queue.popleft())
        if self.free > 0 and not self.queue and self.running.slots > 1:
            for place, trial in self.speculated():
                key = key_of(trial)
                if self.record.recall(trial) is not None:
                    continue
                job = self.job(key, trial, place)
                if job.outcome is None and job.number is None:
                    self.start(job)
                if self.free <= 0:
                    return

    def speculated(self) -> Iterator[tuple[_Place, Trial]]:
        """The trials that the tasks under way may ask for next, early seeds first.

        Until the first checks of a solver passed only ceilings, on this machine: they do without the solver,
        whose kernels are compiled meanwhile.
        """
        seeds: list[tuple[int, _Place]] = []
        for place in self.open:
            if not place.decided and (place.ready or (self.local and self.shows_images(place))):
                further = place.suite.test.soonest(0, 0)
                most = min(place.planned + further, place.suite.at_most(place.run))
                seeds += [(seed, place) for seed in range(place.planned, most)]
        for seed, place in sorted(seeds, key=lambda each: (each[0], each[1].number)):
            for trial in place.suite.trials(place.run, seed):
                if place.ready or trial.role == "ceiling":
                    yield place, trial

    def start(self, job: _Job) -> None:
        """Hands a trial to the engine."""
        job.number = self.submitted
        self.submitted += 1
        self.flying[job.number] = job
        self.running.submit(job.number, job.trial)

    def ended(self, told: Sequence[tuple[int, Outcome]]) -> None:
        """Takes in the outcomes of trials that ran."""
        jobs: list[_Job] = []
        for number, outcome in told:
            if (job := self.flying.pop(number, None)) is not None:  # else it was dropped
                job.outcome = outcome
                jobs.append(job)
        for job in jobs:
            assert job.outcome is not None
            if self.keeps:
                self.cache.keep(job.trial, job.outcome)
            askers = [place for place in self.open if job.key in place.missing]
            if not askers:
                self.record.set_ahead(job.trial, job.outcome)
            for place in askers:
                self.hand_over(place, job)
            for place in askers:
                self.decide(place)

    # Hearing

    def hear(self) -> None:
        """Waits for something to happen, and takes it in."""
        patience = None if self.until is None or self.late else max(0.0, self.until - time.monotonic())
        if self.errands.count:
            for told in self.errands.hear(0.0 if self.flying else patience):
                self.told(told)
            patience = POLL if self.errands.count else 0.0
        if self.flying:
            self.ended(self.running.hear(patience))

    def told(self, told: Told) -> None:
        """Takes in what an errand found."""
        if isinstance(told, Found):
            self.found(self.places[told.number], told.finding)
        elif isinstance(told, Inspected):
            self.inspected(self.places[told.number])
        elif self.timing is not None and self.listener.estimate is not None:
            self.record.logs.ended(self.timing[0].log, broke=False)
            most = max(place.suite.seeds for place in self.places)
            workers = 0 if isinstance(self.running, Here) else self.running.slots
            if known := estimate_run(self.timing, told.steps, self.seeds_timed, most, workers):
                self.listener.estimate(known)

    def estimate(self) -> None:
        """Begins to time a few steps of each trial of a seed, once it is known what can be trained.

        Not where trials of this run ended before: they tell better. Those that the cache had take no time,
        and neither, as a rule, do theirs of further seeds.
        """
        if self.estimated or any(not (place.ready or place.inspected) for place in self.open):
            return
        self.estimated = True
        places = [place for place in self.open if place.ready]
        trials = [trial for place in places for trial in place.suite.trials(place.run, 0)]
        if not trials or any(self.record.recall(trial) is not None for trial in trials):
            return
        trials = [trial for trial in trials if not self.was_cached(trial)]
        if not trials:
            return
        log = self.record.logs.path("timing")
        self.timing = [replace(trial, log=log) for trial in trials]
        self.seeds_timed = max(place.planned or place.suite.test.soonest(0, 0) for place in places)
        self.errands.time_steps(self.timing)

    def was_cached(self, trial: Trial) -> bool:
        """Whether its outcome is from an earlier run; one that this run put into the cache is not."""
        job = self.jobs.get(key_of(trial))
        return self.cache.look_up(trial) is not None if job is None else job.cached

    def close(self) -> None:
        """When nothing runs any more: what nobody asked for goes, unless the run may be continued."""
        if all(place.decided for place in self.places):
            self.drop([job for job in self.jobs.values() if not job.kept])
            self.record.clear_ahead()
            return
        for place in self.open:  # Ctrl-C may have come between outcomes that were told together
            for job in [self.jobs[key] for key in place.missing if key in self.jobs]:
                if job.outcome is not None:
                    self.hand_over(place, job, heard=False)


def all_ours(suites: Sequence[Suite]) -> bool:
    """Whether no code from outside takes part in any trial of these suites."""
    return all(trial.ours for suite in suites for _, trial in suite.trials_of(0))


def named(outcome: Outcome, trial: Trial) -> Outcome:
    """An outcome as that of a trial: a ceiling that ran for another solver is told under this one's name."""
    if outcome.solver == trial.solver.name:
        return outcome
    return replace(outcome, solver=trial.solver.name)
