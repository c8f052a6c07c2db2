"""What the questions show beside the verdict, as findings of checks."""

from dataclasses import replace

from ..bars import HIGH
from ..checks.finding import Finding, Status
from ..measures.asked import Asked, Share
from ..measures.counts import count_of
from ..verdict import Judgement
from .verdicts import REMEDIES, answers_beyond_reading

MIN_BOARDS = 5  # below, a share that is too low tells nothing


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
    found = [_verdict(judgement)]
    if judgement.verdict != "ERROR":
        found += [
            _symbols(asked),
            _consistent(asked),
            _beyond(asked),
            _follows(asked),
            _legend(asked, legend),
            _format(asked),
        ]
    if unanswered:
        reason = f"{count_of(unanswered, 'question')} brought no reply, and count nowhere"
        remedy = "Go on with --resume, which asks them again."
        found.append(Finding("unanswered", "inconclusive", reason, remedy, float(unanswered)))
    return [replace(finding, task=label) for finding in found]


def _verdict(judgement: Judgement) -> Finding:
    statuses: dict[str, Status] = {"GROUNDED": "pass", "INCONCLUSIVE": "inconclusive", "ERROR": "error"}
    status = statuses.get(judgement.verdict, "fail")
    return Finding("grounding", status, f"{judgement.verdict}: {judgement.reason}", judgement.remedy)


def _symbols(asked: Asked) -> Finding:
    """(c) Whether it answers from the true symbols as text."""
    share = asked["symbols"]
    reason = f"answers {share.text} of {count_of(share.of, 'board')} from the true symbols as text"
    return _held(
        "symbols", share, HIGH, reason, "It does not know the rules well enough, without any picture."
    )


def _consistent(asked: Asked) -> Finding:
    """Whether its answers are those of its own readings, wherever a reading has one."""
    share = asked["consistent"]
    if not share.of:
        return Finding("consistent", "skip", "no reading of its own has exactly one answer")
    reason = (
        f"on {share.text} of {count_of(share.of, 'board')} its answer is the one that its own reading has"
    )
    return _held("consistent", share, HIGH, reason, "What it answers does not follow from what it reads.")


def _beyond(asked: Asked) -> Finding:
    """Whether it answers more than the exact rules make of its own reading: then answers come from elsewhere.

    From a better look, or from memory: nothing that is asked tells which, so that it is not decided.
    """
    answered, allowed, misread = asked["answered"], asked["allowed"], asked["answered_misread"]
    if allowed.share is None:
        return Finding("beyond", "skip", "no board was both read and answered")
    reason = f"answers {answered.text} of the boards, where its own reading allows {allowed.text}"
    if misread.of:
        reason += f", and {misread.short} of the {count_of(misread.of, 'board')} that it misreads"
    beyond = answers_beyond_reading(asked)
    remedy = (
        "It reads better when it answers, or knows boards by heart: let it write down its reading and answer "
        "in one reply (--prompts), and take other boards (--seed)."
    )
    return Finding(
        "beyond", "inconclusive" if beyond else "pass", reason, remedy if beyond else "",
        figure=answered.share, bound=allowed.share, interval=answered.interval,
    )  # fmt: skip


def _follows(asked: Asked) -> Finding:
    """(e) Whether answers follow the picture or the transcript, where the two differ."""
    picture, transcript, neither = (asked[f"follows_{name}"] for name in ("picture", "transcript", "neither"))
    if neither.share is None or neither.interval is None:
        reason = "no transcript of its own has exactly one answer that is not the picture's"
        return Finding("follows", "skip", reason)
    reason = (
        f"where picture and transcript differ, {picture.short} of {count_of(picture.of, 'answer')} follow "
        f"the picture, {transcript.short} the transcript, {neither.short} neither"
    )
    if not asked["answered"].share:
        return Finding("follows", "skip", f"it answers no board from the picture; {reason}")
    low, high = neither.interval
    followed = replace(neither, share=1.0 - neither.share, interval=(1.0 - high, 1.0 - low))
    bound = HIGH * (asked["answered"].share or 0.0)
    return _held(
        "follows", followed, bound, reason, "Its answers follow neither what it sees nor what it read."
    )


def _legend(asked: Asked, legend: str) -> Finding:
    """(f) Whether it keeps to the rules when symbols have other faces."""
    share, usual = asked["legend"], asked["answered"]
    reason = f"with {legend} for symbols it answers {share.text}, with the usual ones {usual.short}"
    if not usual.share:
        return Finding("legend", "skip", f"it answers no board of the usual symbols; {reason}")
    remedy = "It remembers the usual symbols, or does not read the others: ask with another --legend."
    return _held("legend", share, HIGH * usual.share, reason, remedy)


def _format(asked: Asked) -> Finding:
    """Whether what it sends can be parsed; readings by themselves too, as a verdict rests on them."""
    strict, lenient, readings = asked["strict"], asked["lenient"], asked["understood"]
    reason = (
        f"of {strict.of} replies {strict.short} fit the schema as they stand, {lenient.short} can be "
        f"understood, of its readings {readings.short}; {asked.counts['refused']} refused, "
        f"{asked.counts['truncated']} cut off"
    )
    fewest = min(lenient, readings, key=lambda share: 1.0 if share.share is None else share.share)
    return _held("format", fewest, HIGH, reason, REMEDIES["ERROR"])


def _held(check: str, share: Share, bound: float, reason: str, remedy: str) -> Finding:
    """A share against a bound: passes where it reaches it, and fails where even its interval does not."""
    if share.share is None or share.interval is None:
        return Finding(check, "skip", "it was not asked")
    status: Status = "pass" if share.share >= bound else "fail"
    if status == "fail" and (share.interval[1] >= bound or share.of < MIN_BOARDS):
        status = "inconclusive"
    return Finding(
        check, status, reason, "" if status == "pass" else remedy,
        figure=share.share, bound=bound, interval=share.interval,
    )  # fmt: skip
