"""What counts as high: relative to a ceiling, never what a guess reaches, within an interval."""

from dataclasses import replace

import pytest

from groundcheck.grounding.bars import HIGH, LEAST, Bars, bars, unfit
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.statistics import SequentialTest, wilson_interval
from groundcheck.grounding.trials.trial import Outcome, Role
from groundcheck.grounding.verdict import judge, seed_verdict


def scored(
    task: float,
    aligned: float,
    *,
    read: float = 0.9,
    guessed: float = 0.1,
    symbols: int = 10,
    role: Role = "grounding",
    images: int = 400,
) -> Outcome:
    """Of 300 puzzles, with the intervals of figures that depend on nothing."""
    intervals = {name: wilson_interval(share * n, n) for name, share, n in
                 (("task", task, 300), ("aligned", aligned, images), ("raw", aligned, images))}  # fmt: skip
    scores = Scores(
        task, task, task, 0.0, read, 300, raw=aligned, aligned=aligned, images=images, intervals=intervals,
        guessed_task=guessed, guessed_read=0.0, guessed_aligned=1 / symbols,
    )  # fmt: skip
    return Outcome(role, "mapping", "some", 0, scores)


CEILING = scored(0.9, 0.96, role="ceiling")
# As measured: `check mlp --task parity --set perception_rate=0.1`.
AT_CHANCE = scored(0.01, 0.485, read=0.01, guessed=0.5, symbols=2, images=68, role="ceiling")
COIN = scored(0.53, 0.5, read=0.01, guessed=0.5, symbols=2, images=68)


def test_a_ceiling_at_chance_decides_nothing_and_says_so() -> None:
    """Two classes that are read as by the toss of a coin, and answers that are guessed."""
    assert bars(AT_CHANCE) is None
    assert "not clearly more than one that reads every image as the same symbol (0.50)" in unfit(AT_CHANCE)
    found = judge([COIN] * 8, [AT_CHANCE] * 8, SequentialTest(), rules_given=False)
    assert (found.verdict, found.grounded, found.decided) == ("INCONCLUSIVE", 0, False)
    assert "guessing 0.50" in found.reason
    assert "on 8 seeds nothing can be held against the ceiling" in found.reason
    assert "more than the best possible, which is no bound here: guessing answers as many" in found.reason
    assert "Let the ceiling read first" in found.remedy


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"aligned": 0.5, "guessed_aligned": 0.45}, "of the images, not clearly more"),
        ({"read": 0.2, "guessed_read": 0.16}, "of the puzzles without an error, not clearly more"),
        ({"read": 0.55, "guessed_task": 0.5}, "not clearly above what guessing answers (0.50)"),
        ({"read": 0.0}, "no puzzle without an error"),
        ({"guessed_aligned": None, "guessed_read": None, "guessed_task": None}, ""),
        ({"read": 0.7, "guessed_task": 0.5}, ""),
        ({"read": 0.1, "guessed_task": 0.0}, ""),  # long puzzles: few are read whole, none is guessed
    ],
)
def test_what_makes_a_ceiling_unfit(changed: dict[str, float | None], why: str) -> None:
    ceiling = replace(CEILING, scores=CEILING.scores and replace(CEILING.scores, **changed))
    assert (why in unfit(ceiling)) if why else unfit(ceiling) == ""
    assert (bars(ceiling) is None) == bool(why)


def test_no_bar_is_below_what_guessing_reaches() -> None:
    """A guess that answers 0.96 of the puzzles may answer more than 0.95 of them on another test set."""
    found = bars(scored(1.0, 0.96, read=1.0, guessed=0.96, role="ceiling"))
    assert found is not None
    assert found.task == found.guessed_task == wilson_interval(288, 300)[1] > HIGH
    assert not found.answers(0.96, (0.93, 0.98))
    assert found.answers(0.99, (0.97, 1.0))


def test_no_bar_is_clearly_below_the_baseline() -> None:
    easy = scored(0.97, 0.9, role="baseline")
    found = bars(CEILING, easy)
    assert found is not None
    assert found.task == wilson_interval(291, 300)[0] > HIGH * 0.9
    assert bars(CEILING, replace(easy, scores=None)) == bars(CEILING)


def test_an_accuracy_is_high_where_its_interval_reaches_the_bar_but_never_below_the_least() -> None:
    high = Bars(0.95, 0.95, 0.5, 0.1)  # of a ceiling without a fault
    assert high.answers(0.95)
    assert not high.answers(0.949)
    assert high.answers(0.93, (0.90, 0.955))
    assert not high.answers(0.93, (0.90, 0.949))
    assert not high.answers(LEAST - 0.001, (0.5, 1.0))  # however wide
    assert high.grounds(LEAST + 0.001, (0.5, 1.0))
    guessed = Bars(0.5, 0.5, 0.5, 0.5)
    assert not guessed.answers(0.5 - 0.01, (0.4, 0.6))
    assert guessed.answers(0.5)


def test_a_seed_is_judged_within_its_intervals_and_the_reason_tells() -> None:
    near = scored(0.84, 0.9)  # 0.93 and 0.94 of what the ceiling reached
    assert seed_verdict(near, bars(CEILING), rules_given=True) == "GROUNDED"
    bare = replace(near, scores=near.scores and replace(near.scores, intervals={}))
    assert seed_verdict(bare, bars(CEILING), rules_given=True) == "UNGROUNDED"
    found = judge([near] * 6, [CEILING] * 6, SequentialTest(), rules_given=True)
    assert found.verdict == "GROUNDED"
    assert "6 of 6 seeds grounded only within its 95 % interval (0.95 of what" in found.reason
    sure = judge([scored(0.9, 0.96)] * 6, [CEILING] * 6, SequentialTest(), rules_given=True)
    assert "interval" not in sure.reason


def test_what_is_above_the_best_possible_is_told_with_its_cause() -> None:
    corrects = judge([scored(0.99, 0.96)] * 6, [CEILING] * 6, SequentialTest(), rules_given=True)
    assert corrects.verdict == "GROUNDED"
    assert "more than the best possible, which is no bound here: the rules correct misreadings" in (
        corrects.reason
    )
    elsewhere = judge([scored(0.99, 0.2)] * 2, [CEILING] * 2, SequentialTest(), rules_given=True)
    assert elsewhere.verdict == "SHORTCUT"
    assert "its answers do not come from what is read" in elsewhere.reason
    assert (
        "more than"
        not in judge([scored(0.91, 0.96)] * 6, [CEILING] * 6, SequentialTest(), rules_given=True).reason
    )
