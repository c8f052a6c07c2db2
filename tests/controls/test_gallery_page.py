"""The gallery's page tells of every control, and of no other, what must catch it and what did."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("controls_page", ROOT / "benchmarks" / "controls.py")
assert SPEC
assert SPEC.loader
controls_page = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(controls_page)


def rows_of(title: str) -> list[str]:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize(
    ("title", "make", "least"),
    [(title, make, least) for (title, _, make), least in zip(
        controls_page.SECTIONS, (80, 8, 4, 15, 38, 4, 14), strict=True)],
)  # fmt: skip
def test_every_control_has_its_row_and_was_caught_as_it_must_be(title: str, make, least: int) -> None:
    controls = list(make())
    rows = rows_of(title)
    assert len(rows) == len(controls) >= least
    assert f"{len(controls)} controls." in PAGE
    for control, row in zip(controls, rows, strict=True):
        assert row.startswith(f"{control.row} ")
        assert control.does
        caught = set(re.findall(r"`([^`]*)`", row.removeprefix(control.row)))
        assert control.must <= caught
        assert bool(control.must) == bool(caught)
        if title == "Broken solvers":
            assert control.must == caught
