"""An experiment as files for other programs: CSV, Parquet, JSON, LaTeX."""

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...datasets.errors import UnusableFileError
from ..judging.tables import PARQUET
from ..measures.figures import FIGURES
from ..results.cells import CellResult, cell_results, value_on, varying
from ..results.comparison import Estimate
from ..results.experiment import ExperimentRecord
from ..results.files import plain, write_json, write_text
from ..results.tidy import Tidy, Value, tidy
from .latex import latex_table

SCHEMA = 1  # of the JSON


def write_csv(path: Path, record: ExperimentRecord) -> None:
    """Writes a row per trial and cell; see `tidy` for the columns.

    Args:
        path: The file.
        record: What is written.

    Raises:
        UnusableFileError: Where the file cannot be written.
    """
    write_text(path, tidy(record).as_csv())


def write_parquet(path: Path, record: ExperimentRecord) -> None:
    """Writes the same rows as Parquet, each column of one type.

    Args:
        path: The file.
        record: What is written.

    Raises:
        MissingExtraError: Without pyarrow.
        UnusableFileError: Where the file cannot be written.
    """
    PARQUET.load()
    import pyarrow as pa  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
    from pyarrow import parquet  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    rows = tidy(record)
    kinds = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    columns: dict[str, Any] = {}
    for name in rows.columns:
        kind, values = typed(rows.column(name))
        columns[name] = pa.array(values, type=kinds[kind])
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    try:
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise UnusableFileError(f"{path} cannot be written: {error.strerror}") from error


def typed(values: Sequence[Value]) -> tuple[str, list[Value]]:
    """A column in one type: truths, whole numbers, numbers, or text where it holds anything else."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds or kinds - {bool, int, float} or (bool in kinds and len(kinds) > 1):
        return "text", [None if value is None else str(value) for value in values]
    if kinds == {bool}:
        return "bool", list(values)
    if kinds == {int} and all(-(2**63) <= int(v) < 2**63 for v in values if v is not None):
        return "int", list(values)
    return "float", [None if value is None else float(value) for value in values]


def write_results(path: Path, record: ExperimentRecord) -> None:
    """Writes the same rows and the cells, with the published figures that stand beside them, as JSON.

    Args:
        path: The file.
        record: What is written.

    Raises:
        UnusableFileError: Where the file cannot be written.
    """
    rows: Tidy = tidy(record)
    axes = list(varying(record))
    told: Mapping[str, Any] = {
        "schema": SCHEMA,
        "experiment": record.name,
        "started": record.started,
        "ended": record.ended,
        "interrupted": record.interrupted,
        "environment": record.environment,
        "cells": [_cell(result, axes) for result in cell_results(record)],
        "trials": list(rows.records()),
    }
    write_json(path, told)


def _cell(result: CellResult, axes: Sequence[str]) -> dict[str, Any]:
    estimates = {figure.name: result.estimate(figure) for figure in FIGURES}
    return {
        "cell": result.cell.number,
        "varied": {axis: plain(value_on(result.cell, axis)) for axis in axes},
        "verdict": result.verdict,
        "reason": result.task.judgement.reason,
        "seeds_grounded": result.task.judgement.grounded if result.decided else None,
        "seeds_judged": result.task.judgement.seeds if result.decided else None,
        "figures": {name: _estimate(found) for name, found in estimates.items() if found},
        "published": [
            {"figure": p.figure, "value": p.value, "source": p.source, "note": p.note}
            for p in result.published
        ],
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    low, high = found.interval or (None, None)
    return {"mean": found.mean, "low": low, "high": high, "seeds": found.seeds}


def write_latex(path: Path, record: ExperimentRecord) -> None:
    """Writes a table for a paper.

    Args:
        path: The file.
        record: What is written.

    Raises:
        UnusableFileError: Where the file cannot be written.
    """
    write_text(path, latex_table(record))


WRITERS: dict[str, Callable[[Path, ExperimentRecord], None]] = {
    "csv": write_csv, "parquet": write_parquet, "tex": write_latex, "json": write_results,
}  # fmt: skip
