"""From the name of an engine, and what a user says of it, to the engine."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...datasets.catalogue import Catalogue
from ...datasets.errors import UsageError
from ...datasets.outside import import_attribute
from ...solvers.extras import Extra
from .children import Limits
from .engine import Engine

ENGINES = Catalogue(
    "engine",
    "groundcheck.engines",
    {
        "processes": "groundcheck.grounding.engines.processes:Processes",
        "ray": "groundcheck.grounding.engines.ray:Ray",
        "slurm": "groundcheck.grounding.engines.slurm:Slurm",
    },
)
EXTRAS = {"ray": Extra("ray", "Ray", "ray"), "slurm": Extra("submitit", "submitit", "slurm")}
# What may stand before the equals sign, and how what stands after it is read.
READ: dict[str, Callable[[str], Any]] = {
    "address": str,
    "cpus": float,
    "gpus": float,
    "carry": Path,
    "folder": Path,
    "partition": str,
    "minutes": int,
    "executor": str,
}


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What a user says of an engine; None, or nothing, where it is left to the engine.

    Args:
        slots: How many trials run at once.
        limits: Time and memory of one trial.
        isolate: Whether trials run in processes of their own on this machine; on a cluster they always do.
        address: Of the Ray cluster: HOST:PORT, or ray://HOST:PORT.
        cpus: Cores of a trial on a cluster; a fraction where it seldom computes.
        gpus: GPUs of a trial on a cluster; 0.25 lets four share one.
        carry: Folders and files with code of the user's that the nodes of a Ray cluster get copies of.
        plugins: What runs of a user's: file.py:attribute and module:attribute of solvers, tasks, image sets
            and perceptions. Where one lies in the working directory, Ray's nodes get a copy of that.
        folder: Where Slurm's jobs and this process meet; every node must see it under this path.
        partition: Of Slurm's nodes.
        minutes: Time limit of a job of Slurm's, which runs trials until none waits.
        executor: What submitit starts jobs with: "slurm", or "local", without a cluster.
    """

    slots: int | None = None
    limits: Limits | None = None
    isolate: bool | None = None
    address: str | None = None
    cpus: float | int | None = None
    gpus: float | int | None = None
    carry: tuple[Path, ...] = ()
    plugins: tuple[str, ...] = ()
    folder: Path | None = None
    partition: str | None = None
    minutes: int | None = None
    executor: str | None = None


# What each engine hears of; `plugins` may be handed to each, as they are no choice of a user's.
HEEDED = {
    "processes": ("slots", "limits", "isolate"),
    "ray": ("slots", "limits", "address", "cpus", "gpus", "carry"),
    "slurm": ("slots", "limits", "cpus", "gpus", "folder", "partition", "minutes", "executor"),
}


def engine_named(name: str, options: EngineOptions = EngineOptions()) -> Engine:
    """The engine of a name; nothing is started before it is opened.

    Args:
        name: "processes", "ray", "slurm", one that an installed package registers, or
            `package.module:attribute` or `file.py:attribute`: a class or function that is called with no
            arguments, or an engine.
        options: What the user says of it.

    Raises:
        UnknownNameError: For a name that no engine has.
        UsageError: Where its extra is not installed, and for an option that it does not have.
    """
    said = {field.name for field in fields(options) if getattr(options, field.name) != field.default}
    foreign = said - {"plugins"} - set(HEEDED.get(name, ()))
    engine = None if name in HEEDED else _foreign_engine(name)
    if foreign:
        raise UsageError(_not_heard(name, sorted(foreign)))
    if engine is not None:
        return engine
    if name in EXTRAS and not EXTRAS[name].installed:
        raise UsageError(f"engine {name} {EXTRAS[name].message}, or leave out --engine")
    return BUILDERS[name](options)


def parse_options(
    words: Sequence[str],
    *,
    slots: int | None = None,
    plugins: Sequence[str] = (),
    limits: Limits | None = None,
) -> EngineOptions:
    """The options of an engine, from NAME=VALUE as a user writes them after --on.

    Args:
        words: One each: address=HOST:PORT, cpus=2, gpus=0.25, carry=PATH (again for another), folder=PATH,
            partition=NAME, minutes=240, executor=local.
        slots: As in `EngineOptions`.
        plugins: As in `EngineOptions`.
        limits: As in `EngineOptions`.

    Raises:
        UsageError: For a name that no engine has, and a value that is none.
    """
    found: dict[str, Any] = {"carry": ()}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in READ or not equals or not value:
            near = difflib.get_close_matches(name, READ, n=1)
            hint = f"did you mean {near[0]}=…?" if near else f"it is NAME=VALUE, of {', '.join(READ)}"
            raise UsageError(f"--on {word}: {hint}")
        try:
            read = READ[name](value)
        except ValueError as error:
            raise UsageError(f"--on {word}: {name} is a number, as {name}=1") from error
        found[name] = (*found["carry"], read) if name == "carry" else read
    return EngineOptions(slots=slots, plugins=tuple(plugins), limits=limits, **found)


def _foreign_engine(name: str) -> Engine:
    """An engine that does not come with groundcheck. Raises `UsageError`."""
    found = import_attribute(name, "engine") if ":" in name else ENGINES.load(name)
    engine = found() if isinstance(found, type) or not isinstance(found, Engine) else found
    if not isinstance(engine, Engine):
        raise UsageError(
            f"engine {name!r} is of type {type(engine).__name__}: it needs a name, and open(), which returns "
            "a context with slots, submit, drop and hear (groundcheck.grounding.engines.engine)"
        )
    return engine


def _not_heard(name: str, options: Iterable[str]) -> str:
    """Why an engine was not asked for like this."""
    told: list[str] = []
    for option in options:
        owners = [engine for engine, heeded in HEEDED.items() if option in heeded]
        told.append(f"{option} is for engine {' or '.join(owners)}")
    return f"engine {name}: {', '.join(told)}: leave it out, or choose that engine"


def _given(options: EngineOptions, *names: str) -> dict[str, Any]:
    """Those options that a user set, by name."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _processes(options: EngineOptions) -> Engine:
    from .processes import Processes  # noqa: PLC0415 - torch

    return Processes(options.slots, options.isolate, options.limits)


def _ray(options: EngineOptions) -> Engine:
    from .ray import Ray, home_of  # noqa: PLC0415 - torch

    home = home_of(options.plugins)
    return Ray(
        **_given(options, "address", "slots", "cpus", "gpus", "limits"),
        working_dir=home,
        modules=tuple(options.carry),
    )


def _slurm(options: EngineOptions) -> Engine:
    from .slurm import Slurm  # noqa: PLC0415 - torch

    return Slurm(
        **_given(options, "slots", "cpus", "gpus", "limits", "folder", "partition", "minutes", "executor")
    )


BUILDERS: dict[str, Callable[[EngineOptions], Engine]] = {
    "processes": _processes,
    "ray": _ray,
    "slurm": _slurm,
}
