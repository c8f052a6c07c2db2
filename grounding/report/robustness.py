"""What is told of a network beyond its test set: a table to quote, curves over rates, risk over coverage, and
how sure whole answers are.
"""

from collections.abc import Iterable, Iterator, Sequence

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..checks.robust import BeyondSeeds
from ..measures.abstention import Selective, pooled_error
from ..measures.report_samples import pool_calibrations
from ..measures.robustness import RATES, SUITES, SuiteVerdict
from ..measures.statistics import wilson_interval
from ..trials.trial import Outcome
from .canvas import BLUE, GREY, INK, ORANGE, TEAL, canvas, legend_above
from .plots import FEWEST_IMAGES


def verdicts(outcomes: Sequence[Outcome]) -> list[SuiteVerdict]:
    """The suites that ran on the networks of a task, in their order."""
    subject = BeyondSeeds(outcomes)
    if not subject.conditions("grounding"):
        return []
    return [found for suite in SUITES if (found := subject.suite(suite)) is not None]


def print_robustness(outcomes: Sequence[Outcome], console: Console) -> None:
    """A row per suite: what is answered at each rate, and at the highest what it is held against."""
    found = verdicts(outcomes)
    if not found:
        return
    boards = found[0].rates[0].boards
    table = Table(
        title=f"share of {boards} boards answered right, by share of corrupted givens", title_justify="left",
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("suite", no_wrap=True)
    for rate in RATES:
        table.add_column(f"{rate:g}", justify="right")
    for heading in ("without logic", "exact", "cascade"):
        table.add_column(f"{heading} at {RATES[-1]:g}", justify="right")
    table.add_column("verdict", no_wrap=True)
    for row in rows(found):
        table.add_row(*row)
    console.print(table)


def rows(found: Sequence[SuiteVerdict]) -> list[list[str]]:
    """The cells of that table."""
    return [
        [
            one.suite,
            *(f"{rate.solver:.2f}" for rate in one.rates),
            *(
                _share(value)
                for value in (one.rates[-1].baseline, one.rates[-1].exact, one.rates[-1].cascade)
            ),
            one.verdict + (f" (at {one.breaks:g})" if one.breaks is not None else ""),
        ]
        for one in found
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def curves_of(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str, str, Figure]]:
    """What is drawn of a task: name, title, a few words, figure."""
    for found in verdicts(outcomes):
        yield f"robust-{found.suite}", f"Robust: {found.suite}", found.verdict, draw_suite(found)
    subject = BeyondSeeds(outcomes)
    if (drawn := draw_coverage(subject)) is not None:
        yield "coverage", "Risk by coverage", "a line per seed, the surest boards first", drawn
    if (drawn := draw_reliability(subject)) is not None:
        yield "reliability", "Whole answers, how sure and how right", _errors(subject), drawn


def draw_suite(found: SuiteVerdict) -> Figure:
    """The share of boards answered right over the rates, a band of 95 %, and what it is held against."""
    rates = [rate.rate for rate in found.rates]
    with canvas() as (figure, axes):
        bands = [wilson_interval(rate.solver * rate.boards, rate.boards) for rate in found.rates]
        low, high = ([band[end] for band in bands] for end in (0, 1))
        axes.fill_between(rates, low, high, color=BLUE, alpha=0.2, lw=0)
        axes.plot(rates, [rate.solver for rate in found.rates], "o-", ms=4, color=BLUE, lw=2, label="solver")
        beside: Iterable[tuple[str, str, str, list[float | None]]] = (
            ("without logic", GREY, "s", [rate.baseline for rate in found.rates]),
            ("exact rules", ORANGE, "^", [rate.exact for rate in found.rates]),
            ("cascade", TEAL, "x", [rate.cascade for rate in found.rates]),
        )
        for label, colour, marker, values in beside:
            known = [value for value in values if value is not None]
            if len(known) == len(rates):
                axes.plot(rates, known, marker=marker, ms=4, color=colour, lw=1.2, label=label)
        axes.set(ylim=(-0.02, 1.02), xlabel="share of givens corrupted", ylabel="boards answered right")
        axes.set_xticks(rates)
        legend_above(axes)
        return figure


def draw_coverage(subject: BeyondSeeds) -> Figure | None:
    """Wrong answers among the surest boards, of the test set and corrupted; None: none asked."""
    with canvas() as (figure, axes):
        seen = False
        for label, colour, seeds in _parts(subject):
            curves = [one.curve for one in seeds if one.curve]
            for number, curve in enumerate(curves):
                coverage, risk = zip(*curve, strict=True)
                axes.plot(coverage, risk, color=colour, lw=1.4, label=None if number else label)
            seen |= bool(curves)
        if not seen:
            return None
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="coverage", ylabel="wrong among those covered")
        legend_above(axes)
        return figure


def draw_reliability(subject: BeyondSeeds) -> Figure | None:
    """How many answers are right against how sure the solver is of them, over all seeds, with Wilson's 95 %.

    An answer is as sure as its least sure query. Bins of fewer than `FEWEST_IMAGES` boards are left out; None
    where no bin is left.
    """
    with canvas() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=":", label="as sure as right")
        seen = False
        for label, colour, seeds in _parts(subject):
            known = [one.calibration for one in seeds if one.calibration is not None]
            if not known:
                continue
            pooled = pool_calibrations(known)
            bins = [
                (sure, right, *wilson_interval(right * boards, boards))
                for boards, sure, right in zip(pooled.images, pooled.confidence, pooled.accuracy, strict=True)
                if sure is not None and right is not None and boards >= FEWEST_IMAGES
            ]
            if not bins:
                continue
            sure, right, low, high = zip(*bins, strict=True)
            axes.vlines(sure, low, high, color=colour, lw=1.2, alpha=0.6)
            axes.plot(sure, right, "o-", ms=4.5, lw=1.6, color=colour, label=label)
            seen = True
        if not seen:
            return None
        axes.set(
            xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="sure of the answer", ylabel="boards answered right"
        )
        legend_above(axes)
        return figure


def _errors(subject: BeyondSeeds) -> str:
    """Expected calibration errors, each with its interval."""
    told = [
        f"{error:.2f} ({low:.2f} to {high:.2f}) on {'corrupted boards' if label == 'corrupted' else label}"
        for label, _, seeds in _parts(subject)
        if (found := pooled_error(seeds)) is not None
        for error, (low, high) in [found]
    ]
    few = any(
        0 < boards < FEWEST_IMAGES
        for *_, seeds in _parts(subject)
        if (known := [one.calibration for one in seeds if one.calibration is not None])
        for boards in pool_calibrations(known).images
    )
    left = f"; bins of under {FEWEST_IMAGES} boards left out" if few else ""
    return f"expected calibration error {', '.join(told)}{left}"


def _parts(subject: BeyondSeeds) -> Iterator[tuple[str, str, list[Selective]]]:
    """The boards that a solver may leave unanswered: what they are called, their colour, and every seed's."""
    asked = subject.of()
    yield "test puzzles", BLUE, [found.clean for found in asked if found.clean is not None]
    yield "corrupted", ORANGE, [found.corrupted for found in asked if found.corrupted is not None]


def table_of(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """The table with its headings, for pages; empty where nothing was asked."""
    found = verdicts(outcomes)
    if not found:
        return []
    beside = (f"{heading} at {RATES[-1]:g}" for heading in ("without logic", "exact", "cascade"))
    return [["suite", *(f"{rate:g}" for rate in RATES), *beside, "verdict"], *rows(found)]


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table as Markdown, for who quotes it; empty where nothing was asked."""
    lines = table_of(outcomes)
    if not lines:
        return ""
    ruled = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled) + "\n"


def print_alone(outcome: Outcome, console: Console) -> None:
    """What a single trial shows beyond its test set, in lines; nothing where nothing was asked."""
    found = outcome.beyond
    if found is None:
        return
    if found.ood is not None:
        read = "" if found.ood.aligned is None else f", aligned {found.ood.aligned:.3f}"
        console.print(f"ood: task accuracy {found.ood.task:.3f}{read}", highlight=False)
    for name, part in (("test puzzles", found.clean), ("corrupted boards", found.corrupted)):
        if part is not None:
            risks = [f"{c} % {risk:.2f}" for c, risk in part.risk.items() if risk is not None]
            told = f"; wrong among the surest {', '.join(risks)}" if risks else ""
            console.print(
                f"{name}: {part.silent} of {part.boards} silent, {part.wrong} wrong, {part.sure_wrong} wrong "
                f"and sure{told}", highlight=False,
            )  # fmt: skip
    if found.correction is not None:
        one = found.correction
        console.print(
            f"{one.wrong} wrong on each of {one.boards} boards: found {one.found:.2f}, corrected "
            f"{one.corrected:.2f}, answered {one.answered:.2f}", highlight=False,
        )  # fmt: skip
    print_robustness([outcome], console)
