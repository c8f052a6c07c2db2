"""Every figure as a file, in each format, wherever it may come from."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundcheck.datasets.errors import UnusableFileError
from groundcheck.grounding.cli import app
from groundcheck.grounding.report.export import export_figures
from groundcheck.grounding.report.html import write_page
from groundcheck.grounding.trials.trial import Outcome

from .made import outcome, report, task_report

STARTS = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}
TRIALS = [outcome("grounding", 0, 0.5, 0.5), outcome("ceiling", 0, 0.9, 0.9)]
SHOWN = [
    "plane", "curves", "symbols", "gradient", "loss", "calibration", "confusion-before", "confusion-after",
    "board-1",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_every_figure_becomes_a_file(tmp_path: Path, kind) -> None:
    written = export_figures(report(task_report(TRIALS)), tmp_path / "new" / "folder", kind=kind)
    assert [path.name for path in written] == [f"made-{name}.{kind}" for name in SHOWN]
    assert sorted(written) == sorted((tmp_path / "new" / "folder").iterdir())
    for path in written:
        assert path.read_bytes().startswith(STARTS[kind])


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind in ("svg", "pdf"):
        once, again = (
            [
                path.read_bytes()
                for path in export_figures(report(task_report(TRIALS)), tmp_path / place, kind=kind)
            ]
            for place in ("a", "b")
        )
        assert once == again


def test_names_of_tasks_stay_inside_the_folder_and_apart(tmp_path: Path) -> None:
    hostile = [task_report(TRIALS[:1], task=name, label=name) for name in ("../../x", "</x>", "数", "数")]
    written = export_figures(report(*hostile), tmp_path / "figures")
    assert len({*written}) == 4 * len(SHOWN)
    assert {path.parent for path in written} == {tmp_path / "figures"}
    assert {path.name.rpartition("-plane")[0] for path in written if "plane" in path.name} == {
        "x", "x-2", "task", "task-4",
    }  # fmt: skip


def test_command_writes_figures_or_a_page_or_both(tmp_path: Path) -> None:
    report(task_report(TRIALS)).write(tmp_path / "r.json")
    alone = CliRunner().invoke(app, ["report", str(tmp_path / "r.json"), "--figures", str(tmp_path / "f")])
    assert alone.exit_code == 0, alone.output
    assert len(alone.output.splitlines()) == len(SHOWN)
    assert not (tmp_path / "r.html").exists()
    both = ["--figures", str(tmp_path / "g"), "--format", "pdf", "-o", str(tmp_path / "page.html")]
    told = CliRunner().invoke(app, ["report", str(tmp_path / "r.json"), *both])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "page.html").exists()
    assert (tmp_path / "g" / "made-plane.pdf").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "pdf"], "name their folder with --figures FOLDER"),
        (["--figures", "r.json"], "is a file: name a folder"),
        (["--figures", "f", "--format", "gif"], "gif"),
    ],
)
def test_what_cannot_be_meant_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    report(task_report(TRIALS)).write(tmp_path / "r.json")
    told = CliRunner().invoke(app, ["report", "r.json", *arguments])
    assert told.exit_code == 2
    assert message in told.output


def test_nothing_to_draw_is_told(tmp_path: Path) -> None:
    report(task_report([Outcome("grounding", "made", "made", 0, error="Traceback")])).write(
        tmp_path / "r.json"
    )
    told = CliRunner().invoke(app, ["report", str(tmp_path / "r.json"), "--figures", str(tmp_path / "f")])
    assert told.exit_code == 2
    assert "has nothing to draw" in told.output


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableFileError, match="cannot be made"):
        export_figures(report(task_report(TRIALS)), tmp_path / "file" / "below")


@pytest.mark.parametrize(
    "tasks",
    [
        [],
        [task_report([])],
        [task_report(TRIALS[:1])],
        [task_report([outcome("grounding", 0, 0.5, 0.5, boards=[], calibration=None, intervals={})])],
        [task_report([outcome("grounding", 0, 0.5, None)])],
        [task_report([Outcome("grounding", "made", "made", 0, TRIALS[0].scores)])],
    ],
    ids=["no-task", "no-trial", "no-ceiling", "no-boards", "no-images", "no-curve"],
)
def test_a_page_is_drawn_of_whatever_there_is(tmp_path: Path, tasks) -> None:
    write_page(tmp_path / "page.html", report(*tasks))
    page = (tmp_path / "page.html").read_text()
    assert page.endswith("</html>\n")
    assert "27 November 2026, 15:47 to 15:52 UTC" in page
