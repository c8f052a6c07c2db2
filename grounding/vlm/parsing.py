"""Replies as symbols: strictly against the schema, and a second time leniently."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from .forms import BLANK, UNREADABLE, Field

Kind = Literal["strict", "lenient", "malformed", "refused"]
REFUSAL = re.compile(
    r"^\W*(i['’]?m sorry|sorry|i can(?:no|['’])t|i(?: am|['’]m) (?:unable|not able)|as an ai)",
    re.IGNORECASE,
)
MAX_OBJECTS = 200  # brackets of a reply that are tried: a grid with all its rows is a few
EMPTY = {"", ".", "_", "-", "?", "null", "none", "empty", "blank"}
SAME = {"∧": "^", "∨": "v", "V": "v", "＜": "<", "＞": ">"}  # a sign, as it may be written instead


@dataclass(frozen=True)
class Parsed:
    """What a reply says.

    Attributes:
        kind: "strict" where it fits the schema as it stands, "lenient" where it can be understood,
            "malformed" where it cannot, "refused" where the model declined.
        symbols: (variables,) symbols, −1 where a place is empty, −2 where something else stands, and at
            variables that the reply does not tell of; None unless strict or lenient.
    """

    kind: Kind
    symbols: Int[np.ndarray, " variables"] | None = None


def parse(content: str, fields: Sequence[Field], variables: int, *, refused: bool = False) -> Parsed:
    """A reply as symbols.

    Args:
        content: The text of the reply.
        fields: The keys of the JSON object that was asked for.
        variables: How many variables the task has.
        refused: Whether the server marked it as a refusal.
    """
    if refused:
        return Parsed("refused")
    strict = _strictly(content, fields)
    if strict is not None:
        return Parsed("strict", _symbols(strict, fields, variables))
    for found in _objects(content):
        understood = _leniently(found, fields)
        if understood is not None:
            return Parsed("lenient", _symbols(understood, fields, variables))
    return Parsed("refused" if REFUSAL.match(content) else "malformed")


def _strictly(content: str, fields: Sequence[Field]) -> dict[str, list[str]] | None:
    """The words of each field where the whole text is JSON that the schema admits; None elsewhere."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != {field.name for field in fields}:
        return None
    words: dict[str, list[str]] = {}
    for field in fields:
        flat = _flat(found[field.name], field.variables.shape)
        if flat is None or not all(isinstance(word, str) and word in field.allowed for word in flat):
            return None
        words[field.name] = flat
    return words


def _flat(value: Any, shape: tuple[int, ...]) -> list[Any] | None:
    """The entries of nested lists of exactly this shape."""
    if not shape:
        return None if isinstance(value, list | dict) else [value]
    if not isinstance(value, list) or len(value) != shape[0]:
        return None
    parts = [_flat(item, shape[1:]) for item in value]
    if any(part is None for part in parts):
        return None
    return [entry for part in parts for entry in part or []]


def _objects(content: str) -> list[Any]:
    """Objects that stand somewhere in a text, those that stand last first; thoughts are passed over."""
    text = content.rpartition("</think>")[2]
    found: list[Any] = []
    end = -1  # of the object found last, which holds those that begin inside it
    for start, stop in _brackets(text)[-MAX_OBJECTS:]:
        read = _read(text[start:stop]) if start >= end else None
        if read is not None:
            found.append(read)
            end = stop
    bare = text.strip().strip('"`')
    return [*reversed(found), *([] if re.search(r'[\[\]{}":]', bare) else [bare])]


def _brackets(text: str) -> list[tuple[int, int]]:
    """Where each bracket begins that is closed again outside of a string, and where that ends."""
    pairs: list[tuple[int, int]] = []
    open_: list[int] = []
    quote = escaped = False
    for place, letter in enumerate(text):
        if quote:
            quote = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter in "[{":
            open_.append(place)
        elif open_ and letter == '"':  # quotation marks of prose stand outside of brackets
            quote = True
        elif open_ and letter in "]}":
            pairs.append((open_.pop(), place + 1))
    return sorted(pairs)


def _read(text: str) -> Any:
    """JSON, or nearly: with trailing commas, comments, or as Python writes it."""
    bare = re.sub(r"//[^\n\"]*$", "", text, flags=re.MULTILINE)
    for attempt in (text, bare, re.sub(r",(\s*[\]}])", r"\1", bare)):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError):
            pass
    try:
        return ast.literal_eval(re.sub(r"\bnull\b", "None", bare))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _leniently(found: Any, fields: Sequence[Field]) -> dict[str, list[str]] | None:
    """The words of each field, as far as an object can be understood; None where it cannot."""
    if isinstance(found, Mapping):
        named = {str(key).strip().casefold(): value for key, value in found.items()}
        if len(named) == 1 and fields[0].name not in named:  # wrapped, or under another name
            inner = next(iter(named.values()))
            if isinstance(inner, Mapping):
                return _leniently(inner, fields)
            named = {fields[0].name: inner} if len(fields) == 1 else named
    elif len(fields) == 1:
        named = {fields[0].name: found}
    else:
        return None
    words: dict[str, list[str]] = {}
    for field in fields:
        if field.name not in named:
            return None
        places = _places(named[field.name], field.variables.shape)
        if places is None:
            return None
        words[field.name] = [_word(entry, field) for entry in places]
    return words


def _places(value: Any, shape: tuple[int, ...]) -> list[Any] | None:
    """The entries of a value whose rows may be written as text, or which may be one long list."""
    count = int(np.prod(shape))
    if not shape:
        while isinstance(value, list) and len(value) == 1:
            [value] = value
        return None if isinstance(value, list | Mapping) else [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, int) and not isinstance(value, bool) and len(shape) == 1:
        value = str(value).zfill(count)
    if isinstance(value, str):
        return _letters(value, count)
    if not isinstance(value, list):
        return None
    if len(shape) == 2 and len(value) == shape[0]:
        rows = [_places(row, shape[1:]) for row in value]
        if all(row is not None for row in rows):
            return [entry for row in rows for entry in row or []]
    flat = [entry for row in value for entry in (row if isinstance(row, list) else [row])]
    return flat if len(flat) == count else None


def _letters(text: str, count: int) -> list[Any] | None:
    """A row written as text: its words between spaces or commas, or its characters."""
    for parts in (re.split(r"[\s,|]+", text.strip()), re.split(r"[,|]", text), re.sub(r"[\s,|]", "", text)):
        if len(parts) == count:
            return list(parts)
    return None


def _word(entry: Any, field: Field) -> str:
    """A word that the field knows, or "?" for what is none."""
    text = "" if entry is None else str(entry).strip()
    text = SAME.get(text, text)
    if isinstance(entry, float) and entry.is_integer():
        text = str(int(entry))
    if text in field.allowed:
        return text
    near = [word for word in field.words if word.casefold() == text.casefold()]
    if near:
        return near[0]
    empty = text.casefold() in EMPTY or (text == "0" and "0" not in field.words)
    return "" if empty else "?"


def _symbols(
    words: Mapping[str, Sequence[str]], fields: Sequence[Field], variables: int
) -> Int[np.ndarray, " variables"]:
    """Symbols by variable."""
    symbols = np.full(variables, UNREADABLE)
    for field in fields:
        known = {word: symbol for symbol, word in enumerate(field.words)}
        known.setdefault("", BLANK)
        told = [known.get(word, UNREADABLE) for word in words[field.name]]
        symbols[field.variables.ravel()] = told
    return symbols
