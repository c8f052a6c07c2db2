import pytest

from groundcheck.grounding.statistics import SequentialTest, wilson_interval


@pytest.mark.parametrize(
    ("successes", "failures", "decision"),
    [
        (0, 0, "undecided"),
        (0, 1, "undecided"),
        (0, 2, "reject"),
        (5, 0, "undecided"),
        (6, 0, "accept"),
        (6, 1, "undecided"),
        (7, 1, "undecided"),
        (8, 1, "accept"),
    ],
)
def test_two_failures_or_six_successes_decide(successes: int, failures: int, decision: str) -> None:
    assert SequentialTest().decide(successes, failures) == decision


@pytest.mark.parametrize(
    ("successes", "failures", "soonest"), [(0, 0, 2), (1, 1, 2), (2, 0, 3), (5, 0, 1), (6, 0, 0)]
)
def test_the_fewest_further_seeds_that_could_decide(successes: int, failures: int, soonest: int) -> None:
    assert SequentialTest().soonest(successes, failures) == soonest


# Newcombe 1998, Statistics in Medicine 17, table I, method 3 (Wilson without continuity correction).
PUBLISHED = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("successes", "trials", "low", "high"), PUBLISHED)
def test_wilson_interval_agrees_with_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_without_trials_nothing_is_known_of_a_proportion() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("settings", [{"p0": 0.9, "p1": 0.5}, {"p1": 1.0}, {"alpha": 0.0}, {"beta": 0.6}])
def test_a_test_that_cannot_decide_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"needs 0|lie between"):
        SequentialTest(**settings)
