"""A run as a directory: what it was asked, one line per trial that ended, traces, the report.

run.json        settings and environment, written once, with a schema version
trials.jsonl    one JSON line per trial, appended and flushed to the disk when it ends
ahead.jsonl     the same of trials that no decision asked for yet; it goes when the run ends
findings.jsonl  one JSON line per check
traces/         one file per trial, one JSON line per epoch
checkpoints/    one folder per trial that lasts, until it has ended: what it goes on from
logs/           one file per trial or inspection whose solver printed something
report.json     written when the run ends; a run that is continued removes it first
lock, holder    held by the process that writes here, and which that is
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from ...datasets.errors import UnusableFileError, UsageError
from ..checks.finding import Finding
from ..trials.trial import Outcome, Trial
from .files import plain, write_json
from .logs import Logs
from .records import RecordError, decode_record, read_file

FINDINGS = "findings.jsonl"
AHEAD = "ahead.jsonl"
# What lies in the folder of a run, or of an experiment.
OWN = (
    "run.json", "experiment.json", "trials.jsonl", AHEAD, FINDINGS, "traces", "checkpoints", "logs",
    "report.json", "report.html", "lock", "holder",
)  # fmt: skip
SCHEMA = 2  # 1: a finding holds check and task as one word, and `task` is the number of the task
RESUME_HINT = "Every trial that ended is kept: make room, then continue with --resume"
SAME_VERSIONS = ("groundcheck", "torch", "numpy")  # others hardly move a figure


def is_of_run(run: Path, path: Path) -> bool:
    """Whether a file that is there is a run itself (its folder, or a report), or lies among what it keeps."""
    run, path = run.resolve(), path.resolve()
    folder = run if run.is_dir() else run.parent
    if path == run or not path.exists():
        return path == run
    of_run = any((folder / name).exists() for name in ("run.json", "experiment.json", "report.json"))
    return of_run and path.is_relative_to(folder) and path.relative_to(folder).parts[0] in OWN


class Record:
    """Keeps nothing: what a run without a directory writes to."""

    started: str = ""  # when the run began, where that was before this process
    logs: Logs

    def __init__(self) -> None:
        self.logs = Logs()

    def log(self, trial: Trial) -> Path:
        """Where the solver of a trial prints to."""
        return self.logs.path(_name_of(trial))

    def recall(self, trial: Trial) -> Outcome | None:
        """The outcome of a trial that ended in an earlier part of this run."""
        del trial

    def keep(self, trial: Trial, outcome: Outcome, *, number: int = 0, cached: bool = False) -> None:
        """Keeps the outcome of a trial that was asked for.

        Args:
            trial: The trial.
            outcome: What came of it.
            number: Of the task that asked for it; a trial is kept once for each of several that did.
            cached: Whether it was taken from the cache.
        """

    def placed(self, trial: Trial) -> Trial:
        """The trial with the files that it may write."""
        return replace(trial, trace=self.trace(trial), log=self.log(trial), checkpoint=self.checkpoint(trial))

    def set_ahead(self, trial: Trial, outcome: Outcome) -> None:
        """Puts aside the outcome of a trial that nobody asked for yet."""

    def recall_ahead(self, trial: Trial) -> Outcome | None:
        """What an earlier part of this run put aside."""
        del trial

    def clear_ahead(self) -> None:
        """Forgets what was put aside: nobody will ask for it."""

    def findings(self, task: int) -> list[Finding]:
        """What checks found about the task of that number in an earlier part of this run."""
        del task
        return []

    def note(self, task: int, finding: Finding) -> None:
        """Keeps a finding about the task of that number."""

    def trace(self, trial: Trial) -> Path | None:
        """Where the trial writes its trace."""
        del trial

    def checkpoint(self, trial: Trial) -> Path | None:
        """The folder of what the trial goes on from where it is interrupted."""
        del trial

    def finish(self, report: Mapping[str, Any]) -> None:
        """Keeps the report."""


@dataclass
class RunDirectory(Record):
    """A run on disk that this process holds; see `open_run`."""

    path: Path
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    found: list[tuple[int, Finding]] = field(default_factory=list)
    started: str = ""
    ahead: dict[str, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs = Logs(self.path / "logs")

    def recall(self, trial: Trial) -> Outcome | None:
        """The outcome of a trial that ended, in this part of the run or before."""
        return self.outcomes.get(key_of(trial))

    def keep(self, trial: Trial, outcome: Outcome, *, number: int = 0, cached: bool = False) -> None:
        """Appends a line and waits until it is on the disk."""
        del number  # a run has each trial once
        self.outcomes[key_of(trial)] = outcome
        marked = {"cached": True} if cached else {}
        append_line(self.path / "trials.jsonl", {"key": key_of(trial), **marked, **plain(outcome)})
        self.drop_checkpoint(trial)

    def set_ahead(self, trial: Trial, outcome: Outcome) -> None:
        """Appends a line to a file of its own: it belongs to the run once it is asked for."""
        append_line(self.path / AHEAD, {"key": key_of(trial), **plain(outcome)})
        self.drop_checkpoint(trial)

    def recall_ahead(self, trial: Trial) -> Outcome | None:
        """What was put aside before this run was continued."""
        return self.ahead.get(key_of(trial))

    def clear_ahead(self) -> None:
        """Deletes that file."""
        (self.path / AHEAD).unlink(missing_ok=True)

    def drop_checkpoint(self, trial: Trial) -> None:
        """Deletes what a trial would go on from: it has ended."""
        shutil.rmtree(self.checkpoint(trial), ignore_errors=True)

    def findings(self, task: int) -> list[Finding]:
        """What checks found before this run was continued."""
        return [finding for number, finding in self.found if number == task]

    def note(self, task: int, finding: Finding) -> None:
        """Appends a line."""
        append_line(self.path / FINDINGS, {"number": task, **plain(finding)})

    def trace(self, trial: Trial) -> Path:
        """A file named after the trial."""
        return self.path / "traces" / f"{_name_of(trial)}.jsonl"

    def checkpoint(self, trial: Trial) -> Path:
        """A folder named after the trial, which makes it when it first has something to keep."""
        return self.path / "checkpoints" / _name_of(trial)

    def finish(self, report: Mapping[str, Any]) -> None:
        """Writes report.json. Of a run that came to its end nothing is left to go on from."""
        try:
            write_json(self.path / "report.json", report)
        except OSError as error:
            raise UnusableFileError(f"{error}. {RESUME_HINT}") from error
        if not report.get("interrupted"):
            shutil.rmtree(self.path / "checkpoints", ignore_errors=True)


def _name_of(trial: Trial) -> str:
    return f"{trial.task.name}-{trial.role}-{trial.seed}-{key_of(trial)}"


def key_of(trial: Trial) -> str:
    """A digest of everything that decides the trial's outcome: a ceiling does not depend on the solver."""
    solver = [] if trial.role == "ceiling" else [trial.solver.name, dict(trial.solver.options)]
    decides: dict[str, Any] = {
        "task": [trial.task.name, trial.task.version, trial.task.settings, *trial.task.files.values()],
        "solver": solver,
        "role": trial.role,
        "seed": trial.seed,
        "training": (trial.training.of_ceiling if trial.role == "ceiling" else trial.training).settings,
        "images": trial.images.name,
        "puzzles": [trial.validation_puzzles, trial.test_puzzles],
        "device": [trial.images.device, trial.threads],
    }
    if trial.images.classes:
        decides["classes"] = trial.images.classes
    if not trial.perception.usual:
        decides["perception"] = trial.perception.record
    if trial.evaluation.asks:
        decides["evaluation"] = trial.evaluation.record
    if trial.beside is not None:
        decides["beside"] = [trial.beside.name, dict(trial.beside.options)]
    return hashlib.sha256(json.dumps(plain(decides), sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def open_run(
    path: str | Path | None, settings: Mapping[str, Any], environment: Mapping[str, Any], *, resume: bool
) -> Generator[Record]:
    """The record of a run in a directory, new or to be continued, held until the context ends.

    Raises `UsageError` where another process holds it, where it has a run and `resume` is off, where that
    run was asked something else, or where its files are damaged; `UnusableFileError` where it cannot be
    written.
    """
    if path is None:
        yield Record()
        return
    path = Path(path)
    prepare(path)
    with held(path):
        described = {"settings": plain(settings), "environment": plain(environment)}
        outcomes: dict[str, Outcome] = {}
        found: list[tuple[int, Finding]] = []
        ahead: dict[str, Outcome] = {}
        started = timestamp()
        if (path / "run.json").exists():
            if not resume:
                raise UsageError(
                    f"{path} holds a run already: continue it with --resume, or choose another folder"
                )
            before = read_run(path)
            if before.schema < SCHEMA:
                raise UsageError(
                    f"{path} was begun by an earlier groundcheck (schema {before.schema}): report and "
                    "compare read it, but it cannot be continued; choose another folder"
                )
            _compare(path, before, described["settings"], described["environment"])
            started = before.started or started
            outcomes, found = read_trials(path, mend=True), read_findings(path, mend=True)
            ahead = read_trials(path, mend=True, file=AHEAD)
            for name in ("report.json", "report.html"):
                (path / name).unlink(missing_ok=True)
        else:
            write_json(path / "run.json", {"schema": SCHEMA, "started": started, **described})
        yield RunDirectory(path, outcomes, found, started, ahead)


def timestamp() -> str:
    """The present, in UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class RunRecord:
    """What run.json says of a run: what it was asked, and where it ran."""

    schema: int
    settings: dict[str, Any]
    environment: dict[str, Any]
    started: str = ""


def read_run(path: Path) -> RunRecord:
    """What run.json says. Raises `UsageError` where it is missing, damaged or of a newer schema."""
    file = path / "run.json"
    if not file.exists():
        raise UsageError(f"{path} is no run: it has no run.json")
    try:
        run = decode_record(read_file(file), RunRecord)
    except RecordError as error:
        raise UsageError(f"{file} is damaged ({error}): start the run anew in another folder") from error
    if run.schema > SCHEMA:
        raise UsageError(
            f"{file} has schema {run.schema}, and this groundcheck reads up to {SCHEMA}: update groundcheck"
        )
    return run


@dataclass(frozen=True)
class _Key:
    key: str


@dataclass(frozen=True)
class _Number:
    number: int | None = None


def read_trials(path: Path, *, mend: bool = False, file: str = "trials.jsonl") -> dict[str, Outcome]:
    """Outcomes by key. A last line that a kill cut short is left out, and with `mend` cut off."""
    outcomes: dict[str, Outcome] = {}
    for number, line in whole_lines(path / file, mend=mend):
        with _damage(path / file):
            key = decode_record(line, _Key, first_line=number).key
            outcomes[key] = decode_record(line, Outcome, first_line=number)
    return outcomes


def read_findings(path: Path, *, mend: bool = False) -> list[tuple[int, Finding]]:
    """Findings, each with the number of its task; a last line cut short is treated as in `read_trials`."""
    found: list[tuple[int, Finding]] = []
    for number, line in whole_lines(path / FINDINGS, mend=mend):
        with _damage(path / FINDINGS):
            place = decode_record(line, _Number, first_line=number).number
            if place is not None:
                found.append((place, decode_record(line, Finding, first_line=number)))
            else:
                found.append(_of_schema_1(path, line, number))
    return found


def _of_schema_1(path: Path, line: bytes, number: int) -> tuple[int, Finding]:
    """A finding that holds check and task as one word, and the number of the task as `task`."""
    record: dict[str, Any] = decode_record(line, dict, first_line=number)
    try:
        task = record.pop("task")
        name = read_run(path).settings["tasks"][task]["task"]
        return task, msgspec.convert(record, Finding).taken_apart(name)
    except (KeyError, IndexError, TypeError, msgspec.ValidationError) as error:
        raise RecordError(f"line {number}: {error}") from error


def prepare(path: Path, asked: str = "run.json", what: str = "run") -> None:
    """Makes the folder. Only an empty one, or one of ours, is taken.

    Args:
        path: The folder.
        asked: The file that tells what was asked for there: without it, it is none of ours.
        what: What the folder is to hold, for the message.
    """
    if path.exists() and not path.is_dir():
        raise UnusableFileError(f"the {what} folder {path} is a file: name a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        ours = {asked, "lock", "holder"}
        foreign = sorted(item.name for item in path.iterdir() if item.name not in ours)
        if foreign and not (path / asked).exists():
            raise UsageError(f"{path} is not empty ({foreign[0]}) and holds no {what}: choose another folder")
        (path / "traces").mkdir(exist_ok=True)
    except OSError as error:
        raise UnusableFileError(f"the {what} folder {path} cannot be written: {error.strerror}") from error


@contextmanager
def held(path: Path) -> Generator[None]:
    """A lock between processes that ends with the process, however it ends."""
    try:
        with FileLock(path / "lock", timeout=0):
            (path / "holder").write_text(f"process {os.getpid()} on {platform.node()}")
            yield
    except Timeout as error:
        raise UsageError(
            f"{path} is in use by {_holder(path)}: wait until it has ended, or choose another folder"
        ) from error


def _holder(path: Path) -> str:
    try:
        return (path / "holder").read_text(errors="replace") or "another process"
    except OSError:
        return "another process"


def _compare(
    path: Path, before: RunRecord, settings: Mapping[str, Any], environment: Mapping[str, Any]
) -> None:
    differing = list(differences("", before.settings, settings))
    differing += other_versions(before.environment, environment)
    if differing:
        raise UsageError(f"{path} cannot be continued: {'; '.join(differing)}. Choose another folder")


def other_versions(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Which versions differ between two environments, as far as they decide figures."""
    old, new = (around.get("versions", {}) for around in (before, now))
    return [
        f"{name} was {old.get(name)} and is now {new.get(name)}"
        for name in SAME_VERSIONS
        if old.get(name) != new.get(name)
    ]


def differences(name: str, then: Any, now: Any) -> Iterator[str]:
    """What differs between two settings, field by field; a task's fields are told with its name, and what was
    read with the name of the file or image set in place of its digest.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        then, now = _with_names(then), _with_names(now)
        for key in sorted(then.keys() | now.keys()):
            inner = f"{name}.{key}" if name and not name.endswith(": ") else f"{name}{key}"
            yield from differences(inner, then.get(key), now.get(key))
    elif name == "tasks" and [one["task"] for one in then] == [one["task"] for one in now]:
        for old, new in zip(then, now, strict=True):
            yield from differences(f"{old['task']}: ", old, new)
    elif name == "tasks":
        named = (", ".join(one["task"] for one in tasks) for tasks in (then, now))
        yield "tasks were {} and are now {}".format(*named)
    elif isinstance(then, Content) and isinstance(now, Content):
        if then.of == now.of and then.digest != now.digest:  # else another name is told
            where, _, _ = name.rpartition(": ")
            yield f"{where}{': ' if where else ''}the content of {now.of} was changed"
    elif then != now:
        yield f"{name} was {then!r} and is now {now!r}"


@dataclass(frozen=True)
class Content:
    """What a file or an image set held, and what that is called."""

    of: str
    digest: str


def _with_names(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run, or of a task in it, with names beside the digests."""
    if "images_digest" in settings:
        content = Content(str(settings.get("images")), settings["images_digest"])
        return {**settings, "images_digest": content}
    if isinstance(files := settings.get("files"), dict):
        called = settings.get("settings", {})
        return {**settings, "files": {n: Content(str(called.get(n, n)), d) for n, d in files.items()}}
    return settings


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Appends a record as a line of JSON, and waits until it is on the disk."""
    content = json.dumps(plain(line), ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UnusableFileError(f"{path} cannot be written: {error.strerror}. {RESUME_HINT}") from error


@contextmanager
def _damage(path: Path) -> Generator[None]:
    """Names the file of a line that is damaged."""
    try:
        yield
    except RecordError as error:
        raise UsageError(
            f"{path} is damaged ({error}): delete that line, and --resume runs it again"
        ) from error


def whole_lines(path: Path, *, mend: bool) -> list[tuple[int, bytes]]:
    """The lines of a file that are whole, counted from 1."""
    if not path.exists():
        return []
    content = read_file(path)
    whole = content[: content.rfind(b"\n") + 1]
    if mend and len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return list(enumerate(whole.split(b"\n")[:-1], 1))
