"""`groundcheck rules`: what a solver learned, read out and held against the rules of the task."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .shell import consoles, print_written, user_errors, writable

PICTURES = (".pdf", ".png", ".svg")


def rules(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or the JSON of a report.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Of which trial; by default the first.")] = None,
    dimacs: Annotated[Path | None, typer.Option(metavar="FILE", help="Write them there as DIMACS.")] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw them there: a .pdf, .png or .svg.")
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="Print every rule, not the first 40.")] = False,
) -> None:
    """Print the rules that a solver learned, their support, and how they compare with those of the task."""
    with user_errors():
        if not run.exists():
            raise UsageError(f"{run} does not exist: name the folder of a run, or the JSON of a report")
        if picture and picture.suffix not in PICTURES:
            raise UsageError(f"--picture {picture}: it ends in {', '.join(PICTURES)}")
        files = writable(dimacs), writable(picture)
        from ...datasets.own_task import rebuild_task  # noqa: PLC0415
        from ..measures.acquired_rules import compare_rules  # noqa: PLC0415
        from ..report.learned_rules import draw_rules, print_rules, write_dimacs  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415

        report = read_report(run)
        told = [
            (task, outcome)
            for task in report.tasks
            for outcome in task.outcomes
            if outcome.rules is not None and seed in (None, outcome.seed)
        ]
        if not told:
            of_seed = "" if seed is None else f" of seed {seed}"
            raise UsageError(
                f"{run} has no trial{of_seed} of a solver that tells its rules: {report.solver} would need "
                "an attribute `learned_rules`, as `acquired` has one"
            )
        console, _ = consoles()
        task, outcome = told[0]
        problem = rebuild_task(task.reference, task.settings).drawn(outcome.seed).problem
        learned = outcome.rules or []
        found = compare_rules(problem, learned) if problem.rules is not None else None
        console.print(f"{report.solver} on {task.label}, seed {outcome.seed}", highlight=False, markup=False)
        print_rules(console, problem, learned, found, whole=whole)
        if files[0]:
            write_dimacs(files[0], problem, learned)
        if files[1]:
            draw_rules(files[1], problem, learned, found)
        print_written(console, *files)
