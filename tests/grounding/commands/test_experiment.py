"""`groundcheck experiment`: what ships can be looked at, and what is too large is asked for."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundcheck.datasets.errors import DataUnavailableError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.grounding.cli import app
from groundcheck.grounding.commands.completion import experiment_names
from groundcheck.grounding.experiments import expected
from groundcheck.grounding.experiments.catalogue import shipped


@pytest.fixture(autouse=True)
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("GROUNDCHECK_CACHE", "off")


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["experiment", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("name", shipped())
def test_what_ships_can_be_looked_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step is timed: that is tried elsewhere, and takes long for some of these."""
    try:
        ImageSource("mnist").load()
    except DataUnavailableError:
        pytest.skip("MNIST is not here")
    monkeypatch.setattr(expected, "_steps", lambda *_: iter(()))
    code, out = said(name, "--dry-run")
    assert code == 0, out
    cells = {
        "half-evenodd": "16 cells", "mapping-configurations": "6 cells", "solvers": "175 cells",
        "visual-sudoku": "8 cells", "visual-sudoku-9x9": "3 cells",
    }  # fmt: skip
    assert f"\n{cells[name]}, " in out
    assert "grounding" in out
    assert "time: not known" in out


def test_boards_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boards: Path) -> None:
    monkeypatch.setattr(expected, "_steps", lambda *_: iter(()))
    Path("sweep.toml").write_text('solvers = ["mlp", "exact"]\ntasks = "mapping"\n')
    code, out = said("sweep.toml", "--dry-run", "--puzzles", "boards.csv")
    assert code == 0, out
    assert "boards.csv: 700 boards of sudoku with 5 to 9 givens" in out
    assert "2 cells, 12 to 72 trials" in out


def test_a_million_trials_are_asked_for_with_the_estimate() -> None:
    values = [list(range(4, 4 + count)) for count in (100, 100, 25)]
    text = 'solvers = "satnet"\ntasks = "mapping"\nseeds = 1\n[settings]\nm = {}\naux = {}\nepochs = {}\n'
    Path("large.toml").write_text(text.format(*values))
    code, out = said("large.toml", "--run", "r", "-q")
    assert code == 2
    assert "experiment large is large. 250,000 cells, 1,000,000 trials" in out
    assert "time: about" in out
    assert "days" in out
    assert "Add --yes to run all of it, or take values out" in out
    assert not Path("r").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sweep.toml"], "name a folder that keeps it with --run FOLDER, or look at what it would run with"),
        (["sweep.toml", "--dry-run", "--budget", "2 hours"], "'2 hours': a time is written 2h, 30m"),
        (["sweep.toml", "--dry-run", "--engine", "threads"], "unknown engine 'threads': known are processes"),
        (["other.toml", "--dry-run"], "other.toml cannot be read"),
        (["half-evnodd", "--dry-run"], "did you mean half-evenodd?"),
        (["bad.toml", "--dry-run"], "bad.toml, line 2: tsks: unknown key: did you mean tasks?"),
        (["sweep.toml", "--dry-run", "--puzzles", "none.csv"], "none.csv"),
    ],
)
def test_what_cannot_be_meant(words: list[str], told: str) -> None:
    Path("sweep.toml").write_text('solvers = "mlp"\ntasks = "mapping"\n')
    Path("bad.toml").write_text('solvers = "mlp"\ntsks = "mapping"\n')
    code, out = said(*words)
    assert (code, told in out) == (2, True), out


def test_names_that_a_shell_offers() -> None:
    assert experiment_names("visual") == ["visual-sudoku", "visual-sudoku-9x9"]
