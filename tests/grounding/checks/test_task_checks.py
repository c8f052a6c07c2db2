"""The contract of a task: ours keep it, the example does, and what breaks it is caught by its check."""

import importlib.util
import random
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.own_task import find_task, rebuild_task, reference_of
from groundcheck.datasets.task import Layout
from groundcheck.grounding.checks.names import registered
from groundcheck.grounding.checks.task_checks import check_task, task_checks
from groundcheck.testing import parametrize_with_task_checks

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_task.py"
Median: Any = type(find_task(f"{EXAMPLE}:Median"))


def statuses(task: Any) -> dict[str, str]:
    return {finding.check: finding.status for finding in check_task(task)}


@pytest.mark.parametrize(
    "name", [name for name in TASKS.ours if name not in ("queens", "visudo", "futoshiki")]
)
def test_ours_keep_it(name: str) -> None:
    found = check_task(name)
    assert [f.reason for f in found if f.status not in ("pass", "skip")] == []
    assert {f.check for f in found if f.status == "skip"} <= {"task/splits"}


@parametrize_with_task_checks(f"{EXAMPLE}:Median")
def test_the_example_keeps_it(check: Any) -> None:
    check()


def test_the_tests_are_named_without_waiting_for_the_checks() -> None:
    assert registered("task_checks") == tuple(check.id for check in task_checks.checks)
    [mark] = [parametrize_with_task_checks(Median).mark]
    assert mark.args[1][0].id == "Median-task/form"


@dataclass(frozen=True, kw_only=True)
class Asked(Median):
    """A query shows a picture."""

    def draw(self, split, size, rng):
        found = super().draw(split, size, rng)
        return replace(found, picture=np.maximum(found.picture, 0))


@dataclass(frozen=True, kw_only=True)
class Beyond(Median):
    def draw(self, split, size, rng):
        found = super().draw(split, size, rng)
        return replace(found, solution=found.solution + np.int8(9))


@dataclass(frozen=True, kw_only=True)
class Narrow(Median):
    def draw(self, split, size, rng):
        found = super().draw(split, size, rng)
        return replace(found, given=found.given[:, :3])


@dataclass(frozen=True, kw_only=True)
class Untied(Median):
    """Draws from Python's generator."""

    def draw(self, split, size, rng):
        return super().draw(split, size, np.random.default_rng(random.getrandbits(32)))


@dataclass(frozen=True, kw_only=True)
class Global(Median):
    def draw(self, split, size, rng):
        np.random.random()  # noqa: NPY002
        return super().draw(split, size, rng)


@dataclass(frozen=True, kw_only=True)
class Seedless(Median):
    def draw(self, split, size, rng):
        return super().draw(split, size, np.random.default_rng(0))


@dataclass(frozen=True, kw_only=True)
class Mixed(Median):
    """Every split draws from the same quarter, of many."""

    digits: int = 10

    def draw(self, split, size, rng):
        del split
        parts = [super(Mixed, self).draw(s, size, rng) for s in ("train", "validation", "test", "ood")]
        rows = rng.integers(4, size=size)
        solution = np.stack([part.solution for part in parts])[rows, np.arange(size)]
        return replace(parts[0], solution=solution)


@dataclass(frozen=True, kw_only=True)
class Wrong(Median):
    """Says the largest."""

    def draw(self, split, size, rng):
        found = super().draw(split, size, rng)
        solution = found.solution.copy()
        solution[:, 3] = solution[:, :3].max(axis=1)
        return replace(found, solution=solution)


@dataclass(frozen=True, kw_only=True)
class Credulous(Median):
    def verify(self, solution):
        return np.ones(len(solution), dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Open(Median):
    """Asks two of four."""

    def draw(self, split, size, rng):
        found = super().draw(split, size, rng)
        given = found.given.copy()
        given[:, 2] = False
        return replace(found, given=given, picture=np.where(given, found.picture, -1))


@dataclass(frozen=True, kw_only=True)
class Placeless(Median):
    @property
    def layout(self):
        return Layout(1, 2, ((0, 0), (0, 1), (0, 2), (0, 3)))


@dataclass(frozen=True, kw_only=True)
class Unrecorded(Median):
    digits: Any = 10

    def __post_init__(self) -> None:
        object.__setattr__(self, "digits", np.int64(10))

    @cached_property
    def made(self) -> object:
        return object()


BROKEN = {
    Asked: "form", Beyond: "form", Narrow: "form", Untied: "deterministic", Seedless: "deterministic",
    Mixed: "splits", Wrong: "rules", Credulous: "rules", Open: "unique", Placeless: "shown",
    Unrecorded: "record",
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "check"), BROKEN.items(), ids=lambda value: getattr(value, "__name__", value)
)
def test_each_way_of_breaking_it_is_caught(task: Any, check: str) -> None:
    # Arrays of another shape are caught by the types that these tests check, before the check sees them.
    assert statuses(task)[f"task/{check}"] in (("fail", "error") if task is Narrow else ("fail",))


@pytest.mark.parametrize("state", [0, 1, 2])
def test_it_is_caught_whatever_state_the_generators_are_in(state: int) -> None:
    random.seed(state)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert statuses(Untied)["task/deterministic"] == "fail"
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_a_task_that_moves_a_global_generator_is_caught() -> None:
    assert statuses(Global)["task/global-state"] == "fail"
    assert statuses(Median)["task/global-state"] == "pass"


FILE = """
from dataclasses import dataclass
from typing import ClassVar
from groundcheck.datasets import Mapping, Sudoku
import beside

@dataclass(frozen=True, kw_only=True)
class Mine(Sudoku):
    name: ClassVar[str] = "mine"
    size: int = beside.SIZE

@dataclass(frozen=True, kw_only=True)
class Nameless(Sudoku):
    name: ClassVar[str] = "sudoku"

@dataclass(frozen=True, kw_only=True)
class Needy(Sudoku):
    name: ClassVar[str] = "needy"
    more: int

large = Mine(size=6)

def make():
    return Mine(size=4)

def breaks():
    raise RuntimeError("out of ideas")

number = 3
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.py").write_text("SIZE = 9\n")
    path = tmp_path / "mytask.py"
    path.write_text(FILE)
    for name in ("mytask", "beside"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return path


def test_a_task_is_found_in_a_file_by_class_object_or_function(file: Path) -> None:
    for attribute, size in (("Mine", 9), ("large", 6), ("make", 4)):
        task: Any = find_task(f"mytask.py:{attribute}")
        assert (task.name, task.size) == ("mine", size)
        assert reference_of(task) == f"mytask.py:{attribute}"
        assert rebuild_task(reference_of(task), task.settings) == task
    assert find_task("mytask:Mine") == find_task(f"{file}:Mine")
    assert reference_of(find_task("sudoku")) == "sudoku"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mytask.py:number", "is a int: name a class derived from groundcheck.datasets.Task"),
        ("mytask.py:Nameless", "is called 'sudoku', as a task of groundcheck's: give it a name of its own"),
        ("mytask.py:Needy", "could not be made: TypeError: .*more.*: give every field a default"),
        ("mytask.py:breaks", "could not be made: RuntimeError: out of ideas"),
        ("mytask.py:Gone", "has no attribute 'Gone'"),
        ("gone.py:Mine", r"there is no file gone\.py; it is written package\.module:attribute"),
        ("mytask.py", "path/to/file.py:attribute"),
        ("sudoko", "did you mean sudoku"),
    ],
)
def test_what_is_no_task_is_refused_in_a_sentence(file: Path, name: str, said: str) -> None:
    del file
    with pytest.raises(UsageError, match=said):
        find_task(name)


def test_a_file_may_be_called_as_another_module(file: Path) -> None:
    """Two files of one name, and one that is called as a module of Python's that is in use."""
    other = file.parent / "other"
    other.mkdir()
    (other / "mytask.py").write_text(FILE.replace("beside.SIZE", "16"))
    (file.parent / "queue.py").write_text(FILE)
    sizes = [
        find_task(f"{path}:Mine").settings["size"]
        for path in (file, other / "mytask.py", file.parent / "queue.py")
    ]
    assert sizes == [9, 16, 9]
    assert importlib.import_module("queue").Queue


def test_a_file_in_a_package_is_imported_as_a_part_of_it(file: Path) -> None:
    package = file.parent / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "beside.py").write_text("SIZE = 4\n")
    (package / "task.py").write_text(FILE.replace("import beside", "from . import beside"))
    assert find_task("pack/task.py:Mine").settings["size"] == 4
    assert "pack.task" in sys.modules
