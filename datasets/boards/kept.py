"""Boards that were proved, kept on disk by the content of their file: proved once, mapped ever after.

They lie in a folder named by the SHA-256 of the file, below `groundcheck/boards` in the user's cache:

    header.json       the task, and what was counted
    solution.int8     (boards, variables)   the only solution of each board
    given.bool        (boards, variables)
    part.uint8        (boards,)             which tenth of all solutions its own belongs to

Where nothing can be written, a folder that ends with the process holds them. Deleting them costs time only.
"""

import atexit
import hashlib
import json
import mmap
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt64

from ..errors import UnusableFileError, UsageError
from ..own_task import rebuild_task, reference_of
from ..search.splits import hashes
from ..storage import HEADER as SET_HEADER
from ..task import Setting, Task
from .chunk import BoardFile
from .proof import prove
from .sets import SetBoards
from .tensors import FEATURES, LABELS, TensorBoards
from .text import TextBoards

FORMAT = 1  # raised whenever the same file would be kept otherwise
TENTHS = 10
KEPT_FILES = 8  # those used last stay on disk
TENSORS = (".pt", ".pth")


@dataclass(frozen=True)
class Boards:
    """Boards of a file, each proved to have one solution; the arrays are mapped, not held in memory.

    Attributes:
        task: The family that they are of.
        digest: SHA-256 of the file.
        solution: (boards, variables) symbols.
        given: (boards, variables) truth values.
        part: (boards,) 0 to 9, by the content of the solution.
        givens: Fewest and most givens of a board.
        grids: How many different solutions there are.
    """

    task: Task
    digest: str
    solution: Int[np.ndarray, "boards variables"]
    given: Bool[np.ndarray, "boards variables"]
    part: UInt8[np.ndarray, " boards"]
    givens: tuple[int, int]
    grids: int

    def __len__(self) -> int:
        return len(self.solution)


def open_file(path: Path) -> BoardFile:
    """The boards of a file, in whatever format it has; nothing is read yet but what tells the format.

    Raises:
        UsageError: For what is not there, or holds no boards.
    """
    if path.is_dir():
        if (path / SET_HEADER).is_file():
            return SetBoards(path)
        if (path / FEATURES).is_file():
            return TensorBoards(path / FEATURES)
        raise UsageError(
            f"{path} is a folder without {SET_HEADER} (as groundcheck generate writes it) or {FEATURES} "
            "(as SATNet's): name the file with the boards"
        )
    if not path.exists():
        raise UsageError(f"there is no file {path}: name one with boards, as --puzzles boards.csv")
    return TensorBoards(path) if path.suffix.lower() in TENSORS else TextBoards(path)


def digest_of(file: BoardFile) -> str:
    """SHA-256 of what decides the boards: a file, SATNet's two files, or the header that seals a set."""
    if isinstance(file, SetBoards):
        paths = [file.path / SET_HEADER]
    elif isinstance(file, TensorBoards):
        paths = [file.path, file.path.with_name(LABELS)][: 1 + (file.path.name == FEATURES)]
    else:
        paths = [file.path]
    paths = [path.resolve() for path in paths]
    states = [(path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.exists()]
    try:
        return _digest(tuple(states))
    except OSError as error:
        raise UnusableFileError(f"{error.filename} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=64)
def _digest(states: tuple[tuple[Path, int, int], ...]) -> str:
    digests: list[str] = []
    for path, *_ in states:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def proved_boards(path: Path, progress: Callable[[int], None] = lambda _: None) -> Boards:
    """The boards of a file, after the proof that each has one solution, which is made once per content.

    Args:
        path: A file or folder that `open_file` takes.
        progress: Is called with the number of boards that are proved.

    Raises:
        UsageError: For the first board, by its line, that does not have exactly one solution, or whose
            stated solution is another.
    """
    file = open_file(path)
    digest = digest_of(file)
    folder = _folder() / f"{digest}-{FORMAT}"
    if (folder / "header.json").is_file():
        with suppress(OSError):
            os.utime(folder)  # used last, dropped last
        try:
            return _read(folder)
        except (ValueError, KeyError, OSError):  # damaged
            shutil.rmtree(folder, ignore_errors=True)
    return _read(_write(file, digest, folder, progress))


@lru_cache(maxsize=8)
def _read(folder: Path) -> Boards:
    header: dict[str, Any] = json.loads((folder / "header.json").read_text(encoding="utf-8"))
    task = rebuild_task(header["reference"], msgspec.convert(header["settings"], dict[str, Setting]))
    shape = (header["boards"], header["variables"])

    def mapped(name: str, kind: Any, shape: tuple[int, ...]) -> Any:
        array: Any = np.memmap(folder / name, dtype=kind, mode="r", shape=shape)
        if hasattr(mmap, "MADV_RANDOM"):  # rows are drawn at random: what lies beside them is not needed
            array._mmap.madvise(mmap.MADV_RANDOM)
        return array

    return Boards(
        task,
        header["digest"],
        mapped("solution.int8", np.int8, shape),
        mapped("given.bool", np.bool_, shape),
        mapped("part.uint8", np.uint8, shape[:1]),
        tuple(header["givens"]),
        header["grids"],
    )


def _write(file: BoardFile, digest: str, folder: Path, progress: Callable[[int], None]) -> Path:
    """Proves the boards of a file a chunk at a time, and writes them; the folder appears as a whole."""
    task = file.task()
    draft = folder.with_name(f"draft-{uuid.uuid4().hex[:16]}")
    draft.mkdir(parents=True)
    try:
        header = {
            "digest": digest,
            "reference": reference_of(task),
            "settings": json.loads(json.dumps(task.settings)),
            **_write_arrays(file, task, draft, progress),
        }
        (draft / "header.json").write_text(json.dumps(header), encoding="utf-8")
        try:
            draft.rename(folder)
        except OSError:  # another process was quicker
            if not (folder / "header.json").is_file():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _drop_old(folder.parent)
    return folder


def _write_arrays(
    file: BoardFile, task: Task, draft: Path, progress: Callable[[int], None]
) -> dict[str, Any]:
    boards, variables, fewest, most = 0, 0, 2**31, 0
    seen: list[UInt64[np.ndarray, " boards"]] = []
    with ExitStack() as stack:
        solutions, givens, parts = (
            stack.enter_context((draft / name).open("wb"))
            for name in ("solution.int8", "given.bool", "part.uint8")
        )
        for solution, given in _proved(file, task):
            solutions.write(solution.tobytes())
            givens.write(given.tobytes())
            seen.append(hashes(solution))
            parts.write((seen[-1] % np.uint64(TENTHS)).astype(np.uint8).tobytes())
            counts = given.sum(axis=1)
            boards, variables = boards + len(solution), solution.shape[1]
            fewest, most = min(fewest, counts.min()), max(most, counts.max())
            progress(boards)
    if not boards:
        raise UsageError(f"{file.path} holds no boards")
    grids = len(np.unique(np.concatenate(seen)))
    return {
        "boards": boards,
        "variables": variables,
        "givens": [int(fewest), int(most)],
        "grids": grids,
    }


def _proved(file: BoardFile, task: Task) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for chunk in file.chunks():
        solution = np.ascontiguousarray(prove(file, task, chunk), dtype=np.int8)
        yield solution, chunk.puzzle >= 0


def _folder() -> Path:
    """Where boards are kept: the user's cache, or a folder that ends with this process."""
    cache_root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache_root) / "groundcheck" / "boards"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return _temporary()


@cache
def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="groundcheck-boards-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _drop_old(base: Path) -> None:
    """Deletes what was used longest ago; where it is mapped it stays until that process ends."""
    used: dict[Path, float] = {}
    for folder in base.glob("*-*"):
        with suppress(OSError):  # another process was quicker
            used[folder] = folder.stat().st_mtime
    for folder in sorted(used, key=used.__getitem__, reverse=True)[KEPT_FILES:]:
        if not folder.name.startswith("draft-"):
            shutil.rmtree(folder, ignore_errors=True)
