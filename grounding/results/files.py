"""Writing records as JSON, whole or not at all."""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...datasets.errors import UnusableFileError


def plain(value: Any) -> Any:
    """JSON's own types: tuples as lists, paths as text, NaN and infinities (which JSON has not) as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes a record; NaN becomes null."""
    write_text(path, json.dumps(plain(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, content: str) -> None:
    """Writes a file by way of a neighbour that takes its place, so that a full disk leaves the old one.

    A path that is no regular file (/dev/stdout, a pipe) is written to as it is. Raises `UnusableFileError`
    with a message that names the path.
    """
    direct = path.exists() and not path.is_file()
    place = path if direct else path.resolve()
    target = path if direct else place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with target.open("w", encoding="utf-8") as file:
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


def thawed(value: Any) -> Any:
    """JSON's lists as the tuples they were: settings of a task are hashable."""
    return tuple(thawed(item) for item in value) if isinstance(value, list) else value
