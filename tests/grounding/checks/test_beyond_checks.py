"""What is found beyond the test set, at both sides of every bound; figures by hand."""

from dataclasses import replace

import numpy as np
import pytest

from groundcheck.grounding.checks.abstain import _mean, abstain
from groundcheck.grounding.checks.beyond import beyond, check_beyond, lost_elsewhere
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.joint import joint
from groundcheck.grounding.checks.robust import SPOIL, TELL_LESS, BeyondSeeds, robust
from groundcheck.grounding.measures.abstention import Selective
from groundcheck.grounding.measures.beyond import Beyond, Worlds
from groundcheck.grounding.measures.joint_shortcuts import JointShortcuts
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.report_samples import Calibration
from groundcheck.grounding.measures.robustness import (
    RATES,
    SUITES,
    Condition,
    Copies,
    Correction,
    Robustness,
    pack,
)
from groundcheck.grounding.measures.statistics import difference_interval, paired_interval, wilson_interval
from groundcheck.grounding.trials.trial import Outcome

BOARDS = 200


def scores(hits: float, of: int = 100, **changed: object) -> Scores:
    return replace(Scores(hits / of, 0.0, 0.0, 0.0, 0.8, of), **changed)  # type: ignore[arg-type]


def outcome(
    found: Beyond | None, role: str = "grounding", known: Scores | None = None, seed: int = 0
) -> Outcome:
    return Outcome(role, "sudoku", "mine", seed, known, beyond=found)  # type: ignore[arg-type]


def seeds(*found: Beyond | None) -> BeyondSeeds:
    return BeyondSeeds([outcome(one, seed=seed) for seed, one in enumerate(found)])


# --- out of distribution


def ood(known: float, there: float, of: int = 100) -> Finding:
    return beyond["ood"].run(BeyondSeeds([outcome(Beyond(ood=scores(there, of)), known=scores(known, of))]))


def test_what_is_lost_out_of_distribution_is_held_against_a_tenth() -> None:
    clear = next(n for n in range(90, -1, -1) if lost_interval(90, n)[0] > 0.10)
    passing, open_, failing = ood(90, 80), ood(90, clear + 1), ood(90, clear)
    assert passing.figure == pytest.approx(0.1)
    assert (passing.status, passing.bound) == ("pass", 0.10)
    assert passing.interval == lost_interval(90, 80)
    assert [f.status for f in (open_, failing)] == ["inconclusive"] * 2  # a verdict does not reach so far
    measured = [lost_elsewhere("there", [scores(n)], [scores(90)]) for n in (80, 79, clear + 1, clear)]
    assert [m.settled for m in measured] == [True, False, False, True]
    assert "nothing could be lost" not in measured[0].reason
    few = ood(10, 0)
    assert few.status == "inconclusive"
    assert "nothing could be lost" in few.reason
    assert "nothing could be lost" not in ood(11, 11).reason
    assert ood(11, 11).status == "pass"


def lost_interval(known: int, there: int) -> tuple[float, float]:
    return difference_interval(
        (known / 100, wilson_interval(known, 100)), (there / 100, wilson_interval(there, 100))
    )


def test_seeds_count_by_their_puzzles_and_their_mean_is_told() -> None:
    elsewhere = [scores(50, raw=0.5, aligned=0.7, read=0.4), scores(200, 400, raw=0.7, aligned=0.9, read=0.6)]
    here = [scores(80, read=0.1), scores(300, 400, read=0.2)]
    found = lost_elsewhere("there", elsewhere, here)
    assert found.figure == pytest.approx((0.8 + 0.75) / 2 - 0.5)
    assert found.interval == difference_interval(
        (0.775, wilson_interval(380, 500)), (0.5, wilson_interval(250, 500))
    )
    assert found.reason.startswith("there it answers 0.50 of the puzzles, 0.78 of the test puzzles")
    assert "readings 0.50 and 0.15" in found.reason
    assert "reads 0.60 of the images, 0.80 after relabelling" in found.reason
    assert "it reads" not in lost_elsewhere("there", [replace(elsewhere[0], aligned=None)], here[:1]).reason
    assert "it reads" not in lost_elsewhere("there", [replace(elsewhere[0], raw=None)], here[:1]).reason


@pytest.mark.parametrize(
    "without",
    [
        outcome(None, known=scores(90)),
        outcome(Beyond(), known=scores(90)),
        outcome(Beyond(ood=scores(10))),
        outcome(Beyond(ood=scores(10)), "baseline", scores(90)),
    ],
)
def test_only_trained_solvers_with_both_scores_are_compared(without: Outcome) -> None:
    assert beyond["ood"].run(BeyondSeeds([without])).status == "skip"
    with_one = BeyondSeeds([without, outcome(Beyond(ood=scores(88)), known=scores(90))])
    assert beyond["ood"].run(with_one).figure == pytest.approx(0.02)


# --- wrong givens


def correction(answered: float, boards: int = 100, **changed: object) -> Correction:
    exact = {"found": 0.9, "corrected": 0.8, "answered": 0.6}
    return replace(Correction(1, boards, 0.7, 0.05, 0.5, answered, exact), **changed)  # type: ignore[arg-type]


def corrected(*found: Correction | None) -> Finding:
    return beyond["correction"].run(seeds(*(Beyond(correction=one) for one in found)))


def test_half_of_what_the_posterior_answers_is_asked_for() -> None:
    low = next(n for n in range(30, -1, -1) if wilson_interval(n, 100)[1] < 0.3)
    statuses = {n: corrected(correction(n / 100)).status for n in (30, 29, low + 1, low)}
    assert statuses == {30: "pass", 29: "inconclusive", low + 1: "inconclusive", low: "fail"}
    found = corrected(correction(0.4), None, correction(0.6, 300, found=0.9, false_alarms=0.15))
    assert (found.figure, found.bound) == (0.5, 0.3)
    assert found.interval == wilson_interval(200, 400)
    assert found.reason == (
        "of 1 wrong on each board: found 0.80 (exact 0.90), corrected 0.50 (exact 0.80), "
        "answered 0.50 (exact 0.60); 0.10 of the other givens contradicted"
    )
    assert corrected(None).status == "skip"
    assert beyond["correction"].run(seeds(None)).status == "skip"


def test_a_posterior_that_answers_next_to_nothing_asks_for_nothing() -> None:
    for answered, status in ((0.05, "inconclusive"), (0.052, "pass")):
        found = corrected(correction(0.5, exact={"answered": answered}))
        assert found.status == status
        assert found.bound == answered / 2
        assert ("next to none" in found.reason) == (status != "pass")
        assert "found 0.70, corrected" in found.reason
    unknown = corrected(correction(0.5, exact={}))
    assert (unknown.status, unknown.bound) == ("inconclusive", 0.0)
    assert "no exact posterior" in unknown.reason
    mixed = corrected(correction(0.5), correction(0.5, exact={}))  # known of one seed: no mean of all
    assert "no exact posterior" in mixed.reason


# --- worlds


def test_half_of_what_there_is_to_know_may_be_between() -> None:
    def found(*away: float) -> Finding:
        return beyond["worlds"].run(seeds(*(Beyond(worlds=Worlds(0.5, 1.5, one, 2.0, 9)) for one in away)))

    assert (found(1.0).status, found(1.01).status) == ("pass", "fail")
    pooled = found(0.5, 1.0)
    assert (pooled.figure, pooled.bound) == (0.75, 1.0)
    assert pooled.reason == "its completions leave 0.50 nats of 2.00, the exact posterior 1.50; apart by 0.75"
    assert beyond["worlds"].run(seeds(Beyond())).status == "skip"


# --- which families run


def conditions(shares: tuple[float, ...], suite: str = "drop", boards: int = BOARDS) -> list[Condition]:
    """Boards of which the first ones are right, so that shares at several rates are nested."""

    def hits(share: float) -> str:
        return pack(np.arange(boards) < round(share * boards))

    return [
        Condition("" if rate == 0 else suite, rate, hits(share), hits(share), [90] * boards)
        for rate, share in zip(RATES, shares, strict=True)
    ]


def asked(shares: tuple[float, ...], suite: str = "drop", copies: Copies | None = None) -> Beyond:
    found = conditions(shares, suite)
    return Beyond(robustness=Robustness(BOARDS, found, copies or Copies(0.1, 0.9, 0.25, 1000)))


def test_each_family_runs_where_it_was_asked() -> None:
    def ran(subject: BeyondSeeds) -> set[str]:
        return {f.check.partition("/")[0] for f in check_beyond(subject, "sudoku")}

    own = {"ood", "correction", "worlds"}
    assert check_beyond(seeds(), "sudoku") == check_beyond(seeds(None), "sudoku") == []
    assert ran(seeds(Beyond(correction=correction(0.5)))) == own
    assert ran(seeds(Beyond(), asked((0.9,) * 5))) == {*own, "robust", "abstain"}
    assert ran(seeds(Beyond(ood=scores(90)), Beyond())) == {*own, "robust", "abstain"}
    assert {f.task for f in check_beyond(seeds(asked((0.9,) * 5)), "sudoku")} == {"sudoku"}


# --- robustness


def struck(solver: tuple[float, ...], baseline: tuple[float, ...] | None, suite: str = "drop") -> Finding:
    known = scores(90, guessed_task=0.1)
    found = [outcome(asked(solver, suite), known=known)]
    if baseline is not None:
        found.append(outcome(asked(baseline, suite), "baseline"))
    return robust[suite].run(BeyondSeeds(found))


FALLING = (0.9, 0.8, 0.7, 0.6, 0.5)


@pytest.mark.parametrize(
    ("baseline", "status", "verdict"),
    [
        ((0.5, 0.5, 0.4, 0.3, 0.2), "pass", "ROBUST"),
        ((0.9, 0.9, 0.9, 0.9, 0.9), "fail", "NOT ROBUST"),
        (None, "inconclusive", "UNDECIDED"),
    ],
)
def test_the_worst_rate_is_the_figure(baseline, status: str, verdict: str) -> None:
    found = struck(FALLING, baseline)
    assert found.status == status
    assert found.reason.startswith(f"{verdict}: answers 0.90, 0.80, 0.70, 0.60, 0.50 of the boards")
    if baseline is None:
        assert (found.figure, found.bound, found.interval) == (None, None, None)
        return
    lead = [s - b for s, b in zip(FALLING, baseline, strict=True)]
    worst = int(np.argmin(lead))
    assert found.figure == pytest.approx(lead[worst])
    assert found.bound == -0.10
    gained, lost = max(0, round(lead[worst] * BOARDS)), max(0, round(-lead[worst] * BOARDS))
    assert found.interval == paired_interval(gained, lost, BOARDS, 1 - 0.05 / 5)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_looks_at_its_own_boards(suite: str) -> None:
    subject = BeyondSeeds([outcome(asked(FALLING, suite)), outcome(asked((0.9,) * 5, suite), "baseline")])
    found = {name: robust[name].run(subject) for name in SUITES}
    assert {name for name, f in found.items() if f.status != "skip"} == {suite}
    told = TELL_LESS if suite.startswith("drop") else SPOIL
    own = robust[suite].text.remedy
    assert found[suite].remedy == (own if suite in ("noise", "swap", "ood-class") else told)
    assert "no such corruption" in found["noise" if suite == "drop" else "drop"].reason


def test_who_was_not_asked_is_skipped() -> None:
    for name in (*SUITES, "copies"):
        assert robust[name].run(seeds(Beyond())).reason == "no trained network was asked"
        alone = BeyondSeeds([outcome(asked(FALLING), "baseline")])
        assert robust[name].run(alone).reason == "no trained network was asked"


def test_a_guess_is_that_of_all_puzzles_of_the_solver() -> None:
    def guessed(*known: Scores | None, role: str = "grounding") -> float:
        return BeyondSeeds([outcome(None, role, one) for one in known]).guessed

    some, others = scores(0, 300, guessed_task=0.1), scores(0, 100, guessed_task=0.5)
    assert guessed(some, others) == wilson_interval(80, 400)[1]
    assert guessed(some, None, scores(0)) == wilson_interval(30, 300)[1]
    assert guessed(scores(0)) == guessed() == guessed(some, role="baseline") == 0.0


def test_a_solver_that_answers_no_more_than_a_guess_is_undecided() -> None:
    least = next(n for n in range(BOARDS) if wilson_interval(n, BOARDS)[0] > wilson_interval(50, 100)[1])
    for hits, told in ((least, False), (least - 1, True)):
        shares = (hits / BOARDS,) * 5
        known = scores(90, guessed_task=0.5)
        both = [outcome(asked(shares), known=known), outcome(asked((0.2,) * 5), "baseline")]
        found = robust["drop"].run(BeyondSeeds(both))
        assert ("no more than a guess" in found.reason) == told
        assert found.status == ("inconclusive" if told else "pass")


def copies(*found: Copies) -> Finding:
    return robust["copies"].run(seeds(*(asked((0.9,) * 5, copies=one) for one in found)))


def test_copied_givens_are_told_from_answers() -> None:
    clear = next(n for n in range(401) if wilson_interval(n, 400)[0] > 0.25)
    some, fewer = (Copies(0.9, n / 400, 0.25, 400) for n in (clear, clear - 1))
    assert (copies(some).status, copies(fewer).status) == ("pass", "fail")
    assert copies(some).figure == wilson_interval(clear, 400)[0]
    assert copies(some).bound == 0.25
    silent = copies(replace(fewer, handed_back=0.89))  # hands nothing back: its verdict tells the rest
    assert (silent.status, silent.figure) == ("inconclusive", (clear - 1) / 400)
    loud = copies(replace(some, handed_back=0.89))
    assert (loud.status, loud.figure) == ("pass", clear / 400)
    assert copies(replace(some, answered=100 / 400)).status == "fail"
    pooled = copies(Copies(0.9, 0.5, 0.2, 100), Copies(0.7, 0.9, 0.4, 300))
    assert pooled.figure == pytest.approx(0.8)
    assert pooled.interval == wilson_interval(320, 400)
    assert pooled.bound == pytest.approx(0.3)
    assert pooled.reason == (
        "hands back 0.80 of the givens as read, and answers 0.80 of the queries; "
        "the most frequent symbol answers 0.30"
    )


# --- abstention


def selective(
    spoken: int, wrong: int = 0, sure_wrong: int = 0, boards: int = 200, **changed: object
) -> Selective:
    found = Selective(
        boards, boards - spoken, wrong, spoken, wrong, sure_wrong, {"80": None, "90": None}, None
    )
    return replace(found, **changed)  # type: ignore[arg-type]


RIGHT, BOLD, SILENT, OPEN = (
    selective(200, 5), selective(200, 100, 100), selective(0), selective(200, 60)
)  # fmt: skip
VERDICTS = {"RIGHT OR SILENT": RIGHT, "WRONG AND SURE": BOLD, "SILENT": SILENT, "UNDECIDED": OPEN}


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("RIGHT OR SILENT", "pass"),
        ("WRONG AND SURE", "fail"),
        ("SILENT", "fail"),
        ("UNDECIDED", "inconclusive"),
    ],
)
def test_each_verdict_has_its_status(verdict: str, status: str) -> None:
    found = abstain["clean"].run(seeds(Beyond(clean=VERDICTS[verdict])))
    assert found.status == status
    assert found.reason.startswith(f"{verdict}: ")
    assert found.bound == 0.10
    assert found.figure == VERDICTS[verdict].wrong / max(1, VERDICTS[verdict].spoken)
    assert found.interval == wilson_interval(VERDICTS[verdict].wrong, VERDICTS[verdict].spoken)
    for clean, expected in (("RIGHT OR SILENT", "pass"), ("SILENT", "fail"), ("UNDECIDED", "inconclusive")):
        both = Beyond(clean=VERDICTS[clean], corrupted=VERDICTS[verdict])
        told = abstain["corrupted"].run(seeds(both))
        assert told.status == (expected if verdict == "SILENT" else status)
        assert (told.figure, told.bound, told.interval) == (found.figure, 0.10, found.interval)
        assert told.reason.startswith(f"{verdict}: ")
    bold = abstain["corrupted"].run(seeds(Beyond(clean=BOLD, corrupted=VERDICTS[verdict])))
    assert bold.status == ("inconclusive" if verdict == "SILENT" else status)


def test_seeds_are_pooled_and_their_mean_risk_is_told() -> None:
    risky = [replace(RIGHT, risk={"80": 0.1, "90": None}), replace(OPEN, risk={"80": 0.2, "90": 0.4})]
    found = abstain["clean"].run(seeds(*(Beyond(clean=one) for one in risky), Beyond()))
    assert found.figure == 65 / 400
    assert found.reason.endswith("; wrong among the surest 80 % 0.15, 90 % 0.40")
    assert "surest" not in abstain["clean"].run(seeds(Beyond(clean=OPEN))).reason
    for name in ("clean", "corrupted", "calibration"):
        assert abstain[name].run(seeds(Beyond(), None)).reason == "no trained network was asked"


def binned(error: float, interval: tuple[float, float] = (0.0, 1.0), claimed: float = 0.9) -> Selective:
    found = Calibration([1, 3, 0], [claimed, 0.6, None], [0.5, 0.1, None], error)
    return replace(RIGHT, calibration=found, error_interval=interval, independent_error=error / 2)


def test_a_tenth_is_the_bound_of_calibration() -> None:
    def found(*ones: Selective) -> Finding:
        return abstain["calibration"].run(seeds(*(Beyond(clean=one) for one in ones)))

    table = [
        (0.10, (0.0, 0.3), "pass"), (0.11, (0.11, 0.3), "fail"), (0.11, (0.10, 0.3), "inconclusive"),
        (0.11, (0.05, 0.3), "inconclusive"), (0.05, (0.0, 0.3), "pass"),
    ]  # fmt: skip
    for error, interval, status in table:
        one = found(binned(error, interval))
        assert (one.status, one.figure, one.bound, one.interval) == (status, error, 0.10, interval)
    both = found(binned(0.3, (0.1, 0.4), claimed=0.1), RIGHT, binned(0.2, (0.2, 0.6)))
    assert both.figure == pytest.approx(0.25)
    assert both.interval == pytest.approx((0.15, 0.5))
    assert both.reason == (  # (0.1 + 3 · 0.6) / 4 and (0.9 + 3 · 0.6) / 4, (0.5 + 3 · 0.1) / 4
        "is 0.57 sure of its answers, of which 0.20 are right: off by 0.25 (0.12 were queries independent)"
    )
    assert found(RIGHT).reason == "every puzzle was left unsolved"


# --- joint shortcuts


def test_a_count_that_stopped_is_inconclusive() -> None:
    found = JointShortcuts(3, True, 12, (((0, 1),),), 4, 100)
    told = [joint["joint-shortcuts"].run(one) for one in (found, replace(found, complete=False), None)]
    assert [f.status for f in told] == ["pass", "inconclusive", "skip"]
    assert [(f.figure, f.bound) for f in told] == [(3.0, 1.0), (3.0, 1.0), (None, None)]


# --- where a figure is its bound


def test_what_is_exactly_at_a_bound() -> None:
    pairs = [(k, k - 10) for k in range(11, 101) if k / 100 - (k - 10) / 100 == 0.10]
    known, there = pairs[0]  # of which the difference is a tenth to the last bit
    assert lost_elsewhere("there", [scores(there)], [scores(known)]).settled
    low = wilson_interval(200, 400)[0]
    at = copies(Copies(0.1, 0.5, low, 400))
    assert (at.status, at.figure) == ("inconclusive", 0.5)  # answers no more than that clearly
    end = wilson_interval(20, 100)[1]
    assert corrected(correction(0.2, exact={"answered": 2 * end})).status == "inconclusive"
    nothing = struck(FALLING, (0.0,) * 5)
    assert (nothing.status, nothing.figure) == ("pass", 0.5)


def test_what_is_never_right_is_claimed_by_none() -> None:
    """An accuracy of 0 is one, and not a bin without images; one image is as many as it takes."""
    wrong = replace(RIGHT, calibration=Calibration([3, 1], [0.5, None], [0.0, None], 0.5))
    assert [_mean(wrong, part) for part in ("confidence", "accuracy")] == pytest.approx([0.375, 0.0])
    single = replace(RIGHT, calibration=Calibration([1, 0], [0.5, None], [0.25, None], 0.25))
    assert [_mean(single, part) for part in ("confidence", "accuracy")] == [0.5, 0.25]
