"""Which change makes a solver ground: from small changes to larger ones, confirmed on other seeds."""

import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from ...solvers.extras import Extra
from ..engines.engine import Engine
from ..engines.processes import Processes
from ..perception.spec import Factory as PerceptionFactory
from ..perception.spec import PerceptionSpec
from ..results.cache import TrialCache
from ..results.environment import environment
from ..results.run_directory import Record, open_run
from ..suite.budget import MAX_SEEDS, Budget
from ..suite.scheduling import all_ours, fit_engine, schedule
from ..suite.suite import Listener, Suite, plan_suite
from ..trials.spec import Factory, SolverSpec
from ..trials.trial import Role
from .axes import Axis, Changes, axes_of, reader_of
from .choosing import Chooser, OutOfTimeError
from .record import AxisFigures, ChoiceSeed, Confirmation, Remedy, Tried, rank

OPTUNA = Extra("optuna", "Optuna", "remedy")
CHOICE_SEEDS = 2  # that a configuration is chosen on
FIRST_CHOICE = 1000  # of these seeds for search seed 0: more than any that confirms
TOGETHER = 4  # configurations, at least, that are tried before the next are chosen
PER_SIZE = 24  # combinations of a size, from two changes on
MAX_CHANGES = 4
ROLES: tuple[Role, ...] = ("grounding", "baseline", "ceiling")  # what a verdict rests on


def find_remedy(
    solver: "str | Factory | SolverSpec",
    *,
    task: str | Task = "mapping",
    images: str | ImageSource | Callable[..., Any] = "digits",
    perception: "str | PerceptionFactory | PerceptionSpec" = "lenet",
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    seconds: float | None = None,
    per_size: int = PER_SIZE,
    changes: int = MAX_CHANGES,
    only: Sequence[str] = (),
    engine: Engine | None = None,
    cache: TrialCache | None = None,
    listener: Listener | None = None,
    told: Callable[[str], None] = lambda _: None,
    run: str | Path | None = None,
    resume: bool = False,
) -> Remedy:
    """Searches the smallest change of settings under which a solver grounds.

    First the solver as it is, then every change of one setting, then combinations of two, three and more
    that Optuna proposes. A configuration runs on one seed of the choice, and on the others where it grounds
    on that; one that grounds on all of them is put to the suite's sequential test on seeds 0, 1, … The search
    ends with the first that is GROUNDED there; changes of one setting are all tried first.

    Deterministic in `seed` and in how many trials run at once, where no time ends it.

    Args:
        solver: As `check` takes it.
        task: A name, `module:attribute` or `file.py:attribute`, or a task with settings of its own.
        images: As `check` takes it.
        perception: As `check` takes it.
        settings: By name, for the task, solver or training: they stay as they are.
        epochs: Of a trial, as it is; None leaves the task its own.
        seed: Of the search and of the seeds of the choice.
        seconds: After which no trial begins; None: as many as it takes.
        per_size: How many combinations of a size are tried, from two changes on.
        changes: How many settings may differ at most.
        only: The settings that may differ; () for all there are.
        engine: Where trials run; None: processes of this machine.
        cache: Trials of earlier runs; None: none are looked up, none kept.
        listener: Hears of trials and outcomes.
        told: Hears in a sentence what the search is at.
        run: A folder that keeps every trial as it ends; None: a temporary one.
        resume: Continue the search in that folder.

    Raises:
        MissingExtraError: Where Optuna is not installed.
        UsageError: For what cannot be meant, and where a ceiling lets nothing be chosen.
        DataUnavailableError: For missing or damaged images.
    """
    OPTUNA.load()
    for name, number, least in (("per_size", per_size, 0), ("changes", changes, 1), ("seed", seed, 0)):
        if number < least:
            raise UsageError(f"{name}={number}: it is a whole number of at least {least}")
    began = time.monotonic()
    source = ImageSource.of(images)
    base = dict(settings or {})

    def planned(more: Changes) -> Suite:
        changed, reader = reader_of(more, PerceptionSpec.of(perception))
        every = {**({} if epochs is None else {"epochs": epochs}), **base, **changed}
        suite = plan_suite(solver, [task], source, Budget(MAX_SEEDS, settings=every), reader)
        return replace(suite, roles=ROLES, checks=False)

    usual = planned({})
    [only_run] = usual.runs
    if only_run.task.seen != "images":
        raise UsageError(f"{only_run.label} is seen as symbols: there is nothing to ground")
    fixed = base if epochs is None else {**base, "epochs": epochs}
    axes = chosen_axes(axes_of(usual, fixed), only)
    first = FIRST_CHOICE + CHOICE_SEEDS * seed
    choice = list(range(first, first + CHOICE_SEEDS))
    engine = engine or Processes()
    if isinstance(engine, Processes):
        engine = fit_engine(engine, [usual])
    asked = {
        **usual.asked, "images_digest": source.load().digest, "remedy": {
            "seed": seed, "per_size": per_size, "changes": changes,
            "axes": {axis.name: list(axis.values) for axis in axes},
        },
    }  # fmt: skip
    until = None if seconds is None else began + seconds
    listener = listener or Listener()
    with _folder(run) as folder, open_run(folder, asked, environment(source.device), resume=resume) as record:
        search = _Search(
            planned, usual, axes, choice, engine, record, cache or TrialCache(None), listener, told, until,
            seed, per_size, changes,
        )  # fmt: skip
        search.run()
        if (printed := record.logs.close()) is not None and run is not None:
            listener.printed(printed)
        found = Remedy(
            solver=usual.spec.name,
            task=only_run.label,
            images=source.name,
            settings=fixed,
            seed=seed,
            choice_seeds=choice,
            tried=search.tried,
            axes=search.figures(),
            out_of_time=search.out_of_time,
            interrupted=search.interrupted,
            budget=seconds,
            seconds=time.monotonic() - began,
        )
        record.finish({"remedy": found, "interrupted": found.interrupted or found.out_of_time})
    return found


def chosen_axes(axes: Sequence[Axis], only: Sequence[str]) -> list[Axis]:
    """Those that a user named. Raises `UsageError` for a name that none has, or where none is left."""
    known = [axis.name for axis in axes]
    if unknown := [name for name in only if name not in known]:
        raise UsageError(f"nothing to change is called {unknown[0]!r}: known are {', '.join(known)}")
    found = [axis for axis in axes if not only or axis.name in only]
    if not found:
        raise UsageError("every setting that may be changed is set: leave one out of --set")
    return found


@contextmanager
def _folder(run: str | Path | None) -> Generator[Path]:
    if run is not None:
        yield Path(run)
        return
    with tempfile.TemporaryDirectory(prefix="groundcheck-remedy-") as folder:
        yield Path(folder)


@dataclass
class _Search:
    planned: Callable[[Changes], Suite]
    usual: Suite
    axes: list[Axis]
    choice: list[int]
    engine: Engine
    record: Record
    cache: TrialCache
    listener: Listener
    told: Callable[[str], None]
    until: float | None
    seed: int
    per_size: int
    most_changes: int
    tried: list[Tried] = field(default_factory=list)
    out_of_time: bool = False
    interrupted: bool = False

    def run(self) -> None:
        """Until a change is confirmed, all were tried, the time is over, or Ctrl-C."""
        from .study import Search  # noqa: PLC0415 - Optuna, an extra

        self.search = Search(self.axes, self.seed)
        try:
            with self.engine.open() as running:
                keeps = isinstance(self.engine, Processes) and all_ours([self.usual])
                self.chooser = Chooser(
                    running, self.record, self.cache, keeps, self.listener, self.usual, self.until
                )
                self.together = max(TOGETHER, running.slots)
                self.chooser.prepare(self.choice)
                self.sizes()
        except OutOfTimeError:
            self.out_of_time = True
        except KeyboardInterrupt:
            self.interrupted = True

    def sizes(self) -> None:
        """The solver as it is, changes of one setting, of two, …"""
        self.told("the solver as it is")
        self.attempt([self.search.ask_for({})])
        if self.tried[0].grounded:
            return
        singles = interleaved(self.axes)
        self.told(f"{len(singles)} changes of one setting")
        for start in range(0, len(singles), self.together):
            self.attempt([self.search.ask_for(each) for each in singles[start : start + self.together]])
        for size in range(2, self.most_changes + 1):
            if any(each.grounded for each in self.tried):
                return
            self.told(f"combinations of {size} settings; best so far: {rank(self.tried)[0].told}")
            left = self.per_size
            while left > 0 and not any(each.grounded for each in self.tried):
                asked = [self.search.ask(size) for _ in range(min(left, self.together))]
                left -= len(asked)
                self.attempt([each for each in asked if each is not None])
                if None in asked:
                    break

    def attempt(self, asked: Sequence[Any]) -> None:
        """Tries configurations together: on the first seed of the choice, and those that ground on further
        ones; then each that grounds on all is confirmed.
        """
        suites: list[Suite] = []
        kept: list[Any] = []
        for each in asked:
            try:
                suites.append(self.planned(each.changes))
                kept.append(each)
            except UsageError:  # settings that cannot be meant together
                each.withdraw()
        seeds: list[list[ChoiceSeed]] = [[] for _ in kept]
        standing = list(range(len(kept)))
        for number, seed in enumerate(self.choice):
            watched = [kept[n] for n in standing] if number == 0 else None
            scored = self.chooser.score([suites[n] for n in standing], seed, watched)
            for place, found in zip(standing, scored, strict=True):
                seeds[place].append(found)
            standing = [n for n in standing if seeds[n][-1].verdict == "GROUNDED"]
        found = [Tried(dict(each.changes), seeds[n], passed=n in standing) for n, each in enumerate(kept)]
        for each, one in zip(kept, found, strict=True):
            each.tell(one.score, stopped=one.stopped)
        self.tried += found
        for one in rank([one for one in found if one.passed]):
            if any(each.grounded and len(each.changes) <= len(one.changes) for each in self.tried):
                return
            place = self.tried.index(one)
            self.told(f"confirming {one.told} on seeds 0, 1, …")
            self.tried[place] = replace(one, confirmation=self.confirm(one))

    def confirm(self, one: Tried) -> Confirmation | None:
        """What the suite's sequential test says of it on seeds that nothing was chosen on."""
        suite = self.planned(one.changes)
        driven = schedule([suite], self.engine, self.record, self.listener, self.cache, until=self.until)
        [run] = suite.runs
        judged = suite.report(run).judgement
        if driven.interrupted:
            raise KeyboardInterrupt
        if driven.out_of_time:
            self.out_of_time = True
        if not judged.seeds:
            raise OutOfTimeError
        return Confirmation(
            judged.verdict, judged.grounded, judged.failed, judged.seeds, judged.reason,
            decided=not driven.out_of_time,
        )  # fmt: skip

    def figures(self) -> list[AxisFigures]:
        """How much each axis matters, the most important first."""
        shares = self.search.importances()
        found: list[AxisFigures] = []
        for axis in self.axes:
            alone = [t for t in self.tried if list(t.changes) == [axis.name] and not t.stopped]
            best = max(alone, key=lambda t: t.score, default=None)
            found.append(
                AxisFigures(
                    axis.name,
                    axis.usual,
                    list(axis.values),
                    shares.get(axis.name),
                    best.score if best else None,
                    best.changes[axis.name] if best else None,
                )
            )
        return sorted(found, key=lambda f: -(f.importance or 0.0))


def interleaved(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Every change of one setting: the first value of each axis, then the second, …"""
    rounds = zip_longest(*([{axis.name: value} for value in axis.values] for axis in axes if not axis.needs))
    return [each for each in chain.from_iterable(rounds) if each is not None]
