"""`groundcheck judge`, as it is typed."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from groundcheck.grounding import Report
from groundcheck.grounding.cli import app
from groundcheck.grounding.suite.report_io import read_report

sys.path.insert(0, str(Path(__file__).parents[1] / "judging"))
predicted = importlib.import_module("predicted").predicted

TASK = ("--task", "mapping", "--set", "symbols=3", "--set", "bijection=(1,2,0)", "--puzzles", "40")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed in range(6):
        np.savez(f"run{seed}.npz", **predicted(seed))
    return tmp_path


def judged(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["judge", *words])
    return done.exit_code, " ".join(done.output.split())


FILES = [f"run{seed}.npz" for seed in range(6)]


def test_files_of_predictions_with_everything_that_reads_reports() -> None:
    code, told = judged(*FILES, "--ceiling", "0.99", "--run", "kept", "--json", "r.json")
    assert code == 0
    for part in ("run on own images", "GROUNDED", "6 of 6", "page: kept/report.html", "no interface"):
        assert part in told
    kept, written = read_report(Path("kept")), Report.read(Path("r.json"))
    assert kept.as_dict() == written.as_dict()
    for words in (["report", "kept"], ["compare", "kept", "r.json"], ["leaderboard", ".", "-o", "l.html"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    page = Path("kept/report.html").read_text()
    for part in ("Every seed", "Calibration", "Symbols as read", "Sample boards", "trained=elsewhere"):
        assert part in page
    assert "GROUNDED" in Path("l.html").read_text()


def test_a_plane_without_a_ceiling_tells_accuracies_as_they_are() -> None:
    judged(*FILES, "--ceiling", "0.99", "--run", "held")
    judged(*FILES, "--run", "free")
    held, free = (Path(f"{run}/report.html").read_text() for run in ("held", "free"))
    assert "aligned grounding / ceiling" in held
    assert "aligned grounding / ceiling" not in free
    assert "held against reading everything right" in free
    assert "held against reading everything right" not in held


def test_exit_codes() -> None:
    assert judged(*FILES)[0] == 0
    assert judged("run0.npz")[0] == 3
    for seed in range(2):
        np.savez(f"bad{seed}.npz", **predicted(seed, read=0.3))
    code, told = judged("bad0.npz", "bad1.npz", "--ceiling", "0.99", "--name", "worse")
    assert code == 1
    assert "worse on own images" in told
    np.savez("ceiling.npz", **predicted(7))
    assert (
        judged(
            "bad0.npz",
            "bad1.npz",
            "--ceiling",
            "ceiling.npz",
            "--baseline",
            "run0.npz",
            "--baseline",
            "run1.npz",
        )[0]
        == 1
    )


def test_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = judged("networks:made", *TASK, "--no-isolate", "--ceiling", "1.0", "--json", "n.json")
    assert code == 3
    assert "networks:made on digits" in told
    assert Report.read(Path("n.json")).tasks[0].judgement.grounded == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.npz"], "none.npz does not exist"),
        (["nonsense"], "'nonsense' is neither a file of predictions (.npz, .csv, .parquet) nor a network"),
        (["run0.npz", "mine:net"], "run0.npz is a file of predictions, and mine:net a network"),
        (["run0.npz", "run0.npz"], "hold the same predictions"),
        (["run0.npz", "--ceiling", "98"], "ceiling 98: it is the aligned accuracy"),
        (["run0.npz", "--ceiling", "none.npz"], "none.npz does not exist"),
        (["run0.npz", "--ceiling", "high"], "high: predictions are read from .npz, .csv, .parquet files"),
        (["run0.npz", "--rules", "known"], "rules='known': it is learned or given"),
        (["run0.npz", "--task", "sudoko"], "did you mean sudoku"),
        (["run0.npz", "--task", "sudoku"], "`beliefs` are about 5 symbols, and sudoku shows 4"),
        (["run0.npz", "--set", "size=9"], "--set size=9 sets an option of a task: name the task with --task"),
        (["run0.npz", "--images", "mnist"], "--images is for networks"),
        (["mine:net"], "mine:net is a network: say what it is judged on with --task"),
        (["mine:net", "--task", "sudoku", "--baseline", "run0.npz"], "--baseline stands beside files"),
        (["no_such:net", "--task", "sudoku", "--no-isolate"], "No module named 'no_such'"),
        (["networks:Tuple", *TASK, "--no-isolate"], "returned a tuple of 2"),
        (["run0.npz", "--json", "no/folder.json"], "cannot be written"),
    ],
)
def test_what_a_user_got_wrong_is_one_sentence(words: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["judge", *words])
    assert done.exit_code == 2, done.output
    [line] = done.output.splitlines()
    assert told in line


def test_a_folder_is_free_again_after_a_mistake() -> None:
    assert judged("run0.npz", "--ceiling", "98", "--run", "kept")[0] == 2
    assert judged("run0.npz", "--ceiling", "0.98", "--run", "kept")[0] == 3


def test_a_folder_that_is_taken_or_was_broken_off() -> None:
    assert judged("run0.npz", "--run", "kept")[0] == 3
    code, told = judged("run0.npz", "--run", "kept")
    assert (code, "holds a run already" in told) == (2, True)
    (Path("kept") / "report.json").unlink()
    done = CliRunner().invoke(app, ["report", "kept"])
    assert done.exit_code == 2
    assert "judging was broken off: judge again" in done.output
