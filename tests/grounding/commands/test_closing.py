"""After a run: where its page is, how it is continued, and that what it wrote is read."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundcheck.grounding.cli import app
from groundcheck.grounding.suite.report_io import read_report

TINY = ["--set", "puzzles=16", "--set", "symbols=3", "--epochs", "1"]
UNTRAINED = ["check", "mlp", "--task", "mapping", *TINY, "--seeds", "1", "--workers", "0", "-q"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("groundcheck.grounding.suite.suite.Suite.inspection", lambda *_: None)


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def test_what_run_wrote_is_read_by_report_and_compare() -> None:
    for seed in ("0", "1"):
        code, out = said("run", "mapping", "mlp", *TINY, "--seed", seed, "--json", f"{seed}.json")
        assert code == 0, out
        assert f"report: {seed}.json (groundcheck report {seed}.json makes its page)" in out
    [task] = read_report(Path("0.json")).tasks
    assert [(o.role, o.seed) for o in task.outcomes] == [("grounding", 0)]
    assert (task.judgement.verdict, task.settings["symbols"], task.training["puzzles"]) == (
        "INCONCLUSIVE", 3, 16,
    )  # fmt: skip
    assert said("report", "0.json")[0] == 0
    assert "mapping" in Path("0.html").read_text()
    code, out = said("compare", "0.json", "0.json", "--json", "c.json")
    assert (code, "aligned" in out) == (0, True)


def test_a_run_says_where_its_page_is() -> None:
    _, out = said(*UNTRAINED, "--run", "r")
    assert out.splitlines()[-1] == (
        f"page: {Path('r') / 'report.html'} (groundcheck show-run r prints this again)"
    )
    assert Path("r/report.html").exists()
    _, again = said("show-run", "r")
    assert again.splitlines()[-1] == f"page: {Path('r') / 'report.html'}"
    assert again.splitlines()[:-1] == out.splitlines()[:-1]
    _, out = said(*UNTRAINED)
    assert out.splitlines()[-1] == (
        "no page was kept; --run FOLDER keeps one, and a run that can be continued"
    )
    assert "nowhere does not exist: name the folder of a run" in said("show-run", "nowhere")[1]
    _, out = said(*UNTRAINED, "--json", "x.json")
    assert out.splitlines()[-1].startswith("report: x.json")


def test_after_ctrl_c_a_run_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("groundcheck.grounding.engines.pairs.Here.submit", interrupt)
    words = [*UNTRAINED, "--run", "a folder"]
    monkeypatch.setattr(sys, "argv", ["groundcheck", *words])
    code, out = said(*words)
    assert code == 130
    last = out.splitlines()[-1]
    assert last.startswith(
        "every trial that ended is kept; to continue: groundcheck check mlp --task mapping"
    )
    assert last.endswith("--run 'a folder' --resume")
    code, out = said(*UNTRAINED)
    assert (code, out.splitlines()[-1]) == (
        130, "nothing of this run was kept; with --run FOLDER it can be continued",
    )  # fmt: skip


def test_a_run_is_not_continued_with_another_budget_or_another_formula() -> None:
    formula = Path("f.cnf")
    formula.write_text("p cnf 12 2\n1 2 3 0\n-4 5 6 0\n")
    words = ["check", "mlp", "--task", "logic", "--set", "file=f.cnf", "--set", "puzzles=16", "--epochs", "1"]
    words += ["--seeds", "1", "--workers", "0", "-q", "--run", "r"]
    fresh = "--resume: r holds nothing to go on with; this begins there from the start"
    code, out = said(*[word for word in words if word != "-q"], "--resume")
    assert fresh in " ".join(out.split())
    assert code in (0, 1, 3), out
    code, out = said(*words, "--resume", "--set", "batch=8")
    assert code == 2
    assert "logic: training.batch was 32 and is now 8. Choose another folder" in " ".join(out.split())
    formula.write_text("p cnf 12 2\n1 2 3 0\n-4 5 -6 0\n")
    code, out = said(*words, "--resume")
    assert code == 2
    assert "r cannot be continued: logic: the content of f.cnf was changed" in " ".join(out.split())
    Path("r/report.json").unlink()
    code, out = said("report", "r")
    assert code == 2
    assert "f.cnf has changed since this run was begun" in out


def test_a_home_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    """In a real process: `/proc` refuses new folders, to root as well."""
    if not Path("/proc/self").exists():
        pytest.skip("needs a /proc")
    # What this process set for numba, matplotlib or the data must not help.
    unset = {"NUMBA_CACHE_DIR", "MPLCONFIGDIR", "GROUNDCHECK_DATA"}
    around = {name: value for name, value in os.environ.items() if name not in unset}
    picture = tmp_path / "m.png"
    words = ["show", "mapping", "-o", str(picture), "--count", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "groundcheck.grounding", *words],
        env={**around, "HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert picture.exists()


@pytest.mark.parametrize("words", [["list"], ["check", "--help"], ["--version"]], ids=lambda words: words[0])
def test_a_reader_that_went_away_ends_a_command_as_it_ends_any_other(words: list[str]) -> None:
    """Quietly, with 128 + SIGPIPE: 1 would say that something did not ground."""
    command = [sys.executable, "-m", "groundcheck.grounding", *words]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
