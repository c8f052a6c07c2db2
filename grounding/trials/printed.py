"""What a solver prints goes to a file, and not between the lines of a report."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Kept:
    """Where output goes while it is kept, and where it went before."""

    streams: tuple[Any, Any] | None = None  # whatever a program put in place of its own

    @contextmanager
    def aside(self) -> Generator[None]:
        """Lets output through meanwhile: what is printed here is not the solver's."""
        if self.streams is None:
            yield
            return
        kept = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.streams
        try:
            yield
        finally:
            sys.stdout, sys.stderr = kept


@contextmanager
def printed_to(path: Path | None) -> Generator[Kept]:
    """Appends to a file what Python prints until the context ends, on both streams.

    What compiled code, or a program that is called, writes to the process's own descriptors goes there too
    where the process is ours: that of a command (`claim_process`). In a script or a notebook of a user's
    they are left alone.

    Args:
        path: The file; None: output is left alone. One that stays empty is removed.
    """
    if path is None:
        yield Kept()
        return
    before = sys.stdout, sys.stderr
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1) as file,
            _descriptors_to(file.fileno()),
        ):
            sys.stdout = sys.stderr = file
            try:
                yield Kept(before)
            finally:
                sys.stdout, sys.stderr = before
    finally:
        if not path.stat().st_size:
            path.unlink()


@contextmanager
def _descriptors_to(file: int) -> Generator[None]:
    """Points the process's descriptors at a file until the context ends, where they are ours."""
    if not _Process.ours:
        yield
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    before = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    try:
        for descriptor, _ in before:
            os.dup2(file, descriptor)
        yield
    finally:
        for descriptor, kept in before:
            os.dup2(kept, descriptor)
            os.close(kept)


class _Process:
    """Whether this process runs a command, and no program of a user's."""

    ours = False


def claim_process() -> None:
    """Says that this process runs a command of ours: its descriptors may be redirected for a while."""
    _Process.ours = True


def lasting(stream: Any) -> Any:
    """The stream, out of reach of what is redirected meanwhile."""
    if not _Process.ours:
        return stream
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError):  # closed, or none of the operating system's
        return stream
    return open(descriptor, "w", encoding=stream.encoding, errors="backslashreplace", buffering=1)


def print_to(path: Path | None) -> None:
    """Sends all that this process prints to a file from now on, what compiled code prints too.

    Args:
        path: The file, which is appended to; None: output is left alone.
    """
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.flush()
        os.dup2(file, descriptor)
    os.close(file)
    # Not the streams of before, which may be a program's own; line by line, as this process may be killed.
    sys.stdout, sys.stderr = (
        open(descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        for descriptor in (1, 2)
    )
