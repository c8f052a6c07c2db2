"""What is told in a sentence, and what keeps its traceback."""

from pathlib import Path

import pytest
import typer

from groundcheck.datasets import errors
from groundcheck.grounding.commands.shell import user_errors
from groundcheck.solvers.extras import MissingExtraError


def end(raised: BaseException) -> int:
    """The exit code of a command in which this is raised."""
    with pytest.raises(typer.Exit) as ended, user_errors():
        raise raised
    return ended.value.exit_code


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (errors.UsageError("say it so"), 2),
        (errors.UnknownNameError("say it so"), 2),
        (errors.UnusableFileError("say it so"), 2),
        (MissingExtraError("say it so"), 2),
        (errors.DataUnavailableError("say it so"), 4),
    ],
)
def test_what_a_user_can_mend_is_a_sentence(
    raised: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(raised) == code
    assert capsys.readouterr().err == "groundcheck: say it so\n"


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(KeyboardInterrupt()) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_of_the_users_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone.json"
    with pytest.raises(typer.Exit) as ended, user_errors():
        gone.read_text()
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == f"groundcheck: {gone}: No such file or directory\n"


@pytest.mark.parametrize("raised", [ValueError, TypeError, KeyError, AssertionError, OSError, RuntimeError])
def test_any_other_error_is_a_fault_with_what_to_report(
    raised: type[Exception], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from groundcheck.grounding.commands import faults  # noqa: PLC0415

    monkeypatch.setattr(faults, "_installed", lambda _: True)  # this test stands for code of groundcheck
    assert end(raised("inside")) == 70
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert f"raise raised\n{raised.__name__}: " in told
    assert "this is a fault of groundcheck: please report it" in told
    for part in ("groundcheck 0.", "Python 3.", "command: "):
        assert part in told


def test_an_error_in_code_of_the_users_is_not_called_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(RuntimeError("mine")) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert f"RuntimeError in {__file__}, line " in told
    assert "fault of groundcheck" not in told
