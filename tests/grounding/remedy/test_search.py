"""Remedies: the smallest change is found and confirmed on other seeds, or it is said that none was."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import Remedy, find_remedy
from groundcheck.grounding.cli import app
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.remedy import search
from groundcheck.grounding.remedy.axes import axes_of, reader_of
from groundcheck.grounding.remedy.record import Confirmation, Tried
from groundcheck.grounding.remedy.study import Search
from groundcheck.grounding.report.remedy import command_of
from groundcheck.grounding.suite.budget import Budget
from groundcheck.grounding.suite.suite import Listener, plan_suite
from groundcheck.solvers.extras import Extra

FILE = Path(__file__).with_name("helped.py")
HELPED, DEAF = f"{FILE}:Helped", f"{FILE}:Deaf"
SHORT = {"puzzles": 96, "batch": 16}
HERE = Processes(0, isolate=False)
SMALL: dict[str, Any] = {
    "task": Mapping(symbols=2), "settings": SHORT, "epochs": 4, "engine": HERE,
    "perception": PerceptionSpec("mlp", {"hidden": 32}),
}  # fmt: skip


def found_by(solver: str, **more: Any) -> Remedy:
    return find_remedy(solver, **{**SMALL, **more})


def same(one: Remedy, other: Remedy) -> bool:
    return replace(one, seconds=0.0) == replace(other, seconds=0.0)


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Remedy, Path, list[Any]]:
    """A search that was not interrupted, its folder, and the trials that it ran."""
    heard: list[Any] = []
    folder = tmp_path_factory.mktemp("whole") / "run"
    listener = Listener(wave=heard.extend)
    remedy = found_by(HELPED, only=["listens", "clip"], changes=2, run=folder, listener=listener)
    return remedy, folder, heard


def test_the_change_that_helps_is_found_and_the_smallest(helped: tuple[Remedy, Path, list[Any]]) -> None:
    remedy, folder, _ = helped
    assert remedy.smallest is not None
    assert remedy.smallest.changes == {"listens": 1.0}
    assert remedy.smallest.confirmation is not None
    assert remedy.smallest.confirmation.grounded >= 6
    assert not remedy.tried[0].passed
    assert [len(one.changes) for one in remedy.tried] == [0, 1, 1, 1]
    assert (remedy.passed, remedy.confirmed, remedy.out_of_time) == (1, 1, False)
    assert remedy.axes[0].name == "listens"
    assert remedy.axes[0].importance is not None
    assert remedy.axes[0].importance > 0.9
    kept = json.loads((folder / "report.json").read_text())["remedy"]
    assert kept["tried"][1]["changes"] == remedy.tried[1].changes


def test_what_chooses_and_what_confirms_are_different_seeds(helped: tuple[Remedy, Path, list[Any]]) -> None:
    remedy, _, heard = helped
    grounding = [trial for trial in heard if trial.role == "grounding"]
    chosen = {t.seed for t in grounding if t.seed in remedy.choice_seeds}
    confirmed = {t.seed for t in grounding} - chosen
    assert chosen == set(remedy.choice_seeds) == {1000, 1001}
    assert confirmed == set(range(remedy.smallest.confirmation.seeds))  # type: ignore[union-attr]
    assert {t.solver.options.get("listens") for t in grounding if t.seed in confirmed} == {1.0}


def test_killed_in_the_middle_and_continued_it_finds_the_same(
    tmp_path: Path, helped: tuple[Remedy, Path, list[Any]]
) -> None:
    folder = tmp_path / "run"
    killed = f"""
import os, signal
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import find_remedy
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.report.remedy import command_of
from groundcheck.grounding.suite.budget import Budget
from groundcheck.grounding.suite.suite import Listener, plan_suite
heard = []
def outcome(_):
    heard.append(1)
    if len(heard) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
find_remedy({HELPED!r}, task=Mapping(symbols=2), settings={SHORT!r}, epochs=4,
    engine=Processes(0, isolate=False), perception=PerceptionSpec("mlp", {{"hidden": 32}}),
    only=["listens", "clip"], changes=2, run={str(folder)!r}, listener=Listener(outcome=outcome))
"""
    done = subprocess.run([sys.executable, "-c", killed], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = (folder / "trials.jsonl").read_bytes().count(b"\n")
    assert 0 < kept < len((helped[1] / "trials.jsonl").read_bytes().splitlines())
    again = found_by(HELPED, only=["listens", "clip"], changes=2, run=folder, resume=True)
    assert same(again, helped[0])
    with pytest.raises(UsageError, match=r"remedy\.changes was 2 and is now 3"):
        found_by(HELPED, only=["listens", "clip"], changes=3, run=folder, resume=True)
    with pytest.raises(UsageError, match="continue it with --resume"):
        found_by(HELPED, only=["listens", "clip"], changes=2, run=folder)


def test_where_nothing_helps_that_is_said_with_the_best_and_the_page_shows_it(tmp_path: Path) -> None:
    page, record = tmp_path / "r.html", tmp_path / "r.json"
    words = [
        "remedy", DEAF, "--set", "symbols=2", "--set", "puzzles=96", "--set", "batch=16", "--epochs", "4",
        "--perception", "mlp", "--only", "size", "--only", "loss", "--tries", "2", "--changes", "2",
        "--workers", "0", "--no-cache", "-o", str(page), "--json", str(record), "--budget", "none",
    ]  # fmt: skip
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1, done.output
    told = " ".join(done.output.split())
    assert "No change that was tried is GROUNDED on seeds that it was not chosen on. The best" in told
    assert "ended before" not in told
    kept = json.loads(record.read_text())
    assert kept["schema"] == 1
    assert [len(one["changes"]) for one in kept["tried"]] == [0, 1, 1, 1, 2, 2]
    assert not any(one["passed"] for one in kept["tried"])
    drawn = page.read_text()
    assert kept["summary"][0] in drawn
    assert "How much each axis matters" in drawn
    assert "<svg" in drawn
    assert "http" not in drawn.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_a_budget_that_ends_is_told(tmp_path: Path) -> None:
    found = found_by(DEAF, only=["size"], seconds=0.0)
    assert (found.out_of_time, found.tried, found.smallest) == (True, [], None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mlp", "--budget", "soon"], "'soon': a time is written 2h, 30m, 90s or 1h30m"),
        (["mlp", "--resume"], "--resume continues a search: name its folder with --run FOLDER"),
        (["mlp", "-o", "r.txt"], "r.txt: a page ends in .html, name it so"),
        (["mlp", "--only", "hidden"], "nothing to change is called 'hidden': known are information"),
        (["mlp", "--set", "seen=symbols"], "is seen as symbols: there is nothing to ground"),
        (["mlp", "--set", "clip=1.0", "--only", "clip"], "nothing to change is called 'clip'"),
        ([f"{FILE}:Misdeclared"], "declares ranges, and length does not fit"),
        (["nobody"], "unknown solver 'nobody'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(words: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["remedy", *words])
    assert done.exit_code == 2
    assert told in " ".join(done.output.split())


def test_without_optuna_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "OPTUNA", Extra("optuna_that_is_not_there", "Optuna", "remedy"))
    done = CliRunner().invoke(app, ["remedy", "mlp"])
    assert done.exit_code == 2
    assert "needs Optuna, which is not installed: pip install 'groundcheck[remedy]'" in done.output


AXES = [
    search.Axis("one", 0, (1, 2)), search.Axis("two", 0, (1,)), search.Axis("late", 0, (1,), needs="two")
]  # fmt: skip


def test_ideas_from_the_literature_are_axes_where_they_fit() -> None:
    def planned(solver: str, perception: str = "lenet") -> dict[str, search.Axis]:
        source, budget = ImageSource.of("digits"), Budget(1, settings={"symbols": 3})
        return {
            axis.name: axis
            for axis in axes_of(plan_suite(solver, ["mapping"], source, budget, perception), {})
        }

    learns, told = planned("mlp"), planned("exact", "mlp")
    assert learns["mixup"].values == (0.2, 1.0)
    assert learns["sharing"].values == (0.1, 0.01)
    assert learns["perception"].values == ("hashed", "hypernetwork")
    assert "mixup" in told
    assert not {"sharing", "perception"} & set(told)
    usual = PerceptionSpec()
    assert reader_of({"clip": 1.0, "perception": "hashed"}, usual) == (
        {"clip": 1.0},
        PerceptionSpec("hashed"),
    )
    assert reader_of({"clip": 1.0}, usual) == ({"clip": 1.0}, usual)
    grounds = Tried({"perception": "hashed"}, [], passed=True)
    confirmed = replace(grounds, confirmation=Confirmation("GROUNDED", 6, 0, 6, "", decided=True))
    found = Remedy("mlp", "mapping", "digits", {"aux": 50}, 0, [1000], [confirmed])
    shown = "groundcheck check mlp --task mapping --images digits --set aux=50 --perception hashed"
    assert command_of(found) == shown


def tried(seed: int) -> list[dict[str, Any]]:
    found = Search(AXES, seed)
    for changes in ({}, {"one": 1}, {"one": 2}, {"two": 1}):
        found.ask_for(changes).tell(0.1 * len(changes), stopped=False)
    asked = []
    while (each := found.ask(2)) is not None:
        each.tell(0.5, stopped=False)
        asked.append(each.changes)
    return asked


def test_combinations_are_of_their_size_each_once_and_a_seed_decides_their_order() -> None:
    first = tried(0)
    assert all(len(each) == 2 for each in first)
    assert sorted(map(str, first)) == sorted(
        map(str, [{"one": 1, "two": 1}, {"one": 2, "two": 1}, {"two": 1, "late": 1}])
    )
    assert tried(0) == first


def test_a_curve_that_stays_behind_is_given_up_whenever_it_is_looked_at() -> None:
    found = Search([search.Axis("one", 0, tuple(range(1, 20)))], 0)
    for value in range(1, 10):
        asked = found.ask_for({"one": value})
        assert asked.stops([0.0, *(0.1 * value * n for n in range(1, 11))], 10) is None
        asked.tell(1.0, stopped=False)
    low = [0.0] * 11
    whole, watched = found.ask_for({"one": 11}), found.ask_for({"one": 12})
    assert [watched.stops(low[:n], 10) for n in range(1, 6)] == [None] * 4 + [4]
    assert whole.stops(low, 10) == 4
    late = found.ask_for({"one": 13})
    assert late.stops([0.0, *(0.9 * n for n in range(1, 11))], 10) is None
