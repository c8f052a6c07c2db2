"""Does the answer come through the solver? What interventions on the trained network left of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..measures.interventions import CLEAR_OF_CHANCE, Intervention, Interventions, answered_from_symbols
from ..measures.renaming import SIGNIFICANCE, handed_on
from ..measures.statistics import wilson_interval
from .registry import MEASURED, Measurement, Registry, Result, SkipCheckError, failed, passed

MIN_PUZZLES = 10  # whose answer an intervention must have made wrong, for it to say something
KEPT_SHARE = 0.5  # of what the network has over chance may be left after shuffling and permuting
KEPT_SHARE_CORRUPTED = 0.9  # after corrupting: a solver may outvote one wrong given, but not every time


@dataclass(frozen=True)
class Grounded:
    """What the bypass checks look at: the interventions on the seeds of one task."""

    seeds: Sequence[Interventions] = field(default_factory=tuple)
    rules_given: bool = False


bypass: Registry[Grounded] = Registry("bypass", place=80, trained=True)


@bypass.check("shuffle", at_most=MEASURED)
def check_shuffle(subject: Grounded) -> Measurement:
    """With the beliefs of another puzzle, the trained network no longer answers this one.

    Failure: the figure is the share of puzzles that kept an answer the rules no longer allow. The answer
    does not come through the solver.

    Remedy: Look for what reaches the answer beside the beliefs: state kept between calls, the order of the
    puzzles, an answer that is nearly always the same.
    """
    return _judge(subject, "shuffle", KEPT_SHARE)


@bypass.check("permute", at_most=MEASURED)
def check_permute(subject: Grounded) -> Measurement:
    """With every symbol renamed on its way into the solver, the old answers go.

    Each symbol is believed to be the next one; the answers must follow as the rules say, or fall to chance.
    The reason tells how many follow: of the puzzles whose answer the rules determine for the renamed symbols,
    those that were given it.

    Failure: as for bypass/shuffle. Here the network still hears of this puzzle, but not in these symbols.

    Remedy: See which beliefs are used beside the most likely symbol: a code spread over small probabilities.
    """
    return _judge(subject, "permute", KEPT_SHARE)


@bypass.check("corrupt", at_most=MEASURED)
def check_corrupt(subject: Grounded) -> Measurement:
    """With one given replaced by another symbol, the old answer goes.

    Failure: as for bypass/shuffle; the bound is higher, since a solver may outvote one wrong given.

    Remedy: Check that every given reaches the answer.
    """
    return _judge(subject, "corrupt", KEPT_SHARE_CORRUPTED)


@bypass.check("symbols", decides=True)
def check_symbols(subject: Grounded) -> Result:
    """Handed true symbols in the place of readings, the trained network answers by the rules.

    They are the symbols of other puzzles, whose images it does not see, under the names that perception took,
    as sure as perception is of what it reads, and as sure of one other symbol as of the next.

    Failure: the figure is the share of puzzles answered as the rules say, of those that they determine; the
    bound is four fifths of what the network has over chance on images, and it fails where the whole interval
    is below. What answers there is more than the symbols that are read: a code in the small probabilities, or
    a way around the beliefs.

    Remedy: See what the solver uses beside the most likely symbol of each given.
    """
    found = answered_from_symbols(_seeds(subject))
    if found is None:
        raise SkipCheckError("too few puzzles are answered, or determined by the rules")
    message = (
        f"from images {found.plain:.2f} answered, from true symbols {found.share:.2f} of {found.determined}"
    )
    judged = passed if found.holds else failed
    return judged(message, found.share, found.bound, found.interval)


@bypass.check("copy", at_least=SIGNIFICANCE)
def check_copy(subject: Grounded) -> Measurement:
    """Where the rules make a query a renaming of a given, the solver does more than hand the reading on.

    On such a task (mapping) perception can name each image by its answer. A layer that passes that name on
    then answers right, and aligned grounding is high, though the solver has learned no rule. Where names are
    free, reasoning and perception settle on names that know nothing of those of the answers: the solver
    answers one name in all by itself, on average, and one as it did on the seed before.

    Failure: the figure is the probability of at least as many by chance. Perception has learned the answers,
    and the solver hands them on, as they are or under the same renaming on every seed. Inconclusive where it
    looks like it and the task has too few symbols to tell; skipped where no query is a renaming of a given,
    or where the rules are given: they name the symbols, and raw grounding decides.

    Remedy: Take away what leads from a belief to an answer of the same name: a residual connection, tied
    weights; or show on another task (sudoku) that the solver reasons.
    """
    if subject.rules_given:
        raise SkipCheckError("the rules are given and name the symbols: raw grounding decides")
    answers = [seed.handed for seed in _seeds(subject) if seed.handed is not None]
    if not answers:
        raise SkipCheckError("no query is a renaming of a given: a reading that is handed on is no answer")
    if (found := handed_on(answers)) is None:
        raise SkipCheckError("on no seed does the solver answer every name differently")
    message = f"{found.sentence}{': too few to tell from chance' if found.open else ''}"
    return Measurement(found.by_chance, message, settled=not found.open)


def _seeds(subject: Grounded) -> Sequence[Interventions]:
    if not subject.seeds:
        raise SkipCheckError("no trained network to intervene on")
    return subject.seeds


def _judge(subject: Grounded, name: str, left: float) -> Measurement:
    found: list[Intervention] = [getattr(seed, name) for seed in _seeds(subject)]
    plain = float(np.mean([seed.plain for seed in subject.seeds]))
    chance = float(np.mean([seed.chance for seed in subject.seeds]))
    puzzles, kept = sum(f.puzzles for f in found), sum(f.kept for f in found)
    if puzzles < MIN_PUZZLES:
        raise SkipCheckError(f"the intervention makes the answers of only {puzzles} puzzles wrong")
    if plain <= chance + CLEAR_OF_CHANCE:
        raise SkipCheckError(
            f"the network answers {plain:.2f} of the puzzles (chance {chance:.2f}): nothing to lose"
        )
    share, bound = kept / puzzles, chance + left * (plain - chance)
    message = f"of {plain:.2f} answered, {share:.2f} of {puzzles} keep an answer that is now wrong"
    if determined := sum(f.determined for f in found):
        followed = sum(f.followed for f in found)
        message += f"; {followed / determined:.2f} of {determined} follow the rules to their one new answer"
    return Measurement(share, message, wilson_interval(kept, puzzles), bound)
