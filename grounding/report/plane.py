"""The plane: task accuracy against aligned grounding, both relative to what could be reached.

Its four regions are the verdicts. One plane of a report, and miniatures of it for tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bars import HIGH, LEAST, Bars, bars, perfect_ceiling
from ..measures.metrics import Scores
from ..trials.trial import Outcome
from .canvas import BLUE, GREY, INK, MAROON, OLIVE, PLUM, TEAL, canvas, legend_above

LOW, EDGE = -0.07, 1.3  # of what could be reached: the edges of the plane
REGIONS = {  # whether grounding and task are high, area, letters
    "UNGROUNDED": ((0, 0), "#d55e00", MAROON),
    "NOT REASONING": ((1, 0), "#cc79a7", PLUM),
    "SHORTCUT": ((0, 1), "#e69f00", OLIVE),
    "GROUNDED": ((1, 1), "#009e73", TEAL),
}
MAX_WHISKERS = 12  # seeds drawn with their intervals; more would hide each other
COINCIDE = 0.03  # of what could be reached: points closer than that are counted beside the first

Points = Float[np.ndarray, "seeds 2"]


@dataclass(frozen=True)
class Plane:
    """The figure, and what its accuracies are held against, in words."""

    figure: Figure
    against: str


def plane(
    subjects: Sequence[Outcome],
    baselines: Sequence[Outcome],
    ceilings: Sequence[Outcome],
    *,
    asked: bool = False,
) -> Plane | None:
    """Every seed as a point beside the same seed without logic; None where no image was read.

    Each accuracy is relative to what this perception could reach, which is at 1. Without a ceiling they are
    held against a perception that reads everything; where the ceiling decides nothing, they are held against
    nothing, and no region is drawn. What was `asked` has no perception: words differ.
    """
    own = "this model" if asked else "this solver"
    sets = _bars(subjects, baselines, ceilings)
    held = len(relative(subjects, sets)) > 0
    if not held:  # accuracies as they are
        sets = {outcome.seed: Bars(HIGH, HIGH) for outcome in subjects}
    drawn = {
        name: relative(outcomes, sets) for name, outcomes in (("without logic", baselines), (own, subjects))
    }
    if not len(drawn[own]):
        return None
    with canvas() as (figure, axes):
        if held:
            _regions(axes, *((" of the ceiling", " of the best possible") if ceilings else ("", "")))
        if held and ceilings:
            axes.scatter(
                1, 1, marker="*", s=190, facecolor="none", edgecolor=INK, linewidths=0.9, zorder=2,
                label="ceiling",
            )  # fmt: skip
        else:
            axes.plot([0, 1, 1], [1, 1, 0], color=GREY, lw=0.8, ls=":")
        if len(subjects) <= MAX_WHISKERS:
            _whiskers(axes, subjects, sets)
        for (name, points), marker, colour in zip(drawn.items(), "xo", (GREY, BLUE), strict=True):
            if len(points):
                # Beyond a thousand points the dots go into one embedded picture.
                axes.scatter(
                    *points.T, marker=marker, color=colour, s=26, alpha=0.85, linewidths=1.2, zorder=4,
                    label=name, rasterized=len(points) > 1000,
                )  # fmt: skip
                _counts(axes, points, colour)
        axes.set(xlim=(LOW, EDGE), ylim=(LOW, EDGE), xticks=TICKS, yticks=TICKS)
        axes.set_xlabel("aligned grounding" + (" / ceiling" if held and ceilings else ""))
        axes.set_ylabel("task accuracy" + (" / best possible" if held and ceilings else ""))
        legend_above(axes)
    if not held:
        which = "the ceiling decides" if ceilings else "without a ceiling, guessing is as good, and decides"
        return Plane(figure, f"held against nothing: {which} nothing")
    if not ceilings:
        return Plane(figure, "held against reading everything right: no ceiling stands beside it")
    reach = "a right reading, and its own, allow" if asked else "this perception could reach"
    return Plane(figure, f"relative to what {reach}")


TICKS = (0, 0.25, 0.5, 0.75, 1)


def _regions(axes: Axes, of_grounding: str, of_task: str) -> None:
    """The four verdicts, and the borders between them with what they are."""
    for verdict, ((right, up), area, letters) in REGIONS.items():
        left, low, width, height = _box(right, up)
        axes.add_patch(Rectangle((left, low), width, height, color=area, alpha=0.14, lw=0))
        # Words stand where few points do: those of a region gather where it meets the borders.
        place = (left + width / 2, low + height * (0.95 if up else 0.5))
        if verdict == "UNGROUNDED":
            place = (left + 0.24, LEAST - 0.03)
        axes.text(
            *place, verdict.replace(" ", "\n"), ha="center", va="top", fontsize=6.2, fontweight="bold",
            linespacing=1.1, color=letters,
        )  # fmt: skip
    for line in (axes.axhline, axes.axvline):
        line(HIGH, color=INK, lw=0.7, alpha=0.75, zorder=1)
        line(LEAST, color=INK, lw=0.6, ls=(0, (1, 2.5)), alpha=0.75, zorder=1)
    for x, y, words, turned in (
        (LOW + 0.015, HIGH + 0.012, f"high: {HIGH:.2f}{of_task}", False),
        (LEAST - 0.012, LOW + 0.015, f"high: {HIGH:.2f}{of_grounding}", True),
    ):
        axes.text(
            x, y, words, ha="right" if turned else "left", va="bottom", rotation=90 if turned else 0,
            fontsize=6, color=INK, zorder=3,
        )  # fmt: skip


def _box(right: int, up: int) -> tuple[int | float, int | float, int | float, int | float]:
    """Left, bottom, width and height of a region; the strip in which intervals decide belongs to none."""
    left, low = HIGH if right else LOW, HIGH if up else LOW
    return left, low, (EDGE if right else LEAST) - left, (EDGE if up else LEAST) - low


def _bars(
    subjects: Sequence[Outcome], baselines: Sequence[Outcome], ceilings: Sequence[Outcome]
) -> dict[int, Bars]:
    """What counts as high, by seed, as the verdict holds it; seeds whose ceiling decides nothing lack it.

    Where no ceiling is known, as the verdict has it, that of a perception that reads everything.
    """
    ceilings = ceilings or [perfect_ceiling(outcome) for outcome in subjects]
    without = {outcome.seed: outcome for outcome in baselines}
    found = {ceiling.seed: bars(ceiling, without.get(ceiling.seed)) for ceiling in ceilings}
    return {seed: bar for seed, bar in found.items() if bar is not None}


def relative(outcomes: Sequence[Outcome], sets: Mapping[int, Bars]) -> Points:
    """Grounding and task accuracy of each seed that has bars, relative to what could be reached."""
    points = [
        (HIGH * scores.aligned / bar.grounding, HIGH * scores.task / bar.task)
        for outcome in outcomes
        if (scores := _of_both(outcome)) and scores.aligned is not None and (bar := sets.get(outcome.seed))
    ]
    return np.clip(np.array(points, dtype=float).reshape(-1, 2), 0, EDGE - 0.02)


def _of_both(outcome: Outcome) -> Scores | None:
    """The scores of a seed that read images and answered puzzles: what lacks one is no point of the plane."""
    scores = outcome.scores
    return scores if scores and scores.puzzles and scores.aligned is not None else None


def _whiskers(axes: Axes, outcomes: Sequence[Outcome], sets: Mapping[int, Bars]) -> None:
    """The 95 % test-set intervals of each seed, as thin lines."""
    for outcome in outcomes:
        scores, bar = _of_both(outcome), sets.get(outcome.seed)
        if scores is None or scores.aligned is None or bar is None:
            continue
        x, y = HIGH * scores.aligned / bar.grounding, HIGH * scores.task / bar.task
        style: Any = {"color": BLUE, "lw": 0.8, "alpha": 0.45, "zorder": 3}
        if interval := scores.intervals.get("aligned"):
            axes.plot([HIGH * end / bar.grounding for end in interval], [min(y, EDGE - 0.02)] * 2, **style)
        if interval := scores.intervals.get("task"):
            axes.plot([min(x, EDGE - 0.02)] * 2, [HIGH * end / bar.task for end in interval], **style)


def _counts(axes: Axes, points: Points, colour: str) -> None:
    """How many seeds stand in one place, where several do."""
    left = list(points)
    while left:
        first, *others = left
        near = [other for other in others if np.abs(other - first).max() < COINCIDE]
        left = [other for other in others if np.abs(other - first).max() >= COINCIDE]
        if near and len(points) <= MAX_WHISKERS:
            place = np.mean([first, *near], axis=0)
            axes.annotate(
                f"×{len(near) + 1}", place, (5, -9), textcoords="offset points", fontsize=7, color=colour,
                zorder=5,
            )  # fmt: skip


def miniature(
    subjects: Sequence[Outcome], ceilings: Sequence[Outcome], baselines: Sequence[Outcome] = ()
) -> str | None:
    """The plane in the size of a line of text, by hand: thousands of them fit on a page.

    None where there is no point to show.
    """
    points = relative(subjects, _bars(subjects, baselines, ceilings))
    if not len(points):
        return None
    side, span = 44, EDGE - LOW

    def place(x: int | float, y: int | float) -> tuple[float, float]:
        return side * (x - LOW) / span, side * (EDGE - y) / span

    shapes: list[str] = []
    for (right, up), area, _ in REGIONS.values():
        left, low, width, height = _box(right, up)
        x, y = place(left, low + height)
        size = f'width="{side * width / span:.1f}" height="{side * height / span:.1f}"'
        shapes.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{area}" fill-opacity=".45"/>')
    distinct = np.unique(np.round(points, 2), axis=0)
    for point in distinct[:200]:
        x, y = place(*point)
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>')
    frame = f'<svg class="mini" viewBox="0 0 {side} {side}" aria-hidden="true" focusable="false">'
    return f"{frame}{''.join(shapes)}</svg>"  # figures alone, no word of a user
