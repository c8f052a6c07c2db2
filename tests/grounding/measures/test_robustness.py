import numpy as np
import pytest

from groundcheck.grounding.measures.abstention import (
    Selective,
    judge_abstention,
    measure_abstention,
    pooled_error,
    risk_by_coverage,
)
from groundcheck.grounding.measures.robustness import (
    RATES,
    Condition,
    cascade,
    judge_suite,
    pack,
    sureness,
    unpack,
)
from groundcheck.grounding.measures.statistics import paired_interval


def conditions(shares, exact=None, suite="drop", boards=200, strict=None) -> list[Condition]:
    """Boards of which the first ones are right, so that shares at several rates are nested."""

    def hits(share: float) -> str:
        return pack(np.arange(boards) < round(share * boards))

    return [
        Condition("" if rate == 0 else suite, rate, hits(share), hits(best), [90] * boards, hits(told))
        for rate, share, best, told in zip(RATES, shares, exact or shares, strict or shares, strict=True)
    ]


def test_packed_boards_come_back() -> None:
    hits = np.array([True, False, True])
    assert pack(hits) == "101"
    assert (unpack(pack(hits)) == hits).all()
    assert unpack("").shape == (0,)


@pytest.mark.parametrize(
    ("solver", "baseline", "verdict", "breaks"),
    [
        ((0.9, 0.9, 0.8, 0.7, 0.5), (0.5, 0.5, 0.4, 0.3, 0.2), "ROBUST", None),
        ((0.9, 0.9, 0.8, 0.2, 0.1), (0.5, 0.5, 0.5, 0.5, 0.4), "NOT ROBUST", 0.4),
        ((0.9, 0.3, 0.8, 0.2, 0.1), (0.5, 0.5, 0.5, 0.5, 0.4), "NOT ROBUST", 0.1),
        ((0.1, 0.1, 0.0, 0.0, 0.0), (0.1, 0.1, 0.0, 0.0, 0.0), "UNDECIDED", None),  # no more than a guess
        (
            (0.5, 0.6, 0.7, 0.8, 0.9),
            (0.1, 0.1, 0.1, 0.1, 0.1),
            "NOT ROBUST",
            0.1,
        ),  # better where less is told
    ],
)
def test_verdicts(solver, baseline, verdict, breaks) -> None:
    exact = (0.95,) * 5
    found = judge_suite("drop", [conditions(solver, exact)], [conditions(baseline)], guessed=0.1)
    assert found is not None
    assert (found.verdict, found.breaks) == (verdict, breaks)
    assert f"at {breaks:g}" in found.reason if breaks is not None else True


@pytest.mark.parametrize(
    ("solver", "baseline", "verdict"),
    [
        ((0.9, 0.8, 0.7, 0.5, 0.4), (0.0,) * 5, "ROBUST"),  # clearly better throughout
        ((0.9, 0.8, 0.0, 0.0, 0.0), (0.0,) * 5, "UNDECIDED"),  # silent on what is corrupted
        ((0.9, 0.8, 0.7, 0.5, 0.05), (0.5, 0.4, 0.2, 0.1, 0.05), "UNDECIDED"),
        ((0.9, 0.8, 0.7, 0.5, 0.2), (0.5, 0.4, 0.3, 0.25, 0.2), "ROBUST"),  # as good, where it could be worse
    ],
)
def test_a_claim_that_nobody_can_miss_is_none(solver, baseline, verdict: str) -> None:
    """Where the network without logic answers next to nothing, nothing is worse, and better is asked for."""
    found = judge_suite("noise", *([conditions(shares, suite="noise")] for shares in (solver, baseline)))
    assert found is not None
    assert found.verdict == verdict
    assert ("nothing can be worse" in found.reason) == (verdict == "UNDECIDED")


def test_what_the_exact_rules_gain_as_well_is_no_rise() -> None:
    """A given that was misread vanishes, and the puzzle can be answered."""
    rising = (0.5, 0.6, 0.7, 0.8, 0.9)
    found = judge_suite("drop", [conditions(rising, rising)], [conditions((0.1,) * 5)])
    assert found is not None
    assert found.verdict == "ROBUST"


def test_more_completions_that_agree_are_no_rise() -> None:
    rising, strict = (0.5, 0.6, 0.7, 0.8, 0.9), (0.5, 0.4, 0.3, 0.2, 0.1)
    exact = (0.95,) * 5
    found = judge_suite("drop", [conditions(rising, exact, strict=strict)], [conditions((0.1,) * 5)])
    assert found is not None
    assert found.verdict == "ROBUST"


def test_few_boards_and_no_baseline_decide_nothing() -> None:
    shares = (0.9, 0.9, 0.8, 0.7, 0.6)
    few = judge_suite("drop", [conditions(shares, boards=10)], [conditions(shares, boards=10)])
    alone = judge_suite("drop", [conditions(shares)], [])
    assert few is not None
    assert alone is not None
    assert few.verdict == alone.verdict == "UNDECIDED"
    assert alone.rates[0].baseline is alone.rates[0].cascade is None
    assert judge_suite("blur", [conditions(shares)], []) is None


def test_seeds_are_pooled() -> None:
    shares = (0.9, 0.9, 0.8, 0.7, 0.6)
    found = judge_suite("drop", [conditions(shares, boards=50)] * 4, [conditions(shares, boards=50)] * 4)
    assert found is not None
    assert found.rates[0].boards == 200
    assert found.verdict == "ROBUST"


@pytest.mark.parametrize(("share", "boards", "level"), [(0.5, 40, 0.95), (0.9, 60, 0.95), (0.7, 40, 0.99)])
def test_paired_intervals_hold_their_level(share: float, boards: int, level: float) -> None:
    """Pairs that go together mostly, of which the first is right more often by 0.1."""
    rng = np.random.default_rng(0)
    second = rng.random((2000, boards)) < share - 0.1
    first = second | (rng.random((2000, boards)) < 0.1 / (1.1 - share))
    missed = 0
    for a, b in zip(first, second, strict=True):
        low, high = paired_interval(int((a & ~b).sum()), int((~a & b).sum()), boards, level)
        missed += not low <= 0.1 <= high
    assert missed / 2000 <= 1.5 * (1 - level) + 0.01


def test_paired_intervals_by_hand() -> None:
    low, high = paired_interval(0, 0, 50)
    assert high == pytest.approx(1.959964**2 / (50 + 1.959964**2), abs=1e-6)
    assert low == pytest.approx(-high)
    forth, back = paired_interval(9, 3, 44), paired_interval(3, 9, 44)
    assert forth == pytest.approx((-back[1], -back[0]))
    assert paired_interval(0, 0, 0) == (-1.0, 1.0)


def test_a_cascade_is_never_worse_than_the_baseline_but_by_the_draw() -> None:
    rng = np.random.default_rng(1)
    baseline, sure = rng.random(4000) < 0.5, rng.integers(0, 100, 4000)
    bad = rng.random(4000) < 0.2  # never right more often, however sure
    knowing = rng.random(4000) < sure / 100  # right as often as it is sure
    assert cascade(bad, baseline, sure) > baseline.mean() - 0.03
    assert cascade(knowing, baseline, sure) > max(baseline.mean(), knowing.mean()) + 0.05
    assert cascade(baseline, bad, np.full(4000, -1)) == bad.mean()  # left unsolved throughout


def test_few_boards_seldom_make_a_cascade_worse_than_the_baseline() -> None:
    """Where neither is better, sureness tells nothing, and chance alone prefers some threshold."""
    rng = np.random.default_rng(2)
    lost = []
    for _ in range(300):
        solver, baseline = rng.random((2, 40)) < 0.15
        lost.append(baseline.mean() - cascade(solver, baseline, rng.integers(0, 100, 40)))
    assert np.mean(np.array(lost) > 0) < 0.1
    assert np.mean(lost) < 0.01


def test_sureness_of_a_whole_answer() -> None:
    completion = np.array([[[0.9, 0.1], [0.2, 0.6], [1.0, 0.0]], [[np.nan, np.nan], [0.5, 0.5], [1.0, 0.0]]])
    asked = np.array([[True, True, False], [True, True, False]])
    least, product = sureness(completion, asked)
    assert least[0] == pytest.approx(0.75)
    assert product[0] == pytest.approx(0.9 * 0.75)
    assert np.isnan(least[1])
    assert np.isnan(product[1])


def test_risk_over_coverage() -> None:
    right = np.array([True, False, True, True])
    covered, risk = risk_by_coverage(right, np.array([0.9, 0.2, 0.8, np.nan]))
    assert covered.tolist() == [0.25, 0.5, 0.75]
    assert risk == pytest.approx([0, 0, 1 / 3])
    tied = risk_by_coverage(right, np.full(4, 0.5))[1]
    assert tied == pytest.approx([0.25] * 4)  # whatever their order


def selective(right, sure) -> Selective:
    sure = np.asarray(sure, dtype=float)
    return measure_abstention(np.asarray(right), sure, sure, np.random.default_rng(0))


def test_right_or_silent_and_wrong_and_sure() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(300) < 0.7
    verdicts = {
        "RIGHT OR SILENT": np.where(right, 0.95, 0.3),
        "WRONG AND SURE": np.full(300, 0.95),
        "SILENT": np.full(300, np.nan),
        "UNDECIDED": np.full(300, 0.7),  # often wrong, but never sure of it
    }
    for verdict, sure in verdicts.items():
        assert judge_abstention([selective(right, sure)]).verdict == verdict


def test_silence_counts_as_not_answered() -> None:
    found = selective([True, False, False, True], [0.9, np.nan, 0.95, 0.9])
    assert (found.silent, found.wrong, found.sure_wrong) == (1, 1, 1)
    assert found.risk["80"] is None  # three quarters are answered
    nothing = selective([True, False], [np.nan, np.nan])
    assert (nothing.area, nothing.calibration, nothing.curve) == (None, None, [])
    assert pooled_error([nothing]) is None


def test_calibration_of_whole_answers_and_its_interval() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.2, 1.0, 2000)
    fair = selective(rng.random(2000) < sure, sure)
    bold = selective(rng.random(2000) < sure - 0.2, sure)
    for found, error in ((fair, 0.0), (bold, 0.2)):
        pooled = pooled_error([found])
        assert pooled is not None
        low, high = pooled[1]
        assert low - 0.03 <= error <= high + 0.03
        assert pooled[0] == pytest.approx(error, abs=0.05)
