"""Where compiled kernels are kept on disk, so that only the first process waits for the compiler.

numba's own cache looks at a kernel's file alone: after a change in what the kernel calls, or in a constant
that it takes from another file, the old machine code stays in use. Here the kernels of a folder of code are
kept under a hash of all its sources; they take nothing from other folders of the package. And each signature
of a kernel has a file of its own, written whole: numba's index of several may name the wrong one after two
processes compile at once. They are kept where numba would keep them: below NUMBA_CACHE_DIR if it is set,
else beside the code, else in the user's cache.
"""

import hashlib
import os
import pickle
import shutil
import sys
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding
from numba.core import caching, compiler, serialize
from numba.core.dispatcher import Dispatcher

KEPT_VERSIONS = 4  # of a folder's code whose kernels stay on disk: those used last
# What was said last, in the environment: a process that this one starts need not say it again.
SAID = "GROUNDCHECK_KERNELS_SAID"


def kept(kernel: Any) -> Any:
    """Keeps on disk what numba compiles of a function: `@kept` above its `@njit`.

    Where nothing can be written each process compiles its own, and a line on stderr says so.
    """
    if isinstance(kernel, Dispatcher):  # not with NUMBA_DISABLE_JIT
        dispatcher: Any = kernel
        function = dispatcher.py_func
        code = Path(function.__code__.co_filename).parent
        if code not in FOLDERS:
            FOLDERS[code] = KernelFolder(code, function)
        dispatcher._cache = KernelCache(function, FOLDERS[code])
    return kernel


def version_of(code: Path) -> str:
    """A hash of what the kernels of a folder come from: its sources, this file, numba and Python.

    Raises `OSError` where there are no sources to read.
    """
    sources = sorted(code.glob("*.py"))
    if not sources:
        raise FileNotFoundError(f"{code} holds no sources")
    digest = hashlib.sha256(f"{numba.__version__} {sys.implementation.cache_tag}".encode())
    for path in (Path(__file__), *sources):
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


class KernelFolder:
    """The kernels of one folder of code, as it is when the first of them is imported."""

    place: Path | None = None  # where they are kept; None: nowhere

    def __init__(self, code: Path, function: Any) -> None:
        self.code = code
        try:
            self.version = version_of(code)
            locator: Any = caching.CompileResultCacheImpl(function).locator
        except (OSError, RuntimeError):  # numba's error where no folder can be written
            self.give_up()
            return
        base, wanted = Path(locator.get_cache_path()), os.environ.get("NUMBA_CACHE_DIR")
        if wanted and not base.is_relative_to(wanted):
            say(f"NUMBA_CACHE_DIR={wanted} cannot be written: compiled kernels are kept elsewhere")
        self.place = base / f"kernels-{self.version}"
        with suppress(OSError):  # not there yet, or somebody else's
            os.utime(self.place)  # used last, dropped last

    def give_up(self) -> None:
        """Nothing is kept from now on."""
        self.place = None
        say(
            "compiled kernels cannot be kept on disk, so that each process takes some seconds to compile its "
            "own: set NUMBA_CACHE_DIR to a folder that can be written"
        )

    def keep(self, name: str, content: bytes) -> None:
        """Writes a file as a whole; not where the sources are no longer those that were imported."""
        place = self.place
        if place is None:
            return
        part = place / f"{name}.{uuid.uuid4().hex[:16]}"
        try:
            if version_of(self.code) != self.version:
                return
            new = not place.exists()
            place.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(place / name)
        except OSError:
            with suppress(OSError):
                part.unlink()
            self.give_up()
            return
        if new:
            drop_old(place.parent)


FOLDERS: dict[Path, KernelFolder] = {}


class KernelCache(caching.NullCache):
    """What numba asks for a kernel's machine code, and gives it to."""

    def __init__(self, function: Any, folder: KernelFolder) -> None:
        self.folder = folder
        self._name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for a signature, or None."""
        target_context.refresh()
        if self.folder.place is None:
            return None
        key = self._key(sig, target_context.codegen())
        try:
            found, parts = pickle.loads((self.folder.place / self._file(key)).read_bytes())
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        rebuild: Any = compiler.CompileResult._rebuild  # pyright: ignore[reportPrivateUsage]
        return rebuild(target_context, *parts) if found == key else None

    def save_overload(self, sig: Any, cres: Any) -> None:
        """Keeps a kernel, unless it holds addresses of this process."""
        if self.folder.place is not None and not cres.library.has_dynamic_globals:
            key = self._key(sig, cres.codegen)
            self.folder.keep(self._file(key), serialize.dumps((key, cres._reduce())))

    def _key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return sig, codegen.magic_tuple(), host()

    def _file(self, key: tuple[Any, ...]) -> str:
        return f"{self._name}-{hashlib.sha256(str(key).encode()).hexdigest()[:16]}.nbc"


def drop_old(base: Path) -> None:
    """Deletes kernels of old versions; a process that still uses them compiles what it has not loaded."""
    used: dict[Path, float] = {}
    for place in base.glob("kernels-*"):
        with suppress(OSError):  # another process was quicker
            used[place] = place.stat().st_mtime
    for place in sorted(used, key=used.__getitem__, reverse=True)[KEPT_VERSIONS:]:
        shutil.rmtree(place, ignore_errors=True)


@cache
def host() -> str:
    """The processor and its features, whatever numba is told to compile for: kernels fit its registers."""
    try:
        return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    except RuntimeError:  # LLVM cannot tell on some systems
        return ""


def say(message: str) -> None:
    """A line on stderr, once for this process and those that it starts."""
    if os.environ.get(SAID) != message:
        os.environ[SAID] = message
        sys.stderr.write(f"groundcheck: {message}\n")
