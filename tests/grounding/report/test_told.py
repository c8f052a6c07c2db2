"""How reports are told: one list of figures, any code page, narrow terminals, closed pipes."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.measures import figures
from groundcheck.grounding.measures.figures import FIGURES, INTERVALS, Figure, Place, figures_at
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.report.html import render_report
from groundcheck.grounding.report.leaderboard import render_leaderboard
from groundcheck.grounding.report.table import print_report
from groundcheck.grounding.report.tracking import scalars
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.trials.roles import ROLES, label_of, subject_of
from groundcheck.grounding.trials.trial import Outcome

DOCS = Path(__file__).parents[3] / "docs" / "report.md"


def printed(report: Report, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    print_report(report, console)
    return console.export_text()


def test_a_new_figure_is_told_wherever_its_place_says(
    report: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worst = Figure(
        "worst", "worst symbol", "worst", "symbols", "the share read right of the worst read",
        place=Place.RANKING, measure=lambda scores: None if scores.raw is None else 0.4321,
    )  # fmt: skip
    monkeypatch.setattr(figures, "FIGURES", (*FIGURES, worst))
    assert "0.432" in printed(report, 120)
    page = render_report(report, None)
    assert page.count(">worst<") >= 4  # verdicts, means of both tasks, trials
    assert "0.432" in render_leaderboard([(tmp_path, report)], tmp_path)


def test_trackers_log_every_figure() -> None:
    scores = Scores(0.5, 0.4, 0.6, 0.0, 0.7, 3, raw=0.1, aligned=0.2, collapse=0.3)
    logged = {name for name, _, _ in scalars(Outcome("grounding", "mapping", "mlp", 0, scores))}
    assert logged == {f"test/{figure.name}" for figure in FIGURES}


def test_roles_say_what_trains_on_what() -> None:
    assert {role.name: role.trains_on for role in ROLES} == {
        "grounding": "answers", "baseline": "answers", "ceiling": "labels", "reasoning": "answers",
    }  # fmt: skip
    assert (subject_of("images"), subject_of("symbols"), subject_of(None)) == (
        "grounding", "reasoning", "grounding",
    )  # fmt: skip


def test_a_ceiling_carries_no_solver(report: Report) -> None:
    ceiling = Outcome("ceiling", "mapping", "exact", 3)
    assert label_of(ceiling) == "ceiling/mapping seed 3"
    assert label_of(replace(ceiling, role="reasoning")) == "reasoning/mapping exact seed 3"
    assert '<td data-label="role">ceiling</td><td data-label="solver">–</td>' in render_report(report, None)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_figure_is_whole_in_a_narrow_terminal(report: Report, width: int) -> None:
    text = printed(report, width)
    assert max(map(len, text.splitlines())) <= width
    for task in report.tasks:
        for figure in figures_at(Place.VERDICTS):
            assert f" {figure.text(task.mean('grounding', figure))} " in text
        assert task.judgement.verdict in text
        assert f"{task.judgement.grounded} of {task.judgement.seeds}" in text
    for name in ("test-set interval", "without logic", "ceiling", "mapping"):
        assert name in text


def test_summary_names_what_failed_and_counts_one_as_one(report: Report) -> None:
    [task, *_] = report.tasks
    failed = replace(task, findings=[Finding("leak/labels", "fail", "it leaks", task="mapping")])
    summary = replace(report, tasks=[failed]).summary
    assert "1 fail (leak/labels/mapping)" in summary
    assert "of 1 task grounded" in summary
    assert "1 check collected" in summary
    assert "1 seeds" not in printed(report, 120)
    assert "1 seeds" not in render_report(report, None)


def test_the_three_intervals_have_names_where_they_are_told(report: Report, tmp_path: Path) -> None:
    docs, page = DOCS.read_text(encoding="utf-8"), render_report(report, None)
    for interval in INTERVALS:
        assert f"| {interval.name} |" in docs
    assert "test-set interval" in page
    assert "rate interval" in page
    assert "95 % interval" not in page
    assert "seed interval" in render_leaderboard([(tmp_path, report)], tmp_path)


def test_reports_are_told_on_any_code_page_and_to_a_closed_pipe(report: Report, tmp_path: Path) -> None:
    """Real processes: the page is the same bytes everywhere, and nobody hears of a pipe that was closed."""
    [task, *_] = report.tasks
    odd = replace(report, tasks=[replace(task, task="mapping")], options={"name": "数 é \udc80 </script>"})
    odd.write(tmp_path / "odd.json")
    command = [sys.executable, "-m", "groundcheck.grounding"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHONIO"))}
    pages: list[bytes] = []
    c_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for around in (c_locale, {"PYTHONIOENCODING": "cp1252"}):
        asked = [*command, "report", "odd.json", "-o", f"{len(pages)}.html"]
        done = subprocess.run(asked, cwd=tmp_path, env=plain | around, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        pages.append((tmp_path / f"{len(pages)}.html").read_bytes())
    assert pages[0] == pages[1]
    assert "数 é \\udc80 &lt;/script&gt;".encode() in pages[0]
    with subprocess.Popen(
        [*command, "list"], cwd=tmp_path, env=plain | {"PYTHONIOENCODING": "cp1252"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
