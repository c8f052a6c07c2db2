"""Puzzles on disk: made in parallel, resumed after an interruption, read memory-mapped.

A set is a folder of three arrays in NumPy's .npy format (version 1.0, little-endian, C order),

    solution.npy   int8   (puzzles, variables)   symbols
    given.npy      bool   (puzzles, variables)
    picture.npy    int32  (puzzles, variables)   draw of the picture, −1 where none is shown

and header.json, UTF-8, which is written last:

    format     1
    task       name of the family             settings   its configuration
    reference  where a family of a user's stands; left out for those of the catalogue
    version    of the family's generator      split, seed
    puzzles    how many                       given      how many variables are given, over all puzzles
    sha256     of each array file, and of the header without this entry

While a set is being made there is journal.jsonl instead of the header: the plan, then for each finished
block its number and the SHA-256 of its rows. A set depends on task, split, size and seed alone, so it is the
same, byte for byte, for any number of workers and after any number of interruptions.
"""

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from .errors import DataUnavailableError, UsageError
from .own_task import rebuild_task, reference_of
from .task import BLOCK, Puzzles, Setting, Split, Task

FORMAT = 1
ARRAYS: dict[str, type[np.generic]] = {"solution": np.int8, "given": np.bool_, "picture": np.int32}
HEADER, JOURNAL = "header.json", "journal.jsonl"


@dataclass(frozen=True)
class PuzzleSet:
    """A set that was read.

    Attributes:
        task: The task with the settings that it was made with.
        header: What header.json says.
        puzzles: The puzzles, memory-mapped.
    """

    task: Task
    header: dict[str, Any]
    puzzles: Puzzles


def generate_set(
    task: Task,
    split: Split,
    size: int,
    seed: int,
    folder: str | Path,
    *,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Makes `task.generate(split, size, seed)` in a folder, by several processes; returns the folder.

    Takes up an interrupted generation of the same puzzles where it stopped. `progress` is called with the
    number of puzzles that are there. Raises `UsageError` where the folder holds something else.
    """
    if size < 1 or workers < 1:
        raise UsageError(f"size={size}, workers={workers}: ask for 1 or more of each")
    folder = Path(folder)
    plan = {**_plan(task), "split": split, "seed": seed, "puzzles": size}
    if (folder / HEADER).exists():
        raise UsageError(f"{folder} already holds a finished set: name another folder, or delete it")
    done = _resume(folder, plan, size, len(task.problem.variables))
    counts = {block: min(BLOCK, size - block * BLOCK) for block in range(-(-size // BLOCK))}
    missing = [block for block in counts if block not in done]
    ready = sum(counts[block] for block in done)
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        for block, digest in _blocks(task, split, size, seed, folder, missing, workers):
            journal.write(json.dumps({"block": block, "sha256": digest}) + "\n")
            journal.flush()
            ready += counts[block]
            if progress is not None:
                progress(ready)
    given = sum(int(part.sum()) for part in _parts(np.load(folder / "given.npy", mmap_mode="r"), size))
    header: dict[str, Any] = {"format": FORMAT, **plan, "given": given, "sha256": _digests(folder)}
    header["sha256"]["header"] = _seal(header)
    draft = folder / (HEADER + ".draft")
    draft.write_text(json.dumps(header, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(folder / HEADER)
    (folder / JOURNAL).unlink()
    return folder


def load_set(folder: str | Path, *, check: bool = True) -> PuzzleSet:
    """Reads a set of puzzles from disk without copying it into memory. Never unpickles.

    Args:
        folder: The folder that `groundcheck generate` made.
        check: Whether hashes are compared, which reads every byte once; sizes always are.

    Returns:
        The set: its task, header and puzzles.

    Raises:
        DataUnavailableError: Where the set is missing, unfinished, truncated or altered.
    """
    folder = Path(folder)
    if not (folder / HEADER).is_file():
        unfinished = (folder / JOURNAL).is_file()
        raise DataUnavailableError(
            f"{folder}: this generation was interrupted; run it again with the same settings to finish it"
            if unfinished
            else f"{folder} is no set of puzzles: it has no {HEADER}"
        )
    header = _header(folder)
    try:
        settings = msgspec.convert(header["settings"], dict[str, Setting])
        task = rebuild_task(header.get("reference", header["task"]), settings)
    except (TypeError, ValueError) as error:
        raise DataUnavailableError(f"{folder / HEADER} describes no known task: {error}") from error
    shape = (header["puzzles"], len(task.problem.variables))
    arrays = {name: _array(folder / f"{name}.npy", kind, shape) for name, kind in ARRAYS.items()}
    if check:
        for name, digest in _digests(folder).items():
            if digest != header["sha256"].get(name):
                raise DataUnavailableError(
                    f"{folder / name}.npy was altered: its SHA-256 is {digest}, the header says "
                    f"{header['sha256'].get(name)}; generate the set again"
                )
    return PuzzleSet(task, header, Puzzles(**arrays))


def _plan(task: Task) -> dict[str, Any]:
    reference = reference_of(task)
    return {
        "task": task.name,
        **({"reference": reference} if reference != task.name else {}),
        "version": task.version,
        "settings": json.loads(json.dumps(task.settings)),
    }


def _resume(folder: Path, plan: dict[str, Any], size: int, variables: int) -> set[int]:
    """The blocks that are there already; lays out the folder where there are none."""
    journal, draft = folder / JOURNAL, folder / (JOURNAL + ".draft")
    if not journal.exists():
        if folder.exists() and any(folder.iterdir()) and not draft.exists():
            raise UsageError(f"{folder} is not empty and holds no set of puzzles: name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(plan) + "\n", encoding="utf-8")  # the folder is ours from here on
        for name, kind in ARRAYS.items():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, (size, variables), version=(1, 0))
        draft.replace(journal)
        return set()
    first, *entries = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    if json.loads(first) != plan:
        raise UsageError(
            f"{folder} holds an interrupted generation of other puzzles ({first.strip()}): "
            "name another folder, or delete it"
        )
    whole = [entry for entry in entries if entry.endswith("\n")]
    journal.write_text("".join([first, *whole]), encoding="utf-8")  # drops a line that was cut off
    puzzles = _open(folder, "r")
    finished = (json.loads(entry) for entry in whole)
    return {entry["block"] for entry in finished if _digest(puzzles, entry["block"]) == entry["sha256"]}


def _blocks(
    task: Task, split: Split, size: int, seed: int, folder: Path, blocks: list[int], workers: int
) -> Iterator[tuple[int, str]]:
    """Makes the blocks in any order; yields the number and the hash of each that is on disk."""
    if workers == 1:
        yield from ((block, _write(task, split, size, seed, folder, block)) for block in blocks)
        return
    # Started afresh: a forked copy of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    count = min(workers, max(1, len(blocks)))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_leave_interrupts) as pool:
        jobs = {pool.submit(_write, task, split, size, seed, folder, block): block for block in blocks}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process; the one that gave out the work is the one to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write(task: Task, split: Split, size: int, seed: int, folder: Path, block: int) -> str:
    """Makes one block and writes it to its place; its hash."""
    made = task.block(split, size, seed, block)
    arrays = _open(folder, "r+")
    rows = slice(block * BLOCK, block * BLOCK + len(made))
    arrays.solution[rows], arrays.given[rows], arrays.picture[rows] = made.solution, made.given, made.picture
    return _digest(arrays, block)


def _open(folder: Path, mode: Any) -> Puzzles:
    return Puzzles(**{name: np.load(folder / f"{name}.npy", mmap_mode=mode) for name in ARRAYS})


def _digest(puzzles: Puzzles, block: int) -> str:
    """SHA-256 over the rows of a block."""
    rows = puzzles[block * BLOCK : (block + 1) * BLOCK]
    sha = hashlib.sha256()
    for array in (rows.solution, rows.given, rows.picture):
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def _parts(array: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (array[start : start + BLOCK] for start in range(0, size, BLOCK))


def _digests(folder: Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    for name in ARRAYS:
        with (folder / f"{name}.npy").open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _header(folder: Path) -> dict[str, Any]:
    path = folder / HEADER
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataUnavailableError(f"{path} is damaged: {error}; generate the set again") from error
    needed = {"format", "task", "version", "settings", "split", "seed", "puzzles", "given", "sha256"}
    if not isinstance(header, dict) or not needed <= header.keys():
        raise DataUnavailableError(f"{path} is damaged: it should name {', '.join(sorted(needed))}")
    if header["format"] != FORMAT:
        raise DataUnavailableError(f"{path} has format {header['format']}; this version reads {FORMAT}")
    if header["sha256"].get("header") != _seal(header):
        raise DataUnavailableError(f"{path} was altered: it does not have its own SHA-256")
    return header


def _seal(header: dict[str, Any]) -> str:
    """SHA-256 of the header without its own; the hashes of the arrays are part of it."""
    arrays = {name: digest for name, digest in header["sha256"].items() if name != "header"}
    return hashlib.sha256(json.dumps({**header, "sha256": arrays}, sort_keys=True).encode()).hexdigest()


def _array(path: Path, kind: type[np.generic], shape: tuple[int, int]) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        size = f"{os.path.getsize(path):,} bytes" if path.exists() else "missing"
        raise DataUnavailableError(
            f"{path} ({size}) is truncated or no array: {error}; generate the set again"
        ) from error
    if array.shape != shape or array.dtype != kind:
        raise DataUnavailableError(
            f"{path} holds {array.dtype} of {array.shape}; the header says {np.dtype(kind)} of {shape}"
        )
    return array
