"""The suite inside a user's own tests: one pytest test per check.

    from groundcheck.grounding import parametrize_with_checks

    @parametrize_with_checks("package.module:Layer", profile="quick")
    def test_layer(check):
        check()

Collecting costs nothing: torch is imported, and anything trained, when the first test runs.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ...datasets.errors import UsageError
from ..checks.names import check_ids, suggest
from .project import read_project

if TYPE_CHECKING:
    from ...datasets.image_source import ImageSource
    from ...datasets.task import Task
    from .gate import Case
    from .profiles import Profile

BOARDS = "puzzles"  # what tests call the boards of a profile's file, as `FileBoards.name` does


@dataclass(frozen=True)
class PlannedCheck:
    """One check of a solver on a task, to be called in a test: raises where it fails.

    `grounding` is the verdict on training end to end, held against `require`.
    """

    solver: str | Callable[..., Any]
    task: str
    name: str  # of the check: family/name
    profile: str
    require: str
    images: "ImageSource"
    workers: int

    @property
    def id(self) -> str:
        """As in the test's name: `satnet-mapping-grounding`, `satnet-sudoku-contract/shape`."""
        return f"{name_of(self.solver)}-{self.task}-{self.name}"

    def __call__(self) -> None:
        """Runs it, or looks up what ran for another test. Raises `AssertionError`, or skips."""
        import pytest  # noqa: PLC0415

        cases = _cases(
            self.solver,
            self.task,
            self.profile,
            self.require,
            self.images,
            self.workers,
            self.name in check_ids(trained=True),
        )
        # The verdict is a case of the gate, under its own name.
        case = cases.get("verdict" if self.name == "grounding" else self.name)
        if case is None:
            pytest.skip(f"{self.name} does not apply to {self.task}")
        if case.result in ("fail", "error"):
            raise AssertionError(f"{case.id}: {case.message}")
        if case.result == "inconclusive":
            raise AssertionError(f"{case.id} is not decided: {case.message}")
        if case.result == "skip":
            pytest.skip(case.message)


def parametrize_with_checks(
    solver: str | Callable[..., Any],
    profile: str = "quick",
    *,
    require: str = "GROUNDED",
    expected_failures: Mapping[str, str] | None = None,
    data_root: str | None = None,
    workers: int = 0,
) -> Any:
    """Decorates a test that takes `check`: it runs once per task and check, as `SOLVER-TASK-CHECK`.

    Trials run once for all tests, with pytest-xdist too.

    Args:
        solver: A name, `package.module:attribute`, or a callable `Problem -> nn.Module`.
        profile: One of groundcheck's or of groundcheck.toml's.
        require: The verdict that the test of `grounding` asks for.
        expected_failures: Reasons by the id of the test. They are strict: a test that passes fails.
        data_root: The folder with the image files; None for the one that the environment names, or else the
            cache.
        workers: Processes that run trials; 0: they run in this one.

    Returns:
        The decorator.

    Raises:
        UsageError: For an unknown profile, or an expected failure that names no test.
    """
    import pytest  # noqa: PLC0415

    from ...datasets.image_source import ImageSource  # noqa: PLC0415

    chosen = read_project().profile(profile)
    root = None if data_root is None else Path(data_root)
    images = ImageSource(chosen.images, root, classes=chosen.classes)
    checks = [
        PlannedCheck(solver, task, name, profile, require, images, workers)
        for task in (*chosen.names, *([BOARDS] if chosen.puzzles is not None else []))
        for name in check_ids()
    ]
    expected = dict(expected_failures or {})
    ids = [check.id for check in checks]
    if unknown := expected.keys() - set(ids):
        hint = suggest(min(unknown), ids)
        raise UsageError(f"expected failure {min(unknown)!r} names none of {len(ids)} tests: {hint}")
    # Only what a check tells is expected; that it breaks is not.
    marks = {
        id_: [pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError)]
        for id_, reason in expected.items()
    }
    marked = [pytest.param(check, id=check.id, marks=marks.get(check.id, [])) for check in checks]
    return pytest.mark.parametrize("check", marked)


def name_of(solver: str | Callable[..., Any]) -> str:
    """A solver in the id of a test."""
    return solver if isinstance(solver, str) else getattr(solver, "__name__", type(solver).__name__)


@cache
def _cases(
    solver: str | Callable[..., Any],
    task: str,
    profile: str,
    require: str,
    images: "ImageSource",
    workers: int,
    train: bool,
) -> "dict[str, Case]":
    """What a gate makes of a solver on a task, by the name of the check."""
    from ..engines.processes import Processes  # noqa: PLC0415
    from ..suite.check import check  # noqa: PLC0415
    from .gate import evaluate_gate  # noqa: PLC0415
    from .project import Terms  # noqa: PLC0415

    chosen = read_project().profile(profile)
    with _turn(solver, task, profile, str(images.root)) as run:
        report = check(
            solver,
            tasks=[_task(task, chosen)],
            images=images,
            perception=chosen.perception,
            budget=replace(chosen.budget, train=train),
            # A test module is often not importable in another process; a name is.
            engine=Processes(workers, None if isinstance(solver, str) else False),
            run=run,
            resume=(run / "run.json").exists(),
        )
    cases = evaluate_gate(report, Terms(require=require)).cases
    return {case.check: case for case in cases}


def _task(name: str, profile: "Profile") -> "str | Task":
    """What a profile calls by that name: the boards of its file, or a task."""
    if name != BOARDS or profile.puzzles is None:
        return name
    from ...datasets.boards.task import FileBoards  # noqa: PLC0415

    return FileBoards(file=str(profile.puzzles))


@contextmanager
def _turn(solver: str | Callable[..., Any], *key: str) -> Generator[Path]:
    """A run folder of this session of pytest, held until the context ends.

    The processes of pytest-xdist take it in turn: who comes second finds what who came first found. A
    solver that other processes cannot tell from another of its name (a lambda) gets a folder per process.
    """
    module, name = getattr(solver, "__module__", ""), getattr(solver, "__qualname__", "<")
    alone = not isinstance(solver, str) and ("<" in name)
    named = solver if isinstance(solver, str) else f"{module}.{name} {id(solver) if alone else ''}"
    folder = _folder(None if alone else os.environ.get("PYTEST_XDIST_TESTRUNUID"))
    run = folder / hashlib.sha256("\0".join((named, *key)).encode()).hexdigest()[:16]
    with FileLock(run.with_suffix(".turn")):
        yield run


@cache
def _folder(session: str | None) -> Path:
    """Where runs lie: a folder for an xdist session's processes, else one that ends with this process."""
    if session is not None:
        folder = Path(tempfile.gettempdir()) / f"groundcheck-{session}"
        folder.mkdir(exist_ok=True)
        return folder
    folder = Path(tempfile.mkdtemp(prefix="groundcheck-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
