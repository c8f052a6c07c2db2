"""What an experiment will take, in a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..experiments.duration import told_duration
from ..experiments.expected import Expected, Source
from ..experiments.plan import Plan, Planned
from ..measures.counts import count_of
from ..trials.roles import ROLE_NAMES
from .grid import MAX_ROWS, word

PROCESSES = 2  # of a trial that runs: one trains, and one scores


def print_plan(plan: Plan, cells: Sequence[Planned], console: Console) -> None:
    """Prints the cells of an experiment, the first of them.

    Args:
        plan: The experiment.
        cells: Those that are shown.
        console: Where to.
    """
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("cell", justify="right", no_wrap=True)
    for axis in plan.axes:
        table.add_column(escape(axis), overflow="fold")
    table.add_column("trials", justify="right", no_wrap=True)
    least, most = plan.seeds
    for planned in cells[:MAX_ROWS]:
        roles = 0 if planned.lacking else len(planned.cell.roles)
        values = [escape(word(planned.cell.varied[axis])) for axis in plan.axes]
        table.add_row(str(planned.cell.number), *values, _between(roles * least, roles * most))
    console.print(table)
    for lacking in dict.fromkeys(planned.lacking for planned in cells if planned.lacking):
        names = dict.fromkeys(planned.cell.solver for planned in cells if planned.lacking == lacking)
        told = f"{', '.join(names)} {lacking}: these cells are skipped"
        console.print(told, style="yellow", highlight=False, markup=False, soft_wrap=True)
    if len(plan) > len(cells[:MAX_ROWS]):
        more = count_of(len(plan) - len(cells[:MAX_ROWS]), "cell")
        console.print(f"[dim]and {more} more[/]", highlight=False)


def print_expected(expected: Expected, at_once: int, console: Console) -> None:
    """Prints counts, time and memory, and what they rest on.

    Args:
        expected: What was counted and estimated.
        at_once: How many trials run at a time.
        console: Where to.
    """
    for line in expected_lines(expected, at_once):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def expected_lines(expected: Expected, at_once: int) -> list[str]:
    """The same as lines of text."""
    roles = ", ".join(
        f"{role} {_between(*expected.trials[role])}" for role in ROLE_NAMES if role in expected.trials
    )
    total = f"{_between(expected.least, expected.most)} trials"
    cells = f"{expected.cells:,} cell{'s' if expected.cells != 1 else ''}"
    lines = [f"{cells}, {total}: {roles}"]
    if expected.sampled is not None:
        lines[0] += f" (from {count_of(expected.sampled, 'cell')} looked at, spread over all)"
    if expected.kept:
        lines.append(f"{count_of(expected.kept, 'trial')} of these ran before, and need not run again")
    lines.append(_time(expected, at_once))
    lines.append(_memory(expected, at_once))
    return lines


def _time(expected: Expected, at_once: int) -> str:
    lasting = expected.lasting(at_once)
    if lasting is None:
        return "time: not known: no trial ran before, and no step could be timed"
    if not any(lasting):
        return "time: nothing is left to run"
    least, most = (told_duration(seconds) for seconds in lasting)
    between = f"about {least}" if least == most else f"about {least} to {most}"
    kinds: dict[Source, str] = {
        "measured": "measured on trials that ran before",
        "timed": "by a few timed steps",
        "unknown": "not known, and taken for the mean of their role",
    }
    rests = ", ".join(
        f"{expected.sources[source]} {words}"
        for source, words in kinds.items()
        if expected.sources.get(source)
    )
    return f"time: {between}, {_at_a_time(at_once)}, checks not counted; kinds of trials: {rests}"


def _memory(expected: Expected, at_once: int) -> str:
    if expected.memory is None:
        return "memory: not known: no step could be timed in a process of its own"
    each = expected.memory / 2**30
    processes = PROCESSES * max(1, at_once)
    return (
        f"memory: up to {each:.2f} GiB a process at the peak of a few steps, {each * processes:.1f} GiB "
        f"for {processes} processes ({_at_a_time(at_once)}, each trained by one and scored by another)"
    )


def _at_a_time(at_once: int) -> str:
    return f"{at_once} trials at a time" if at_once > 1 else "one trial at a time"


def _between(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
