"""What a solver says of itself in attributes, held against what each of them has to be."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from torch import nn


def _rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _names(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(name, str) for name in value)


def _ranges(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(values, tuple | list) for name, values in value.items()
    )


# Attribute: (whether a value fits, what it has to be).
ATTRIBUTES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "rules": (lambda value: value in ("learned", "given"), "'learned' or 'given'"),
    "loss": (
        lambda value: callable(value) and not isinstance(value, nn.Module),
        "a method loss(beliefs, given, answer) that returns a number per row",
    ),
    "learning_rate": (_rate, "a positive number, Adam's rate for the solver"),
    "perception_rate": (_rate, "a positive number, Adam's rate for perception"),
    "path": (lambda value: isinstance(value, str), "text that names the implementation in use"),
    "pretraining": (lambda value: value in ("none", "clusters"), "'none' or 'clusters'"),
    "exact": (_flag, "True or False"),
    "deterministic": (_flag, "True or False"),
    "differs_in_training": (_flag, "True or False"),
    "surrogate": (_flag, "True or False"),
    "equivariant": (lambda value: value is None or _flag(value), "True, False or None"),
    "precise": (lambda value: isinstance(value, Mapping), "a mapping of options to values"),
    "ranges": (_ranges, "a mapping of options to the values that are worth trying, each a tuple"),
    "idle": (_names, "a tuple of names of parameters"),
    "supports": (callable, "a function supports(problem) that returns whether the solver is made for it"),
}


def misdeclared(thing: Any) -> str | None:
    """One sentence on the first attribute of a solver, or of its factory, that is not what we read it as;
    None where all fit.
    """
    for name, (fits, words) in ATTRIBUTES.items():
        value = getattr(thing, name, NOTHING)
        if not (value is NOTHING or isinstance(value, property | cached_property) or fits(value)):
            shown = f"a module ({type(value).__name__})" if isinstance(value, nn.Module) else repr(value)
            return (
                f"its attribute {name} is {shown}, and groundcheck reads {name} as {words}: give yours "
                "another name, or make it that"
            )
    return None


NOTHING = object()
