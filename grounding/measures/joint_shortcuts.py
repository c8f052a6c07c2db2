"""Which readings fit the training puzzles together with some other rules, where rules are learned."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from pysat.solvers import Solver as SatSolver

from ...datasets.task import Puzzles

MAX_PARTITIONS = 20_000  # found one by one
SHOWN = 3  # in a report


@dataclass(frozen=True)
class JointShortcuts:
    """The pairs of a reading and of rules that training cannot tell from the truth, where rules are learned.

    A reading sends each symbol that images show to the symbol it is read as. Rules are any table from what is
    read to the answer: the widest class there is, so that a solver of a narrower class has no more pairs than
    these. Readings that differ in names alone have the same pairs; they are counted once, by which symbols
    they merge.

    Attributes:
        partitions: Ways to merge symbols that some table makes right on every puzzle; one merges none.
        complete: False where counting stopped at `MAX_PARTITIONS`.
        pairs: Readings, names told apart, each with the one table that it leaves.
        examples: The symbols that are merged, of a few other partitions.
        symbols: How many there are.
        puzzles: How many were looked at.
    """

    partitions: int
    complete: bool
    pairs: int
    examples: tuple[tuple[tuple[int, ...], ...], ...]
    symbols: int
    puzzles: int

    @property
    def identified(self) -> bool:
        """Whether every pair reads symbols one to one, so that training asks for aligned grounding."""
        return self.complete and self.partitions == 1

    @property
    def sentence(self) -> str:
        """What was counted, and what follows."""
        if self.identified:
            return (
                f"with rules to learn, every reading that fits all {self.puzzles:,} training puzzles tells "
                f"the {self.symbols} symbols apart: training determines them up to their names"
            )
        many = f"{self.partitions - 1:,}" if self.complete else f"at least {self.partitions - 1:,}"
        instances = "; ".join(_written(example) for example in self.examples)
        return (
            f"with rules to learn, {many} ways to merge symbols fit all {self.puzzles:,} training puzzles "
            f"under other rules ({self.pairs:,} pairs of reading and rules), for instance {instances}"
        )


def _written(blocks: Sequence[Sequence[int]]) -> str:
    return " and ".join("=".join(map(str, block)) for block in blocks)


def count_joint_shortcuts(
    puzzles: Puzzles, symbols: int, most: int = MAX_PARTITIONS
) -> JointShortcuts | None:
    """Counts, exactly, by SAT; None where the puzzles do not all show the same variables.

    A variable per pair of symbols says that both are read alike, and clauses make that an equivalence. Two
    puzzles with different answers must not be read alike: of the pairs of symbols in which they differ, one
    is told apart. Where other variables are shown in every puzzle a table could go by that alone, and nothing
    would be determined.

    Args:
        puzzles: Of training.
        symbols: How many symbols images show.
        most: Partitions after which counting stops.
    """
    shown = puzzles.picture >= 0
    if not shown.any() or (shown != shown[0]).any():
        return None
    rows = np.unique(puzzles.solution.astype(np.int64), axis=0)
    seen, answer = rows[:, shown[0]], rows[:, ~shown[0]]
    number = {pair: 1 + n for n, pair in enumerate(itertools.combinations(range(symbols), 2))}

    def alike(a: int, b: int) -> int:
        return number[min(a, b), max(a, b)]

    found: list[list[list[int]]] = []
    complete = True
    with SatSolver(name="cadical153") as solver:
        for a, b, c in itertools.permutations(range(symbols), 3):
            if a < c:
                solver.add_clause([-alike(a, b), -alike(b, c), alike(a, c)])
        for clause in {_told_apart(*pair, number) for pair in _differing(seen, answer)}:
            solver.add_clause(list(clause))
        while solver.solve():
            if len(found) == most:
                complete = False
                break
            model = solver.get_model() or []
            held = {n for n in model if 0 < n <= len(number)}
            found.append(_blocks(symbols, {pair for pair, n in number.items() if n in held}))
            solver.add_clause([-n if n in held else n for n in number.values()])
    merging = sorted((blocks for blocks in found if len(blocks) < symbols), key=len, reverse=True)
    return JointShortcuts(
        partitions=len(found),
        complete=complete,
        pairs=sum(math.perm(symbols, len(blocks)) for blocks in found),
        examples=tuple(
            tuple(tuple(block) for block in blocks if len(block) > 1) for blocks in merging[:SHOWN]
        ),
        symbols=symbols,
        puzzles=len(puzzles),
    )


def _differing(
    seen: Int[np.ndarray, "puzzles shown"], answer: Int[np.ndarray, "puzzles queries"]
) -> list[tuple[Int[np.ndarray, " shown"], Int[np.ndarray, " shown"]]]:
    """Pairs of puzzles with different answers."""
    return [
        (seen[i], seen[j])
        for i in range(len(seen))
        for j in np.flatnonzero((answer[i + 1 :] != answer[i]).any(axis=1)) + i + 1
    ]


def _told_apart(
    first: Int[np.ndarray, " shown"], second: Int[np.ndarray, " shown"], number: dict[tuple[int, int], int]
) -> tuple[int, ...]:
    differing = {
        (min(a, b), max(a, b)) for a, b in zip(first.tolist(), second.tolist(), strict=True) if a != b
    }
    return tuple(sorted(-number[pair] for pair in differing))


def _blocks(symbols: int, alike: set[tuple[int, int]]) -> list[list[int]]:
    blocks: list[list[int]] = []
    for symbol in range(symbols):
        own = next((block for block in blocks if (block[0], symbol) in alike), None)
        if own is None:
            blocks.append([symbol])
        else:
            own.append(symbol)
    return blocks
