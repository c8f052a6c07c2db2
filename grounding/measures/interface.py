"""What passes through the interface, in figures: how beliefs carry the symbols, where the gradient points."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from .metrics import best_relabelling, confusion_matrix

Readings = Float[np.ndarray, "images symbols"]
Labels = Int[np.ndarray, " images"]

SATURATED = 0.01  # a belief whose entries all lie this near to 0 or 1 hardly moves: its slope is below 1 %
FLOOR = 1e-6  # of a probability before a logarithm
RIDGE = 1e-3  # of a decoder, relative to the number of images: beliefs that never vary decide nothing


@dataclass(frozen=True)
class InterfaceRecord:
    """What was measured at the interface in one epoch; None where there was nothing to measure it on.

    Entropies and information are in nats, on validation images; the gradient's figures are of training images
    in a few steps of the epoch, in the space of perception's logits.

    Attributes:
        confidence: Mean entropy of a belief: 0 where perception is sure of every image.
        balance: Entropy of the mean belief: log(symbols) where all are used alike.
        information: Mutual information between the true symbol and a symbol drawn from the belief.
        effective: How many symbols are read, each counted by its share: exp of the entropy of readings.
        decoded: Images that a linear decoder reads right from whole beliefs, fitted on the other half.
        spread: `decoded` less what argmax reads of the same images, relabelled on the same halves.
        saturated: Images whose belief is as good as certain.
        answers_saturated: Queries whose completion is.
        unsolved: Validation puzzles left unsolved.
        steps: Steps of the epoch.
        consistency: Cosine between the gradients of neighbouring batches, by what images were read as.
        supervised: Cosine of the descent direction with that of training by labels, under perception's own
            naming (the best relabelling of this epoch).
        supervised_raw: The same under the true names.
        strength: Norm of the gradient over that of training by labels, on the same images.
        perception_update: Norm of a step of perception's weights over that of the weights.
        solver_update: The same of the solver's.
        norm: Norm of the gradient at the logits of an image: mean over a step's images, median over steps.
        largest_norm: The same of the step with the largest.
    """

    confidence: float | None = None
    balance: float | None = None
    information: float | None = None
    effective: float | None = None
    decoded: float | None = None
    spread: float | None = None
    saturated: float | None = None
    answers_saturated: float | None = None
    unsolved: float | None = None
    steps: int = 0
    consistency: float | None = None
    supervised: float | None = None
    supervised_raw: float | None = None
    strength: float | None = None
    perception_update: float | None = None
    solver_update: float | None = None
    norm: float | None = None
    largest_norm: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):  # NaN and infinities are no measurements, and JSON has neither
            value = getattr(self, each.name)
            if isinstance(value, float) and not np.isfinite(value):
                object.__setattr__(self, each.name, None)


@dataclass(frozen=True)
class Passed:
    """What passed through the interface for some images of some training steps of an epoch.

    Attributes:
        step: (images,) the step of the epoch.
        puzzle: (images,) the row of the training puzzles.
        variable: (images,) the variable that showed the image.
        beliefs: (images, symbols) what perception believed.
        gradient: (images, symbols) the gradient that came back, of the loss of the puzzle.
    """

    step: Labels
    puzzle: Labels
    variable: Labels
    beliefs: Readings
    gradient: Readings

    def __len__(self) -> int:
        return len(self.step)


def shares(beliefs: Readings) -> Readings:
    """Beliefs that sum to one over the symbols, which those of a sigmoid need not."""
    total = beliefs.sum(1, keepdims=True)
    return np.where(total > FLOOR, beliefs / np.maximum(total, FLOOR), 1 / beliefs.shape[1])


def entropy(shares: Float[np.ndarray, "*rows symbols"]) -> Float[np.ndarray, "*rows"]:
    """In nats, over the last axis."""
    return np.asarray(-(shares * np.log(np.maximum(shares, FLOOR))).sum(-1))


def mutual_information(shares: Readings, true: Labels) -> float:
    """Between the true symbol of an image and a symbol drawn from its belief, in nats."""
    mean, within = shares.mean(0), 0.0
    for symbol in np.unique(true):
        chosen = true == symbol
        within += chosen.mean() * float(entropy(shares[chosen].mean(0)))
    return float(entropy(mean) - within)


def saturated(beliefs: Float[np.ndarray, "rows symbols"]) -> float:
    """Share of beliefs whose entries all lie within `SATURATED` of 0 or 1."""
    return float((np.minimum(beliefs, 1 - beliefs) < SATURATED).all(1).mean())


def spread_of(beliefs: Readings, true: Labels) -> tuple[float, float]:
    """What a linear decoder reads from whole beliefs, and by how much that is more than argmax reads.

    Each half of the images is read by what was fitted on the other. The decoder is a ridge regression on the
    beliefs and their square roots to two digits, so that a share of a thousandth still counts and one of a
    millionth does not; it may read two symbols from one name, which a relabelling may not.
    """
    symbols = beliefs.shape[1]
    seen = np.round(np.concatenate([beliefs, np.sqrt(beliefs)], axis=1), 2)
    known = np.concatenate([seen, np.ones((len(beliefs), 1))], axis=1)
    wanted, read = np.eye(symbols)[true], beliefs.argmax(1)
    even = np.zeros(len(true), dtype=bool)
    even[np.argsort(true, kind="stable")[::2]] = True  # half of every symbol's images
    decoded = named = 0
    for fit in (even, ~even):
        of_fit = known[fit]
        gram = of_fit.T @ of_fit + RIDGE * fit.sum() * np.eye(known.shape[1])
        weights = np.linalg.solve(gram, of_fit.T @ wanted[fit])
        decoded += int(((known[~fit] @ weights).argmax(1) == true[~fit]).sum())
        relabelling = best_relabelling(confusion_matrix(true[fit], read[fit], symbols))
        named += int((relabelling[read[~fit]] == true[~fit]).sum())
    return decoded / len(true), (decoded - named) / len(true)


def to_logits(beliefs: Readings, gradient: Readings, interface: str) -> Readings:
    """A gradient towards beliefs as it reaches the logits that they were made of.

    Beliefs of 0 and 1 ("straight-through") do not tell the slope of the softmax behind them: what comes back
    is told as if all its symbols were alike.
    """
    if interface == "straight-through":
        return gradient - gradient.mean(-1, keepdims=True)
    if interface == "sigmoid":
        return beliefs * (1 - beliefs) * gradient
    return beliefs * (gradient - (beliefs * gradient).sum(1, keepdims=True))


def cosine(one: Float[np.ndarray, "..."], other: Float[np.ndarray, "..."]) -> float | None:
    """Of two arrays as vectors; None where one is zero."""
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / size if size > 0 and np.isfinite(size) else None


def supervised_gradient(beliefs: Readings, named: Labels) -> Readings:
    """The gradient of cross-entropy towards the logits: what training by labels would send back."""
    return beliefs - np.eye(beliefs.shape[1])[named]


def consistency_of(passed: Passed, at_logits: Readings) -> float | None:
    """Mean cosine between the gradients of neighbouring steps, each averaged by what images were read as.

    What one batch tells an image that is read so, the next should tell it too. Only what both batches read
    counts.
    """
    read, symbols = passed.beliefs.argmax(1), passed.beliefs.shape[1]
    means: dict[int, tuple[Readings, Bool[np.ndarray, " symbols"]]] = {}
    for step in np.unique(passed.step):
        chosen = passed.step == step
        sums = np.zeros((symbols, symbols))
        np.add.at(sums, read[chosen], at_logits[chosen])
        counts = np.bincount(read[chosen], minlength=symbols)
        means[int(step)] = sums / np.maximum(counts, 1)[:, None], counts > 0
    found = [
        cosine(means[step][0][both], means[step + 1][0][both])
        for step in means
        if step + 1 in means and (both := means[step][1] & means[step + 1][1]).any()
    ]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def naming_of(read: Labels, true: Labels, symbols: int) -> Int[np.ndarray, " symbols"]:
    """What perception calls each true symbol, one-to-one: the naming that makes most readings right."""
    confusion = confusion_matrix(true, read, symbols)
    rows, columns = linear_sum_assignment(confusion, maximize=True)
    names = np.empty(symbols, dtype=np.int64)
    names[rows] = columns
    return names
