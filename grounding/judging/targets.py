"""What a user names to be judged, and which kind of judging each name calls for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...datasets.errors import UsageError
from .files import SUFFIXES

Kind = Literal["predictions", "network", "endpoint"]
# A name that begins so is judged by what stands here, whatever follows.
PREFIXES: dict[str, Kind] = {"vlm": "endpoint"}
WORDS: dict[Kind, str] = {
    "predictions": "a file of predictions",
    "network": "a network",
    "endpoint": "a model behind an endpoint",
}


def kind_of(target: str) -> Kind:
    """What a name is: predictions, a network, an endpoint. Raises `UsageError` where it is none of them."""
    for prefix, kind in PREFIXES.items():
        if target.startswith(f"{prefix}:"):
            return kind
    if Path(target).suffix in SUFFIXES or Path(target).exists():
        return "predictions"
    if ":" in target:
        return "network"
    raise UsageError(
        f"{target!r} is neither a file of predictions ({', '.join(SUFFIXES)}) nor a network, which is "
        "written package.module:attribute"
    )


def kind_of_all(targets: Sequence[str]) -> Kind:
    """The kind of several names, one for each seed. Raises `UsageError` where they are of several."""
    kinds: list[Kind] = [kind_of(target) for target in targets]
    for target, kind in zip(targets, kinds, strict=True):
        if kind != kinds[0]:
            raise UsageError(
                f"{targets[0]} is {WORDS[kinds[0]]}, and {target} {WORDS[kind]}: judge each kind by itself"
            )
    return kinds[0]
