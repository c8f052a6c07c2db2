"""Corrupted boards: at both sides of every bound, and board by board."""

from dataclasses import replace

import numpy as np
import pytest

from groundcheck.grounding.measures.robustness import (
    RATES,
    SUITES,
    TELLING_LESS,
    Condition,
    Rate,
    SuiteVerdict,
    _decided,
    cascade,
    judge_suite,
    sureness,
    unpack,
)
from groundcheck.grounding.measures.statistics import paired_interval, wilson_interval


def test_rates_and_suites() -> None:
    assert RATES == (0.0, 0.1, 0.2, 0.4, 0.6)
    assert set(SUITES) - set(TELLING_LESS) == {"swap"}


def test_an_answer_of_the_whole_puzzle_is_the_same_where_nothing_else_is_told() -> None:
    found = Condition("drop", 0.1, "110", "000", [1, 2, 3])
    assert found.strictly.tolist() == found.hits.tolist() == [True, True, False]
    assert replace(found, strict="001").strictly.tolist() == [False, False, True]


def rate(at: float = 0.0, lead=(0.1, 0.3), rise=None, solver: float = 0.8, baseline=0.5, low=0.7) -> Rate:
    return Rate(at, 200, solver, baseline, 0.9, 0.8, (low, 0.9), lead, rise)


@pytest.mark.parametrize(
    ("baseline", "lead", "vacuous", "holds"),
    [
        (0.10, (0.001, 0.2), True, True),
        (0.10, (0.0, 0.2), True, False),
        (0.11, (0.0, 0.2), False, True),
        (0.11, (-0.099, 0.2), False, True),
        (0.11, (-0.10, 0.2), False, False),
        (0.11, None, False, False),
        (None, None, False, False),
    ],
)
def test_a_rate_holds_above_its_margin(baseline, lead, vacuous: bool, holds: bool) -> None:
    found = rate(baseline=baseline, lead=lead)
    assert (found.vacuous, found.holds) == (vacuous, holds)


def test_the_worst_rate_is_the_least_ahead_of_those_compared() -> None:
    near, far = rate(solver=0.6, baseline=0.5), rate(solver=0.5, baseline=0.2)
    silent = rate(solver=0.0, baseline=0.9, lead=None)
    assert SuiteVerdict("drop", "ROBUST", "", [far, near, silent]).worst is near
    alone, better = rate(solver=0.4, baseline=0.0), rate(solver=0.5, baseline=0.2)
    assert SuiteVerdict("drop", "ROBUST", "", [alone, better]).worst is better
    unknown = rate(solver=0.5, baseline=None)
    assert SuiteVerdict("drop", "ROBUST", "", [unknown, rate(solver=0.8, baseline=0.2)]).worst is unknown
    assert SuiteVerdict("drop", "UNDECIDED", "", [silent]).worst is None


def decided(*rates: Rate, guessed: float = 0.1) -> SuiteVerdict:
    return _decided("drop", list(rates), guessed)


@pytest.mark.parametrize(
    ("changed", "verdict", "breaks", "told"),
    [
        ({}, "ROBUST", None, "nowhere worse"),
        ({"lead": (-0.3, -0.01)}, "NOT ROBUST", 0.2, "at 0.2 worse than without logic (0.50)"),
        ({"lead": (-0.3, 0.0)}, "UNDECIDED", None, "at 0.2 too few boards tell"),
        ({"rise": (0.01, 0.3)}, "NOT ROBUST", 0.2, "at 0.2 better than with less corruption"),
        ({"rise": (0.0, 0.3)}, "ROBUST", None, "nowhere worse"),
        ({"rise": (-0.3, 0.9)}, "ROBUST", None, "nowhere worse"),
        ({"lead": None}, "UNDECIDED", None, "there is no network without logic"),
        ({"lead": (-0.05, 0.3), "baseline": 0.1}, "UNDECIDED", None, "nothing can be worse"),
    ],
)
def test_the_first_rate_that_breaks_decides(changed, verdict: str, breaks, told: str) -> None:
    first, last = rate(), rate(0.4)
    found = decided(first, replace(rate(0.2), **changed), last)
    assert (found.verdict, found.breaks, found.suite) == (verdict, breaks, "drop")
    assert found.reason.startswith("answers 0.80, 0.80, 0.80 of the boards at rates 0, 0.2, 0.4, ")
    assert "exact rules on the same readings 0.90, 0.90, 0.90" in found.reason
    assert told in found.reason
    assert len(found.rates) == 3


def test_of_two_that_break_the_first_is_told() -> None:
    worse, risen = rate(0.4, lead=(-0.3, -0.1)), rate(0.2, rise=(0.1, 0.2))
    assert decided(rate(), risen, worse).breaks == 0.2
    assert "better than with less corruption" in decided(rate(), risen, worse).reason
    early = decided(rate(), replace(worse, rate=0.1), risen)
    assert (early.breaks, "worse than without logic" in early.reason) == (0.1, True)
    open_ = decided(rate(), rate(0.2, lead=(-0.2, 0.3), baseline=0.3), rate(0.4, lead=(-0.2, 0.3)))
    assert "at 0.2 too few boards" in open_.reason


def test_where_a_guess_reaches_the_uncorrupted_boards_nothing_is_robust() -> None:
    assert decided(rate(low=0.3), guessed=0.3).verdict == "UNDECIDED"
    assert "no more than a guess (0.30)" in decided(rate(low=0.3), guessed=0.3).reason
    assert decided(rate(low=0.31), guessed=0.3).verdict == "ROBUST"


def drawn(rng: np.random.Generator, suite: str, at: float, boards: int) -> Condition:
    bits = ["".join(rng.choice(["0", "1"], boards)) for _ in range(3)]
    return Condition(suite, at, bits[0], bits[1], rng.integers(0, 101, boards).tolist(), bits[2])


@pytest.mark.parametrize("seed", range(3))
def test_a_suite_is_counted_board_by_board(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = [("", 0.0), ("drop", 0.1), ("drop", 0.4), ("blur", 0.1)]
    solver, baseline = (
        [[drawn(rng, suite, at, boards) for suite, at in places] for boards in (30, 50)] for _ in range(2)
    )
    for one, other in zip(solver, baseline, strict=True):
        one.reverse()  # in whatever order they come
        del other[3]
    found = judge_suite("drop", solver, baseline)
    assert found is not None
    assert [one.rate for one in found.rates] == [0.0, 0.1, 0.4]
    level = 1 - 0.05 / 3
    before: list[tuple[bool, bool]] = []
    for one in found.rates:
        own = [c for s in solver for c in s if c.rate == one.rate and c.suite != "blur"]
        other = [c for s in baseline for c in s if c.rate == one.rate]
        hits, without = ("".join(c.right for c in of) for of in (own, other))
        exact, strict = "".join(c.exact for c in own), "".join(c.strict for c in own)
        gained = sum(a == "1" and b == "0" for a, b in zip(hits, without, strict=True))
        lost = sum(a == "0" and b == "1" for a, b in zip(hits, without, strict=True))
        assert (one.boards, one.solver, one.baseline) == (80, hits.count("1") / 80, without.count("1") / 80)
        assert one.exact == exact.count("1") / 80
        assert one.interval == wilson_interval(hits.count("1"), 80)
        assert one.lead == paired_interval(gained, lost, 80, level)
        assert one.cascade == cascade(
            unpack(hits), unpack(without), np.array([s for c in own for s in c.sure])
        )
        now = [(s == "1", e == "1") for s, e in zip(strict, exact, strict=True)]
        if before:
            pairs = list(zip(before, now, strict=True))
            helped = [not was[1] and is_[1] for was, is_ in pairs]
            up = sum(not was[0] and is_[0] and not h for (was, is_), h in zip(pairs, helped, strict=True))
            down = sum(was[0] and not is_[0] for was, is_ in pairs)
            assert one.rise == paired_interval(up, down, 80, level)
        else:
            assert one.rise is None
        before = now


def by_hand(solver: np.ndarray, baseline: np.ndarray, sure: np.ndarray) -> float:
    """Each half of the boards at the threshold that is best on the other, if it is clearly better there than
    the baseline; of equals, the lowest.
    """
    right = 0
    for fit, scored in ((slice(1, None, 2), slice(0, None, 2)), (slice(0, None, 2), slice(1, None, 2))):
        known = zip(solver[fit], baseline[fit], sure[fit], strict=True)
        boards = list(known)
        choices = [*sorted({s for _, _, s in boards if s >= 0}), np.inf]
        best = max(choices, key=lambda t: (sum(a if s >= t else b for a, b, s in boards), -t))
        chosen = [(a if s >= best else b, b) for a, b, s in boards]
        gained, lost = (
            [c and not b for c, b in chosen].count(True),
            [b and not c for c, b in chosen].count(True),
        )
        if paired_interval(gained, lost, len(boards), 0.95)[0] <= 0:
            best = np.inf
        right += sum(
            a if s >= best else b
            for a, b, s in zip(solver[scored], baseline[scored], sure[scored], strict=True)
        )
    return right / len(solver)


@pytest.mark.parametrize("seed", range(8))
def test_a_cascade_is_fitted_on_the_other_half(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sure = rng.integers(-1, 4, 41)
    solver, baseline = rng.random(41) < 0.3 + 0.2 * sure, rng.random(41) < 0.4
    assert cascade(solver, baseline, sure) == pytest.approx(by_hand(solver, baseline, sure))


@pytest.mark.parametrize("seed", range(3))
def test_sureness_is_of_the_queries_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    completion = rng.random((20, 3, 4)) * rng.integers(1, 4, (20, 3, 1))
    completion[0, 1] = 0.0  # says nothing: not solved
    completion[1, 2, 0] = np.nan
    completion[2] = 0.0
    asked = rng.random((20, 3)) < 0.7
    asked[:2], asked[2] = True, False
    least, product = sureness(completion, asked)
    for board in range(3, 20):
        top = [max(row) / sum(row) for row, of in zip(completion[board], asked[board], strict=True) if of]
        assert least[board] == pytest.approx(min(top, default=1.0))
        assert product[board] == pytest.approx(np.prod(top))
    assert np.isnan([least[:2], product[:2]]).all()
    assert (least[2], product[2]) == (1.0, 1.0)
