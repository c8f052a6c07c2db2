"""Verdicts, remedies and findings of trials where figures are equal, or where seeds differ."""

from dataclasses import replace

import numpy as np
import pytest

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.bars import Bars, unfit
from groundcheck.grounding.checks.names import beyond_ids, check_ids, registered, suggest
from groundcheck.grounding.checks.perception import check_perception
from groundcheck.grounding.checks.trained import Trained, trained
from groundcheck.grounding.diagnosis.cause import Explanation
from groundcheck.grounding.measures.identifiability import Identifiability
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.statistics import difference_interval, wilson_interval
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.remedies import (
    TOLD_APART,
    TOLD_APART_AND_STOPPED,
    UNKNOWN,
    Evidence,
    Verdict,
    remedy,
)
from groundcheck.grounding.trials.trial import Outcome
from groundcheck.grounding.verdict import Judgement, _beyond, _without_ceiling


def scores(task: float, puzzles: int = 100, **changed: object) -> Scores:
    return replace(Scores(task, 0.0, 0.0, 0.0, 0.8, puzzles, raw=0.5, aligned=0.75, images=100), **changed)  # type: ignore[arg-type]


def test_an_accuracy_that_a_guess_reaches_is_not_high() -> None:
    near = Bars(0.5, 0.5, 0.48, 0.48)
    assert not near.answers(0.48, (0.4, 0.6))
    assert near.answers(0.481, (0.4, 0.6))
    assert near.answers(0.481, (0.4, 0.5))
    assert not near.grounds(0.49, (0.4, 0.499))


CAUSE = Explanation("solver", "", 1.0, "", "Do that.", "")


@pytest.mark.parametrize("verdict", list(UNKNOWN))
@pytest.mark.parametrize("cause", ["solver", "collapsed"])
def test_a_cause_is_told_of_a_failure_alone(verdict: Verdict, cause: str) -> None:
    told = remedy(verdict, Evidence(causes=[replace(CAUSE, cause=cause)], identified=[]))
    if verdict not in ("UNGROUNDED", "NOT REASONING", "SHORTCUT"):
        assert told == UNKNOWN[verdict]
    else:
        fine = "Perception is fine. " if (verdict, cause) == ("NOT REASONING", "solver") else ""
        assert told == f"{fine}Do that."


def test_puzzles_that_tell_all_symbols_apart_ask_for_longer_training_unless_it_stopped() -> None:
    unique = Identifiability(1, True, np.eye(2, dtype=bool), (), 10, 1)
    assert unique.unique
    assert remedy("SHORTCUT", Evidence(identified=[unique])) == TOLD_APART
    assert remedy("SHORTCUT", Evidence(identified=[unique], stopped=True)) == TOLD_APART_AND_STOPPED


def test_without_a_ceiling_one_seed_that_answered_nothing_is_enough_to_say_nothing() -> None:
    asked, silent = scores(0.5, raw=0.0, guessed_task=0.25), scores(0.5, 0, raw=0.0, aligned=0.5)
    assert _without_ceiling([asked, silent], ["GROUNDED"]).startswith(
        "reads 0.00 of the images right, 0.62 after relabelling; nothing was answered"
    )
    both = _without_ceiling([asked, replace(asked, guessed_task=None)], ["GROUNDED"])
    assert both.startswith("answers 0.50 of the puzzles (guessing 0.12), reads 0.00 of the images right")
    assert "; no ceiling is known" in both
    assert "below which" not in both
    assert "below which nothing is decided" in _without_ceiling([asked], ["INCONCLUSIVE"])
    blind = _without_ceiling([asked, replace(asked, aligned=None)], ["GROUNDED"])
    assert "nothing was read" in blind


def test_the_best_possible_is_passed_only_where_intervals_do_not_meet() -> None:
    best = scores(0.0, read=0.5)
    first = next(n for n in range(101) if wilson_interval(n, 100)[0] > wilson_interval(50, 100)[1])
    assert _beyond([scores((first - 1) / 100)], [best], ["GROUNDED"]) == ""
    assert "the rules correct misreadings" in _beyond([scores(first / 100)], [best], ["GROUNDED"])
    assert "do not come from what is read" in _beyond([scores(first / 100)], [best], ["GROUNDED", "SHORTCUT"])
    guess = replace(best, guessed_task=first / 100)
    found = _beyond([scores(first / 100)], [best, guess], ["GROUNDED"])
    assert found.endswith("guessing answers as many")


def test_a_baseline_that_answers_as_much_as_a_guess_stands_for_it() -> None:
    """Equal shares: the interval is that of the baseline's own puzzles."""
    solver = Outcome("grounding", "t", "s", 0, scores(0.9, guessed_task=0.5))
    baseline = Outcome("baseline", "t", "mlp", 0, scores(0.5, 400))
    found = trained["baseline"].run(
        Trained(Judgement("GROUNDED", 1, 0, 1, (0.0, 1.0), "", ""), [solver, baseline])
    )
    expected = difference_interval((0.9, wilson_interval(90, 100)), (0.5, wilson_interval(200, 400)))
    assert (found.interval, found.figure) == (expected, pytest.approx(0.4))


def test_a_ceiling_is_unfit_where_a_guess_meets_it() -> None:
    guess = 30
    first = next(n for n in range(101) if wilson_interval(n, 100)[0] > wilson_interval(guess, 100)[1])
    for name, told in (("guessed_task", "what guessing answers"), ("guessed_read", "reads every image")):
        for read, why in ((first, ""), (first - 1, told)):
            known = scores(0.0, read=read / 100, aligned=0.9, **{name: guess / 100})
            sentence = unfit(Outcome("ceiling", "t", "s", 0, known))
            assert (why in sentence) == bool(sentence or not why)
            assert bool(sentence) == bool(why)


def test_checks_without_a_place_in_the_suite_are_named_by_their_file() -> None:
    assert registered("audit") == ("audit/labels", "audit/gradient", "audit/scale")
    assert registered("beyond") == registered("leak") == ()
    assert not set(registered("audit")) & set(check_ids())
    assert set(check_ids(trained=True)) | set(check_ids(trained=False)) == set(check_ids())
    assert set(beyond_ids()) < set(check_ids(trained=True))
    first = check_ids().index("contract/shape")
    assert first < check_ids().index("leak/labels") < check_ids().index("grounding")
    many = [f"abcd{n}" for n in range(6)]
    assert suggest("abcd", many).count(" or ") == 2
    assert suggest("zzzz", many) == "they are named like abcd0"


def test_findings_of_a_perception_carry_the_name_of_the_task() -> None:
    task, bank = Mapping(symbols=3), ImageSource.of("digits").load()
    for label, called in ((None, "mapping"), ("mapping[symbols=3]", "mapping[symbols=3]")):
        findings = check_perception(PerceptionSpec("mlp"), task, bank, batch=4, label=label)
        assert {f.task for f in findings} == {called}
