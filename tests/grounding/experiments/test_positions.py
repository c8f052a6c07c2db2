"""On which line each key of a TOML file stands."""

import tomllib
from typing import Any

import pytest

from groundcheck.grounding.experiments.positions import Path, key_lines, line_of

TEXT = '''# a comment with [brackets] and "quotes"
name = "a # no comment"
about = """
[no.table]
key = 1 \\""" """""
'quoted key'.inner = 'C:\\'
solvers = [
  "mlp",  # , ]
  { solver = "satnet", options = { aux = 50, m = [
    64 ] } },
  [1,
   2],
]
[settings]
solver.m = [16, 64]
epochs = 1979-05-27T07:32:00

[[published]]
where.solver = "mlp"
[published.more]
deep = { "x y" = [ { z = 1 } ] }
[[published]]
value = 0.5
[[published.list]]
a = 1
[[published.list]]
b = 2
'''


def paths(value: Any, path: Path = ()) -> list[Path]:
    """Every path of what tomllib read."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, item in inside for below in paths(item, (*path, key)))]


def test_every_key_has_a_line() -> None:
    assert set(paths(tomllib.loads(TEXT))) - {()} == set(key_lines(TEXT))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("about",), 3),
        (("quoted key", "inner"), 6),
        (("solvers",), 7),
        (("solvers", 0), 8),
        (("solvers", 1, "solver"), 9),
        (("solvers", 1, "options", "m"), 9),
        (("solvers", 1, "options", "m", 0), 10),
        (("solvers", 2, 1), 12),
        (("settings",), 14),
        (("settings", "solver", "m", 1), 15),
        (("settings", "epochs"), 16),
        (("published", 0), 18),
        (("published", 0, "where", "solver"), 19),
        (("published", 0, "more", "deep", "x y", 0, "z"), 21),
        (("published", 1), 22),
        (("published", 1, "value"), 23),
        (("published", 1, "list", 1, "b"), 27),
        (("published", 1, "list", 1, "missing"), 26),
        (("missing",), 1),
    ],
)
def test_the_line_of_a_key(path: Path, line: int) -> None:
    assert line_of(key_lines(TEXT), path) == line


def test_other_line_ends() -> None:
    assert line_of(key_lines(TEXT.replace("\n", "\r\n")), ("published", 1, "value")) == 23
