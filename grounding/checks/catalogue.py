"""Every check there is, and the page that explains them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .abstain import abstain
from .audit import audit_checks
from .beyond import beyond
from .bypass import bypass
from .contract.contract import contract
from .identifiable import identifiable
from .joint import joint
from .leak import leak
from .perception import perception
from .registry import Check, explain
from .robust import robust
from .trained import trained


def every_check() -> Iterator[Check[Any]]:
    """In the order in which a suite runs them; those of an audit last."""
    yield from contract.checks
    yield from perception.checks
    yield from leak.checks
    yield from identifiable.checks
    yield from joint.checks
    yield from trained.checks
    yield from bypass.checks
    yield from beyond.checks
    yield from robust.checks
    yield from abstain.checks
    yield from audit_checks.checks


def page() -> str:
    """docs/checks.md, from the docstrings."""
    lines = [
        "# Checks",
        "",
        "What each check shows, how to read its failure, and what to do. A check's id is followed by the "
        "task it ran on: `contract/shape/sudoku`. This page is written by "
        "`python -m groundcheck.grounding.checks.catalogue docs/checks.md` from the docstrings.",
        "",
        "A check sees what a solver does when it is called, in the process that calls it. A solver that "
        "walks the stack or the garbage collector to labels, inverts the seed, or replaces functions of "
        "the suite is malice that a test in one process cannot exclude. Scoring therefore runs in a "
        "process that never ran the solver's code, and hears of it in arrays only; what stays open is in "
        "[limits](limits.md).",
    ]
    for check in every_check():
        text = explain(check.examine)
        lines += ["", f"## {check.id}", "", text.shows]
        if check.criterion:
            lines += ["", f"**Passes where** the figure is {check.criterion.words}."]
        for heading, part in (
            ("Reading its failure", text.failure),
            ("What to do", text.remedy),
            ("Source", text.source),
        ):
            if part:
                lines += ["", f"**{heading}.** {part[0].upper()}{part[1:]}"]
        if check.needs:
            lines += ["", f"Runs only where these passed: {', '.join(f'`{need}`' for need in check.needs)}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    Path(sys.argv[1]).write_text(page())
