"""A user's own images and perception on the command line, and one sentence for what does not fit."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from groundcheck.datasets.errors import UsageError
from groundcheck.grounding import Report
from groundcheck.grounding.cli import app
from groundcheck.grounding.results.comparison import compare

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
    headings = re.findall(r'<th scope="col"><span>(.*?)</span>', page)
    assert headings == ["one", "two", "three", "four"] * 2
    (folder / "numbers").rename(folder / "gone")  # without the pictures the record names them
    made = CliRunner().invoke(app, ["report", "r.json"])
    assert made.exit_code == 0, made.output
    assert re.findall(r'<th scope="col"><span>(.*?)</span>', (folder / "r.html").read_text()) == headings
    assert page.count("data:image/png") >= 3


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("--images folder:nowhere", 4, "the image folder nowhere is not there"),
        ("--images folder:numbers?sise=8", 2, "folder has no option 'sise': it has size and channels"),
        ("--images folder:numbers --classes one,tow", 2, "--classes tow: .* did you mean two"),
        ("--images folder:numbers --classes one,two", 2, "--classes names 2 classes, and this task shows 4"),
        ("--images folder:numbers --task addition", 2, "image set folder:numbers has classes 0 to 3: choose"),
        ("--images folder:numbers --task sudoku", 2, "shows class 4, .* say with --classes which stands"),
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


def test_a_folder_is_called_by_its_name_and_not_by_an_emoji(folder: Path) -> None:
    (folder / "numbers").rename(folder / "two")
    told = CliRunner().invoke(app, ["show", "mapping", "--set", "symbols=4", "--images", "folder:two"])
    assert "images folder:two: classes are numbered" in told.stderr


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


def test_a_perception_that_breaks_its_contract_breaks_it_for_check_contract(folder: Path) -> None:
    (folder / "soft.py").write_text(
        "from torch import nn\n"
        "def soft(shape, symbols):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(768, symbols), nn.Softmax(-1))\n"
    )
    words = [
        "check",
        "exact",
        "--contract",
        "--task",
        "mapping",
        "--set",
        "symbols=4",
        "-q",
        "--workers",
        "0",
    ]
    words += ["--no-isolate", "--images", "folder:numbers", "--classes", "one,two,three,four"]
    told = CliRunner().invoke(app, [*words, "--perception", "soft.py:soft"])
    assert told.exit_code == 1, told.output
    assert "fail: perception/logits/mapping: every row is between 0 and 1" in told.output
    assert "contract broken: perception/logits/mapping (" in told.output
    told = CliRunner().invoke(app, [*words, "--perception", "mlp"])
    assert (told.exit_code, "contract kept" in told.output) == (0, True), told.output


def test_groundcheck_toml_says_images_classes_and_perception(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "groundcheck.toml").write_text(
        '[gate]\nprofile = "colour"\n[profiles.colour]\ntasks = ["mapping"]\nimages = "folder:numbers"\n'
        'classes = ["one", "two", "three", "four"]\nperception = "mlp"\nseeds = 1\nepochs = 1\n'
        'settings = { symbols = 4, "training.puzzles" = 16, "perception.hidden" = 8 }\n'
    )
    monkeypatch.setattr("groundcheck.grounding.suite.suite.Suite.inspection", lambda *_: None)
    words = ["check", "exact", "--workers", "0", "-q", "--json", "r.json"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 3, told.output
    found = Report.read(Path("r.json"))
    assert (found.images, found.classes) == ("folder:numbers", ["one", "two", "three", "four"])
    assert (found.perception.name, found.perception.options) == ("mlp", {"hidden": 8})
    told = CliRunner().invoke(app, [*words, "--perception", "lenet", "--classes", "two,one,three,four"])
    assert told.exit_code == 3, told.output
    found = Report.read(Path("r.json"))
    assert (found.perception.name, found.perception.options) == ("lenet", {})  # the options were the mlp's
    assert found.classes == ["two", "one", "three", "four"]


NETWORK = """
import torch

class Network:
    def read(self, images):
        assert images.shape[1:] == (3, 16, 16)
        return torch.full((len(images), 4), 0.25)

    def answer(self, images, place, given):
        return torch.zeros(given.shape, dtype=torch.long)
"""
TASK = """
from dataclasses import dataclass
from groundcheck.datasets import Mapping

@dataclass(frozen=True, kw_only=True)
class Renamed(Mapping):
    name = "renamed"
    symbols: int = 4
"""


def test_a_network_is_judged_on_colour_pictures_and_a_task_of_the_users(folder: Path) -> None:
    (folder / "colour_network.py").write_text(NETWORK)
    (folder / "renamed.py").write_text(TASK)
    words = [
        "judge",
        "colour_network.py:Network",
        "--task",
        "renamed.py:Renamed",
        "--images",
        "folder:numbers",
    ]
    words += ["--puzzles", "20", "--no-isolate", "--ceiling", "0.9"]
    told = CliRunner().invoke(app, [*words, "--classes", "one,two,three,four", "--run", "kept"])
    assert told.exit_code == 3, told.output
    assert "1 seed judged, 0 broke" in told.output
    assert "classes are numbered" not in told.output
    page = (folder / "kept" / "report.html").read_text()
    assert re.findall(r'<th scope="col"><span>(.*?)</span>', page) == ["one", "two", "three", "four"] * 2
    assert page.count("data:image/png") >= 3  # boards of the user's task, with its pictures
    assert "trained elsewhere" in page
    assert re.search(r"20\d\d, \d\d:\d\d .*UTC; 1 seed took", page)
    found = Report.read(folder / "kept" / "report.json")
    assert (found.classes, found.tasks[0].reference) == (
        ["one", "two", "three", "four"],
        "renamed.py:Renamed",
    )
    told = CliRunner().invoke(app, words)
    assert "classes are numbered in their order, 0 four, 1 one" in told.stderr
    trained = replace(found, tasks=[replace(found.tasks[0], training={"epochs": 1})])
    with pytest.raises(UsageError, match="training is done elsewhere in one and done here in the other"):
        compare([found, trained])


def test_classes_are_no_matter_of_files_of_predictions() -> None:
    told = CliRunner().invoke(app, ["judge", "run0.npz", "--classes", "one,two"])
    assert told.exit_code == 2
    assert "--classes is for networks, which are shown images: run0.npz is none" in told.output
