"""What the trials of a task amount to, as findings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ..measures.metrics import Scores
from ..trials.trial import Outcome, Role
from ..verdict import HIGH, Judgement
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
    reaches end to end if that is less. If it is better with images, the answer does not come from its
    reasoning about symbols; if both are low, nothing that perception does can help.

    Remedy: Train it on symbols alone (seen=symbols) until it learns, before images are added.
    """
    on_symbols = fmean(s.task for s in subject.scores("reasoning"))
    bound = HIGH
    if not subject.symbols_only:
        bound = min(HIGH, HIGH * fmean(s.task for s in subject.scores("grounding")))
    return Measurement(on_symbols, f"answers {on_symbols:.2f} of the puzzles from true symbols", bound=bound)


@trained.check("baseline", above=0.0, otherwise="inconclusive")
def check_baseline(subject: Trained) -> Measurement:
    """What the same perception and budget reach without logic: a solver that is no better adds nothing.

    The figure is by how much the solver's task accuracy is above the baseline's, on average over seeds.

    Failure: inconclusive where the difference is not positive. It does not fail a solver, as easy
    tasks are solved without logic as well.

    Remedy: Take a task on which the baseline fails.
    """
    without = fmean(s.task for s in subject.scores("baseline"))
    with_solver = fmean(s.task for s in subject.scores("grounding"))
    message = f"answers {with_solver:.2f} of the puzzles, without logic {without:.2f}"
    return Measurement(with_solver - without, message)


@trained.check("ceiling", at_least=0.5, otherwise="inconclusive")
def check_ceiling(subject: Trained) -> Measurement:
    """What perception reaches when it is trained with the labels of the same images.

    Everything else is held against it: no solver can be asked to read what labels do not teach.

    Failure: inconclusive below 0.5: bars that low say little.

    Remedy: More puzzles, more epochs, or another image set.
    """
    read = fmean(s.aligned or 0.0 for s in subject.scores("ceiling"))
    return Measurement(read, f"reads {read:.3f} of the images")


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
