"""A folder of results under keys, shared by processes: whole or not there, and never larger than so much."""

import hashlib
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 2 * 2**30
KEPT_SHARE = 0.9  # of the largest size, once it was reached
LOOK_AFTER = 64 * 2**20  # bytes written by one process, after which it looks at the size again
ENDING = ".json"


def say(message: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"groundcheck: {message}\n")


class KeptFiles:
    """Contents by key, each in a file that takes its place at once.

    An entry that is damaged is none, and goes. Where nothing can be written that is said once, and nothing is
    kept. Beyond the largest size, what was used longest ago goes.

    Args:
        folder: Where they are; it is made when the first is kept.
        max_bytes: The largest size.
        tell: Hears why nothing can be kept.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, tell: Callable[[str], None] = say) -> None:
        self.folder, self.max_bytes, self.tell = folder, max_bytes, tell
        self.broken = False
        self.unlooked = LOOK_AFTER  # bytes since this process looked at the size: it looks at its first entry

    def get(self, key: str) -> bytes | None:
        """The content of a key; None where there is none, or a damaged one."""
        path = self._path(key)
        try:
            digest, _, content = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        if digest != _digest(key, content):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # used last, dropped last
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keeps a content under a key, if anything can be kept."""
        if self.broken:
            return
        path = self._path(key)
        part = path.with_name(f".{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(_digest(key, content) + b"\n" + content)
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            self.broken = True
            self.tell(f"results cannot be kept in {self.folder} ({error.strerror}): later runs repeat them")
            return
        self.unlooked += len(content)
        if self.unlooked >= LOOK_AFTER:
            self.unlooked = 0
            self.shrink()

    def shrink(self) -> None:
        """Deletes what was used longest ago, if there is too much, and what killed processes left."""
        used: list[tuple[float, int, Path]] = []
        for path in self._files():
            with suppress(OSError):  # another process was quicker
                found = path.stat()
                used.append((found.st_mtime, found.st_size, path))
        size = sum(each[1] for each in used)
        if size <= self.max_bytes:
            return
        for _, length, path in sorted(used):
            if size <= KEPT_SHARE * self.max_bytes:
                return
            with suppress(OSError):
                path.unlink()
            size -= length

    def size(self) -> tuple[int, int]:
        """How many entries there are, and how many bytes."""
        count = total = 0
        for path in self._files():
            with suppress(OSError):
                total += path.stat().st_size
                count += path.suffix == ENDING
        return count, total

    def clear(self) -> int:
        """Deletes everything that was kept, and says how many entries that were.

        Raises `OSError` where it cannot be deleted.
        """
        count, _ = self.size()
        for folder in self._folders():
            shutil.rmtree(folder)
        return count

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{ENDING}"

    def _folders(self) -> Iterator[Path]:
        """Those that are ours, whatever else lies beside them."""
        yield from (path for path in self.folder.glob("[0-9a-f][0-9a-f]") if path.is_dir())

    def _files(self) -> Iterator[Path]:
        for folder in self._folders():
            yield from folder.iterdir()


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).hexdigest().encode()
