import itertools
import math

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.task import Puzzles
from groundcheck.grounding.checks.joint import check_joint
from groundcheck.grounding.measures.joint_shortcuts import count_joint_shortcuts


def by_hand(puzzles: Puzzles, symbols: int) -> tuple[int, int]:
    """All maps of the symbols, each held against all puzzles: partitions, and maps."""
    shown = puzzles.picture[0] >= 0
    partitions, maps = set(), 0
    for reading in itertools.product(range(symbols), repeat=symbols):
        table: dict[tuple, tuple] = {}
        fits = all(
            table.setdefault(tuple(reading[s] for s in row[shown]), tuple(row[~shown])) == tuple(row[~shown])
            for row in puzzles.solution
        )
        maps += fits
        if fits:
            partitions.add(tuple(reading.index(read) for read in reading))
    return len(partitions), maps


@pytest.mark.parametrize("name", ["half", "mapping", "random"])
def test_what_sat_counts_is_what_enumeration_counts(name: str) -> None:
    if name == "half":
        puzzles, symbols = TASKS.load("half")().generate("train", 60, 0), 5
    elif name == "mapping":
        puzzles, symbols = Mapping(symbols=4).drawn(0).generate("train", 40, 0), 4
    else:
        rng = np.random.default_rng(0)
        seen = rng.integers(0, 4, (7, 2))
        solution = np.concatenate([seen, (seen.sum(1, keepdims=True) % 3)], axis=1).astype(np.int8)
        given = np.tile([True, True, False], (7, 1))
        puzzles, symbols = Puzzles(solution, given, np.where(given, 0, -1).astype(np.int32)), 4
    found = count_joint_shortcuts(puzzles, symbols)
    assert found is not None
    assert (found.partitions, found.pairs) == by_hand(puzzles, symbols)
    assert found.complete


def test_mapping_is_determined_up_to_names_and_half_is_not() -> None:
    mapping = count_joint_shortcuts(Mapping(symbols=4).drawn(0).generate("train", 40, 0), 4)
    assert mapping is not None
    assert mapping.identified
    assert mapping.pairs == math.factorial(4)
    assert "up to their names" in mapping.sentence
    half = TASKS.load("half")().generate("train", 200, 0)
    finding = check_joint(half, 5, "half")
    assert (finding.check, finding.task, finding.status) == ("joint-shortcuts", "half", "pass")
    assert finding.figure is not None
    assert finding.figure > 1
    assert "merge" in finding.reason


def test_addition_is_determined_by_all_of_its_pairs() -> None:
    addition = TASKS.load("addition")().generate("train", 900, 0)
    found = count_joint_shortcuts(addition, 10)
    assert found is not None
    assert found.identified


def test_counting_stops_and_says_so() -> None:
    solution = np.zeros((1, 3), dtype=np.int8)  # one puzzle: everything may be merged
    given = np.array([[True, True, False]])
    one = Puzzles(solution, given, np.where(given, 0, -1).astype(np.int32))
    found = count_joint_shortcuts(one, 6, most=50)
    assert found is not None
    assert (found.partitions, found.complete, found.identified) == (50, False, False)
    assert "at least 49" in found.sentence
    whole = count_joint_shortcuts(one, 6)
    assert whole is not None
    assert whole.partitions == 203  # Bell's number of 6


def test_boards_whose_givens_move_are_skipped() -> None:
    sudoku = TASKS.load("sudoku")()
    puzzles = sudoku.generate("train", 20, 0)
    assert count_joint_shortcuts(puzzles, 4) is None
    assert check_joint(puzzles, 4, "sudoku").status == "skip"
