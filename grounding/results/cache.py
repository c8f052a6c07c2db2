"""Trials and checks that ran on this machine before, kept under everything that decides what they find.

Only what runs no code from outside: a solver, a task, a perception that come with groundcheck, or a ceiling,
which trains no solver. And only on the CPU, where a trial repeats bit by bit.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch

from ...datasets.image_source import ImageSource
from ...datasets.kernel_cache import host
from ...datasets.own_task import reference_of
from ...datasets.task import Task
from ..checks.finding import Finding
from ..engines.inspection import Inspection
from ..trials.trial import Outcome, Trial
from .files import plain
from .kept_files import KeptFiles
from .records import RecordError, decode_record
from .run_directory import key_of

FOLDER_VARIABLE = "GROUNDCHECK_CACHE"
OFF = "off"
SOURCES = Path(__file__).parents[2]
# Rooms that see what trials and checks found, and take no part in it: a change there changes no outcome.
ONLOOKERS = ("results", "suite", "experiments", "remedy", "judging", "report", "vlm", "gate", "commands")
DECIDING = ("ATEN_", "MKL_", "NUMBA_", "ONEDNN_", "OPENBLAS_")  # variables of the environment
NOT_DECIDING = ("NUMBA_CACHE_DIR",)


@dataclass(frozen=True)
class _Findings:
    findings: list[Finding]


class TrialCache:
    """Outcomes by trial, and findings by inspection.

    Args:
        folder: Where they are, or the files themselves; None: nothing is looked up, and nothing kept.
    """

    def __init__(self, folder: Path | KeptFiles | None) -> None:
        self.files = KeptFiles(folder) if isinstance(folder, Path) else folder
        self._images: dict[ImageSource, str] = {}

    @classmethod
    def of_user(cls, folder: Path | None = None) -> "TrialCache":
        """The one in that folder, or else where the environment says, or else in the user's cache.

        `GROUNDCHECK_CACHE=off` is none.
        """
        return cls(folder or user_folder())

    def look_up(self, trial: Trial) -> Outcome | None:
        """The outcome of a trial that ran before; its solver's name is that of this trial."""
        key = self.key(trial)
        found = self._read(key, Outcome)
        if found is None or (found.role, found.seed, found.error) != (trial.role, trial.seed, None):
            return None
        return replace(found, solver=trial.solver.name)

    def keep(self, trial: Trial, outcome: Outcome) -> None:
        """Keeps the outcome of a trial that ran here, and did not break."""
        if outcome.error is None:
            self._write(self.key(trial), outcome)

    def look_up_findings(self, inspection: Inspection) -> list[Finding] | None:
        """What an inspection found before."""
        found = self._read(self.key(inspection), _Findings)
        return None if found is None else found.findings

    def keep_findings(self, inspection: Inspection, findings: Sequence[Finding]) -> None:
        """Keeps what an inspection found, from its first check to its last, if no check broke."""
        if all(finding.status != "error" for finding in findings):
            self._write(self.key(inspection), _Findings(list(findings)))

    def key(self, asked: Trial | Inspection) -> str | None:
        """A digest of everything that decides what is found; None where code from outside takes part."""
        if self.files is None or not asked.ours:
            return None
        if asked.images not in self._images:
            self._images[asked.images] = asked.images.load().digest
        decides = [_asked(asked), self._images[asked.images], surroundings()]
        return hashlib.sha256(json.dumps(plain(decides), sort_keys=True).encode()).hexdigest()

    def _read(self, key: str | None, kind: Any) -> Any:
        content = None if key is None or self.files is None else self.files.get(key)
        if content is None:
            return None
        try:
            return decode_record(content, kind)
        except RecordError:
            return None

    def _write(self, key: str | None, found: Any) -> None:
        if key is not None and self.files is not None:
            self.files.put(key, json.dumps(plain(found), ensure_ascii=False, allow_nan=False).encode())


def user_folder() -> Path | None:
    """Where this user's cache is; None: the environment switches it off."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return None if named == OFF else Path(named)
    return platformdirs.user_cache_path("groundcheck", appauthor=False) / "trials"


def _asked(asked: Trial | Inspection) -> dict[str, Any]:
    if isinstance(asked, Trial):
        return {
            "trial": key_of(asked),
            "perception": asked.perception.record,
            "task": reference_of(asked.task),
        }
    return {
        "inspection": [asked.spec.name, dict(asked.spec.options)],
        "task": _task(asked.task),
        "label": asked.label,
        "training": asked.training.settings,
        "images": [asked.images.name, asked.images.classes, asked.images.device],
        "perception": asked.perception.record,
    }


def _task(task: Task) -> list[Any]:
    return [reference_of(task), task.version, task.settings, task.files]


@cache
def surroundings() -> list[Any]:
    """What else decides bits: our sources, what is installed, the processor, and what steers libraries."""
    steering = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(DECIDING) and name not in NOT_DECIDING
    }
    processor = [platform.machine(), host(), torch.backends.cpu.get_cpu_capability()]
    versions = [sys.version, torch.__version__, np.__version__, platform.libc_ver()]
    return [digest_of_sources(), versions, _installed(), processor, steering]


def digest_of_sources() -> str:
    """A digest of all code of this package that can take part in a trial or a check."""
    digest = hashlib.sha256()
    for path in sorted((*SOURCES.glob("*.py"), *SOURCES.rglob("*/*.py"))):
        part, *inside = path.relative_to(SOURCES).parts
        if part in ("datasets", "solvers") or (part == "grounding" and inside[0] not in ONLOOKERS):
            content = path.read_bytes()
            digest.update(f"\n{path.relative_to(SOURCES).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _installed() -> list[str]:
    """Every package that could be imported, with its version, as the names of their folders tell them."""
    names: set[str] = set()
    for place in {*sys.path}:
        folder = Path(place or ".")
        if folder.is_dir():
            names |= {path.name for path in folder.glob("*.dist-info")}
    return sorted(name for name in names if not name.startswith("groundcheck-"))
