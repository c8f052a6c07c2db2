"""What ran, what did not and why, and which failures were expected: a green report must mean something."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.errors import UnknownNameError, UsageError
from ..checks.finding import Finding, join_id
from ..checks.names import check_ids, suggest
from ..measures.counts import count_of

RAN = ("pass", "fail", "inconclusive")
MIN_SHARE_RAN = 0.25  # of the checks that were collected; below, too little ran for a verdict


@dataclass(frozen=True)
class Accounting:
    """The checks of a suite, counted; every one that was collected is in exactly one of the counts."""

    collected: int
    ran: int
    errors: int
    skipped: dict[str, int]  # by reason
    expected: tuple[str, ...]  # ids that failed or broke, as was expected
    unexpected: tuple[str, ...]  # ids that failed or broke
    passed_though_expected: tuple[str, ...]
    unmatched: tuple[str, ...]  # expectations that no check answers to

    @property
    def too_few(self) -> bool:
        """Whether so little ran that nothing can be concluded."""
        return self.ran == 0 or self.ran < MIN_SHARE_RAN * self.collected

    @property
    def warnings(self) -> list[str]:
        """What a list of expected failures got wrong."""
        found = [f"--expect: no check is called {name}" for name in self.unmatched]
        found += [f"--expect: {name} did not fail" for name in self.passed_though_expected]
        return found

    @property
    def sentence(self) -> str:
        """For the closing line."""
        skipped = sum(self.skipped.values())
        parts = [f"{count_of(self.collected, 'check')} collected, {self.ran} ran, {skipped} skipped"]
        if self.errors:
            parts.append(f"{self.errors} broke")
        if self.expected:
            parts.append(f"{len(self.expected)} failed as expected")
        return ", ".join(parts)


def account(findings: Sequence[Finding], expect: Sequence[str] = ()) -> Accounting:
    """Counts findings; `expect` are ids of checks that are expected to fail, * stands for anything."""
    statuses = Counter(finding.status for finding in findings)
    bad = [f.id for f in findings if f.status in ("fail", "error")]
    foreseen = [name for name in bad if any(_matches(name, pattern) for pattern in expect)]
    unmatched = [p for p in expect if not any(_matches(f.id, p) for f in findings)]
    passed = [p for p in expect if p not in unmatched and not any(_matches(name, p) for name in foreseen)]
    return Accounting(
        collected=len(findings),
        ran=sum(statuses[status] for status in RAN),
        errors=statuses["error"],
        skipped=dict(Counter(f.reason for f in findings if f.status == "skip")),
        expected=tuple(foreseen),
        unexpected=tuple(name for name in bad if name not in foreseen),
        passed_though_expected=tuple(passed),
        unmatched=tuple(unmatched),
    )


def _matches(id_: str, pattern: str) -> bool:
    """Whether a pattern stands for an id: * is anything, every other character (brackets too) itself."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), id_, re.DOTALL) is not None


def require_known(expect: Sequence[str], tasks: Sequence[str]) -> None:
    """Raises `UnknownNameError` for an expectation that no check on these tasks can answer to.

    Args:
        expect: Ids of checks that are expected to fail, * stands for anything.
        tasks: What the tasks are called.
    """
    known = [join_id(check, task) for task in tasks for check in check_ids()]
    for pattern in expect:
        if not any(_matches(id_, pattern) for id_ in known):
            raise UnknownNameError(
                f"--expect {pattern!r} names no check of this run: {suggest(pattern, known)}"
            )


def read_expected(path: Path) -> list[str]:
    """Ids of checks that are expected to fail: one per line, # begins a comment, * stands for anything."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a list of expected failures: {error}") from error
    return [name for line in lines if (name := line.partition("#")[0].strip())]
