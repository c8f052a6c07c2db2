"""What the count of relabellings says of a task, as a finding."""

from collections.abc import Sequence
from dataclasses import replace

from ...datasets.task import Puzzles, Task
from ..measures.identifiability import Identifiability, count_relabellings
from .finding import Finding
from .registry import Registry, Result

identifiable: Registry[Sequence[Identifiability]] = Registry("", place=60)


def check_relabellings(
    task: Task, puzzles: Puzzles, label: str | None = None
) -> tuple[Finding, Identifiability | None]:
    """The finding `identifiable` on the training puzzles of one seed, and what it rests on.

    `label` is what the task is called beside others of its name.
    """
    [check], label = identifiable.checks, label or task.name
    if not (puzzles.picture >= 0).any():
        return Finding(check.id, "skip", "no symbol is shown as an image", task=label), None
    counted: list[Identifiability] = []

    def examine(_: Sequence[Identifiability]) -> Result:
        counted.append(count_relabellings(task, puzzles))
        return check_identifiable(counted)

    finding = replace(check, examine=examine).run((), label)
    return finding, counted[0] if counted else None


@identifiable.check("identifiable", decides=True)
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
