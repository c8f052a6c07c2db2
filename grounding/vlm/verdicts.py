"""From what a model reads and answers to a verdict, in the words that solvers are judged with."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..bars import HIGH, Bars, guessed_answers, guessed_readings
from ..measures.asked import Asked
from ..measures.counts import count_of
from ..measures.metrics import Scores
from ..measures.statistics import SequentialTest, wilson_interval
from ..remedies import Verdict
from ..trials.trial import Outcome
from ..verdict import WORST_FIRST, Judgement, seed_verdict

REMEDIES: dict[Verdict, str] = {
    "GROUNDED": "",
    "SHORTCUT": "Its answers do not come from what it reads: take puzzles that it cannot have seen "
    "(--seed), and see whether they hold.",
    "NOT REASONING": "It reads and does not answer: `symbols` tells whether it knows the rules from text; "
    "if so, let it write down its reading before it answers.",
    "UNGROUNDED": "See in the confusion matrix what it takes for what; larger cells (--size) or printed "
    "givens (--images printed) tell whether handwriting is what it fails at.",
    "ERROR": "See the replies in exchanges.jsonl: other --prompts, or a larger --max-tokens where they are "
    "cut off.",
    "INCONCLUSIVE": "Ask about more boards (--puzzles), or raise the --budget.",
}


@dataclass(frozen=True)
class Sampled:
    """One sample with all that its verdict rests on.

    Attributes:
        outcome: Reading and answers, as the end-to-end trial of a seed.
        allowed: (d), as its ceiling; None where nothing was scored.
        on_text: (c), as its trial on true symbols; None where it was not asked.
    """

    outcome: Outcome
    allowed: Outcome | None = None
    on_text: Outcome | None = None


def bars_of(scores: Scores, allowed: Scores) -> Bars | None:
    """What counts as high for one sample; None where the boards do not tell.

    Readings are held against a reader who makes no mistake. Where they are high, answers are held against
    what the exact rules make of the same readings. Where they are not, answers count as high only if they are
    clearly more than those readings allow: right answers from wrong readings.
    """
    answer, reading = guessed_answers(scores)[1], guessed_readings(scores)[1]
    bars = Bars(0.0, max(HIGH, reading), answer, reading)
    low, high = allowed.intervals["task"]
    if _reads(scores):
        return replace(bars, task=max(HIGH * allowed.task, answer)) if low > answer else None
    return replace(bars, task=math.nextafter(max(high, answer), math.inf))


def best_possible(scores: Scores, allowed: Scores) -> float:
    """What answers are drawn against: what its reading allows, or, where it does not read, every board."""
    return allowed.task if _reads(scores) else 1.0


def _reads(scores: Scores) -> bool:
    """Whether what is given was read right, under its own name."""
    guess = guessed_readings(scores)[1]
    bars = Bars(0.0, max(HIGH, guess), 0.0, guess)
    return scores.raw is not None and bars.grounds(scores.raw, scores.intervals.get("raw"))


def sample_verdict(sampled: Sampled) -> Verdict:
    """The verdict of one sample."""
    outcome, scores = sampled.outcome, sampled.outcome.scores
    if outcome.error or scores is None or sampled.allowed is None or sampled.allowed.scores is None:
        return "ERROR" if outcome.error else "INCONCLUSIVE"
    bars = bars_of(scores, sampled.allowed.scores)
    if bars is not None and not _reads(scores):  # more than its readings allow: not within an interval
        # It was told the symbols' names: a reading under others, however consistent, is none.
        rest = {name: interval for name, interval in scores.intervals.items() if name == "raw"}
        outcome = replace(outcome, scores=replace(scores, aligned=scores.raw, intervals=rest))
    return seed_verdict(outcome, bars, rules_given=True)


def judge_samples(sampled: Sequence[Sampled], asked: Asked, test: SequentialTest) -> Judgement:
    """The verdict over samples of one model.

    A model is not trained anew from sample to sample: one decides by its boards, and samples that agree
    decide together. Where they differ, the sequential test decides, as it does over seeds.
    """
    verdicts: list[Verdict] = [sample_verdict(one) for one in sampled]
    grounded = verdicts.count("GROUNDED")
    failures: Counter[Verdict] = Counter(v for v in verdicts if v not in ("GROUNDED", "INCONCLUSIVE"))
    same = len(set(verdicts)) == 1
    verdict = verdicts[0] if same else _of_several(grounded, failures, test)
    return Judgement(
        verdict=verdict,
        grounded=grounded,
        failed=failures.total(),
        seeds=len(verdicts),
        interval=wilson_interval(grounded, len(verdicts)),
        reason=_reason(verdict, verdicts, sampled, asked),
        remedy=REMEDIES[verdict],
        decided=verdict != "INCONCLUSIVE",
    )


def _of_several(grounded: int, failures: Counter[Verdict], test: SequentialTest) -> Verdict:
    """Of samples that differ."""
    match test.decide(grounded, failures.total()):
        case "accept":
            return "GROUNDED"
        case "reject":
            return max(WORST_FIRST, key=lambda v: (failures[v], -WORST_FIRST.index(v)))
        case _:
            return "INCONCLUSIVE"


def answers_beyond_reading(asked: Asked) -> bool:
    """Whether it answers clearly more than its own reading allows: of all boards, or of those it misreads."""
    answered, allowed, misread = asked["answered"], asked["allowed"], asked["answered_misread"]
    if answered.interval is None or allowed.interval is None:
        return False
    if answered.interval[0] > allowed.interval[1]:
        return True
    more = (answered.share or 0.0) > (allowed.share or 0.0)
    return more and misread.interval is not None and misread.interval[0] > 1.0 - HIGH


def _reason(verdict: Verdict, verdicts: Sequence[Verdict], sampled: Sequence[Sampled], asked: Asked) -> str:
    broken = next((one.outcome.error for one in sampled if one.outcome.error), None)
    if verdict == "ERROR" and broken:
        return broken
    scores = [one.outcome.scores for one in sampled if one.outcome.scores]
    if not scores:
        return "no board was both read and answered"
    raw = sum(s.raw or 0.0 for s in scores) / len(scores)
    guess = max(s.guessed_task or 0.0 for s in scores)
    misread = asked["answered_misread"]
    parts = [
        f"reads {raw:.2f} of what is given right, and {asked['read'].text} of the boards without an error",
        f"answers {asked['answered'].text} of all boards, where the exact rules on its own reading answer "
        f"{asked['allowed'].text} and guessing {guess:.2f}",
    ]
    if answers_beyond_reading(asked):
        parts.append(
            "that is more than its own reading allows: it reads better when it answers, or its answers do "
            "not come from what it reads"
        )
    if misread.of:
        parts.append(f"of the {count_of(misread.of, 'board')} that it misreads it answers {misread.short}")
    if asked["consistent"].of:
        parts.append(f"its answer is that of its own reading on {asked['consistent'].short}")
    parts.append(f"from the true symbols as text it answers {asked['symbols'].short}")
    if len(kinds := Counter(verdicts)) > 1:
        parts.append(f"samples differ: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}")
    elif verdict == "INCONCLUSIVE":
        boards = count_of(asked["answered"].of, "board")
        parts.append(f"{boards} do not tell what its reading allows from what guessing answers")
    return "; ".join(parts)
