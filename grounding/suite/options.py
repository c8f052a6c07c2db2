"""Which options a solver takes, and whether a value fits one, from its constructor's signature."""

import difflib
import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from ...datasets.errors import UnknownNameError, UsageError
from ..trials.spec import SolverSpec

WORDS: Mapping[object, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a word",
    type(None): "None",
}


@dataclass(frozen=True)
class Options:
    """The options of a solver by name; `open` where it takes further ones by any name."""

    known: Mapping[str, inspect.Parameter]
    open: bool


def options_of(factory: Any, handed: int = 1) -> Options:
    """What a solver takes after its problem, or another factory after what it is `handed` in order.

    What a class takes as `**options`, the classes that it inherits from may have by name. One of ours hands
    on all of them; one from outside may as well keep some, of any name.
    """
    ours = getattr(factory, "__module__", "").partition(".")[0] == __name__.partition(".")[0]
    known: dict[str, inspect.Parameter] = {}
    inits = [base.__init__ for base in factory.__mro__ if "__init__" in vars(base)] if _built(factory) else []
    for call in inits or [factory]:
        parameters = list(signature_of(call).parameters.values())
        own = parameters[handed + bool(inits) :]  # self as well
        for parameter in own:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                known.setdefault(parameter.name, parameter)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return Options(known, open=not ours and call is not (inits or [factory])[0])
    return Options(known, open=True)


def check_options(spec: SolverSpec) -> None:
    """Raises `UsageError` for an option that the solver does not have, or a value of another type."""
    check_given(spec.name, spec.load(), spec.options)


def check_given(
    called: str, factory: Any, given: Mapping[str, Any], *, handed: int = 1, always: Sequence[str] = ()
) -> None:
    """Raises `UsageError` for an option that the factory does not have, or a value of another type.

    Args:
        called: What the factory is called in the message.
        factory: What takes the options.
        given: Those that a user gave, by name.
        handed: How many arguments it is handed before its options.
        always: Options that are taken in its place.
    """
    options = options_of(factory, handed)
    for name, value in given.items():
        if name in options.known:
            check_value(name, value, options.known[name])
        elif not options.open:
            known = [*options.known, *always]
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            have = f"it has {', '.join(known)}" if known else "it has none"
            hint = f"did you mean {' or '.join(near)}?" if near else have
            raise UnknownNameError(f"{called} has no option {name!r}: {hint}")


def _built(factory: Any) -> bool:
    """Whether it is a class that is built by its `__init__`, as Python's own `type` does it."""
    return inspect.isclass(factory) and type(factory).__call__ is type.__call__


def signature_of(call: Any) -> inspect.Signature:
    """The signature of anything that can be called; that of `(problem, **options)` where it has none."""
    try:
        return inspect.signature(call, eval_str=True)
    except Exception:  # an annotation that names what is not there
        try:
            return inspect.signature(call)
        except (TypeError, ValueError):  # compiled code without a signature
            return inspect.Signature(
                [
                    inspect.Parameter("problem", inspect.Parameter.POSITIONAL_ONLY),
                    inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD),
                ]
            )


def check_value(name: str, value: Any, parameter: inspect.Parameter) -> Any:
    """The value; a whole number as a float where the signature asks for that: 1 and 1.0 are one setting.

    Raises `UsageError` where it is of another type than the signature says, as far as it says it.
    """
    wanted = _wanted(parameter)
    if wanted is not None and not any(_fits(value, kind) for kind in wanted):
        words = " or ".join(dict.fromkeys(WORDS.get(kind, repr(kind)) for kind in wanted))
        raise UsageError(f"{name}={value!r}: it is {words}")
    told = wanted if wanted is not None and parameter.annotation is not parameter.empty else []
    return float(value) if type(value) is int and float in told and int not in told else value


def _wanted(parameter: inspect.Parameter) -> list[Any] | None:
    """Types and literal values that an option takes; None where the signature does not tell."""
    if parameter.annotation is not parameter.empty:
        return _kinds(parameter.annotation)
    usual = parameter.default
    if type(usual) in (int, float):  # a default of 1 may well be meant as 1.0
        return [float]
    return [type(usual)] if type(usual) in (bool, str) else None


def _kinds(annotation: Any) -> list[Any] | None:
    if annotation is None:
        return [type(None)]
    if annotation in WORDS:
        return [annotation]
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [_kinds(part) for part in get_args(annotation)]
        return None if None in parts else [kind for part in parts if part for kind in part]
    return None


def _fits(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind) if isinstance(kind, type) else bool(value == kind)
