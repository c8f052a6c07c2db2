"""Causes in how learning went: its pace, its budget, its seeds, the solver itself, and the rules."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np

from ..bars import HIGH
from ..measures.counts import count_of
from ..measures.metrics import admissible_accuracy
from ..trials.trial import Outcome
from .cause import Sign, clearest, everywhere
from .subject import Seed, Subject

FASTER = 3.0  # times the solver's relative step from which perception's is called fast
STILL = 0.3  # of its weights' norm perception may move in all and be as it was
UNDECIDED = 0.9  # of the entropy that beliefs begin with
FALLING = 0.15  # of the whole fall of the loss in the last third of training: a steady one has 1/3
RISING = 0.03  # of accuracy in the same time
MULTIPLE = 3  # times the budget within which a rise has to arrive, if the budget is to be the cause
GAP = 0.15  # between the grounding of neighbouring seeds, sorted, that makes two modes
LEAST_EPOCHS = 3  # of a curve that tells falling from plateau


def too_fast(subject: Subject) -> Sign | None:
    """Perception makes up its mind while the solver does not know the rule yet."""

    def settled(seed: Seed) -> int | None:
        entropies = seed.series("confidence")
        return next((n for n, e in enumerate(entropies) if e is not None and e < seed.sure), None)

    def strength(seed: Seed) -> float:
        epoch = settled(seed)
        ratio = _ratio(seed)
        if epoch is None or ratio is None or ratio < FASTER or not subject.reasons or seed.grounds:
            return 0.0
        task = seed.epochs[epoch].task
        return 1.0 - task if seed.scores.task < HIGH else 0.0

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    epoch, ratio = settled(seed) or 0, _ratio(seed) or 0.0
    return Sign(
        share,
        f"a step moves perception's weights {ratio:.1f} times as far as the solver's, relative to their "
        f"size; perception is sure of its symbols after epoch {seed.epochs[epoch].epoch}, when the solver "
        f"answers {seed.epochs[epoch].task:.2f} of the puzzles",
        {"ratio": ratio, "epoch": seed.epochs[epoch].epoch, "task": seed.epochs[epoch].task},
        seed,
    )


def _ratio(seed: Seed) -> float | None:
    """Relative steps of perception over those of the solver, over the first half of training."""
    pairs = [(r.perception_update, r.solver_update) for r in seed.records]
    known = [math.log(a / b) for a, b in pairs[: max(1, len(pairs) // 2)] if a and b]
    return math.exp(fmean(known)) if known else None


def too_slow(subject: Subject) -> Sign | None:
    """Perception hardly moves in the whole of training, and has not made up its mind."""

    def moved(seed: Seed) -> float | None:
        known = [r.perception_update * r.steps for r in seed.records if r.perception_update is not None]
        return sum(known) if known else None

    def strength(seed: Seed) -> float:
        path, entropy = moved(seed), seed.last.confidence
        if path is None or entropy is None or seed.grounds:
            return 0.0
        return 1.0 if path < STILL and entropy > UNDECIDED * math.log(seed.symbols) else 0.0

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    return Sign(
        share,
        f"all steps together move perception's weights by {moved(seed):.2g} of their size, and the entropy "
        f"of a belief is still {seed.last.confidence:.2f} of {math.log(seed.symbols):.2f} nats",
        {"moved": moved(seed) or 0.0, "confidence": seed.last.confidence or 0.0},
        seed,
    )


def cannot_reason(subject: Subject) -> Sign | None:
    """The solver does not answer from true symbols either, in the same budget."""
    reached = subject.on_symbols
    if reached is None or reached >= HIGH:
        return None
    falling = [share for trial in subject.symbol_trials if (share := _falling(trial)) is not None]
    still = bool(falling) and fmean(falling) >= FALLING
    more = (
        "; its loss on them is still falling, so that it may need more of the same"
        if still
        else "; its loss on them no longer falls"
        if falling
        else ""
    )
    seeds = subject.failing
    best = fmean(seed.scores.task for seed in seeds) if seeds else 0.0
    if not seeds or best > (1 + reached) / 2:  # it answers more from images: it works on other names, or none
        return None
    guess = fmean(seed.scores.guessed_task or 0.0 for seed in seeds)
    return Sign(
        everywhere((HIGH - reached) / max(1e-9, HIGH - guess) + 0.5),
        f"from true symbols it answers {reached:.2f} of the puzzles (guessing {guess:.2f}){more}",
        {"on_symbols": reached, "guessing": guess},
        seeds[0],
        remedy=f"It answers {reached:.2f} of the puzzles from true symbols: train it on those alone "
        "(seen=symbols) until it learns the rules, before images are added.",
    )


def undetermined(subject: Subject) -> Sign | None:
    """Other names for the symbols fit every training puzzle as well, and were learned."""

    def strength(seed: Seed) -> float:
        known = subject.identified.get(seed.outcome.seed)
        if known is None or known.unique or seed.grounds:
            return 0.0
        confusion = np.asarray(seed.scores.confusion)
        admissible = admissible_accuracy(confusion, known.possible) if known.complete else seed.reached
        gained = max(0.0, admissible - seed.scores.raw) if subject.rules_given else 0.0
        if not subject.rules_given:  # names are free: what counts is whether symbols may be merged
            merging = [m for m in known.examples if len(set(m)) < len(m)]
            gained = seed.missing if merging else 0.0
        return gained / max(1e-9, seed.missing)

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    known = subject.identified[seed.outcome.seed]
    return Sign(share, known.sentence, {"relabellings": known.count, "fixed": len(known.fixed)}, seed)


def _falling(outcome: Outcome) -> float | None:
    """Which share of the whole fall of the loss came in the last third of training."""
    losses = [point.loss for point in outcome.curve if point.epoch > 0 and point.loss is not None]
    if len(losses) < LEAST_EPOCHS:
        return None
    third = max(1, len(losses) // 3)
    fall = max(losses) - min(losses)  # not from the first: a loss may rise before it falls
    before, after = fmean(losses[-2 * third : -third]), fmean(losses[-third:])
    # The means of neighbouring thirds lie a third apart, so that a steady fall has 1/3.
    return max(0.0, (before - after) / fall) if fall > 0 else 0.0


@dataclass(frozen=True)
class Rise:
    """The accuracy that a seed lacks, over training, and where that leads.

    Attributes:
        of: What rises: "images" that are read right, or "puzzles" where enough of them are.
        gained: By how much the mean of the last third of training is above that of the third before.
        goal: What counts as high.
        arrives: After how many epochs of training it would be that high; None: not within `MULTIPLE` times
            the budget.
    """

    of: str
    gained: float
    goal: float
    arrives: int | None


def rise_of(seed: Seed) -> Rise | None:
    """Where the accuracy that a seed lacks was going; None where the curve is too short to tell.

    Each third of training gains what the third before did, times the ratio of the last two gains: a rise that
    slows down is taken to go on slowing down, as one that decays exponentially does (Aitken 1926), one that
    speeds up to be steady.
    """
    reading = not seed.grounds
    values = seed.known(("raw" if seed.rules_given else "aligned") if reading else "task")
    goal = seed.bars.grounding if reading else seed.bars.task
    if len(values) < LEAST_EPOCHS:
        return None
    third = len(values) // 3
    first, second, last = (fmean(values[len(values) - n * third :][:third]) for n in (3, 2, 1))
    gained, before = last - second, second - first
    pace = 1.0 if before <= 0 else min(1.0, gained / before)
    of, step, reached, arrives = "images" if reading else "puzzles", gained, last, None
    for more in range(1, 3 * (MULTIPLE - 1) + 1):
        step *= pace
        reached += step
        if gained > 0 and reached >= goal:
            arrives = len(values) + more * third
            break
    return Rise(of, gained, goal, arrives)


def _is_arriving(seed: Seed) -> bool:
    """Whether accuracy rises, and would be high within `MULTIPLE` times the budget."""
    rise = rise_of(seed)
    return rise is not None and rise.gained >= RISING and rise.arrives is not None


def too_little(subject: Subject) -> Sign | None:
    """Training ended while it was on its way to where it would not fail.

    That the loss still falls, or accuracy still rises, is not enough: a crawl never arrives.
    """

    def strength(seed: Seed) -> float:
        falling = _falling(seed.outcome)
        if falling is None:
            return 0.5  # too short a curve to tell: that itself is a sign
        return min(1.0, 0.5 * falling / FALLING) if _is_arriving(seed) else 0.0

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    falling, rise, epochs = _falling(seed.outcome), rise_of(seed), len(seed.epochs)
    if falling is None or rise is None or rise.arrives is None:
        told = (
            f"training ended after {count_of(epochs, 'epoch')}, too few to tell whether the loss still falls"
        )
        remedy = "Train for more epochs: so short a curve does not tell what else is wrong."
        return Sign(share, told, {"epochs": epochs}, seed, remedy)
    done = "read" if rise.of == "images" else "answered"
    return Sign(
        share,
        f"{falling:.0%} of the fall of the loss came in the last third of {count_of(epochs, 'epoch')}, in "
        f"which {rise.gained:.2f} more of the {rise.of} were {done} right; if that goes on as it went, "
        f"{rise.goal:.2f} are after some {rise.arrives} epochs",
        {"falling": falling, "rising": rise.gained, "epochs": epochs, "arrives": rise.arrives},
        seed,
        f"Train for some {rise.arrives} epochs: accuracy was rising fast enough to arrive by then.",
    )


def two_modes(subject: Subject) -> Sign | None:
    """Some seeds ground and others do not, with nothing in between."""
    seeds = sorted(subject.seeds, key=lambda seed: seed.grounding)
    sound = [seed for seed in seeds if not seed.failing]
    if not sound or not subject.failing:
        return None
    gap = widest_gap([seed.grounding for seed in seeds])
    values = ", ".join(f"{seed.grounding:.2f}" for seed in seeds)
    return Sign(
        everywhere(0.5 * gap / GAP),
        f"{len(sound)} of {count_of(len(seeds), 'seed')} ground; sorted, they read {values} of the images",
        {"gap": gap, "grounded": len(sound), "seeds": len(seeds)},
        subject.failing[0],
    )


def widest_gap(values: Sequence[float]) -> float:
    """Between neighbours of sorted values; 0 for fewer than two."""
    return max((b - a for a, b in pairwise(values)), default=0.0)


def stopped(seed: Seed) -> bool | None:
    """Whether the loss had stopped falling; None where the curve is too short to tell."""
    falling = _falling(seed.outcome)
    return None if falling is None else falling < FALLING


def most_stopped(subject: Subject) -> bool | None:
    """Whether that is so of most failing seeds; None where none tells."""
    stops = [stop for seed in subject.failing if (stop := stopped(seed)) is not None]
    return 2 * sum(stops) > len(stops) if stops else None
