"""A diagnosis as it is drawn."""

import io

import pytest
from rich.console import Console

from groundcheck.grounding.diagnosis.cause import Explanation, Series
from groundcheck.grounding.diagnosis.diagnosis import Diagnosis, SeedFigures
from groundcheck.grounding.report.diagnosis import print_diagnosis, render_diagnosis, sparkline

FOUND = Explanation(
    "collapsed", "perception collapsed", 0.75, "it tells 2 of 4 <symbols> apart", "Keep them apart.",
    "A trial.", {"used": 2.0},
    [Series("aligned grounding", [0.2, None, 0.5]), Series("spread", [0.1, 0.1, 0.1])], 3, "too-fast", (1, 2),
)  # fmt: skip
SEEDS = [SeedFigures(3, 0.5, 0.1, 0.5, 0.98, True), SeedFigures(4, 0.97, 0.1, 0.98, 0.98, False)]
DIAGNOSIS = Diagnosis(
    "a<b", "mapping", "UNGROUNDED", "it fails", [FOUND], SEEDS, ["collapsed", "budget"], plateau=True
)


@pytest.mark.parametrize(
    ("values", "letters"),
    [([0.0, 1.0, 2.0], "▁▅█"), ([1.0, None, 2.0], "▁·█"), ([3.0, 3.0], "▁▁"), ([None], ""), ([], "")],
)
def test_a_curve_is_a_line_of_letters(values: list[float | None], letters: str) -> None:
    assert sparkline(values) == letters


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    assert len(sparkline([float(n) for n in range(100)])) <= 40
    assert sparkline([float(n) for n in range(100)])[-1] == "█"


def test_a_terminal_is_told_everything() -> None:
    console = Console(file=io.StringIO(), width=120)
    print_diagnosis(DIAGNOSIS, console)
    told = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    for words in (
        "1 of 2 seeds fail; most likely: perception collapsed", "strength 0.75, on 1 of 2 failing seeds",
        "perhaps as perception is too fast", "It tells 2 of 4 <symbols> apart (seed 3).",
        "aligned grounding ▁·█ 0.2 → 0.5", "To do: Keep them apart.", "Refuted by: A trial.",
        "no longer falls", "Looked for and not found: the budget is too small",
    ):  # fmt: skip
        assert words in told


def test_a_page_shows_it_and_trusts_nothing() -> None:
    drawn = render_diagnosis(DIAGNOSIS)
    assert "a&lt;b" in drawn
    assert "2 of 4 &lt;symbols&gt; apart" in drawn
    assert "<symbols>" not in drawn
    assert drawn.count("<svg") == 1
    assert "aligned grounding ▁·█ 0.2 → 0.5" in drawn  # for those who see no picture


@pytest.mark.parametrize(
    ("seeds", "words"),
    [([], "no seed was scored"), (SEEDS[1:], "nothing failed"), (SEEDS, "no cause of the list explains it")],
)
def test_without_a_cause_it_says_so(seeds: list[SeedFigures], words: str) -> None:
    assert words in Diagnosis("mlp", "mapping", "GROUNDED", "", [], seeds).summary
