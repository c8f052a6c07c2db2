"""What a trained network does beyond its test set: out of distribution, and where givens are wrong."""

from collections.abc import Sequence
from statistics import fmean

from ..measures.metrics import Scores
from ..measures.statistics import difference_interval, wilson_interval
from .abstain import abstain
from .finding import Finding
from .registry import MEASURED, Measurement, Registry, SkipCheckError
from .robust import BeyondSeeds, robust

MAX_DROP = 0.10  # of the puzzles: what may be lost out of distribution, unless a gate says otherwise

NO_CEILING = 0.05  # of the boards: what the exact posterior answers where nothing can be asked

beyond: Registry[BeyondSeeds] = Registry("", place=85, trained=True)


@beyond.check("ood", at_most=MAX_DROP, otherwise="inconclusive")
def check_ood(subject: BeyondSeeds) -> Measurement:
    """Out of distribution, on the ood split of its task, the solver answers about as many puzzles.

    The split has other puzzles than training (fewer givens, new pairs), or, where there are no others,
    slanted images. The figure is what is lost of the task accuracy, with Newcombe's interval of a difference;
    the bound is 0.10. The reason has beside what the rules answer that take the likeliest readings at their
    word, and what is read.

    Failure: more is lost: inconclusive, as a verdict does not reach so far and fails nobody; the bar that may
    fail is a gate's. Where those rules lose as much, it is the images.

    Remedy: Show more of what differs there in training; a verdict holds for puzzles as in training.

    Source: rsbench, arXiv:2406.10368, whose ood splits of half and evenodd these are.
    """
    pairs = [
        (o.beyond.ood, o.scores)
        for o in subject.outcomes
        if o.role == "grounding"
        and o.beyond is not None
        and o.beyond.ood is not None
        and o.scores is not None
    ]
    if not pairs:
        raise SkipCheckError("nothing was asked out of distribution: --robust")
    return lost_elsewhere("out of distribution", [ood for ood, _ in pairs], [known for _, known in pairs])


def lost_elsewhere(where: str, elsewhere: Sequence[Scores], here: Sequence[Scores]) -> Measurement:
    """What is lost of the task accuracy on other puzzles or images than those of the test set."""
    there, known = (fmean(s.task for s in scores) for scores in (elsewhere, here))
    lost = known - there
    interval = difference_interval((known, interval_of(here)), (there, interval_of(elsewhere)))
    message = (
        f"{where} it answers {there:.2f} of the puzzles, {known:.2f} of the test puzzles; the rules on its "
        f"likeliest readings {fmean(s.read for s in elsewhere):.2f} and {fmean(s.read for s in here):.2f}"
    )
    read = [(s.raw, s.aligned) for s in elsewhere if s.raw is not None and s.aligned is not None]
    if read:
        raw, aligned = (fmean(values) for values in zip(*read, strict=True))
        message += f"; it reads {raw:.2f} of the images, {aligned:.2f} after relabelling"
    if known <= MAX_DROP:
        message += "; so little on test puzzles that nothing could be lost"
    settled = known > MAX_DROP and (lost <= MAX_DROP or interval[0] > MAX_DROP)
    return Measurement(lost, message, interval, settled=settled)


def interval_of(scores: Sequence[Scores]) -> tuple[float, float]:
    """Wilson's interval of the task accuracy over the puzzles of all seeds."""
    return wilson_interval(sum(s.task * s.puzzles for s in scores), sum(s.puzzles for s in scores))


@beyond.check("correction", at_least=MEASURED)
def check_correction(subject: BeyondSeeds) -> Measurement:
    """Where givens show a wrong symbol, the solver finds and corrects them, and answers nevertheless.

    Asked by `--set wrong=k`: k givens of each board show the image of another symbol. Found: the completion
    contradicts what is read there. Corrected: it has the true symbol. Answered: every query, as without the
    error.

    Failure: the figure is the share of boards answered; the bound is half of what the exact posterior answers
    on the same readings. Inconclusive where the interval holds it, or where the posterior answers no more
    than 0.05, as where the rules cannot tell which given is wrong.

    Remedy: A solver that returns its givens as they are read cannot find an error: complete them as well.

    Source: GridMNIST-Sudoku, Mathematics 2025, 13(17), 2851; Topan et al. 2021, arXiv:2106.14330.
    """
    seeds = [found.correction for found in subject.of() if found.correction is not None]
    if not seeds:
        raise SkipCheckError("no given was made wrong: --set wrong=1")
    boards = sum(seed.boards for seed in seeds)
    means = {name: fmean(getattr(s, name) for s in seeds) for name in ("found", "corrected", "answered")}
    exact = {
        name: fmean(s.exact[name] for s in seeds) for name in means if all(name in s.exact for s in seeds)
    }
    interval = wilson_interval(means["answered"] * boards, boards)
    told = ", ".join(f"{name} {value:.2f}" + _beside(exact, name) for name, value in means.items())
    alarms = fmean(s.false_alarms for s in seeds)
    message = (
        f"of {seeds[0].wrong} wrong on each board: {told}; {alarms:.2f} of the other givens contradicted"
    )
    ceiling = exact.get("answered", 0.0) / 2
    settled = means["answered"] >= ceiling or interval[1] < ceiling
    if 2 * ceiling <= NO_CEILING:  # whoever answers nothing would hold that as well
        settled = False
        message += "; the exact posterior answers next to none either" if exact else "; no exact posterior"
    return Measurement(means["answered"], message, interval, ceiling, settled=settled)


def _beside(exact: dict[str, float], name: str) -> str:
    return f" (exact {exact[name]:.2f})" if name in exact else ""


@beyond.check("worlds", at_most=MEASURED)
def check_worlds(subject: BeyondSeeds) -> Measurement:
    """The completions leave about those worlds that the exact posterior leaves: reasoning that is calibrated.

    A world is a solution of the rules; a completion weighs it by the product of its beliefs. The figure is
    the Kullback-Leibler divergence of that distribution from the exact posterior on the same readings, in
    nats, mean over uncorrupted boards. No label is needed.

    Failure: more than half of what there is to know, the logarithm of the number of worlds. The reason has
    both entropies: much less than the posterior's is overconfidence, much more is doubt that the rules would
    settle.

    Remedy: Train towards the posterior's entropy: the option `distilled` of `semantic-loss`.

    Source: Chang et al. 2023, arXiv:2312.10087 (entropy semiring); Eisner 2002 (expectation semiring).
    """
    seeds = [found.worlds for found in subject.of() if found.worlds is not None]
    if not seeds:
        raise SkipCheckError("not asked (--robust), or the rules are unknown or have too many worlds to list")
    entropy, exact, away = (fmean(getattr(s, n) for s in seeds) for n in ("entropy", "exact", "divergence"))
    message = (
        f"its completions leave {entropy:.2f} nats of {seeds[0].bound:.2f}, the exact posterior {exact:.2f}; "
        f"apart by {away:.2f}"
    )
    return Measurement(away, message, bound=seeds[0].bound / 2)


def check_beyond(subject: BeyondSeeds, task: str) -> list[Finding]:
    """Findings of what was asked beyond the test set; none where nothing was."""
    asked = subject.of()
    if not asked:
        return []
    findings = [*beyond.run(subject, task)]
    if any(found.robustness is not None or found.ood is not None for found in asked):
        findings += [*robust.run(subject, task), *abstain.run(subject, task)]
    return findings
