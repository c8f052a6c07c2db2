"""The rules of a verdict on their own, without a server: from figures to words."""

import pytest

from groundcheck.grounding.measures.asked import Asked, Share
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.statistics import SequentialTest, wilson_interval
from groundcheck.grounding.trials.trial import Outcome
from groundcheck.grounding.vlm.findings import findings_of
from groundcheck.grounding.vlm.verdicts import Sampled, best_possible, judge_samples, sample_verdict

NAMES = (
    "understood",
    "read", "answered", "answered_misread", "allowed", "consistent", "symbols", "follows_picture",
    "follows_transcript", "follows_neither", "legend", "strict", "lenient",
)  # fmt: skip


def sampled(
    *, raw: float, task: float, allowed: float, boards: int = 50, seed: int = 0, guess: float = 0.0
) -> Sampled:
    """A sample with 30 givens on each board."""

    def of(share: float, count: int) -> tuple[float, float]:
        return wilson_interval(share * count, count)

    intervals = {name: of(raw, 30 * boards) for name in ("raw", "aligned")} | {"task": of(task, boards)}
    read = Scores(
        task, task, task, 0.0, allowed, boards, raw=raw, aligned=raw, images=30 * boards,
        guessed_task=guess, guessed_aligned=0.12, intervals=intervals,
    )  # fmt: skip
    rules = Scores(allowed, allowed, allowed, 0.0, allowed, boards, intervals={"task": of(allowed, boards)})
    outcome = Outcome("grounding", "sudoku", "vlm:m", seed, scores=read)
    return Sampled(outcome, Outcome("ceiling", "sudoku", "vlm:m", seed, scores=rules))


def asked(**shares: tuple[float, int]) -> Asked:
    """Figures of fifty boards, all right unless said otherwise."""
    counts = dict.fromkeys(("refused", "truncated"), 0)
    told = dict.fromkeys(NAMES, (1.0, 50)) | {"follows_neither": (0.0, 50)} | shares
    rows = [
        Share(name, name, share if of else None, of, wilson_interval(share * of, of) if of else None)
        for name, (share, of) in told.items()
    ]
    return Asked(rows, counts)


@pytest.mark.parametrize(
    ("verdict", "why", "figures"),
    [
        (
            "GROUNDED",
            "reads, and answers all that its reading allows",
            {"raw": 0.98, "task": 0.55, "allowed": 0.56},
        ),
        ("NOT REASONING", "reads, and answers half of it", {"raw": 0.98, "task": 0.28, "allowed": 0.56}),
        ("SHORTCUT", "answers what it misread", {"raw": 0.20, "task": 0.98, "allowed": 0.0}),
        ("SHORTCUT", "half of the boards by heart", {"raw": 0.20, "task": 0.50, "allowed": 0.0}),
        ("UNGROUNDED", "reads badly, and answers by it", {"raw": 0.85, "task": 0.30, "allowed": 0.30}),
        (
            "UNGROUNDED",
            "reads badly, and answers within chance of it",
            {"raw": 0.85, "task": 0.36, "allowed": 0.30},
        ),
        ("UNGROUNDED", "neither", {"raw": 0.20, "task": 0.0, "allowed": 0.0}),
        (
            "UNGROUNDED",
            "right answers that a guess explains",
            {"raw": 0.2, "task": 0.3, "allowed": 0.0, "guess": 0.3},
        ),
        ("INCONCLUSIVE", "three boards", {"raw": 1.0, "task": 1.0, "allowed": 1.0, "boards": 3}),
        (
            "INCONCLUSIVE",
            "its reading allows hardly more than a guess",
            {"raw": 0.95, "task": 0.1, "allowed": 0.1},
        ),
    ],
)
def test_verdict_of_a_sample(verdict, why, figures) -> None:
    assert sample_verdict(sampled(**figures)) == verdict, why


def test_best_possible_is_what_reading_allows_where_it_reads() -> None:
    reads, does_not = (sampled(raw=raw, task=0.5, allowed=0.4) for raw in (0.99, 0.5))
    assert [best_possible(one.outcome.scores, one.allowed.scores) for one in (reads, does_not)] == [0.4, 1.0]


GOOD = {"raw": 0.98, "task": 0.55, "allowed": 0.56}
BAD = {"raw": 0.98, "task": 0.0, "allowed": 0.56}


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ([GOOD], "GROUNDED"), ([GOOD] * 3, "GROUNDED"), ([BAD] * 2, "NOT REASONING"),
        ([GOOD, BAD], "INCONCLUSIVE"), ([GOOD, BAD, BAD, BAD], "NOT REASONING"),
        ([*[GOOD] * 10, BAD], "GROUNDED"),
    ],
)  # fmt: skip
def test_samples_that_agree_decide_and_others_are_tested(samples, verdict) -> None:
    judged = judge_samples(
        [sampled(**one, seed=n) for n, one in enumerate(samples)], asked(), SequentialTest()
    )
    assert judged.verdict == verdict
    assert judged.seeds == len(samples)
    assert ("samples differ" in judged.reason) == (GOOD in samples and BAD in samples)


def test_answers_beyond_its_reading_are_told() -> None:
    good = [sampled(raw=0.98, task=0.95, allowed=0.5)]
    beyond = judge_samples(good, asked(answered=(0.95, 50), allowed=(0.5, 50)), SequentialTest())
    assert beyond.verdict == "GROUNDED"
    assert "more than its own reading allows" in beyond.reason
    within = asked(allowed=(0.9, 50), answered_misread=(0.0, 5))
    assert "more than" not in judge_samples(good, within, SequentialTest()).reason


def statuses(figures: Asked, unanswered: int = 0) -> dict[str, str]:
    judged = judge_samples([sampled(**GOOD)], figures, SequentialTest())
    return {
        f.check: f.status for f in findings_of("sudoku", judged, figures, "letters", unanswered=unanswered)
    }


def test_findings_beside_a_verdict() -> None:
    assert statuses(asked(answered_misread=(0.0, 0)))["beyond"] == "pass"
    every = {"grounding", "symbols", "consistent", "beyond", "follows", "legend", "format"}
    assert statuses(asked()) == dict.fromkeys(every, "pass")
    assert statuses(asked(allowed=(0.5, 50)))["beyond"] == "inconclusive"
    few = asked(answered=(1.0, 30), allowed=(0.8, 30), answered_misread=(1.0, 6))
    assert statuses(few)["beyond"] == "inconclusive"
    assert statuses(asked(allowed=(0.98, 50), answered_misread=(0.0, 1)))["beyond"] == "pass"
    assert statuses(asked(allowed=(0.0, 0)))["beyond"] == "skip"
    assert statuses(asked(legend=(0.2, 50)))["legend"] == "fail"
    assert statuses(asked(legend=(0.9, 50)))["legend"] == "inconclusive"
    assert statuses(asked(symbols=(0.5, 4)))["symbols"] == "inconclusive"
    assert statuses(asked(consistent=(0.0, 0)))["consistent"] == "skip"
    assert statuses(asked(follows_neither=(0.5, 40)))["follows"] == "fail"
    assert statuses(asked(follows_neither=(0.0, 0)))["follows"] == "skip"
    assert statuses(asked(answered=(0.0, 50)))["legend"] == "skip"
    assert statuses(asked(lenient=(0.7, 250)))["format"] == "fail"
    assert statuses(asked(), unanswered=2)["unanswered"] == "inconclusive"
