"""Measures against their definitions, written out in loops over drawn cases."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from groundcheck.grounding.measures.asked import Asked, Share, share_of
from groundcheck.grounding.measures.counts import count_of
from groundcheck.grounding.measures.figures import CURVE, FIGURES, INTERVALS, Place
from groundcheck.grounding.measures.metrics import (
    Scores,
    add_readings,
    answered_right,
    guess_answers,
    guess_readings,
    score,
)
from groundcheck.grounding.measures.report_samples import BINS, BOARDS, calibrate, sample_boards
from groundcheck.grounding.measures.statistics import clustered_interval, wilson_interval


def interval_by_pairs(
    hits: np.ndarray, sizes: np.ndarray, image: np.ndarray, confidence: float
) -> tuple[float, float]:
    """As the docstring has it: one puzzle and one pair of puzzles after the other."""
    shows = [[seen for seen in row if seen >= 0] for row in image.tolist()]
    share, count = hits.sum() / sizes.sum(), len(hits)
    residuals = [hit - share * size for hit, size in zip(hits, sizes, strict=True)]
    variance = sum(r * r for r in residuals) * count / (count - 1)
    pairs = 0.0
    for one, other in itertools.permutations(range(count), 2):
        both = sum(a == b for a in shows[one] for b in shows[other])
        pairs += both * residuals[one] * residuals[other]
    variance = (variance + max(0.0, pairs)) / sizes.sum() ** 2
    names = sorted({name for row in shows for name in row})
    influence = [sum(row.count(name) * r for row, r in zip(shows, residuals, strict=True)) for name in names]
    parts = [part**2 for part in (*residuals, *influence)]
    freedom = max(1.0, 2 * sum(parts) ** 2 / sum(part**2 for part in parts))
    tail = (1 + confidence) / 2
    trials = min(sizes.sum(), share * (1 - share) / variance)
    trials *= (stats.norm.ppf(tail) / stats.t.ppf(tail, freedom)) ** 2
    return wilson_interval(share * trials, trials, confidence)


@pytest.mark.parametrize("seed", range(6))
def test_a_clustered_interval_is_that_of_its_docstring(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, places, confidence = 25, 1 + seed % 3, (0.95, 0.8)[seed % 2]
    image = rng.integers(-1, 12, (count, places)) + 100 * (seed % 2)  # any names, −1 or none among them
    image[rng.random(image.shape) < 0.1] = -1
    sizes = rng.integers(1, 6, count).astype(float)
    hits = np.floor(sizes * rng.random(count) * 1.2).clip(max=sizes)
    found = clustered_interval(hits, sizes, image, confidence)
    assert found == pytest.approx(interval_by_pairs(hits, sizes, image, confidence), rel=1e-9)


def test_puzzles_that_offset_each_other_take_nothing_off_the_variance() -> None:
    """Two of every image, of which one goes well: their residuals are of opposite signs."""
    image, hits = np.repeat(np.arange(20), 2)[:, None], np.tile([0.0, 1.0], 20)
    offset = clustered_interval(hits, np.ones(40), image)
    assert offset == pytest.approx(interval_by_pairs(hits, np.ones(40), image, 0.95), rel=1e-9)
    assert offset[0] > wilson_interval(20, 40)[0] - 0.03  # as if every puzzle had an image of its own


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_where_all_went_alike_images_decide(right: float) -> None:
    """Effective trials: all pairs of puzzles, over those that share an image, per image that one shows."""
    rng = np.random.default_rng(3)
    image = rng.integers(0, 9, (14, 2))
    shows = [row.tolist() for row in image]
    own = np.mean([sum(a == b for a in row for b in row) for row in shows])
    pairs = sum(sum(a == b for a in one for b in other) for one, other in itertools.permutations(shows, 2))
    trials = 14**2 / (14 + pairs / own)
    sizes = rng.integers(1, 4, 14).astype(float)
    for confidence in (0.95, 0.6):
        found = clustered_interval(right * sizes, sizes, image, confidence)
        assert found == pytest.approx(wilson_interval(right * trials, trials, confidence))


def drawn_answers(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Completions with some NaN, givens, solutions, and which images were read right."""
    rng = np.random.default_rng(seed)
    given = rng.random((60, 4)) < 0.5
    given[:, 0], given[:, 3] = True, False
    solution = rng.integers(0, 3, (60, 4))
    completion = rng.random((60, 4, 3)) + 0.6 * np.eye(3)[solution]
    completion[rng.random((60, 4, 3)) < 0.03] = np.nan
    return completion, given, solution, rng.random((60, 4)) < 0.8


def test_without_any_image_puzzles_alone_decide() -> None:
    for right in (0.0, 1.0):
        found = clustered_interval(np.full(9, 2 * right), np.full(9, 2.0), np.full((9, 2), -1))
        assert found == pytest.approx(wilson_interval(9 * right, 9))


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_counted_puzzle_by_puzzle(seed: int) -> None:
    completion, given, solution, read = drawn_answers(seed)
    task = board = cell = unsolved = queries = whole = 0
    for puzzle in range(60):
        asked = [v for v in range(4) if not given[puzzle, v]]
        lost = any(math.isnan(x) for v in asked for x in completion[puzzle, v])
        right = [
            not lost and int(np.nanargmax(completion[puzzle, v])) == solution[puzzle, v]
            for v in asked
        ]  # fmt: skip
        task += all(right)
        board += all(right) and all(read[puzzle])
        cell += sum(right)
        queries += len(asked)
        unsolved += lost
        whole += all(read[puzzle])
    found = score(completion, given, solution, read)
    assert (found.task, found.board, found.read) == (task / 60, board / 60, whole / 60)
    assert (found.cell, found.unsolved, found.puzzles) == (cell / queries, unsolved / 60, 60)
    assert 0 < found.board < found.task < 1
    assert found.unsolved > 0
    answered, lost = answered_right(completion, given, solution)
    assert answered[given].all()
    assert not answered[lost][~given[lost]].any()


def test_readings_are_added_from_two_confusion_matrices() -> None:
    rng = np.random.default_rng(0)
    validation, test = rng.integers(0, 30, (2, 4, 4))
    test[:, 2] = 0
    plain = Scores(0.5, 0.4, 0.6, 0.1, 0.7, 9)
    found = add_readings(plain, validation, test)
    best = max(
        itertools.permutations(range(4)), key=lambda names: sum(validation[t, p] for p, t in enumerate(names))
    )
    assert found.relabelling == list(best)
    assert found.raw == pytest.approx(sum(test[k, k] for k in range(4)) / test.sum())
    assert found.aligned == pytest.approx(sum(test[t, p] for p, t in enumerate(best)) / test.sum())
    assert (found.images, found.confusion, found.collapse) == (test.sum(), test.tolist(), 0.25)
    assert (
        replace(found, raw=None, aligned=None, collapse=None, images=0, confusion=None, relabelling=None)
        == plain
    )


@pytest.mark.parametrize("seed", range(4))
def test_guesses_are_the_best_of_those_that_never_look(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = np.array([[True, False, False]] * 15)
    known, solution = rng.integers(0, 3, (40, 3)), rng.integers(0, 3, (15, 3))
    known[:, 0] = -1
    solution[::3] = solution[0]
    rows = [tuple(row[1:]) for row in known.tolist()]
    commonest = max(sorted(set(rows)), key=rows.count)
    singles = tuple(
        max(range(3), key=lambda k, v=v: (known[:, v] == k).sum()) for v in (1, 2)
    )  # fmt: skip
    answers = [tuple(row[1:]) for row in solution.tolist()]
    best = max(answers.count(commonest), answers.count(singles)) / 15
    assert guess_answers(known, solution, given) == pytest.approx(best)
    symbol = np.where(rng.random((15, 3)) < 0.4, -1, rng.integers(0, 2, (15, 3)))
    confusion = rng.integers(0, 9, (2, 2))
    read, aligned = guess_readings(symbol, confusion)
    same = max(sum(all(s in (-1, k) for s in row) for row in symbol.tolist()) for k in range(2)) / 15
    drawn = sum(0.5 ** sum(s >= 0 for s in row) for row in symbol.tolist()) / 15
    assert read == pytest.approx(max(same, drawn))
    assert aligned == max(confusion.sum(1)) / confusion.sum()


def test_a_symbol_that_the_training_puzzles_never_show_can_be_asked_for_nevertheless() -> None:
    known, given = np.array([[-1, 0], [-1, 1], [-1, 1]]), np.array([[True, False]] * 2)
    assert guess_answers(known, np.array([[0, 1], [0, 5]]), given) == 0.5


def test_calibration_is_counted_bin_by_bin() -> None:
    rng = np.random.default_rng(1)
    confidence = np.concatenate([rng.random(60) * 0.7, [0.0, 0.1, 0.2, 0.95, 0.9999, 1.0]])
    right = rng.random(len(confidence)) < confidence
    found = calibrate(confidence, right)
    places = [min(BINS - 1, int(c * BINS)) for c in confidence]
    assert BINS == len(found.images) == 10
    assert found.images == [places.count(place) for place in range(BINS)]
    error = 0.0
    for place in range(BINS):
        mine = [n for n, other in enumerate(places) if other == place]
        if not mine:
            assert (found.confidence[place], found.accuracy[place]) == (None, None)
            continue
        sure, hit = np.mean(confidence[mine]), np.mean(right[mine])
        assert found.confidence[place] == pytest.approx(sure)
        assert found.accuracy[place] == pytest.approx(hit)
        error += abs(sure - hit) * len(mine) / len(confidence)
    assert found.images.count(0) > 0
    assert found.error == pytest.approx(error)
    empty = calibrate(np.zeros(0), np.zeros(0, dtype=bool))
    assert (empty.error, empty.images, empty.accuracy) == (0.0, [0] * 10, [None] * 10)


def test_a_share_of_the_boards_at_hand_has_an_interval_over_their_images() -> None:
    right = np.array([True, True, False, True, False, True])
    counted = np.array([True, True, True, True, False, False])
    image = np.array([[0, 1], [1, 2], [3, -1], [4, 0], [5, 5], [6, 7]])
    found = share_of("solved", "boards solved", right, counted, image)
    hits = np.array([1.0, 1.0, 0.0, 1.0])
    assert (found.share, found.of) == (0.75, 4)
    assert found.interval == clustered_interval(hits, np.ones(4), image[:4])
    assert found.interval is not None
    low, high = found.interval
    assert (found.short, found.text) == ("0.75", f"0.75 ({low:.2f} to {high:.2f})")
    none = share_of("solved", "boards solved", right, np.zeros(6, dtype=bool), image)
    assert none == Share("solved", "boards solved", None, 0)
    assert (none.short, none.text, none.interval) == ("–", "–", None)
    assert replace(found, interval=None).text == "–"
    assert replace(found, share=None).text == "–"
    asked = Asked([none, replace(found, name="read")])
    assert (asked["read"].of, asked["solved"].of, asked.counts) == (4, 0, {})


def test_sample_boards_are_the_first_ones_as_they_were_read_and_answered() -> None:
    image = np.array([[-1, 0, 2], [1, -1, 0], [3, 2, -1], [0, 1, 2]])
    predicted = np.array([1, 0, 1, 0])
    given = image >= 0
    solution = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 0]])
    completion = np.eye(2)[1 - solution]
    completion[1, 1, 0] = np.nan  # its query: not solved
    completion[2, 0] = np.nan  # a given, at which nothing is asked
    found = sample_boards(image, predicted, given, completion, solution)
    assert len(found) == BOARDS == 3
    assert [board.image for board in found] == image[:3].tolist()
    assert [board.read for board in found] == [[-1, 1, 1], [0, -1, 1], [0, 1, -1]]
    assert [board.given for board in found] == given[:3].tolist()
    assert [board.solution for board in found] == solution[:3].tolist()
    assert [board.answer for board in found] == [[0, 1, 0], [-1, -1, -1], [0, 0, 1]]
    assert len(sample_boards(image[:2], predicted, given[:2], completion[:2], solution[:2])) == 2


FIGURES_AS_THEY_ARE_SHOWN = {
    "task": ("puzzles", Place.RANKING, True, "0.250"),
    "board": ("puzzles", Place.MEANS, True, "0.250"),
    "cell": ("cells", Place.MEANS, True, "0.250"),
    "raw": ("images", Place.VERDICTS, True, "0.250"),
    "aligned": ("images", Place.RANKING, True, "0.250"),
    "collapse": ("symbols", Place.TRIALS, False, "0.25"),
    "unsolved": ("puzzles", Place.TRIALS, False, "0.25"),
    "read": ("puzzles", Place.RECORD, True, "0.250"),
}


def test_every_figure_is_shown_in_its_place_and_means_nothing_where_nothing_was_counted() -> None:
    nothing = Scores(0.5, 0.5, 0.5, 0.5, 0.5, 0, raw=0.5, aligned=0.5, collapse=0.5)
    told = {f.name: (f.of, f.place, f.higher_is_better, f.text(0.25)) for f in FIGURES}
    assert told == FIGURES_AS_THEY_ARE_SHOWN
    for figure in FIGURES:
        assert figure.value(nothing) == (None if figure.of in ("puzzles", "cells") else 0.5)
        assert figure.value(replace(nothing, puzzles=1)) == 0.5
    curve = {f.name: (f.higher_is_better, f.text(2), f.place) for f in CURVE}
    assert list(curve) == ["loss", "task", "raw", "aligned", "symbols_used", "gradient"]
    assert curve["loss"] == (False, "2", Place.MEANS)
    assert curve["symbols_used"][:2] == (True, "2")
    assert curve["gradient"] == (True, "2", Place.RECORD)
    assert len({interval.name for interval in INTERVALS}) == 3


def test_one_is_one_and_all_other_counts_are_many() -> None:
    assert [count_of(n, "seed") for n in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]
