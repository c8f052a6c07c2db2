"""What several runs have in common, and what tells them apart: the one is told once, the other of each."""

from collections.abc import Mapping, Sequence
from typing import Any

from .files import plain

Terms = Mapping[str, Any]


def common_terms(terms: Sequence[Terms]) -> dict[str, Any]:
    """What is the same in all of them, by name; of a single one, everything."""
    first = terms[0] if terms else {}
    return {
        name: value
        for name, value in first.items()
        if all(name in other and plain(other[name]) == plain(value) for other in terms)
    }


def differing_terms(terms: Sequence[Terms]) -> list[str]:
    """Names of what is not the same in all of them, in the order in which they first come."""
    names, common = dict.fromkeys(name for one in terms for name in one), common_terms(terms)
    return [name for name in names if name not in common]


def told(value: Any) -> str:
    """A setting's value in words; – where there is none."""
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={told(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return f"({', '.join(told(item) for item in value)})"
    return str(value)


def told_apart(terms: Sequence[Terms]) -> list[str]:
    """Of each what tells it from the others, as "lr=0.002, epochs=5"; "" where nothing does.

    A name that only some have is told of these.
    """
    names = differing_terms(terms)
    return [", ".join(f"{n}={told(one[n])}" for n in names if one.get(n) is not None) for one in terms]
