"""Causes in the code that perception ends up with: merged, spread, named otherwise, certain too soon."""

from statistics import fmean

import numpy as np

from .cause import Sign, clearest
from .subject import Seed, Subject

MERGED_SHARE = 0.5  # of a symbol's images read under a name that is another's
ALMOST_NOTHING = 0.25  # of the way from chance to the ceiling: below, nothing was learned yet
SATURATED_SHARE = 0.5  # of the images
LEAST_SPREAD = 0.08  # of the images: a decoder fitted on half of a validation set is not surer than that
SOFTMAX = (
    "Take interface=softmax, under which symbols compete; where that is not enough, a penalty on the "
    "entropy of a belief and on unbalanced use of the symbols, which comes late."
)
NAMES_SETTLED_APART = (
    "Both settled on names of their own, and neither gives way: another start, a slower perception, or names "
    "that are read off the answers before perception learns, as grounded-satnet does."
)
A_SYMBOL = 1.0  # of the symbols in use: whoever has one less has lost one
STEADY = 0.3  # cosine from which neighbouring batches say the same
AGREE = 0.1  # and from which they say what labels would
LEAST_MISSING = 0.03  # of the images: what is less is no failure of grounding


def is_noise(seed: Seed) -> bool:
    """Whether batches contradict each other, and on average say nothing of the symbols."""
    steady, towards = seed.known("consistency"), seed.known("supervised")
    return bool(steady and towards) and fmean(steady) < STEADY and abs(fmean(towards)) < AGREE


def merges(seed: Seed) -> list[tuple[int, int]]:
    """Symbols that are mostly read under another's name, each with whose that is (after relabelling)."""
    counts = seed.confusion
    rows = np.maximum(counts.sum(1, keepdims=True), 1)
    share = counts / rows
    return [
        (true, int(row.argmax()))
        for true, row in enumerate(share)
        if int(row.argmax()) != true and row.max() >= MERGED_SHARE
    ]


def _merged(seed: Seed) -> float:
    """Images that are misread as their symbol shares the name of another."""
    total = max(1, int(seed.confusion.sum()))
    return sum(int(seed.confusion[true, name]) for true, name in merges(seed)) / total


def _misread(seed: Seed) -> float:
    """Images that are read wrong after relabelling, of those that could be read right."""
    return max(0.0, seed.reached - seed.aligned)


def _spread(seed: Seed) -> float:
    """Images that a decoder reads and argmax does not; 0 where that is not clear of the decoder's error."""
    spread = seed.last.spread or 0.0
    return spread if spread >= LEAST_SPREAD else 0.0


def _spread_share(seed: Seed) -> float:
    """How much of what is misread a decoder would read, where perception has made up its mind.

    While it has not, every decoder reads more than argmax does, and no code has formed yet; unless answers
    are better than the readings, which shows that the solver reads it.
    """
    missing = _misread(seed)
    if missing < LEAST_MISSING:
        return 0.0
    settled = (seed.last.information or 0.0) / seed.sure
    decoded = seed.last.decoded or 0.0
    used = (seed.scores.task - seed.aligned) / max(1e-9, decoded - seed.aligned)
    return min(1.0, _spread(seed) / missing) * max(0.0, min(1.0, max(settled, used)))


def spread(subject: Subject) -> Sign | None:
    """The symbol is in the belief, and not in its largest entry."""
    found = clearest(subject.failing, _spread_share)
    if found is None:
        return None
    share, seed = found
    decoded, task = seed.last.decoded or 0.0, seed.scores.task
    more = f", and {task:.2f} of the puzzles are answered" if task > seed.aligned else ""
    return Sign(
        share,
        f"a decoder reads {decoded:.2f} of the images from whole beliefs, their largest entry "
        f"{decoded - (seed.last.spread or 0.0):.2f}{more}: {_pairs(seed)}",
        {"decoded": decoded, "spread": seed.last.spread or 0.0, "task": task},
        seed,
        remedy=SOFTMAX if subject.training.get("interface") == "sigmoid" else "",
    )


def collapsed(subject: Subject) -> Sign | None:
    """Several symbols are read as one, and nothing in their beliefs tells them apart."""

    def strength(seed: Seed) -> float:
        missing = _misread(seed)
        if missing < LEAST_MISSING:
            return 0.0
        return min(1.0, _merged(seed) / missing) * (1.0 - _spread_share(seed))

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    used = seed.symbols - len(merges(seed))
    history, when = _history(seed)
    return Sign(
        share,
        f"perception tells {used} of {seed.symbols} symbols apart{history}: {_pairs(seed)}",
        {"used": used, "symbols": seed.symbols, "merged": _merged(seed), **when},
        seed,
    )


def _history(seed: Seed) -> tuple[str, dict[str, float]]:
    """Whether symbols in use were lost, and when; or else since when none has come to them.

    They are counted by their share of the readings (`InterfaceRecord.effective`), on validation images, in
    which a symbol that is read of a single image by mistake counts for next to nothing.
    """
    counts = {
        point.epoch: point.interface.effective
        for point in seed.outcome.curve
        if point.interface is not None and point.interface.effective is not None
    }
    if not counts:
        return "", {}
    epochs, end, steps = list(counts), counts[max(counts)], seed.last.steps
    best = max(epochs, key=lambda epoch: counts[epoch])
    if counts[best] - end >= A_SYMBOL:
        kept = max(epoch for epoch in epochs if counts[epoch] - end >= A_SYMBOL)
        lost = min(epoch for epoch in epochs if epoch > kept)
        told = (
            f", of {counts[best]:.1f} in use in epoch {best}: the last were lost by step {lost * steps} "
            f"(epoch {lost})"
        )
        return told, {"most": counts[best], "epoch": lost, "step": lost * steps}
    below = [epoch for epoch in epochs if end - counts[epoch] >= A_SYMBOL / 2]
    if not below:
        return ", and never told more", {"most": counts[best], "epoch": 0, "step": 0}
    since = min(epoch for epoch in epochs if epoch > max(below))
    return (
        f", and gained none after step {since * steps} (epoch {since})",
        {"most": counts[best], "epoch": since, "step": since * steps},
    )


def _pairs(seed: Seed) -> str:
    """Which symbols are read alike."""
    found = merges(seed)
    if not found:
        return "no two symbols are read alike throughout"
    groups: dict[int, list[int]] = {}
    for true, name in found:
        groups.setdefault(name, []).append(true)
    told = [" and ".join(map(str, sorted([name, *others]))) for name, others in sorted(groups.items())]
    return f"read alike are {'; '.join(told)}"


def misnamed(subject: Subject) -> Sign | None:
    """Perception tells the symbols apart and calls them by other names than the solver.

    Rules that are given name the symbols. Where they are learned, true symbols under perception's names are
    handed to the solver: it has to answer as it does from images.
    """

    def open_names(seed: Seed) -> bool:
        known = subject.identified.get(seed.outcome.seed)
        return known is not None and not known.unique

    def strength(seed: Seed) -> float:
        if subject.rules_given:
            named = seed.aligned - seed.scores.raw
            return 0.0 if open_names(seed) or seed.missing < LEAST_MISSING else named / seed.missing
        tried = seed.outcome.interventions
        if tried is None or not tried.symbols.determined or not subject.reasons or not seed.grounds:
            return 0.0
        return 1.0 - tried.symbols.followed / tried.symbols.determined

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    swapped = sorted(
        f"{true} is called {name}" for name, true in enumerate(seed.scores.relabelling) if true != name
    )
    which = f": {', '.join(swapped)}" if swapped else ""
    figures = {"raw": seed.scores.raw, "aligned": seed.aligned}
    if subject.rules_given:
        told = f"{seed.scores.raw:.2f} of the images are read right, {seed.aligned:.2f} under other names"
        return Sign(share, told + which, figures, seed)
    tried = seed.outcome.interventions
    followed = tried.symbols.followed / tried.symbols.determined if tried else 0.0
    told = (
        f"of true symbols under perception's names the solver answers {followed:.2f}, of images "
        f"{seed.scores.task:.2f}"
    )
    return Sign(share, told + which, figures | {"followed": followed}, seed, remedy=NAMES_SETTLED_APART)


def saturated_early(subject: Subject) -> Sign | None:
    """Perception became as good as certain before it had learned anything."""

    def first(seed: Seed) -> int | None:
        shares = seed.series("saturated")
        return next((n for n, share in enumerate(shares) if (share or 0.0) >= SATURATED_SHARE), None)

    def learned(seed: Seed, epoch: int) -> float:
        aligned = seed.epochs[epoch].aligned or 0.0
        return (aligned - seed.chance) / max(1e-9, seed.reached - seed.chance)

    def strength(seed: Seed) -> float:
        epoch = first(seed)
        if epoch is None or seed.missing < LEAST_MISSING:
            return 0.0
        if is_noise(seed):  # which drives beliefs anywhere, and so to certainty too
            return 0.0
        stayed = (seed.last.saturated or 0.0) >= SATURATED_SHARE
        return 1.0 if stayed and learned(seed, epoch) < ALMOST_NOTHING else 0.0

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    epoch = first(seed) or 0
    return Sign(
        share,
        f"after epoch {seed.epochs[epoch].epoch} perception is certain of "
        f"{seed.records[epoch].saturated or 0.0:.0%} of the images and reads "
        f"{seed.epochs[epoch].aligned:.2f} of them right; from certain beliefs hardly any gradient comes "
        "back",
        {"saturated": seed.records[epoch].saturated or 0.0, "epoch": seed.epochs[epoch].epoch},
        seed,
    )
