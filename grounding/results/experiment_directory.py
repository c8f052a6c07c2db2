"""The folder of an experiment while it is written: see `experiment` for what lies in it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...datasets.errors import UnusableFileError, UsageError
from ...datasets.task import Setting
from ..checks.finding import Finding
from ..trials.trial import Outcome, Trial
from .cache import TrialCache
from .experiment import SCHEMA, Cell, Published, TrialRow
from .files import plain, write_json
from .records import RecordError, decode_record, read_file
from .report import TaskReport
from .run_directory import (
    FINDINGS,
    RESUME_HINT,
    RunDirectory,
    append_line,
    differences,
    held,
    key_of,
    other_versions,
    prepare,
    read_findings,
    timestamp,
    whole_lines,
)
from .spent import Spent

ASKED, TRIALS, REPORT = "experiment.json", "trials.jsonl", "report.json"


@dataclass(frozen=True)
class Asked:
    """What an experiment was asked for, with everything left open filled in.

    Attributes:
        name: Of the experiment.
        axes: What varies.
        cells: In the order of their numbers.
        sources: Digests of what is read: image sets by name, files of boards by path.
        published: Figures of others, which decide nothing.
        started: When it began; "" for one that does now.
        environment: Where it runs.
    """

    name: str
    axes: dict[str, list[Setting]]
    cells: list[Cell]
    sources: dict[str, str] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)
    started: str = ""
    environment: dict[str, Any] = field(default_factory=dict)


@dataclass
class ExperimentDirectory(RunDirectory):
    """A folder of an experiment that this process holds; see `open_experiment`.

    Attributes:
        cells: The numbers of the cells that a trial belongs to, by its key on seed 0.
        rows: The trials that ended, by key.
        alike: The number of a cell whose checks are those of a later one as well, by that one's number.
    """

    cells: Mapping[str, Sequence[int]] = field(default_factory=dict)
    rows: dict[str, TrialRow] = field(default_factory=dict)
    alike: Mapping[int, int] = field(default_factory=dict)
    by_cell: dict[int, list[Finding]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for number, finding in self.found:
            self.by_cell.setdefault(number, []).append(finding)

    def recall(self, trial: Trial) -> Outcome | None:
        """The outcome of a trial that ended, in whatever cell."""
        row = self.rows.get(key_of(trial))
        return None if row is None else row.outcome

    def keep(self, trial: Trial, outcome: Outcome, *, number: int = 0, cached: bool = False) -> None:
        """Appends a line when a cell asks for this trial first, and waits until it is on the disk."""
        key = key_of(trial)
        if key in self.rows:
            return
        cells = self.cells.get(key_of(replace(trial, seed=0)), (number,))
        self.rows[key] = row = TrialRow(key, list(cells), outcome, cached)
        append_line(self.path / TRIALS, plain(row))
        self.drop_checkpoint(trial)

    def findings(self, task: int) -> list[Finding]:
        """What checks found about the cell of that number, or about one whose checks are the same.

        How far the rules identify the symbols depends on the number of puzzles as well, and is left out.
        """
        if (own := list(self.by_cell.get(task, ()))) or task not in self.alike:
            return own
        lent = [f for f in self.by_cell.get(self.alike[task], ()) if f.check != "identifiable"]
        for finding in lent:
            self.note(task, finding)
        return lent

    def note(self, task: int, finding: Finding) -> None:
        """Appends a line."""
        super().note(task, finding)
        self.by_cell.setdefault(task, []).append(finding)

    def conclude(
        self, reports: Mapping[int, TaskReport], *, interrupted: bool, spent: Spent | None = None
    ) -> str:
        """Writes report.json, and returns when that was."""
        ended = timestamp()
        content = {
            "schema": SCHEMA, "ended": ended, "interrupted": interrupted, "spent": spent, "reports": reports,
        }  # fmt: skip
        try:
            write_json(self.path / REPORT, content)
        except OSError as error:
            raise UnusableFileError(f"{error}. {RESUME_HINT}") from error
        return ended


@contextmanager
def open_experiment(
    path: Path,
    asked: Asked,
    *,
    shared: Mapping[str, Sequence[int]],
    alike: Mapping[int, int],
    resume: bool,
) -> Generator[ExperimentDirectory]:
    """A folder of an experiment, new or to be continued, held until the context ends.

    Args:
        path: The folder.
        asked: What the experiment is.
        shared: The numbers of the cells that a trial belongs to, by its key on seed 0.
        alike: The number of a cell whose checks are those of a later one as well, by that one's number.
        resume: Whether an experiment that is there already is continued.

    Raises:
        UsageError: Where another process holds it, where it holds an experiment and `resume` is off, where
            that is another experiment, or where its files are damaged.
        UnusableFileError: Where it cannot be written.
    """
    prepare(path, ASKED, "experiment")
    with held(path):
        started = asked.started or timestamp()
        rows: dict[str, TrialRow] = {}
        found: list[tuple[int, Finding]] = []
        came = any((path / name).exists() for name in (TRIALS, FINDINGS, REPORT))
        if (path / ASKED).exists() and (resume or came):  # else nothing began, as where no engine answered
            if not resume:
                raise UsageError(
                    f"{path} holds an experiment already: continue it with --resume, or choose another folder"
                )
            before = _read_asked(path / ASKED)
            _require_same(path, before, asked)
            started = before.started or started
            rows, found = _read_rows(path / TRIALS, mend=True), read_findings(path, mend=True)
            for name in (REPORT, "report.html"):
                (path / name).unlink(missing_ok=True)
        # Written anew: what others published may have been added, and decides nothing.
        write_json(path / ASKED, {"schema": SCHEMA, **plain(replace(asked, started=started))})
        yield ExperimentDirectory(path, found=found, started=started, cells=shared, rows=rows, alike=alike)


def known_trials(path: Path | None, cache: TrialCache) -> Callable[[Trial], Outcome | None]:
    """What tells the outcome of a trial, in a folder, if there is one, or in the cache of this machine."""
    rows = _read_rows(path / TRIALS, mend=False) if path is not None else {}

    def known(trial: Trial) -> Outcome | None:
        row = rows.get(key_of(trial))
        return cache.look_up(trial) if row is None else row.outcome

    return known


@dataclass(frozen=True)
class _Schema:
    schema: int


def _read_asked(file: Path) -> Asked:
    try:
        content = read_file(file)
        schema = decode_record(content, _Schema).schema
        if schema > SCHEMA:
            raise UsageError(
                f"{file} has schema {schema}, and this groundcheck reads up to {SCHEMA}: update groundcheck"
            )
        return decode_record(content, Asked)
    except RecordError as error:
        raise UsageError(
            f"{file} is damaged ({error}): start the experiment anew in another folder"
        ) from error


def _read_rows(file: Path, *, mend: bool) -> dict[str, TrialRow]:
    """The trials that ended; a last line that a kill cut short is left out, and with `mend` cut off."""
    rows: dict[str, TrialRow] = {}
    for number, line in whole_lines(file, mend=mend):
        try:
            row = decode_record(line, TrialRow, first_line=number)
        except RecordError as error:
            raise UsageError(
                f"{file} is damaged ({error}): delete that line, and --resume runs it again"
            ) from error
        rows[row.key] = row
    return rows


def _require_same(path: Path, before: Asked, now: Asked) -> None:
    """Raises `UsageError`, with what differs, where the folder holds another experiment."""
    if before.name != now.name:
        raise UsageError(
            f"{path} holds the experiment {before.name!r}, not {now.name!r}: choose another folder"
        )
    differing = [
        f"the content of {name} was changed"
        for name, digest in now.sources.items()
        if before.sources.get(name, digest) != digest
    ]
    if len(before.cells) != len(now.cells):
        differing.insert(0, f"it had {len(before.cells):,} cells and has {len(now.cells):,} now")
    else:
        differing += [
            f"cell {old.number}: {told}"
            for old, new in zip(before.cells, now.cells, strict=True)
            for told in differences("", plain(old), plain(new))
        ]
    differing += other_versions(before.environment, now.environment)
    if differing:
        more = f", and {len(differing) - 3:,} more" if len(differing) > 3 else ""
        raise UsageError(
            f"{path} cannot be continued: {'; '.join(differing[:3])}{more}. Choose another folder"
        )
