"""Fills `::: dotted.name` lines of a page with signature and docstring, when the site is built.

mkdocstrings cannot: its parser does not enter folders without an __init__.py, which datasets/ and
solvers/ are.
"""

import importlib
import inspect
import re
import textwrap
from typing import Any

MARK = re.compile(r"^::: (\S+)$", re.MULTILINE)
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):\n((?: {4}.+\n?)+)", re.MULTILINE)
ENTRY = re.compile(r"^(\*{0,2}\w+): ", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page. An unknown name ends the build with an ImportError."""
    return MARK.sub(lambda found: document(found[1]), markdown)


def document(name: str) -> str:
    """A heading, the signature, the docstring, and the public members of a class."""
    thing = find(name)
    parts = [f"## {name.rpartition('.')[2]}", signature(name, thing), text_of(thing)]
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            function = inspect.unwrap(getattr(value, "__func__", value))
            shown = inspect.isfunction(function) or isinstance(value, property)
            if shown and not member.startswith("_") and inspect.getdoc(value):
                parts += [f"### {member} {{ #{name}.{member} }}", signature(member, value), text_of(value)]
    return "\n\n".join(part for part in parts if part)


def find(name: str) -> Any:
    """What a dotted name stands for: a module's attribute."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def signature(name: str, thing: Any) -> str:
    """As it is called; nothing for a property."""
    if isinstance(thing, property):
        return ""
    called = getattr(thing, "__func__", thing)
    given = inspect.signature(called)
    plain = [
        p.replace(annotation=p.empty) for p in given.parameters.values() if p.name not in ("self", "cls")
    ]
    told = str(given.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    told = re.sub("<factory>|<function .+? at 0x[0-9a-f]+>", "…", told)
    lines = textwrap.wrap(name.rpartition(".")[2] + told, 80, subsequent_indent="    ")
    return "\n".join(("```text", *lines, "```"))


def text_of(thing: Any) -> str:
    """The docstring, with its indented examples as code, and its sections as lists."""
    return SECTION.sub(listed, inspect.getdoc(thing) or "")


def listed(section: re.Match[str]) -> str:
    """A section of a docstring: its name, then a list of its entries, or the text where it has none."""
    entries = ENTRY.sub(r"- `\1`: ", textwrap.dedent(section[2]))
    return f"**{section[1]}**\n\n{entries}"
