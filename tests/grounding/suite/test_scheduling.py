"""Suites over an engine: the order in which trials end decides nothing, and nothing runs twice."""

import itertools
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.engines.errands import Errands, ErrandsHere, Found, Inspected, Told
from groundcheck.grounding.engines.inspection import Inspection
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.results.cache import TrialCache
from groundcheck.grounding.results.run_directory import Record, key_of, open_run, read_trials
from groundcheck.grounding.suite import scheduling
from groundcheck.grounding.suite.scheduling import Driven, fit_engine, schedule
from groundcheck.grounding.suite.suite import TRAINABLE, Listener, Suite, TaskRun
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial

KEPT = {"settings": {}, "environment": {}}
Order = Callable[[Sequence[int]], int]  # from the numbers of trials that run to the one that ends next


def scored(trial: Trial, grounds: bool) -> Outcome:
    reached = 0.95 if grounds or trial.role == "ceiling" else 0.05
    scores = Scores(
        task=reached, board=reached, cell=reached, unsolved=0.0, read=0.95, puzzles=100,
        raw=reached, aligned=reached, collapse=0.0, images=100,
    )  # fmt: skip
    return Outcome(trial.role, trial.task.name, trial.solver.name, trial.seed, scores)


@dataclass
class Scripted:
    """An engine whose trials end in an order of its own, one at a time; of `good` seeds a solver grounds."""

    slots: int
    order: Order = min
    good: frozenset[int] = frozenset()
    name: str = "scripted"
    submitted: list[Trial] = field(default_factory=list)
    dropped: list[Trial] = field(default_factory=list)
    waiting: dict[int, Trial] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Generator["Scripted"]:
        yield self

    def submit(self, number: int, trial: Trial) -> None:
        self.submitted.append(trial)
        self.waiting[number] = trial

    def drop(self, numbers: Iterable[int]) -> None:
        self.dropped += [self.waiting.pop(number) for number in numbers]

    def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
        if not self.waiting:
            return []
        number = self.order(sorted(self.waiting))
        trial = self.waiting.pop(number)
        return [(number, scored(trial, trial.seed in self.good))]


def suite_of(solver: str = "exact", **options: Any) -> Suite:
    run = TaskRun(Mapping(symbols=3), Training(puzzles=16, epochs=1))
    spec = SolverSpec(solver, options)
    return Suite(spec, True, [run], 12, ImageSource(), roles=("grounding", "ceiling"), checks=False)


def drive(engine: Any, *suites: Suite, record: Record | None = None, **more: Any) -> Driven:
    return schedule(suites, engine, record or Record(), more.pop("listener", Listener()), **more)


def found_by(suite: Suite) -> Any:
    return suite.report(suite.runs[0])


@pytest.mark.parametrize("good", [frozenset(), frozenset(range(12)), frozenset({0, 2, 3, 4, 6, 7, 8})])
def test_the_order_in_which_trials_end_and_how_many_run_at_once_decide_nothing(good: frozenset[int]) -> None:
    one = suite_of()
    drive(Scripted(1, good=good), one)
    for slots, order in itertools.product((2, 7), (min, max)):
        other = suite_of()
        drive(Scripted(slots, order, good), other)
        assert found_by(other) == found_by(one)


def test_idle_slots_run_what_may_be_asked_for_next_and_nothing_of_it_is_told() -> None:
    """Two seeds that fail decide: those of the third may run, and count for nothing."""
    heard: list[Outcome] = []
    engine, suite = Scripted(5, max), suite_of()
    driven = drive(engine, suite, listener=Listener(outcome=heard.append))
    assert {trial.seed for trial in engine.submitted} > {0, 1}
    assert {o.seed for o in heard} == {o.seed for o in suite.runs[0].outcomes} == {0, 1}
    assert (driven.spent.trials, driven.interrupted, driven.out_of_time) == (4, False, False)
    assert not engine.waiting
    alone = Scripted(1)
    drive(alone, suite_of())
    assert [trial.seed for trial in alone.submitted] == [0, 0, 1, 1]


def test_a_trial_of_several_suites_runs_once_and_is_told_under_the_name_of_each() -> None:
    """A ceiling trains no solver."""
    kept: list[tuple[int, str, str]] = []

    class Keeping(Record):
        def keep(self, trial: Trial, outcome: Outcome, *, number: int = 0, cached: bool = False) -> None:
            kept.append((number, trial.role, outcome.solver))

    suites = suite_of("exact"), suite_of("mlp"), suite_of("mlp", hidden=7)
    engine = Scripted(1)
    drive(engine, *suites, record=Keeping())
    ran = [(trial.role, trial.seed, trial.solver.name, *trial.solver.options) for trial in engine.submitted]
    assert len(set(ran)) == len(ran) == 2 + 3 * 2
    for number, name in enumerate(("exact", "mlp", "mlp")):
        assert [o.solver for o in suites[number].runs[0].outcomes] == [name] * 4
        assert sorted(kept).count((number, "ceiling", name)) == 2
    keys = [{key_of(t) for _, t in suite.trials_of(0) if t.role == "ceiling"} for suite in suites]
    assert keys[0] == keys[1] == keys[2]


def test_an_estimate_times_what_the_cache_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[Trial] = []
    monkeypatch.setattr(ErrandsHere, "time_steps", lambda _, trials: timed.extend(trials))
    listener = Listener(estimate=lambda _: None)

    class Known(TrialCache):
        roles: tuple[str, ...] = ("ceiling",)

        def look_up(self, trial: Trial) -> Outcome | None:
            return scored(trial, grounds=False) if trial.role in self.roles else None

    engine, cache = Scripted(1), Known(None)
    asked: dict[str, Any] = {"listener": listener, "cache": cache, "inspector": Processes(0)}
    driven = drive(engine, suite_of(), **asked)
    assert [(trial.role, trial.seed) for trial in timed] == [("grounding", 0)]
    assert {trial.role for trial in engine.submitted} == {"grounding"}
    assert driven.spent.cached_trials == 2
    cache.roles = ("ceiling", "grounding")
    timed.clear()
    drive(Scripted(1), suite_of(), **asked)
    assert timed == []


def test_after_its_time_nothing_new_begins_and_what_runs_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(scheduling.time, "monotonic", lambda: clock[0])

    class Slow(Scripted):
        def hear(self, seconds: float | None = None) -> list[tuple[int, Outcome]]:
            clock[0] += 2.0
            return super().hear(seconds)

    engine, suite = Slow(3), suite_of()
    driven = drive(engine, suite, until=1.0)
    assert driven.out_of_time
    assert len(engine.submitted) == len(suite.runs[0].outcomes) == 3
    engine = Slow(3)
    driven = drive(engine, suite_of(), until=1.0)  # it is past that now
    assert (driven.out_of_time, engine.submitted) == (True, [])
    assert not drive(Slow(3), suite_of(), until=1e9).out_of_time


def test_ctrl_c_keeps_what_was_not_asked_for_yet_and_it_does_not_run_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def interrupt(outcome: Outcome) -> None:
        if outcome.seed == 1:
            raise KeyboardInterrupt

    whole = suite_of()
    drive(Scripted(1, good=frozenset({1})), whole)
    first, suite = Scripted(6, max, frozenset({1})), suite_of()
    with open_run(folder, **KEPT, resume=False) as record:
        assert drive(first, suite, record=record, listener=Listener(outcome=interrupt)).interrupted
    ahead = read_trials(folder, file="ahead.jsonl")
    assert {outcome.seed for outcome in ahead.values()} == {2, 3}
    assert [outcome.seed for outcome in read_trials(folder).values()] == [1]
    second, suite = Scripted(1, good=frozenset({1})), suite_of()
    with open_run(folder, **KEPT, resume=True) as record:
        assert not drive(second, suite, record=record).interrupted
    assert not {key_of(trial) for trial in second.submitted} & ahead.keys()
    assert found_by(suite) == found_by(whole)
    assert not (folder / "ahead.jsonl").exists()
    assert {o.seed for o in read_trials(folder).values()} == {o.seed for o in whole.runs[0].outcomes}


def test_what_a_dropped_trial_wrote_goes(tmp_path: Path) -> None:
    class Writing(Scripted):
        def submit(self, number: int, trial: Trial) -> None:
            super().submit(number, trial)
            for path in (trial.trace, trial.log):
                assert path is not None
                path.parent.mkdir(exist_ok=True)
                path.write_text("{}\n")

    engine, suite = Writing(6), suite_of()
    with open_run(tmp_path, **KEPT, resume=False) as record:
        drive(engine, suite, record=record)
    assert engine.dropped
    assert len(engine.submitted) > 4
    for folder in ("traces", "logs"):
        assert len(list((tmp_path / folder).iterdir())) == 4


PASSED = [Found(0, Finding(check, "pass", "fine")) for check in TRAINABLE]


@dataclass
class Telling:
    told: list[Told]
    engine: Scripted
    count: int = 0
    processor_seconds: float = 0.0
    seen: list[int] = field(default_factory=list)  # trials submitted before each was told

    def inspect(self, number: int, inspection: Inspection, known: Any) -> None:
        self.count = 1

    def time_steps(self, trials: Sequence[Trial]) -> None:
        raise AssertionError("nobody asked")

    def hear(self, seconds: float | None = None) -> list[Told]:
        self.seen.append(len(self.engine.submitted))
        told = self.told.pop(0)
        self.count = 0 if isinstance(told, Inspected) else 1
        return [told]


@dataclass(frozen=True)
class Checks(Processes):
    """Checks of which one ends whenever somebody listens."""

    telling: Telling | None = None

    @contextmanager
    def errands(self) -> Generator[Errands]:
        assert self.telling is not None
        yield self.telling


def checked(*told: Told, perception: str = "lenet") -> tuple[Scripted, Suite, list[int]]:
    engine = Scripted(3)
    suite = replace(suite_of(), checks=True, perception=PerceptionSpec(perception))
    telling = Telling(list(told), engine)
    drive(engine, suite, inspector=Checks(telling=telling))
    return engine, suite, telling.seen


@pytest.mark.parametrize(("perception", "awaited"), [("my_module:Reader", 5), ("lenet", 3)])
def test_trials_begin_once_the_checks_without_which_nothing_trains_passed(
    perception: str, awaited: int
) -> None:
    """A perception of ours was tried before anything ran."""
    late = Found(0, Finding("leak/labels", "pass", "fine"))
    _, suite, seen = checked(*PASSED, late, Inspected(0), perception=perception)
    assert seen[:awaited] == [0] * awaited
    assert seen[awaited] == 3  # all slots, before the last checks ended
    assert {o.seed for o in suite.runs[0].outcomes} == {0, 1}
    assert [f.check for f in suite.runs[0].findings][: len(PASSED)] == list(TRAINABLE)


@pytest.mark.parametrize("check", TRAINABLE)
def test_what_cannot_be_trained_is_not(check: str) -> None:
    told = [*(f for f in PASSED if f.finding.check != check), Found(0, Finding(check, "fail", "bad"))]
    engine, suite, _ = checked(*told, Inspected(0), perception="my_module:Reader")
    assert engine.submitted == suite.runs[0].outcomes == []
    engine, suite, _ = checked(*told, Inspected(0))
    assert (suite.runs[0].outcomes, engine.waiting) == ([], {})


@dataclass(frozen=True)
class Local(Checks):
    """Runs trials as well, on the same slots."""

    @contextmanager
    def open(self) -> Generator[Any]:
        assert self.telling is not None
        yield self.telling.engine


def checked_here(*told: Told, slots: int = 3, perception: str = "lenet") -> tuple[Scripted, Suite, list[int]]:
    engine = Scripted(slots)
    suite = replace(suite_of(), checks=True, perception=PerceptionSpec(perception))
    telling = Telling(list(told), engine)
    drive(Local(telling=telling), suite)
    return engine, suite, telling.seen


def test_ceilings_begin_beside_the_first_checks_where_slots_stand_idle() -> None:
    """While the kernels of the solver are compiled; one of perceptions that were not tried yet does not."""
    engine, suite, seen = checked_here(*PASSED, Inspected(0))
    assert seen[0] == 2
    assert [(trial.role, trial.seed) for trial in engine.submitted[:2]] == [("ceiling", 0), ("ceiling", 1)]
    assert {(o.role, o.seed) for o in suite.runs[0].outcomes} == {
        (role, seed) for role in ("grounding", "ceiling") for seed in (0, 1)
    }
    assert len({key_of(trial) for trial in engine.submitted}) == len(engine.submitted)
    assert checked_here(*PASSED, Inspected(0), slots=1)[2][:-1] == [0] * len(PASSED)
    assert checked_here(*PASSED, Inspected(0), perception="my_module:Reader")[2][:3] == [0, 0, 0]


def test_an_estimate_times_ceilings_that_this_run_has_trained_already() -> None:
    """Those of further seeds are still to come, though the cache has the first by now."""

    @dataclass
    class Timing(Telling):
        timed: list[Trial] = field(default_factory=list)

        def time_steps(self, trials: Sequence[Trial]) -> None:
            self.timed.extend(trials)

    class Kept(TrialCache):
        found: dict[str, Outcome] = {}  # noqa: RUF012 - of this test alone

        def keep(self, trial: Trial, outcome: Outcome) -> None:
            self.found[key_of(trial)] = outcome

        def look_up(self, trial: Trial) -> Outcome | None:
            return self.found.get(key_of(trial))

        def look_up_findings(self, inspection: Inspection) -> list[Finding] | None:
            return None

    suite, cache = replace(suite_of(), checks=True), Kept(None)
    telling = Timing([*PASSED, Inspected(0)], Scripted(2))
    drive(Local(telling=telling), suite, listener=Listener(estimate=lambda _: None), cache=cache)
    assert {o.role for o in cache.found.values()} == {"ceiling", "grounding"}
    assert [(trial.role, trial.seed) for trial in telling.timed] == [("grounding", 0), ("ceiling", 0)]


@pytest.mark.parametrize("check", [name for name in TRAINABLE if name.startswith("contract/")])
def test_ceilings_of_what_cannot_be_trained_are_dropped(check: str) -> None:
    told = [Found(0, Finding(check, "fail", "bad")), *(f for f in PASSED if f.finding.check != check)]
    engine, suite, _ = checked_here(*told, Inspected(0))
    assert {trial.role for trial in engine.submitted} == {"ceiling"}
    assert (suite.runs[0].outcomes, engine.waiting) == ([], {})


def test_one_engine_fits_all_suites_or_runs_here() -> None:
    ours, outside = suite_of(), suite_of("my_module:Solver")
    here = replace(ours, spec=SolverSpec.of(lambda problem: None))
    assert fit_engine(Processes(3), [ours]) == Processes(3).fitted(ours.spec, ours.images)
    assert fit_engine(Processes(3), [ours, outside]) == Processes(3).fitted(outside.spec, ours.images)
    assert fit_engine(Processes(3), [ours, outside, here]) == Processes(0, False, None)

    class Nested(Mapping):
        """No other process could import it."""

    local = replace(ours, runs=[TaskRun(Nested(symbols=3), Training())])
    assert fit_engine(Processes(3), [ours, local]) == Processes(0, False, None)


def test_processes_and_this_process_give_the_same() -> None:
    """Really trained, twice over, by two suites at once."""
    reports: list[Any] = []
    for workers in (0, 2):
        suites = [replace(suite_of(name), seeds=1) for name in ("mlp", "exact")]
        driven = drive(Processes(workers), *suites)
        assert driven.spent.processor_seconds
        found = [found_by(suite) for suite in suites]
        reports.append([replace(f, outcomes=[replace(o, seconds=0.0) for o in f.outcomes]) for f in found])
    assert reports[0] == reports[1]
