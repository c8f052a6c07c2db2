"""A user's own images and perception on the command line, and one sentence for what does not fit."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from groundcheck.grounding.cli import app

NAMES = ("four", "one", "three", "two")
WORDS = ["--set", "symbols=4", "--set", "puzzles=24", "--epochs", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four classes of twenty small colour pictures, in the folder that commands run in."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        (tmp_path / "numbers" / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "numbers" / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_task_is_shown_with_pictures_of_a_folder(folder: Path) -> None:
    words = ["show", "mapping", "--set", "symbols=4", "--images", "folder:numbers", "-o", "show.png"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert "classes are numbered in their order, 0 four, 1 one, 2 three, 3 two; --classes says" in told.stderr
    told = CliRunner().invoke(app, [*words, "--classes", "one,two,three,four"])
    assert "numbered in their order" not in told.stderr
    with Image.open(folder / "show.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert (np.ptp(pixels, axis=-1) > 100).mean() > 0.01  # in colour


def test_a_run_reads_a_folder_with_a_perception_of_the_users(folder: Path) -> None:
    words = [
        "run",
        "mapping",
        "exact",
        *WORDS,
        "--images",
        "folder:numbers",
        "--classes",
        "one,two,three,four",
    ]
    told = CliRunner().invoke(
        app, [*words, "--perception", "mlp", "--set", "perception.hidden=8", "--json", "r.json"]
    )
    assert told.exit_code == 0, told.output
    record = (folder / "r.json").read_text()
    for part in ('"name": "mlp"', '"hidden": 8', '"images": "folder:numbers"', '"perception"'):
        assert part in record
    made = CliRunner().invoke(app, ["report", "r.json"])
    assert made.exit_code == 0, made.output
    page = (folder / "r.html").read_text()
    assert "mlp (hidden=8)" in page
    assert "one, two, three, four" in page
    assert page.count("data:image/png") >= 3


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("--images folder:nowhere", 4, "the image folder nowhere is not there"),
        ("--images folder:numbers?sise=8", 2, "folder has no option 'sise': it has size and channels"),
        ("--images folder:numbers --classes one,tow", 2, "--classes tow: .* did you mean two"),
        ("--images folder:numbers --classes one,two", 2, "--classes names 2 classes, and this task shows 4"),
        ("--images folder:numbers?size=8", 2, "lenet reads images of 16 pixels a side or more"),
        ("--images arrays:none.npz", 4, r"none\.npz is not there"),
        ("--images torchvision:KMNIST --data-root .", 4, "torchvision's KMNIST is not there"),
        ("--perception lenett", 2, "unknown perception 'lenett': did you mean lenet"),
        ("--perception mlp --set perception.hidden=x", 2, "hidden='x': it is a whole number"),
        ("--perception mlp --set perception.weights=w.pt", 2, "weights w.pt .*"),
        ("--perception mine.Net", 2, "unknown perception 'mine.Net'"),
    ],
)
def test_what_does_not_fit_is_one_sentence_before_anything_trains(
    words: str, code: int, sentence: str
) -> None:
    told = CliRunner().invoke(app, ["check", "exact", "--task", "mapping", *WORDS, *words.split()])
    assert told.exit_code == code, told.output
    *_, line = told.output.splitlines()
    assert line.startswith("groundcheck: ")
    assert re.search(sentence, line), line


def test_pictures_of_several_sizes_and_truncated_ones_are_named(folder: Path) -> None:
    words = ["check", "exact", "--task", "mapping", *WORDS, "--images", "folder:numbers"]
    Image.new("RGB", (20, 18)).save(folder / "numbers" / "one" / "large.png")
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 2
    assert "several sizes, 16×16 (80), 18×20 (1)" in told.output
    large = folder / "numbers" / "one" / "large.png"
    large.write_bytes(large.read_bytes()[:40])
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 4
    assert "large.png cannot be read as a picture" in told.output
