"""Runs an experiment: the suites of its cells over one engine, into one folder."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...datasets.own_task import reference_of
from ..engines.engine import Engine
from ..engines.processes import Processes
from ..measures.identifiability import Identifiability
from ..results.cache import TrialCache
from ..results.environment import environment
from ..results.experiment import ExperimentRecord
from ..results.experiment_directory import Asked, ExperimentDirectory, open_experiment
from ..results.files import plain
from ..results.report import TaskReport
from ..results.run_directory import key_of
from ..suite.scheduling import fit_engine, schedule
from ..suite.suite import Listener
from .duration import parse_duration
from .experiment import Experiment
from .file import find_experiment
from .plan import Plan, Planned, plan_experiment

UNTRAINED = ("puzzles", "epochs")  # of a budget: the checks before training do not depend on them


def run_experiment(
    experiment: str | Path | Experiment | Plan,
    run: str | Path,
    *,
    resume: bool = False,
    engine: Engine | None = None,
    budget: str | float | None = None,
    puzzles: Path | None = None,
    data_root: Path | None = None,
    download: bool = False,
    cache: TrialCache | None = None,
    listener: Listener | None = None,
) -> ExperimentRecord:
    """Runs every cell of an experiment: one solver with one choice of every setting on one task.

    Each cell is what `check` does, with the seeds and roles of the experiment; a trial that several cells
    need, as a ceiling, runs once. Every trial is kept in the folder as it ends, and what a cell amounts to
    does not depend on the engine, on what runs beside it, or on interruptions.

    Args:
        experiment: A file in TOML, the name of one that ships with the package, or an `Experiment`.
        run: The folder that keeps it.
        resume: Continue the experiment in that folder: run what is missing.
        engine: Where trials run; None: processes of this machine, one per core.
        budget: Seconds, or "2h", after which no further trial begins; None: as the experiment says.
        puzzles: A file of boards, in place of the tasks of the experiment.
        data_root: The folder that image files lie in.
        download: Whether missing images are fetched.
        cache: Trials of earlier runs, which need not run again; None: none are looked up, none kept.
        listener: Hears of findings, trials and outcomes.

    Returns:
        The experiment as it stands when it ends; `interrupted` where cells are not decided.

    Raises:
        UsageError: For an experiment that cannot be meant, with its line; for a folder of another one, or one
            that another process writes; for an engine that cannot be reached.
        UnusableFileError: For a folder that cannot be written.
        DataUnavailableError: For missing or damaged images.
    """
    if isinstance(experiment, Plan):
        plan = experiment
    else:
        found = experiment if isinstance(experiment, Experiment) else find_experiment(str(experiment))
        plan = plan_experiment(found, puzzles=puzzles, data_root=data_root, download=download)
    seconds = allowed_seconds(plan.experiment, budget)
    planned = list(plan)
    share_counts(planned)
    suites = [each.suite for each in planned]
    asked = asked_for(plan, planned)
    listener = listener or Listener()
    engine = engine or Processes()
    if isinstance(engine, Processes):
        engine = fit_engine(engine, suites)
    until = None if seconds is None else time.monotonic() + seconds
    with open_experiment(
        Path(run), asked, shared=cells_by_trial(planned), alike=alike_checks(planned), resume=resume
    ) as directory:
        listener.begun(list(dict.fromkeys(each.cell.task for each in planned)))
        with told_when_printed(directory, listener):
            driven = schedule(suites, engine, directory, listener, cache or TrialCache(None), until=until)
        reports = dict(decided(planned))
        interrupted = driven.interrupted or len(reports) < len(planned)
        ended = directory.conclude(reports, interrupted=interrupted, spent=driven.spent)
        return ExperimentRecord(
            name=asked.name,
            axes=asked.axes,
            cells=asked.cells,
            trials=list(directory.rows.values()),
            reports=reports,
            published=asked.published,
            environment=asked.environment,
            started=directory.started,
            ended=ended,
            interrupted=interrupted,
            out_of_time=driven.out_of_time,
            spent=driven.spent,
        )


def allowed_seconds(experiment: Experiment, budget: str | float | None) -> float | None:
    """Seconds after which no trial begins; None: as many as it takes.

    Raises `UsageError` for a text that is no time, with its line where it stands in a file.
    """
    if isinstance(budget, int | float):
        return float(budget)
    if budget:
        return parse_duration(budget)
    if not experiment.budget:
        return None
    with experiment.origin.told("budget"):
        return parse_duration(experiment.budget)


def asked_for(plan: Plan, planned: Sequence[Planned]) -> Asked:
    """What the folder says of the experiment."""
    sources: dict[str, str] = {}
    for each in planned:
        images = each.suite.images
        if images.name not in sources:
            sources[images.name] = images.load().digest
        [run] = each.suite.runs
        sources |= {str(run.task.settings[name]): digest for name, digest in run.task.files.items()}
    return Asked(
        name=plan.experiment.name,
        axes=plan.axes,
        cells=[each.cell for each in planned],
        sources=sources,
        published=plan.published,
        environment=environment(plan.experiment.device),
    )


def cells_by_trial(planned: Sequence[Planned]) -> dict[str, list[int]]:
    """The numbers of the cells that a trial belongs to, by its key on seed 0: other seeds share alike."""
    found: dict[str, list[int]] = {}
    for each in planned:
        for _, trial in each.suite.trials_of(0):
            found.setdefault(key_of(trial), []).append(each.cell.number)
    return found


def alike_checks(planned: Sequence[Planned]) -> dict[int, int]:
    """Cells whose checks before training are those of an earlier one: they train longer, or less."""
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for each in planned:
        suite, [run] = each.suite, each.suite.runs
        spent = {name: value for name, value in run.training.settings.items() if name not in UNTRAINED}
        known = plain(
            [suite.asked | {"tasks": None}, run.label, reference_of(run.task), run.task.settings, spent]
        )
        number = first.setdefault(str(known), each.cell.number)
        if number != each.cell.number:
            found[each.cell.number] = number
    return found


def share_counts(planned: Sequence[Planned]) -> None:
    """Lets cells with the same training puzzles share the count of relabellings that these leave open."""
    counts: dict[str, dict[int, Identifiability]] = {}
    for each in planned:
        [run] = each.suite.runs
        key = str(plain([reference_of(run.task), run.task.settings, run.training.puzzles]))
        run.identified = counts.setdefault(key, run.identified)


def decided(planned: Sequence[Planned]) -> Iterator[tuple[int, TaskReport]]:
    """The reports of the cells that no further trial would change, by their numbers."""
    for each in planned:
        [run] = each.suite.runs
        if not (run.built and each.suite.next_seeds(run)):
            yield each.cell.number, each.suite.report(run)


@contextmanager
def told_when_printed(directory: ExperimentDirectory, listener: Listener) -> Generator[None]:
    """Tells in the end where that is which solvers printed before they broke."""
    try:
        yield
    finally:
        if (printed := directory.logs.close()) is not None:
            listener.printed(printed)
