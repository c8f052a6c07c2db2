import numpy as np
import pytest
from scipy.stats import t

from groundcheck.grounding.measures.statistics import (
    SequentialTest,
    clustered_interval,
    mean_half_width,
    measure_error_rates,
    wilson_interval,
)


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


def test_the_clustered_interval_is_that_of_cluster_means() -> None:
    """With equal clusters the mean is that of independent cluster means, whose interval is Student's."""
    rng = np.random.default_rng(0)
    means = rng.normal(0.5, 0.1, 200)
    values = np.repeat(means, 16) + rng.normal(0, 0.01, 3200)
    clusters = np.repeat(np.arange(200), 16)
    low, high = clustered_interval(values, clusters)
    own = values.reshape(200, 16).mean(1)
    half = t.ppf(0.975, 199) * own.std(ddof=1) / 200**0.5
    assert (low, high) == pytest.approx((own.mean() - half, own.mean() + half), abs=0.1 * half)
    narrow = clustered_interval(values, np.arange(3200))
    assert narrow[1] - narrow[0] < 0.4 * (high - low)  # √16 times narrower: it takes cells for independent


def test_efron_and_tibshirani_s_mice() -> None:
    """Table 2.1 of *An introduction to the bootstrap* (1993): treated mice, mean 86.86, standard error 23.36
    by bootstrap (their eq. 2.4 to 2.6); a 95 % interval is about 1.96 of them to either side.
    """
    mice = np.array([94.0, 197, 16, 38, 99, 141, 23])
    low, high = clustered_interval(mice, np.arange(7), draws=20_000)
    assert (high - low) / (2 * 1.96) == pytest.approx(23.36, rel=0.03)
    assert low < 86.86 < high


def test_without_observations_nothing_is_known_of_a_mean() -> None:
    assert clustered_interval(np.zeros(0), np.zeros(0, dtype=np.int64)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("rate", "wrong"), [(0.3, "accepted"), (0.5, "accepted"), (0.9, "rejected"), (0.97, "rejected")]
)
def test_the_promised_error_rates_are_kept(rate: float, wrong: str) -> None:
    """10,000 suites: at p0 and below at most alpha are accepted, at p1 and above at most about beta rejected.

    Wald's bounds overshoot: his beta is kept up to β/(1 − α), and 0.0526 is what he promises.
    """
    found = measure_error_rates(SequentialTest(), rate)
    assert found.accepted + found.rejected + found.undecided == pytest.approx(1)
    assert getattr(found, wrong) <= 0.0526 + 3 * (0.05 * 0.95 / 10_000) ** 0.5


def test_half_widths_of_independent_estimates_add_up_as_standard_errors() -> None:
    """The mean of two means of 400 is the mean of 800, whose interval is √2 times narrower."""
    rng = np.random.default_rng(0)
    values, row = rng.random(800), np.arange(800)
    parts = [clustered_interval(part, np.arange(400)) for part in np.split(values, 2)]
    low, high = clustered_interval(values, row)
    assert mean_half_width(parts) == pytest.approx((high - low) / 2, rel=0.05)
    assert mean_half_width([(0.2, 0.6)]) == pytest.approx(0.2)
    assert mean_half_width([(0.2, 0.8), (0.1, 0.9)]) == pytest.approx(0.25)


@pytest.mark.parametrize("rate", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("most", [3, 12])
def test_simulated_suites_are_those_that_are_stopped_one_by_one(rate: float, most: int) -> None:
    test, suites = SequentialTest(), 200
    grounded = np.random.default_rng(4).random((suites, most)) < rate
    ends: list[tuple[str, int]] = []
    for seeds in grounded:
        decision, number = "undecided", 0
        while decision == "undecided" and number < most:
            number += 1
            successes = int(seeds[:number].sum())
            decision = test.decide(successes, number - successes)
        ends.append((decision, number))
    found = measure_error_rates(test, rate, suites=suites, most=most, seed=4)
    decisions = [decision for decision, _ in ends]
    assert found.accepted == decisions.count("accept") / suites
    assert found.rejected == decisions.count("reject") / suites
    assert found.undecided == pytest.approx(decisions.count("undecided") / suites)
    assert found.seeds == pytest.approx(np.mean([number for _, number in ends]))
    if most == 12:  # as many as `check` runs, unless it is told otherwise
        assert measure_error_rates(test, rate, suites=suites, seed=4) == found


def test_the_log_ratio_is_that_of_the_likelihoods() -> None:
    test = SequentialTest(p0=0.4, p1=0.7)
    assert test.log_ratio(3, 2) == pytest.approx(np.log(0.7**3 * 0.3**2 / (0.4**3 * 0.6**2)))


def test_bounds_are_wald_s() -> None:
    """Accepted at (1 − β)/α, rejected at β/(1 − α): with α = 0.2 and β = 0.1 at 4.5 and 0.125."""
    test = SequentialTest(p0=0.25, p1=0.75, alpha=0.2, beta=0.1)  # a ratio of 3 per success
    assert [test.decide(k, 0) for k in range(3)] == ["undecided", "undecided", "accept"]
    assert [test.decide(0, k) for k in range(3)] == ["undecided", "undecided", "reject"]
    assert test.decide(1, 1) == "undecided"
    assert SequentialTest(p0=0.375, p1=0.75, alpha=0.375, beta=0.25).decide(1, 0) == "accept"  # both are 2
    assert SequentialTest(p0=0.5, p1=0.75, alpha=0.25, beta=0.375).decide(0, 1) == "reject"  # both are 1/2


@pytest.mark.parametrize(
    "settings", [{"p0": 0.0}, {"p0": 0.9}, {"alpha": 0.5}, {"beta": 0.5}, {"beta": 0.0}, {"alpha": 0.7}]
)
def test_the_ends_of_what_a_test_may_promise(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"needs 0|lie between"):
        SequentialTest(**settings)
    SequentialTest(alpha=0.49, beta=0.49)


def test_a_confidence_moves_the_interval_and_a_seed_only_the_draws() -> None:
    values, clusters = np.random.default_rng(0).random(60), np.arange(60) // 2
    wide, narrow = clustered_interval(values, clusters), clustered_interval(values, clusters, 0.5)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]
    assert clustered_interval(values, clusters, seed=1) != wide
    assert clustered_interval(values, clusters, seed=1) == pytest.approx(wide, abs=0.02)
    assert wilson_interval(5, 10, 0.5)[0] > wilson_interval(5, 10)[0]


def test_clusters_of_unequal_size_weigh_by_their_size() -> None:
    """One cluster alone: whatever is drawn, the mean is that of all observations."""
    values = np.array([1.0, 1.0, 1.0, 0.0])
    assert clustered_interval(values, np.zeros(4, dtype=np.int64)) == (0.75, 0.75)
    low, high = clustered_interval(values, np.array([7, 7, 7, 9]))
    assert (low, high) == (0.0, 1.0)  # one cluster twice, or both: 0, 3/4 or 1
