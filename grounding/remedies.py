"""What to do about a verdict, from all that the same report knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .bars import HIGH
from .diagnosis.cause import Explanation
from .measures.identifiability import Identifiability

Verdict = Literal[
    "GROUNDED", "SHORTCUT", "NOT REASONING", "UNGROUNDED", "LEAKY", "ERROR", "INCONCLUSIVE", "SKIPPED"
]

UNKNOWN: Mapping[Verdict, str] = {  # where nothing else is known
    "GROUNDED": "",
    "SHORTCUT": "See which symbols are exchanged in the confusion matrix, and whether the rules and the "
    "training puzzles tell them apart at all.",
    "NOT REASONING": "Perception is fine: check what the solver does with true symbols (seen=symbols).",
    "UNGROUNDED": "Check the solver's gradient towards its beliefs, then its budget, its learning rate "
    "against perception's, and the interface.",
    "LEAKY": "Take the labels of the givens out of the training loss.",
    "ERROR": "Mend what the message names.",
    "INCONCLUSIVE": "Run more seeds, or a larger budget for the ceiling.",
    "SKIPPED": "Install what is missing, and check again: nothing is known of this solver yet.",
}
TRACEBACK = "See the traceback in the report."
REASONS_ON_SYMBOLS = (
    "The solver reasons on true symbols and perception tells them apart: where raw grounding is below "
    "aligned, the two name the symbols differently; train longer, with a slower perception, or from another "
    "start."
)
FIRST_ON_SYMBOLS = (
    "It answers {on_symbols:.2f} of the puzzles from true symbols: train it on those alone (seen=symbols) "
    "until it learns the rules, before images are added."
)
SOUND_PARTS = (
    "It answers from true symbols, and its gradient checks passed: look at the budget, its learning rate "
    "against perception's, and the interface."
)
BROKEN_GRADIENT = "Mend the gradient first: {ids} did not pass, and perception learns from nothing else."
LEFT_OPEN = (
    "The training puzzles do not tell these symbols apart, so that no training can: more varied puzzles, or "
    "labels for the symbols that are not fixed."
)
REASONS_AND_STOPPED = (
    "The solver reasons on true symbols and perception tells them apart, and training gets no further: "
    "where raw grounding is below aligned, the two name the symbols differently; a slower perception, or "
    "another start."
)
TOLD_APART_AND_STOPPED = (
    "The training puzzles tell all symbols apart, and training gets no further: see which are exchanged in "
    "the confusion matrix, and try a slower perception, or another start."
)
SOUND_AND_STOPPED = (
    "It answers from true symbols, its gradient checks passed, and training gets no further: look at its "
    "learning rate against perception's, and the interface."
)
TOLD_APART = (
    "The training puzzles tell all symbols apart: see which are exchanged in the confusion matrix, and train "
    "longer, with a slower perception, or from another start."
)
BETTER_CEILING = (
    "Let the ceiling read first, as everything is held against it: more epochs or puzzles, another "
    "perception_rate, another image set, or fewer images in a puzzle."
)
BROKEN_CEILING = "See why the ceiling broke: without one, nothing can be held against anything."


@dataclass(frozen=True)
class Evidence:
    """What a report knows beside the verdict of its seeds."""

    on_symbols: float | None = None  # task accuracy on true symbols
    gradients: Mapping[str, str] = field(default_factory=dict)  # status of each gradient check that ran
    identified: Sequence[Identifiability] = ()
    traceback: bool = False  # whether what broke left one
    unfit: bool = False  # whether a ceiling decided nothing
    broken_ceiling: bool = False
    causes: Sequence[Explanation] = ()  # named from what the trials recorded, most likely first
    stopped: bool = False  # whether trials recorded where accuracy was going, and no budget near would do


def remedy(verdict: Verdict, known: Evidence) -> str:
    """One sentence or two; empty where there is nothing to do."""
    symbols = known.on_symbols
    if verdict in ("UNGROUNDED", "NOT REASONING", "SHORTCUT") and known.causes:
        first = known.causes[0]
        return (
            "Perception is fine. " if (verdict, first.cause) == ("NOT REASONING", "solver") else ""
        ) + first.remedy
    failing = [name for name, status in known.gradients.items() if status in ("fail", "error")]
    if verdict in ("UNGROUNDED", "NOT REASONING") and failing:
        return BROKEN_GRADIENT.format(ids=", ".join(failing))
    if verdict in ("UNGROUNDED", "NOT REASONING") and symbols is not None and symbols < HIGH:
        start = "Perception is fine. " if verdict == "NOT REASONING" else ""
        return start + FIRST_ON_SYMBOLS.format(on_symbols=symbols)
    if verdict == "UNGROUNDED" and symbols is not None and "pass" in known.gradients.values():
        return SOUND_AND_STOPPED if known.stopped else SOUND_PARTS
    if verdict == "NOT REASONING" and symbols is not None:
        return REASONS_AND_STOPPED if known.stopped else REASONS_ON_SYMBOLS
    if verdict == "SHORTCUT" and known.identified:
        if all(found.unique for found in known.identified):
            return TOLD_APART_AND_STOPPED if known.stopped else TOLD_APART
        return LEFT_OPEN
    if verdict == "ERROR" and known.traceback:
        return TRACEBACK
    if verdict == "INCONCLUSIVE" and (known.unfit or known.broken_ceiling):
        return BETTER_CEILING if known.unfit else BROKEN_CEILING
    return UNKNOWN[verdict]
