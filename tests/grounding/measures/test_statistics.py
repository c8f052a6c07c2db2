import numpy as np
import pytest
from scipy.stats import binom

from groundcheck.grounding.measures.statistics import (
    SequentialTest,
    clustered_interval,
    difference_interval,
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


NO_IMAGES = np.zeros((1, 0), dtype=np.int64)


def one_each(puzzles: int) -> np.ndarray:
    """Every puzzle shows an image of its own."""
    return np.arange(puzzles)[:, None]


@pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.97, 0.997])
@pytest.mark.parametrize("images", [130, 10_000])
def test_the_interval_of_a_reading_holds_the_truth_as_often_as_it_says(accuracy: float, images: int) -> None:
    """Exactly: summed over every number of images that may be read right."""
    right = np.arange(images + 1)
    likely = binom.pmf(right, images, accuracy)
    ends = np.array([wilson_interval(k, images) if p > 1e-9 else (0, 0) for k, p in enumerate(likely)])
    held = likely[(ends[:, 0] <= accuracy) & (accuracy <= ends[:, 1])].sum()
    assert 0.93 <= held <= 0.97


@pytest.mark.parametrize(("accuracy", "share"), [(0.5, 1.0), (0.9, 0.0), (0.97, 0.5), (0.997, 1.0)])
def test_puzzles_that_share_images_still_hold_the_truth(accuracy: float, share: float) -> None:
    """300 puzzles on 130 images; misread images bring down `share` of the accuracy, by its logarithm."""
    rng, held, suites = np.random.default_rng(0), 0, 100
    for _ in range(suites):
        image = rng.integers(0, 130, (300, 1))
        readable = rng.random(130) < accuracy**share
        hits = readable[image[:, 0]] & (rng.random(300) < accuracy ** (1 - share))
        low, high = clustered_interval(hits.astype(float), np.ones(300), image)
        held += low <= accuracy <= high
    assert 0.9 <= held / suites <= 1.0  # ±0.04 with 100 suites; drawing puzzles alone held it in 0.6


def test_puzzles_of_their_own_are_counted_one_by_one() -> None:
    hits = (np.arange(200) < 150).astype(float)
    assert clustered_interval(hits, np.ones(200), one_each(200)) == pytest.approx(
        wilson_interval(150, 200), abs=0.002
    )
    none = np.full((200, 1), -1)
    assert clustered_interval(hits, np.ones(200), none) == pytest.approx(wilson_interval(150, 200), abs=0.002)


def test_cells_of_a_puzzle_count_together() -> None:
    """With cells that are all right or all wrong, a puzzle is one trial; with cells of their own, sixteen."""
    whole = np.repeat((np.arange(200) < 150).astype(float), 1) * 16
    wide = clustered_interval(whole, np.full(200, 16.0), one_each(200))
    assert wide == pytest.approx(wilson_interval(150, 200), abs=0.002)
    cells = np.random.default_rng(0).binomial(16, 0.75, 200).astype(float)
    narrow = clustered_interval(cells, np.full(200, 16.0), one_each(200))
    assert narrow[1] - narrow[0] == pytest.approx((wide[1] - wide[0]) / 4, rel=0.15)


def test_an_image_that_every_puzzle_shows_decides_as_one() -> None:
    """Ten images, each in thirty puzzles that go as it is read: ten trials, not three hundred."""
    image = np.arange(300)[:, None] % 10
    hits = (image[:, 0] < 5).astype(float)
    low, high = clustered_interval(hits, np.ones(300), image)
    assert (low, high) == pytest.approx(wilson_interval(5, 10), abs=0.05)
    alike = clustered_interval(np.ones(300), np.ones(300), image)
    assert alike == pytest.approx(wilson_interval(10, 10))
    assert clustered_interval(np.zeros(300), np.ones(300), image) == pytest.approx(wilson_interval(0, 10))


def test_an_image_shown_twice_in_a_puzzle_counts_twice() -> None:
    image = np.array([[0, 0], [1, 1], [2, 2], [3, 3]])
    assert clustered_interval(np.ones(4), np.ones(4), image) == pytest.approx(wilson_interval(4, 4))


def test_where_all_went_alike_the_interval_does_not_collapse() -> None:
    low, high = clustered_interval(np.ones(300), np.ones(300), one_each(300))
    assert (low, high) == (pytest.approx(300 / 303.84, abs=1e-4), 1.0)


def test_without_observations_nothing_is_known_of_a_mean() -> None:
    assert clustered_interval(np.zeros(0), np.zeros(0), NO_IMAGES[:0]) == (0.0, 1.0)
    assert clustered_interval(np.zeros(1), np.zeros(1), NO_IMAGES) == (0.0, 1.0)


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


def test_half_widths_of_seeds_that_share_their_images_do_not_cancel() -> None:
    assert mean_half_width([(0.2, 0.6)]) == pytest.approx(0.2)
    assert mean_half_width([(0.2, 0.8), (0.1, 0.9)]) == pytest.approx(0.35)


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


def test_a_confidence_moves_the_interval() -> None:
    hits = (np.arange(60) % 3 > 0).astype(float)
    wide = clustered_interval(hits, np.ones(60), one_each(60))
    narrow = clustered_interval(hits, np.ones(60), one_each(60), 0.5)
    assert wide[0] < narrow[0] < hits.mean() < narrow[1] < wide[1]
    assert wilson_interval(5, 10, 0.5)[0] > wilson_interval(5, 10)[0]


def test_puzzles_of_unequal_size_weigh_by_their_size() -> None:
    """The figure is that of all cells: 3 of 4, whichever puzzle they are in."""
    low, high = clustered_interval(np.array([3.0, 0.0]), np.array([3.0, 1.0]), one_each(2))
    assert 0.0 <= low < 0.75 < high <= 1.0
    assert high - low > 0.6  # two puzzles that went apart tell next to nothing


def test_the_interval_of_a_difference_agrees_with_published_values() -> None:
    """Newcombe 1998, Statistics in Medicine 17, 873, table II, method 10: 56/70 − 48/80, and 10/10 − 0/10."""
    found = difference_interval((56 / 70, wilson_interval(56, 70)), (48 / 80, wilson_interval(48, 80)))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)
    ends = difference_interval((1.0, wilson_interval(10, 10)), (0.0, wilson_interval(0, 10)))
    assert ends == pytest.approx((0.6075, 1.0), abs=5e-5)
