"""The ids of the checks of a suite, in the order in which they run, for who may not wait for torch.

They are read from the sources: every `NAME = Registry("family", place=…)`, and every function under
`@NAME.check("name", …)`.
"""

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass
class _Written:
    """A registry as its source has it."""

    family: str
    place: int
    trained: bool
    names: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [f"{self.family}/{name}" if self.family else name for name in self.names]


@cache
def check_ids(*, trained: bool | None = None) -> tuple[str, ...]:
    """The checks of a suite; only those that look at trained networks, or those that do not, on demand."""
    registries = sorted(
        (found for path in sorted(Path(__file__).parent.rglob("*.py")) for found in _registries(path)),
        key=lambda found: found.place,
    )
    return tuple(id_ for r in registries if trained in (None, r.trained) for id_ in r.ids)


def suggest(id_: str, known: Sequence[str]) -> str:
    """What to tell of an id that is none of the known ones: the nearest, or what they look like."""
    near = difflib.get_close_matches(id_, known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"they are named like {known[0]}"


@cache
def beyond_ids() -> tuple[str, ...]:
    """The checks that look at trained networks beyond their test set."""
    files = [Path(__file__).with_name(f"{module}.py") for module in ("beyond", "robust", "abstain")]
    return tuple(id_ for path in files for found in _registries(path) for id_ in found.ids)


@cache
def registered(module: str) -> tuple[str, ...]:
    """The checks of one file of this folder, of a registry without a place in the suite."""
    path = Path(__file__).with_name(f"{module}.py")
    return tuple(id_ for found in _registries(path, suite=False) for id_ in found.ids)


def _registries(path: Path, *, suite: bool = True) -> Iterator[_Written]:
    """Those of one file: that have a place in the suite, or that have none."""
    found: dict[str, _Written] = {}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Call(
                    func=ast.Name(id="Registry"), args=[ast.Constant(str(family))], keywords=options
                ),
            ):
                keywords = {str(option.arg): ast.literal_eval(option.value) for option in options}
                if ("place" in keywords) == suite:
                    place = keywords.get("place", 0)
                    found[name] = _Written(family, place, keywords.get("trained", False))
            case ast.FunctionDef(
                decorator_list=[ast.Call(ast.Attribute(ast.Name(name), "check"), [ast.Constant(str(check))])]
            ) if name in found:
                found[name].names.append(check)
            case _:
                pass
    yield from found.values()
