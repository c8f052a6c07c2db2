"""An experiment as a TOML file: one that a user wrote, or one that ships with the package."""

import difflib
import re
import tomllib
from pathlib import Path as FilePath
from typing import Any, NoReturn

import msgspec

from ...datasets.errors import UnknownNameError, UsageError
from .catalogue import FOLDER, shipped
from .experiment import Experiment, Origin
from .positions import Path, key_lines

# msgspec's types in a user's words.
WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "",
}


def find_experiment(named: str) -> Experiment:
    """The experiment of a file, or the one of that name that ships with the package.

    Raises:
        UsageError: For neither, with the nearest name; for a file that cannot be read; with its line for
            TOML that does not parse, an unknown key or a value of another type.
    """
    path = FilePath(named)
    if path.suffix == ".toml" or path.is_file():
        return read_experiment_file(path)
    if named in shipped():
        return read_experiment_file(FOLDER / f"{named}.toml")
    near = difflib.get_close_matches(named, shipped(), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"these ship with the package: {', '.join(shipped())}"
    raise UnknownNameError(f"no experiment {named!r}: name a file that ends in .toml; {hint}")


def read_experiment_file(path: FilePath) -> Experiment:
    """The experiment of a file. Raises `UsageError` as `find_experiment` does."""
    told = path.stem if path.parent == FOLDER else str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{told} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{told} is no TOML: it is not written in UTF-8 ({error.reason})") from error
    return parse_experiment(text, told, path.stem)


def parse_experiment(text: str, file: str, name: str) -> Experiment:
    """The experiment of a text.

    Args:
        text: TOML.
        file: What messages call it.
        name: What the experiment is called where the text does not say.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is no TOML: {error}") from error
    origin = Origin(file, key_lines(text))
    if "origin" in content:
        origin.refuse(("origin",), _unknown("origin", Experiment))
    try:
        experiment = msgspec.convert(content, Experiment)
    except msgspec.ValidationError as error:
        _refuse(error, content, origin)
    return msgspec.structs.replace(experiment, name=experiment.name or name, origin=origin)


def _refuse(error: msgspec.ValidationError, content: Any, origin: Origin) -> NoReturn:
    """Tells what msgspec found by key, line and in a user's words."""
    reason, _, told = str(error).partition(" - at `$")
    path: Path = tuple[str | int, ...]()
    for word, number in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", told.rstrip("`")):
        path = (*path, int(number) if number else word)
        content = content[int(number) if number else word]
    if unknown := re.fullmatch("Object contains unknown field `(.*)`", reason):
        origin.refuse((*path, unknown[1]), _unknown(unknown[1], _kind(path)))
    if missing := re.fullmatch("Object missing required field `(.*)`", reason):
        origin.refuse(path, f"{missing[1]} is missing")
    expected = re.match(r"Expected `([^`]+)`(.*)", reason)
    if expected is None:
        origin.refuse(path, reason)
    if ">= 1" in expected[2]:
        origin.refuse(path, f"{content!r}: it takes at least 1")
    if "=" in expected[2]:
        percent = isinstance(content, (int, float)) and 1 < content <= 100
        meant = f": {content} % is written {content / 100:g}" if percent else ""
        origin.refuse(path, f"{content!r} is no fraction between 0 and 1{meant}")
    if isinstance(content, dict) and expected[1] == "array":
        origin.refuse(path, f"each begins with a line [[{path[0]}]]")
    wanted = " or ".join(word for kind in expected[1].split(" | ") if (word := WORDS.get(kind, kind)))
    origin.refuse(path, f"{wanted} is expected, not {content!r}")


def _unknown(key: str, kind: Any) -> str:
    known = [each.encode_name for each in msgspec.structs.fields(kind) if each.name != "origin"]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"unknown key: {hint}"


def _kind(path: Path) -> Any:
    """The table that stands at a path."""
    kind: Any = Experiment
    for part in path:
        if isinstance(part, str):
            found = {each.encode_name: each.type for each in msgspec.structs.fields(kind)}[part]
            kind = next(_tables(msgspec.inspect.type_info(found)))
    return kind


def _tables(kind: Any) -> Any:
    """The tables that a type may hold."""
    if isinstance(kind, msgspec.inspect.StructType):
        yield kind.cls
    for inner in getattr(kind, "types", ()):
        yield from _tables(inner)
    if (item := getattr(kind, "item_type", None)) is not None:
        yield from _tables(item)
