"""What a thing of a catalogue says of itself, without waiting for torch where its source can be read."""

import ast
import importlib.util
import inspect
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from ...datasets.catalogue import Catalogue
from ...solvers.extras import Extra


@dataclass(frozen=True)
class About:
    """One line on a task, a solver, an image set or a perception.

    Attributes:
        summary: The attribute, or else the first paragraph of the docstring.
        rules: Of a solver: "given" or "learned".
        source: Where it comes from.
        extras: Packages without which it is skipped.
    """

    summary: str = ""
    rules: str = ""
    source: str = ""
    extras: tuple[Extra, ...] = ()


ASKED = tuple(field.name for field in fields(About))


def about(catalogue: Catalogue, name: str) -> About:
    """What is written of a thing of ours; what installed packages add is imported, which tells if it can be.

    What is not written as a literal is imported as well. Raises as `Catalogue.load`.
    """
    if name in catalogue.ours:
        module, _, attribute = catalogue.ours[name].partition(":")
        try:
            return _about(_written(module, attribute))
        except (OSError, ValueError):  # no sources are installed, or they say it in another way
            pass
    thing = catalogue.load(name)
    said = {field: getattr(thing, field) for field in ASKED if hasattr(thing, field)}
    return _about({"doc": inspect.getdoc(thing), **said})


def _about(said: dict[str, Any]) -> About:
    text = said.get("summary") or said.get("doc") or ""
    summary = " ".join(text.partition("\n\n")[0].split())
    rules = said.get("rules")
    return About(
        summary, rules if isinstance(rules, str) else "", said.get("source", ""), said.get("extras", ())
    )


@dataclass(frozen=True)
class _Source:
    """A module as it is written."""

    named: dict[str, ast.expr | ast.ClassDef]  # its classes, and what it assigns
    imported: dict[str, tuple[str, str]]  # from modules of its own package: the module, and the name there


@cache
def _source_of(module: str) -> _Source:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{module} has no source")
    source = _Source({}, {})
    for statement in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        match statement:
            case ast.ClassDef(name=name):
                source.named[name] = statement
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                source.named[name] = value
            case ast.ImportFrom(module=origin, names=names, level=level) if level:
                home = importlib.util.resolve_name("." * level + (origin or ""), spec.parent)
                source.imported.update({each.asname or each.name: (home, each.name) for each in names})
            case _:
                pass
    return source


def _written(module: str, name: str) -> dict[str, Any]:
    """What a class, or an instance made at the top of its module, says as literals, inherited or its own.

    Raises `ValueError` for what is said in another way.
    """
    source = _source_of(module)
    if name in source.imported:
        return _written(*source.imported[name])
    match source.named.get(name):
        case ast.ClassDef(bases=bases, body=body) as kind:
            said: dict[str, Any] = {}
            for base in reversed(bases):
                if isinstance(base, ast.Name) and (base.id in source.named or base.id in source.imported):
                    said |= _written(module, base.id)
            for statement in body:
                match statement:
                    case (
                        ast.Assign(targets=[ast.Name(id=field)], value=value)
                        | ast.AnnAssign(target=ast.Name(id=field), value=ast.expr() as value)
                    ) if field in ASKED:
                        said[field] = _literal(value, source)
                    case ast.FunctionDef(name=field) if field in ASKED:
                        raise ValueError(f"{name}.{field} is computed")
                    case _:
                        pass
            return said | ({"doc": text} if (text := ast.get_docstring(kind)) else {})
        case ast.Call(func=ast.Name(id=kind), args=[], keywords=options):
            given = {option.arg: _literal(option.value, source) for option in options if option.arg in ASKED}
            return _written(module, kind) | given
        case _:
            raise ValueError(f"{module} has neither a class {name} nor an instance of one")


def _literal(value: ast.expr | ast.ClassDef | None, source: _Source) -> Any:
    match value:
        case ast.Name(id=name):
            return _literal(source.named.get(name), source)
        case ast.Tuple(elts=parts):
            return tuple(_literal(part, source) for part in parts)
        case ast.Call(func=ast.Name(id="Extra"), args=arguments):
            return Extra(*map(ast.literal_eval, arguments))
        case ast.expr():
            return ast.literal_eval(value)
        case _:
            raise ValueError("it is made elsewhere")
