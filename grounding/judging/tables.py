"""Predictions as a table in long form, CSV or Parquet: a row is an image, or a variable of a puzzle.

A row of a puzzle has `puzzle` and `variable` (counted from 0) with `solution`, `given`, `answer` (empty:
unsolved) and `image` (empty: none). A row of an image has no `puzzle`, but `image` (its number), `true`, and
`symbol` or `belief0`, `belief1`, …, and `fit` where the halves are marked. `answer0`, `answer1`, … are
probabilities.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ...datasets.errors import UnknownNameError, UsageError
from ...solvers.extras import Extra

PARQUET = Extra("pyarrow", "pyarrow", "parquet")
COLUMNS = ("puzzle", "variable", "image", "true", "symbol", "fit", "solution", "given", "answer")
NUMBERED = re.compile(r"(belief|answer)(\d+)")
TRUTHS = {"true": 1.0, "false": 0.0, "": np.nan}
Column = Float[np.ndarray, " rows"]


def read_csv(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a CSV file with a heading. Raises `UsageError` with the line of what is no number."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            heading = [name.strip() for name in next(reader, [])]
            _require_columns(heading, str(path))
            cells: list[list[float]] = [[] for _ in heading]
            for row in filter(None, reader):
                if len(row) != len(heading):
                    raise UsageError(
                        f"{path}, line {reader.line_num}: {len(row)} values, and the heading has "
                        f"{len(heading)}"
                    )
                for column, text in zip(cells, row, strict=True):
                    try:
                        column.append(float(text))
                    except ValueError:
                        column.append(_truth(text, path, reader.line_num))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no CSV file: {error}") from error
    columns = {name: np.array(column) for name, column in zip(heading, cells, strict=True)}
    return arrays_of(columns, str(path))


def read_parquet(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a Parquet file. Raises `MissingExtraError` without pyarrow."""
    PARQUET.load()
    import pyarrow as pa  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
    from pyarrow import parquet  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    try:
        table: Any = parquet.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UsageError(f"{path} is damaged, or no Parquet file: {str(error).splitlines()[0]}") from error
    _require_columns(table.column_names, str(path))
    columns: dict[str, Column] = {}
    for name in table.column_names:
        try:
            columns[name] = table[name].cast("float64").to_numpy().astype(np.float64)
        except (pa.ArrowException, TypeError) as error:
            raise UsageError(f"{path}: column {name!r} holds no plain numbers: {error}") from error
    return arrays_of(columns, str(path))


def arrays_of(columns: Mapping[str, Column], source: str) -> dict[str, np.ndarray]:
    """The arrays by their names; an empty cell is NaN."""
    rows = len(next(iter(columns.values())))
    if not rows:
        raise UsageError(f"{source} has a heading and no rows: there is nothing to judge")
    of_puzzle = ~np.isnan(columns.get("puzzle", np.full(rows, np.nan)))
    images = {name: column[~of_puzzle] for name, column in columns.items()}
    puzzles = {name: column[of_puzzle] for name, column in columns.items()}
    arrays: dict[str, np.ndarray] = {}
    if not of_puzzle.all():
        arrays |= _images(images, source)
    if of_puzzle.any():
        arrays |= _puzzles(puzzles, source)
    return arrays


def _images(columns: Mapping[str, Column], source: str) -> dict[str, np.ndarray]:
    number = _counted(columns, "image", source, "a row without a puzzle is an image, and")
    if len(np.unique(number)) != len(number) or number.max() != len(number) - 1:
        raise UsageError(f"{source}: images are numbered 0, 1, 2 … in `image`, each once")
    order = np.argsort(number)
    found = {
        array: columns[column][order]
        for array, column in (("true", "true"), ("symbols", "symbol"), ("fit", "fit"))
        if column in columns and not np.isnan(columns[column]).all()
    }
    if beliefs := _numbered(columns, "belief", source):
        found["beliefs"] = np.stack([column[order] for column in beliefs], axis=-1)
    return found


def _puzzles(columns: Mapping[str, Column], source: str) -> dict[str, np.ndarray]:
    puzzle = _counted(columns, "puzzle", source, "")
    variable = _counted(columns, "variable", source, "a row of a puzzle is one variable of it, and")
    shape = (int(puzzle.max()) + 1, int(variable.max()) + 1)
    place = puzzle * shape[1] + variable
    if len(np.unique(place)) != len(place) or len(place) != shape[0] * shape[1]:
        raise UsageError(
            f"{source}: {len(place):,} rows of puzzles are not {shape[0]:,} puzzles of {shape[1]} variables: "
            "each puzzle has one row for every variable, both counted from 0"
        )
    order = np.argsort(place)

    def laid_out(column: Column) -> np.ndarray:
        return column[order].reshape(shape)

    found = {name: laid_out(columns[name]) for name in ("solution", "given") if name in columns}
    for array, column in (("answers", "answer"), ("image", "image")):
        if column in columns and not np.isnan(columns[column]).all():
            found[array] = np.nan_to_num(laid_out(columns[column]), nan=-1.0)
    if answers := _numbered(columns, "answer", source):
        found["answers"] = np.stack([laid_out(column) for column in answers], axis=-1)
    return found


def _numbered(columns: Mapping[str, Column], stem: str, source: str) -> list[Column]:
    """`belief0`, `belief1`, … in their order, as far as any has a value."""
    numbers = sorted(
        int(found[2]) for name in columns if (found := NUMBERED.fullmatch(name)) and found[1] == stem
    )
    if numbers != list(range(len(numbers))):
        raise UsageError(f"{source}: columns {stem}0, {stem}1, … are counted from 0 without a gap")
    found = [columns[f"{stem}{number}"] for number in numbers]
    return [] if all(np.isnan(column).all() for column in found) else found


def _counted(columns: Mapping[str, Column], name: str, source: str, why: str) -> Int[np.ndarray, " rows"]:
    """Whole numbers from 0 on, all of them there."""
    if name not in columns:
        raise UsageError(f"{source} has no column {name!r}: {why} `{name}` says which".replace(":  ", ": "))
    column = columns[name]
    wrong = ~(np.isfinite(column) & (column == np.round(column)) & (column >= 0))
    if wrong.any():
        raise UsageError(
            f"{source}: column {name!r} holds {column[wrong][0]:g}, and it should hold whole numbers from 0"
        )
    return column.astype(np.int64)


def _require_columns(heading: Iterable[str], source: str) -> None:
    names = list(heading)
    if not names:
        raise UsageError(
            f"{source} is empty: it should have a heading, and a row for every image and variable"
        )
    for name in names:
        if name not in COLUMNS and not NUMBERED.fullmatch(name):
            known = f"{', '.join(COLUMNS)}, belief0, belief1 … and answer0, answer1 …"
            raise UnknownNameError(f"{source}: unknown column {name!r}: known are {known}")
        if names.count(name) > 1:
            raise UsageError(f"{source}: two columns are called {name!r}")


def _truth(text: str, path: Path, line: int) -> float:
    word = text.strip().lower()
    if word not in TRUTHS:
        raise UsageError(f"{path}, line {line}: {text!r} is no number")
    return TRUTHS[word]
