"""From figures to a verdict: of one seed by the table, of a task by the sequential test."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from statistics import fmean

import numpy as np
from jaxtyping import Bool

from .bars import HIGH, LEAST, Bars, bars, guessed_answers, perfect_ceiling, unfit
from .diagnosis.causes import explain
from .diagnosis.subject import make_subject
from .measures.counts import count_of
from .measures.identifiability import Identifiability
from .measures.interventions import answered_from_symbols
from .measures.metrics import Scores, admissible_accuracy
from .measures.renaming import HandedOn, handed_on
from .measures.statistics import Decision, SequentialTest, wilson_interval
from .remedies import Evidence, Verdict, remedy
from .trials.trial import Outcome

FAILURES = ("UNGROUNDED", "NOT REASONING", "SHORTCUT")  # that the trials may explain
# Where as many seeds failed in one way as in another, the first of these names the task's verdict.
WORST_FIRST: tuple[Verdict, ...] = ("ERROR", "UNGROUNDED", "NOT REASONING", "SHORTCUT")


def seed_verdict(
    outcome: Outcome,
    high: Bars | None,
    *,
    rules_given: bool,
    possible: Bool[np.ndarray, "true predicted"] | None = None,
) -> Verdict:
    """The verdict of one seed by the table of task accuracy against aligned grounding accuracy.

    Where the rules are given, raw grounding has to be high too: the rules name the symbols, so that a
    relabelling is a shortcut. It is asked for only as far as the training puzzles determine it: `possible`
    tells what consistent relabellings read each symbol as. Answers that do not come from the symbols that are
    read, as true symbols in their place show, are a shortcut too.
    """
    scores = outcome.scores
    if scores is None:
        return "ERROR"
    if high is None or not scores.puzzles or scores.aligned is None or scores.raw is None:
        return "INCONCLUSIVE"
    answers = high.answers(scores.task, scores.intervals.get("task"))
    grounds = high.grounds(scores.aligned, scores.intervals.get("aligned"))
    if answers and grounds:
        followed = outcome.interventions and answered_from_symbols([outcome.interventions])
        if followed and not followed.holds:
            return "SHORTCUT"
        named, interval = scores.raw, scores.intervals.get("raw")
        if possible is not None and scores.confusion is not None:
            named = admissible_accuracy(np.asarray(scores.confusion), possible)
            interval = interval and wilson_interval(named * scores.images, scores.images)
        if not rules_given or high.grounds(named, interval):
            return "GROUNDED"
        # Where no ceiling is known, it is at least what this perception tells apart under other names.
        return "INCONCLUSIVE" if high.assumed and named >= LEAST * scores.aligned else "SHORTCUT"
    if high.assumed:
        return "INCONCLUSIVE"
    if answers:
        return "SHORTCUT"
    return "NOT REASONING" if grounds else "UNGROUNDED"


@dataclass(frozen=True)
class Judgement:
    """The verdict on a task, from its seeds.

    Attributes:
        verdict: GROUNDED, SHORTCUT, NOT REASONING, UNGROUNDED, LEAKY, ERROR, INCONCLUSIVE or SKIPPED.
        grounded: How many seeds grounded.
        failed: How many failed.
        seeds: How many ran; those that neither grounded nor failed decide nothing.
        interval: Wilson's 95 % interval of the share of seeds that ground.
        reason: What was seen, in a sentence.
        remedy: What to do about it, in a sentence.
        decided: Whether the seeds decide if the solver grounds: no further one changes that.
        tied: Whether one more seed would tell which failure is the most frequent.
    """

    verdict: Verdict
    grounded: int
    failed: int
    seeds: int
    interval: tuple[float, float]
    reason: str
    remedy: str
    decided: bool = False
    tied: bool = False


def judge(
    outcomes: Sequence[Outcome],
    ceilings: Sequence[Outcome],
    test: SequentialTest,
    *,
    rules_given: bool,
    leak: str | None = None,
    broken: str | None = None,
    lacking: str | None = None,
    on_symbols: float | None = None,
    identified: Mapping[int, Identifiability] | None = None,
    baselines: Sequence[Outcome] = (),
    gradients: Mapping[str, str] | None = None,
    assumed: bool = False,
) -> Judgement:
    """The verdict on one task; `outcomes` and `ceilings` are of the same seeds, in the same order;
    ceilings are missing where a task is seen as symbols, `baselines` where the solver is the baseline.

    `leak` is the sentence of a leak that was found, which beats everything else; `broken` that of a solver
    that could not even be built; `lacking` what it builds on that is not installed, so that nothing was run.
    `on_symbols` is its task accuracy on true symbols, for the reason; `gradients` are the statuses of its
    gradient checks, for the remedy.
    `identified` tells, by seed, which relabellings its training puzzles leave open.
    `assumed` says that no ceiling is known: a perfect one stands in for it, below which nothing is decided.
    """
    identified = identified or {}
    ceilings = [perfect_ceiling(outcome) for outcome in outcomes] if assumed else ceilings
    possible = {seed: found.possible for seed, found in identified.items() if found.complete}
    compared = list(zip_longest(outcomes, ceilings, baselines))

    def verdicts(scored: Callable[[Outcome], Outcome]) -> list[Verdict]:
        return [
            seed_verdict(
                scored(outcome),
                ceiling and bars(ceiling, baseline, assumed=assumed),
                rules_given=rules_given,
                possible=possible.get(outcome.seed),
            )
            for outcome, ceiling, baseline in compared
        ]

    seeds, strict = verdicts(lambda outcome: outcome), verdicts(_without_intervals)
    lenient = sum(one == "GROUNDED" != other for one, other in zip(seeds, strict, strict=True))
    grounded, count = seeds.count("GROUNDED"), len(seeds)
    failures: Counter[Verdict] = Counter(s for s in seeds if s not in ("GROUNDED", "INCONCLUSIVE"))
    decision = _decision(seeds, test)
    answers = [o.interventions.handed for o in outcomes if o.interventions and o.interventions.handed]
    names = handed_on(answers)
    if leak or lacking or broken:
        verdict: Verdict = "LEAKY" if leak else "SKIPPED" if lacking else "ERROR"
    elif decision == "accept":
        verdict = _beyond_names(names, rules_given=rules_given)
    else:
        verdict = _of_failures(decision, seeds, failures)
    identities = [identified[o.seed] for o in outcomes if o.seed in identified]
    subject = make_subject(
        outcomes,
        ceilings,
        baselines,
        rules_given=rules_given,
        on_symbols=on_symbols,
        gradients=gradients or {},
        identified=identified,
    )
    told = verdict in FAILURES and subject.recorded
    evidence = Evidence(
        on_symbols,
        gradients or {},
        identities,
        traceback=any(TRACEBACK_STARTS in (o.error or "") for o in outcomes),
        unfit=any(ceiling.scores and unfit(ceiling) for ceiling in ceilings),
        broken_ceiling=any(ceiling.error for ceiling in ceilings),
        causes=explain(subject) if told else (),
        stopped=told,  # else the budget is among the causes
    )
    return Judgement(
        verdict=verdict,
        grounded=grounded,
        failed=failures.total(),
        seeds=count,
        interval=wilson_interval(grounded, count),
        reason=leak
        or lacking
        or broken
        or _reason(verdict, seeds, outcomes, ceilings, on_symbols, assumed=assumed)
        + _within(lenient, count)
        + _named(verdict, outcomes, rules_given=rules_given)
        + _open(verdict, identities)
        + _handed(decision, names, rules_given=rules_given),
        remedy=_remedy(verdict, decision, evidence),
        decided=decision != "undecided",
        tied=("ERROR" not in failures and list(failures.values()).count(failures[verdict]) > 1)
        or (decision == "accept" and verdict == "INCONCLUSIVE"),
    )


def _of_failures(decision: Decision, seeds: Sequence[Verdict], failures: Counter[Verdict]) -> Verdict:
    """The most frequent failure of seeds that were rejected; of undecided ones, whether all of them broke."""
    if decision == "reject":
        return max(WORST_FIRST, key=lambda v: (failures[v], -WORST_FIRST.index(v)))
    return "ERROR" if set(seeds) == {"ERROR"} else "INCONCLUSIVE"


def _beyond_names(names: HandedOn | None, *, rules_given: bool) -> Verdict:
    """Of seeds that ground: whether the solver does more than hand the readings on (`handed_on`).

    Rules that are given name the symbols, and raw grounding has seen to it that perception names them so.
    """
    if rules_given or names is None or not (names.found or names.open):
        return "GROUNDED"
    return "SHORTCUT" if names.found else "INCONCLUSIVE"


def _handed(decision: Decision, names: HandedOn | None, *, rules_given: bool) -> str:
    """What a task says of itself where a query is a renaming of a given."""
    if decision != "accept" or names is None:
        return ""
    if rules_given:
        same = "; the rules are the identity here: a reading that is handed on obeys them"
        return same if names.copied == names.names else ""
    task = "; here an image may be named by its answer, and that name handed on obeys the rules"
    if names.found:
        return f"{task}: {names.sentence}, so that perception learned the answers and the solver nothing"
    return f"{task}: {names.sentence}{', too few to tell' if names.open else ''}"


def _remedy(verdict: Verdict, decision: Decision, evidence: Evidence) -> str:
    if decision == "accept" and verdict in ("SHORTCUT", "INCONCLUSIVE"):
        return HANDS_ON
    return remedy(verdict, evidence)


def _decision(seeds: Sequence[Verdict], test: SequentialTest) -> Decision:
    """The first decision, in the order of the seeds: those that ran on to name a failure do not change it."""
    decision: Decision = "undecided"
    grounded = failed = 0
    for seed in seeds:
        if decision != "undecided":
            break
        grounded += seed == "GROUNDED"
        failed += seed not in ("GROUNDED", "INCONCLUSIVE")
        decision = test.decide(grounded, failed)
    return decision


TRACEBACK_STARTS = "Traceback (most recent call last)"


def _without_intervals(outcome: Outcome) -> Outcome:
    return replace(outcome, scores=outcome.scores and replace(outcome.scores, intervals={}))


def _within(lenient: int, seeds: int) -> str:
    """On how many seeds an interval made the difference, and what the rule is."""
    if not lenient:
        return ""
    return (
        f"; {lenient} of {count_of(seeds, 'seed')} grounded only within its 95 % interval ({HIGH:.2f} "
        f"of what can be reached, and never below {LEAST:.2f})"
    )


HANDS_ON = (
    "Take away what leads from a belief to an answer of the same name (a residual connection, tied weights), "
    "or take a task in which no answer is a renaming of an image."
)


def _named(verdict: Verdict, outcomes: Sequence[Outcome], *, rules_given: bool) -> str:
    """Why low raw grounding does not count, where it does not."""
    scores = [o.scores for o in outcomes if o.scores]
    if rules_given or verdict != "GROUNDED" or all(s.raw == s.aligned for s in scores):
        return ""
    return "; nothing tells a solver that learns its rules how symbols are numbered, so only aligned counts"


def _open(verdict: Verdict, identified: Sequence[Identifiability]) -> str:
    """What the training puzzles of the seed with most relabellings leave open, if it explains the verdict."""
    most = max(identified, key=lambda found: found.count, default=None)
    if most is None or most.unique or verdict not in ("SHORTCUT", "GROUNDED", "UNGROUNDED"):
        return ""
    return f"; {most.sentence}"


def _reason(
    verdict: Verdict,
    seeds: Sequence[Verdict],
    outcomes: Sequence[Outcome],
    ceilings: Sequence[Outcome],
    on_symbols: float | None,
    *,
    assumed: bool = False,
) -> str:
    if verdict == "ERROR":
        broken = next(o for o in outcomes if o.error)
        last_line = (broken.error or "").strip().splitlines()[-1]
        return f"{seeds.count('ERROR')} of {count_of(len(seeds), 'seed')} broke: {last_line}"
    scores = [o.scores for o in outcomes if o.scores]
    best = [c.scores for c in ceilings if c.scores]
    if not scores or not best:
        return "no seed was scored next to a ceiling"
    if assumed:
        return _without_ceiling(scores, seeds)
    task, read = fmean(s.task for s in scores), fmean(s.read for s in best)
    guesses = [s.guessed_task for s in best if s.guessed_task is not None]
    guessing = f", guessing {fmean(guesses):.2f}" if guesses else ""
    answers = f"answers {task:.2f} of the puzzles (best possible {read:.2f}{guessing})"
    if scores[0].aligned is None:
        return f"{answers}; no images were seen, so nothing can be said of grounding"
    raw, aligned = fmean(s.raw or 0 for s in scores), fmean(s.aligned or 0 for s in scores)
    ceiling = fmean(s.aligned or 0 for s in best)
    reads = f"reads {raw:.2f} of the images right, {aligned:.2f} after relabelling (ceiling {ceiling:.2f})"
    unsolved = fmean(s.unsolved for s in scores)
    suffix = "" if on_symbols is None else f"; on true symbols it answers {on_symbols:.2f}"
    suffix += f"; {unsolved:.0%} of the puzzles were left unsolved" if unsolved else ""
    suffix += _beyond(scores, best, seeds)
    if verdict == "INCONCLUSIVE":
        suffix += f"; {count_of(len(seeds), 'seed')} {'does' if len(seeds) == 1 else 'do'} not decide"
    why = [sentence for ceiling in ceilings if (sentence := unfit(ceiling))]
    if why:
        suffix += f"; on {count_of(len(why), 'seed')} nothing can be held against the ceiling: {why[0]}"
    if len(kinds := Counter(seed for seed in seeds if seed != "GROUNDED")) > 1:
        suffix += f"; seeds differ: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}"
    return f"{answers}, {reads}{suffix}"


def _without_ceiling(scores: Sequence[Scores], seeds: Sequence[Verdict]) -> str:
    """What was seen, without anything that it is held against but a perfect perception."""
    guessing = fmean(s.guessed_task or 0.0 for s in scores)
    answers = f"answers {fmean(s.task for s in scores):.2f} of the puzzles (guessing {guessing:.2f})"
    if any(s.aligned is None for s in scores):
        return f"{answers}; nothing was read, so nothing can be said of grounding"
    raw, aligned = fmean(s.raw or 0 for s in scores), fmean(s.aligned or 0 for s in scores)
    reads = f"reads {raw:.2f} of the images right, {aligned:.2f} after relabelling"
    if any(not s.puzzles for s in scores):
        return f"{reads}; nothing was answered, so nothing can be said of reasoning"
    suffix = "; no ceiling is known, so that it is held against a perfect perception"
    suffix += ", below which nothing is decided" if "INCONCLUSIVE" in seeds else ""
    if len(kinds := Counter(seeds)) > 1:
        suffix += f"; seeds differ: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}"
    return f"{answers}, {reads}{suffix}"


def _beyond(scores: Sequence[Scores], best: Sequence[Scores], seeds: Sequence[Verdict]) -> str:
    """Why a solver answers clearly more than the "best possible", where it does: that bound is then false."""
    puzzles, reached = sum(s.puzzles for s in scores), sum(s.task * s.puzzles for s in scores)
    whole, read = sum(s.puzzles for s in best), sum(s.read * s.puzzles for s in best)
    if wilson_interval(reached, puzzles)[0] <= wilson_interval(read, whole)[1]:
        return ""
    start = "; that is more than the best possible, which is no bound here: "
    if reached / puzzles <= max(guessed_answers(s)[1] for s in best):
        return start + "guessing answers as many"
    if seeds.count("GROUNDED") > len(seeds) / 2:
        return start + "the rules correct misreadings"
    return start + "its answers do not come from what is read, or its rules correct misreadings"
