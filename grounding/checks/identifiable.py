"""What the count of relabellings says of a task, as a finding."""

from collections.abc import Sequence

from ...datasets.task import Puzzles, Task
from ..measures.identifiability import Identifiability, count_relabellings
from .finding import Finding
from .registry import Check, Result


def check_relabellings(task: Task, puzzles: Puzzles) -> tuple[Finding, Identifiability | None]:
    """The finding `identifiable/TASK` on the training puzzles of one seed, and what it rests on."""
    counted: list[Identifiability] = []

    def examine(subject: tuple[Task, Puzzles]) -> Result:
        counted.append(count_relabellings(*subject))
        return check_identifiable(counted)

    if not (puzzles.picture >= 0).any():
        return Finding(f"identifiable/{task.name}", "skip", "no symbol is shown as an image"), None
    finding = Check("identifiable", examine).run((task, puzzles), task.name)
    return finding, counted[0] if counted else None


def check_identifiable(seeds: Sequence[Identifiability]) -> Result:
    """How many relabellings of the symbols satisfy the rules on every training puzzle; the figure is their
    number, the identity included. Every seed trains on puzzles of its own; told is the one with most.

    If there are others, training end to end cannot prefer the true symbols, even with the rules given and
    every answer right: each is a reasoning shortcut. Raw grounding accuracy is then asked for only as far as
    the puzzles of that seed determine it: an image may be read as any symbol that a consistent relabelling
    reads it as.

    Failure: this check fails no solver; it tells what follows for the verdict. It is inconclusive where more
    than 20,000 relabellings fit, up to symmetry.

    Remedy: More varied puzzles, or labels for the symbols that are not fixed.

    Source: Marconato et al. 2023, arXiv:2305.19951; rsbench, Bortolotti et al. 2024, arXiv:2406.10368.
    """
    most = max(seeds, key=lambda found: (not found.complete, found.count))
    least = min(found.count for found in seeds)
    message = most.sentence
    if least < most.count:
        message += f"; on those of another of {len(seeds)} seeds {least:,} do"
    elif len(seeds) > 1:
        message += f", on each of {len(seeds)} seeds"
    complete = all(found.complete for found in seeds)
    return Result("pass" if complete else "inconclusive", message, float(most.count), 1.0)
