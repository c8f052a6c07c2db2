import pytest

from groundcheck.grounding.metrics import Scores
from groundcheck.grounding.statistics import SequentialTest
from groundcheck.grounding.trial import Outcome, Role
from groundcheck.grounding.verdict import Verdict, bars, judge, seed_verdict


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


def test_the_reason_says_why_low_raw_grounding_does_not_count() -> None:
    renamed = [outcome(0.9, 0.98, raw=0.0)] * 6
    learned = judge(renamed, [CEILING] * 6, SequentialTest(), rules_given=False)
    assert (learned.verdict, learned.grounded) == ("GROUNDED", 6)
    assert "how symbols are numbered, so only aligned counts" in learned.reason
    given = judge(renamed, [CEILING] * 6, SequentialTest(), rules_given=True)
    assert given.verdict == "SHORTCUT"
    assert "numbered" not in given.reason


def test_the_reason_tells_the_figures_and_the_error() -> None:
    reason = judge([BAD, BAD], [CEILING] * 2, SequentialTest(), rules_given=False).reason
    assert "answers 0.00 of the puzzles (best possible 0.90)" in reason
    assert "0.10 after relabelling (ceiling 0.98)" in reason
    assert (
        "2 of 2 seeds broke: ValueError: boom"
        in judge([BROKEN] * 2, [CEILING] * 2, SequentialTest(), rules_given=False).reason
    )
