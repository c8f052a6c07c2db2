"""The keywords of `check` that stand for a field of its image source, its budget or its engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ..engines.children import Limits
from ..engines.processes import Processes
from .budget import Budget

Part = TypeVar("Part", ImageSource, Budget, Processes)


class Keywords(TypedDict, total=False):
    """Each sets the field of that name: of `ImageSource` (`data_root` its root), `Budget` or `Processes`."""

    data_root: str | Path | None
    download: bool
    device: str
    classes: Sequence[str]
    seeds: int
    epochs: int | None
    settings: Mapping[str, Any] | None
    train: bool
    robust: bool
    workers: int | None
    isolate: bool | None
    limits: Limits | None


def apply_keywords(
    images: str | ImageSource | Callable[..., Any],
    budget: Budget | None,
    engine: Processes | None,
    keywords: Keywords,
) -> tuple[ImageSource, Budget, Processes]:
    """The objects that `check` works with. Raises `UsageError` for what is said twice, in two ways."""
    given: dict[str, Any] = dict(keywords)
    if "data_root" in given:
        root = given.pop("data_root")
        given["root"] = None if root is None else Path(root)
    if "classes" in given:
        given["classes"] = tuple(map(str, given["classes"]))
    if given.get("settings", ()) is None:
        del given["settings"]
    parts = (
        _filled(ImageSource.of(images), "images", not isinstance(images, ImageSource), given),
        _filled(budget or Budget(), "budget", budget is None, given),
        _filled(engine or Processes(), "engine", engine is None, given),
    )
    if given:
        raise TypeError(f"check() got an unexpected keyword argument {next(iter(given))!r}")
    return parts


def _filled(part: Part, name: str, free: bool, given: dict[str, Any]) -> Part:
    """The part with the keywords that name fields of it, which are taken from `given`."""
    own = {f.name: given.pop(f.name) for f in fields(part) if f.name in given}
    if own and not free:
        raise UsageError(
            f"{', '.join(own)} beside {name}={type(part).__name__}(…): say it in that object, or without it"
        )
    return replace(part, **own)
