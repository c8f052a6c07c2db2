"""What to say of an error that nobody foresaw: whose code it is of, and what to report."""

import importlib.metadata
import platform
import shlex
import sys
import sysconfig
import traceback
from pathlib import Path

FAULT = 70  # exit code: EX_SOFTWARE of sysexits.h
ROOT = Path(__file__).resolve().parents[2]
OURS = [ROOT / part for part in ("datasets", "solvers", "grounding")]


def is_users_file(error: OSError) -> bool:
    """Whether an operating system's error is about a file that is neither ours nor Python's."""
    return isinstance(error.filename, str) and not _installed(Path(error.filename))


def describe_fault(error: Exception) -> str:
    """One paragraph below the traceback of `error`."""
    report = (
        f"groundcheck {_version()}, Python {platform.python_version()} on {platform.platform()}, "
        f"command: {shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}"
    )
    if foreign := _foreign(error):
        return f"{type(error).__name__} in {foreign}, which is not groundcheck's ({report})"
    return f"this is a fault of groundcheck: please report it with the traceback above and this: {report}"


def _foreign(error: Exception) -> str | None:
    """File and line of the innermost code that is neither ours nor installed, where there is such."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [f for f in frames if not f.filename.startswith("<") and not _installed(Path(f.filename))]
    return f"{outside[-1].filename}, line {outside[-1].lineno}" if outside else None


def _installed(path: Path) -> bool:
    """Whether a file is part of groundcheck, of Python, or of an installed package."""
    paths = sysconfig.get_paths()
    roots = [*OURS, *(Path(paths[name]).resolve() for name in ("stdlib", "purelib", "platlib", "scripts"))]
    resolved = path.resolve()
    return any(resolved.is_relative_to(root) for root in roots)


def _version() -> str:
    try:
        return importlib.metadata.version("groundcheck")
    except importlib.metadata.PackageNotFoundError:
        return "of a checkout"
