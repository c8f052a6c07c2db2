"""Importing code from outside: whatever it raises is told in a sentence."""

import importlib
import pickle
import traceback
from collections.abc import Generator
from contextlib import contextmanager
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
    """What `package.module:attribute` stands for; `kind` says what is looked for, for the message.

    Raises `UnknownNameError` in a sentence, whatever the module raises.
    """
    module, colon, attribute = name.partition(":")
    form = "it is written package.module:attribute, and the module must be importable from here"
    if not colon or not module or not attribute:
        raise UnknownNameError(f"{kind} {name!r}: {form}")
    if "/" in module or "\\" in module or module.endswith(".py") or module.startswith("."):
        base = module.replace("\\", "/").rpartition("/")[2].removesuffix(".py").lstrip(".")
        raise UnknownNameError(
            f"{kind} {name!r}: {form}; for a file in this folder that is {base or 'module'}:{attribute}"
        )
    with importing(f"{kind} {name!r}", hint=f"{form[0].upper()}{form[1:]}"):
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
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
