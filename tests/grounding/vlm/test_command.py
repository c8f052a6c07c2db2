"""`groundcheck judge vlm:MODEL` as a user types it: what it prints, exits with and leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundcheck.grounding.cli import app
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.vlm import boards, client

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(sights, serve, twins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Runs the command on a sound model of mapping, unless a url is among the words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    server = serve(twins["Model"](sights("mapping")))

    def run(*words: str) -> tuple[int, str, str]:
        address = [] if "--url" in words or "no url" in words else ["--url", server.url]
        told = [word for word in words if word != "no url"]
        usual = ["--task", "mapping", "--puzzles", "6", "--size", "32", "--max-tokens", "600"]
        result = CliRunner().invoke(app, ["judge", "vlm:twin", *usual, *address, *told])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


def test_the_plan_comes_first_then_the_verdict_and_where_it_is_kept(typed, tmp_path) -> None:
    code, told, _ = typed("--run", "run", "--json", "report.json", "--budget", "60 requests, 1M tokens")
    assert code == 0
    first, *_ = told.splitlines()
    assert "6 boards × 5 questions: 30 requests, up to" in first
    assert first.endswith("60 requests and 1,000,000 tokens")
    for words in (
        "GROUNDED",
        "on true symbols",
        "answered from the true symbols as text",
        "page: run/report.html",
    ):
        assert words in told
    assert {"run.json", "exchanges.jsonl", "report.json", "report.html"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    report = Report.read(tmp_path / "report.json")
    assert (report.solver, report.rules, report.exit_code) == ("vlm:twin", "given", 0)
    assert json.loads((tmp_path / "report.json").read_text())["tasks"][0]["asked"]["counts"]["replies"] > 0
    assert "By question" in (tmp_path / "run" / "report.html").read_text()


def test_a_spent_budget_is_told_and_resumed(typed) -> None:
    code, told, _ = typed("--run", "run", "--budget", "7 requests")
    assert code == 3
    assert "the budget was spent before every question was asked: the same command with --resume" in told
    code, told, _ = typed("--run", "run", "--resume")
    assert code == 0
    assert "7 replies were known" in told or "replies were known" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no url"], "vlm:twin needs the address of its server: --url http://"),
        (["--resume"], "name its folder with --run FOLDER"),
        (["--budget", "lots"], "say for instance '400 requests'"),
        (["--samples", "3"], "every sample would be the same"),
        (["--legend", "runes"], "it is letters, digits, clothes"),
        (["--size", "3"], "a cell is 16 to 256 pixels"),
        (["--font", "Nofont"], "'Nofont' is not installed"),
        (["--prompts", "nowhere"], "nowhere is no folder"),
        (["--task", "queens"], "no questions about queens"),
        (["--set", "sise=4"], "no setting 'sise'"),
        (["--url", "http://me:secret@127.0.0.1/v1"], "a key is taken from the environment"),
        (["--url", "http://127.0.0.1:99999/v1"], "with a port from 1 to 65535"),
        (["--timeout", "0"], "timeout=0: a reply may take some seconds"),
        (["--images", "fashoin"], "did you mean fashion"),
        (["other.npz"], "vlm:twin is a model behind an endpoint, and other.npz a file of predictions"),
        (["vlm:other"], "vlm:twin is asked by itself"),
        (["--ceiling", "0.9"], "--ceiling is about networks and files of predictions"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_told_before_anything_is_sent(words, told, typed) -> None:
    code, out, error = typed(*words)
    assert (code, out) == (2, "")
    assert told in error
    assert error.count("\n") == 1


def test_an_endpoint_that_is_down_exits_with_4(typed) -> None:
    code, _, error = typed("--url", "http://127.0.0.1:1/v1")
    assert code == 4
    assert error == (
        "groundcheck: http://127.0.0.1:1/v1 does not answer (no connection): start the model server, or name "
        "another --url\n"
    )


@pytest.mark.parametrize("extra", [client.HTTPX, boards.PILLOW], ids=["httpx", "pillow"])
def test_an_extra_that_is_missing_is_told(extra, typed, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, extra.module, None)
    code, _, error = typed()
    assert code == 2
    assert "pip install 'groundcheck[vlm]'" in error


def test_ctrl_c_says_how_to_go_on(typed, monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("groundcheck.grounding.vlm.session.judge_endpoint", interrupted)
    code, told, error = typed("--run", "run")
    assert (code, error) == (130, "groundcheck: interrupted\n")
    assert "every exchange that ended is kept in run; the same command with --resume goes on" in told


def test_files_of_prompts_are_used(typed, tmp_path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "read.txt").write_text("$scene\n\nRead what you see.\n\n$format", encoding="utf-8")
    code, _, _ = typed("--prompts", "own", "--run", "run")
    assert code == 0
    described = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert described["prompts"]["version"] == "1+"
    lines = (tmp_path / "run" / "exchanges.jsonl").read_text().splitlines()
    assert any("Read what you see." in line for line in lines)


def test_a_grid_of_no_width_is_meant(typed, tmp_path) -> None:
    """Zero is a value, and not what was left out."""
    assert typed("--grid", "0", "--run", "run")[0] == 0
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert settings["style"]["grid"] == 0.0


def test_an_option_of_endpoints_is_refused_for_others(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["judge", "predictions.npz", "--samples", "2"])
    assert result.exit_code == 2
    assert "--samples is about a model behind an endpoint, vlm:MODEL" in result.stderr
