"""The ceiling as a number and as predictions of its own."""

import numpy as np
import pytest
from predicted import predicted, without

from groundcheck.datasets.errors import UsageError
from groundcheck.grounding import score
from groundcheck.grounding.judging.ceilings import as_number

READINGS = ("solution", "given", "answers", "image")


def test_a_number_says_what_exact_rules_would_answer() -> None:
    """Two images stand in every puzzle."""
    [scores] = score(predicted(), ceiling=0.9).tasks[0].scores("ceiling")
    assert scores.aligned == 0.9
    assert scores.read == scores.task == pytest.approx(0.81)


@pytest.mark.parametrize("text", ["0.9", "9e-1"])
def test_a_word_may_be_a_number(text: str) -> None:
    assert as_number(text) == 0.9
    assert as_number("ceiling.npz") is None
    [scores] = score(predicted(), ceiling=text).tasks[0].scores("ceiling")
    assert scores.aligned == 0.9


def test_predictions_of_the_same_images_are_counted_puzzle_by_puzzle() -> None:
    arrays, own = predicted(), predicted(read=0.8)
    readings = {**without(own, *READINGS), "true": arrays["true"]}
    [scores] = score(arrays, ceiling=readings).tasks[0].scores("ceiling")
    right = own["beliefs"].argmax(-1) == arrays["true"]
    assert scores.read == pytest.approx(right[arrays["image"][:, :2]].all(axis=1).mean())
    assert scores.aligned == pytest.approx(0.8, abs=0.06)
    assert scores.confusion is not None


def test_predictions_of_other_images_count_as_a_number() -> None:
    [scores] = (
        score(predicted(), ceiling=without(predicted(5, read=0.8), *READINGS)).tasks[0].scores("ceiling")
    )
    assert scores.aligned is not None
    assert scores.read == pytest.approx(scores.aligned**2)


def test_predictions_with_puzzles_of_their_own() -> None:
    own = predicted(5, read=0.8)
    [scores] = score(predicted(), ceiling=own).tasks[0].scores("ceiling")
    right = own["beliefs"].argmax(-1) == own["true"]
    assert scores.read == pytest.approx(right[own["image"][:, :2]].all(axis=1).mean())


def test_one_for_all_or_one_for_each() -> None:
    seeds = [predicted(seed) for seed in range(3)]
    alike = score(*seeds, ceiling=0.9).tasks[0].scores("ceiling")
    assert [scores.aligned for scores in alike] == [0.9, 0.9, 0.9]
    each = score(*seeds, ceiling=[0.9, 0.8, 0.7]).tasks[0].scores("ceiling")
    assert [scores.aligned for scores in each] == [0.9, 0.8, 0.7]
    with pytest.raises(UsageError, match="2 ceilings for 3 seeds: give one for all, or one for each"):
        score(*seeds, ceiling=[0.9, 0.8])


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0.0, "ceiling 0: it is the aligned accuracy"), (-0.5, "ceiling -0.5"), (float("nan"), "ceiling nan"),
        (98.0, "ceiling 98: .*: write 0.98"), (float("inf"), "ceiling inf"), (200.0, "at most 1$"),
    ],
)  # fmt: skip
def test_numbers_that_are_no_accuracy(number: float, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        score(predicted(), ceiling=number)
    with pytest.raises(UsageError, match=told):
        score(predicted(), ceiling=str(number))


def test_a_ceiling_that_reads_nothing() -> None:
    with pytest.raises(UsageError, match="the ceiling holds no readings: a ceiling is the aligned accuracy"):
        score(predicted(), ceiling=without(predicted(1), "true", "beliefs", "image"))


def test_a_ceiling_at_chance_decides_nothing() -> None:
    arrays = predicted(read=0.2, answered=0.12)
    report = score(*[{**arrays, "answers": np.roll(arrays["answers"], n, 0)} for n in range(6)], ceiling=0.25)
    assert report.tasks[0].judgement.verdict == "INCONCLUSIVE"
    assert "nothing can be held against the ceiling" in report.tasks[0].judgement.reason
