import itertools

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Puzzles, Task
from groundcheck.grounding.checks import identifiable
from groundcheck.grounding.checks.identifiable import (
    check_identifiable,
    check_relabellings,
    count_relabellings,
)
from groundcheck.grounding.suite import TaskRun, identify
from groundcheck.grounding.training import Training


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
    assert (finding.check, finding.status, finding.figure) == ("identifiable/half", "pass", 3.0)
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
    assert (together.check, together.figure, together.bound) == ("identifiable/mapping", max(counts), 1.0)
    assert f"{max(counts)} relabellings fit all" in together.reason
    assert f"of 3 seeds {min(counts)} do" in together.reason


def test_one_seed_that_was_not_counted_to_the_end_makes_it_inconclusive() -> None:
    task = Mapping(symbols=5).drawn(0)
    puzzles = task.generate("train", 1, 0)
    few, all_ = count_relabellings(task, puzzles, most=10), count_relabellings(task, puzzles)
    assert check_identifiable([all_]).status == "pass"
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
    assert (finding.status, finding.check, counted) == ("skip", "identifiable/mapping", None)
    one = Puzzles(drawn.solution, drawn.given, np.where(drawn.given, 0, -1))
    assert check_relabellings(task, one)[0].status == "pass"


def test_a_relabelling_is_written_without_what_stays() -> None:
    assert identifiable._written((0, 2, 1, 3)) == "1→2 2→1"
