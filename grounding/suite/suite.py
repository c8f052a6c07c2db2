"""The suite: every check of a solver on every task, seeds until they decide, one report."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from ...datasets.catalogue import TASKS
from ...datasets.images import load_images
from ...datasets.task import Task
from ..checks.finding import Finding, Status
from ..checks.identifiable import check_identifiable, check_relabellings
from ..checks.registry import Check
from ..checks.trained import Trained, check_trained
from ..measures.identifiability import Identifiability
from ..measures.statistics import SequentialTest
from ..results.environment import environment
from ..results.report import Report, TaskReport
from ..results.run_directory import Record, open_run
from ..trials.budget import budget_for
from ..trials.spec import Factory, SolverSpec
from ..trials.training import Training
from ..trials.trial import Outcome, Role, Trial
from ..verdict import judge
from .inspection import Inspection
from .processes import NO_LIMITS, OUTSIDE_LIMITS, Limits, examine, run_trials
from .settings import apply_settings

DEFAULT_TASKS = ("mapping", "sudoku")
MAX_SEEDS = 12
ROLES: tuple[Role, ...] = ("grounding", "baseline", "ceiling", "reasoning")
BASELINE = SolverSpec("mlp")


@dataclass
class Listener:
    """Hears what happens while a suite runs; each hook may be replaced."""

    finding: Callable[[Finding], None] = lambda _: None
    wave: Callable[[Sequence[Trial]], None] = lambda _: None  # trials that are about to run
    outcome: Callable[[Outcome], None] = lambda _: None


@dataclass
class TaskRun:
    """One task of a suite on its way: its budget, and what has come of it so far."""

    task: Task
    training: Training
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    built: bool = True
    identified: dict[int, Identifiability] = field(default_factory=dict)  # of the training puzzles, by seed

    def of(self, role: Role) -> list[Outcome]:
        """Outcomes of a role, by seed."""
        return sorted((o for o in self.outcomes if o.role == role), key=lambda o: o.seed)


def check(
    solver: "str | Factory | SolverSpec",
    *,
    tasks: Sequence[str | Task] = DEFAULT_TASKS,
    images: str = "digits",
    data_root: str | Path | None = None,
    download: bool = False,
    seeds: int = MAX_SEEDS,
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    workers: int | None = None,
    listener: Listener | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    isolate: bool | None = None,
    limits: Limits | None = None,
    train: bool = True,
    expect: Sequence[str] = (),
) -> Report:
    """Checks a solver: contract, leaks, and training end to end on every task until the seeds decide.

    `solver` is a name (`satnet`), `package.module:attribute`, or a callable `Problem -> nn.Module`. Each
    seed trains the solver, the same network without logic, the ceiling of the same perception, and the
    solver on true symbols. Seeds are 0, 1, … at most `seeds`; Wald's test stops them. `settings` go to
    the task, solver or training that knows their name. `workers` is the number of processes (by default
    one per core; 0: none, everything here); it changes nothing but the time. `run` is a folder that keeps
    every trial as it ends; with `resume` a run that was broken off there runs what is missing. With
    `isolate`, checks and trials run in processes with `limits` of time and memory, so that a solver that
    hangs or ends its process costs no more than that trial; by default where the solver is not ours.
    `expect` are ids of checks that are expected to fail; they do not count.
    Without `train` only the checks run that need no training end to end, and no verdict comes of it.

    Raises `UnknownNameError` or `ValueError` for what cannot be meant, `DataUnavailableError` for missing
    images. On Ctrl-C it returns what was found so far, with `interrupted` set.
    """
    listener = listener or Listener()
    if seeds < 1:
        raise ValueError(f"seeds={seeds}: at least 1 is needed, and 2 failures or 6 successes decide")
    spec = SolverSpec.of(solver)
    rules_given = getattr(spec.load(), "rules", "learned") == "given"
    chosen = [TASKS.load(task)() if isinstance(task, str) else task for task in tasks]
    budgets = [budget_for(task, epochs) for task in chosen]
    chosen, spec, budgets = apply_settings(settings or {}, chosen, spec, budgets)
    runs = [TaskRun(task, budget) for task, budget in zip(chosen, budgets, strict=True)]
    loaded = load_images(images, data_root, download=download, device=device)
    for task in chosen:
        for seed in range(seeds):
            loaded.require(task.drawn(seed))
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if device != "cpu" or not spec.portable:
        workers = 0

    isolate = spec.portable and (isolate if isolate is not None else not spec.ours)
    bounds = (limits or OUTSIDE_LIMITS) if isolate else NO_LIMITS
    workers = max(1, workers) if isolate else workers

    suite = Suite(spec, rules_given, runs, seeds, images, data_root, device)
    around = environment(device)
    with open_run(run, {**suite.asked, "images_digest": loaded.digest}, around, resume=resume) as record:
        interrupted = False
        try:
            for number, task_run in enumerate(runs):
                root = None if data_root is None else Path(data_root)
                inspection = Inspection(spec, task_run.task, task_run.training, images, root, device)
                task_run.findings.extend(record.findings(number))
                for finding in inspect(task_run, inspection, bounds if isolate else None):
                    task_run.findings.append(finding)
                    record.note(number, finding)
                    listener.finding(finding)
            while train and (wave := suite.wave()):
                run_wave(wave, workers, record, listener, bounds)
        except KeyboardInterrupt:
            interrupted = True
        report = suite.whole(loaded.digest, around, interrupted=interrupted)
        report = replace(report, expect=list(expect))
        record.finish(report.as_dict())
    return report


def run_wave(
    wave: Sequence[tuple[TaskRun, Trial]],
    workers: int,
    record: Record,
    listener: Listener,
    limits: Limits = NO_LIMITS,
) -> None:
    """Runs the trials of a wave that the record does not have yet, and keeps each as it ends."""
    missing: list[tuple[TaskRun, Trial]] = []
    for run, trial in wave:
        if (known := record.recall(trial)) is None:
            missing.append((run, replace(trial, trace=record.trace(trial))))
        else:
            run.outcomes.append(known)
    listener.wave([trial for _, trial in missing])

    def ended(index: int, outcome: Outcome) -> None:
        run, trial = missing[index]
        record.keep(trial, outcome)
        run.outcomes.append(outcome)
        listener.outcome(outcome)

    run_trials([trial for _, trial in missing], workers, ended, limits)


def inspect(run: TaskRun, inspection: Inspection, limits: Limits | None) -> Iterator[Finding]:
    """The checks that need no end-to-end training; where there are limits, in processes of their own.

    Those that a continued run has findings of already do not run again.
    """
    known: dict[str, Status] = {f.check.removesuffix(f"/{run.task.name}"): f.status for f in run.findings}
    run.built = known.get("contract/build", "pass") == "pass"
    running = inspection.findings(known=known) if limits is None else examine(inspection, limits, known)
    for finding in running:
        run.built &= not (finding.check.startswith("contract/build") and finding.status != "pass")
        yield finding
    if run.built and "identifiable" not in known and (finding := identify(run, [0])) is not None:
        yield finding


def identify(run: TaskRun, seeds: Sequence[int]) -> Finding | None:
    """Which relabellings the training puzzles of each seed leave open; their verdicts rest on that."""
    for seed in seeds:
        task = run.task.drawn(seed)
        if task.seen != "images" or task.problem.rules is None:
            return None
        if seed not in run.identified:
            puzzles = task.generate("train", run.training.puzzles, seed)
            finding, found = check_relabellings(task, puzzles)
            if found is None:
                return finding
            run.identified[seed] = found
    return Check("identifiable", check_identifiable).run([run.identified[s] for s in seeds], run.task.name)


def _mean_task(outcomes: Sequence[Outcome]) -> float | None:
    scored = [outcome.scores.task for outcome in outcomes if outcome.scores is not None]
    return fmean(scored) if scored else None


@dataclass
class Suite:
    """Which trials come next, and what they amount to."""

    spec: SolverSpec
    rules_given: bool
    runs: list[TaskRun]
    seeds: int
    images: str
    data_root: str | Path | None
    device: str
    test: SequentialTest = field(default_factory=SequentialTest)
    roles: tuple[Role, ...] = ROLES  # those that the verdict rests on are "grounding" and "ceiling"

    @property
    def asked(self) -> dict[str, Any]:
        """Everything that decides what this suite finds, for the record of a run."""
        return {
            "solver": self.spec.name,
            "options": dict(self.spec.options),
            "rules": "given" if self.rules_given else "learned",
            "images": self.images,
            "device": self.device,
            "seeds": self.seeds,
            "tasks": [
                {
                    "task": run.task.name,
                    "version": run.task.version,
                    "settings": run.task.settings,
                    "training": run.training.settings,
                }
                for run in self.runs
            ],
        }

    def whole(self, images_digest: str, environment: dict[str, Any], *, interrupted: bool) -> Report:
        """The report on every task."""
        return Report(
            solver=self.spec.name,
            options=dict(self.spec.options),
            rules="given" if self.rules_given else "learned",
            images=self.images,
            images_digest=images_digest,
            device=self.device,
            environment=environment,
            tasks=[self.report(run) for run in self.runs],
            interrupted=interrupted,
        )

    def wave(self) -> list[tuple[TaskRun, Trial]]:
        """The trials of the fewest further seeds that could decide, over all tasks; empty when all did."""
        return [
            (run, self._trial(run, role, solver, seed))
            for run in self.runs
            if run.built
            for seed in self._next_seeds(run)
            for role, solver in self._roles(run.task)
        ]

    def trials_of(self, seed: int) -> list[tuple[TaskRun, Trial]]:
        """Every trial that a seed may call for."""
        return [
            (run, self._trial(run, role, solver, seed))
            for run in self.runs
            for role, solver in self._roles(run.task)
        ]

    def report(self, run: TaskRun) -> TaskReport:
        """What a task amounts to so far; seeds that lack a trial, after Ctrl-C, do not count."""
        complete = self._complete(run)
        findings = list(run.findings)
        if complete and run.built and (finding := identify(run, sorted(complete))) is not None:
            findings = [f for f in findings if f.check != finding.check] + [finding]
        leaks = [f.reason for f in run.findings if f.check.startswith("leak/") and f.status == "fail"]
        if run.task.supervision == "leaky":  # whatever the solver makes of them
            leaks.append("leaky supervision hands the labels of the givens to the training loss")
        unbuilt = next(
            (f for f in run.findings if f.check.startswith("contract/build") and f.status != "pass"), None
        )
        judgement = judge(
            [o for o in run.of(self._subject(run.task)) if o.seed in complete],
            [o for o in run.of("ceiling") if o.seed in complete],
            self.test,
            rules_given=self.rules_given,
            leak=next(iter(leaks), None),
            broken=unbuilt and unbuilt.reason,
            lacking=unbuilt.reason if unbuilt and unbuilt.status == "skip" else None,
            on_symbols=_mean_task([o for o in run.of("reasoning") if o.seed in complete]),
            identified=run.identified,
        )
        counted = [o for o in run.outcomes if o.seed in complete]
        trained = Trained(judgement, counted, symbols_only=run.task.seen == "symbols")
        return TaskReport(
            task=run.task.name,
            version=run.task.version,
            settings=run.task.settings,
            training=run.training.settings,
            judgement=judgement,
            findings=[*findings, *(check_trained(trained, run.task.name) if counted else [])],
            outcomes=sorted(run.outcomes, key=lambda o: (o.seed, ROLES.index(o.role))),
        )

    def _subject(self, task: Task) -> Role:
        return "grounding" if task.seen == "images" else "reasoning"

    def _roles(self, task: Task) -> list[tuple[Role, SolverSpec]]:
        if task.seen == "symbols":
            return [("reasoning", self.spec)]
        roles: list[tuple[Role, SolverSpec]] = [
            (role, BASELINE if role == "baseline" else self.spec) for role in self.roles
        ]
        return [(role, solver) for role, solver in roles if role != "baseline" or self.spec != BASELINE]

    def _complete(self, run: TaskRun) -> set[int]:
        done = {(o.role, o.seed) for o in run.outcomes}
        roles = [role for role, _ in self._roles(run.task)]
        return {seed for _, seed in done if all((role, seed) in done for role in roles)}

    def _next_seeds(self, run: TaskRun) -> range:
        done = len(self._complete(run))
        if run.task.seen == "symbols":  # nothing to decide about grounding: two seeds show what it can do
            return range(done, min(self.seeds, 2))
        judged = self.report(run).judgement
        further = int(judged.tied) if judged.decided else self.test.soonest(judged.grounded, judged.failed)
        return range(done, min(self.seeds, done + further))

    def _trial(self, run: TaskRun, role: Role, solver: SolverSpec, seed: int) -> Trial:
        return Trial(
            task=run.task,
            solver=solver,
            role=role,
            seed=seed,
            training=run.training,
            images=self.images,
            data_root=None if self.data_root is None else Path(self.data_root),
            device=self.device,
        )
