"""The suite: every check of a solver on every task, seeds until they decide, one report."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Unpack

from ...datasets.image_source import ImageSource
from ...datasets.own_task import find_task, reference_of
from ...datasets.task import Task
from ..checks.finding import Finding, Status
from ..checks.identifiable import check_relabellings, identifiable
from ..checks.trained import Trained, check_trained
from ..engines.inspection import Inspection
from ..engines.processes import Processes
from ..measures.identifiability import Identifiability
from ..measures.statistics import SequentialTest
from ..perception.spec import Factory as PerceptionFactory
from ..perception.spec import PerceptionSpec
from ..results.accounting import require_known
from ..results.environment import environment
from ..results.logs import Logs
from ..results.report import PerceptionRecord, Report, TaskReport
from ..results.run_directory import Record, open_run, timestamp
from ..trials.budget import budget_for
from ..trials.printed import printed_to
from ..trials.roles import BY_NAME, ROLE_NAMES, subject_of
from ..trials.spec import Factory, SolverSpec
from ..trials.training import Training
from ..trials.trial import Outcome, Role, Trial, gradients_lost
from ..verdict import judge
from .budget import Budget
from .estimate import Estimate, estimate_run
from .keywords import Keywords, apply_keywords
from .labels import distinct_tasks, label_tasks
from .settings import apply_perception_settings, apply_settings

DEFAULT_TASKS = ("mapping", "sudoku")
# Contract checks without which there is nothing to train.
TRAINABLE = ("contract/build", "contract/shape", "contract/loss", "perception/build", "perception/shape")
BASELINE = SolverSpec("mlp")


def print_where(path: Path) -> None:
    """Where the output of a solver that broke is, for who has nothing else to tell it."""
    sys.stderr.write(f"groundcheck: what the solver printed: {path}\n")


@dataclass
class Listener:
    """Hears what happens while a suite runs; each hook may be replaced.

    Args:
        begun: Is handed what the tasks are called, before the first check.
        finding: Is handed each finding as it is made.
        wave: Is handed the trials that are about to run.
        outcome: Is handed the outcome of each trial as it ends; its task is called by its label in this run.
        estimate: Is handed how long the run will take, before anything is trained; None: nobody measures.
        printed: Is handed the file, or the folder, with what a solver printed before it broke.
    """

    finding: Callable[[Finding], None] = lambda _: None
    wave: Callable[[Sequence[Trial]], None] = lambda _: None
    outcome: Callable[[Outcome], None] = lambda _: None
    estimate: Callable[[Estimate], None] | None = None
    printed: Callable[[Path], None] = print_where
    begun: Callable[[Sequence[str]], None] = lambda _: None


@dataclass
class TaskRun:
    """One task of a suite on its way: its budget, and what has come of it so far."""

    task: Task
    training: Training
    label: str = ""  # what the task is called beside others of its name
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    built: bool = True  # and can be trained
    identified: dict[int, Identifiability] = field(default_factory=dict)  # of the training puzzles, by seed

    def __post_init__(self) -> None:
        self.label = self.label or self.task.name

    def of(self, role: Role) -> list[Outcome]:
        """Outcomes of a role, by seed."""
        return sorted((o for o in self.outcomes if o.role == role), key=lambda o: o.seed)


def check(
    solver: "str | Factory | SolverSpec",
    *,
    tasks: Sequence[str | Task] = DEFAULT_TASKS,
    images: str | ImageSource | Callable[..., Any] = "digits",
    perception: "str | PerceptionFactory | PerceptionSpec" = "lenet",
    budget: Budget | None = None,
    engine: Processes | None = None,
    listener: Listener | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    expect: Sequence[str] = (),
    **keywords: Unpack[Keywords],
) -> Report:
    """Checks a solver: contract, leaks, and training end to end on every task until the seeds decide.

    On each seed four things are trained: the solver, the same network without logic, the ceiling (the same
    perception with labels), and the solver on true symbols. Seeds are 0, 1, …; Wald's test stops them, or the
    budget does.

    Args:
        solver: A name (`satnet`), `package.module:attribute`, `file.py:attribute`, or a callable
            `Problem -> nn.Module`.
        tasks: Names, `module:attribute` or `file.py:attribute`, or tasks with settings of their own.
        images: The name of an image set (`mnist`, `folder:PATH`, `arrays:FILE.npz`, `torchvision:NAME`), a
            callable that returns `Pictures`, or an `ImageSource` with its folder and device.
        perception: What reads the images: a name (`resnet18`), `package.module:attribute`, or a callable
            `(image_shape, symbols) -> nn.Module` that gives logits. It is the same for the solver, the
            baseline and the ceiling.
        budget: At most how many seeds, epochs, and other settings.
        engine: How many processes run trials, and within which limits.
        listener: Hears of findings, waves of trials, and outcomes.
        run: A folder that keeps every trial as it ends.
        resume: Continue the run in that folder: run what is missing.
        expect: Ids of checks that are expected to fail, with * for anything; they do not count.
        **keywords: Fields of `ImageSource`, `Budget` and `Processes` in place of an object that is not handed
            over: `data_root` (its `root`), `download`, `device`, `classes`; `seeds`, `epochs`, `settings`,
            `train`; `workers`, `isolate`, `limits`.

    Returns:
        The report. On Ctrl-C it is on what was found so far, with `interrupted` set.

    Raises:
        UsageError: For a solver, task, setting, option, image set, perception, device or `expect` that cannot
            be meant.
        DataUnavailableError: For missing or damaged images.
    """
    source, budget, engine = apply_keywords(images, budget, engine, keywords)
    listener = listener or Listener()
    suite = plan_suite(solver, tasks, source, budget, perception)
    require_known(expect, [run.label for run in suite.runs])
    loaded = source.load()
    engine = engine.fitted(suite.spec, source, suite.perception)
    around, began = environment(source.device), timestamp()
    with open_run(run, {**suite.asked, "images_digest": loaded.digest}, around, resume=resume) as record:
        interrupted = False
        listener.begun([task_run.label for task_run in suite.runs])
        try:
            for number, task_run in enumerate(suite.runs):
                log = record.logs.path(f"{task_run.label}-checks")
                inspection = Inspection(
                    suite.spec,
                    task_run.task,
                    task_run.training,
                    source,
                    task_run.label,
                    suite.perception,
                    log,
                )
                task_run.findings.extend(record.findings(number))
                for finding in inspect(task_run, inspection, engine):
                    task_run.findings.append(finding)
                    record.note(number, finding)
                    listener.finding(finding)
                broke = any(f.status in ("fail", "error") for f in task_run.findings)
                record.logs.ended(log, broke=broke)
            if budget.train and listener.estimate is not None and (known := suite.estimate(engine, record)):
                listener.estimate(known)
            while budget.train and (wave := suite.wave()):
                run_wave(wave, engine, record, listener)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            if (printed := record.logs.close()) is not None:
                listener.printed(printed)
        report = suite.whole(loaded.digest, around, interrupted=interrupted)
        dates = {"started": record.started or began, "ended": timestamp()}
        report = replace(report, expect=list(expect), **dates)
        record.finish(report.as_dict())
    return report


def plan_suite(
    solver: "str | Factory | SolverSpec",
    tasks: Sequence[str | Task],
    images: ImageSource,
    budget: Budget,
    perception: "str | PerceptionFactory | PerceptionSpec" = "lenet",
) -> "Suite":
    """What `check` will run; nothing has run yet.

    Raises `UsageError` for a solver, task, setting, option, image set, perception or device that cannot be
    meant.
    """
    spec = SolverSpec.of(solver)
    settings, reader = apply_perception_settings(budget.settings, PerceptionSpec.of(perception))
    rules_given = getattr(import_solver(spec), "rules", "learned") == "given"
    chosen = [find_task(task) if isinstance(task, str) else task for task in tasks]
    budgets = [budget_for(task, budget.epochs) for task in chosen]
    chosen, spec, budgets = apply_settings(settings, chosen, spec, budgets)
    loaded = images.load()
    for task in chosen:
        spec.try_options(task.problem)
        reader.try_on(loaded.shape, len(task.classes))
        for seed in range(budget.seeds):
            loaded.require(task.drawn(seed))
    kept = distinct_tasks(chosen)
    labels = label_tasks([chosen[number] for number in kept])
    runs = [TaskRun(chosen[n], budgets[n], label) for n, label in zip(kept, labels, strict=True)]
    return Suite(spec, rules_given, runs, budget.seeds, images, reader)


def import_solver(spec: SolverSpec) -> Factory:
    """What builds the solver; what its module prints when it is imported is not shown.

    The processes of trials import it again, and keep that.
    """
    logs = Logs()
    try:
        with printed_to(logs.path("import")):
            return spec.load()
    finally:
        logs.close()


def run_wave(
    wave: Sequence[tuple[TaskRun, Trial]], engine: Processes, record: Record, listener: Listener
) -> None:
    """Runs the trials of a wave that the record does not have yet, and keeps each as it ends."""
    missing: list[tuple[TaskRun, Trial]] = []
    for run, trial in wave:
        if (known := record.recall(trial)) is None:
            missing.append((run, replace(trial, trace=record.trace(trial), log=record.log(trial))))
        else:
            run.outcomes.append(known)
    listener.wave([trial for _, trial in missing])

    def ended(index: int, outcome: Outcome) -> None:
        run, trial = missing[index]
        record.logs.ended(trial.log, broke=outcome.error is not None)
        record.keep(trial, outcome)
        run.outcomes.append(outcome)
        listener.outcome(replace(outcome, task=run.label))

    engine.run([trial for _, trial in missing], ended)


def inspect(run: TaskRun, inspection: Inspection, engine: Processes) -> Iterator[Finding]:
    """The checks that need no end-to-end training, as the engine runs them.

    Those that a continued run has findings of already do not run again.
    """
    known: dict[str, Status] = {f.check: f.status for f in run.findings}
    run.built = all(known.get(check, "pass") == "pass" for check in TRAINABLE)
    for finding in engine.inspect(inspection, known):
        run.built &= not (finding.check in TRAINABLE and finding.status != "pass")
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
            finding, found = check_relabellings(task, puzzles, run.label)
            if found is None:
                return finding
            run.identified[seed] = found
    return next(identifiable.run([run.identified[s] for s in seeds], run.label))


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
    images: ImageSource
    perception: PerceptionSpec = field(default_factory=PerceptionSpec)
    test: SequentialTest = field(default_factory=SequentialTest)
    roles: tuple[Role, ...] = ROLE_NAMES  # those that the verdict rests on are "grounding" and "ceiling"

    @property
    def asked(self) -> dict[str, Any]:
        """Everything that decides what this suite finds, for the record of a run."""
        return {
            "solver": self.spec.name,
            "options": dict(self.spec.options),
            "rules": "given" if self.rules_given else "learned",
            "images": self.images.name,
            **({"classes": list(self.images.classes)} if self.images.classes else {}),
            **({} if self.perception.usual else {"perception": self.perception.record}),
            "device": self.images.device,
            "seeds": self.seeds,
            "tasks": [
                {
                    "task": run.task.name,
                    "version": run.task.version,
                    "settings": run.task.settings,
                    **({"files": run.task.files} if run.task.files else {}),
                    **({"reference": r} if (r := reference_of(run.task)) != run.task.name else {}),
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
            images=self.images.name,
            images_digest=images_digest,
            classes=list(self.images.classes),
            perception=PerceptionRecord(**self.perception.record),
            device=self.images.device,
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

    def estimate(self, engine: Processes, record: Record) -> Estimate | None:
        """How long this suite will take from here on, by a few steps of each trial of a seed.

        None where nothing trains, where trials of this run ended before, which tell better, or where no step
        could be taken.
        """
        wave = self.wave()
        first = min((trial.seed for _, trial in wave), default=0)
        trials = [trial for _, trial in wave if trial.seed == first]
        if not wave or any(record.recall(trial) is not None for trial in trials):
            return None
        log = record.logs.path("timing")
        steps = engine.time_steps([replace(trial, log=log) for trial in trials])
        record.logs.ended(log, broke=False)
        seeds = len({trial.seed for _, trial in wave})
        return estimate_run(trials, steps, seeds, self.seeds, engine.workers or 0)

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
        leaks = [f.reason for f in run.findings if f.family == "leak" and f.status == "fail"]
        if run.task.supervision == "leaky":  # whatever the solver makes of them
            leaks.append("leaky supervision hands the labels of the givens to the training loss")
        unbuilt = next((f for f in run.findings if f.check in TRAINABLE and f.status != "pass"), None)
        judgement = judge(
            [o for o in run.of(subject_of(run.task.seen)) if o.seed in complete],
            [o for o in run.of("ceiling") if o.seed in complete],
            self.test,
            rules_given=self.rules_given,
            leak=next(iter(leaks), None),
            broken=unbuilt and unbuilt.reason,
            lacking=unbuilt.reason if unbuilt and unbuilt.status == "skip" else None,
            on_symbols=_mean_task([o for o in run.of("reasoning") if o.seed in complete]),
            baselines=[o for o in run.of("baseline") if o.seed in complete],
            gradients={f.check: f.status for f in run.findings if f.check.startswith("contract/gradient")},
            identified=run.identified,
        )
        lost = fmean([o.no_gradient for o in run.of("grounding")] or [0.0])
        if lost and judgement.verdict != "LEAKY":
            deaf = gradients_lost(lost, awaits_evidence=self.spec.awaits_evidence)
            judgement = replace(judgement, reason=f"{judgement.reason}; {deaf}")
        counted = [o for o in run.outcomes if o.seed in complete]
        trained = Trained(
            judgement,
            counted,
            symbols_only=run.task.seen == "symbols",
            rules_given=self.rules_given,
        )
        return TaskReport(
            task=run.task.name,
            reference=reference_of(run.task),
            label=run.label,
            version=run.task.version,
            settings=run.task.settings,
            files=run.task.files,
            training=run.training.settings,
            judgement=judgement,
            findings=[*findings, *(check_trained(trained, run.label) if counted else [])],
            outcomes=sorted(run.outcomes, key=lambda o: (o.seed, ROLE_NAMES.index(o.role))),
        )

    def _roles(self, task: Task) -> list[tuple[Role, SolverSpec]]:
        if task.seen == "symbols":
            return [("reasoning", self.spec)]
        roles: list[tuple[Role, SolverSpec]] = [
            (role, BASELINE if BY_NAME[role].answers == "baseline" else self.spec) for role in self.roles
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
            beside=self.spec if role == "baseline" else None,
            images=self.images,
            perception=self.perception,
            called=run.label,
        )
