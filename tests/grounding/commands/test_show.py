"""`groundcheck show`: pictures by their ending."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundcheck.grounding.cli import app

STARTS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.parametrize("ending", STARTS)
def test_a_picture_is_what_its_ending_says(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"queens.{ending}"
    told = CliRunner().invoke(app, ["show", "queens", "--count", "1", "-o", str(path)])
    assert told.exit_code == 0, told.output
    assert path.read_bytes().startswith(STARTS[ending])


@pytest.mark.parametrize("name", ["board.gif", "board", "board.html"])
def test_another_ending_is_refused_before_anything_is_drawn(tmp_path: Path, name: str) -> None:
    told = CliRunner().invoke(app, ["show", "queens", "-o", str(tmp_path / name)])
    assert told.exit_code == 2
    assert "a picture ends in .png, .pdf or .svg" in told.output
    assert not (tmp_path / name).exists()
