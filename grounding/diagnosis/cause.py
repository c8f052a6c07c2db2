"""A cause: what is looked for, what was found of it, and the list that both are in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from .subject import Seed, Subject

NAMED = 0.5  # strength from which a cause is named


@dataclass(frozen=True)
class Series:
    """A figure over the epochs, for a small plot."""

    title: str
    values: list[float | None]


@dataclass(frozen=True)
class Explanation:
    """A cause as it was found.

    Attributes:
        cause: Its name in the list.
        title: In a few words.
        strength: How much of what is missing it accounts for, from 0 to 1; mean over failing seeds.
        shown: On how many of the failing seeds it accounts for half or more, and how many fail.
        sentence: What was seen, with its figures.
        remedy: What to change.
        refuted_by: The trial that would show that it is not the cause, and what would be seen.
        figures: What was measured, by name.
        plot: Over the epochs of the seed that shows it best.
        seed: Which that is; −1: none in particular.
        follows: A cause named before this one, of which it may be a consequence.
    """

    cause: str
    title: str
    strength: float
    sentence: str
    remedy: str
    refuted_by: str
    figures: dict[str, float] = field(default_factory=dict)
    plot: list[Series] = field(default_factory=list)
    seed: int = -1
    follows: str = ""
    shown: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Strengths:
    """How much a cause accounts for, on each failing seed, from 0 to 1."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.values)

    @property
    def shown(self) -> int:
        """On how many seeds it is enough to be named."""
        return sum(value >= NAMED for value in self.values)


@dataclass(frozen=True)
class Sign:
    """What a cause's function saw: the strength, in words and figures; `seed` shows it best."""

    strength: Strengths
    sentence: str
    figures: Mapping[str, float | int] = field(default_factory=dict)
    seed: Seed | None = None
    remedy: str = ""  # in place of the usual one, where more is known


@dataclass(frozen=True)
class Cause:
    """An entry of the list.

    Attributes:
        name: What it is called.
        title: In a few words.
        look: What sees it in a subject; None where there is no sign of it.
        remedy: What to change.
        refuted_by: The trial that would show that it is not the cause.
        follows: Causes of which it may be a consequence: where one of them is named, that comes first.
        drawn: Figures over the epochs that show it, by their title.
    """

    name: str
    title: str
    look: Callable[[Subject], Sign | None]
    remedy: str
    refuted_by: str
    follows: tuple[str, ...] = ()
    drawn: Mapping[str, str] = field(default_factory=dict)

    def explain(self, subject: Subject) -> Explanation | None:
        """What was found of it; None where there is too little to name it."""
        sign = self.look(subject)
        if sign is None or not sign.strength.shown:
            return None
        shown = sign.seed
        plot = [Series(title, shown.series(name)) for name, title in self.drawn.items()] if shown else []
        return Explanation(
            cause=self.name,
            title=self.title,
            strength=sign.strength.mean,
            shown=(sign.strength.shown, len(sign.strength.values)),
            sentence=sign.sentence,
            remedy=sign.remedy or self.remedy,
            refuted_by=self.refuted_by,
            figures={name: float(value) for name, value in sign.figures.items()},
            plot=[series for series in plot if any(value is not None for value in series.values)],
            seed=shown.outcome.seed if shown else -1,
        )


def everywhere(strength: float) -> Strengths:
    """Of what is no matter of single seeds."""
    return Strengths((max(0.0, min(1.0, strength)),))


def clearest(seeds: Sequence[Seed], strength: Callable[[Seed], float]) -> tuple[Strengths, Seed] | None:
    """A strength over seeds, and the seed that shows it best; None without any sign of it."""
    values = tuple(max(0.0, min(1.0, float(strength(seed)))) for seed in seeds)
    if not any(values):
        return None
    return Strengths(values), seeds[values.index(max(values))]
