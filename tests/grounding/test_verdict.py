from dataclasses import replace

import numpy as np
import pytest

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.bars import Bars, bars
from groundcheck.grounding.measures.identifiability import Identifiability
from groundcheck.grounding.measures.interventions import Intervention, Interventions
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.statistics import SequentialTest, wilson_interval
from groundcheck.grounding.remedies import (
    REASONS_ON_SYMBOLS,
    UNKNOWN,
    Verdict,
)
from groundcheck.grounding.suite.suite import Suite, TaskRun
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Role
from groundcheck.grounding.verdict import HANDS_ON, Judgement, judge, seed_verdict


def outcome(
    task: float,
    aligned: float,
    raw: float | None = None,
    *,
    read: float = 1.0,
    role: Role = "grounding",
) -> Outcome:
    scores = Scores(
        task=task, board=task, cell=task, unsolved=0.0, read=read, puzzles=100,
        raw=aligned if raw is None else raw, aligned=aligned, collapse=0.0, images=100,
    )  # fmt: skip
    return Outcome(role, "mapping", "some", 0, scores)


CEILING = outcome(0.9, 0.98, read=0.9, role="ceiling")
BROKEN = Outcome("grounding", "mapping", "some", 0, error="Traceback\nValueError: boom")


@pytest.mark.parametrize(
    ("task", "aligned", "raw", "rules_given", "verdict"),
    [
        (0.88, 0.96, 0.96, True, "GROUNDED"),
        (0.88, 0.96, 0.10, False, "GROUNDED"),
        (0.88, 0.96, 0.10, True, "SHORTCUT"),
        (0.88, 0.50, 0.50, True, "SHORTCUT"),
        (0.88, 0.50, 0.50, False, "SHORTCUT"),
        (0.50, 0.96, 0.96, False, "NOT REASONING"),
        (0.50, 0.50, 0.50, True, "UNGROUNDED"),
        # The bars: 0.95 of what the ceiling read right, of puzzles (0.9) and of images (0.98).
        (0.855, 0.931, 0.931, True, "GROUNDED"),
        (0.854, 0.931, 0.931, True, "NOT REASONING"),
        (0.855, 0.930, 0.930, True, "SHORTCUT"),
    ],
)
def test_the_table_of_verdicts(
    task: float, aligned: float, raw: float, rules_given: bool, verdict: Verdict
) -> None:
    assert seed_verdict(outcome(task, aligned, raw), bars(CEILING), rules_given=rules_given) == verdict


@pytest.mark.parametrize("rules_given", [True, False])
def test_what_reaches_its_bar_exactly_is_high(rules_given: bool) -> None:
    assert seed_verdict(outcome(0.5, 0.75), Bars(0.5, 0.75), rules_given=rules_given) == "GROUNDED"


def test_a_broken_trial_is_an_error_and_a_broken_ceiling_decides_nothing() -> None:
    assert seed_verdict(BROKEN, bars(CEILING), rules_given=False) == "ERROR"
    assert bars(BROKEN) is None
    assert seed_verdict(outcome(1.0, 1.0), None, rules_given=False) == "INCONCLUSIVE"


def judged(*outcomes: Outcome, leak: str | None = None) -> tuple[Verdict, int, int]:
    judgement = judge(outcomes, [CEILING] * len(outcomes), SequentialTest(), rules_given=False, leak=leak)
    return judgement.verdict, judgement.grounded, judgement.seeds


GOOD, BAD, SHORT = outcome(0.9, 0.98), outcome(0.0, 0.1), outcome(0.9, 0.1)


def test_seeds_decide_by_the_sequential_test() -> None:
    assert judged(*[GOOD] * 6) == ("GROUNDED", 6, 6)
    assert judged(*[GOOD] * 5) == ("INCONCLUSIVE", 5, 5)
    assert judged(BAD, BAD) == ("UNGROUNDED", 0, 2)
    assert judged(BAD) == ("INCONCLUSIVE", 0, 1)
    assert judged() == ("INCONCLUSIVE", 0, 0)


def test_the_most_frequent_failure_names_the_verdict_and_ties_go_to_the_worse() -> None:
    assert judged(SHORT, SHORT, BAD)[0] == "SHORTCUT"
    assert judged(SHORT, BAD)[0] == "UNGROUNDED"
    assert judged(BROKEN, BAD)[0] == "ERROR"
    assert judged(BROKEN)[0] == "ERROR"


def test_a_leak_beats_everything() -> None:
    assert judged(*[GOOD] * 6, leak="it leaks")[0] == "LEAKY"
    assert judged(BROKEN, BROKEN, leak="it leaks")[0] == "LEAKY"


@pytest.mark.parametrize(
    ("seeds", "verdict", "decided", "tied"),
    [
        ([SHORT], "INCONCLUSIVE", False, False),
        ([SHORT, BAD], "UNGROUNDED", True, True),
        ([SHORT, BAD, SHORT], "SHORTCUT", True, False),
        ([SHORT, BAD, GOOD], "UNGROUNDED", True, True),  # what was decided stays so
        ([BAD, BAD], "UNGROUNDED", True, False),
        ([BROKEN, BAD], "ERROR", True, False),  # one that breaks need not break again
        ([*[GOOD] * 6, BAD, SHORT], "GROUNDED", True, False),
        ([*[GOOD] * 5, BAD, SHORT], "INCONCLUSIVE", False, False),
    ],
)
def test_a_tie_of_failures_asks_for_one_more_seed_and_changes_no_decision(
    seeds: list[Outcome], verdict: str, decided: bool, tied: bool
) -> None:
    found = told(*seeds)
    assert (found.verdict, found.decided, found.tied) == (verdict, decided, tied)
    leaky = told(*seeds, leak="it leaks")
    assert (leaky.verdict, leaky.tied) == ("LEAKY", False)


def test_seeds_without_a_bar_decide_nothing() -> None:
    waiting = told(GOOD, GOOD, ceilings=[BROKEN, BROKEN])
    assert (waiting.verdict, waiting.decided) == ("INCONCLUSIVE", False)


def test_a_suite_runs_on_until_one_failure_is_the_most_frequent() -> None:
    run = TaskRun(Mapping(), Training())
    suite = Suite(
        SolverSpec("mlp"), False, [run], 5, ImageSource(), roles=("grounding", "ceiling")
    )  # fmt: skip
    for seed, found in enumerate([SHORT, BAD, GOOD, BAD]):
        assert min(trial.seed for _, trial in suite.wave()) == seed
        run.outcomes += [replace(found, seed=seed), replace(CEILING, seed=seed)]
        expected = [[1], [2], [3], []][seed]
        assert sorted({trial.seed for _, trial in suite.wave()}) == expected
    assert suite.report(run).judgement.verdict == "UNGROUNDED"


def test_the_reason_says_why_low_raw_grounding_does_not_count() -> None:
    renamed = [outcome(0.9, 0.98, raw=0.0)] * 6
    learned = judge(renamed, [CEILING] * 6, SequentialTest(), rules_given=False)
    assert (learned.verdict, learned.grounded) == ("GROUNDED", 6)
    assert "how symbols are numbered, so only aligned counts" in learned.reason
    given = judge(renamed, [CEILING] * 6, SequentialTest(), rules_given=True)
    assert given.verdict == "SHORTCUT"
    assert "numbered" not in given.reason
    some = judge([GOOD] * 5 + renamed[:1], [CEILING] * 6, SequentialTest(), rules_given=False)
    assert "only aligned counts" in some.reason
    named = judge([GOOD] * 6, [CEILING] * 6, SequentialTest(), rules_given=False)
    assert "only aligned counts" not in named.reason


def test_the_reason_tells_the_figures_and_the_error() -> None:
    reason = judge([BAD, BAD], [CEILING] * 2, SequentialTest(), rules_given=False).reason
    assert "answers 0.00 of the puzzles (best possible 0.90)" in reason
    assert "0.10 after relabelling (ceiling 0.98)" in reason
    assert (
        "2 of 2 seeds broke: ValueError: boom"
        in judge([BROKEN] * 2, [CEILING] * 2, SequentialTest(), rules_given=False).reason
    )


def swapped(seed: int) -> Outcome:
    """Answers all, and takes 0 for 1 and 1 for 0 on every image."""
    found = outcome(0.9, 0.98, 0.0)
    assert found.scores is not None
    return replace(found, seed=seed, scores=replace(found.scores, confusion=[[0, 50], [50, 0]]))


def open_to(possible: list[list[int]], count: int, *, complete: bool = True) -> Identifiability:
    return Identifiability(count, complete, np.array(possible, dtype=bool), ((1, 0),), 10, 1)


BOTH, IDENTITY = open_to([[1, 1], [1, 1]], 2), open_to([[1, 0], [0, 1]], 1)


def judged_with(identified: dict[int, Identifiability] | None) -> tuple[int, str]:
    found = judge(
        [swapped(0), swapped(1)], [CEILING] * 2, SequentialTest(), rules_given=True, identified=identified
    )
    return found.grounded, found.reason


def test_raw_grounding_is_asked_for_as_far_as_the_seed_s_own_puzzles_determine_it() -> None:
    assert judged_with(None)[0] == 0
    assert judged_with({0: BOTH, 1: BOTH})[0] == 2
    assert judged_with({0: IDENTITY, 1: BOTH})[0] == 1
    assert judged_with({1: IDENTITY, 0: BOTH})[0] == 1
    assert judged_with({0: BOTH})[0] == 1
    unfinished = open_to([[1, 1], [1, 1]], 2, complete=False)
    assert judged_with({0: unfinished, 1: unfinished})[0] == 0


def test_the_reason_tells_what_the_puzzles_leave_open() -> None:
    shortcut = judged_with({0: IDENTITY, 1: IDENTITY})[1]
    assert "relabelling" in shortcut
    assert "fit all" not in shortcut
    unfinished = open_to([[1, 1], [1, 1]], 7, complete=False)
    assert "at least 7 relabellings fit all 10" in judged_with({0: IDENTITY, 1: unfinished})[1]
    open_to_all = judge(
        [swapped(0)] * 6, [CEILING] * 6, SequentialTest(), rules_given=True, identified={0: BOTH}
    )
    assert open_to_all.verdict == "GROUNDED"
    assert "2 relabellings fit all 10" in open_to_all.reason
    leaky = judge(
        [swapped(0)], [CEILING], SequentialTest(), rules_given=True, leak="it leaks", identified={0: BOTH}
    )
    assert leaky.reason == "it leaks"


def test_relabellings_that_are_left_open_are_told_whatever_name_the_failure_has() -> None:
    for seeds, verdict in (([0.0, 0.0], "UNGROUNDED"), ([0.9, 0.0], "UNGROUNDED"), ([0.9, 0.9], "SHORTCUT")):
        found = told(
            *(replace(outcome(task, 0.1), seed=n) for n, task in enumerate(seeds)), identified={0: BOTH}
        )
        assert found.verdict == verdict
        assert "2 relabellings fit all 10" in found.reason
        told_apart = "; seeds differ: 1 SHORTCUT, 1 UNGROUNDED" in found.reason
        assert told_apart == (seeds[0] != seeds[1])
    assert "relabellings" not in told(READS, READS, identified={0: BOTH}).reason
    assert "seeds differ" not in told(GOOD, GOOD, READS, READS).reason


def told(*outcomes: Outcome, ceilings: list[Outcome] | None = None, **options: object) -> Judgement:
    best = [CEILING] * len(outcomes) if ceilings is None else ceilings
    return judge(outcomes, best, SequentialTest(), **{"rules_given": False, **options})


READS = outcome(0.2, 0.98)


def test_the_remedy_knows_what_the_solver_does_with_true_symbols() -> None:
    assert told(READS, READS).verdict == "NOT REASONING"
    assert told(READS, READS).remedy == UNKNOWN["NOT REASONING"]
    assert "0.94 of the puzzles from true symbols" in told(READS, READS, on_symbols=0.94).remedy
    assert told(READS, READS, on_symbols=0.95).remedy == REASONS_ON_SYMBOLS
    assert told(BAD, BAD, on_symbols=1.0).remedy == UNKNOWN["UNGROUNDED"]
    assert told(*[GOOD] * 6).remedy == ""


def test_the_judgement_counts_what_decided() -> None:
    found = told(GOOD, GOOD, BAD, BROKEN)
    assert (found.grounded, found.failed, found.seeds) == (2, 2, 4)
    assert found.interval == wilson_interval(2, 4)
    waiting = told(GOOD, BAD, outcome(0.9, 0.9), ceilings=[CEILING, CEILING, BROKEN])
    assert (waiting.grounded, waiting.failed, waiting.seeds) == (1, 1, 3)  # one seed decides nothing


def test_a_solver_that_cannot_be_built_is_an_error_whatever_the_seeds() -> None:
    assert told(broken="no licence").verdict == "ERROR"
    assert told(broken="no licence").reason == "no licence"
    assert told(*[GOOD] * 6, broken="no licence").verdict == "ERROR"
    assert told(broken="no licence", leak="it leaks").verdict == "LEAKY"
    assert told(BROKEN, GOOD).verdict == "INCONCLUSIVE"


def test_the_reason_tells_means_over_seeds_and_what_else_there_is_to_say() -> None:
    half = replace(READS.scores, unsolved=0.5, raw=0.4)
    reason = told(READS, replace(READS, scores=half), on_symbols=0.5).reason
    assert "answers 0.20 of the puzzles (best possible 0.90)" in reason
    assert "reads 0.69 of the images right, 0.98 after relabelling (ceiling 0.98)" in reason
    assert "on true symbols it answers 0.50" in reason
    assert "25% of the puzzles were left unsolved" in reason
    assert "do not decide" not in reason
    assert "unsolved" not in told(READS, READS).reason
    assert "true symbols" not in told(READS, READS).reason
    assert "1 seed does not decide" in told(READS).reason


def test_what_was_never_read_right_counts_as_nothing_in_the_means() -> None:
    none = [outcome(0.2, 0.0), outcome(0.2, 0.5, raw=0.0)]
    reason = told(*none, ceilings=[CEILING, outcome(0.9, 0.0, role="ceiling")]).reason
    assert "reads 0.00 of the images right, 0.25 after relabelling (ceiling 0.49)" in reason


def test_without_a_ceiling_or_without_images_nothing_is_said_of_grounding() -> None:
    assert told(GOOD, ceilings=[BROKEN]).reason == "no seed was scored next to a ceiling"
    assert told().reason == "no seed was scored next to a ceiling"
    symbols = replace(GOOD, scores=replace(GOOD.scores, raw=None, aligned=None))
    assert "no images were seen" in told(symbols).reason
    assert told(symbols, ceilings=[]).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("missing", ["raw", "aligned"])
def test_what_was_not_seen_is_not_judged(missing: str) -> None:
    blind = replace(GOOD, scores=replace(GOOD.scores, **{missing: None}))
    assert seed_verdict(blind, bars(CEILING), rules_given=False) == "INCONCLUSIVE"


def test_a_ceiling_that_read_no_puzzle_right_sets_no_bar() -> None:
    assert bars(outcome(0.5, 0.9, read=0.0)) is None
    assert bars(replace(CEILING, scores=replace(CEILING.scores, aligned=None))) is None
    found = bars(outcome(0.5, 0.8, read=0.5))
    assert found is not None
    assert (found.task, found.grounding) == (pytest.approx(0.475), pytest.approx(0.76))


def test_the_last_line_of_a_traceback_is_told() -> None:
    long = replace(BROKEN, error="Traceback\n  File one\n  File two\nValueError: deep\n")
    assert told(long).reason == "1 of 1 seed broke: ValueError: deep"


def test_a_traceback_is_pointed_at_where_any_seed_left_one() -> None:
    left = replace(BROKEN, error="Traceback (most recent call last):\n  File one\nValueError: deep\n")
    killed = replace(BROKEN, error="it exceeded its time limit of 2 s", seed=1)
    assert "See the traceback" in judge([left, killed], [], SequentialTest(), rules_given=False).remedy
    assert "See the traceback" not in judge([killed, killed], [], SequentialTest(), rules_given=False).remedy


def test_a_verdict_is_not_decided_unless_it_is_said() -> None:
    told = Judgement("GROUNDED", 1, 0, 1, (0.2, 1.0), "", "")
    assert (told.decided, told.tied) == (False, False)


def handing(*seeds: list[int], rules_given: bool = False, **more: Intervention) -> Judgement:
    quiet = Intervention(0, 0)
    plain = Interventions(0.9, 0.1, quiet, quiet, quiet, **more)
    found = [
        replace(outcome(0.9, 0.98), seed=number, interventions=replace(plain, handed=handed))
        for number, handed in enumerate(seeds)
    ]
    return judge(found, [CEILING] * len(found), SequentialTest(), rules_given=rules_given)


TURNS = [[(n * 3 + seed) % 10 for n in range(10)] for seed in (1, 4, 2, 8, 5, 7)]


def test_a_solver_that_hands_its_readings_on_is_a_shortcut() -> None:
    judgement = handing(*[list(range(10))] * 6)
    assert (judgement.verdict, judgement.grounded, judgement.decided) == ("SHORTCUT", 6, True)
    assert "60 of 60 names by themselves" in judgement.reason
    assert judgement.remedy == HANDS_ON


def test_where_names_share_nothing_with_the_answers_it_is_grounded_and_the_task_is_told() -> None:
    judgement = handing(*TURNS)
    assert (judgement.verdict, judgement.remedy) == ("GROUNDED", "")
    assert "named by its answer" in judgement.reason


def test_too_few_names_leave_it_open_and_ask_for_seeds() -> None:
    judgement = handing(*[[0, 1]] * 6)
    assert (judgement.verdict, judgement.tied) == ("INCONCLUSIVE", True)
    assert "too few to tell" in judgement.reason
    assert handing(*[[0, 1]] * 12).verdict == "SHORTCUT"


def test_rules_that_are_given_name_the_symbols() -> None:
    judgement = handing(*[list(range(10))] * 6, rules_given=True)
    assert judgement.verdict == "GROUNDED"
    assert "the rules are the identity here" in judgement.reason
    assert "identity" not in handing(*TURNS, rules_given=True).reason


def test_answers_that_true_symbols_do_not_bring_are_a_shortcut() -> None:
    judgement = handing(*TURNS, symbols=Intervention(0, 0, 100, 20))
    assert judgement.verdict == "SHORTCUT"
    assert handing(*TURNS, symbols=Intervention(0, 0, 100, 95)).verdict == "GROUNDED"
