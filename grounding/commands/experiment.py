"""`groundcheck experiment`: many solvers, settings and seeds in one run."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .completion import experiment_names
from .puzzles import PuzzleFile
from .shell import DataRoot, Download, NoCache, consoles, loading, tell_fresh, user_errors

UNDECIDED = 3  # the time was over before every cell was decided
INTERRUPTED = 130  # by Ctrl-C
HASTE = 5.0  # seconds for an estimate that nobody asked for


def experiment(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME",
            help="A file in TOML that says what is run, or the name of an experiment that ships with "
            "groundcheck.",
            autocompletion=experiment_names,
        ),
    ],
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep every trial there as it ends.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the experiment in that folder: run what is missing.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Run nothing: print the cells, the trials, and what they will take."),
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Begin no trial after 2h, 30m, 90s; by default what the file says, or no end.",
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Where trials run: processes of this machine, ray, slurm.")
    ] = "processes",
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="How many trials run at once; by default one per core. 0: in this process."),
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Where the engine is, and what a trial gets there: address=HOST:PORT, cpus=2, gpus=0.25, "
            "carry=PATH (Ray); folder=PATH, partition=NAME, minutes=240, cpus=2, gpus=1 (Slurm); repeatable.",
        ),
    ] = None,
    puzzles: PuzzleFile = None,
    data_root: DataRoot = None,
    download: Download = False,
    no_cache: NoCache = False,
    yes: Annotated[bool, typer.Option("--yes", help="Run it, however many trials it has.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the verdicts.")] = False,
) -> None:
    """Run an experiment: the verdict of every solver on every task, with every choice of settings."""
    with user_errors():
        if run is None and not dry_run:
            raise UsageError(
                f"experiment {file}: name a folder that keeps it with --run FOLDER, or look at what it "
                "would run with --dry-run"
            )
        console, progress = consoles()
        with loading(progress, f"experiment {file}", quiet=quiet):
            from ..engines.choosing import engine_named, parse_options  # noqa: PLC0415
            from ..engines.processes import Processes  # noqa: PLC0415
            from ..experiments.driver import allowed_seconds, run_experiment  # noqa: PLC0415
            from ..experiments.expected import MANY_TRIALS, expect  # noqa: PLC0415
            from ..experiments.file import find_experiment  # noqa: PLC0415
            from ..experiments.plan import plan_experiment  # noqa: PLC0415
            from ..report.expected import expected_lines, print_expected, print_plan  # noqa: PLC0415
            from ..report.grid import MAX_ROWS, print_grid  # noqa: PLC0415
            from ..report.progress import follow_suite  # noqa: PLC0415
            from ..results.cache import TrialCache  # noqa: PLC0415
            from ..results.experiment_directory import ASKED, known_trials  # noqa: PLC0415
            from .closing import print_experiment_whereabouts  # noqa: PLC0415
            from .puzzles import read_puzzles  # noqa: PLC0415

            found = find_experiment(file)
        allowed_seconds(found, budget)
        named = (*found.named, *filter(None, [engine if ":" in engine else None]))
        chosen = engine_named(engine, parse_options(on or [], slots=workers, plugins=named))
        if puzzles is not None:
            read_puzzles(puzzles, progress, quiet=quiet)
        with loading(progress, f"planning {found.name}", quiet=quiet):
            plan = plan_experiment(found, puzzles=puzzles, data_root=data_root, download=download)
        at_once = chosen.count if isinstance(chosen, Processes) else workers or 1
        cache = TrialCache(None) if no_cache else TrialCache.of_user()
        if dry_run:
            print_plan(plan, [plan[number] for number in range(min(len(plan), MAX_ROWS))], console)
            with loading(progress, "estimating", quiet=quiet):
                expected = expect(plan, known_trials(run, cache))
            print_expected(expected, at_once, console)
            raise typer.Exit
        assert run is not None
        if plan.at_most > MANY_TRIALS and not yes:
            told = "; ".join(expected_lines(expect(plan, known_trials(run, cache), timing=HASTE), at_once))
            raise UsageError(
                f"experiment {found.name} is large. {told}. Add --yes to run all of it, or take values out"
            )
        tell_fresh(progress, run, resume=resume, quiet=quiet, asked=ASKED)
        printed: list[Path] = []
        with follow_suite(progress, quiet=quiet, printed=printed.append) as listener:
            record = run_experiment(
                plan,
                run,
                resume=resume,
                engine=chosen,
                budget=budget,
                cache=cache,
                listener=replace(listener, estimate=None),
            )
        print_grid(record, console)
        print_experiment_whereabouts(console, run, interrupted=record.interrupted, printed=printed)
    if not record.interrupted:
        raise typer.Exit
    raise typer.Exit(UNDECIDED if record.out_of_time else INTERRUPTED)
