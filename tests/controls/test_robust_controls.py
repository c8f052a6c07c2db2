"""Networks that only boards beyond the test set give away, beside one that is sound."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.beyond import check_beyond
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.robust import BeyondSeeds
from groundcheck.grounding.trials import corrupted
from groundcheck.grounding.trials.evaluation import Evaluation
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Role, Trial

SMALL = Mapping(symbols=3, bijection=(1, 2, 0))
SHORT = Training(puzzles=256, epochs=6, batch=16)
LONGER = Training(puzzles=256, epochs=14, batch=16)


@contextmanager
def as_many_boards_as_usual() -> Iterator[None]:
    """As many as a trial of the usual length has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corrupted, "FEWEST_BOARDS", 96)
        yield


@pytest.fixture(scope="module", autouse=True)
def more_boards() -> Iterator[None]:
    with as_many_boards_as_usual():
        yield


def trained(solver: str, role: Role = "grounding", training: Training = SHORT) -> Outcome:
    outcome = run_trial(
        Trial(
            task=SMALL,
            solver=SolverSpec(solver),
            role=role,
            seed=0,
            training=training,
            validation_puzzles=30,
            test_puzzles=200,
            evaluation=Evaluation(robust=True),
        )
    )
    assert outcome.error is None, outcome.error
    return outcome


@pytest.fixture(scope="module")
def baseline() -> Outcome:
    return trained("mlp", "baseline", LONGER)  # one that learned the task as well


def findings(solver: str, baseline: Outcome) -> dict[str, Finding]:
    return {found.check: found for found in check_beyond(BeyondSeeds([trained(solver), baseline]), "mapping")}


def failing(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.status in ("fail", "error")}


def test_the_exact_rules_pass(baseline: Outcome) -> None:
    found = findings("exact", baseline)
    assert failing(found) <= {"abstain/corrupted"}  # perception is as sure of a letter as of a digit
    assert {found[f"robust/{suite}"].status for suite in ("drop", "swap")} <= {"pass", "inconclusive"}
    assert found["robust/copies"].status == "pass"
    assert found["abstain/clean"].status == "pass"
    assert found["robust/drop-block"].status == "skip"


def test_right_only_without_corruption(baseline: Outcome) -> None:
    found = findings("gallery_robust:RightWithoutCorruption", baseline)
    assert "robust/drop" in failing(found)
    assert found["robust/drop"].reason.startswith("NOT ROBUST")
    assert "at 0.6 worse than without logic" in found["robust/drop"].reason
    assert found["robust/copies"].status == "pass"


def test_copied_givens_are_no_answers(baseline: Outcome) -> None:
    found = findings("gallery_robust:CopiesGivens", baseline)
    assert "robust/copies" in failing(found)
    assert "hands back 1.00" in found["robust/copies"].reason
    assert all(
        f.status != "pass" for name, f in found.items() if name.startswith("robust/") and f.status != "skip"
    )


def test_sure_and_wrong(baseline: Outcome) -> None:
    found = findings("gallery_robust:SureAndWrong", baseline)
    assert {"abstain/clean", "abstain/corrupted", "abstain/calibration"} <= failing(found)
    assert found["abstain/clean"].reason.startswith("WRONG AND SURE")


def test_silence_on_everything_is_no_virtue(baseline: Outcome) -> None:
    found = findings("gallery_robust:AbstainsOnEverything", baseline)
    assert {"abstain/clean", "abstain/corrupted"} <= failing(found)
    assert found["abstain/clean"].reason.startswith("SILENT")
    assert found["abstain/calibration"].status == "skip"
    assert found["robust/noise"].status in ("fail", "inconclusive")
