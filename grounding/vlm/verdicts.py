"""From what a model reads and answers to a verdict, in the words that solvers are judged with."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..bars import HIGH, Bars, guessed_answers, guessed_readings
from ..checks.finding import Finding, Status
from ..measures.asked import Asked, Share
from ..measures.counts import count_of
from ..measures.metrics import Scores
from ..measures.statistics import SequentialTest, wilson_interval
from ..remedies import Verdict
from ..trials.trial import Outcome
from ..verdict import WORST_FIRST, Judgement, seed_verdict

MIN_BOARDS = 5  # of which something can be told, for a check to say more than that they are few
USABLE = 0.5  # of the replies of reading and answering, for the scores to be about the model's reading
REMEDIES: dict[Verdict, str] = {
    "GROUNDED": "",
    "SHORTCUT": "Its answers do not come from what it reads: take puzzles that it cannot have seen (--seed), and see "
    "whether they hold.",
    "NOT REASONING": "It reads and does not answer: from the true symbols as text (see `symbols`) tells whether it "
    "knows the rules; if so, let it write down its reading before it answers.",
    "UNGROUNDED": "See in the confusion matrix what it takes for what; larger cells (--size) or printed givens "
    "(--images printed) tell whether handwriting is what it fails at.",
    "ERROR": "See the replies in exchanges.jsonl: other --prompts, or a larger --max-tokens where they are cut off.",
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

    Readings are held against a reader who makes no mistake. Where they are high, answers are held against what
    the exact rules make of the same readings. Where they are not, they count as high only if there are clearly more than
    those readings allow: right answers from wrong readings.
    """
    answer, reading = guessed_answers(scores)[1], guessed_readings(scores)[1]
    grounding = max(HIGH, reading)
    bars = Bars(0.0, grounding, answer, reading)
    low, high = allowed.intervals["task"]
    if _reads(scores, bars):
        return replace(bars, task=max(HIGH * allowed.task, answer)) if low > answer else None
    return replace(bars, task=math.nextafter(max(high, answer), math.inf))


def _reads(scores: Scores, bars: Bars) -> bool:
    return scores.raw is not None and bars.grounds(scores.raw, scores.intervals.get("raw"))


def sample_verdict(sampled: Sampled) -> Verdict:
    """The verdict of one sample."""
    outcome, scores = sampled.outcome, sampled.outcome.scores
    if outcome.error or scores is None or sampled.allowed is None or sampled.allowed.scores is None:
        return "ERROR" if outcome.error else "INCONCLUSIVE"
    bars = bars_of(scores, sampled.allowed.scores)
    if bars is not None and not _reads(scores, bars):  # more than its readings allow: not within an interval
        rest = {name: interval for name, interval in scores.intervals.items() if name != "task"}
        outcome = replace(outcome, scores=replace(scores, intervals=rest))
    return seed_verdict(outcome, bars, rules_given=True)


def judge_samples(sampled: Sequence[Sampled], asked: Asked, test: SequentialTest) -> Judgement:
    """The verdict over samples of one model.

    A model is not trained anew from sample to sample: one decides by its boards, and samples that agree decide
    together. Where they differ, the sequential test decides, as it does over seeds.
    """
    verdicts = [sample_verdict(one) for one in sampled]
    grounded = verdicts.count("GROUNDED")
    failures = Counter(v for v in verdicts if v not in ("GROUNDED", "INCONCLUSIVE"))
    if len(set(verdicts)) == 1:
        verdict: Verdict = verdicts[0]
    else:
        decision = test.decide(grounded, failures.total())
        worst = max(WORST_FIRST, key=lambda v: (failures[v], -WORST_FIRST.index(v)))
        verdict = {"accept": "GROUNDED", "reject": worst, "undecided": "INCONCLUSIVE"}[decision]  # pyright: ignore[reportAssignmentType]
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


def _reason(
    verdict: Verdict, verdicts: Sequence[Verdict], sampled: Sequence[Sampled], asked: Asked
) -> str:
    broken = next((one.outcome.error for one in sampled if one.outcome.error), None)
    if verdict == "ERROR" and broken:
        return broken
    scores = [one.outcome.scores for one in sampled if one.outcome.scores]
    if not scores:
        return "no board was both read and answered"
    raw = sum(s.raw or 0 for s in scores) / len(scores)
    guess = max(s.guessed_task or 0 for s in scores)
    parts = [
        f"reads {raw:.2f} of what is given right, and {asked['read'].text} of the boards without an error",
        f"answers {asked['answered'].text} of them, where the exact rules on its own reading answer "
        f"{asked['allowed'].text} and guessing {guess:.2f}",
    ]
    if asked["answered_misread"].of:
        parts.append(f"of {asked['answered_misread'].of} misread boards it answers {_short(asked['answered_misread'])}")
    if asked["consistent"].of:
        parts.append(f"its answer is that of its own reading on {_short(asked['consistent'])}")
    parts.append(f"from the true symbols as text it answers {_short(asked['symbols'])}")
    if len(kinds := Counter(verdicts)) > 1:
        parts.append(f"samples differ: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}")
    if verdict == "INCONCLUSIVE":
        parts.append(
            f"{count_of(asked['answered'].of, 'board')} do not tell what its reading allows from what guessing answers"
        )
    return "; ".join(parts)


def _short(share: Share) -> str:
    return "–" if share.share is None else f"{share.share:.2f}"


def findings_of(
    label: str, judgement: Judgement, asked: Asked, legend: str, *, unanswered: int
) -> list[Finding]:
    """The verdict and what the questions show beside it, as findings.

    Args:
        label: What the task is called.
        judgement: The verdict.
        asked: The figures.
        legend: Name of the other faces.
        unanswered: Questions that brought no reply.
    """
    statuses: dict[str, Status] = {"GROUNDED": "pass", "INCONCLUSIVE": "inconclusive", "ERROR": "error"}
    verdict = Finding(
        "grounding", statuses.get(judgement.verdict, "fail"),
        f"{judgement.verdict}: {judgement.reason}", judgement.remedy, task=label,
    )  # fmt: skip
    if judgement.verdict == "ERROR":
        return [verdict]
    found = [verdict, _symbols(asked), _consistent(asked), _follows(asked), _legend(asked, legend), _format(asked)]
    if unanswered:
        found.append(
            Finding(
                "unanswered", "inconclusive", f"{count_of(unanswered, 'question')} brought no reply, and count nowhere",
                "Go on with --resume, which asks them again.", figure=float(unanswered),
            )  # fmt: skip
        )
    return [replace(finding, task=label) for finding in found]


def _symbols(asked: Asked) -> Finding:
    """(c) Whether it answers from the true symbols as text."""
    share = asked["symbols"]
    reason = f"answers {share.text} of {count_of(share.of, 'board')} from the true symbols as text"
    status = _at_least(share, HIGH)
    return Finding(
        "symbols", status, reason, "" if status == "pass" else "It does not know the rules well enough, even without pictures.",
        figure=share.share, bound=HIGH, interval=share.interval,
    )  # fmt: skip


def _consistent(asked: Asked) -> Finding:
    """Whether its answers are those of its own readings, wherever a reading has one."""
    share = asked["consistent"]
    if not share.of:
        return Finding("consistent", "skip", "no reading of its own has exactly one answer")
    reason = f"on {share.text} of {count_of(share.of, 'board')} its answer is the one that its own reading has"
    status = _at_least(share, HIGH)
    return Finding(
        "consistent", status, reason, "" if status == "pass" else "What it answers does not follow from what it says it reads.",
        figure=share.share, bound=HIGH, interval=share.interval,
    )  # fmt: skip


def _follows(asked: Asked) -> Finding:
    """(e) Whether answers follow the picture or the transcript, where the two differ."""
    picture, transcript, neither = (asked[f"follows_{name}"] for name in ("picture", "transcript", "neither"))
    if not picture.of:
        return Finding("follows", "skip", "no transcript of its own has exactly one answer, other than the picture's")
    reason = (
        f"where picture and transcript differ, {_short(picture)} of {count_of(picture.of, 'answer')} follow the picture, "
        f"{_short(transcript)} the transcript, {_short(neither)} neither"
    )
    followed = Share("followed", "", 1.0 - (neither.share or 0.0), neither.of, _turned(neither.interval))
    bound = HIGH * (asked["answered"].share or 0.0)
    status = _at_least(followed, bound)
    return Finding(
        "follows", status, reason, "" if status == "pass" else "Its answers follow neither what it sees nor what it has read.",
        figure=followed.share, bound=bound, interval=followed.interval,
    )  # fmt: skip


def _turned(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (1 - interval[1], 1 - interval[0])


def _legend(asked: Asked, legend: str) -> Finding:
    """(f) Whether it keeps to the rules when symbols have other faces."""
    share, usual = asked["legend"], asked["answered"]
    reason = f"with {legend} for symbols it answers {share.text}, with the usual ones {_short(usual)}"
    bound = HIGH * (usual.share or 0.0)
    status = _at_least(share, bound)
    remedy = "" if status == "pass" else "It remembers boards of the usual symbols, or does not read the others: ask with another --legend."
    return Finding("legend", status, reason, remedy, figure=share.share, bound=bound, interval=share.interval)


def _format(asked: Asked) -> Finding:
    """Whether what it sends can be parsed."""
    strict, lenient = asked["strict"], asked["lenient"]
    cut, refused = asked.counts["truncated"], asked.counts["refused"]
    reason = (
        f"{_short(strict)} of {count_of(strict.of, 'reply').replace('replys', 'replies')} fit the schema as they stand, "
        f"{_short(lenient)} can be understood; {refused} refused, {cut} cut off"
    )
    status = _at_least(lenient, HIGH)
    return Finding(
        "format", status, reason, "" if status == "pass" else REMEDIES["ERROR"],
        figure=lenient.share, bound=HIGH, interval=lenient.interval,
    )  # fmt: skip


def _at_least(share: Share, bound: float) -> Status:
    """Passes where the bound is reached, or within the interval; of few boards nothing is said but that it passes."""
    if share.share is None or share.interval is None:
        return "skip"
    if share.share >= bound:
        return "pass"
    if share.of < MIN_BOARDS:
        return "inconclusive"
    return "inconclusive" if share.interval[1] >= bound else "fail"
