"""One fault at a time in a task that is sound, at the place where it is first one: found, and named."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.task import SPLITS, Layout, Puzzles, Task
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.task_checks import PROVED, SIZE, TaskSubject, check_task, task_checks

Fault = Callable[[str, Puzzles], Puzzles]


@dataclass(frozen=True, kw_only=True)
class Sum(Task):
    """c = a + b; every split has a quarter of all pairs."""

    name: ClassVar[str] = "sum"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "this test"

    @cached_property
    def problem(self) -> Problem:
        frame = Problem(("a", "b", "c"), (9, 9, 17))
        clauses = [
            [-frame.literal(0, a), -frame.literal(1, b), frame.literal(2, a + b)]
            for a in range(9)
            for b in range(9)
        ]
        return make_problem(frame.variables, frame.domains, clauses)

    @property
    def classes(self) -> tuple[int, ...]:
        return tuple(range(9))

    @property
    def layout(self) -> Layout:
        return Layout(1, 3, ((0, 0), (0, 1), (0, 2)))

    def draw(self, split, size, rng) -> Puzzles:
        """Splits differ in the remainder of a + 2 b."""
        pairs = [(a, b) for a in range(9) for b in range(9) if (a + 2 * b) % 4 == SPLITS.index(split)]
        a, b = np.array(pairs)[rng.integers(len(pairs), size=size)].T
        solution = np.stack([a, b, a + b], axis=1).astype(np.int8)
        given = np.tile([True, True, False], (size, 1))
        return Puzzles(solution, given, np.where(given, 0, -1))

    def verify(self, solution) -> np.ndarray:
        return solution[:, 0] + solution[:, 1] == solution[:, 2]


def faulty(fault: Fault, *, only: str = "", **members: Any) -> Task:
    """`Sum` with puzzles of some split, or of all, that a fault has changed."""

    class Faulty(Sum):
        def draw(self, split, size, rng) -> Puzzles:
            drawn = super().draw(split, size, rng)
            return fault(split, drawn) if split == (only or split) and size else drawn

    return type("Faulty", (Faulty,), members)()


def found(check: str, task: Task) -> Finding:
    return task_checks[check].run(TaskSubject(task))


def put(name: str, place: Any, value: Any) -> Fault:
    """One entry of one array."""

    def change(_: str, drawn: Puzzles) -> Puzzles:
        array = getattr(drawn, name).copy()
        array[place] = value
        return replace(drawn, **{name: array})

    return change


def same(_: str, drawn: Puzzles) -> Puzzles:
    return drawn


LAST = SIZE - 1
EIGHT = property(lambda _: tuple(range(8)))  # classes


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (put("solution", (LAST, 2), -1), "a variable has a symbol outside of its domain"),
        (put("solution", (LAST, 0), 9), "a variable has a symbol outside of its domain"),
        (put("given", LAST, True), "every variable is given: nothing is asked"),
        (put("picture", (LAST, 2), 0), "a query shows a picture, which would tell its answer"),
    ],
)
def test_one_puzzle_at_fault_is_named_in_every_split(split: str, fault: Fault, said: str) -> None:
    form = found("form", faulty(fault, only=split))
    assert (form.status, form.reason) == ("fail", f"puzzle {LAST} of {split}: {said}")


def test_the_last_symbol_and_the_last_class_may_be_shown() -> None:
    shown = put("solution", (0, slice(None)), [8, 8, 16])
    assert found("form", faulty(shown)).status == "pass"
    form = found("form", faulty(shown, classes=EIGHT))
    assert form.reason == "puzzle 0 of train: a symbol is shown that `classes` lacks"
    told = put("picture", (0, slice(None)), -1)  # what no picture shows needs no class

    def both(split: str, drawn: Puzzles) -> Puzzles:
        kept = (drawn.solution[:, :2] < 8).all(axis=1)
        solution = np.where(kept[:, None], drawn.solution, np.int8(0))
        return told(split, shown(split, replace(drawn, solution=solution)))

    assert found("form", faulty(both, classes=EIGHT)).status == "pass"


@pytest.mark.parametrize(
    ("name", "dtype", "kind"),
    [
        ("solution", np.float64, "whole numbers"),
        ("given", np.int8, "truth values"),
        ("picture", np.bool_, "whole"),
    ],
)
def test_arrays_of_another_type_are_named(name: str, dtype: type, kind: str) -> None:
    def change(_: str, drawn: Puzzles) -> Puzzles:
        other = object.__new__(Puzzles)  # these tests check types where a `Puzzles` is made
        for part in ("solution", "given", "picture"):
            array = getattr(drawn, part)
            object.__setattr__(other, part, array.astype(dtype) if part == name else array)
        return other

    form = found("form", faulty(change, only="test"))
    assert form.status == "fail"
    assert form.reason.startswith(f"{name} of test is {np.dtype(dtype)} of ({SIZE}, 3): it is {kind}")
    assert f"({SIZE}, 3)" in form.reason.partition(": ")[2]


def test_as_many_puzzles_come_as_were_asked_for() -> None:
    class Generous(Sum):
        least = 1

        def draw(self, split, size, rng) -> Puzzles:
            return super().draw(split, max(size, self.least), rng)

    form = found("form", Generous())
    assert (form.status, form.reason) == ("fail", "0 puzzles were asked for, and 1 came")

    class Pairs(Sum):
        def draw(self, split, size, rng) -> Puzzles:
            return super().draw(split, size + size % 2, rng)

    two = found("form", Pairs())
    assert two.reason == "1 puzzles were asked for, and 2 came"


def test_what_is_deterministic_differs_from_seed_to_seed_and_from_split_to_split() -> None:
    assert found("deterministic", Sum()).status == "pass"

    class Seedless(Sum):
        def draw(self, split, size, rng) -> Puzzles:
            return super().draw(split, size, np.random.default_rng(SPLITS.index(split)))

    class Splitless(Sum):
        def generate(self, split, size, seed) -> Puzzles:
            return super().generate("train", size, seed)

    assert found("deterministic", Seedless()).reason == "seeds 0 and 1 gave the same puzzles"
    alike = found("deterministic", Splitless())
    assert alike.reason == "splits train and validation hold the same puzzles in the same order"


@pytest.mark.parametrize("part", ["solution", "given", "picture"])
def test_a_single_array_that_is_drawn_anew_is_heard(part: str) -> None:
    def change(_: str, drawn: Puzzles) -> Puzzles:
        array = getattr(drawn, part).copy()
        array[:, 0] = np.random.randint(2, size=len(array))  # noqa: NPY002
        return replace(drawn, **{part: array})

    assert found("deterministic", faulty(change)).reason.startswith(
        "the same split, size and seed gave other"
    )


@pytest.mark.parametrize(
    ("name", "draw"),
    [("numpy", np.random.rand), ("torch", lambda: torch.rand(1))],
)
def test_the_generator_that_moves_is_named(name: str, draw: Callable[[], object]) -> None:
    def change(_: str, drawn: Puzzles) -> Puzzles:
        draw()
        return drawn

    moved = found("global-state", faulty(change))
    assert moved.reason == f"drawing puzzles moved the global generator of {name}"
    assert found("global-state", Sum()).status == "pass"


def copied(one: str, other: str) -> Task:
    """A task in which the last puzzle of a split is the first of another one."""

    first = Sum().generate(one, SIZE, 0).solution[0]
    return faulty(put("solution", LAST, first), only=other)


WIDE = Problem(("a", "b", "c"), (9, 9, 17))


@pytest.mark.parametrize(
    ("one", "other"),
    [("train", "validation"), ("train", "test"), ("validation", "test"), ("train", "ood"), ("test", "ood")],
)
def test_a_puzzle_in_two_splits_is_counted(one: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundcheck.grounding.checks.task_checks.FEW", 0.0)  # few puzzles are no excuse
    assert found("splits", Sum()).status == "pass"
    splits = found("splits", copied(one, other))
    assert (splits.status, splits.reason) == (
        "fail",
        f"of {SIZE} puzzles each, 1 are in {one} and in {other}",
    )


def test_of_a_task_whose_images_shift_ood_puzzles_may_be_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slanted(Sum):
        shift: ClassVar[Any] = "images"

        def draw(self, split, size, rng) -> Puzzles:
            return super().draw("test" if split == "ood" else split, size, rng)

    monkeypatch.setattr("groundcheck.grounding.checks.task_checks.FEW", 0.0)
    assert found("splits", Slanted()).status == "pass"
    shifted = found("splits", type("Shifted", (Slanted,), {"shift": "puzzles"})())
    assert shifted.status == "fail"
    assert shifted.reason.endswith("are in test and in ood")


@pytest.mark.parametrize(("different", "status"), [(180, "fail"), (179, "skip")])
def test_nine_of_ten_training_puzzles_have_to_differ(different: int, status: str) -> None:
    """Before a puzzle in two splits is a fault; fewer are too few to be split by content."""

    class Numbered(Sum):
        @cached_property
        def problem(self) -> Problem:
            return Problem(("a", "b", "c"), (300, 9, 300))

        def draw(self, split, size, rng) -> Puzzles:
            a = (
                np.arange(size) % different
                if split == "train"
                else np.full(size, 179 if split == "test" else 299)
            )
            solution = np.stack([a, 0 * a, a], axis=1)
            if split == "test":
                solution[:, 0] = 0
            given = np.tile([True, True, False], (size, 1))
            return Puzzles(solution.astype(np.int16), given, np.full((size, 3), -1))

    splits = found("splits", Numbered())
    assert splits.status == status
    if status == "skip":
        assert f"{SIZE} training puzzles are 179 different ones" in splits.reason


def test_splits_are_compared_by_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same symbols, of which others are given, are another puzzle."""

    def other_given(_: str, drawn: Puzzles) -> Puzzles:
        given = drawn.given.copy()
        solution = drawn.solution.copy()
        solution[LAST] = Sum().generate("train", SIZE, 0).solution[0]
        given[LAST] = [True, False, True]
        return Puzzles(solution, given, np.where(given, 0, -1))

    monkeypatch.setattr("groundcheck.grounding.checks.task_checks.FEW", 0.0)
    assert found("splits", faulty(other_given, only="test")).status == "pass"


@pytest.mark.parametrize("split", ["train", "ood"])
@pytest.mark.parametrize(("row", "caught"), [(0, True), (PROVED - 1, True), (PROVED, False)])
def test_fifty_solutions_of_each_split_are_held_against_the_rules(split: str, row: int, caught: bool) -> None:
    wrong = put("solution", (row, 2), 16)

    def change(where: str, drawn: Puzzles) -> Puzzles:
        return wrong(where, put("solution", (row, slice(0, 2)), [1, 1])(where, drawn))

    rules = found("rules", faulty(change, only=split))
    unique = found("unique", faulty(change, only=split))
    assert [rules.status, unique.status] == (["fail"] * 2 if caught else ["pass"] * 2)
    if caught:
        assert rules.reason == f"puzzle {row} of {split}: the solution, [1, 1, 16], breaks the CNF"
        assert unique.reason.startswith(f"{split}: of 50 puzzles 1 break the rules (first: {row})")


def test_cnf_and_verify_have_to_agree_both_ways() -> None:
    strict = found("rules", faulty(same, verify=lambda _, s: np.zeros(len(s), dtype=bool)))
    assert strict.reason.startswith("puzzle 0 of train: the solution, ")
    assert strict.reason.endswith(" is refused by verify")
    lenient = found("rules", faulty(same, verify=lambda _, s: np.ones(len(s), dtype=bool)))
    assert "the solution with one symbol changed, " in lenient.reason
    assert lenient.reason.endswith("breaks the CNF, and verify says otherwise")

    class Loose(Sum):
        """Its rules say nothing of a = 3."""

        @cached_property
        def problem(self) -> Problem:
            whole = super().problem
            assert whole.rules is not None
            three = whole.literal(0, 3)
            kept = [c for c in whole.rules.clauses if -three not in c or len(c) < 3]
            return make_problem(whole.variables, whole.domains, kept)

    loose = found("rules", Loose())
    assert loose.status == "fail"
    assert loose.reason.endswith("keeps the CNF, and verify says otherwise")
    assert found("rules", Sum()).status == "pass"


def test_without_rules_nothing_is_proved() -> None:
    lawless = faulty(same, problem=property(lambda _: WIDE))
    for check in ("rules", "unique"):
        assert found(check, lawless).status == "skip"


@pytest.mark.parametrize("name", ["rules", "unique"])
def test_a_query_that_is_open_has_two_answers(name: str) -> None:
    def change(_: str, drawn: Puzzles) -> Puzzles:
        given = drawn.given.copy()
        given[PROVED - 1, 1] = False
        return Puzzles(drawn.solution, given, np.where(given, 0, -1))

    checked = found(name, faulty(change, only="ood"))
    assert checked.status == ("pass" if name == "rules" else "fail")


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout(1, 3, ((0, 0), (0, 1))), "layout has 2 places, for 3 variables"),
        (Layout(1, 3, ((0, 0), (0, 1), (0, 2), (0, 0))), "layout has 4 places, for 3 variables"),
        (Layout(1, 2, ((0, 0), (0, 1), (0, 2))), "c stands at row 0, column 2 of 1 by 2"),
        (Layout(1, 3, ((0, 0), (1, 1), (0, 2))), "b stands at row 1, column 1 of 1 by 3"),
        (Layout(1, 3, ((0, -1), (0, 1), (0, 2))), "a stands at row 0, column -1 of 1 by 3"),
        (Layout(1, 3, ((-1, 0), (0, 1), (0, 2))), "a stands at row -1, column 0 of 1 by 3"),
        (Layout(2, 3, ((1, 0), (0, 1), (1, 2))), ""),
    ],
)
def test_places_are_counted_and_lie_inside(layout: Layout, said: str) -> None:
    shown = found("shown", faulty(same, layout=property(lambda _: layout)))
    assert (shown.status, shown.reason if said else "") == ("fail" if said else "pass", said)


def test_symbols_are_text_and_classes_differ() -> None:
    silent = faulty(same, written=lambda self, v, k: 16 if (v, k) == (2, 16) else str(k))
    assert found("shown", silent).reason == "symbol 16 of c is written as 16, no text"
    twice = faulty(same, classes=property(lambda _: (0, 1, 2, 3, 4, 5, 6, 7, 7)))
    assert "name an image class twice" in found("shown", twice).reason


def test_a_sound_task_is_found_sound() -> None:
    findings = check_task(Sum)
    assert [(f.check, f.task) for f in findings] == [(check.id, "sum") for check in task_checks.checks]
    assert {f.status for f in findings} == {"pass"}


@pytest.mark.parametrize("alike", [True, False])
def test_a_task_that_its_settings_do_not_make_again_is_told(
    alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = "groundcheck.grounding.checks.task_checks"
    monkeypatch.setattr(f"{home}.reference_of", lambda _: "sum")
    monkeypatch.setattr(f"{home}.pickle", SimpleNamespace(loads=lambda x: x, dumps=lambda x: x))
    monkeypatch.setattr(f"{home}.rebuild_task", lambda *_: Sum() if alike else Mapping(symbols=4))
    record = found("record", Sum())
    said = (
        "rebuilt from its settings as sum"
        if alike
        else f"the task is not equal to what its settings {Sum().settings} make"
    )
    assert (record.status, record.reason) == ("pass" if alike else "fail", said)


def test_a_task_without_a_hash_is_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unhashable(Sum):
        __hash__ = None  # type: ignore[assignment]

    home = "groundcheck.grounding.checks.task_checks"
    monkeypatch.setattr(f"{home}.reference_of", lambda _: "sum")
    monkeypatch.setattr(f"{home}.pickle", SimpleNamespace(loads=lambda x: x, dumps=lambda x: x))
    monkeypatch.setattr(f"{home}.rebuild_task", lambda *_: Unhashable())
    assert "unhashable" in found("record", Unhashable()).reason


def test_what_a_first_draw_imports_or_compiles_may_move_a_generator() -> None:
    calls: list[str] = []

    def change(split: str, drawn: Puzzles) -> Puzzles:
        if not calls:
            np.random.rand()  # noqa: NPY002
        calls.append(split)
        return drawn

    assert found("global-state", faulty(change, only="test")).status == "pass"
    assert calls == ["test", "test"]


def test_puzzles_of_seeds_0_and_1_are_compared() -> None:
    asked: list[tuple[str, int, int]] = []

    class Notes(Sum):
        def generate(self, split, size, seed) -> Puzzles:
            asked.append((split, size, seed))
            return super().generate(split, size, seed)

    assert found("deterministic", Notes()).status == "pass"
    assert asked[-4:] == [("train", SIZE, 0), ("train", SIZE, 0), ("train", SIZE, 1), ("validation", SIZE, 0)]
