"""What trials amount to, at both sides of every bound."""

from dataclasses import replace

import numpy as np
import pytest

from groundcheck.grounding.checks import trained as trained_module
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.trained import Trained, guess_over, interval_over, trained
from groundcheck.grounding.measures.interventions import Intervention, Interventions
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.statistics import difference_interval, wilson_interval
from groundcheck.grounding.trials.trial import Outcome, Point, Role
from groundcheck.grounding.verdict import Judgement

JUDGED = Judgement("GROUNDED", 3, 1, 4, (0.3, 0.95), "told why", "do that")
ENDS = [wilson_interval(n, 100) for n in range(101)]


def outcome(role: Role, hits: float, *, of: int = 100, **changed: object) -> Outcome:
    """So many of a hundred puzzles, in all that is counted over them."""
    share = hits / 100
    scores = Scores(share, share, share, 0.0, 0.9, of, raw=0.9, aligned=0.9, images=100)
    return Outcome(role, "mapping", "some", 0, replace(scores, **changed))  # type: ignore[arg-type]


def found(check: str, *outcomes: Outcome, symbols_only: bool = False, rules_given: bool = False) -> Finding:
    return trained[check].run(Trained(JUDGED, outcomes, symbols_only, rules_given))


def above(hits: int) -> int:
    """The least count of a hundred whose interval begins above the end of that of another count."""
    return next(n for n in range(101) if ENDS[n][0] > ENDS[hits][1])


def test_accuracies_are_those_of_all_puzzles() -> None:
    some = [outcome("grounding", 20, of=300).scores, outcome("grounding", 60).scores]
    assert interval_over(some) == wilson_interval(120, 400)  # type: ignore[arg-type]
    guessed = [replace(s, guessed_task=g) for s, g in zip(some, (0.1, 0.4), strict=True)]  # type: ignore[type-var]
    assert guess_over(guessed) == wilson_interval(70, 400)
    assert guess_over([guessed[0], some[1]]) == (0.0, 0.0)  # type: ignore[list-item]
    zero = [replace(s, guessed_task=0.0) for s in guessed]
    assert guess_over(zero) == wilson_interval(0, 400)


@pytest.mark.parametrize("guess", [10, 50])
def test_a_bound_of_reasoning_is_end_to_end_only_where_that_is_clear_of_a_guess(guess: int) -> None:
    first = above(guess)
    known = {"guessed_task": guess / 100}
    clear = found("reasoning", outcome("grounding", first, **known), outcome("reasoning", 94, **known))
    assert clear.bound == pytest.approx(max(0.95 * first / 100, ENDS[guess][1]))
    assert clear.status == "pass"
    assert "no more than a guess" not in clear.reason
    near = found("reasoning", outcome("grounding", first - 1, **known), outcome("reasoning", 94, **known))
    assert (near.bound, near.status) == (0.95, "inconclusive")
    assert "no more than a guess" in near.reason
    high = found("reasoning", outcome("grounding", first - 1, **known), outcome("reasoning", 95, **known))
    assert (high.status, "no more than a guess" in high.reason) == ("pass", False)
    low = found("reasoning", outcome("grounding", guess, **known), outcome("reasoning", first - 1, **known))
    assert low.status == "fail"  # neither is clear of a guess
    beyond = found("reasoning", outcome("grounding", guess, **known), outcome("reasoning", first, **known))
    assert beyond.status == "inconclusive"
    assert f"(guessing {guess / 100:.2f})" in low.reason


def test_who_answers_nothing_anywhere_fails_where_no_guess_is_known() -> None:
    nothing = found("reasoning", outcome("grounding", 0), outcome("reasoning", 0))
    assert (nothing.status, nothing.bound) == ("fail", 0.95)
    assert "no more than a guess" in nothing.reason


def test_where_every_ceiling_is_unfit_reasoning_is_not_failed() -> None:
    known = {"guessed_task": 0.5}
    low = (outcome("grounding", 50, **known), outcome("reasoning", 50, **known))
    fit, unfit = outcome("ceiling", 90), outcome("ceiling", 0, read=0.0)
    assert found("reasoning", *low).status == "fail"
    assert found("reasoning", *low, fit).status == "fail"
    assert found("reasoning", *low, unfit).status == "inconclusive"
    assert found("reasoning", *low, unfit, fit).status == "fail"


@pytest.mark.parametrize(("reached", "bound"), [(80, 0.76), (100, 0.95), (60, 0.57)])
def test_reasoning_is_asked_for_no_more_than_is_reached(reached: int, bound: float) -> None:
    checked = found("reasoning", outcome("grounding", reached), outcome("reasoning", 70))
    assert checked.bound == pytest.approx(bound)
    assert checked.interval == ENDS[70]
    assert checked.status == ("pass" if bound <= 0.7 else "fail")
    alone = found("reasoning", outcome("reasoning", 70), symbols_only=True)
    assert (alone.bound, alone.status) == (0.95, "fail")


def test_a_baseline_is_held_against_by_newcombe_or_a_guess_where_that_is_more() -> None:
    own, other = outcome("grounding", 60), outcome("baseline", 40)
    plain = found("baseline", own, other)
    assert plain.interval == difference_interval((0.6, ENDS[60]), (0.4, ENDS[40]))
    assert (plain.figure, plain.status, plain.remedy) == (pytest.approx(0.2), "pass", "")
    assert plain.reason == "answers 0.60 of the puzzles, without logic 0.40"
    guessed = {"guessed_task": 0.45}
    more = found("baseline", outcome("grounding", 60, **guessed), other)
    assert more.interval == difference_interval((0.6, ENDS[60]), (0.45, ENDS[45]))
    assert more.figure == pytest.approx(0.15)
    same = found("baseline", outcome("grounding", 60, guessed_task=0.4), other)
    assert same.interval == plain.interval
    first = next(n for n in range(41, 101) if difference_interval((n / 100, ENDS[n]), (0.4, ENDS[40]))[0] > 0)
    statuses = [found("baseline", outcome("grounding", n), other).status for n in (first - 1, first)]
    assert statuses == ["inconclusive", "pass"]


def test_advice_beside_a_baseline_follows_the_intervals() -> None:
    other = outcome("baseline", 60)
    worse = next(
        n for n in range(60, 0, -1) if difference_interval((n / 100, ENDS[n]), (0.6, ENDS[60]))[1] < 0
    )
    below, near = (found("baseline", outcome("grounding", n), other).remedy for n in (worse, worse + 1))
    assert below.startswith("The solver answers fewer than a network without logic")
    assert near == "Take a task on which the baseline fails."
    guess = {"guessed_task": 0.5}
    first = above(50)
    beside = outcome("baseline", 60)
    no_more, more = (found("baseline", outcome("grounding", n, **guess), beside) for n in (first - 1, first))
    assert no_more.remedy.startswith("The solver answers no more than a guess")
    assert more.remedy == "Take a task on which the baseline fails."


@pytest.mark.parametrize(("guess", "bound"), [(0.2, 0.5), (0.5, ENDS[50][1])])
def test_a_ceiling_has_to_read_half_and_more_than_a_guess(guess: float, bound: float) -> None:
    checked = found("ceiling", outcome("ceiling", 90, guessed_aligned=guess))
    assert checked.bound == pytest.approx(bound)
    assert (checked.figure, checked.status) == (0.9, "pass")
    assert checked.reason == "reads 0.900 of the images"
    for aligned, status in ((0.5, "pass"), (0.49, "inconclusive")):
        low = found("ceiling", outcome("ceiling", 90, guessed_aligned=0.1, aligned=aligned))
        assert (low.status, low.figure) == (status, aligned)
    one, two = outcome("ceiling", 90), outcome("ceiling", 90, guessed_aligned=0.9)
    unfit = found("ceiling", one, two, two)
    assert unfit.status == "inconclusive"
    assert "; on 2 seeds the ceiling reads 0.90 of the images" in unfit.reason
    mean = np.mean([0.0, ENDS[90][1], ENDS[90][1]])
    assert unfit.bound == pytest.approx(mean)
    broken = Outcome("ceiling", "mapping", "some", 0, error="boom")
    assert found("ceiling", one, broken).status == "pass"
    other = replace(two, role="reasoning")
    assert found("ceiling", one, other).status == "pass"  # of ceilings alone


def begun(*tasks: float, chances: tuple[float, ...] = (0.25,)) -> list[Outcome]:
    """Trials on true symbols by what they answered before their first step, beside some on images."""
    quiet = Intervention(0, 0)
    beside = [
        replace(outcome("grounding", 80), interventions=Interventions(0.8, chance, quiet, quiet, quiet))
        for chance in chances
    ]
    points = [Point(0, None, 0.0, task, None, None, None) for task in tasks]
    trials = [replace(outcome("reasoning", 99), curve=[p, replace(p, task=0.0)]) for p in points]
    return [*beside, *trials]


def test_what_was_brought_is_a_mean_held_against_halfway_from_a_guess() -> None:
    checked = found("brought", *begun(0.5, 0.6, 1.0, chances=(0.04, 0.14)))
    assert checked.figure == pytest.approx(0.7)
    assert checked.bound == pytest.approx((1 + 0.3) / 2)
    assert checked.status == "fail"
    assert checked.reason == "untrained it answers 0.70 of the puzzles from true symbols"
    assert [found("brought", *begun(*[0.76] * n)).status for n in (1, 2, 3)] == ["inconclusive"] * 2 + [
        "fail"
    ]
    assert [found("brought", *begun(*[0.75] * n)).status for n in (1, 2, 3)] == ["pass"] * 3


def test_without_a_start_or_a_trial_beside_it_nothing_is_said() -> None:
    assert found("brought", *begun(1.0)[1:]).status == "skip"
    assert found("brought", begun(1.0)[0]).status == "skip"
    assert found("brought", *begun(1.0), rules_given=True).status == "skip"
    other = [replace(o, role="baseline") if o.curve else o for o in begun(1.0)]
    assert found("brought", *other).status == "skip"  # of reasoning alone
    assert found("brought", *[replace(o, curve=[]) for o in begun(1.0)]).status == "skip"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("GROUNDED", "pass"), ("SHORTCUT", "fail"), ("SKIPPED", "fail"), ("INCONCLUSIVE", "inconclusive")],
)
def test_the_share_of_seeds_is_told_with_its_interval(verdict: str, status: str) -> None:
    judged = replace(JUDGED, verdict=verdict, grounded=1)  # type: ignore[arg-type]
    checked = trained["grounding"].run(Trained(judged, [outcome("grounding", 80)]))
    assert (checked.status, checked.figure, checked.interval) == (status, 0.25, (0.3, 0.95))
    assert (checked.bound, checked.reason) == (None, f"{verdict}: told why")
    none = trained["grounding"].run(Trained(replace(judged, grounded=0, seeds=0), []))
    assert none.figure is None
    assert trained["grounding"].run(Trained(judged, [], symbols_only=True)).status == "skip"
    error = trained["grounding"].run(Trained(replace(judged, verdict="ERROR"), []))
    assert (error.status, error.reason) == ("error", "RuntimeError: told why")


def test_a_role_that_broke_is_told_by_its_first_error_unless_one_did_not() -> None:
    broken = [
        Outcome("baseline", "mapping", "some", n, error=f"Traceback\nValueError: {n}") for n in range(2)
    ]
    checked = found("baseline", outcome("grounding", 80), *broken)
    assert checked.reason == "RuntimeError: all of 2 trials broke: ValueError: 0"
    assert found("baseline", outcome("grounding", 80), *broken, outcome("baseline", 10)).status == "pass"


def test_intervals_that_touch_are_not_clear_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_module, "interval_over", lambda scores: (0.5, 0.6))
    for guess, told in (((0.2, 0.5), True), ((0.2, 0.499), False)):
        monkeypatch.setattr(trained_module, "guess_over", lambda scores, guess=guess: guess)
        advice = found("baseline", outcome("grounding", 55), outcome("baseline", 55)).remedy
        assert ("no more than a guess" in advice) == told


@pytest.mark.parametrize(
    ("interval", "passes", "fewer"),
    [
        ((-0.2, -0.1), False, True),
        ((-0.1, 0.0), False, False),
        ((0.0, 0.1), False, False),
        ((0.1, 0.2), True, False),
    ],
)
def test_an_interval_that_ends_at_nothing_is_neither_below_nor_above(
    interval: tuple[float, float], passes: bool, fewer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(trained_module, "difference_interval", lambda *a: (asked.append(a[1]), interval)[1])
    known = {"guessed_task": 0.55}
    checked = found("baseline", outcome("grounding", 65, **known), outcome("baseline", 55, **known))
    assert (checked.status == "pass") == passes
    assert ("fewer than a network without logic" in checked.remedy) == fewer
    assert asked == [(0.55, ENDS[55])]
