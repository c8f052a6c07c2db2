import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from groundcheck.grounding.cli import app
from groundcheck.grounding.results.report import Report

SMALL = ["--set", "puzzles=64", "--epochs", "1"]
HEAVY = {"torch", "numpy", "numba", "scipy", "sklearn", "matplotlib", "pysat", "torchvision"}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def groundcheck(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, run in this process."""
    result = CliRunner().invoke(app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_help_needs_nothing_heavy() -> None:
    script = "import sys, groundcheck.grounding.cli, groundcheck.grounding; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
    code, told, _ = groundcheck("--help")
    assert code == 0
    assert all(command in told for command in ("check", "run", "show", "list"))


def test_check_prints_a_table_a_reason_and_a_summary_and_writes_json() -> None:
    code, told, progress = groundcheck(
        "check", "mlp", "--task", "mapping", "--seeds", "1", "--workers", "0", "--json", "r.json", *SMALL
    )
    assert code == 3  # one seed decides nothing
    for part in ("mlp", "mapping", "task acc.", "raw", "aligned", "INCONCLUSIVE", "0 of 1", "trials ran"):
        assert part in told
    assert "of the puzzles (best possible" in " ".join(told.split())
    assert "ceiling/mapping" in progress
    assert Report.read(Path("r.json")).exit_code == 3


def test_run_shows_the_learning_curve_and_writes_json() -> None:
    code, told, progress = groundcheck(
        "run", "sudoku", "mlp", "--seed", "3", "--set", "puzzles=64", "--set", "hidden=32", "--epochs", "2",
        "--json", "trial.json",
    )  # fmt: skip
    assert code == 0
    assert "grounding/sudoku mlp seed 3" in told
    assert "test: task accuracy" in told
    assert "epoch 2 of 2" in progress
    record = json.loads(Path("trial.json").read_text())
    [outcome] = record["tasks"][0]["outcomes"]
    assert [point["epoch"] for point in outcome["curve"]] == [0, 1, 2]


def test_run_marks_leaky_supervision() -> None:
    _, told, _ = groundcheck("run", "sudoku", "mlp", "--set", "supervision=leaky", *SMALL)
    assert "LEAKY supervision" in told


def test_run_of_a_solver_that_breaks_shows_the_traceback() -> None:
    Path("mine.py").write_text("def solver(problem):\n    raise RuntimeError('out of ideas')\n")
    sys.path.insert(0, os.getcwd())
    try:
        code, told, _ = groundcheck("run", "mapping", "mine:solver", *SMALL)
    finally:
        sys.path.pop(0)
    assert code == 1
    assert "out of ideas" in told


@pytest.mark.parametrize("task", ["mapping", "sudoku"])
def test_show_draws_a_png(task: str) -> None:
    code, told, _ = groundcheck("show", task, "--count", "1")
    assert code == 0
    assert f"{task}.png" in told
    with Image.open(f"{task}.png") as picture:
        assert min(picture.size) > 200
        assert len(picture.convert("L").getcolors(1 << 20) or []) > 20  # grey levels of real images


def test_show_draws_the_split_that_is_asked_for() -> None:
    pictures = []
    for split in ("test", "ood"):
        code, told, _ = groundcheck("show", "mapping", "--split", split, "-o", f"{split}.png")
        assert code == 0
        assert f"mapping, {split}, seed 0" in told
        pictures.append(Path(f"{split}.png").read_bytes())
    assert pictures[0] != pictures[1]


def test_list_names_tasks_solvers_and_image_sets_with_their_sources() -> None:
    code, told, _ = groundcheck("list")
    assert code == 0
    for part in ("mapping", "sudoku", "exact", "mlp", "satnet", "digits", "mnist", "fashion", "arXiv:"):
        assert part in told


def test_list_needs_nothing_heavy() -> None:
    script = "import sys; from groundcheck.grounding.cli import app\n"
    script += "try: app(['list'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *told, modules = done.stdout.splitlines()
    assert any("satnet" in line for line in told)
    assert not HEAVY & set(modules.split())


def test_list_tells_which_solvers_lack_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ltn", None)
    code, told, _ = groundcheck("list")
    assert code == 0
    assert "skipped: needs LTNtorch, which is not installed: pip install 'groundcheck[ltn]'" in " ".join(
        "".join(line[23:70]).strip() for line in told.splitlines()
    )


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["check", "satnett"], 2, "did you mean satnet"),
        (["check", "mlp", "--task", "maping"], 2, "did you mean mapping"),
        (["run", "sudoko", "mlp"], 2, "did you mean sudoku"),
        (["show", "sudoko"], 2, "did you mean sudoku"),
        (["show", "sudoku", "--split", "exam"], 2, "it is train, validation, test, ood"),
        (["check", "mlp", "--seeds", "0"], 2, "seeds=0"),
        (["check", "mlp", "--images", "mnits"], 2, "did you mean mnist"),
        (["check", "mlp", "--set", "puzles=3"], 2, "did you mean puzzles"),
        (["check", "mlp", "--set", "puzzles"], 2, "written name=value"),
        (["check", "mlp", "--set", "puzzles=0"], 2, "puzzles=0"),
        (["check", "mlp", "--set", "hidden=0"], 2, "hidden=0"),
        (["run", "mapping", "satnet", "--set", "m=-1"], 2, "m=-1"),
        (["check", "mlp", "--set", "game.size=9"], 2, "the part before the dot"),
        (["show", "mapping", "--set", "size=3"], 2, "mapping has no setting 'size'"),
        (["check", "mlp", "--images", "mnist", "--data-root", "nowhere"], 4, "--download"),
        (["check", "mlp", "--images", "mnist", "--data-root", "a-file"], 4, "is a file"),
        (["check", "mlp", "--json", "no/such/folder/r.json"], 2, "cannot be written"),
        (["check", "mlp", "--json", "a-file/r.json"], 2, "cannot be written"),
        (["show", "mapping", "-o", "no/such/folder/m.png"], 2, "cannot be written"),
        (["check", "nowhere.at_all:Solver"], 2, "No module named 'nowhere'"),
    ],
)
def test_what_a_user_got_wrong_is_told_in_a_sentence(words: list[str], code: int, told: str) -> None:
    Path("a-file").write_text("")
    exit_code, out, err = groundcheck(*words)
    assert told in " ".join((out + err).split())
    assert exit_code == code
    assert "Traceback" not in out + err


def test_a_file_that_was_there_is_kept_until_the_report_is_written() -> None:
    Path("r.json").write_text("before")
    code, _, _ = groundcheck("check", "satnett", "--json", "r.json")
    assert code == 2
    assert Path("r.json").read_text() == "before"
