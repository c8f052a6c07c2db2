"""`check`: one solver through the whole suite, and its report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from ..engines.processes import Processes
from ..perception.spec import Factory as PerceptionFactory
from ..perception.spec import PerceptionSpec
from ..results.accounting import require_known
from ..results.cache import TrialCache
from ..results.environment import environment
from ..results.report import Report
from ..results.run_directory import open_run, timestamp
from ..trials.spec import Factory, SolverSpec
from .budget import Budget
from .keywords import Keywords, apply_keywords
from .scheduling import fit_engine, schedule
from .suite import DEFAULT_TASKS, Listener, plan_suite


def check(
    solver: "str | Factory | SolverSpec",
    *,
    tasks: Sequence[str | Task] = DEFAULT_TASKS,
    images: str | ImageSource | Callable[..., Any] = "digits",
    perception: "str | PerceptionFactory | PerceptionSpec" = "lenet",
    budget: Budget | None = None,
    engine: Processes | None = None,
    cache: TrialCache | None = None,
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
        cache: Trials of earlier runs, which need not run again; None: none are looked up, none kept.
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
    engine = fit_engine(engine, [suite])
    around, began = environment(source.device), timestamp()
    with open_run(run, {**suite.asked, "images_digest": loaded.digest}, around, resume=resume) as record:
        listener.begun([task_run.label for task_run in suite.runs])
        try:
            driven = schedule(
                [suite], engine, record, listener, cache or TrialCache(None), train=budget.train
            )
        finally:
            if (printed := record.logs.close()) is not None:
                listener.printed(printed)
        report = suite.whole(loaded.digest, around, interrupted=driven.interrupted)
        dates = {"started": record.started or began, "ended": timestamp()}
        report = replace(report, expect=list(expect), spent=driven.spent, **dates)
        record.finish(report.as_dict())
    return report
