"""The suite inside a user's own tests: one pytest test per task and family of checks.

    from groundcheck.grounding import parametrize_with_checks

    @parametrize_with_checks("package.module:Layer", profile="quick")
    def test_layer(check):
        check()

Collecting costs nothing: torch is imported, and anything trained, when the first test runs.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .project import read_project

if TYPE_CHECKING:
    from .report.record import Report

# Families of checks in the order they make sense in: what needs no training comes first.
UNTRAINED = ("contract", "leak", "identifiable")
FAMILIES = (*UNTRAINED, "grounding", "bypass")


@dataclass(frozen=True)
class FamilyCheck:
    """One family of checks of a solver on a task, to be called in a test: raises where one fails.

    `grounding` is the verdict on training end to end; the others are the checks of that family.
    """

    solver: str | Callable[..., Any]
    task: str
    family: str
    profile: str
    require: str
    data_root: str | None
    workers: int

    @property
    def id(self) -> str:
        """As in the test's name."""
        return f"{name_of(self.solver)}-{self.task}-{self.family}"

    def __call__(self) -> None:
        """Runs it, or looks up what ran for another test. Raises `AssertionError`, or skips."""
        import pytest  # noqa: PLC0415

        report = _report(
            self.solver, self.task, self.profile, self.data_root, self.workers, self.family not in UNTRAINED
        )
        from .gate import hold  # noqa: PLC0415
        from .project import Terms  # noqa: PLC0415

        cases = hold(report, Terms(require=self.require)).cases
        family = "verdict" if self.family == "grounding" else self.family
        found = [case for case in cases if case.id.partition("/")[0] == family]
        failed = [f"{case.id}: {case.message}" for case in found if case.result in ("fail", "error")]
        if failed:
            raise AssertionError("\n".join(failed))
        undecided = [case for case in found if case.result == "inconclusive"]
        if undecided:
            raise AssertionError(f"not decided: {undecided[0].message}")
        if not any(case.result == "pass" for case in found):
            pytest.skip(found[0].message if found else f"no {self.family} check applies to {self.task}")


def parametrize_with_checks(
    solver: str | Callable[..., Any],
    profile: str = "quick",
    *,
    require: str = "GROUNDED",
    expected_failures: Mapping[str, str] | None = None,
    data_root: str | None = None,
    workers: int = 0,
) -> Any:
    """Decorates a test that takes `check`: it runs once per task and family, as `SOLVER-TASK-FAMILY`.

    `profile` is one of groundcheck's or of groundcheck.toml's, `require` the verdict that `grounding` asks
    for. `expected_failures` maps ids to reasons; they are strict: one that passes fails. Trials run in
    this process unless `workers` is more than 0, and once for all tests, with pytest-xdist too.

    Raises `ValueError` for an unknown profile, or an expected failure that names no test.
    """
    import pytest  # noqa: PLC0415

    from ..datasets.catalogue import TASKS  # noqa: PLC0415

    tasks = read_project().profile(profile).tasks
    checks = [
        FamilyCheck(solver, task, family, profile, require, data_root, workers)
        for task in (tuple(TASKS.ours) if tasks is None else tasks)
        for family in FAMILIES
    ]
    expected = dict(expected_failures or {})
    if unknown := expected.keys() - {check.id for check in checks}:
        known = ", ".join(check.id for check in checks)
        raise ValueError(f"expected failure {min(unknown)!r} names no test: there are {known}")
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
def _report(
    solver: str | Callable[..., Any],
    task: str,
    profile: str,
    data_root: str | None,
    workers: int,
    train: bool,
) -> "Report":
    from .suite import check  # noqa: PLC0415

    chosen = read_project().profile(profile)
    with _shared(name_of(solver), task, profile, str(train)) as run:
        return check(
            solver,
            tasks=[task],
            images=chosen.images,
            data_root=data_root,
            seeds=chosen.seeds,
            epochs=chosen.epochs,
            settings=chosen.settings,
            workers=workers,
            train=train,
            # A test module is often not importable in another process; a name is.
            isolate=None if isinstance(solver, str) else False,
            run=run,
            resume=run is not None and (run / "run.json").exists(),
        )


@contextmanager
def _shared(*key: str) -> Generator[Path | None]:
    """A run folder that the processes of one pytest-xdist session take in turn; None in a single process.

    Who comes second finds the trials of who came first.
    """
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if session is None:
        yield None
        return
    name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"groundcheck-{session}"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield folder / name
