"""Does a trained network know when not to answer?"""

from collections.abc import Callable
from statistics import fmean

from ..measures.abstention import FEW_WRONG, AbstentionVerdict, Selective, judge_abstention, pooled_error
from ..measures.beyond import Beyond
from .finding import Status
from .registry import Measurement, Registry, Result, SkipCheckError
from .robust import BeyondSeeds

STATUS: dict[str, Status] = {
    "RIGHT OR SILENT": "pass", "WRONG AND SURE": "fail", "SILENT": "fail", "UNDECIDED": "inconclusive",
}  # fmt: skip
MAX_ERROR = 0.10  # of calibration

abstain: Registry[BeyondSeeds] = Registry("abstain", place=91, trained=True)


def _seeds(subject: BeyondSeeds, part: Callable[[Beyond], Selective | None]) -> list[Selective]:
    seeds = [found for one in subject.of() if (found := part(one)) is not None]
    if not seeds:
        raise SkipCheckError("no trained network was asked")
    return seeds


def _told(found: AbstentionVerdict, seeds: list[Selective]) -> str:
    risks = {name: [risk for s in seeds if (risk := s.risk.get(name)) is not None] for name in seeds[0].risk}
    parts = [f"{name} % {fmean(known):.2f}" for name, known in risks.items() if known]
    told = f"; wrong among the surest {', '.join(parts)}" if parts else ""
    return f"{found.verdict}: {found.reason}{told}"


def _judged(subject: BeyondSeeds, part: Callable[[Beyond], Selective | None]) -> Result:
    seeds = _seeds(subject, part)
    found = judge_abstention(seeds)
    return Result(STATUS[found.verdict], _told(found, seeds), found.wrong, FEW_WRONG, found.interval)


@abstain.check("clean", decides=True)
def check_clean(subject: BeyondSeeds) -> Result:
    """On test puzzles, what the solver answers is right; else it is silent.

    An answer is as sure as its least sure query; up to 0.5, or left unsolved (NaN), it counts as silence.
    RIGHT OR
    SILENT: of what is answered, clearly no more than a tenth is wrong. WRONG AND SURE: clearly more than a
    twentieth of all puzzles is answered wrong with 0.9 or more. SILENT: next to nothing is answered.

    Failure: the figure is the share of wrong answers among those given, with Wilson's interval. The reason
    has the risk among the surest 80, 90 and 95 %.

    Remedy: Lower what a solver claims where it errs (temperature, an ensemble), or let it return NaN.

    Source: El-Yaniv & Wiener 2010, JMLR 11; Geifman & El-Yaniv 2017, arXiv:1705.08500.
    """
    return _judged(subject, lambda found: found.clean)


@abstain.check("corrupted", decides=True)
def check_corrupted(subject: BeyondSeeds) -> Result:
    """The same on boards that tell less: givens that vanished, are spoilt, or show no symbol.

    Boards with swapped images are left out: what they tell, they tell as clearly as ever. A solver that is
    SILENT here knows what it does not know, as long as it is RIGHT OR SILENT on test puzzles.

    Failure: as of `abstain/clean`.

    Remedy: As of `abstain/clean`; show corrupted boards when a threshold is chosen.
    """
    result = _judged(subject, lambda found: found.corrupted)
    clean = judge_abstention(_seeds(subject, lambda f: f.clean)).verdict
    if not result.reason.startswith("SILENT") or clean == "SILENT":
        return result
    status: Status = "pass" if clean == "RIGHT OR SILENT" else "inconclusive"
    return Result(status, result.reason, result.figure, result.bound, result.interval)


@abstain.check("calibration", at_most=MAX_ERROR)
def check_calibration(subject: BeyondSeeds) -> Measurement:
    """Of whole answers, as many are right as the solver is sure of.

    An answer is as sure as its least sure query, which is the most that beliefs about single queries can mean
    for the whole. The figure is the expected calibration error on test puzzles in ten bins, mean over seeds,
    with an interval from puzzles drawn anew.

    Failure: more than 0.10; inconclusive where the interval holds that. The reason tells whether it claims
    too much or too little, and the error, were queries to err independently.

    Remedy: A temperature for the answers, fitted on validation puzzles.

    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    seeds = _seeds(subject, lambda found: found.clean)
    pooled = pooled_error(seeds)
    if pooled is None:
        raise SkipCheckError("every puzzle was left unsolved")
    error, interval = pooled
    alone = fmean(s.independent_error for s in seeds if s.independent_error is not None)
    claimed, right = (
        fmean(_mean(s, part) for s in seeds if s.calibration) for part in ("confidence", "accuracy")
    )
    message = (
        f"is {claimed:.2f} sure of its answers, of which {right:.2f} are right: off by {error:.2f} "
        f"({alone:.2f} were queries independent)"
    )
    return Measurement(error, message, interval, settled=error <= MAX_ERROR or interval[0] > MAX_ERROR)


def _mean(seed: Selective, part: str) -> float:
    found = seed.calibration
    assert found is not None
    values = getattr(found, part)
    return sum(n * (value or 0.0) for n, value in zip(found.images, values, strict=True)) / max(
        1, sum(found.images)
    )
