import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Layout, Puzzles, Split, Task
from groundcheck.grounding.checks import identifiable
from groundcheck.grounding.checks.identifiable import check_identifiable, check_relabellings
from groundcheck.grounding.measures import identifiability
from groundcheck.grounding.measures.identifiability import count_relabellings
from groundcheck.grounding.suite.suite import TaskRun, identify
from groundcheck.grounding.trials.training import Training


def by_hand(task: Task, puzzles: Puzzles) -> set[tuple[int, ...]]:
    """Every map of the symbols, tried on every puzzle."""
    symbols = len(task.classes)
    shown = puzzles.picture >= 0
    fit = set()
    for candidate in itertools.product(range(symbols), repeat=symbols):
        read = np.where(shown, np.array(candidate)[np.where(shown, puzzles.solution, 0)], puzzles.solution)
        if (read < task.problem.domains).all() and task.verify(read).all():
            fit.add(candidate)
    return fit


@dataclass(frozen=True, kw_only=True)
class Listed(Task):
    """A task whose rules allow the worlds that a table says, but for symbols that a variable never takes."""

    name: ClassVar[str] = "listed"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "this test"

    table: np.ndarray
    symbols: int  # that images show
    never: tuple[tuple[int, int], ...] = ()  # pairs (variable, symbol), each a rule of its own

    @cached_property
    def allowed(self) -> np.ndarray:
        allowed = self.table.copy()
        for variable, symbol in self.never:
            allowed.swapaxes(0, variable)[symbol] = False
        return allowed

    @cached_property
    def problem(self) -> Problem:
        frame = Problem(tuple("abcdef"[: self.table.ndim]), self.table.shape)
        clauses = [[-x for x in frame.assumptions(world)] for world in np.argwhere(~self.table).tolist()]
        clauses += [[-frame.literal(*pair)] for pair in self.never]
        return make_problem(frame.variables, frame.domains, clauses)

    @property
    def classes(self) -> tuple[int, ...]:
        return tuple(range(self.symbols))

    @property
    def layout(self) -> Layout:
        return Layout(1, self.table.ndim, tuple((0, v) for v in range(self.table.ndim)))

    def draw(self, split: Split, size: int, rng: np.random.Generator) -> Puzzles:
        del split
        worlds = np.argwhere(self.allowed)
        solution = worlds[rng.integers(len(worlds), size=size)]
        return self.puzzles(solution, (rng.random(solution.shape) < 0.7) & (solution < self.symbols))

    def puzzles(self, solution: np.ndarray, shown: np.ndarray) -> Puzzles:
        return Puzzles(solution.astype(np.int8), np.ones_like(shown), np.where(shown, 0, -1))

    def verify(self, solution: np.ndarray) -> np.ndarray:
        return self.allowed[tuple(solution.T)]


@pytest.mark.parametrize(
    ("name", "settings", "puzzles"),
    [
        ("mapping", {"symbols": 4}, 20),
        ("mapping", {"symbols": 4}, 2),  # symbols that no puzzle shows may be read as anything
        ("sudoku", {}, 1),
        ("sudoku", {}, 20),
        ("half", {}, 50),
        ("parity", {}, 20),
        ("visudo", {}, 20),
        ("latin", {"size": 4}, 1),
    ],
)
def test_the_count_is_that_of_trying_every_map(name: str, settings: dict, puzzles: int) -> None:
    task = TASKS.load(name)(**settings).drawn(0)
    drawn = task.generate("train", puzzles, 0)
    expected = by_hand(task, drawn)
    found = count_relabellings(task, drawn)
    assert found.complete
    assert found.count == len(expected)
    union = np.zeros_like(found.possible)
    for candidate in expected:
        union[np.arange(len(candidate)), candidate] = True
    assert (found.possible == union).all()
    assert found.unique == (len(expected) == 1)
    assert set(found.examples) <= expected
    assert found.fixed == [s for s in range(len(task.classes)) if {c[s] for c in expected} == {s}]


@pytest.mark.parametrize("always", [False, True], ids=["shown_here_and_there", "always_shown"])
@pytest.mark.parametrize("domains", [(2, 3, 4), (3, 3, 2), (4, 3, 3), (3, 3, 3), (2, 2)])
def test_any_rules_are_counted_as_by_hand(domains: tuple[int, ...], always: bool) -> None:
    """Three symbols are shown; variables take fewer, as many or more of them, whatever the rules say."""
    rng = np.random.default_rng(sum(domains))
    for _ in range(3):
        task = Listed(table=rng.random(domains) < 0.6, symbols=3)
        drawn = task.generate("train", 6, int(rng.integers(100)))
        if always:
            drawn = task.puzzles(drawn.solution, np.repeat([(drawn.solution < 3).all(0)], 6, axis=0))
        expected, found = by_hand(task, drawn), count_relabellings(task, drawn)
        assert (found.count, found.complete) == (len(expected), True)
        assert set(found.examples) <= expected
        assert [set(np.flatnonzero(row)) for row in found.possible] == [
            set(s) for s in zip(*expected, strict=True)
        ]


ALIKE, DIFFERENT = np.eye(3, dtype=bool), ~np.eye(3, dtype=bool)


@pytest.mark.parametrize(
    ("table", "never", "count", "classes"),
    [
        (ALIKE, (), 27, 5),  # any map; a class tells which symbols are read alike
        (DIFFERENT, (), 6, 1),
        (DIFFERENT[:2, :2], (), 2, 1),
        (DIFFERENT, ((0, 0),), 2, 2),  # 0 is not read off the first image: 1 and 2 may be exchanged
        (DIFFERENT, ((1, 2),), 2, 2),
        (DIFFERENT, ((0, 0), (1, 2)), 1, 1),
        (np.roll(ALIKE, 1, axis=1), (), 3, 3),  # b = a + 1 modulo 3: turned, but not exchanged
        (np.diag([True, True, False]), (), 12, 12),  # 0 and 1 may be exchanged, 2 is never shown
    ],
)
def test_renamings_are_counted_as_one_where_the_rules_are_the_same_under_all_of_them(
    table: np.ndarray, never: tuple[tuple[int, int], ...], count: int, classes: int
) -> None:
    task = Listed(table=table, symbols=len(table), never=never)
    worlds = np.argwhere(task.allowed)
    drawn = task.puzzles(worlds, np.ones_like(worlds, dtype=bool))
    expected = by_hand(task, drawn)
    assert len(expected) == count
    found = count_relabellings(task, drawn, most=classes + 1)
    assert (found.count, found.complete) == (count, True)
    assert set(found.examples) <= expected - {tuple(range(len(table)))}
    assert found.unique == (found.examples == ())


def test_puzzles_that_break_the_rules_leave_no_relabelling() -> None:
    task = Listed(table=DIFFERENT, symbols=3)
    found = count_relabellings(task, task.puzzles(np.array([[1, 1]]), np.ones((1, 2), dtype=bool)))
    assert (found.count, found.complete, found.examples, found.fixed) == (0, True, (), [])
    assert not found.unique
    assert found.sentence == "0 relabellings fit all 1 training puzzles (fixed symbols: none)"


def test_one_class_of_renamings_is_one_that_was_found() -> None:
    """All 24 permutations fit, and they are one class: the search ends before its limit of two."""
    task = TASKS.load("visudo")()
    found = count_relabellings(task, task.generate("train", 12, 0), most=2)
    assert (found.count, found.complete) == (24, True)


def test_a_symbol_that_is_told_is_not_one_that_is_shown() -> None:
    """Two puzzles of one solution: the second shows what the first tells, and leaves one map."""
    task = Mapping(symbols=2, bijection="identity")
    solution = np.array([[1, 1], [0, 0], [0, 0], [1, 1]])
    for rows in itertools.permutations(range(4)):
        shown = np.array([[False, False], [False, False], [True, False], [True, False]])
        drawn = Puzzles(solution[list(rows)].astype(np.int8), shown, np.where(shown, 0, -1)[list(rows)])
        assert count_relabellings(task, drawn).unique


def test_the_first_picture_of_a_symbol_is_one_like_any_other() -> None:
    task = TASKS.load("half")()
    drawn = task.generate("train", 100, 0)
    first = Puzzles(drawn.solution, drawn.given, np.minimum(drawn.picture, 0))
    assert check_relabellings(task, first)[0] == check_relabellings(task, drawn)[0]


def test_without_rules_there_is_nothing_to_count_against() -> None:
    class Lawless(Mapping):
        @cached_property
        def problem(self) -> Problem:
            return super().problem.without_rules()

    task = Lawless(symbols=3)
    with pytest.raises(ValueError, match="counted against rules, and this problem has none"):
        count_relabellings(task, task.generate("train", 4, 0))


def test_even_odd_leaves_36_maps() -> None:
    task = TASKS.load("evenodd")()
    found = count_relabellings(task, task.generate("train", 6720, 0))
    assert found.count == 36
    assert found.fixed == []


def test_half_identifies_two_symbols() -> None:
    task = TASKS.load("half")()
    assert count_relabellings(task, task.generate("train", 2940, 0)).fixed == [0, 1]


def test_a_large_sudoku_and_long_addition_are_counted_at_once() -> None:
    for task, size in ((Sudoku(size=9), 1000), (TASKS.load("addition")(digits=4), 1000)):
        puzzles = task.generate("train", size, 0)
        assert count_relabellings(task, puzzles).unique


def test_renamed_symbols_are_counted_by_symmetry() -> None:
    task = TASKS.load("visudo")(size=9)
    found = count_relabellings(task, task.generate("train", 20, 0))
    assert found.count == 362_880  # 9!


def test_counting_stops_and_says_so() -> None:
    task = Mapping(symbols=5).drawn(0)
    found = count_relabellings(task, task.generate("train", 1, 0), most=10)
    assert not found.complete
    assert found.count == 10
    assert "at least" in found.sentence


def test_the_finding_tells_the_number_and_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS.load("half")()
    finding, counted = check_relabellings(task, task.generate("train", 100, 0))
    assert (finding.id, finding.status, finding.figure) == ("identifiable/half", "pass", 3.0)
    assert counted is not None
    assert "3 relabellings fit" in finding.reason
    monkeypatch.setattr(identifiable, "count_relabellings", lambda *_: 1 / 0)
    finding, counted = check_relabellings(task, task.generate("train", 100, 0))
    assert finding.status == "error"
    assert counted is None


def test_every_seed_is_counted_on_its_own_puzzles_and_the_worst_is_told() -> None:
    run = TaskRun(Mapping(symbols=4), Training(puzzles=4))
    first = identify(run, [0])
    together = identify(run, [0, 1, 2])
    assert sorted(run.identified) == [0, 1, 2]
    for seed, found in run.identified.items():
        task = run.task.drawn(seed)
        assert found.count == len(by_hand(task, task.generate("train", 4, seed)))
    counts = [found.count for found in run.identified.values()]
    assert min(counts) < max(counts)
    assert first is not None
    assert together is not None
    assert first.figure == counts[0]
    assert (together.id, together.figure, together.bound) == ("identifiable/mapping", max(counts), 1.0)
    assert f"{max(counts)} relabellings fit all" in together.reason
    assert f"of 3 seeds {min(counts)} do" in together.reason


def test_one_seed_that_was_not_counted_to_the_end_makes_it_inconclusive() -> None:
    task = Mapping(symbols=5).drawn(0)
    puzzles = task.generate("train", 1, 0)
    few, all_ = count_relabellings(task, puzzles, most=10), count_relabellings(task, puzzles)
    assert check_identifiable([all_]).status == "pass"
    assert "seeds" not in check_identifiable([all_]).reason
    assert "each of 2 seeds" in check_identifiable([all_, all_]).reason
    found = check_identifiable([all_, few])
    assert (found.status, found.figure) == ("inconclusive", 10.0)


def test_what_is_seen_as_symbols_or_has_no_rules_is_not_counted() -> None:
    assert identify(TaskRun(Mapping(symbols=4, seen="symbols"), Training(puzzles=4)), [0]) is None


def test_a_class_of_renamings_is_counted_and_shown_as_one() -> None:
    """Filled boards: any permutation of the four symbols fits, and none that is not one-to-one."""
    task = TASKS.load("visudo")()
    found = count_relabellings(task, task.generate("train", 12, 0))
    symbols = len(task.classes)
    assert (found.count, found.complete) == (np.prod(range(1, symbols + 1)), True)
    assert found.examples == ((1, 0, *range(2, symbols)),)
    assert found.possible.all()
    assert (found.fixed, found.puzzles) == ([], 12)


def test_few_puzzles_need_no_more_clauses_than_there_are() -> None:
    """Two images of one symbol each: each leaves the other symbols free, and one clause set says so."""
    task = Mapping(symbols=3, bijection=(1, 2, 0))
    puzzles = task.generate("train", 40, 0)
    once = puzzles[np.flatnonzero(puzzles.solution[:, 0] == 0)]
    found = count_relabellings(task, once)
    assert (found.count, found.complete, found.puzzles) == (9, True, len(once))  # 0 is fixed, 1 and 2 free
    assert found.fixed == [0]
    assert found.refinements == 1
    assert len(found.examples) == 3
    assert len(set(found.examples)) == 3
    assert all(example[0] == 0 and example != (0, 1, 2) for example in found.examples)
    assert found.sentence.startswith("9 relabellings fit all")
    assert "(fixed symbols: 0), for instance " in found.sentence
    assert count_relabellings(task, puzzles).unique


def test_counting_ends_with_the_last_one_that_is_allowed() -> None:
    task = Mapping(symbols=3, bijection=(1, 2, 0))
    puzzles = task.generate("train", 40, 0)
    once = puzzles[np.flatnonzero(puzzles.solution[:, 0] == 0)]
    assert count_relabellings(task, once, most=10).complete
    stopped = count_relabellings(task, once, most=9)
    assert (stopped.complete, stopped.count, stopped.unique) == (False, 9, False)
    assert not count_relabellings(task, puzzles, most=1).unique


def test_where_no_image_is_shown_there_is_nothing_to_count() -> None:
    task = Mapping(symbols=3)
    drawn = task.generate("train", 4, 0)
    blind = Puzzles(drawn.solution, drawn.given, np.full_like(drawn.picture, -1))
    finding, counted = check_relabellings(task, blind)
    assert (finding.status, finding.id, counted) == ("skip", "identifiable/mapping", None)
    one = Puzzles(drawn.solution, drawn.given, np.where(drawn.given, 0, -1))
    assert check_relabellings(task, one)[0].status == "pass"


def test_a_relabelling_is_written_without_what_stays() -> None:
    assert identifiability._written((0, 2, 1, 3)) == "1→2 2→1"


def test_puzzles_are_held_against_a_map_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (Mapping(symbols=4, bijection=(2, 0, 3, 1)), Sudoku()):
        puzzles = task.generate("train", 40, 1)
        at_once = count_relabellings(task, puzzles)
        monkeypatch.setattr(identifiability, "BLOCK", 3)
        streamed = count_relabellings(task, puzzles)
        monkeypatch.undo()
        assert (streamed.count, streamed.examples, streamed.refinements) == (
            at_once.count, at_once.examples, at_once.refinements,
        )  # fmt: skip
        assert np.array_equal(streamed.possible, at_once.possible)
