"""What a judgement says, sentence by sentence: each where it holds, and not where it does not."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from groundcheck.grounding import bars as bars_module
from groundcheck.grounding import verdict as verdict_module
from groundcheck.grounding.bars import (
    HIGH,
    LEAST,
    Bars,
    bars,
    guessed_answers,
    guessed_readings,
    perfect_ceiling,
    unfit,
)
from groundcheck.grounding.measures.identifiability import Identifiability
from groundcheck.grounding.measures.interventions import Intervention, Interventions
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.statistics import SequentialTest, wilson_interval
from groundcheck.grounding.trials.trial import Outcome
from groundcheck.grounding.verdict import Judgement, judge, seed_verdict


def outcome(task: float, aligned: float | None, raw: float | None = None, **changed: object) -> Outcome:
    scores = Scores(
        task=task, board=task, cell=task, unsolved=0.0, read=1.0, puzzles=100,
        raw=aligned if raw is None else raw, aligned=aligned, collapse=0.0, images=100,
    )  # fmt: skip
    seed = changed.pop("seed", 0)
    return Outcome("grounding", "mapping", "some", seed, replace(scores, **changed))  # type: ignore[arg-type]


CEILING = replace(outcome(0.8, 0.8, read=0.8), role="ceiling")
BROKEN = Outcome("grounding", "mapping", "some", 0, error="Traceback\nValueError: boom")
GOOD, SHORT, READS, BAD = outcome(0.8, 0.8), outcome(0.8, 0.1), outcome(0.1, 0.8), outcome(0.1, 0.1)


def told(*outcomes: Outcome, ceilings: list[Outcome] | None = None, **options: object) -> Judgement:
    best = [CEILING] * len(outcomes) if ceilings is None else ceilings
    return judge(outcomes, best, SequentialTest(), **{"rules_given": False, **options})  # type: ignore[arg-type]


ACCURACIES = (0.0, 0.4, 0.719, 0.721, 0.759, 0.76, 0.9)  # about 0.9 and 0.95 of a ceiling of 0.8
WIDTHS = (None, 0.0, 0.03, 0.3)


@pytest.mark.parametrize("rules_given", [True, False])
@pytest.mark.parametrize("assumed", [True, False])
def test_every_cell_of_the_table_at_every_side_of_its_bars(rules_given: bool, assumed: bool) -> None:
    """All combinations of three accuracies and the reach of their intervals, against the table in words."""
    high = Bars(0.76, 0.76, 0.3, 0.3, assumed)

    def reaches(accuracy: float, width: float | None) -> bool:
        near = width is not None and accuracy + width >= 0.76 and accuracy > 0.3
        return accuracy >= 0.76 or (near and accuracy >= 0.72)

    tried = 0
    for task in ACCURACIES:
        for aligned in ACCURACIES:
            for raw in (a for a in ACCURACIES if a <= aligned):
                for width in WIDTHS:
                    ends = {} if width is None else {
                        name: (0.0, value + width)
                        for name, value in (("task", task), ("aligned", aligned), ("raw", raw))
                    }  # fmt: skip
                    answers, grounds, named = (reaches(a, width) for a in (task, aligned, raw))
                    if answers and grounds and (named or not rules_given):
                        expected = "GROUNDED"
                    elif answers and grounds:
                        expected = "INCONCLUSIVE" if assumed and raw >= 0.9 * aligned else "SHORTCUT"
                    elif assumed:
                        expected = "INCONCLUSIVE"
                    else:
                        expected = "SHORTCUT" if answers else "NOT REASONING" if grounds else "UNGROUNDED"
                    seen = outcome(task, aligned, raw, intervals=ends)
                    assert seed_verdict(seen, high, rules_given=rules_given) == expected
                    tried += 1
    assert tried > 500


def test_what_puzzles_leave_open_has_an_interval_of_its_own() -> None:
    """Of 100 images 71 are too few whatever the interval, and 72 are enough because of it."""
    possible = np.array([[True, True, False], [True, True, False], [False, False, True]])
    high = Bars(0.5, 0.75)

    def named(hits: int) -> str:
        confusion = [[10, hits - 10, 100 - hits], [0, 0, 0], [0, 0, 0]]
        seen = outcome(0.9, 0.9, 0.1, confusion=confusion, intervals={"raw": (0.05, 0.15)})
        return seed_verdict(seen, high, rules_given=True, possible=possible)

    assert wilson_interval(71, 100)[1] > 0.75
    assert [named(hits) for hits in (71, 72, 75)] == ["SHORTCUT", "GROUNDED", "GROUNDED"]
    bare = outcome(0.9, 0.9, 0.1, confusion=[[10, 63, 27], [0, 0, 0], [0, 0, 0]])
    assert seed_verdict(bare, high, rules_given=True, possible=possible) == "SHORTCUT"  # no interval at all
    unread = outcome(0.9, 0.9, 0.9, confusion=None)
    assert seed_verdict(unread, high, rules_given=True, possible=possible) == "GROUNDED"


@pytest.mark.parametrize("rules_given", [True, False])
def test_where_nothing_was_answered_nothing_is_judged(rules_given: bool) -> None:
    for seen in (outcome(0.9, 0.9, puzzles=0), outcome(0.9, None), replace(GOOD, scores=None)):
        verdict = "ERROR" if seen.scores is None else "INCONCLUSIVE"
        assert seed_verdict(seen, Bars(0.5, 0.5), rules_given=rules_given) == verdict


def test_an_intervention_counts_only_where_it_says_something() -> None:
    quiet = Intervention(0, 0)

    def met(followed: int, determined: int = 100) -> str:
        left = Interventions(0.8, 0.1, quiet, quiet, quiet, Intervention(0, 0, determined, followed))
        return seed_verdict(replace(GOOD, interventions=left), bars(CEILING), rules_given=False)

    assert [met(0), met(0, 9), met(100)] == ["SHORTCUT", "GROUNDED", "GROUNDED"]


def test_bars_are_shares_of_the_ceiling_or_what_a_guess_may_reach() -> None:
    known = replace(CEILING, scores=CEILING.scores and replace(
        CEILING.scores, read=0.6, aligned=0.9, puzzles=200, images=400,
        guessed_task=0.1, guessed_read=0.05, guessed_aligned=0.25,
    ))  # fmt: skip
    found = bars(known)
    assert found == Bars(0.95 * 0.6, 0.95 * 0.9, wilson_interval(20, 200)[1], wilson_interval(100, 400)[1])
    assert known.scores is not None
    assert guessed_answers(known.scores) == wilson_interval(20, 200)
    assert guessed_readings(known.scores) == wilson_interval(100, 400)
    assert guessed_answers(replace(known.scores, guessed_task=None)) == (0.0, 0.0)
    near = replace(known, scores=replace(known.scores, aligned=0.3, guessed_aligned=0.28, images=10_000))
    held = bars(near)
    assert held is not None
    assert held.grounding == held.guessed_grounding == wilson_interval(2800, 10_000)[1] > 0.95 * 0.3
    assert bars(known, assumed=True) == replace(found, assumed=True)
    baseline = outcome(0.9, 0.9, puzzles=300)
    above = bars(known, baseline)
    assert above is not None
    assert above == replace(found, task=wilson_interval(270, 300)[0])
    assert (HIGH, LEAST) == (0.95, 0.90)


def unfit_of(**figures: float | None) -> str:
    """Of a ceiling with these figures."""
    return unfit(replace(CEILING, scores=replace(outcome(0.9, 0.9).scores, **figures)))  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("figure", "guess", "told"),
    [
        ("aligned", "guessed_aligned", "of the images, not clearly more"),
        ("read", "guessed_read", "of the puzzles without an error, not clearly more"),
        ("read", "guessed_task", "is not clearly above what guessing answers"),
    ],
)
def test_intervals_that_meet_make_a_ceiling_unfit(figure: str, guess: str, told: str) -> None:
    """Of 100: the first count whose interval begins above the end of that of 30."""
    end = wilson_interval(30, 100)[1]
    first = next(n for n in range(100) if wilson_interval(n, 100)[0] > end)
    assert told in unfit_of(**{figure: (first - 1) / 100, guess: 0.3})
    assert unfit_of(**{figure: first / 100, guess: 0.3}) == ""
    assert unfit_of(**{figure: 0.3, guess: None}) == ""


def test_a_ceiling_that_broke_or_read_nothing_says_so() -> None:
    assert unfit(replace(CEILING, scores=None, error="it broke")) == "the ceiling broke"
    assert unfit(outcome(0.9, None)) == "no image was read"
    assert "no puzzle without an error" in unfit(outcome(0.9, 0.9, read=0.0))
    assert unfit(outcome(0.9, 0.9, read=0.01)) == ""


def test_a_perfect_ceiling_reads_everything_on_the_same_puzzles() -> None:
    seen = outcome(0.3, 0.4, 0.2, seed=7, guessed_task=0.1, unsolved=0.2, confusion=[[1]], relabelling=[0])
    found = perfect_ceiling(seen)
    assert (found.role, found.task, found.seed) == ("ceiling", "mapping", 7)
    assert found.scores == Scores(
        task=1.0, board=1.0, cell=1.0, unsolved=0.0, read=1.0, puzzles=100, raw=1.0, aligned=1.0,
        collapse=0.0, images=100, guessed_task=0.1,
    )  # fmt: skip
    assert perfect_ceiling(BROKEN).scores is None


def test_the_first_decision_stays_whatever_seeds_come_after() -> None:
    assert told(*[GOOD] * 6, BAD, BAD, BAD).verdict == "GROUNDED"
    assert told(BAD, BAD, *[GOOD] * 9).verdict == "UNGROUNDED"
    assert told(GOOD, BAD, BAD, BAD).verdict == "UNGROUNDED"
    assert told(GOOD, BAD, GOOD, BAD).verdict == "INCONCLUSIVE"
    assert told(GOOD, BAD, *[GOOD] * 6).verdict == "INCONCLUSIVE"
    assert told(GOOD, BAD, *[GOOD] * 7).verdict == "GROUNDED"
    waiting = replace(GOOD, scores=replace(GOOD.scores, puzzles=0))  # type: ignore[type-var]
    assert (told(*[waiting] * 9).verdict, told(*[waiting] * 9).failed) == ("INCONCLUSIVE", 0)


@pytest.mark.parametrize(
    ("seeds", "verdict", "tied"),
    [
        ([SHORT, READS], "NOT REASONING", True),
        ([BAD, READS], "UNGROUNDED", True),
        ([BAD, READS, SHORT], "UNGROUNDED", True),
        ([BAD, READS, SHORT, SHORT], "SHORTCUT", False),
        ([BAD, BAD, READS, READS, SHORT], "UNGROUNDED", True),
        ([BROKEN, SHORT], "ERROR", False),
        ([BROKEN, SHORT, SHORT], "SHORTCUT", False),
        ([READS, READS], "NOT REASONING", False),
    ],
)
def test_failures_are_named_by_the_most_frequent_or_the_worst(
    seeds: list[Outcome], verdict: str, tied: bool
) -> None:
    found = told(*seeds)
    assert (found.verdict, found.tied, found.decided) == (verdict, tied, True)
    assert (found.failed, found.seeds) == (len(seeds), len(seeds))


def test_what_beats_the_seeds_comes_in_its_order() -> None:
    for leak in ("it leaks", None):
        for lacking in ("no extra", None):
            for broken in ("no build", None):
                found = told(*[GOOD] * 6, leak=leak, lacking=lacking, broken=broken)
                verdict = "LEAKY" if leak else "SKIPPED" if lacking else "ERROR" if broken else "GROUNDED"
                assert found.verdict == verdict
                if said := leak or lacking or broken:
                    assert found.reason == said
                assert found.grounded == 6


def test_a_seed_without_a_ceiling_of_its_own_is_compared_with_none() -> None:
    found = told(GOOD, GOOD, ceilings=[CEILING])
    assert (found.grounded, found.seeds) == (1, 2)
    low = replace(outcome(0.9, 0.8), role="baseline")
    held = [told(GOOD, GOOD, baselines=b).grounded for b in ([], [low], [low, low])]
    assert held == [2, 1, 0]


WITH_INTERVAL = outcome(0.73, 0.8, intervals={"task": (0.6, 0.8)})


@pytest.mark.parametrize("number", range(4))
def test_seeds_that_grounded_by_their_interval_are_counted(number: int) -> None:
    reason = told(*[WITH_INTERVAL] * number, *[GOOD] * (6 - number)).reason
    if number:
        assert f"{number} of 6 seeds grounded only within its 95 % interval (0.95 of what can" in reason
        assert "and never below 0.90)" in reason
    else:
        assert "interval" not in reason


def identified(count: int, *, complete: bool = True) -> Identifiability:
    possible = np.eye(2, dtype=bool) if count == 1 else np.ones((2, 2), dtype=bool)
    return Identifiability(count, complete, possible, ((1, 0),), 10, 1)


@pytest.mark.parametrize(
    ("seen", "verdict", "said"),
    [
        ([SHORT] * 2, "SHORTCUT", True),
        ([BAD] * 2, "UNGROUNDED", True),
        ([READS] * 2, "NOT REASONING", False),
        ([GOOD] * 6, "GROUNDED", True),
        ([GOOD], "INCONCLUSIVE", False),
    ],
)
def test_the_most_open_of_the_seeds_is_told_where_it_explains(
    seen: list[Outcome], verdict: str, said: bool
) -> None:
    numbered = [replace(o, seed=n) for n, o in enumerate(seen)]
    found = told(*numbered, identified={0: identified(2), 1: identified(5), 9: identified(7)})
    assert found.verdict == verdict
    assert ("5 relabellings fit" in found.reason) == (said and len(seen) > 1)
    assert "7 relabellings" not in found.reason
    assert "that fits all" not in told(*numbered, identified={0: identified(1)}).reason


def test_that_names_are_free_is_said_of_the_grounded_alone() -> None:
    renamed = outcome(0.8, 0.8, 0.1)
    said = "how symbols are numbered"
    assert said in told(*[renamed] * 6).reason
    assert said not in told(renamed).reason
    assert said not in told(*[GOOD] * 6).reason
    assert said not in told(*[outcome(0.1, 0.8, 0.1)] * 2).reason


def test_what_breaks_is_told_from_the_first_that_broke() -> None:
    other = replace(BROKEN, error="Traceback\nKeyError: 'lost'")
    assert told(GOOD, BROKEN, other).reason.startswith("1 of 3 seeds broke") is False
    found = told(BROKEN, other)
    assert (found.verdict, found.reason) == ("ERROR", "2 of 2 seeds broke: ValueError: boom")
    mixed = told(other, BROKEN, SHORT)
    assert mixed.reason == "2 of 3 seeds broke: KeyError: 'lost'"


def test_figures_are_means_over_the_seeds_that_have_them() -> None:
    best = [replace(CEILING, scores=replace(CEILING.scores, guessed_task=g)) for g in (0.1, None, 0.3)]  # type: ignore[type-var]
    best[1] = replace(best[1], scores=replace(best[1].scores, aligned=0.6, read=0.6))  # type: ignore[type-var]
    reason = told(BAD, outcome(0.3, 0.5, 0.2), BROKEN, ceilings=best).reason
    assert "answers 0.20 of the puzzles (best possible 0.73, guessing 0.20)" in reason
    assert "reads 0.15 of the images right, 0.30 after relabelling (ceiling 0.73)" in reason
    assert "guessing" not in told(BAD).reason
    assert told(BAD, on_symbols=0.25).reason.count("on true symbols it answers 0.25") == 1
    lost = outcome(0.1, 0.1, unsolved=0.3)
    assert "15% of the puzzles were left unsolved" in told(lost, BAD).reason


def test_what_is_undecided_says_so_and_kinds_are_counted_where_there_are_two() -> None:
    assert "1 seed does not decide" in told(GOOD).reason
    assert "2 seeds do not decide" in told(GOOD, GOOD).reason
    assert "decide" not in told(BAD, BAD).reason
    assert "seeds differ: 2 SHORTCUT, 1 UNGROUNDED" in told(SHORT, BAD, SHORT, GOOD).reason
    assert "seeds differ" not in told(GOOD, GOOD, SHORT).reason


def test_ceilings_that_decide_nothing_are_counted() -> None:
    at_chance = replace(CEILING, scores=replace(CEILING.scores, aligned=0.3, guessed_aligned=0.3))  # type: ignore[type-var]
    reason = told(GOOD, GOOD, GOOD, ceilings=[at_chance, CEILING, at_chance]).reason
    assert "on 2 seeds nothing can be held against the ceiling: the ceiling reads 0.30" in reason
    assert "on 1 seed nothing" in told(GOOD, GOOD, ceilings=[CEILING, at_chance]).reason
    assert "nothing can be held" not in told(GOOD).reason


def test_without_a_ceiling_a_perfect_perception_stands_in() -> None:
    whole = outcome(1.0, 1.0, guessed_task=0.25)
    found = told(*[whole] * 6, ceilings=[], assumed=True)
    assert (found.verdict, found.grounded) == ("GROUNDED", 6)
    assert found.reason == (
        "answers 1.00 of the puzzles (guessing 0.25), reads 1.00 of the images right, 1.00 after relabelling"
        "; no ceiling is known, so that it is held against a perfect perception"
    )
    low = told(whole, outcome(0.5, 0.7, 0.6, guessed_task=0.25), ceilings=[], assumed=True)
    assert low.verdict == "INCONCLUSIVE"
    assert "answers 0.75 of the puzzles (guessing 0.25), reads 0.80 of the images right, 0.85" in low.reason
    assert "below which nothing is decided; seeds differ: 1 GROUNDED, 1 INCONCLUSIVE" in low.reason
    unseen = told(whole, outcome(0.5, None, guessed_task=None), ceilings=[], assumed=True).reason
    assert unseen == (
        "answers 0.75 of the puzzles (guessing 0.12); nothing was read, so nothing can be said of grounding"
    )
    quiet = told(outcome(0.5, 0.7, puzzles=0), ceilings=[], assumed=True).reason
    assert quiet == (
        "reads 0.70 of the images right, 0.70 after relabelling; nothing was answered, so nothing can be said"
        " of reasoning"
    )
    assert "seeds differ" not in told(whole, whole, ceilings=[], assumed=True).reason


def test_answers_clearly_beyond_the_best_possible_need_a_cause() -> None:
    """Of 100 puzzles each: the first count whose interval begins above the end of that of 80."""
    end = wilson_interval(80, 100)[1]
    first = next(n for n in range(100) if wilson_interval(n, 100)[0] > end)
    said = "more than the best possible"
    assert said not in told(outcome((first - 1) / 100, 0.8)).reason
    assert (
        f"{said}, which is no bound here: the rules correct misreadings"
        in told(outcome(first / 100, 0.8)).reason
    )
    elsewhere = "its answers do not come from what is read, or its rules correct misreadings"
    assert elsewhere in told(outcome(first / 100, 0.1)).reason
    high = outcome(first / 100, 0.8)
    assert elsewhere in told(high, outcome(first / 100, 0.1)).reason  # half of the seeds are not most
    assert "the rules correct misreadings" in told(high, high, outcome(first / 100, 0.1)).reason
    assert elsewhere not in told(high, high, outcome(first / 100, 0.1)).reason
    guess = wilson_interval(90, 100)[1]
    easy = replace(CEILING, scores=replace(CEILING.scores, guessed_task=0.9))  # type: ignore[type-var]
    for task, cause in ((np.floor(100 * guess) / 100, "guessing answers as many"), (1.0, elsewhere)):
        assert cause in told(outcome(float(task), 0.1), ceilings=[easy]).reason


def test_one_ceiling_or_one_traceback_among_others_is_enough_for_a_remedy() -> None:
    broken = replace(CEILING, scores=None, error="it broke")
    assert "why the ceiling broke" in told(GOOD, GOOD, ceilings=[CEILING, broken]).remedy
    at_chance = replace(CEILING, scores=replace(CEILING.scores, read=0.0))  # type: ignore[type-var]
    assert "Let the ceiling read first" in told(GOOD, GOOD, ceilings=[CEILING, at_chance]).remedy
    left = replace(BROKEN, error="Traceback (most recent call last):\nValueError: boom")
    assert "See the traceback" in told(left, replace(BROKEN, error="killed")).remedy


def test_where_intervals_touch_a_ceiling_is_unfit_and_nothing_is_beyond_the_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for end, unclear in ((0.5, True), (0.499, False)):
        monkeypatch.setattr(bars_module, "wilson_interval", lambda *_, end=end: (0.5, end))
        for guess in ("guessed_aligned", "guessed_read", "guessed_task"):
            assert bool(unfit_of(**{guess: 0.3})) == unclear
    monkeypatch.undo()
    high = outcome(1.0, 0.8)
    for end, beyond in ((0.5, False), (0.499, True)):
        monkeypatch.setattr(verdict_module, "wilson_interval", lambda *_, end=end: (0.5, end))
        assert ("more than the best possible" in told(high).reason) == beyond
    monkeypatch.setattr(verdict_module, "guessed_answers", lambda _: (0.5, 1.0))
    assert "guessing answers as many" in told(high).reason


def test_a_bar_is_reached_where_it_is_met_even_by_a_guess() -> None:
    high = Bars(0.5, 0.5, 0.5, 0.5)
    assert high.answers(0.5, (0.4, 0.6))
    assert high.answers(0.5)
    assert not high.answers(0.49, (0.4, 0.6))  # near, and no more than a guess
    assert replace(high, guessed_task=0.4).answers(0.49, (0.4, 0.5))
    assert not replace(high, guessed_task=0.4).answers(0.49, (0.4, 0.499))


def test_a_bar_is_near_at_nine_tenths_of_its_ceiling_and_not_below() -> None:
    high = Bars(HIGH, HIGH)
    assert (high.guessed_task, high.guessed_grounding, high.assumed) == (0.0, 0.0, False)
    assert high.answers(LEAST / HIGH * HIGH, (0.8, HIGH))
    assert not high.answers(np.nextafter(LEAST / HIGH * HIGH, 0), (0.8, HIGH))


def test_shares_of_nothing_are_zero_where_no_ceiling_is_known() -> None:
    nothing = outcome(1.0, 0.0, guessed_task=0.0)
    found = told(nothing, ceilings=[], assumed=True).reason
    assert found.startswith(
        "answers 1.00 of the puzzles (guessing 0.00), reads 0.00 of the images right, 0.00"
    )
    partly = told(outcome(0.5, 0.7, puzzles=0), outcome(0.5, 0.7), ceilings=[], assumed=True).reason
    assert partly.endswith("nothing was answered, so nothing can be said of reasoning")


def test_what_is_answered_is_held_against_the_best_of_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    best = [replace(CEILING, seed=seed).scores for seed in (0, 1)]
    guesses = iter([0.5, 1.0])
    monkeypatch.setattr(verdict_module, "wilson_interval", lambda *_: (0.6, 0.5))
    monkeypatch.setattr(verdict_module, "guessed_answers", lambda _: (0.0, next(guesses)))
    high = [outcome(1.0, 0.8).scores]
    assert "guessing answers as many" in verdict_module._beyond(high, best, ["GROUNDED"])  # type: ignore[arg-type]


def test_a_judgement_is_neither_decided_nor_tied_unless_that_is_said() -> None:
    bare = Judgement("GROUNDED", 1, 0, 1, (0.0, 1.0), "", "")
    assert (bare.decided, bare.tied) == (False, False)


@pytest.mark.parametrize(("seed", "explained"), [(GOOD, False), (BAD, True), (SHORT, True), (READS, True)])
def test_a_failing_solver_is_explained_and_a_grounded_one_is_not(
    seed: Outcome, explained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(verdict_module, "make_subject", lambda *_, **__: SimpleNamespace(recorded=True))
    monkeypatch.setattr(verdict_module, "explain", lambda subject: (asked.append(subject), ())[1])
    told(*[seed] * 6)
    assert bool(asked) == explained
