"""Comparing reports, and putting many on one page."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from groundcheck.grounding.cli import app
from groundcheck.grounding.report.differences import print_differences
from groundcheck.grounding.report.leaderboard import differences, render_leaderboard
from groundcheck.grounding.results.comparison import compare, estimate, report_names
from groundcheck.grounding.results.report import Report


def shifted(report: Report, *by: float) -> Report:
    """Every trial's task accuracy moved by an amount of its seed."""
    tasks = [
        replace(
            task,
            outcomes=[
                replace(o, scores=replace(o.scores, task=o.scores.task + by[o.seed])) if o.scores else o
                for o in task.outcomes
            ],
        )
        for task in report.tasks
    ]
    return replace(report, tasks=tasks)


def test_differences_are_paired_by_seed(mlp_report: Report) -> None:
    rows = compare([mlp_report, shifted(mlp_report, 0.1, 0.3)])
    [difference] = [row.difference for row in rows if row.figure == "task" and row.report == 1]
    assert difference
    assert difference.mean == pytest.approx(0.2)
    # Student's t for two values 0.2 apart: 12.706 · (0.2 / √2) / √2 = 1.27, beyond what a difference can be.
    assert difference.interval == (-1, 1)
    [same] = [row.difference for row in rows if row.figure == "aligned" and row.report == 1]
    assert same
    assert same.interval == (0, 0)


def test_only_common_seeds_count(mlp_report: Report) -> None:
    [task] = mlp_report.tasks
    fewer = replace(mlp_report, tasks=[replace(task, outcomes=[o for o in task.outcomes if o.seed == 1])])
    [row] = [row for row in compare([mlp_report, fewer]) if row.figure == "task" and row.report == 1]
    assert row.difference
    assert (row.difference.seeds, row.difference.interval) == (1, None)


def test_interval_of_a_mean() -> None:
    found = estimate([0.4, 0.5, 0.6])
    assert found
    assert found.interval == pytest.approx((0.5 - 0.24841, 0.5 + 0.24841), abs=1e-4)  # t = 4.3027, s = 0.1
    assert estimate([]) is None


def test_what_differs_is_named(mlp_report: Report, report: Report) -> None:
    [task] = mlp_report.tasks
    for other, message in (
        (replace(mlp_report, tasks=[replace(task, version=2)]), "version of the task is 1 in one and 2"),
        (replace(mlp_report, images="mnist"), "image set is digits in one and mnist"),
        (replace(mlp_report, images_digest="0" * 64), "content of the image set"),
        (
            replace(mlp_report, tasks=[replace(task, training={**task.training, "puzzles": 9})]),
            "budget puzzles is 64 in one and 9",
        ),
        (
            replace(mlp_report, tasks=[replace(task, settings={**task.settings, "symbols": 4})]),
            "setting symbols is 10 in one and 4",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            compare([mlp_report, other])
    with pytest.raises(ValueError, match="no task in common: report 1 has mapping; report 2 has none"):
        compare([mlp_report, replace(report, tasks=[])])
    with pytest.raises(ValueError, match="two reports or more"):
        compare([mlp_report])


def test_command_compares(tmp_path: Path, mlp_report: Report) -> None:
    mlp_report.write(tmp_path / "a.json")
    shifted(mlp_report, 0.1, 0.1).write(tmp_path / "b.json")
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    told = CliRunner().invoke(app, ["compare", *paths, "--json", str(tmp_path / "c.json")])
    assert told.exit_code == 0, told.output
    assert "+0.100" in told.output
    rows = json.loads((tmp_path / "c.json").read_text())["rows"]
    assert next(row["difference"]["mean"] for row in rows if row["difference"]) == pytest.approx(0.1)


def test_leaderboard_gathers_what_can_be_compared(tmp_path: Path, mlp_report: Report, report: Report) -> None:
    (tmp_path / "deep").mkdir()
    mlp_report.write(tmp_path / "deep" / "one.json")
    replace(mlp_report, solver="<b>rival</b>").write(tmp_path / "two.json")
    report.write(tmp_path / "three.json")
    (tmp_path / "broken.json").write_text('{"schema": 99, "solver": "x", "tasks": []}')
    (tmp_path / "other.json").write_text("[1, 2]")
    output = tmp_path / "index.html"
    told = CliRunner().invoke(app, ["leaderboard", str(tmp_path), "-o", str(output)])
    assert told.exit_code == 0, told.output
    assert "broken.json has schema 99" in told.output
    assert "other.json" not in told.output
    page = output.read_text()
    assert page.count("<table") == 2  # mapping of all three; sudoku
    assert 'href="deep/one.json"' in page
    assert "&lt;b&gt;rival" in page
    assert "<b>rival" not in page


def test_leaderboard_says_in_words_what_differs_between_its_tables(
    tmp_path: Path, mlp_report: Report, report: Report
) -> None:
    [task] = mlp_report.tasks
    longer = replace(task, training={**task.training, "epochs": 20}, settings={**task.settings, "symbols": 5})
    other = replace(mlp_report, tasks=[longer], images="mnist", images_digest="1" * 64)
    dated = replace(report, ended="2026-11-27T15:47:00+00:00")
    page = render_leaderboard([(tmp_path, mlp_report), (tmp_path, other), (tmp_path, dated)], tmp_path)
    first, second = (part.partition("</p>")[0] for part in page.split("64 training puzzles, ")[1:3])
    assert {first.partition(" epochs")[0], second.partition(" epochs")[0]} == {"2", "20"}
    assert page.count("Differs from the first table of mapping:") == 1
    assert re.search(r"symbols \d+ instead of \d+; .*images .*; epochs \d+ instead of \d+\.", page)
    assert page.count('<svg class="mini"') >= 1
    assert "27 November 2026" in page


def test_differences_are_told_of_what_one_of_two_lacks() -> None:
    one, other = {"task": "made", "epochs": 2, "size": None}, {"task": "made", "epochs": 2, "size": 4}
    assert differences(one, one) == ""
    assert differences(one, other) == "size 4 instead of unset"
    assert differences({"puzzles": 2000}, {}) == "training puzzles unset instead of 2,000"


def retrained(report: Report, **training: object) -> Report:
    """The same report with another budget."""
    [task] = report.tasks
    return replace(report, tasks=[replace(task, training={**task.training, **training})])


def judged(report: Report) -> Report:
    """The same report, as of a network that was trained elsewhere."""
    [task] = report.tasks
    return replace(report, tasks=[replace(task, training={"trained": "elsewhere"})])


def test_reports_of_other_budgets_are_compared_when_asked_to(tmp_path: Path, mlp_report: Report) -> None:
    longer = retrained(mlp_report, epochs=20)
    with pytest.raises(
        ValueError, match=r"budget epochs is 2 in one and 20 in the other\. With --any-budget they"
    ):
        compare([mlp_report, longer])
    with pytest.raises(ValueError, match="training is done here in one and done elsewhere in the other"):
        compare([mlp_report, judged(mlp_report)])
    assert compare([mlp_report, longer], any_budget=True)
    assert compare([mlp_report, judged(mlp_report)], any_budget=True)
    other = replace(longer, images="mnist", images_digest="1" * 64)
    with pytest.raises(ValueError, match=r"image set is digits in one and mnist in the other$"):
        compare([mlp_report, other], any_budget=True)
    for name, report in (("a.json", mlp_report), ("b.json", longer)):
        report.write(tmp_path / name)
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    assert CliRunner().invoke(app, ["compare", *paths]).exit_code == 2
    told = CliRunner().invoke(app, ["compare", *paths, "--any-budget"])
    assert told.exit_code == 0, told.output
    assert "2: epochs=20" in told.output


def test_reports_are_called_by_what_differs_and_nothing_else(mlp_report: Report) -> None:
    assert report_names([mlp_report, mlp_report]) == ["mlp", "mlp"]
    rated = [retrained(mlp_report, rate=rate) for rate in (0.1, 0.2)]
    assert report_names(rated) == ["rate=0.1", "rate=0.2"]
    wide = replace(rated[1], solver="rival", options={"rate": 3})
    assert report_names([rated[1], wide]) == ["mlp", "rival, solver.rate=3"]
    looked = replace(mlp_report, perception=replace(mlp_report.perception, name="mlp"))
    assert report_names([mlp_report, looked]) == ["perception=lenet", "perception=mlp"]


def test_leaderboard_names_what_differs_and_takes_other_budgets(tmp_path: Path, mlp_report: Report) -> None:
    rated = [
        retrained(replace(mlp_report, options={"width": 8}), rate=rate, epochs=epochs)
        for rate, epochs in ((0.1, 2), (0.2, 2), (0.2, 20))
    ]
    found = [(tmp_path, report) for report in rated]
    page = render_leaderboard(found, tmp_path)
    assert page.count("<table") == 2
    assert '<td data-label="rate">0.2</td>' in page
    assert 'data-label="width"' not in page
    assert 'data-label="epochs"' not in page
    assert "width=8" in page
    page = render_leaderboard(found, tmp_path, any_budget=True)
    assert page.count("<table") == 1
    assert '<td data-label="epochs">20</td>' in page
    assert "epochs 20 instead" not in page


def test_leaderboard_tells_what_was_trained_elsewhere_in_words(tmp_path: Path, mlp_report: Report) -> None:
    pair = [(tmp_path, mlp_report), (tmp_path, judged(mlp_report))]
    for order in (pair, pair[::-1]):
        page = render_leaderboard(order, tmp_path)
        assert "unset" not in page
        assert "Images digits, trained elsewhere." in page
        assert page.count("Differs from the first table of mapping:") == 1
    here = {"task": "made", "perception": "mlp", "epochs": 2}
    assert differences({"task": "made", "trained elsewhere": True}, here) == "trained here"
    assert differences(here, {"task": "made", "trained elsewhere": True}) == "trained elsewhere"


def test_leaderboard_of_nothing_is_refused(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["leaderboard", str(tmp_path), "-o", str(tmp_path / "x.html")])
    assert told.exit_code == 2
    assert "holds no report" in told.output
    told = CliRunner().invoke(app, ["leaderboard", str(tmp_path / "missing")])
    assert told.exit_code == 2


@pytest.mark.parametrize("width", [60, 79, 80, 99, 100, 129, 130])
def test_a_comparison_fits_its_terminal_and_breaks_no_word(mlp_report: Report, width: int) -> None:
    named = replace(mlp_report, solver="grounded-satnet")
    console = Console(width=width, record=True, file=io.StringIO())
    print_differences(compare([mlp_report, named]), [mlp_report, named], console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    for whole in ("2: grounded-satnet", "task accuracy", "aligned grounding", "(+0.000 to +0.000)", "common"):
        assert whole in text
    assert "…" not in text
