"""The trace of a trial on its way: a file that gets one JSON line per epoch."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from .probing import unlabelled
from .trial import Point


class Trace:
    """Writes a trace, as a context; without a path it writes nothing.

    A trace is for looking at: where it cannot be written the trial goes on, and whoever keeps its outcome
    will meet the same full disk and say so. The file is made anew and held open, so that what an orphan of
    a killed run still writes goes into the file it began, not into that of the trial that replaces it.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.file: TextIO | None = None

    def __enter__(self) -> "Trace":
        if self.path is not None:
            try:
                self.path.unlink(missing_ok=True)
                self.file = self.path.open("x", buffering=1)
            except OSError:
                self.file = None
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            with suppress(OSError):
                self.file.close()
            self.file = None

    def append(self, point: Mapping[str, float | int | None]) -> None:
        """Adds a line; NaN, which JSON has not, becomes null."""
        plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in point.items()}
        if self.file is not None:
            try:
                self.file.write(json.dumps(plain) + "\n")
            except OSError:
                self.__exit__()


def write_trace(path: Path | None, curve: Sequence[Point]) -> None:
    """Writes the trace of a trial that ran before: as it wrote it itself, which knew of no labels."""
    with Trace(path) as trace:
        for point in curve:
            trace.append(asdict(unlabelled(point)))
