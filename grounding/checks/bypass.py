"""Does the answer come through the solver? What interventions on the trained network left of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..measures.interventions import Intervention, Interventions
from ..measures.statistics import wilson_interval
from .registry import MEASURED, Measurement, Registry, SkipCheckError

MIN_PUZZLES = 10  # whose answer an intervention must have made wrong, for it to say something
KEPT_SHARE = 0.5  # of what the network has over chance may be left after shuffling and permuting
KEPT_SHARE_CORRUPTED = 0.9  # after corrupting: a solver may outvote one wrong given, but not every time


@dataclass(frozen=True)
class Grounded:
    """What the bypass checks look at: the interventions on the seeds of one task."""

    seeds: Sequence[Interventions] = field(default_factory=tuple)


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


def _judge(subject: Grounded, name: str, left: float) -> Measurement:
    if not subject.seeds:
        raise SkipCheckError("no trained network to intervene on")
    found: list[Intervention] = [getattr(seed, name) for seed in subject.seeds]
    plain = float(np.mean([seed.plain for seed in subject.seeds]))
    chance = float(np.mean([seed.chance for seed in subject.seeds]))
    puzzles, kept = sum(f.puzzles for f in found), sum(f.kept for f in found)
    if puzzles < MIN_PUZZLES:
        raise SkipCheckError(f"the intervention makes the answers of only {puzzles} puzzles wrong")
    if plain <= chance + 0.1:
        raise SkipCheckError(
            f"the network answers {plain:.2f} of the puzzles (chance {chance:.2f}): nothing to lose"
        )
    share, bound = kept / puzzles, chance + left * (plain - chance)
    message = f"of {plain:.2f} answered, {share:.2f} of {puzzles} keep an answer that is now wrong"
    if determined := sum(f.determined for f in found):
        followed = sum(f.followed for f in found)
        message += f"; {followed / determined:.2f} of {determined} follow the rules to their one new answer"
    return Measurement(share, message, wilson_interval(kept, puzzles), bound)
