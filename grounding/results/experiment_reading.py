"""Reading the folder of an experiment: of one that ended, that still runs, or that was killed."""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...datasets.errors import UsageError
from .experiment import SCHEMA, ExperimentRecord, TrialRow
from .experiment_directory import ASKED, REPORT, TRIALS, Asked
from .records import RecordError, decode_record, read_file
from .report import TaskReport
from .run_directory import whole_lines
from .spent import Spent


def holds_experiment(path: Path) -> bool:
    """Whether a folder is that of an experiment."""
    return (path / ASKED).is_file()


def read_experiment(folder: Path) -> ExperimentRecord:
    """What the folder of an experiment holds so far.

    A last line that a kill cut short, or that is being written, is left out; nothing is changed. Where the
    experiment has not ended there are no reports, and no cell has a verdict yet.

    Args:
        folder: Of an experiment.

    Raises:
        UsageError: For a folder of something else, a newer schema, or a damaged file, with its line.
        UnusableFileError: For what cannot be read.
    """
    asked = _read_asked(folder)
    trials: dict[str, TrialRow] = {}
    file = folder / TRIALS
    with _no_collection():
        for number, line in whole_lines(file, mend=False):
            with _damage(file, "delete that line, and --resume runs it again"):
                row = decode_record(line, TrialRow, first_line=number)
                if beyond := [cell for cell in row.cells if not 0 <= cell < len(asked.cells)]:
                    raise RecordError(f"line {number} names cell {beyond[0]} of {len(asked.cells)}")
            before = trials.get(row.key)  # a trial that was retried counts once, for all that asked for it
            trials[row.key] = row if before is None else _joined(before, row)
    record = ExperimentRecord(
        name=asked.name,
        axes=asked.axes,
        cells=asked.cells,
        trials=list(trials.values()),
        published=asked.published,
        environment=asked.environment,
        started=asked.started,
        sources=asked.sources,
    )
    file = folder / REPORT
    if not file.is_file():
        return record
    with _damage(file, "delete it, and --resume writes it again"):
        ended = decode_record(read_file(file), _Ended)
        if beyond := [cell for cell in ended.reports if not 0 <= cell < len(asked.cells)]:
            raise RecordError(f"it reports on cell {beyond[0]} of {len(asked.cells)}")
    return replace(
        record,
        reports=ended.reports,
        ended=ended.ended,
        interrupted=ended.interrupted,
        spent=ended.spent,
    )


@dataclass(frozen=True)
class _Schema:
    schema: int


@dataclass(frozen=True)
class _Ended:
    """What report.json says."""

    reports: dict[int, TaskReport]
    ended: str = ""
    interrupted: bool = False
    spent: Spent | None = None


def _read_asked(folder: Path) -> Asked:
    file = folder / ASKED
    if not folder.exists():
        raise UsageError(f"{folder} does not exist: name the folder of an experiment")
    if not file.is_file():
        if (folder / "run.json").exists():
            raise UsageError(f"{folder} holds a single run, no experiment: groundcheck report makes its page")
        raise UsageError(f"{folder} is no experiment: it has no {ASKED}")
    with _damage(file, "start the experiment anew in another folder"):
        content = read_file(file)
        schema = decode_record(content, _Schema).schema
        if schema > SCHEMA:
            raise UsageError(
                f"{file} has schema {schema}, and this groundcheck reads up to {SCHEMA}: update groundcheck"
            )
        asked = decode_record(content, Asked)
        if (numbers := [cell.number for cell in asked.cells]) != list(range(len(numbers))):
            raise RecordError(f"its cells are not numbered 0, 1, 2 … but {str(numbers)[1:40]}")
    return asked


def _joined(before: TrialRow, again: TrialRow) -> TrialRow:
    return replace(before, cells=sorted({*before.cells, *again.cells}))


@contextmanager
def _damage(file: Path, mend: str) -> Generator[None]:
    """Names the file of what is damaged, and what to do about it."""
    try:
        yield
    except RecordError as error:
        raise UsageError(f"{file} is damaged ({error}): {mend}") from error


@contextmanager
def _no_collection() -> Generator[None]:
    """Spares rows, which hold no cycles and stay, the collector's passes over all that came before them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
