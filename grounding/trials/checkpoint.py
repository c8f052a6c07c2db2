"""Checkpoints: what a trial that was interrupted goes on from, in a folder of its own.

KEY-000012.curve  the learning curve up to epoch 12, as JSON under its SHA-256; written by whoever scores
KEY-000012.pt     after it, by whoever trains: weights, optimiser and generators, in torch's format

A checkpoint is both. They are written whole or not at all, by way of a neighbour, and without a lock: two
processes that run the same trial, as after a node was lost, write the same. They are read as weights and
plain values alone, so that no pickle runs. KEY digests what the trial is and what runs it: files of another
trial, of another version, or of a solver that was edited since, are not looked at.

After an epoch one is written where it costs little beside what it saves (`due`): a kill loses the epoch in
flight, and of epochs shorter than 20 writes what ended since the last. Two are kept, so that where the newer
is damaged the other serves. Where none can be written the trial goes on without: it is worth more than its
checkpoints.
"""

import hashlib
import io
import json
import os
import re
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
import torch

from ... import __version__
from .training import TrainingState
from .trial import Point, Trial

# So many times what writing takes have to go since the last one: writing takes at most 5 % of a trial …
COSTS = 20
# … but no more than these seconds, however slow the disk: a kill costs that and the epoch in flight at most.
LONGEST = 10.0
FIRST_COST = 0.05  # seconds that the first is taken to cost: a trial that is over within a second writes none
KEPT = 2
WITHOUT = "this trial goes on without a checkpoint"


@runtime_checkable
class Curve(Protocol):
    """What keeps the learning curve beside the checkpoints: see `Session`."""

    def keep(self, key: str, epoch: int) -> None:
        """Keeps the points measured so far."""
        ...

    def resume(self, key: str, epoch: int) -> list[Point]:
        """The points up to an epoch, as they were kept."""
        ...


class Checkpoints:
    """The checkpoints of a trial that runs, where it has a folder for them; else it writes and finds none.

    Args:
        trial: Which.
        curve: Whoever scores it.
    """

    def __init__(self, trial: Trial, curve: Curve) -> None:
        self.folder = trial.checkpoint
        self.key = ""
        self.curve = curve
        self.seconds = 0.0  # that the trial took before it was interrupted
        self._began = self._latest = time.perf_counter()
        self._cost = FIRST_COST
        self._kept: list[int] = []  # epochs
        self._said: set[str] = set()
        if self.folder is not None:
            try:
                self.key = identity_of(trial)
            except Exception as error:  # an option that JSON cannot tell
                self.folder = None
                self._say(WITHOUT, error)

    def resume(self, begin: Callable[[], TrainingState]) -> tuple[TrainingState, list[Point]] | None:
        """The training after the last epoch that was kept whole, and its learning curve; None where none was.

        Args:
            begin: Makes the training as it was before its first epoch.
        """
        if self.folder is None:
            return None
        for leftover in self.folder.glob(f".{self.key}-*"):  # a kill in the middle of writing
            with suppress(OSError):
                leftover.unlink()
        for epoch in sorted(self._epochs(), reverse=True):
            try:
                content = read_whole(self._path(epoch))
                if (content["key"], content["state"]["epoch"]) != (self.key, epoch):
                    raise ValueError("it is of another trial")
                state = begin()
                state.load(content["state"])
                points = self.curve.resume(self.key, epoch)
            except Exception as error:  # whatever was done to a file, the trial can run
                self._say(f"the checkpoint of epoch {epoch} is left aside", error)
                continue
            self.seconds = float(content["seconds"])
            self._kept = [epoch]
            return state, points
        return None

    def offer(self, state: TrainingState) -> None:
        """Writes a checkpoint, where it is time for one."""
        began = time.perf_counter()
        if self.folder is None or not due(began - self._latest, self._cost):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()
            seconds = self.seconds + began - self._began
            torch.save({"key": self.key, "seconds": seconds, "state": state.as_dict()}, content)
            if not self._kept:  # a solver's extra state may hold what is no plain value: better heard of now
                saved = time.perf_counter()
                torch.load(io.BytesIO(content.getbuffer()), map_location="cpu", weights_only=True)
                began += time.perf_counter() - saved  # this once: no part of what writing costs
            self.curve.keep(self.key, state.epoch)
            write_whole(self._path(state.epoch), content.getbuffer())
            self._kept = [*self._kept, state.epoch][-KEPT:]
            self._tidy()
        except Exception as error:  # a full disk, a solver whose state cannot be kept
            self._say(WITHOUT, error)
        self._latest = time.perf_counter()
        self._cost = self._latest - began

    def _epochs(self) -> list[int]:
        assert self.folder is not None
        names = (re.fullmatch(rf"{self.key}-(\d+)\.pt", path.name) for path in self.folder.glob("*.pt"))
        return [int(name[1]) for name in names if name]

    def _path(self, epoch: int) -> Path:
        assert self.folder is not None
        return file_of(self.folder, self.key, epoch, "pt")

    def _tidy(self) -> None:
        """Removes what is older than the last two, or was left aside."""
        assert self.folder is not None
        kept = {file_of(self.folder, self.key, e, kind) for e in self._kept for kind in ("pt", "curve")}
        for path in self.folder.glob(f"{self.key}-*"):
            if path not in kept:
                with suppress(OSError):
                    path.unlink()

    def _say(self, what: str, error: Exception) -> None:
        """To where the trial prints, once."""
        if what not in self._said:
            self._said.add(what)
            reason = " ".join(str(error).split())[:200]
            sys.stderr.write(f"groundcheck: {what} ({type(error).__name__}: {reason})\n")


def due(since: float, cost: float) -> bool:
    """Whether to write a checkpoint so many seconds after the last, which took `cost` seconds to write."""
    return since >= min(LONGEST, COSTS * cost)


def identity_of(trial: Trial) -> str:
    """A digest of what the trial is, as far as can be told here, and of what runs it.

    The folder's name stands for what else decides its outcome: whoever hands out folders knows more.
    """
    assert trial.checkpoint is not None
    solver = None if trial.role == "ceiling" else trial.solver
    decides: dict[str, Any] = {
        "folder": trial.checkpoint.name,
        "task": [trial.task.name, trial.task.version, trial.task.settings],
        "solver": None if solver is None else [solver.name, dict(solver.options)],
        "role": trial.role,
        "seed": trial.seed,
        "training": trial.training.settings,
        "perception": trial.perception.record,
        "device": [trial.images.device, trial.threads],
        "versions": [__version__, torch.__version__, np.__version__],
        "sources": [_source(solver and solver.load), _source(trial.perception.load)],
    }
    written = json.dumps(decides, sort_keys=True, default=lambda value: type(value).__qualname__)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _source(load: Callable[[], Any] | None) -> str:
    """A digest of the file that a factory stands in: what is edited is another solver."""
    try:
        module = sys.modules[load().__module__] if load else None
        return hashlib.sha256(Path(getattr(module, "__file__", None) or "").read_bytes()).hexdigest()
    except Exception:  # built in, typed into a notebook, not installed: the trial itself tells
        return ""


@dataclass(frozen=True)
class _Kept:
    key: str
    points: list[Point]


def write_curve(trial: Trial, key: str, epoch: int, points: Sequence[Point]) -> None:
    """Keeps a learning curve up to an epoch. Raises `OSError`."""
    content = json.dumps(asdict(_Kept(key, list(points)))).encode()
    digest = hashlib.sha256(content).hexdigest().encode()
    write_whole(_curve_file(trial, key, epoch), digest + b"\n" + content)


def read_curve(trial: Trial, key: str, epoch: int) -> list[Point]:
    """A learning curve as it was kept. Raises `OSError` or `ValueError` where there is none, or not whole."""
    digest, _, content = _curve_file(trial, key, epoch).read_bytes().partition(b"\n")
    if digest != hashlib.sha256(content).hexdigest().encode():
        raise ValueError("the learning curve that was kept is damaged")
    try:
        kept = msgspec.convert(json.loads(content), _Kept)
    except msgspec.ValidationError as error:
        raise ValueError(f"the learning curve that was kept is none: {error}") from error
    if kept.key != key or [point.epoch for point in kept.points] != list(range(epoch + 1)):
        raise ValueError("the learning curve that was kept is another")
    return kept.points


def _curve_file(trial: Trial, key: str, epoch: int) -> Path:
    if trial.checkpoint is None or not re.fullmatch("[0-9a-f]{16}", key):
        raise ValueError(f"no folder for the learning curve of {key!r}")
    return file_of(trial.checkpoint, key, epoch, "curve")


def file_of(folder: Path, key: str, epoch: int, kind: str) -> Path:
    """The name of a file of a checkpoint."""
    return folder / f"{key}-{epoch:06d}.{kind}"


def read_whole(path: Path) -> Any:
    """Tensors and plain values, as torch wrote them. Raises an exception where a byte is not as written."""
    content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content) as archive:  # torch itself does not look at its checksums
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} is damaged")
    content.seek(0)
    return torch.load(content, map_location="cpu", weights_only=True)


def write_whole(path: Path, content: "bytes | memoryview") -> None:
    """Writes a file by way of a neighbour that takes its place once it is on the disk. Raises `OSError`."""
    neighbour = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # other machines may write here too
    try:
        with neighbour.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(path)
    except BaseException:
        with suppress(OSError):
            neighbour.unlink(missing_ok=True)
        raise
