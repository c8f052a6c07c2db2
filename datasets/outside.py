"""Importing code from outside: whatever it raises is told in a sentence."""

import hashlib
import importlib
import importlib.util
import pickle
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import UnknownNameError, UsageError


@contextmanager
def importing(what: str, hint: str = "") -> Generator[None]:
    """Tells what code from outside raises while it is imported, as `UnknownNameError`; only Ctrl-C passes.

    Code that ends the process (`sys.exit`) and what is no `Exception` are told as well. `what` names the
    thing that was to be imported, `hint` says how to mend it.
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit, UsageError):
        raise
    except BaseException as error:
        message = f"{type(error).__name__}: {_line(error)}".rstrip(": ") + _place(error)
        raise UnknownNameError(f"{what}: {message}. {hint}".rstrip(". ")) from error


def import_attribute(name: str, kind: str) -> Any:
    """What `package.module:attribute`, or `path/to/file.py:attribute`, stands for.

    Args:
        name: As a user writes it.
        kind: What is looked for, for the message.

    Raises:
        UnknownNameError: In a sentence, whatever the module raises.
    """
    module, colon, attribute = name.rpartition(":")
    form = (
        "it is written package.module:attribute, and the module must be importable from here, "
        "or path/to/file.py:attribute"
    )
    if not colon or not module or not attribute:
        raise UnknownNameError(f"{kind} {name!r}: {form}")
    if "/" in module or "\\" in module or module.endswith(".py"):
        path = Path(module)
        if not path.is_file():
            raise UnknownNameError(f"{kind} {name!r}: there is no file {module}; {form}")
        with importing(f"{kind} {name!r}", hint="The file is run from its first line to its last"):
            return _attribute(import_file(path), attribute)
    with importing(f"{kind} {name!r}", hint=f"{form[0].upper()}{form[1:]}"):
        return _attribute(importlib.import_module(module), attribute)


def import_file(path: Path) -> ModuleType:
    """Imports a file of a user's as Python would run it: what lies beside it can be imported from it.

    Its module is named as an import from its folder names it, within a package with the package's name, so
    that other processes find what it defines. Where another module has that name already (two files called
    solver.py), the file gets a name of its own, and only those find it that are told of the file.
    """
    path = path.resolve()
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").is_file():
        root, parts = root.parent, [root.name, *parts]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
    name = ".".join(parts)
    known = sys.modules.get(name)
    origin = getattr(known, "__file__", None) if known else _origin(name)
    if origin is not None and Path(origin).resolve() == path:
        return importlib.import_module(name)
    own = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if own in sys.modules:
        return sys.modules[own]
    spec = importlib.util.spec_from_file_location(own, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = sys.modules[own] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[own]
        raise
    return module


def _origin(name: str) -> str | None:
    """The file that an import of this name would run."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec else None


def _attribute(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def is_portable(thing: Any) -> bool:
    """Whether another process can be told of it: not of a lambda, nor of what a notebook defines."""
    try:
        pickle.dumps(thing)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return getattr(thing, "__module__", "__main__") != "__main__"


class OutsideCodeError(RuntimeError):
    """Code from outside that could not be built, or that does not keep its contract."""

    @property
    def traceback(self) -> str:
        """What its constructor raised, from its own code on; empty where nothing was raised."""
        cause = self.__cause__
        if cause is None:
            return ""
        frames = cause.__traceback__ and cause.__traceback__.tb_next  # the first is the call of ours
        return "".join(traceback.format_exception(cause.with_traceback(frames)))


def _line(error: BaseException) -> str:
    """The message in one line, of at most 300 letters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:299]}…"


def _place(error: BaseException) -> str:
    """Where the code from outside raised; nothing where the message or the import system says it."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames or "importlib" in frames[-1].filename:
        return ""
    if frames[-1].filename == __file__:
        return ""
    return f" ({frames[-1].filename}, line {frames[-1].lineno})"
