"""What a task of a user's has to keep: the contract of `Task`, held as our own tasks are held to it.

None of it trains anything; scoring rests on all of it.
"""

import json
import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import torch
from pysat.solvers import Solver as SatSolver

from ...datasets.certify import certify
from ...datasets.own_task import find_task, rebuild_task, reference_of
from ...datasets.task import SPLITS, Puzzles, Setting, Split, Task
from .finding import Finding
from .registry import FailCheckError, Registry, Result, SkipCheckError, passed
from .seeding import seeded_generators

SIZE = 200  # puzzles of a split that are looked at
PROVED = 50  # of which rules and uniqueness are proved by SAT
FEW = 0.9  # share of different puzzles below which there are too few to be split by content


@dataclass(frozen=True)
class TaskSubject:
    """A task as it came, and as a trial of seed 0 meets it."""

    task: Task

    @cached_property
    def drawn(self) -> Task:
        """With what it draws from the seed."""
        return self.task.drawn(seed=0)

    @cached_property
    def splits(self) -> dict[Split, Puzzles]:
        """Puzzles of every split, from seed 0."""
        return {split: self.drawn.generate(split, SIZE, 0) for split in SPLITS}


task_checks: Registry[TaskSubject] = Registry("task")


def check_task(task: "str | type[Task] | Task") -> list[Finding]:
    """Holds a task against the contract of `Task`; nothing is trained.

    Args:
        task: A task, its class, a name, `module:attribute` or `file.py:attribute`.

    Returns:
        A finding for each check, in order.

    Raises:
        UsageError: For what is no task.
    """
    subject = TaskSubject(as_task(task))
    return list(task_checks.run(subject, subject.task.name))


def as_task(task: "str | type[Task] | Task") -> Task:
    """The task that is meant: made without arguments where a class is named."""
    if isinstance(task, str):
        return find_task(task)
    return task if isinstance(task, Task) else task()


@task_checks.check("form", decides=True)
def check_form(subject: TaskSubject) -> Result:
    """Puzzles are arrays (puzzles, variables) of the shape, type and range that `Puzzles` states.

    Failure: the message names the array, and what is wrong with it.

    Remedy: `Puzzles` in groundcheck.datasets has the contract; `draw_pictures` draws its pictures.
    """
    problem = subject.drawn.problem
    count = len(problem.variables)
    for split, puzzles in subject.splits.items():
        arrays: dict[str, Any] = {
            "solution": puzzles.solution, "given": puzzles.given, "picture": puzzles.picture,
        }  # fmt: skip
        for name, array in arrays.items():
            kind = np.bool_ if name == "given" else np.integer
            if array.shape != (SIZE, count) or not np.issubdtype(array.dtype, kind):
                _fail(
                    f"{name} of {split} is {array.dtype} of {array.shape}: it is "
                    f"{'truth values' if name == 'given' else 'whole numbers'} of ({SIZE}, {count})"
                )
        solution, given, shown = puzzles.solution, puzzles.given, puzzles.picture >= 0
        outside = (solution < 0) | (solution >= np.asarray(problem.domains))
        _none(outside.any(axis=1), split, "a variable has a symbol outside of its domain")
        _none(given.all(axis=1), split, "every variable is given: nothing is asked")
        _none((shown & ~given).any(axis=1), split, "a query shows a picture, which would tell its answer")
        classes = len(subject.drawn.classes)
        _none((shown & (solution >= classes)).any(axis=1), split, "a symbol is shown that `classes` lacks")
    for size in (0, 1):
        if len(found := subject.drawn.generate("train", size, seed=0)) != size:
            _fail(f"{size} puzzles were asked for, and {len(found)} came")
    return passed(f"arrays of {SIZE} puzzles of each split have their shapes, types and ranges")


@task_checks.check("deterministic", needs=["form"], decides=True)
def check_deterministic(subject: TaskSubject) -> Result:
    """The same split, size and seed give the same puzzles, whatever was drawn before; other seeds others.

    A trial is repeated in other processes, and scored in one that draws the puzzles for itself.

    Failure: a run would be scored on puzzles that nobody answered.

    Remedy: Draw from the `rng` that `draw` is handed, and from nothing else.
    """
    with seeded_generators(0):
        first = subject.task.drawn(seed=0).generate("train", SIZE, seed=0)
    with seeded_generators(1):
        again = subject.task.drawn(seed=0).generate("train", SIZE, seed=0)
    if not _same(first, again):
        _fail("the same split, size and seed gave other puzzles the second time")
    if _same(first, subject.task.drawn(seed=0).generate("train", SIZE, seed=1)):
        _fail("seeds 0 and 1 gave the same puzzles")
    if _same(first, subject.drawn.generate("validation", SIZE, seed=0)):
        _fail("splits train and validation hold the same puzzles in the same order")
    return passed("the same arguments give the same puzzles, other seeds and splits others")


@task_checks.check("global-state", needs=["form"], decides=True)
def check_global_state(subject: TaskSubject) -> Result:
    """Drawing puzzles moves no global generator: neither NumPy's nor torch's.

    Python's own may move: what checks types at run time draws from it. That puzzles come from it is seen by
    `task/deterministic`.

    Failure: what a solver draws would depend on how many puzzles were drawn before.

    Remedy: Draw from the `rng` that `draw` is handed, and from nothing else.
    """
    subject.task.drawn(seed=3).generate("test", SIZE, seed=3)  # what is imported and compiled first may draw
    before = _global_state()
    subject.task.drawn(seed=3).generate("test", SIZE, seed=3)
    moved = [name for name, state in _global_state().items() if state != before[name]]
    if moved:
        _fail(f"drawing puzzles moved the global generator of {' and '.join(moved)}")
    return passed("no global generator moved")


@task_checks.check("splits", needs=["form"], decides=True)
def check_splits(subject: TaskSubject) -> Result:
    """No puzzle of one split is a puzzle of another, by what is given and asked.

    A task whose `shift` is "images" shows its ood puzzles with other images: they may be those of another
    split. So may all puzzles of a task that has so few of them that the training puzzles repeat themselves.

    Failure: a network could know a test puzzle from training.

    Remedy: Decide by the content of a puzzle which split it belongs to, as `shares` of
    groundcheck.datasets.search.splits does.
    """
    contents = {split: _contents(puzzles) for split, puzzles in subject.splits.items()}
    different = len(contents["train"])
    ood = ("ood",) if subject.task.shift == "puzzles" else ()
    names: tuple[Split, ...] = ("train", "validation", "test", *ood)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            shared = len(contents[one] & contents[other])
            if shared and different < FEW * SIZE:
                raise SkipCheckError(
                    f"{SIZE} training puzzles are {different} different ones: there are too few to be split "
                    "by content, and splits differ in their images"
                )
            if shared:
                _fail(f"of {SIZE} puzzles each, {shared} are in {one} and in {other}")
    return passed(f"of {SIZE} puzzles of each split none is in another")


@task_checks.check("rules", needs=["form"], decides=True)
def check_rules(subject: TaskSubject) -> Result:
    """Every solution satisfies the rules, by their CNF and by `verify`, and the two agree on wrong ones.

    Failure: a solver that is given the rules would be told other rules than those it is scored by.

    Remedy: Compare the clauses of `problem` with `verify` on the assignment that the message names.
    """
    problem, rng = subject.drawn.problem, np.random.default_rng(0)
    if problem.rules is None:
        raise SkipCheckError("the task states no rules")
    with SatSolver(name="cadical153", bootstrap_with=problem.rules) as solver:
        for split, puzzles in subject.splits.items():
            right = puzzles.solution[:PROVED].astype(np.int64)
            wrong, rows = right.copy(), np.arange(len(right))
            variable = rng.integers(right.shape[1], size=len(right))
            shift = rng.integers(1, np.asarray(problem.domains)[variable])
            wrong[rows, variable] = (right[rows, variable] + shift) % np.asarray(problem.domains)[variable]
            for symbols, which in ((right, "solution"), (wrong, "solution with one symbol changed")):
                verified = np.asarray(subject.drawn.verify(symbols))
                for row, assignment in enumerate(symbols.tolist()):
                    kept = bool(solver.solve(assumptions=problem.assumptions(assignment)))
                    told = f"puzzle {row} of {split}: the {which}, {assignment},"
                    if symbols is right and not (kept and verified[row]):
                        _fail(f"{told} {'breaks the CNF' if not kept else 'is refused by verify'}")
                    if kept != bool(verified[row]):
                        _fail(f"{told} {'keeps' if kept else 'breaks'} the CNF, and verify says otherwise")
    return passed(
        f"{PROVED} solutions of each split keep the rules; CNF and verify agree on as many wrong ones"
    )


@task_checks.check("unique", needs=["rules"], decides=True)
def check_unique(subject: TaskSubject) -> Result:
    """The givens leave one completion: the solution, proved by SAT.

    Answers are compared with one solution; where there are two, a right answer would count as wrong.

    Failure: the message names puzzles with another completion.

    Remedy: Give more, or draw puzzles until one has a single completion.
    """
    if subject.drawn.problem.rules is None:
        raise SkipCheckError("the task states no rules to prove anything by")
    for split, puzzles in subject.splits.items():
        certificate = certify(subject.drawn, puzzles[:PROVED])
        if not certificate.holds:
            _fail(f"{split}: {certificate.summary}")
    return passed(f"{PROVED} puzzles of each split have one completion, the one stored with them")


@task_checks.check("shown", needs=["form"], decides=True)
def check_shown(subject: TaskSubject) -> Result:
    """Every variable has its place in the layout, and every symbol is written as text.

    Failure: reports and `groundcheck show` could not draw the puzzles.

    Remedy: `Layout` has a place (row, column) for each variable; `written` returns text.
    """
    task, problem = subject.drawn, subject.drawn.problem
    layout = task.layout
    if len(layout.places) != len(problem.variables):
        _fail(f"layout has {len(layout.places)} places, for {len(problem.variables)} variables")
    for variable, (row, column) in enumerate(layout.places):
        if not (0 <= row < layout.rows and 0 <= column < layout.columns):
            name = problem.variables[variable]
            _fail(f"{name} stands at row {row}, column {column} of {layout.rows} by {layout.columns}")
        for symbol in range(problem.domains[variable]):
            text: Any = task.written(variable, symbol)
            if not isinstance(text, str):
                _fail(f"symbol {symbol} of {problem.variables[variable]} is written as {text!r}, no text")
    if len({*task.classes}) != len(task.classes):
        _fail(f"classes {task.classes} name an image class twice: symbols would look alike")
    return passed("every variable has a place, every symbol its text")


@task_checks.check("record", decides=True)
def check_record(subject: TaskSubject) -> Result:
    """A task is rebuilt from its settings as JSON, and reaches another process as it is.

    Failure: a run could not be continued, reported on, or spread over processes.

    Remedy: A frozen dataclass of numbers, words and tuples at the top of a module that can be imported.
    """
    for task in (subject.task, subject.drawn):
        try:
            recorded = msgspec.convert(json.loads(json.dumps(task.settings)), dict[str, Setting])
            again = rebuild_task(reference_of(task), recorded)
            same = [again, pickle.loads(pickle.dumps(task)), replace(task)]
        except Exception as error:
            raise FailCheckError(f"settings {task.settings}: {type(error).__name__}: {error}") from error
        if any(other != task for other in same):
            _fail(f"the task is not equal to what its settings {task.settings} make")
        hash(task)
    return passed(f"rebuilt from its settings as {reference_of(subject.task)}")


def _fail(reason: str) -> None:
    raise FailCheckError(reason)


def _none(rows: Any, split: Split, reason: str) -> None:
    if rows.any():
        _fail(f"puzzle {int(rows.argmax())} of {split}: {reason}")


def _same(one: Puzzles, other: Puzzles) -> bool:
    pairs = ((one.solution, other.solution), (one.given, other.given), (one.picture, other.picture))
    return all(np.array_equal(a, b) for a, b in pairs)


def _contents(puzzles: Puzzles) -> set[bytes]:
    """Each puzzle by its givens and their symbols."""
    seen = np.where(puzzles.given, puzzles.solution, -1)
    return {row.astype(np.int16).tobytes() for row in seen}


def _global_state() -> dict[str, Any]:
    state: Any = np.random.get_state()  # noqa: NPY002 - it is looked at, not drawn from
    return {
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in state],
        "torch": torch.get_rng_state().tolist(),
    }
