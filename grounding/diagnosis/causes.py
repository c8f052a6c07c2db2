"""The list of causes, and what is named of a subject: most likely first, consequences behind their causes.

To add one: a function `Subject -> Sign | None` in a file of this folder, an entry here, and two solvers among
the controls (tests/controls/causes.py): one built to show it, one built to look like it.
"""

from dataclasses import replace

from . import code, gradient, learning
from .cause import NAMED, Cause, Explanation
from .subject import Subject

HEARD = {"gradient": "norm of the gradient"}
CODE = {"aligned": "aligned grounding", "spread": "spread of the code", "symbols_used": "symbols in use"}

CAUSES: tuple[Cause, ...] = (
    Cause(
        "gradient-wrong", "the gradient is wrong", gradient.wrong,
        "Mend the gradient first: perception learns from nothing else.",
        "groundcheck check SOLVER --contract, after the gradient was mended: if it passes and the verdict "
        "stays, the gradient was not it.",
        drawn=HEARD,
    ),
    Cause(
        "seeds", "it depends on the seed: two modes", learning.two_modes,
        "Compare a seed that grounds with one that does not; a start that all seeds share "
        "(pretraining=clusters) takes the lot out of it.",
        "More seeds: if those between the modes fill up, it is a spread and no two modes.",
        follows=("gradient-wrong", "budget"),
        drawn={"aligned": "aligned grounding"},
    ),
    Cause(
        "gradient-vanishes", "no gradient reaches perception", gradient.vanished,
        "Let the gradient through: look for detached beliefs, an argmax, gradients switched off, or outputs "
        "that are saturated.",
        "The same trial with the loss multiplied by 1000: if perception learns no more than before, it is no "
        "matter of size.",
        follows=("gradient-wrong", "gradient-explodes"),
        drawn=HEARD | {"no_gradient": "steps without a gradient"},
    ),
    Cause(
        "gradient-explodes", "the gradient explodes", gradient.exploded,
        "Keep divisions and logarithms away from 0, or clip the gradient in the solver.",
        "The same trial at a tenth of both rates (--set perception_rate=… --set solver_rate=…): if as many "
        "steps are lost, look at the solver's arithmetic.",
        follows=("gradient-wrong",),
        drawn={"largest_norm": "largest step", "norm": "usual step", "skipped": "steps left out"},
    ),
    Cause(
        "solver", "the solver does not learn the rule, from true symbols either", learning.cannot_reason,
        "Train the solver on true symbols alone (seen=symbols) until it learns the rules, before images are "
        "added.",
        "groundcheck check SOLVER --task TASK --set seen=symbols with more epochs: if it then answers, the "
        "budget was it.",
        drawn={"task": "task accuracy", "loss": "training loss"},
    ),
    Cause(
        "undetermined", "the rules leave symbols undetermined", learning.undetermined,
        "The training puzzles do not tell these symbols apart, so that no training can: more varied "
        "puzzles, or labels for the symbols that are not fixed.",
        "The same trial with four times as many puzzles (--set puzzles=…): if the number of relabellings "
        "stays and the readings change, it was not it.",
        drawn={"raw": "raw grounding", "aligned": "aligned grounding"},
    ),
    Cause(
        "naming", "perception and solver name the symbols differently", code.misnamed,
        "Find where symbols are renumbered between perception and solver: the ones that are swapped are "
        "named above.",
        "The solver on true symbols (seen=symbols): if it answers them under the names that perception uses, "
        "it is not the solver that renames.",
        follows=("gradient-wrong",),
        drawn={"raw": "raw grounding", "aligned": "aligned grounding"},
    ),
    Cause(
        "saturated", "perception was certain before it had learned anything", code.saturated_early,
        "Keep perception uncertain at first: a lower perception_rate, or no reward for certainty before the "
        "solver has learned.",
        "The same trial at a tenth of the rate (--set perception_rate=…): if it is certain as early, or "
        "reads no more, that is not it.",
        follows=("gradient-wrong", "gradient-explodes", "too-fast"),
        drawn={"saturated": "certain beliefs", "aligned": "aligned grounding"},
    ),
    Cause(
        "too-slow", "perception is too slow for the solver", learning.too_slow,
        "A higher perception_rate, or more steps.",
        "The same trial at ten times the rate (--set perception_rate=…): if perception stays undecided, "
        "that is not it.",
        follows=("gradient-vanishes",),
        drawn={"confidence": "entropy of a belief", "perception_update": "step of perception"},
    ),
    Cause(
        "orthogonal", "the gradient does not point towards the symbols", gradient.orthogonal,
        "See what the loss rewards beside the symbols; a surrogate gradient has to agree with the loss in "
        "direction.",
        "A trial with larger batches: if the cosine with training by labels rises, it was noise.",
        follows=("gradient-wrong", "gradient-vanishes", "gradient-explodes", "solver", "saturated", "spread",
                 "too-slow", "naming", "undetermined", "budget"),
        drawn={"supervised": "cosine with labels", "consistency": "cosine of batches"},
    ),
    Cause(
        "spread", "a code spread over symbols instead of a symbol", code.spread,
        "Make the code a symbol once the solver answers: a penalty on the entropy of a belief and on "
        "unbalanced use of the symbols, which comes late.",
        "The same trial with every belief rounded to its largest entry on the way into the solver: if as "
        "many puzzles are answered, the code is not spread.",
        drawn=CODE,
    ),
    Cause(
        "too-fast", "perception is too fast for the solver", learning.too_fast,
        "A perception_rate of a third, or a warm-up of the solver: perception settled before the solver knew "
        "the rule.",
        "The same trial at a third of the rate (--set perception_rate=…): if as many symbols merge, that is "
        "not it.",
        follows=("gradient-wrong", "naming", "undetermined"),
        drawn={"confidence": "entropy of a belief", "task": "task accuracy"},
    ),
    Cause(
        "collapsed", "perception collapsed onto fewer symbols", code.collapsed,
        "Keep the symbols apart while the solver learns: a slower perception, a penalty on unbalanced use of "
        "the symbols, or, where it does not, a perception that starts from clusters (pretraining=clusters).",
        "The same trial with --set pretraining=clusters, which starts with every symbol in use: if they "
        "merge again, the solver merges them.",
        follows=("gradient-wrong", "gradient-vanishes", "gradient-explodes", "solver", "undetermined",
                 "saturated", "orthogonal", "too-fast", "too-slow"),
        drawn=CODE,
    ),
    Cause(
        "budget", "the budget is too small", learning.too_little,
        "Train longer: accuracy was still rising when the budget was spent.",
        "The same trial with as many epochs as are named: if it reads no more, the budget was not it.",
        follows=("gradient-vanishes", "solver", "too-slow"),
        drawn={"loss": "training loss", "aligned": "aligned grounding"},
    ),
)  # fmt: skip
CAUSE = {cause.name: cause for cause in CAUSES}


def explain(subject: Subject) -> list[Explanation]:
    """The causes that are named, most likely first; none where nothing failed or nothing was recorded.

    One that may be a consequence of another that is named stands behind it, and says so.
    """
    if not subject.failing:
        return []
    found = {e.cause: e for cause in CAUSES if (e := cause.explain(subject)) is not None}
    roots = {name for name, e in found.items() if e.strength >= NAMED}
    told = {
        name: replace(e, follows=next((root for root in CAUSE[name].follows if root in roots), ""))
        for name, e in found.items()
    }
    order = [cause.name for cause in CAUSES]
    return sorted(told.values(), key=lambda e: (bool(e.follows), -round(e.strength, 1), order.index(e.cause)))
