"""What Sudoku, Latin squares and futoshiki share: lines of all-different cells, and a range of givens."""

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int

from .problem import Problem


@lru_cache
def lines_of(size: int, block: tuple[int, int] | None) -> Int[np.ndarray, "cells 3"]:
    """Row, column and block of each cell, numbered on; without blocks the row stands in for one."""
    row, column = np.divmod(np.arange(size * size), size)
    third = row if block is None else (row // block[0]) * (size // block[1]) + column // block[1]
    lines = np.stack([row, size + column, 2 * size + third], axis=1)
    lines.setflags(write=False)
    return lines


def cell_names(size: int) -> tuple[str, ...]:
    """r1c1, r1c2, …: rows and columns counted from 1."""
    return tuple(f"r{r}c{c}" for r, c in itertools.product(range(1, size + 1), repeat=2))


def all_different(frame: Problem, groups: Sequence[Sequence[int]], symbols: int) -> Iterator[list[int]]:
    """Clauses: in each group of variables every symbol stands exactly once. Pairwise, no auxiliaries."""
    seen: set[tuple[int, int]] = set()
    for group in groups:
        for symbol in range(symbols):
            yield [frame.literal(variable, symbol) for variable in group]
        for pair in itertools.combinations(sorted(group), 2):
            if pair in seen:
                continue
            seen.add(pair)
            for symbol in range(symbols):
                yield [-frame.literal(variable, symbol) for variable in pair]


def are_permutations(
    solution: Int[np.ndarray, "puzzles variables"], groups: Int[np.ndarray, "groups members"]
) -> Bool[np.ndarray, " puzzles"]:
    """Which rows hold each of 0 … members−1 once in every group."""
    inside = np.sort(solution[:, groups], axis=-1) == np.arange(groups.shape[1])
    return inside.all(axis=(1, 2))


def as_range(text: object, name: str, fewest: int, most: int) -> tuple[int, int]:
    """A range of givens from "MIN:MAX", a number, or a pair. Raises `ValueError` outside of its limits."""
    advice = f"say MIN:MAX with {fewest} ≤ MIN ≤ MAX ≤ {most}"
    parts = text.split(":") if isinstance(text, str) else text if isinstance(text, tuple | list) else (text,)
    try:
        ends = [int(part) for part in parts]
    except (TypeError, ValueError):
        raise ValueError(f"{name}={text!r} is no range: {advice}") from None
    if len(ends) not in (1, 2) or not fewest <= ends[0] <= ends[-1] <= most:
        raise ValueError(f"{name}={text!r}: {advice}")
    return ends[0], ends[-1]
