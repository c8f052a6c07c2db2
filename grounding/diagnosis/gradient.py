"""Causes in the gradient that comes back through the interface."""

from statistics import fmean, median

from .cause import Sign, clearest
from .code import STEADY
from .subject import Seed, Subject

VANISHED = 1e-6  # norm at the beliefs, per row: Adam divides by it, but not below its epsilon of 1e-8
EXPLODED = 100.0  # norm at an image's logits; what a likelihood sends back there has at most √2
ERRATIC = 100.0  # times the usual step's
LOST_STEPS = 0.05  # share of skipped steps from which they matter
ORTHOGONAL = 0.05  # cosine with training by labels; solvers that ground have 0.1 to 0.5 while they learn
ENOUGH_LEFT = 0.2  # of the images are misread: where all are read right nothing is left to point at


def wrong(subject: Subject) -> Sign | None:
    """The contract holds the gradient against finite differences.

    A gradient that is wrong and yet points where training by labels does explains little: it is weighed by
    how far it is from that. A check that broke says nothing of the gradient, as where a solver only computes
    in float32.
    """
    failed = sorted(name for name, status in subject.gradients.items() if status == "fail")
    if not failed:
        return None

    def strength(seed: Seed) -> float:
        cosine = _direction(seed, _cosine_name(subject))
        return 1.0 if cosine is None else 1.0 - cosine / (2 * ORTHOGONAL)

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    cosine = _direction(seed, _cosine_name(subject))
    pointed = "" if cosine is None else f", and its cosine with that of training by labels is {cosine:.2f}"
    return Sign(
        share,
        f"{', '.join(failed)} did not pass: what comes back is not the gradient of the loss{pointed}",
        {} if cosine is None else {"supervised": cosine},
        seed,
        remedy=f"Mend the gradient first: {', '.join(failed)} did not pass, and perception learns from "
        "nothing else.",
    )


def vanished(subject: Subject) -> Sign | None:
    """Perception hears nothing: no gradient at all, or one below what an optimiser can use."""

    def strength(seed: Seed) -> float:
        norms = seed.known("gradient")
        weak = fmean(norm < VANISHED for norm in norms) if norms else 0.0
        return max(seed.outcome.no_gradient, weak)

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    norms = seed.known("gradient")
    size = f"; its norm at the beliefs is {median(norms):.2g} per puzzle" if norms else ""
    return Sign(
        share,
        f"in {seed.outcome.no_gradient:.0%} of the steps no gradient reached perception{size}",
        {"no_gradient": seed.outcome.no_gradient, **({"gradient": median(norms)} if norms else {})},
        seed,
    )


def exploded(subject: Subject) -> Sign | None:
    """Steps are lost to gradients that are not finite, or they are so large that single ones decide.

    Their size is measured at the logits: at a belief near 0 the gradient of any likelihood is its reciprocal,
    which the interface takes back.
    """

    def lost(seed: Seed) -> float:
        return fmean(seed.known("skipped") or [0.0])

    def strength(seed: Seed) -> float:
        usual, largest = seed.known("norm"), max(seed.known("largest_norm"), default=0.0)
        erratic = largest > EXPLODED and largest > ERRATIC * median(usual)
        return max(1.0 if erratic else 0.0, min(1.0, lost(seed) / (2 * LOST_STEPS)))

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    norms, usual = seed.known("largest_norm"), seed.known("norm")
    size = (
        f"the largest step's norm at the logits of an image is {max(norms):.2g}, the usual one's "
        f"{median(usual):.2g}"
        if norms
        else ""
    )
    left_out = (
        f"{lost(seed):.0%} of the steps were left out, as nothing was solved in them or their gradient was "
        "not finite"
        if lost(seed)
        else ""
    )
    return Sign(
        share,
        "; ".join(filter(None, (left_out, size))),
        {"skipped": lost(seed), **({"largest_norm": max(norms), "norm": median(usual)} if norms else {})},
        seed,
    )


def orthogonal(subject: Subject) -> Sign | None:
    """What comes back does not point towards the symbols, while there are images to be read better.

    The direction is that of training by labels, under the names that count; what neighbouring batches say to
    images that are read alike tells noise from a steady push elsewhere.
    """
    name = _cosine_name(subject)

    def strength(seed: Seed) -> float:
        cosine = _direction(seed, name)
        if cosine is None or seed.missing < ENOUGH_LEFT:
            return 0.0
        return 1.0 - cosine / (2 * ORTHOGONAL)

    found = clearest(subject.failing, strength)
    if found is None:
        return None
    share, seed = found
    cosine, steady = _direction(seed, name) or 0.0, seed.known("consistency")
    batches = (
        f"; from one batch to the next its cosine is {fmean(steady):.2f}"
        + (", as of noise" if fmean(steady) < STEADY else ", so that it is no noise")
        if steady
        else ""
    )
    return Sign(
        share,
        f"the cosine of the gradient at the interface with that of training by labels is {cosine:.2f} on "
        f"average, weighted by its size{batches}",
        {"supervised": cosine, **({"consistency": fmean(steady)} if steady else {})},
        seed,
    )


def _cosine_name(subject: Subject) -> str:
    """What the cosine is called with training by labels under the names that count."""
    return "supervised_raw" if subject.rules_given else "supervised"


def _direction(seed: Seed, name: str) -> float | None:
    """Mean cosine over the epochs, weighted by how large the gradient was beside that of labels.

    Where a loss is spent, hardly anything comes back, and where that points to moves nothing.
    """
    pairs = [
        (cosine, record.strength)
        for record, cosine in zip(seed.records, seed.series(name), strict=True)
        if cosine is not None and record.strength is not None
    ]
    whole = sum(strength for _, strength in pairs)
    return sum(cosine * strength for cosine, strength in pairs) / whole if whole > 0 else None
