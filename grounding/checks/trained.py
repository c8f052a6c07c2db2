"""What the trials of a task amount to, as findings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ..bars import HIGH, guessed_readings, unfit
from ..measures.counts import count_of
from ..measures.metrics import Scores
from ..measures.statistics import difference_interval, wilson_interval
from ..trials.trial import Outcome, Role
from ..verdict import Judgement
from .bypass import Grounded, bypass
from .finding import Finding
from .registry import MEASURED, Measurement, Registry, Result, SkipCheckError, failed, passed


@dataclass(frozen=True)
class Trained:
    """The trials of one task that count, and the verdict they led to."""

    judgement: Judgement
    outcomes: Sequence[Outcome] = field(default_factory=tuple)
    symbols_only: bool = False  # seen as symbols: nothing can be said of grounding
    rules_given: bool = False

    def scores(self, role: Role) -> list[Scores]:
        """Of the trials of a role that did not break."""
        found = [o for o in self.outcomes if o.role == role]
        if not found:
            raise SkipCheckError("no such trial ran")
        scores = [o.scores for o in found if o.scores is not None]
        if not scores:
            raise RuntimeError(f"all of {len(found)} trials broke: {(found[0].error or '').splitlines()[-1]}")
        return scores


trained: Registry[Trained] = Registry("", place=70, trained=True)


@trained.check("grounding", decides=True)
def check_grounding(subject: Trained) -> Result:
    """Trained end to end, from images and answers alone, the network reads its symbols right.

    The figure is the share of seeds that grounded, with Wilson's interval; Wald's sequential test decides.

    Failure: the verdict says how. SHORTCUT: right answers from wrong symbols. NOT REASONING: right symbols,
    wrong answers. UNGROUNDED: neither. LEAKY: the labels of the givens reached training.

    Remedy: See the verdict's own remedy, the confusion matrix, and the learning curve.

    Source: Chang et al. 2020, arXiv:2312.11522; Wald 1945, Ann. Math. Statist. 16(2).
    """
    if subject.symbols_only:
        raise SkipCheckError("seen as symbols, nothing can be said of grounding")
    judged = subject.judgement
    if judged.verdict == "ERROR":
        raise RuntimeError(judged.reason)
    share = judged.grounded / judged.seeds if judged.seeds else None
    message = f"{judged.verdict}: {judged.reason}"
    if judged.verdict == "INCONCLUSIVE":
        return Result("inconclusive", message, share, None, judged.interval)
    found = passed if judged.verdict == "GROUNDED" else failed
    return found(message, share, None, judged.interval)


@trained.check("reasoning", at_least=MEASURED)
def check_reasoning(subject: Trained) -> Measurement:
    """Fed the true symbols of the givens, the solver answers at least as well as end to end.

    Failure: the figure is the share of puzzles answered right; the bound 0.95, or 0.95 of what the network
    reaches end to end if that is less, and clearly above what guessing answers; it is never below that guess.
    If it is better with images, the answer does not come from its reasoning about symbols; if both are low,
    nothing that perception does can help. Inconclusive where it answers clearly more than a guess from true
    symbols, but less than 0.95, and end to end no more than a guess: nothing is there to hold it against.

    Remedy: Train it on symbols alone (seen=symbols) until it learns, before images are added.
    """
    scores = subject.scores("reasoning")
    on_symbols, guess = fmean(s.task for s in scores), guess_over(scores)
    bound, settled = HIGH, True
    message = f"answers {on_symbols:.2f} of the puzzles from true symbols{_guessing(scores)}"
    if not subject.symbols_only:
        reached = subject.scores("grounding")
        if interval_over(reached)[0] > guess[1]:
            bound = min(HIGH, HIGH * fmean(s.task for s in reached))
        elif on_symbols < HIGH:
            # Where no ceiling rose above chance, it may be the budget.
            ceilings = [o for o in subject.outcomes if o.role == "ceiling"]
            fit = not ceilings or not all(unfit(o) for o in ceilings)
            settled = fit and interval_over(scores)[0] <= guess[1]
            message += "; end to end it answers no more than a guess, which is no bound"
    return Measurement(on_symbols, message, interval_over(scores), max(bound, guess[1]), settled=settled)


@trained.check("baseline", above=0.0, otherwise="inconclusive")
def check_baseline(subject: Trained) -> Measurement:
    """What the same perception and budget reach without logic: a solver that is no better adds nothing.

    The baseline gets the pretraining and the learning rates of the solver. The figure is by how much the
    solver's task accuracy is above the baseline's, or above what guessing answers if that is more, over all
    seeds, with Newcombe's interval of a difference.

    Failure: inconclusive where the interval does not lie above 0. It does not fail a solver, as easy
    tasks are solved without logic as well.

    Remedy: Take a task on which the baseline fails.

    Source: Newcombe 1998, Statistics in Medicine 17, 873–890, method 10.
    """
    without, scores = subject.scores("baseline"), subject.scores("grounding")
    own, other, guess = (fmean(s.task for s in scores), fmean(s.task for s in without), guess_over(scores))
    message = f"answers {own:.2f} of the puzzles, without logic {other:.2f}{_guessing(scores)}"
    guessed = fmean(s.guessed_task or 0.0 for s in scores)
    held = (guessed, guess) if guessed > other else (other, interval_over(without))
    interval = difference_interval((own, interval_over(scores)), held)
    advice = ""
    if interval[1] < 0:
        advice = "The solver answers fewer than a network without logic: see `reasoning`, then its verdict."
    elif interval_over(scores)[0] <= guess[1]:
        advice = "The solver answers no more than a guess: see its verdict; another task changes nothing."
    return Measurement(own - held[0], message, interval, settled=interval[0] > 0, remedy=advice)


@trained.check("ceiling", at_least=MEASURED, otherwise="inconclusive")
def check_ceiling(subject: Trained) -> Measurement:
    """What perception reaches when it is trained with the labels of the same images.

    Everything else is held against it: no solver can be asked to read what labels do not teach.

    Failure: inconclusive below 0.5, and where it is not clearly above what guessing reaches, in images, in
    whole puzzles, and in answers: bars that low say little.

    Remedy: More puzzles, more epochs, another perception_rate, or another image set.
    """
    scores = subject.scores("ceiling")
    read = fmean(s.aligned or 0.0 for s in scores)
    bound = max(0.5, fmean(guessed_readings(s)[1] for s in scores))
    why = [sentence for o in subject.outcomes if o.role == "ceiling" and o.scores and (sentence := unfit(o))]
    message = f"reads {read:.3f} of the images" + (
        f"; on {count_of(len(why), 'seed')} {why[0]}" if why else ""
    )
    return Measurement(read, message, bound=bound, settled=not why)


def interval_over(scores: Sequence[Scores]) -> tuple[float, float]:
    """Wilson's interval of the task accuracy over the puzzles of all seeds."""
    return wilson_interval(sum(s.task * s.puzzles for s in scores), sum(s.puzzles for s in scores))


def guess_over(scores: Sequence[Scores]) -> tuple[float, float]:
    """The same of what guessing answers; (0, 0) where it is not known."""
    if any(s.guessed_task is None for s in scores):
        return (0.0, 0.0)
    return wilson_interval(
        sum((s.guessed_task or 0.0) * s.puzzles for s in scores), sum(s.puzzles for s in scores)
    )


def _guessing(scores: Sequence[Scores]) -> str:
    known = [s.guessed_task for s in scores if s.guessed_task is not None]
    return f" (guessing {fmean(known):.2f})" if known else ""


@trained.check("brought", at_most=MEASURED)
def check_brought(subject: Trained) -> Measurement:
    """Before its first step, a solver that learns its rules answers true symbols no better than a guess.

    The figure is the share of validation puzzles answered right then, mean over seeds. The bound is halfway
    from the best guess to 1: always the most common answer, which is right no more often than the square root
    of how often two puzzles share theirs.

    Failure: it brought the rules along, or found out which ones this seed drew. Of fewer than three seeds
    that is inconclusive: with few symbols a random start may be right.

    Remedy: Declare rules = "given", or take out what knows the task.
    """
    if subject.rules_given:
        raise SkipCheckError("it is given the rules")
    starts = [o.curve[0].task for o in subject.outcomes if o.role == "reasoning" and o.curve]
    shared = [o.interventions.chance for o in subject.outcomes if o.interventions is not None]
    if not starts or not shared:
        raise SkipCheckError("no trial on true symbols ran beside one on images")
    bound = (1 + fmean(shared) ** 0.5) / 2
    message = f"untrained it answers {fmean(starts):.2f} of the puzzles from true symbols"
    settled = fmean(starts) <= bound or len(starts) >= 3
    return Measurement(fmean(starts), message, bound=bound, settled=settled)


def check_trained(subject: Trained, task: str) -> list[Finding]:
    """Findings from the trials of a task: what they reached, and the interventions on what was trained."""
    seeds = [o.interventions for o in subject.outcomes if o.interventions is not None]
    return [*trained.run(subject, task), *bypass.run(Grounded(seeds, subject.rules_given), task)]
