"""Why a solver does not ground: the trials of a check, read or run, and the causes that they show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, Unpack

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.own_task import rebuild_task
from ...datasets.task import Task
from ..checks.identifiable import check_relabellings
from ..diagnosis.causes import CAUSES, explain
from ..diagnosis.diagnosis import Diagnosis, SeedFigures
from ..diagnosis.learning import most_stopped
from ..diagnosis.subject import Subject, make_subject
from ..engines.children import NO_LIMITS
from ..engines.pairs import run_trials
from ..engines.processes import Processes
from ..measures.identifiability import Identifiability
from ..perception.spec import Factory as PerceptionFactory
from ..perception.spec import PerceptionSpec
from ..results.report import Report, TaskReport
from ..trials.spec import Factory, SolverSpec
from ..trials.training import Training
from ..trials.trial import Outcome, Trial
from .budget import Budget
from .check import check
from .keywords import Keywords
from .report_io import read_report
from .suite import Listener

SEEDS = 2  # that are run where no check did: two failures decide


def diagnose(
    solver: "str | Factory | SolverSpec",
    *,
    task: str | Task = "mapping",
    run: str | Path | None = None,
    images: str | ImageSource | Callable[..., Any] = "digits",
    perception: "str | PerceptionFactory | PerceptionSpec" = "lenet",
    budget: Budget | None = None,
    engine: Processes | None = None,
    listener: Listener | None = None,
    **keywords: Unpack[Keywords],
) -> Diagnosis:
    """Names the causes of a failure, most likely first, each with its figures.

    Reads the trials of a check where `run` holds one of this solver on this task, and runs again those that
    an earlier groundcheck did not record. Else it checks the solver on two seeds first, and keeps that in
    `run`.

    Args:
        solver: As `check` takes it.
        task: A name, `module:attribute` or `file.py:attribute`, or a task with settings of its own.
        run: The folder of a check, or where to keep one.
        images: As `check` takes it.
        perception: As `check` takes it.
        budget: As `check` takes it; by default 2 seeds.
        engine: How many processes run trials, and within which limits.
        listener: Hears of findings, waves of trials, and outcomes.
        **keywords: As `check` takes them.

    Returns:
        The causes that were named, with the verdict that they explain.

    Raises:
        UsageError: For what cannot be meant; for a run of another solver, or without this task.
        DataUnavailableError: For missing or damaged images.
    """
    folder = None if run is None else Path(run)
    if folder is not None and (folder / "run.json").exists():
        report = read_report(folder)
        return diagnose_report(report, SolverSpec.of(solver).name, task, images, engine)
    if budget is None and "seeds" not in keywords:
        keywords["seeds"] = SEEDS
    found = check(
        solver, tasks=[task], images=images, perception=perception, budget=budget, engine=engine,
        listener=listener, run=run, **keywords,
    )  # fmt: skip
    [only] = found.tasks
    return replace(_diagnosed(found, only, only.outcomes), ran=len(only.outcomes))


def diagnose_report(
    report: Report,
    solver: str | None = None,
    task: str | Task | None = None,
    images: str | ImageSource | Callable[..., Any] | None = None,
    engine: Processes | None = None,
) -> Diagnosis:
    """The causes that the trials of a report show.

    Args:
        report: Of a check.
        solver: Whose it has to be; None: whoever's it is.
        task: Which of its tasks; None where it has one.
        images: The image set, for trials that have to be run again; None: by its name in the report.
        engine: What runs them.

    Raises:
        UsageError: For a report of another solver, without this task, or of predictions that came from
            elsewhere.
    """
    if solver is not None and report.solver != solver:
        raise UsageError(
            f"the run is of {report.solver}, not of {solver}: name another folder, or {report.solver}"
        )
    if report.judged:
        raise UsageError("nothing was trained in this run, so that nothing tells why: diagnose a check")
    chosen = _task_of(report, task)
    if chosen.on_symbols:
        raise UsageError(f"{chosen.label} was seen as symbols: there is no perception to diagnose")
    missing = [o for o in chosen.outcomes if o.role == "grounding" and not o.error and not recorded(o)]
    again = _run_again(report, chosen, missing, images, engine) if missing else []
    told = {outcome.seed: outcome for outcome in again}
    outcomes = [told.get(o.seed, o) if o.role == "grounding" else o for o in chosen.outcomes]
    return replace(_diagnosed(report, chosen, outcomes), ran=len(again))


def recorded(outcome: Outcome) -> bool:
    """Whether a trial has a record of its interface."""
    return any(point.interface is not None for point in outcome.curve)


def _task_of(report: Report, task: str | Task | None) -> TaskReport:
    known = ", ".join(one.label for one in report.tasks)
    name = task.name if isinstance(task, Task) else task
    fitting = [one for one in report.tasks if name is None or name in (one.label, one.task, one.reference)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UsageError(f"the run has no task {name!r}: it has {known}; name one of these with --task")
    raise UsageError(f"the run has several such tasks: name one of {known} with --task")


def _diagnosed(report: Report, task: TaskReport, outcomes: Sequence[Outcome]) -> Diagnosis:
    subject = _subject(report, task, outcomes)
    return Diagnosis(
        solver=report.solver,
        task=task.label,
        verdict=task.judgement.verdict,
        reason=task.judgement.reason,
        explanations=explain(subject),
        seeds=[
            SeedFigures(s.outcome.seed, s.scores.task, s.scores.raw, s.aligned, s.reached, s.failing)
            for s in subject.seeds
        ],
        looked_for=[cause.name for cause in CAUSES],
        plateau=most_stopped(subject),
    )


def _subject(report: Report, task: TaskReport, outcomes: Sequence[Outcome]) -> Subject:
    by_role = {role: [o for o in outcomes if o.role == role] for role in ("grounding", "ceiling", "baseline")}
    on_symbols = [o for o in outcomes if o.role == "reasoning" and o.scores is not None]
    return make_subject(
        by_role["grounding"],
        by_role["ceiling"],
        by_role["baseline"],
        rules_given=report.rules == "given",
        on_symbols=fmean(o.scores.task for o in on_symbols if o.scores) if on_symbols else None,
        symbol_trials=on_symbols,
        gradients={f.check: f.status for f in task.findings if f.check.startswith("contract/gradient")},
        identified=_identified(task, [o.seed for o in by_role["grounding"]]),
        training=task.training,
    )


def _identified(task: TaskReport, seeds: Sequence[int]) -> Mapping[int, Identifiability]:
    """Which relabellings the training puzzles of each seed leave open; no report holds them."""
    found: dict[int, Identifiability] = {}
    try:
        rebuilt = rebuild_task(task.reference, task.settings)
    except (UsageError, TypeError):  # a task that only the run itself could make
        return found
    for seed in seeds:
        drawn = rebuilt.drawn(seed)
        if drawn.problem.rules is None:
            break
        _, counted = check_relabellings(
            drawn, drawn.generate("train", task.training["puzzles"], seed), task.label
        )
        if counted is not None:
            found[seed] = counted
    return found


def _run_again(
    report: Report,
    task: TaskReport,
    missing: Sequence[Outcome],
    images: str | ImageSource | Callable[..., Any] | None,
    engine: Processes | None,
) -> list[Outcome]:
    """Trials that an earlier groundcheck ran without recording them."""
    spec = SolverSpec(report.solver, report.options)
    source = ImageSource.of(images if images is not None else report.images)
    source = replace(source, device=report.device, classes=source.classes or tuple(report.classes))
    perception = PerceptionSpec(report.perception.name, report.perception.options)
    rebuilt = rebuild_task(task.reference, task.settings)
    trials = [
        Trial(
            task=rebuilt, solver=spec, role="grounding", seed=outcome.seed,
            training=Training(**task.training), images=source, perception=perception, called=task.label,
        )
        for outcome in missing
    ]  # fmt: skip
    found: list[Outcome] = []
    fitted = (engine or Processes()).fitted(spec, source, perception)
    run_trials(
        trials, fitted.workers or 0, lambda _, outcome: found.append(outcome), fitted.limits or NO_LIMITS
    )
    return found
