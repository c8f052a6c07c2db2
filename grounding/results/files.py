"""Writing records as JSON, whole or not at all."""

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ...datasets.errors import UnusableFileError


def plain(value: Any) -> Any:
    """A record in JSON's own types: tuples as lists, paths as text.

    NaN and infinities, which JSON has not, become null; half of a surrogate pair, which UTF-8 has not, its
    escape.
    """
    return _writable(msgspec.to_builtins(value, str_keys=True, enc_hook=_foreign))


def _foreign(value: Any) -> Any:
    """Numbers and words of other libraries that are Python's as well; anything else as text."""
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _writable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_escaped(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _escaped(value) if isinstance(value, str) else value


def _escaped(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: Path, record: Any) -> None:
    """Writes a record; see `plain` for what becomes of it."""
    write_text(path, json.dumps(plain(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, content: str) -> None:
    """Writes a file by way of a neighbour that takes its place, so that a full disk leaves the old one.

    It is UTF-8 on every machine; half of a surrogate pair is written as its escape. A path that is no
    regular file (/dev/stdout, a pipe) is written to as it is. Raises `UnusableFileError` with a message that
    names the path.
    """
    direct = path.exists() and not path.is_file()
    place = path if direct else path.resolve()
    target = path if direct else place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with target.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(content)
            if not direct:
                file.flush()
                os.fsync(file.fileno())
        if not direct:
            target.replace(place)
    except OSError as error:
        if not direct:
            with suppress(OSError):
                target.unlink()
        raise UnusableFileError(f"{path} cannot be written: {error.strerror}") from error
