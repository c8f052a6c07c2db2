"""What a solver prints is kept in a file, and what is not its own gets through."""

# ruff: noqa: T201 - printing is what is tested

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundcheck.grounding.results.logs import Logs
from groundcheck.grounding.trials.printed import printed_to


def test_both_streams_go_to_the_file_and_what_stands_aside_gets_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "logs" / "one.log"
    with printed_to(path) as kept:
        print("one")
        print("two", file=sys.stderr)
        with kept.aside():
            print("the user's")
        print("three \ud800")
    print("after")
    assert path.read_text() == "one\ntwo\nthree \\ud800\n"
    assert capsys.readouterr() == ("the user's\nafter\n", "")


def test_streams_come_back_after_an_error_and_an_empty_file_goes(tmp_path: Path) -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyError), printed_to(tmp_path / "one.log"):
        raise KeyError
    assert (sys.stdout, sys.stderr) == before
    assert list(tmp_path.iterdir()) == []


def test_without_a_file_output_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with printed_to(None) as kept, kept.aside():
        print("heard")
    assert capsys.readouterr().out == "heard\n"


SCRIPT = """
import os, sys
from pathlib import Path
from groundcheck.grounding.trials.printed import claim_process, lasting, print_to, printed_to
{claim}
console = lasting(sys.stdout)
print("before")
with printed_to(Path("log")):
    os.write(1, b"compiled\\n")
    os.system("echo called")
    print("python")
    console.write("console\\n")
print("after")
print_to(Path("rest"))
os.write(2, b"compiled\\n")
print("unfinished", end="")
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("ours", [True, False])
def test_descriptors_are_redirected_where_the_process_is_ours(ours: bool, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(claim="claim_process()" if ours else "")],
        cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    told, kept = done.stdout.split(), (tmp_path / "log").read_text().split()
    if ours:
        assert (sorted(told), kept) == (["after", "before", "console"], ["compiled", "called", "python"])
    else:
        assert (sorted(told), kept) == (
            ["after", "before", "called", "compiled", "console"], ["python"],
        )  # fmt: skip
    assert (tmp_path / "rest").read_text().startswith("compiled\n")  # a kill leaves whole lines


def test_a_temporary_log_stays_only_where_something_broke() -> None:
    logs = Logs()
    path = logs.path("sudoku[size=9]-grounding/0")
    assert path.name == "sudoku[size=9]-grounding-0.log"
    path.write_text("noise")
    logs.ended(path, broke=False)
    assert logs.close() is None
    assert not path.parent.exists()
    logs = Logs()
    first, second = logs.path("a"), logs.path("b")
    for path in (first, second):
        path.write_text("noise")
    logs.ended(first, broke=True)
    assert logs.close() == first
    logs.ended(second, broke=True)
    assert logs.close() == first.parent
    for path in (first, second):
        path.unlink()
    first.parent.rmdir()


def test_logs_of_a_run_stay_and_empty_ones_go(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    noisy, silent = logs.path("noisy"), logs.path("silent")
    noisy.write_text("noise")
    silent.write_text("")
    for path in (noisy, silent, logs.path("never written")):
        logs.ended(path, broke=False)
    assert (logs.close(), list(tmp_path.iterdir())) == (None, [noisy])
