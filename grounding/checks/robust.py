"""Does a trained network stay right where givens vanish, or are spoilt?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ..measures.beyond import Beyond
from ..measures.robustness import MARGIN, Condition, SuiteVerdict, judge_suite
from ..measures.statistics import wilson_interval
from ..trials.trial import Outcome
from .finding import Status
from .registry import MEASURED, Measurement, Registry, Result, SkipCheckError

STATUS: dict[str, Status] = {"ROBUST": "pass", "NOT ROBUST": "fail", "UNDECIDED": "inconclusive"}
HANDED_BACK = 0.9  # of the givens, by whoever copies them


@dataclass(frozen=True)
class BeyondSeeds:
    """What was measured beyond the test set: of the solver, by seed, and of the network without logic."""

    outcomes: Sequence[Outcome] = field(default_factory=tuple)

    def of(self, role: str = "grounding") -> list[Beyond]:
        """Of the trials of a role that were asked."""
        return [o.beyond for o in self.outcomes if o.role == role and o.beyond is not None]

    def conditions(self, role: str) -> list[list[Condition]]:
        """The corrupted boards of each seed of a role."""
        return [found.robustness.conditions for found in self.of(role) if found.robustness is not None]

    @property
    def guessed(self) -> float:
        """What a guess may answer of the uncorrupted puzzles: the upper end of its interval."""
        known = [o.scores for o in self.outcomes if o.role == "grounding" and o.scores is not None]
        told = [(s.guessed_task, s.puzzles) for s in known if s.guessed_task is not None]
        if not told:
            return 0.0
        return wilson_interval(sum(share * of for share, of in told), sum(of for _, of in told))[1]

    def suite(self, name: str) -> SuiteVerdict | None:
        """The verdict on a suite; None where it does not fit the task."""
        return judge_suite(name, self.conditions("grounding"), self.conditions("baseline"), self.guessed)


robust: Registry[BeyondSeeds] = Registry("robust", place=90, trained=True)


TELL_LESS = "Train with boards that tell less, or let the baseline answer where the solver is not sure."
SPOIL = "Train perception with such images; see whether the exact rules on the same readings do better."


def _judged(subject: BeyondSeeds, suite: str) -> Result:
    if not subject.conditions("grounding"):
        raise SkipCheckError("no trained network was asked")
    found = subject.suite(suite)
    if found is None:
        raise SkipCheckError("no such corruption on the boards of this task")
    worst = found.worst
    lead = None if worst is None else worst.solver - (worst.baseline or 0.0)
    return Result(
        STATUS[found.verdict],
        f"{found.verdict}: {found.reason}",
        lead,
        None if worst is None else -MARGIN,
        None if worst is None else worst.lead,
        remedy=TELL_LESS
        if suite.startswith("drop")
        else SPOIL
        if suite in ("occlude", "blur", "slant")
        else "",
    )


@robust.check("drop", decides=True)
def check_drop(subject: BeyondSeeds) -> Result:
    """Where single givens vanish, the solver is at no rate worse than a network without logic.

    The same boards at rates 0, 0.1, 0.2, 0.4 and 0.6, nested: what vanishes at one rate has vanished at every
    higher one. What vanishes is a query, and a board is answered right where the symbol of every query is
    possible in some completion of what is left; givens that are handed back count for nothing. ROBUST: at
    every rate the interval of solver minus baseline lies above −0.10 (above 0 where the baseline answers no
    more than 0.10 of the boards, so that nobody could be worse), and the share of right boards does not
    clearly rise, beyond what the exact rules gain on the same readings. NOT ROBUST: at some rate the whole
    interval lies below 0, or it rises. Else UNDECIDED, as where it answers no more than a guess to begin
    with.

    Failure: the figure is solver minus baseline at the worst rate, with Tango's interval for the same boards,
    at a level that holds for all rates together. The reason names the first rate that breaks.

    Remedy: Train with boards that tell less, or let the baseline answer where the solver is not sure: see the
    cascade.

    Source: Chang et al. 2023, arXiv:2312.10088; Tango 1998, Statistics in Medicine 17, 891-908.
    """
    return _judged(subject, "drop")


@robust.check("drop-row", decides=True)
def check_drop_row(subject: BeyondSeeds) -> Result:
    """As `robust/drop`, where whole rows vanish, one after the other.

    Failure: as of `robust/drop`.

    Remedy: Train with boards that tell less, or let the baseline answer where the solver is not sure.
    """
    return _judged(subject, "drop-row")


@robust.check("drop-block", decides=True)
def check_drop_block(subject: BeyondSeeds) -> Result:
    """As `robust/drop`, where whole blocks vanish, one after the other.

    Failure: as of `robust/drop`.

    Remedy: Train with boards that tell less, or let the baseline answer where the solver is not sure.
    """
    return _judged(subject, "drop-block")


@robust.check("drop-start", decides=True)
def check_drop_start(subject: BeyondSeeds) -> Result:
    """As `robust/drop`, where givens vanish from the first on, in reading order.

    Failure: as of `robust/drop`.

    Remedy: Train with boards that tell less, or let the baseline answer where the solver is not sure.
    """
    return _judged(subject, "drop-start")


@robust.check("drop-middle", decides=True)
def check_drop_middle(subject: BeyondSeeds) -> Result:
    """As `robust/drop`, where givens vanish from the middle on, to both sides.

    Failure: as of `robust/drop`.

    Remedy: Train with boards that tell less, or let the baseline answer where the solver is not sure.
    """
    return _judged(subject, "drop-middle")


@robust.check("drop-end", decides=True)
def check_drop_end(subject: BeyondSeeds) -> Result:
    """As `robust/drop`, where givens vanish from the last on.

    Failure: as of `robust/drop`.

    Remedy: Train with boards that tell less, or let the baseline answer where the solver is not sure.
    """
    return _judged(subject, "drop-end")


@robust.check("noise", decides=True)
def check_noise(subject: BeyondSeeds) -> Result:
    """As `robust/drop`, where the images of some givens are noisy; the answer stays that of the whole puzzle.

    Failure: as of `robust/drop`.

    Remedy: Train perception with noise; see whether the exact rules on the same readings do better.

    Source: Mu & Gilmer 2019, arXiv:1906.02337 (MNIST-C).
    """
    return _judged(subject, "noise")


@robust.check("occlude", decides=True)
def check_occlude(subject: BeyondSeeds) -> Result:
    """As `robust/noise`, where a quarter of the image is covered.

    Failure: as of `robust/drop`.

    Remedy: Train perception with such images; see whether the exact rules on the same readings do better.
    """
    return _judged(subject, "occlude")


@robust.check("blur", decides=True)
def check_blur(subject: BeyondSeeds) -> Result:
    """As `robust/noise`, where images are out of focus.

    Failure: as of `robust/drop`.

    Remedy: Train perception with such images; see whether the exact rules on the same readings do better.
    """
    return _judged(subject, "blur")


@robust.check("slant", decides=True)
def check_slant(subject: BeyondSeeds) -> Result:
    """As `robust/noise`, where images lean as handwriting seldom does.

    Failure: as of `robust/drop`.

    Remedy: Train perception with such images; see whether the exact rules on the same readings do better.
    """
    return _judged(subject, "slant")


@robust.check("swap", decides=True)
def check_swap(subject: BeyondSeeds) -> Result:
    """As `robust/noise`, where the image of another symbol stands there. The rules may detect it.

    Where they cannot, as in a sum, no solver answers as without the swap: see the exact rules beside.

    Failure: as of `robust/drop`.

    Remedy: Read the givens with doubt: a posterior outvotes a wrong given only where perception is not
    certain.
    """
    return _judged(subject, "swap")


@robust.check("ood-class", decides=True)
def check_ood_class(subject: BeyondSeeds) -> Result:
    """As `robust/noise`, where a letter stands there, which is no symbol.

    A letter tells nothing: an answer is right where it is possible in some completion of the other givens.

    Failure: as of `robust/drop`.

    Remedy: Let perception say that it cannot tell: beliefs that are spread evenly.
    """
    return _judged(subject, "ood-class")


@robust.check("copies", above=MEASURED)
def check_copies(subject: BeyondSeeds) -> Measurement:
    """The solver answers queries, and does not only hand back givens.

    Whoever copies its givens looks robust on cells, since a given that is copied is right whatever vanishes.

    Failure: the figure is the share of queries answered right on uncorrupted boards, and the lower end of its
    interval where nine tenths of the givens are handed back as they were read; the bound is what the most
    frequent symbol answers. Whoever hands nothing back does not fail: inconclusive.

    Remedy: Train the answers at the queries; and score no cell that is given.
    """
    copies = [found.robustness.copies for found in subject.of() if found.robustness is not None]
    if not copies:
        raise SkipCheckError("no trained network was asked")
    cells = sum(one.cells for one in copies)
    answered = sum(one.answered * one.cells for one in copies) / cells
    guessed, handed = fmean(one.guessed for one in copies), fmean(one.handed_back for one in copies)
    interval = wilson_interval(answered * cells, cells)
    message = (
        f"hands back {handed:.2f} of the givens as read, and answers {answered:.2f} of the queries; "
        f"the most frequent symbol answers {guessed:.2f}"
    )
    copied = handed >= HANDED_BACK
    clear = interval[0] > guessed
    # Whoever answers no more than that, and hands nothing back, copies nothing: its verdict tells the rest.
    return Measurement(
        interval[0] if copied else answered, message, interval, guessed, settled=copied or clear
    )
