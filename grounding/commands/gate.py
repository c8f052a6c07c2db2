"""`groundcheck gate`: a pipeline's yes or no."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...datasets.errors import UsageError
from .shell import DataRoot, NoCache, consoles, user_errors, writable

if TYPE_CHECKING:
    from ...datasets.image_source import ImageSource
    from ...datasets.task import Task
    from ..gate.gate import Gated
    from ..gate.profiles import Profile
    from ..gate.project import Entry, Project
    from ..results.report import Report
    from ..suite.suite import Listener


def gate(
    solvers: Annotated[
        list[str] | None,
        typer.Argument(help="Solvers, or names from groundcheck.toml; by default all that stand there."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="quick, standard, full, or one of the file's.")] = None,
    require: Annotated[str | None, typer.Option(help="The verdict that every task must reach.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A report that must not be fallen behind.")
    ] = None,
    max_regression: Annotated[
        float | None, typer.Option(min=0, max=1, help="How much of an accuracy may be lost; 0.02.")
    ] = None,
    require_robust: Annotated[
        bool,
        typer.Option(
            "--require-robust", help="Ask beyond the test set, and require every suite to be ROBUST."
        ),
    ] = False,
    max_ood_drop: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Ask beyond the test set: how much may be lost on the ood split."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="By default groundcheck.toml, if it is here.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a summary.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write everything as JSON.")] = None,
    runs: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep a run per solver there, and continue it.")
    ] = None,
    perception: Annotated[
        str | None, typer.Option(help="What reads the images, in place of what the profile says.")
    ] = None,
    data_root: DataRoot = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Parallel processes; 0: none.")] = None,
    device: Annotated[str, typer.Option(help="Where networks run: cpu, cuda, cuda:1 …")] = "cpu",
    no_cache: NoCache = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line for every check.")] = False,
) -> None:
    """Pass or fail: hold solvers to a verdict, and to a baseline.

    Exit codes: 0 passed, 1 failed, 2 wrong usage, 3 too little ran to tell, 4 images missing,
    70 a fault of groundcheck, 130 interrupted.
    """
    with user_errors():
        for path in (junit, markdown, json):
            writable(path)
        from ..gate.project import read_project  # noqa: PLC0415

        project = read_project(config)
        chosen = [project.entry(name) for name in solvers or project.solvers]
        if not chosen:
            raise UsageError("no solver: name one, or list some under [solvers.NAME] in groundcheck.toml")
        said = {
            "profile": profile,
            "require": require,
            "baseline": baseline,
            "max_regression": max_regression,
            "require_robust": require_robust or None,
            "max_ood_drop": max_ood_drop,
        }
        chosen = [_held(entry, said) for entry in chosen]
        profiles = [_profile(project, entry, perception) for entry in chosen]
        from ..report.html import write_page  # noqa: PLC0415
        from ..report.progress import follow_suite  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415
        from .closing import print_whereabouts  # noqa: PLC0415

        baselines = [
            entry.terms.baseline and read_report(entry.terms.baseline, entry.solver) for entry in chosen
        ]
        for entry, held, before in zip(chosen, profiles, baselines, strict=True):
            _verify(entry, held, before, data_root, device)
        gated: list[Gated] = []
        for entry, held, before in zip(chosen, profiles, baselines, strict=True):
            folder = None if runs is None else runs / _folder(entry.solver)
            source = _images(held, data_root, device)
            with follow_suite(consoles()[1], quiet=quiet, verbose=verbose) as listener:
                gated.append(
                    _gate(entry, held, before, source, workers, folder, listener, cached=not no_cache)
                )
            if folder:
                write_page(folder / "report.html", gated[-1].report, source)
            if gated[-1].report.interrupted:
                break
        code = _worst([one.exit_code for one in gated])
        _write(gated, code, junit, markdown, json)
        for one in gated:
            _print(one)
            folder = None if runs is None else runs / _folder(one.report.solver)
            print_whereabouts(
                consoles()[0], folder, None, interrupted=one.report.interrupted, kept_by="--runs", resume=""
            )
    raise typer.Exit(code)


def _write(
    gated: "list[Gated]", code: int, junit: Path | None, markdown: Path | None, json: Path | None
) -> None:
    from ..gate import pipeline  # noqa: PLC0415
    from ..results.files import write_json, write_text  # noqa: PLC0415

    for path, content in ((junit, pipeline.junit), (markdown, pipeline.markdown)):
        if path:
            write_text(path, content(gated))
    if json:
        write_json(json, pipeline.record(gated, code))


def _held(entry: "Entry", options: dict[str, Any]) -> "Entry":
    """The entry with what the command line says put over what the file says."""
    from dataclasses import replace  # noqa: PLC0415

    from ..gate.project import VERDICTS  # noqa: PLC0415

    require = options["require"]
    if require is not None and require not in VERDICTS:
        raise UsageError(f"--require {require!r} is no verdict: it is {', '.join(VERDICTS)}")
    said: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    return replace(entry, terms=replace(entry.terms, **said))


def _verify(
    entry: "Entry", profile: "Profile", baseline: "Report | None", data_root: Path | None, device: str
) -> None:
    """Raises `UsageError` for whatever can be known to be wrong before anything trains."""
    from ..gate.gate import lacking, require_cases  # noqa: PLC0415
    from ..suite.suite import plan_suite  # noqa: PLC0415
    from ..trials.spec import SolverSpec  # noqa: PLC0415

    source = _images(profile, data_root, device)
    tasks = _tasks(profile)
    names = [task if isinstance(task, str) else task.name for task in tasks]
    if baseline is not None:
        for task in names:
            if task not in {before.task for before in baseline.tasks}:
                raise UsageError(lacking(task, baseline))
    suite = plan_suite(
        SolverSpec(entry.solver, dict(entry.options)), tasks, source, profile.budget, profile.perception
    )
    require_cases(entry.expected_failures, [run.label for run in suite.runs])


def _profile(project: "Project", entry: "Entry", perception: str | None) -> "Profile":
    """What an entry is held to, read by what the command line says."""
    profile = project.profile(entry.terms.profile).read_by(perception)
    return profile.asking_beyond() if entry.terms.asks_beyond else profile


def _images(profile: "Profile", data_root: Path | None, device: str) -> "ImageSource":
    from ...datasets.image_source import ImageSource  # noqa: PLC0415

    return ImageSource(profile.images, data_root, device=device, classes=profile.classes)


def _tasks(profile: "Profile") -> "list[str | Task]":
    from .puzzles import read_puzzles  # noqa: PLC0415

    boards = [] if profile.puzzles is None else [read_puzzles(profile.puzzles, consoles()[1])]
    return [*profile.names, *boards]


def _gate(
    entry: "Entry",
    profile: "Profile",
    baseline: "Report | None",
    images: "ImageSource",
    workers: int | None,
    folder: Path | None,
    listener: "Listener",
    *,
    cached: bool,
) -> "Gated":
    from ..engines.processes import Processes  # noqa: PLC0415
    from ..gate.gate import evaluate_gate  # noqa: PLC0415
    from ..results.cache import TrialCache  # noqa: PLC0415
    from ..suite.check import check  # noqa: PLC0415
    from ..trials.spec import SolverSpec  # noqa: PLC0415

    report = check(
        SolverSpec(entry.solver, dict(entry.options)),
        tasks=_tasks(profile),
        images=images,
        perception=profile.perception,
        budget=profile.budget,
        engine=Processes(workers),
        cache=TrialCache.of_user() if cached else None,
        listener=listener,
        run=folder,
        resume=folder is not None and (folder / "run.json").exists(),
    )
    return evaluate_gate(report, entry.terms, baseline, {} if report.interrupted else entry.expected_failures)


def _folder(solver: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in solver).strip(".")


def _worst(codes: list[int]) -> int:
    """Of several solvers: interrupted before failed before too little before passed."""
    return next((code for code in (130, 1, 3) if code in codes), 0)


def _print(gated: "Gated") -> None:
    console = consoles()[0]
    plain: Any = {"highlight": False, "markup": False, "soft_wrap": True}
    for case in gated.cases:
        if case.result not in ("pass", "skip"):
            console.print(f"{case.result}: {case.id}: {case.message}", **plain)
    console.print(f"{gated.report.solver}: {gated.summary}", **plain)
