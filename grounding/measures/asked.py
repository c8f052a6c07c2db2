"""Figures of a model that was asked: shares of boards, each with its interval, beside the usual scores."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int

from .statistics import clustered_interval


@dataclass(frozen=True)
class Share:
    """A share of what was asked.

    Attributes:
        name: In records.
        title: In words.
        share: In [0, 1]; None where nothing was counted.
        of: How many boards, replies or pictures were counted.
        interval: 95 %, over new boards that show new images; None where nothing was counted.
    """

    name: str
    title: str
    share: float | None
    of: int
    interval: tuple[float, float] | None = None

    @property
    def short(self) -> str:
        """The share alone."""
        return "–" if self.share is None else f"{self.share:.2f}"

    @property
    def text(self) -> str:
        """With its interval, for a sentence or a table."""
        if self.share is None or self.interval is None:
            return "–"
        return f"{self.share:.2f} ({self.interval[0]:.2f} to {self.interval[1]:.2f})"


@dataclass(frozen=True)
class Asked:
    """What came of the questions about one task, over all samples.

    Attributes:
        shares: The figures, in the order in which they are told.
        counts: Requests, tokens, and replies by what became of them.
    """

    shares: list[Share] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Share:
        return next(share for share in self.shares if share.name == name)


def share_of(
    name: str,
    title: str,
    right: Bool[np.ndarray, " boards"],
    counted: Bool[np.ndarray, " boards"],
    image: Int[np.ndarray, "boards places"],
) -> Share:
    """A share of the boards that are counted, with an interval clustered by the images that they show."""
    hits, of = right[counted].astype(np.float64), int(counted.sum())
    if not of:
        return Share(name, title, None, 0)
    low, high = clustered_interval(hits, np.ones(of), image[counted])
    return Share(name, title, float(hits.mean()), of, (float(low), float(high)))
