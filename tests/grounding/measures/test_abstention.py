"""When a network answers, when it is silent, and how sure it is: by definition, on both sides of bounds."""

from dataclasses import replace

import numpy as np
import pytest

from groundcheck.grounding.measures.abstention import (
    Selective,
    judge_abstention,
    measure_abstention,
    pooled_error,
    risk_by_coverage,
)
from groundcheck.grounding.measures.report_samples import Calibration, calibrate
from groundcheck.grounding.measures.statistics import wilson_interval


def selective(right: list[bool], sure: list[float], independent: list[float] | None = None) -> Selective:
    return measure_abstention(
        np.array(right), np.array(sure), np.array(independent or sure), np.random.default_rng(0)
    )


def test_what_is_said_and_what_is_sure_is_counted_from_its_bound_on() -> None:
    right = [True, False, True, False, True, False, False]
    found = selective(right, [0.5, 0.5, 0.51, 0.51, 0.9, 0.9, np.nan])
    assert (found.boards, found.silent, found.wrong) == (7, 1, 3)
    assert (found.spoken, found.spoken_wrong, found.sure_wrong) == (4, 2, 1)
    assert selective([False], [0.899]).sure_wrong == 0


@pytest.mark.parametrize("boards", [5, 10, 20, 40])
def test_risk_is_told_of_the_first_board_that_reaches_a_coverage(boards: int) -> None:
    rng = np.random.default_rng(boards)
    sure, right = rng.permutation(boards) / boards, rng.random(boards) < 0.5
    order = np.argsort(-sure)
    found = selective(right.tolist(), sure.tolist())
    for percent in (80, 90, 95):
        least = -(-percent * boards // 100)  # so many, rounded up
        assert found.risk[str(percent)] == pytest.approx((~right[order[:least]]).mean())
        missing = np.where(np.arange(boards) < least, sure[order], np.nan)
        assert selective(right[order].tolist(), missing.tolist()).risk[str(percent)] is not None
        missing[least - 1] = np.nan
        assert selective(right[order].tolist(), missing.tolist()).risk[str(percent)] is None
    assert list(found.risk) == ["80", "90", "95"]
    risks = [(~right[order[:n]]).mean() for n in range(1, boards + 1)]
    assert found.area == pytest.approx(np.mean(risks))
    picked = sorted({round(float(n)) for n in np.linspace(0, boards - 1, 20)})
    assert found.curve == [(round((n + 1) / boards, 4), round(float(risks[n]), 4)) for n in picked]


def test_a_curve_has_twenty_points_of_four_digits() -> None:
    right, sure = [n % 3 > 0 for n in range(70)], [1 - n / 100 for n in range(70)]
    found = selective(right, sure).curve
    assert len(found) == 20
    assert (found[0], found[-1]) == ((0.0143, 1.0), (1.0, 0.3429))


def test_the_surest_come_first_and_equals_together() -> None:
    right = np.array([False, True, True, False])
    covered, risk = risk_by_coverage(right, np.array([0.2, 0.9, 0.5, 0.5]))
    assert covered.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk == pytest.approx([0, 0.25, 1 / 3, 0.5])
    nothing = risk_by_coverage(np.zeros(0, dtype=bool), np.zeros(0))
    assert [len(part) for part in nothing] == [0, 0]


def test_only_what_is_answered_is_calibrated() -> None:
    right, sure = [True, False, True, True], [0.9, 0.6, np.nan, 0.8]
    independent = [0.5, 0.3, np.nan, 0.4]
    found = selective(right, sure, independent)
    answered = np.array([0, 1, 3])
    assert found.calibration == calibrate(np.array(sure)[answered], np.array(right)[answered])
    alone = calibrate(np.array(independent)[answered], np.array(right)[answered]).error
    assert found.independent_error == alone
    nothing = selective([True, False], [np.nan, np.nan])
    assert (nothing.calibration, nothing.error_interval, nothing.independent_error) == (None, None, None)


@pytest.mark.parametrize("claims", [0.6, 0.97, 0.03])
def test_an_interval_of_calibration_is_from_boards_drawn_anew(claims: float) -> None:
    rng = np.random.default_rng(4)
    sure, right = np.full(60, claims), rng.random(60) < 0.55
    draws = np.random.default_rng(7).integers(0, 60, (200, 60))
    errors = [abs(claims - right[rows].mean()) for rows in draws]
    error = abs(claims - right.mean())
    low, high = np.quantile(np.array(errors) - (np.mean(errors) - error), [0.025, 0.975])
    found = measure_abstention(right, sure, sure, np.random.default_rng(7))
    assert found.error_interval == pytest.approx((max(0.0, low), min(1.0, high)))
    assert pooled_error([found]) == (pytest.approx(error), found.error_interval)


def test_an_interval_of_calibration_ends_at_nothing_and_at_one() -> None:
    rng = np.random.default_rng(0)
    right = np.arange(8) % 2 == 0
    fair = measure_abstention(right, np.full(8, 0.5), np.full(8, 0.5), rng).error_interval
    bold = measure_abstention(np.zeros(8, dtype=bool), np.ones(8), np.ones(8), rng).error_interval
    assert fair is not None
    assert fair[0] == 0.0
    assert 0 < fair[1] < 1
    assert bold == (1.0, 1.0)


def counted(spoken: int, wrong: int = 0, certain: int = 0, boards: int = 200) -> Selective:
    return Selective(boards, boards - spoken, wrong, spoken, wrong, certain, {}, None)


def first(holds, counts=range(201)) -> int:
    return next(n for n in counts if holds(n))


def test_verdicts_change_where_an_interval_crosses_its_bound() -> None:
    speaks = first(lambda n: wilson_interval(n, 200)[0] > 0.05)
    assert judge_abstention([counted(speaks - 1)]).verdict == "SILENT"
    assert judge_abstention([counted(speaks)]).verdict != "SILENT"
    many = first(lambda n: wilson_interval(n, 200)[0] > 0.05)
    assert judge_abstention([counted(200, many, many)]).verdict == "WRONG AND SURE"
    assert judge_abstention([counted(200, many, many - 1)]).verdict == "UNDECIDED"
    few = first(lambda n: wilson_interval(n, 200)[1] > 0.10)
    assert judge_abstention([counted(200, few - 1)]).verdict == "RIGHT OR SILENT"
    assert judge_abstention([counted(200, few)]).verdict == "UNDECIDED"


def test_a_verdict_tells_the_shares_over_all_seeds() -> None:
    found = judge_abstention([counted(100, 20, 4), counted(60, 10, 2, boards=100)])
    assert (found.answered, found.wrong, found.sure_wrong) == (160 / 300, 30 / 160, 6 / 300)
    assert found.interval == wilson_interval(30, 160)
    assert found.reason == "answers 160 of 300 boards, 30 of them wrong, 6 of those wrong and sure"
    silent = judge_abstention([counted(0)])
    assert (silent.verdict, silent.answered, silent.wrong) == ("SILENT", 0.0, 0.0)
    assert judge_abstention([counted(0, boards=0)]).answered == 0.0
    one = judge_abstention([counted(1, 1, 1, boards=1)])
    assert (one.answered, one.sure_wrong) == (1.0, 1.0)


def test_an_error_is_pooled_over_the_seeds_that_have_one() -> None:
    known = replace(counted(9), calibration=Calibration([], [], [], 0.2), error_interval=(0.1, 0.3))
    other = replace(known, calibration=Calibration([], [], [], 0.4), error_interval=(0.3, 0.9))
    lacking = [replace(known, error_interval=None), replace(known, calibration=None)]
    assert pooled_error([known, *lacking, other]) == (pytest.approx(0.3), pytest.approx((0.2, 0.6)))
    assert pooled_error(lacking) is None
