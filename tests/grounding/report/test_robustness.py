import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from groundcheck.grounding.checks.beyond import check_beyond
from groundcheck.grounding.checks.robust import BeyondSeeds
from groundcheck.grounding.gate.gate import evaluate_gate
from groundcheck.grounding.gate.project import Terms, read_project
from groundcheck.grounding.measures.abstention import measure_abstention
from groundcheck.grounding.measures.beyond import Beyond
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.robustness import (
    RATES,
    SUITES,
    Condition,
    Copies,
    Correction,
    Robustness,
    pack,
)
from groundcheck.grounding.report.canvas import embedded
from groundcheck.grounding.report.html import render_report
from groundcheck.grounding.report.robustness import curves_of, markdown, print_robustness, verdicts
from groundcheck.grounding.report.table import print_report
from groundcheck.grounding.results.report import Report, TaskReport
from groundcheck.grounding.trials.trial import Outcome
from groundcheck.grounding.verdict import Judgement

BOARDS = 200


def asked(shares, task: float = 0.9, ood: float = 0.88, suites=SUITES) -> Beyond:
    def hits(share: float) -> str:
        return pack(np.arange(BOARDS) < round(share * BOARDS))

    conditions = [
        Condition("" if rate == 0 else suite, rate, hits(share), hits(share), [90] * BOARDS)
        for suite in suites
        for rate, share in zip(RATES, shares, strict=True)
        if rate or suite == suites[0]
    ]
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1.0, BOARDS)
    selective = measure_abstention(rng.random(BOARDS) < sure, sure, sure, rng)
    scores = Scores(ood, ood, ood, 0.0, ood, 400, raw=0.9, aligned=0.95, images=100)
    return Beyond(
        ood=scores,
        robustness=Robustness(BOARDS, conditions, Copies(1.0, task, 0.25, 2000)),
        clean=selective,
        corrupted=selective,
    )


def outcomes(shares=(0.9, 0.8, 0.8, 0.7, 0.6), ood: float = 0.88, suites=SUITES) -> list[Outcome]:
    scores = Scores(0.9, 0.9, 0.9, 0.0, 0.9, 400, raw=0.9, aligned=0.9, images=100, guessed_task=0.1)
    return [
        Outcome("grounding", "sudoku", "mine", 0, scores, beyond=asked(shares, ood=ood, suites=suites)),
        Outcome("baseline", "sudoku", "mlp", 0, scores, beyond=asked((0.3,) * 5, suites=suites)),
    ]


def report(found: list[Outcome]) -> Report:
    judgement = Judgement("GROUNDED", 6, 0, 6, (0.6, 1.0), "it reads and answers", "")
    findings = check_beyond(BeyondSeeds(found), "sudoku")
    task = TaskReport("sudoku", 1, {"size": 4}, {}, judgement, findings, found)
    return Report("mine", {}, "learned", "digits", "0", "cpu", {}, [task])


def test_a_table_to_quote() -> None:
    lines = markdown(outcomes()).splitlines()
    assert len(lines) == 2 + len(SUITES)
    assert lines[2] == "| drop | 0.90 | 0.80 | 0.80 | 0.70 | 0.60 | 0.30 | 0.60 | 0.60 | ROBUST |"
    broken = markdown(outcomes((0.9, 0.8, 0.1, 0.1, 0.1)))
    assert "| NOT ROBUST (at 0.2) |" in broken
    assert markdown([replace(o, beyond=None) for o in outcomes()]) == ""


def test_the_terminal_tells_it_and_nothing_where_nothing_was_asked() -> None:
    console = Console(file=io.StringIO(), width=120)
    print_robustness(outcomes(), console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count("ROBUST") == len(SUITES)
    console = Console(file=io.StringIO(), width=120)
    print_robustness([replace(o, beyond=None) for o in outcomes()], console)
    assert not console.file.getvalue()  # type: ignore[attr-defined]
    print_report(report(outcomes()), console)
    assert "200 boards" in console.file.getvalue()  # type: ignore[attr-defined]


def test_curves_with_bands_beside_baseline_and_exact() -> None:
    drawn = {name: embedded(figure) for name, _, _, figure in curves_of(outcomes(suites=("drop",)))}
    assert set(drawn) == {"robust-drop", "coverage", "reliability"}
    for label in ("solver", "without logic", "exact rules", "cascade"):
        assert label in drawn["robust-drop"]
    assert list(curves_of([replace(o, beyond=None) for o in outcomes()])) == []


def test_whole_answers_are_as_right_as_they_are_sure() -> None:
    """By bins over all seeds, with an interval each, of the test set and of corrupted boards."""
    own, _ = outcomes(suites=("drop",))
    [(caption, figure)] = [(c, f) for name, _, c, f in curves_of([own, own]) if name == "reliability"]
    _, clean, corrupted = figure.axes[0].lines
    assert own.beyond is not None
    assert own.beyond.clean is not None
    told = own.beyond.clean.calibration
    assert told is not None
    assert (
        list(clean.get_xdata())
        == list(corrupted.get_xdata())
        == [c for c in told.confidence if c is not None]
    )
    assert list(clean.get_ydata()) == [a for a in told.accuracy if a is not None]
    low, high = figure.axes[0].collections[0].get_segments()[0][:, 1]
    assert low < clean.get_ydata()[0] < high
    assert high - low < 0.25  # of some 80 boards
    assert caption.startswith("expected calibration error 0.0")
    assert caption.endswith("on corrupted boards")
    silent = measure_abstention(
        np.zeros(BOARDS, dtype=bool), *np.full((2, BOARDS), np.nan), np.random.default_rng(0)
    )
    unsolved = replace(own, beyond=replace(own.beyond, clean=silent, corrupted=silent))
    assert {"coverage", "reliability"}.isdisjoint(name for name, *_ in curves_of([unsolved]))


def test_the_page_has_the_table() -> None:
    page = render_report(report(outcomes(suites=("swap",))), None)
    assert "Corrupted boards" in page
    assert "Risk by coverage" in page
    assert "Whole answers, how sure and how right" in page
    assert '<td class="n" data-label="without logic at 0.6">0.30</td>' in page  # cards on a narrow screen
    assert "Corrupted boards" not in render_report(
        report([replace(o, beyond=None) for o in outcomes()]), None
    )


def test_correction_is_told_where_it_passes() -> None:
    tracks = {"found": 0.7, "corrected": 0.6, "answered": 0.5}
    correction = Correction(2, 39, false_alarms=0.01, **tracks, exact=tracks)
    [own, _] = outcomes()
    whole = report([replace(own, beyond=Beyond(correction=correction))])
    assert {f.check: f.status for f in whole.tasks[0].findings}["correction"] == "pass"
    console = Console(file=io.StringIO(), width=200)
    print_report(whole, console)
    told = "of 2 wrong on each board: found 0.70 (exact 0.70), corrected 0.60 (exact 0.60), answered 0.50"
    assert told in console.file.getvalue()  # type: ignore[attr-defined]
    assert f"<p>{told}" in render_report(whole, None)


def test_json_brings_everything_back(tmp_path) -> None:
    whole = report(outcomes())
    whole.write(tmp_path / "report.json")
    back = Report.read(tmp_path / "report.json")
    assert back == whole
    assert [v.verdict for v in verdicts(back.tasks[0].outcomes)] == ["ROBUST"] * len(SUITES)


@pytest.mark.parametrize(
    ("shares", "result"),
    [
        ((0.9, 0.8, 0.8, 0.7, 0.6), "pass"),
        ((0.9, 0.8, 0.1, 0.1, 0.1), "fail"),
        ((0.9, 0.3, 0.3, 0.3, 0.3), "pass"),
    ],
)
def test_a_gate_requires_robust(shares, result: str) -> None:
    gated = evaluate_gate(report(outcomes(shares)), Terms(require_robust=True))
    [case] = [case for case in gated.cases if case.check == "required/robust"]
    assert case.result == result
    [without] = [
        case
        for case in evaluate_gate(
            report([replace(o, beyond=None) for o in outcomes()]), Terms(require_robust=True)
        ).cases
        if case.check == "required/robust"
    ]
    assert (without.result, without.message.endswith("robust = true in the profile")) == ("error", True)
    assert not [
        c for c in evaluate_gate(report(outcomes()), Terms()).cases if c.check.startswith("required/")
    ]


def test_too_few_boards_do_not_pass_a_gate() -> None:
    alone = [o for o in outcomes() if o.role == "grounding"]
    gated = evaluate_gate(report(alone), Terms(require_robust=True))
    [case] = [case for case in gated.cases if case.check == "required/robust"]
    assert case.result == "inconclusive"
    assert gated.exit_code != 0


@pytest.mark.parametrize(
    ("ood", "most", "result"), [(0.88, 0.05, "pass"), (0.5, 0.05, "fail"), (0.8, 0.09, "inconclusive")]
)
def test_a_gate_holds_what_is_lost_out_of_distribution(ood: float, most: float, result: str) -> None:
    gated = evaluate_gate(report(outcomes(ood=ood)), Terms(max_ood_drop=most))
    [case] = [case for case in gated.cases if case.check == "required/ood"]
    assert case.result == result
    found = evaluate_gate(report([]), Terms(max_ood_drop=most))
    assert [case.result for case in found.cases if case.check == "required/ood"] == ["error"]


def test_no_other_bar_beyond_the_test_set_stops_a_gate() -> None:
    """A looser bar than that of the check is the one that holds; whatever else failed there is told."""
    losing = report(outcomes((0.9, 0.8, 0.1, 0.1, 0.1), ood=0.6))
    failed = {f.check for f in losing.tasks[0].findings if f.status == "fail"}
    assert "robust/drop" in failed
    [ood] = [f for f in losing.tasks[0].findings if f.check == "ood"]
    assert ood.status == "inconclusive"
    gated = evaluate_gate(losing, Terms(max_ood_drop=0.4))
    assert {case.result for case in gated.cases if case.check in {"ood", *failed}} == {"skip"}
    assert [case.check for case in gated.cases if case.result == "fail"] == []
    assert evaluate_gate(losing, Terms(max_ood_drop=0.4, require_robust=True)).exit_code == 1


def test_where_nothing_can_be_lost_no_gate_passes() -> None:
    [own, baseline] = outcomes(ood=0.0)
    assert own.scores is not None
    empty = report([replace(own, scores=replace(own.scores, task=0.05)), baseline])
    [ood] = [f for f in empty.tasks[0].findings if f.check == "ood"]
    assert (ood.status, "nothing could be lost" in ood.reason) == ("inconclusive", True)
    [case] = [c for c in evaluate_gate(empty, Terms(max_ood_drop=0.1)).cases if c.check == "required/ood"]
    assert case.result == "inconclusive"


@pytest.mark.parametrize("exact", [{}, {"found": 0.0, "corrected": 0.0, "answered": 0.02}])
def test_correction_without_a_ceiling_decides_nothing(exact: dict[str, float]) -> None:
    correction = Correction(1, 39, found=0.0, false_alarms=0.0, corrected=0.0, answered=0.0, exact=exact)
    own = replace(outcomes()[0], beyond=Beyond(correction=correction))
    [found] = [f for f in check_beyond(BeyondSeeds([own]), "sudoku") if f.check == "correction"]
    assert found.status == "inconclusive"


@pytest.mark.parametrize(("clean", "status"), [(0.01, "pass"), (0.6, "inconclusive"), (None, "fail")])
def test_silence_on_corrupted_boards_is_a_virtue_of_who_is_right_on_others(clean, status: str) -> None:
    rng = np.random.default_rng(0)
    sure = np.full(BOARDS, 0.8)
    silent = measure_abstention(np.zeros(BOARDS, dtype=bool), np.full(BOARDS, np.nan), sure, rng)
    right = np.arange(BOARDS) >= BOARDS * (clean or 0)
    own = outcomes()[0]
    assert own.beyond is not None
    spoken = silent if clean is None else measure_abstention(right, sure, sure, rng)
    asked_so = replace(own, beyond=replace(own.beyond, clean=spoken, corrupted=silent))
    [found] = [f for f in check_beyond(BeyondSeeds([asked_so]), "sudoku") if f.check == "abstain/corrupted"]
    assert found.status == status


def test_a_project_says_it(tmp_path) -> None:
    path = tmp_path / "groundcheck.toml"
    path.write_text(
        '[gate]\nprofile = "night"\nrequire-robust = true\nmax-ood-drop = 0.1\n'
        '[profiles.night]\ntasks = ["mapping"]\nrobust = true\n'
    )
    project = read_project(path)
    assert project.terms.asks_beyond
    assert project.terms.max_ood_drop == 0.1
    assert project.profile("night").budget.robust
    assert not project.profile("quick").budget.robust
    assert project.profile("quick").asking_beyond().budget.robust
