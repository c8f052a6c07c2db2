"""Every check there is, and the page that explains them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .audit import AUDIT
from .bypass import bypass
from .contract.contract import contract
from .identifiable import check_identifiable
from .leak import leak
from .registry import Check, explain
from .trained import TRAINED

PER_TASK = {"grounding", "reasoning", "baseline", "ceiling", "identifiable"}  # named family/TASK


def every_check() -> Iterator[Check[Any]]:
    """In the order in which a suite runs them; those of an audit last."""
    yield from contract.checks
    yield from leak.checks
    yield Check("identifiable", check_identifiable)
    yield from TRAINED
    yield from bypass.checks
    yield from AUDIT


def page() -> str:
    """docs/checks.md, from the docstrings."""
    lines = [
        "# Checks",
        "",
        "What each check shows, how to read its failure, and what to do. A check's id is followed by the "
        "task it ran on: `contract/shape/sudoku`. This page is written by "
        "`python -m groundcheck.grounding.checks.catalogue docs/checks.md` from the docstrings.",
    ]
    for check in every_check():
        text = explain(check.examine)
        name = f"{check.id}/TASK" if check.id in PER_TASK else check.id
        lines += ["", f"## {name}", "", text.shows]
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
