"""A suite on its way: a live table in a terminal, plain lines in a log."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..checks.finding import Finding
from ..measures.counts import count_of
from ..suite.estimate import Estimate
from ..suite.suite import Listener
from ..trials.roles import ROLES, label_of
from ..trials.trial import Outcome, Role, Trial


@dataclass
class Row:
    """One task in the live table: trials that ended and that are under way or waiting, by role."""

    ended: dict[Role, list[Outcome]] = field(default_factory=dict)
    planned: dict[Role, int] = field(default_factory=dict)


@dataclass
class Progress:
    """What has been heard so far. Times are of this clock, in seconds."""

    started: float = field(default_factory=time.monotonic)
    estimated: Estimate | None = None
    wave_started: float = 0.0
    waves: int = 0
    wave_size: int = 0
    wave_ended: int = 0
    checks: dict[str, int] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    def wave(self, trials: Sequence[Trial]) -> None:
        """Trials that a task asks for, which are about to run, or do."""
        waiting = self.wave_size - self.wave_ended  # of another task
        self.wave_started, self.wave_size, self.wave_ended = time.monotonic(), waiting + len(trials), 0
        self.waves += 1
        for trial in trials:
            row = self.rows.setdefault(trial.task_label, Row())
            row.planned[trial.role] = row.planned.get(trial.role, 0) + 1

    def outcome(self, outcome: Outcome) -> None:
        """A trial that ended."""
        self.wave_ended += 1
        row = self.rows.setdefault(outcome.task, Row())
        row.ended.setdefault(outcome.role, []).append(outcome)

    def finding(self, finding: Finding) -> None:
        """A check that ended."""
        self.checks[finding.status] = self.checks.get(finding.status, 0) + 1

    def estimate(self, found: Estimate) -> None:
        """How long it will take."""
        self.estimated = found

    def remaining(self, now: float) -> float | None:
        """Seconds until the planned trials have ended, at their pace so far.

        Before the first it is what was estimated for the first of them, None without an estimate.
        """
        if not self.wave_ended:
            if self.estimated is None or self.waves > 1:
                return None
            return max(0.0, self.estimated.wave - (now - self.wave_started))
        return (now - self.wave_started) / self.wave_ended * (self.wave_size - self.wave_ended)

    def table(self) -> Group:
        """As it stands now."""
        now = time.monotonic()
        message = [f"{clock(now - self.started)} elapsed"]
        if waiting := self.wave_size - self.wave_ended:
            left = self.remaining(now)
            trials = count_of(waiting, "trial")
            message.append(f"{trials} to run" if left is None else f"about {clock(left)} left for {trials}")
        counts = ", ".join(f"{count} {status}" for status, count in self.checks.items())
        message.append(f"checks: {counts or 'none yet'}")
        line = Text("; ".join(message))
        if not self.rows:
            return Group(line)
        table = Table(caption="latest task accuracy, trials ended of those planned", caption_justify="left")
        table.add_column("task")
        for role in ROLES:
            table.add_column(role.heading, justify="right")
        for name, row in self.rows.items():
            table.add_row(escape(name), *(self._cell(row, role.name) for role in ROLES))
        return Group(table, line)

    @staticmethod
    def _cell(row: Row, role: Role) -> str:
        planned, ended = row.planned.get(role, 0), row.ended.get(role, [])
        if not planned:
            return "–"
        figure = next((f"{o.scores.task:.2f} " for o in reversed(ended) if o.scores), "")
        broken = sum(o.error is not None for o in ended)
        return f"{figure}[dim]{len(ended)}/{planned}[/]" + (f" [red]{broken} broke[/]" if broken else "")


@contextmanager
def follow_suite(
    console: Console,
    *,
    quiet: bool = False,
    verbose: bool = False,
    printed: Callable[[Path], None] = lambda _: None,
) -> Generator[Listener]:
    """A listener that shows what it hears: nothing when quiet; checks that pass only when verbose.

    Args:
        console: Where to.
        quiet: Whether nothing is shown.
        verbose: Whether each check gets a line.
        printed: Hears where what a solver printed is kept, if it broke.
    """
    if quiet:
        yield Listener(printed=printed)
        return
    progress = Progress()
    if not console.is_terminal or verbose:
        yield replace(_lines(console, progress, verbose=verbose), printed=printed)
        return
    with Live(get_renderable=progress.table, console=console, refresh_per_second=2, transient=True):
        yield Listener(progress.finding, progress.wave, progress.outcome, progress.estimate, printed)


def _lines(console: Console, progress: Progress, *, verbose: bool) -> Listener:
    def tell(line: str) -> None:
        elapsed = clock(time.monotonic() - progress.started)
        console.print(f"{elapsed} {line}", highlight=False, markup=False, soft_wrap=True)

    def finding(found: Finding) -> None:
        progress.finding(found)
        if verbose:
            tell(f"{found.id}: {found.status}: {found.reason}")
        elif found.status in ("fail", "error"):
            tell(f"{found.id}: {found.status}")

    def wave(trials: Sequence[Trial]) -> None:
        progress.wave(trials)
        ended = count_of(sum(progress.checks.values()), "check")
        tell(f"{ended} ended; {count_of(len(trials), 'trial')} to run")

    def outcome(ended: Outcome) -> None:
        progress.outcome(ended)
        figures = "broke"
        if scores := ended.scores:
            aligned = "" if scores.aligned is None else f", aligned grounding {scores.aligned:.2f}"
            figures = f"task {scores.task:.2f}{aligned}"
        left = progress.remaining(time.monotonic())
        eta = f", about {clock(left)} left" if left else ""
        what = label_of(ended)
        tell(f"  {what}: {figures} ({ended.seconds:.0f} s{eta})")

    def estimate(found: Estimate) -> None:
        progress.estimate(found)
        tell(f"estimated: {estimated(found)}")

    def begun(tasks: Sequence[str]) -> None:
        tell(f"checking {', '.join(tasks)}")

    return Listener(finding, wave, outcome, estimate, begun=begun)


def estimated(found: Estimate) -> str:
    """How long a run will take, in words."""
    at_once = f"{found.workers} trials at a time" if found.workers > 1 else "one trial at a time"
    first = f"about {clock(found.wave)} for {count_of(found.seeds, 'seed')}"
    if found.at_most > found.seeds:
        return f"{first}, which may decide, at most {clock(found.whole)} for {found.at_most} ({at_once})"
    return f"{first} ({at_once})"


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours from the first on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
