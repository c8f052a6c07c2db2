"""The page of an experiment: what is in it, and how it behaves in a real browser."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groundcheck.grounding.report.experiment_data import Axis, axes_of, embedded_json, first_choice
from groundcheck.grounding.report.experiment_page import render_experiment
from groundcheck.grounding.results.cells import cell_results
from groundcheck.grounding.results.experiment import ExperimentRecord
from groundcheck.grounding.results.pooling import pooled
from groundcheck.grounding.results.report import Report

from ..sweeps import RATES, sweep

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><!--<script>{{ 7*7 }}"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MAX_OPENING = 3.0  # seconds, of ten thousand trials


@pytest.fixture(scope="module")
def record(mlp_report: Report) -> ExperimentRecord:
    return sweep(mlp_report)


def test_every_cell_is_told_and_what_is_equal_is_told_once(record: ExperimentRecord) -> None:
    page = render_experiment(record)
    assert page.count("data-cell=") == 4
    for result in cell_results(record):
        mean = result.estimate("task")
        assert mean
        assert f">{mean.mean:.3f}" in page
    assert f"4 cells, all decided; {len(record.trials)} trials, 2 of them from the cache" in page
    common = page.partition("In all cells:")[2].partition("</p>")[0]
    for word in ("width 8", "perception lenet", "task mapping", "puzzles 64"):
        assert word in common
    assert "lr 0.0" not in common
    assert "Not finished." not in page


def test_published_figures_stand_beside_and_in_no_mean(record: ExperimentRecord) -> None:
    page = render_experiment(record)
    beside = page.partition('id="published"')[2].partition("</section>")[0]
    assert beside.count("Somebody 2019, Table 2") == 2  # mlp, at both rates
    assert beside.count("0.987") == 2
    assert "on 9,000 puzzles" in beside
    assert "mlp, lr=0.01" in beside
    data = page.partition('id="experiment">')[2].partition("</script>")[0]
    assert "9870" not in data
    assert 'id="published"' not in render_experiment(replace(record, published=[]))


def test_an_experiment_that_has_not_ended_says_so(record: ExperimentRecord) -> None:
    page = render_experiment(replace(record, ended="", reports={}))
    assert "It still runs, or was killed" in page
    assert page.count("not decided yet</span>") == 5  # one in the count, one per cell
    assert "It was interrupted" in render_experiment(replace(record, interrupted=True))
    partly = replace(record, reports={0: record.reports[0]})
    assert "1 of 4 cells decided" in render_experiment(partly)
    assert "3 cells of it got no verdict." in render_experiment(partly)


def test_an_experiment_of_nothing_is_a_page(record: ExperimentRecord) -> None:
    assert "4 cells" in render_experiment(replace(record, trials=[], reports={}, ended=""))


def test_data_cannot_leave_its_element() -> None:
    text = embedded_json({"name": HOSTILE})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"name": HOSTILE}


def test_what_is_shown_first() -> None:
    solver, task = Axis("solver", ["a", "b"]), Axis("task", ["m", "s"])
    size, rate = Axis("size", ["big", "small"]), Axis("lr", [0.1, 0.01])
    chosen = first_choice([task, size, solver, rate])
    assert (chosen.rows, chosen.columns) == ("solver", "task")
    assert (chosen.across, chosen.lines, chosen.heat) == ("lr", "solver", ("lr", "size"))
    chosen = first_choice([size, rate])
    assert (chosen.rows, chosen.columns, chosen.across, chosen.lines) == ("size", "lr", "lr", "size")
    chosen = first_choice([Axis("task", ["m", "s"]), Axis("solver", ["a"])])
    assert (chosen.rows, chosen.columns, chosen.across) == ("solver", "task", "task")
    assert Axis("x", [True, False]).numbers is None


def test_axes_are_those_that_vary(record: ExperimentRecord) -> None:
    assert [(axis.name, axis.labels) for axis in axes_of(record)] == [
        ("solver", ["mlp", "rival"]), ("lr", ["0.001", "0.01"]),
    ]  # fmt: skip


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

    def open_page(record: ExperimentRecord) -> Any:
        (tmp_path / "page.html").write_text(render_experiment(record))
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: complaints.append(r.url) if r.url.startswith("http") else None)
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_page
    context.close()
    assert complaints == []


def squares(page: Any, name: str) -> list[list[str]]:
    """The texts of a table of two axes, headings included, by row."""
    rows = page.locator(f"#{name} tr").all()
    return [[" ".join(text.split()) for text in row.locator("th, td").all_inner_texts()] for row in rows]


def test_the_grid_has_the_verdicts_and_the_heat_map_the_same_means_as_the_files(
    visit: Any, record: ExperimentRecord
) -> None:
    page = visit(record)
    verdict = record.reports[0].judgement.verdict
    judged = record.reports[0].judgement
    grid = squares(page, "grid")
    assert grid[0] == ["solver \\ lr", "0.001", "0.01"]
    assert grid[1] == ["mlp", *[f"{verdict} {judged.grounded} of {judged.seeds}"] * 2]
    page.locator("#heat-figure").select_option("task")
    results = cell_results(record)
    heat = squares(page, "heat-map")
    flat = {text for row in heat[1:] for text in row[1:]}
    for result in results:
        found = pooled([result], "task")
        assert found
        assert found.interval
        low, high = found.interval
        assert f"{found.mean:.3f} {low:.3f} to {high:.3f}" in flat
    # A third axis is pooled: both solvers in one square.
    page.locator("#grid-rows").select_option("lr")
    page.locator("#grid-columns").select_option("lr")
    assert squares(page, "grid")[1] == ["0.001", f"{verdict} 2", ""]
    page.locator("#heat-rows").select_option("lr")
    page.locator("#heat-columns").select_option("lr")
    both = pooled([r for r in results if r.cell.varied["lr"] == RATES[0]], "task")
    assert both
    assert both.interval
    low, high = both.interval
    assert squares(page, "heat-map")[1] == ["0.001", f"{both.mean:.3f} {low:.3f} to {high:.3f}", "–"]


def test_filters_act_on_the_whole_page_by_keyboard(visit: Any, record: ExperimentRecord) -> None:
    page = visit(record)
    status = page.locator("#filters [role=status]")
    assert status.inner_text() == "4 cells"
    assert page.locator("#curve [role=img] path.line").count() == 2
    choice = page.get_by_label("solver", exact=True)
    choice.focus()
    page.keyboard.type("rival")
    assert status.inner_text() == "2 of 4 cells"
    assert page.locator("#cell-table tbody tr:visible").count() == 2
    assert [row[0] for row in squares(page, "grid")[1:]] == ["rival"]
    assert page.locator("#curve [role=img] path.line").count() == 1
    assert page.locator("#parallel-plot path[data-out]").count() == 2
    page.get_by_role("button", name="Show all").click()
    assert status.inner_text() == "4 cells"
    assert page.locator("#cell-table tbody tr:visible").count() == 4


def test_brushing_an_axis_keeps_what_passes_there(visit: Any, record: ExperimentRecord) -> None:
    page = visit(record)
    hit = page.locator('#parallel-plot [data-column="1"]')  # the rates, of which 0.01 is on top
    hit.scroll_into_view_if_needed()
    box = hit.bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] / 3, steps=4)
    page.mouse.up()
    assert page.locator("#filters [role=status]").inner_text() == "2 of 4 cells"
    kept = page.locator("#cell-table tbody tr:visible td[data-label=lr]").all_inner_texts()
    assert kept == ["0.01", "0.01"]
    page.mouse.click(middle, box["y"] + box["height"] / 2)
    assert page.locator("#filters [role=status]").inner_text() == "4 cells"


def test_curves_have_bands_and_words(visit: Any, record: ExperimentRecord) -> None:
    page = visit(record)
    assert page.locator("#curve path.band").count() == 2
    assert page.locator("#curve svg").first.get_attribute("aria-label") == (
        "aligned grounding by lr, a line per solver"
    )
    assert page.locator("#curve .legend li").all_inner_texts() == ["mlp", "rival"]
    assert page.locator("#learning-curve [role=img] path.line").count() == 2
    assert page.locator("#learning-curve path.band").count() == 0  # each stands for two cells
    page.get_by_label("lr", exact=True).select_option("0.01")
    assert page.locator("#learning-curve path.band").count() == 2


def test_a_phone_need_not_scroll_sideways_and_dark_differs(visit: Any, record: ExperimentRecord) -> None:
    page = visit(record)
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(colour) != light
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    width = "document.querySelector('#curve svg.plot')?.getBoundingClientRect().width"
    page.wait_for_function(f"() => 0 < {width} && {width} <= 390")  # a resized plot is drawn anew
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_hostile_names_run_nothing(visit: Any, record: ExperimentRecord) -> None:
    cells = [
        replace(cell, solver=HOSTILE, varied={**cell.varied, HOSTILE: f"{HOSTILE}{cell.number}"})
        for cell in record.cells
    ]
    axes = {**record.axes, HOSTILE: [f"{HOSTILE}{number}" for number in range(4)]}
    broken = replace(record.trials[0].outcome, scores=None, error=HOSTILE)
    trials = [replace(record.trials[0], outcome=broken), *record.trials[1:]]
    published = [replace(record.published[0], source=HOSTILE)]
    hostile = replace(
        record, name=HOSTILE, cells=cells, axes=axes, trials=trials, published=published,
        environment={HOSTILE: HOSTILE},
    )  # fmt: skip
    page = visit(hostile)
    page.locator("#grid-rows").select_option(HOSTILE)
    assert page.locator("#grid tbody th").first.inner_text() == f"{HOSTILE}0"
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert page.evaluate("document.title") == f"groundcheck experiment: {HOSTILE}"


def test_ten_thousand_trials_open_at_once(visit: Any, record: ExperimentRecord) -> None:
    """A thousand cells of ten trials, as ten solvers by ten sizes by ten rates."""
    large = thousand_cells(record)
    assert len(large.trials) == 10_000
    assert len(render_experiment(large)) < 2_500_000
    page = visit(large)
    page.locator("#grid td").first.wait_for()
    # Processor time of the page, as the machine may be busy with other tests: of parsing, script and layout.
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.reload()
    page.locator("#grid td").first.wait_for()
    metrics = session.send("Performance.getMetrics")["metrics"]
    spent = next(one["value"] for one in metrics if one["name"] == "TaskDuration")
    assert 0.01 < spent < MAX_OPENING
    assert page.locator("#filters [role=status]").inner_text() == "1000 cells"
    assert page.locator("#parallel-plot path[style*='--hue']").count() == 1000


def thousand_cells(record: ExperimentRecord) -> ExperimentRecord:
    ten = range(10)
    own = [row for row in record.trials if row.cells == [0] and row.outcome.role == "grounding"]
    cells = [
        replace(
            record.cells[0], number=number,
            varied={"solver": f"s{number // 100}", "size": number // 10 % 10, "lr": number % 10 + 1},
        )
        for number in range(1000)
    ]  # fmt: skip
    trials = [
        replace(own[seed % 2], key=f"{cell.number}-{seed}", cells=[cell.number],
                outcome=replace(own[seed % 2].outcome, seed=seed))
        for cell in cells
        for seed in ten
    ]  # fmt: skip
    axes = {"solver": [f"s{n}" for n in ten], "size": [*ten], "lr": [n + 1 for n in ten]}
    reports = {cell.number: record.reports[0] for cell in cells}
    return replace(record, cells=cells, trials=trials, axes=axes, reports=reports, published=[])


def test_the_policy_lets_only_its_own_scripts_run(record: ExperimentRecord) -> None:
    page = render_experiment(record)
    policy = re.search(r"script-src ([^\"]*)", page)
    assert policy
    assert policy[1].count("sha256-") == 2
    assert "unsafe" not in policy[1]
