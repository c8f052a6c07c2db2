"""`groundcheck rules`: what a solver learned, read out and held against the rules of the task."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...datasets.errors import UsageError
from .shell import consoles, print_written, user_errors, writable

if TYPE_CHECKING:
    from ..results.report import TaskReport
    from ..trials.trial import Outcome

PICTURES = (".pdf", ".png", ".svg")


def rules(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or the JSON of a report.")],
    task: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of which task, as the report calls it; by default of every one."),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of which trials: grounding, or reasoning (on true symbols); by default grounding, where "
            "these tell rules.",
        ),
    ] = None,
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
        from ..results.run_directory import is_of_run  # noqa: PLC0415

        asked = [path for path in (dimacs, picture) if path is not None]
        if len({path.resolve() for path in asked}) < len(asked):
            raise UsageError(f"{dimacs} cannot be both: give --dimacs and --picture files of their own")
        if lost := next((path for path in asked if is_of_run(run, path)), None):
            raise UsageError(f"{lost} is a file of the run itself, and would be lost: name another")
        files = writable(dimacs), writable(picture)
        from ...datasets.own_task import rebuild_task  # noqa: PLC0415
        from ..measures.acquired_rules import compare_rules  # noqa: PLC0415
        from ..report.learned_rules import draw_rules, print_rules, write_dimacs  # noqa: PLC0415
        from ..results.told_rules import tasks_labelled, trial_with_rules  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415

        report = read_report(run)
        told: list[tuple[TaskReport, Outcome]] = []
        untold: list[str] = []
        for known in tasks_labelled(report, task):
            try:
                told.append((known, trial_with_rules(known, role=role, seed=seed)))
            except UsageError as error:
                untold.append(str(error))
        if not told:
            raise UsageError(f"{run}: {'; '.join(untold) or 'this report has no task'}")
        if len(told) > 1 and any(files):
            raise UsageError(
                f"{run} has rules of {', '.join(known.label for known, _ in told)}, and --dimacs and "
                "--picture write those of one task: choose it with --task NAME"
            )
        console, _ = consoles()
        for known, trial in told:
            problem = rebuild_task(known.reference, known.settings).drawn(trial.seed).problem
            learned = trial.rules or []
            found = compare_rules(problem, learned) if problem.rules is not None else None
            heading = f"{report.solver} on {known.label}, {trial.role}, seed {trial.seed}"
            console.print(heading, highlight=False, markup=False, soft_wrap=True)
            print_rules(console, problem, learned, found, whole=whole)
            if files[0]:
                write_dimacs(files[0], problem, learned)
            if files[1]:
                draw_rules(files[1], problem, learned, found)
        for reason in untold:
            console.print(f"not told: {reason}", highlight=False, markup=False, soft_wrap=True)
        print_written(console, *files)
