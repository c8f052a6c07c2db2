"""The suite: which checks and trials a solver is put to on every task, and what they amount to."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from ...datasets.image_source import ImageSource
from ...datasets.own_task import find_task, reference_of
from ...datasets.task import Task
from ..checks.beyond import check_beyond
from ..checks.finding import Finding
from ..checks.identifiable import check_relabellings, identifiable
from ..checks.joint import check_joint
from ..checks.robust import BeyondSeeds
from ..checks.trained import Trained, check_trained
from ..engines.inspection import Inspection
from ..measures.identifiability import Identifiability
from ..measures.statistics import SequentialTest
from ..perception.spec import Factory as PerceptionFactory
from ..perception.spec import PerceptionSpec
from ..results.logs import Logs
from ..results.report import PerceptionRecord, Report, TaskReport
from ..trials.budget import budget_for
from ..trials.corrupted import require_givens
from ..trials.evaluation import Evaluation
from ..trials.printed import printed_to
from ..trials.roles import BY_NAME, ROLE_NAMES, subject_of
from ..trials.spec import Factory, SolverSpec
from ..trials.training import Training
from ..trials.trial import Outcome, Role, Trial, gradients_lost
from ..verdict import judge
from .budget import Budget
from .estimate import Estimate
from .labels import distinct_tasks, label_tasks
from .settings import apply_evaluation_settings, apply_perception_settings, apply_settings

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
        outcome: Is handed the outcome of each trial as it ends; its task is called by its label in this run,
            in an experiment with the settings of its cell.
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
    heard_as: str = ""  # what progress calls it, where many cells of an experiment have this task
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    built: bool = True  # and can be trained
    identified: dict[int, Identifiability] = field(default_factory=dict)  # of the training puzzles, by seed

    def __post_init__(self) -> None:
        self.label = self.label or self.task.name

    def of(self, role: Role) -> list[Outcome]:
        """Outcomes of a role, by seed."""
        return sorted((o for o in self.outcomes if o.role == role), key=lambda o: o.seed)


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
    settings, evaluation = apply_evaluation_settings(budget.settings, robust=budget.robust)
    settings, reader = apply_perception_settings(settings, PerceptionSpec.of(perception))
    rules_given = getattr(import_solver(spec), "rules", "learned") == "given"
    chosen = [find_task(task) if isinstance(task, str) else task for task in tasks]
    budgets = [budget_for(task, budget.epochs) for task in chosen]
    chosen, spec, budgets = apply_settings(settings, chosen, spec, budgets)
    loaded = images.load()
    for task in chosen:
        require_givens(task, evaluation)
        spec.try_options(task.problem)
        reader.try_on(loaded.shape, len(task.classes))
        for seed in range(budget.seeds):
            loaded.require(task.drawn(seed))
    kept = distinct_tasks(chosen)
    labels = label_tasks([chosen[number] for number in kept])
    runs = [TaskRun(chosen[n], budgets[n], label) for n, label in zip(kept, labels, strict=True)]
    return Suite(spec, rules_given, runs, budget.seeds, images, reader, evaluation=evaluation)


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


def identify_jointly(run: TaskRun) -> Finding:
    """Which readings fit together with other rules, for who learns them."""
    task = run.task.drawn(0)
    puzzles = task.generate("train", run.training.puzzles, 0)
    return check_joint(puzzles, len(task.classes), run.label)


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
    evaluation: Evaluation = field(default_factory=Evaluation)
    fixed: bool = False  # whether all seeds run, also after those that decide
    checks: bool = True  # whether the checks run that need no training end to end

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
            **({"evaluation": self.evaluation.record} if self.evaluation.asks else {}),
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

    def inspection(self, run: TaskRun, log: Path | None = None) -> Inspection | None:
        """The checks of a task that need no training end to end; None where nothing is to be checked.

        Args:
            run: The task.
            log: A file that gets what the solver prints.
        """
        if not self.checks:
            return None
        return Inspection(self.spec, run.task, run.training, self.images, run.label, self.perception, log)

    def wave(self) -> list[tuple[TaskRun, Trial]]:
        """The trials of the fewest further seeds that could decide, over all tasks; empty when all did."""
        return [
            (run, trial)
            for run in self.runs
            if run.built
            for seed in self.next_seeds(run)
            for trial in self.trials(run, seed)
        ]

    def trials(self, run: TaskRun, seed: int) -> list[Trial]:
        """The trials of a task on a seed, one for each role."""
        return [self._trial(run, role, solver, seed) for role, solver in self._roles(run.task)]

    def trials_of(self, seed: int) -> list[tuple[TaskRun, Trial]]:
        """Every trial that a seed may call for."""
        return [(run, trial) for run in self.runs for trial in self.trials(run, seed)]

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
            findings=[
                *findings,
                *(check_trained(trained, run.label) if counted else []),
                *([identify_jointly(run)] if self._rules_open(run) else []),
                *check_beyond(BeyondSeeds(counted), run.label),
            ],
            outcomes=sorted(run.outcomes, key=lambda o: (o.seed, ROLE_NAMES.index(o.role))),
        )

    def _rules_open(self, run: TaskRun) -> bool:
        """Whether shortcuts of reading and rules together are asked for."""
        return self.evaluation.robust and not self.rules_given and run.built and run.task.seen == "images"

    def _roles(self, task: Task) -> list[tuple[Role, SolverSpec]]:
        if task.seen == "symbols":
            return [("reasoning", self.spec)]
        # A ceiling trains no solver: it takes along the name alone, and nothing that could be imported.
        solvers = {"baseline": BASELINE, "rules": SolverSpec(self.spec.name), "solver": self.spec}
        roles: list[tuple[Role, SolverSpec]] = [(r, solvers[BY_NAME[r].answers]) for r in self.roles]
        return [(role, solver) for role, solver in roles if role != "baseline" or self.spec != BASELINE]

    def _complete(self, run: TaskRun) -> set[int]:
        done = {(o.role, o.seed) for o in run.outcomes}
        roles = [role for role, _ in self._roles(run.task)]
        return {seed for _, seed in done if all((role, seed) in done for role in roles)}

    def at_most(self, run: TaskRun) -> int:
        """How many seeds of a task may run."""
        # Seen as symbols, there is nothing to decide about grounding: two seeds show what it can do.
        nothing = run.task.seen == "symbols" and not self.fixed
        return min(self.seeds, 2) if nothing else self.seeds

    def next_seeds(self, run: TaskRun) -> range:
        """The fewest further seeds of a task that could decide; none when those that ran did."""
        done, most = len(self._complete(run)), self.at_most(run)
        if self.fixed or run.task.seen == "symbols":
            return range(done, most)
        judged = self.report(run).judgement
        further = int(judged.tied) if judged.decided else self.test.soonest(judged.grounded, judged.failed)
        return range(done, min(most, done + further))

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
            evaluation=self.evaluation,
            called=run.label,
        )
