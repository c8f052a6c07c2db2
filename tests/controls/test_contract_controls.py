"""Every broken solver is caught by the checks that were made for it, and by no other; sound ones pass."""

import gallery
import pytest
import sound
import torch

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks.contract.contract import check_contract, contract
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.engines.children import Limits
from groundcheck.grounding.engines.errands import examine
from groundcheck.grounding.engines.inspection import Inspection
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training

TINY_TASK = Mapping(symbols=4)
BOARD = Sudoku(size=4)
ON_A_BOARD = {
    gallery.BreaksTies,
    gallery.CarriesTheRules,
    gallery.MixesRulesOfSudokuIn,
    gallery.HidesRulesUnderEverySeed,
}


def failing(findings: list[Finding], task: str) -> set[str]:
    assert all(finding.task == task for finding in findings)
    return {f.check for f in findings if f.status in ("fail", "error")}


MOST = float(torch.finfo(torch.float32).max)
BOUNDS = {
    "range": {0.0}, "finite": {0.0}, "loss": {0.0}, "deterministic": {0.0}, "seed": {0.0}, "rows": {1e-4},
    "queries": {0.0}, "listens": {0.0}, "modes": {1e-4}, "state": {0.0}, "loss-rows": {1e-4},
    "posterior": {1e-5}, "equivariance": {1e-4}, "reach": {0.0}, "saturated": {1e6, MOST}, "descends": {0.0},
    "gradient-beliefs": {0.1, 1e-4}, "gradient-parameters": {0.1, 1e-4}, "gradient-settings": {0.9},
    "surrogate": {0.0}, "gradient-training": {0.3, 1e-4}, "other-rules": {0.25},
    "labels": {0.0}, "images": {0.0}, "echo": {0.0},
}  # fmt: skip
HOLDS = {  # what figure and bound are to each other where a check passes; at most the bound, unless told
    "listens": lambda figure, bound: figure > bound,
    "descends": lambda figure, bound: figure < bound,
    "surrogate": lambda figure, bound: figure < bound,
    "gradient-settings": lambda figure, bound: figure >= bound,
}


def agree(finding: Finding) -> bool:
    """Whether the bound is the one that is documented, and the status follows from figure and bound."""
    name = finding.check.split("/")[1]
    if name == "untrained" and "may be" in finding.reason:  # it is the order that fails
        return finding.status == "fail" and finding.bound is None
    if finding.status == "skip" or finding.bound is None:
        measured = name == "deterministic" and finding.status == "pass"  # how much noise there is
        return finding.status == "skip" or finding.figure is None or measured
    if name != "untrained" and finding.bound not in BOUNDS[name]:
        return False
    if finding.figure is None:  # it could not even be measured
        return finding.status == "fail"
    holds = HOLDS.get(name, lambda figure, bound: figure <= bound)(finding.figure, finding.bound)
    if name == "reach" or "draws none" in finding.reason or "and does not" in finding.reason:
        return finding.status == "fail" and finding.figure == 0
    if name in ("gradient-beliefs", "gradient-parameters") and holds:  # unless differences do not settle
        return finding.status in ("pass", "inconclusive")
    return finding.status == ("pass" if holds else "fail")


@pytest.mark.parametrize(
    "solver", [s for s in gallery.GALLERY if s not in gallery.DEADLY], ids=lambda s: s.__name__
)
def test_a_broken_solver_is_caught_by_its_check_and_no_other(solver: type) -> None:
    task = BOARD if solver in ON_A_BOARD else TINY_TASK
    findings = list(check_contract(SolverSpec.of(solver), task))
    assert failing(findings, task.name) == solver.caught_by, [
        (f.check, f.status, f.reason) for f in findings if f.status in ("fail", "error")
    ]
    assert len(findings) == len({f.check for f in findings})
    assert all(f.remedy for f in findings if f.status == "fail")
    assert not [f for f in findings if not agree(f)]
    assert not [f for f in findings if f.status == "error"]  # it was looked for, not stumbled upon


@pytest.mark.parametrize("solver", sound.SOUND, ids=lambda s: s.__name__)
def test_a_sound_solver_passes_everything(solver: type) -> None:
    inspected = Inspection(SolverSpec.of(solver), TINY_TASK, Training(), ImageSource()).findings()
    findings = [f for f in inspected if f.family != "perception"]
    # beartype, which checks shapes in tests, draws from `random` itself: see the next test.
    assert failing(findings, "mapping") <= {"contract/randomness"}, [
        f for f in findings if f.status in ("fail", "error")
    ]
    assert sum(f.status == "pass" for f in findings) >= 19 - len(failing(findings, "mapping"))
    assert not any(f.status == "inconclusive" for f in findings)
    assert not [f for f in findings if not agree(f)]


def test_a_sound_solver_draws_no_random_numbers_in_a_process_of_its_own() -> None:
    inspection = Inspection(SolverSpec("sound:DoubleSATNet"), TINY_TASK, Training(), ImageSource())
    findings = list(examine(inspection, Limits()))
    assert failing(findings, "mapping") == set(), [f for f in findings if f.status in ("fail", "error")]
    assert sum(f.status == "pass" for f in findings) >= 19


def test_the_gallery_is_large_and_leaves_no_check_untried() -> None:
    assert len(gallery.GALLERY) >= 80
    assert len(sound.SOUND) >= 19
    caught = set().union(*(solver.caught_by for solver in gallery.GALLERY))
    untried = {check.id for check in contract.checks} - caught
    assert untried == {"contract/gradient-settings"}  # tried in test_gradients.py


DEATHS = {
    gallery.Hangs: "time limit of 2 s",
    gallery.ExhaustsMemory: "memory limit of 1 GiB",
    gallery.ExitsTheProcess: "exit status 0",
    gallery.DiesOfASignal: "SIGSEGV",
}


@pytest.mark.parametrize("solver", DEATHS, ids=lambda s: s.__name__)
def test_a_deadly_solver_costs_one_check_and_is_named_with_its_cause(solver: type) -> None:
    spec = SolverSpec(f"gallery:{solver.__name__}")
    seconds = 2.0 if solver is gallery.Hangs else 60.0
    inspection = Inspection(spec, TINY_TASK, Training(), ImageSource())
    findings = list(examine(inspection, Limits(seconds, 1.0)))
    [found] = [f for f in findings if f.check == "contract/shape"]
    assert found.status == "error"
    assert DEATHS[solver] in found.reason
    later = [f for f in findings if f.check == "contract/rows"]
    assert [f.status for f in later] == ["skip"]
