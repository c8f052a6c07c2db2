"""What the count of readings and rules together says of a task whose rules are learned, as a finding."""

from dataclasses import replace

from ...datasets.task import Puzzles
from ..measures.joint_shortcuts import JointShortcuts, count_joint_shortcuts
from .finding import Finding
from .registry import Registry, Result, SkipCheckError

MAX_PUZZLES = 1_000  # different ones: pairs of them are looked at

joint: Registry[JointShortcuts | None] = Registry("", place=61)


def check_joint(puzzles: Puzzles, symbols: int, label: str) -> Finding:
    """The finding `joint-shortcuts` on training puzzles; `label` is what the task is called."""
    [check] = joint.checks

    def examine(_: JointShortcuts | None) -> Result:
        return check_joint_shortcuts(count_joint_shortcuts(puzzles[:MAX_PUZZLES], symbols))

    return replace(check, examine=examine).run(None, label)


@joint.check("joint-shortcuts", decides=True)
def check_joint_shortcuts(found: JointShortcuts | None) -> Result:
    """How many readings fit the training puzzles with other rules, for who learns them; the figure is
    in how many ways symbols can be merged, none among them.

    `identifiable` counts under the true rules. Whoever learns them may merge symbols and learn rules that
    fit: of such a pair training cannot tell either from the truth, and aligned grounding cannot be asked for.
        Rules are any
    table from what is read to the answer, the widest class, so that for a solver of a narrower one the figure
    is an upper bound. Counted by SAT on the first thousand training puzzles of seed 0; asked with `--robust`,
    of solvers that learn their rules, where all puzzles show the same variables.

    Failure: this check fails no solver; it tells what may be asked of it. Inconclusive above 20,000.

    Remedy: More varied puzzles: such as have different answers and differ in merged symbols alone.

    Source: Marconato et al. 2023, arXiv:2305.19951, whose shortcuts these are, for learned rules.
    """
    if found is None:
        raise SkipCheckError("its puzzles show other variables each, by which a table could go")
    return Result("pass" if found.complete else "inconclusive", found.sentence, float(found.partitions), 1.0)
