"""The page of a report: what is in it, what cannot get into it, and how it behaves in a real browser."""

import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from groundcheck.datasets.images import load_images
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.cli import app
from groundcheck.grounding.report.html import render_report
from groundcheck.grounding.report.leaderboard import render_leaderboard
from groundcheck.grounding.report.table import print_report
from groundcheck.grounding.results.report import Report

from . import made

HOSTILE = (
    "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>{{ 7*7 }}"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def hostile(report: Report) -> Report:
    """Every text that may come from outside, turned against the reader."""
    [first, *others] = report.tasks
    finding = Finding(f"bypass/{HOSTILE}", "fail", HOSTILE, HOSTILE)
    broken = replace(first.outcomes[0], scores=None, error=f"Traceback\n{HOSTILE}", solver=HOSTILE)
    judged = replace(first.judgement, reason=HOSTILE, remedy=HOSTILE)
    first = replace(
        first,
        task=HOSTILE,
        judgement=judged,
        findings=[finding],
        outcomes=[*first.outcomes, broken],
        settings={**first.settings, HOSTILE: HOSTILE},
    )
    environment = {**report.environment, "command": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    return replace(report, solver=HOSTILE, tasks=[first, *others], environment=environment)


@pytest.fixture(scope="module")
def large(report: Report) -> Report:
    """Ten thousand trials, over five tasks."""
    [task, _] = report.tasks
    many = [replace(outcome, seed=seed) for seed in range(500) for outcome in task.outcomes]
    return replace(report, tasks=[replace(task, outcomes=many)] * 5)


class Outline(HTMLParser):
    """Which elements a page has, and what they fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def render(report: Report) -> str:
    return render_report(report, load_images(report.images))


def test_page_is_self_contained_and_holds_everything(report: Report) -> None:
    page = render(report)
    fetched = [
        value
        for _, attributes in Outline(page).elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action") and value and not value.startswith(("#", "data:"))
    ]
    assert fetched == []
    for outcome in report.tasks[0].outcomes:
        assert outcome.scores
        assert f"{outcome.scores.task:.3f}" in page
    assert report.images_digest in page
    assert report.environment["versions"]["torch"] in page
    assert page.count("data:image/png") == sum(
        image >= 0
        for task in report.tasks
        for outcome in task.outcomes
        if outcome.role == "grounding" and outcome.scores
        for board in outcome.scores.boards
        for image in board.image
    )
    assert page.count("<svg") == 12  # plane, calibration and four curves of each task
    assert page.count("Before alignment</caption>") == page.count("After alignment</caption>") == 2


def test_every_accuracy_stands_beside_its_interval_over_test_puzzles(report: Report) -> None:
    printed = Console(width=120, record=True, file=io.StringIO())
    print_report(report, printed)
    text, page = printed.export_text(), render_report(report, None)
    for task in report.tasks:
        for name in ("task", "raw", "aligned"):
            [scores] = task.scores("grounding")
            low, high = scores.intervals[name]
            assert 0 <= low <= high <= 1
            assert low - 0.05 <= getattr(scores, name) <= high + 0.05
            assert task.half_width("grounding", name) == pytest.approx((high - low) / 2)
            assert f"±{(high - low) / 2:.3f}" in text
            assert f"±{(high - low) / 2:.3f}" in page
    assert "test-set interval" in " ".join(text.split())
    without = replace(report.tasks[0].outcomes[0].scores, intervals={})
    old = replace(report.tasks[0], outcomes=[replace(report.tasks[0].outcomes[0], scores=without)])
    assert old.half_width("grounding", "task") is None


def test_same_report_gives_the_same_page(report: Report) -> None:
    assert render(report) == render(report)


def test_ids_are_unique(report: Report) -> None:
    ids = [attributes["id"] for _, attributes in Outline(render(report)).elements if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_hostile_text_stays_text(hostile: Report) -> None:
    page = render(hostile)
    elements = Outline(page).elements
    assert sum(tag == "script" for tag, _ in elements) == 1
    assert not [attributes for _, attributes in elements if any(name.startswith("on") for name in attributes)]
    assert "{{ 7*7 }}" in page
    assert "49}}" not in page


def test_readings_are_those_that_the_verdict_counts(report: Report) -> None:
    """After alignment where rules are learned, as they are where rules are given."""
    [task, *_] = report.tasks
    renamed = [
        replace(o, scores=replace(o.scores, relabelling=[*range(1, 10), 0])) if o.scores else o
        for o in task.outcomes
    ]
    page = {
        rules: render(replace(report, rules=rules, tasks=[replace(task, outcomes=renamed)]))
        for rules in ("given", "learned")
    }
    readings = {
        rules: [int(read) for read in re.findall(r": read as (\d)", text)] for rules, text in page.items()
    }
    assert readings["given"]
    assert readings["learned"] == [(read + 1) % 10 for read in readings["given"]]


def test_images_of_another_set_are_not_shown(report: Report) -> None:
    page = render_report(replace(report, images_digest="0" * 64), load_images("digits"))
    assert "data:image/png" not in page
    assert "is not at hand" in page


def test_command_writes_the_page(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "report.json")
    told = CliRunner().invoke(app, ["report", str(tmp_path / "report.json")])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("newer.json", json.dumps({"schema": 99}), "has schema 99, and this groundcheck reads up to"),
        ("other.json", "[]", "no groundcheck report"),
        ("cut.json", '{"schema": 1, "solv', "is damaged"),
        ("short.json", '{"schema": 1}', "is damaged"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    told = CliRunner().invoke(app, ["report", str(tmp_path / name)])
    assert told.exit_code == 2
    assert message in told.output


def test_a_page_that_cannot_be_written_is_told(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "report.json")
    for output, reason in (
        ("/dev/full", "No space left"),
        (str(tmp_path / "report.json" / "x"), "Not a directory"),
    ):
        told = CliRunner().invoke(app, ["report", str(tmp_path / "report.json"), "-o", output])
        assert told.exit_code == 2
        assert reason in told.output


def test_says_when_it_was_made_and_how_long_it_took(report: Report) -> None:
    dated = replace(report, started="2026-11-27T15:47:00+00:00", ended="2026-11-27T16:02:00+00:00")
    assert "27 November 2026, 15:47 to 16:02 UTC; 8 trials took" in render_report(dated, None)
    hostile = replace(report, started=HOSTILE, ended=HOSTILE)
    assert HOSTILE not in render_report(hostile, None)


def test_an_interrupted_run_says_so(report: Report) -> None:
    assert "<b>Interrupted.</b>" in render_report(replace(report, interrupted=True), None)
    assert "<b>Interrupted.</b>" not in render_report(report, None)


def test_passing_checks_are_folded_and_others_are_not() -> None:
    statuses = ("pass", "fail", "skip", "inconclusive", "error", "pass")
    findings = [Finding(f"family/{n}", status, "so it is") for n, status in enumerate(statuses)]
    page = render_report(made.report(made.task_report([], findings=findings)), None)
    before, _, folded = page.partition("<summary>2 passed, 1 skipped</summary>")
    assert "1 broke, 1 failed, 1 inconclusive." in before.partition("<h3>Checks</h3>")[2].capitalize()
    assert [f"family/{n}" in before for n in range(6)] == [False, True, False, True, True, False]
    assert [f"family/{n}" in folded for n in range(6)] == [True, False, True, False, False, True]


# In a real browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a page; at the end nothing may have been told in the console or asked of the network."""
    context = browser.new_context(offline=True)
    complaints: list[str] = []

    def open_page(report: Report | str) -> Any:
        (tmp_path / "page.html").write_text(report if isinstance(report, str) else render(report))
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: complaints.append(r.url) if r.url.startswith("http") else None)
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_page
    context.close()
    assert complaints == []


def column(page: Any, number: int) -> list[str]:
    return page.locator(f"#trial-table tbody tr:visible td:nth-child({number})").all_inner_texts()


def test_filters_and_sorts_by_keyboard(visit: Any, report: Report) -> None:
    page = visit(report)
    page.get_by_label("Filter trials").focus()
    page.keyboard.type("sudoku exact")
    assert page.get_by_role("status").inner_text() == "2 of 8 rows"  # a ceiling is of no solver
    assert column(page, 2) == ["grounding", "reasoning"]
    page.get_by_label("Filter trials").fill("")
    heading = page.locator("#trial-table th", has_text="task acc.")
    heading.get_by_role("button").focus()
    for direction, ordered in (("ascending", False), ("descending", True)):
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == direction
        figures = [float(text) for text in column(page, 5)]
        assert figures == sorted(figures, reverse=ordered)
        assert len(figures) == 8


def test_light_and_dark_differ_and_text_keeps_its_contrast(visit: Any, report: Report) -> None:
    page = visit(report)
    colours = "() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    light = page.evaluate(colours)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate(colours)
    for ink, paper in (light, dark):
        assert contrast(ink, paper) > 7  # WCAG 2.1, AAA
    assert light != dark


def contrast(*colours: str) -> float:
    """The contrast ratio of two colours, WCAG 2.1."""
    lights = []
    for colour in colours:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return max(lights) / min(lights)


def test_screen_reader_hears_boards_and_tables(visit: Any, report: Report) -> None:
    page = visit(report)
    tree = page.locator("main").aria_snapshot()
    assert re.search(r"read as \d", tree)
    assert re.search(r"answered \d", tree)
    assert "Every trial with its scores" in tree
    assert "Every seed by aligned grounding accuracy" in tree


def test_hostile_report_runs_nothing(visit: Any, hostile: Report) -> None:
    page = visit(hostile)
    assert "owned" not in page.evaluate("document.title").replace(HOSTILE, "")
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img[src=x]").count() == 0


def test_prints_light_and_without_controls(visit: Any, report: Report) -> None:
    page = visit(report)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.get_by_role("button", name="Switch between light and dark").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")


def test_a_phone_need_not_scroll_sideways(visit: Any, report: Report, hostile: Report) -> None:
    for shown in (report, hostile):
        page = visit(shown)
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 390


WIDE = """() => {
  const wide = [];
  for (const cell of document.querySelectorAll("table.data :is(td, tbody th)")) {
    if (!cell.checkVisibility()) continue;
    if (cell.getBoundingClientRect().right > innerWidth || cell.scrollWidth > cell.clientWidth + 1)
      wide.push(cell.textContent);
  }
  return wide;
}"""


@pytest.mark.parametrize("width", [420, 360])
def test_tables_are_cards_on_a_phone_and_nothing_of_them_is_cut(
    visit: Any, report: Report, width: int
) -> None:
    long = replace(report, solver="a_package.of_mine.with_a_long_name:TheSolverThatIsNamedAtLength")
    for shown in (render(long), render_leaderboard([(Path("a.json"), long)], Path())):
        page = visit(shown)
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert page.evaluate(WIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        label = "getComputedStyle(document.querySelector('td[data-label]'), '::before').content"
        assert page.evaluate(label) in ('"task acc."', '"rules"')


def test_confusion_matrices_are_square(visit: Any) -> None:
    page = visit(render_report(made.report(made.task_report([made.outcome("grounding", 0, 0.5, 0.8)])), None))
    for width in (1400, 420):
        page.set_viewport_size({"width": width, "height": 900})
        sides = page.evaluate(
            "[...document.querySelectorAll('.confusion td')].map(c => c.getBoundingClientRect())"
            ".map(b => Math.abs(b.width - b.height))"
        )
        assert len(sides) == 2 * (9 + 1)
        assert max(sides) < 1
    assert page.get_by_text("never read: 2").count() == 2
    assert page.locator(".confusion td", has_text="80").count() == 4


def test_how_to_read_it_stands_under_the_first_table(visit: Any, report: Report) -> None:
    page = visit(report)
    page.set_viewport_size({"width": 1400, "height": 900})
    places = (
        "['#verdicts', '#reading', '.task'].map(s => document.querySelector(s).getBoundingClientRect().top)"
    )
    tops = page.evaluate(places)
    assert tops == sorted(tops)
    assert page.get_by_text("what the same perception reads").is_visible()
    assert not page.get_by_text("its symbols are not the images").is_visible()
    page.get_by_text("How to read this").click()
    assert page.get_by_text("its symbols are not the images").is_visible()


def test_verdicts_and_notes_can_be_read_in_both_themes(visit: Any, report: Report) -> None:
    page = visit(report)
    colours = """s => { const e = document.querySelector(s);
      return [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]; }"""
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        for place in (".verdict", ".note", ".status", "a[href]", ".key"):
            assert contrast(*page.evaluate(colours, place)) > 4.5, (theme, place)  # WCAG 2.1, AA


def test_is_drawn(visit: Any, report: Report, tmp_path: Path) -> None:
    """A screenshot has the report's colours: plots, boards and shaded matrices are really there."""
    page = visit(report)
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    if folder := os.environ.get("GROUNDCHECK_SCREENSHOTS"):
        shutil.copy(tmp_path / "page.png", Path(folder) / "report.png")
    import matplotlib.image  # noqa: PLC0415

    picture = matplotlib.image.imread(tmp_path / "page.png")[..., :3]
    ink = (picture.min(-1) < 0.5).mean()
    blue = ((picture[..., 2] - picture[..., 0]) > 0.3).mean()
    assert 0.005 < ink < 0.3
    assert blue > 0.001


def test_ten_thousand_trials_open_at_once(visit: Any, large: Report) -> None:
    text = render(large)
    assert len(text.encode()) < 20_000_000
    loading: list[float] = []
    while not loading or (min(loading) >= 3 and len(loading) < 4):  # other work may hold one opening up
        page = visit(text)
        told = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        loading.append(told / 1000)
    assert page.locator("#trial-table tbody tr").count() == 10_000
    page.get_by_text("10000 trials", exact=True).click()
    page.get_by_label("Filter trials").fill("ceiling")
    assert page.get_by_role("status").inner_text() == "2500 of 10000 rows"
    assert min(loading) < 3
