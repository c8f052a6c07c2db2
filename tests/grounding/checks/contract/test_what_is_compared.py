"""What the contract compares with what: noisy solvers and others, rows one by one, problems, and ties."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks.contract import (
    behaviour_checks,
    claim_checks,
    foreknowledge_checks,
    gradient_checks,
    output_checks,
)
from groundcheck.grounding.checks.contract.behaviour_checks import SINGLE_ROWS
from groundcheck.grounding.checks.contract.contract import contract, find_parts
from groundcheck.grounding.checks.contract.finite_differences import (
    DOMAINS,
    Agreement,
    compare,
    make_gradient_fixture,
)
from groundcheck.grounding.checks.contract.foreknowledge_checks import _learned
from groundcheck.grounding.checks.contract.gradient_checks import COSINE, RELATIVE
from groundcheck.grounding.checks.contract.noise import Movement, movement
from groundcheck.grounding.checks.contract.subject import Subject
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.registry import HOLDS, Criterion, Measurement, Registry
from groundcheck.grounding.trials.spec import SolverSpec

TASK = Mapping(symbols=4)


class Plain(nn.Module):
    """A weight, and a loss of known size."""

    size = 1.0

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return self.weight * beliefs

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return self.weight * self.size * (1 + 0 * beliefs.sum((1, 2)))


def subject(task: Any = TASK, **members: Any) -> Subject:
    return Subject(SolverSpec.of(type("Compared", (Plain,), members)), task, batch=12)


@pytest.mark.parametrize("deterministic", [True, False])
def test_who_draws_random_numbers_is_compared_beyond_noise(
    deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bool, float]] = []

    def note(*_: Any, noisy: bool, tolerance: float = 0.0) -> Movement:
        asked.append((noisy, tolerance))
        return Movement(0.0, 1)

    monkeypatch.setattr(behaviour_checks, "movement", note)
    monkeypatch.setattr(claim_checks, "movement", note)
    members = {"size": 100.0, "equivariant": True, "differs_in_training": True}
    for check, task, tolerance in (
        ("rows", TASK, None), ("queries", TASK, 0.0), ("modes", TASK, 1e-4), ("state", TASK, 0.0),
        ("loss-rows", TASK, 1e-2), ("equivariance", Sudoku(), 1e-4),
    ):  # fmt: skip
        asked.clear()
        contract[check].run(subject(task, deterministic=deterministic, **members))
        assert {noisy for noisy, _ in asked} == {not deterministic}, check
        if tolerance is not None:
            assert [used for _, used in asked] == pytest.approx([tolerance] * len(asked)), check


def test_losses_of_eight_rows_of_each_size_are_asked_for_one_by_one() -> None:
    single: list[int] = []

    def loss(self: Plain, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        single.append(len(beliefs) == 1)
        return self.weight * beliefs.sum((1, 2))

    looked = subject(loss=loss, differs_in_training=True)
    assert contract["loss-rows"].run(looked).status == "pass"
    assert sum(single) == sum(min(len(s.given), SINGLE_ROWS) for s in looked.samples.values())


def test_parameters_move_by_a_hundredth_before_they_are_saved() -> None:
    class Large(Plain):
        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.many = nn.Parameter(torch.zeros(4000))

        def state_dict(self, *args: Any, **options: Any) -> Any:
            moved.append(float(self.many.detach().std()))
            return super().state_dict(*args, **options)

    moved: list[float] = []
    assert contract["state"].run(Subject(SolverSpec.of(Large), TASK, batch=12)).status == "pass"
    assert moved[0] == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize(
    ("members", "own"),
    [
        ({"evidence": 3, "informed": False}, True),
        ({"evidence": 3, "informed": True}, False),
        ({"evidence": 3}, False),
        ({"evidence": 0, "informed": False}, False),
        ({}, False),
    ],
)
def test_gradients_are_tried_on_a_small_problem_unless_a_solver_found_nothing_there(
    members: dict[str, Any], own: bool
) -> None:
    domains = tuple(make_gradient_fixture(subject(**members)).legal.sum(1).tolist())
    assert domains == ((4, 4) if own else DOMAINS)


def test_a_surrogate_and_a_loss_without_a_gradient_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = contract["gradient-training"].run(subject(surrogate=True))
    assert (declared.status, declared.reason) == ("skip", "the solver declares a surrogate gradient")
    monkeypatch.setattr(gradient_checks, "agreement_of_batch", lambda *_: {})
    none = contract["gradient-training"].run(subject())
    assert (none.status, none.reason) == ("fail", "the loss of a batch has no gradient")


@pytest.mark.parametrize(
    ("relative", "cosine", "needed"),
    [
        (RELATIVE, COSINE, False),
        (RELATIVE * 1.01, COSINE, True),
        (RELATIVE, COSINE * 0.99, True),
    ],
)
def test_who_keeps_within_both_bounds_has_nothing_to_declare(
    relative: float, cosine: float, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []

    def follow(solver: nn.Module, sample: Any, sign: float) -> float:
        rows.append(len(sample.given))
        return -sign

    agreed = Agreement(cosine, relative, 0.0)
    for name in ("agreement_of_beliefs", "agreement_of_parameters"):
        found = agreed if name.endswith("beliefs") else {"weight": agreed}
        monkeypatch.setattr(gradient_checks, name, lambda *_, found=found: found)
    for name in ("_followed_by_beliefs", "_followed_by_parameters"):
        monkeypatch.setattr(gradient_checks, name, follow)
    monkeypatch.setattr(gradient_checks, "FOLLOWED_CELLS", 20 * 8)  # twenty rows of two variables
    found = contract["surrogate"].run(subject(surrogate=True))
    assert (found.status, set(rows)) == (("pass", {20}) if needed else ("fail", set()))
    assert ("nothing has to be declared" in found.reason) != needed


def test_four_times_a_few_rows_tell_what_a_gradient_reaches() -> None:
    asked: list[int] = []

    def loss(self: Plain, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        asked.append(len(beliefs))
        return self.weight * beliefs.sum((1, 2))

    contract["reach"].run(subject(loss=loss))
    assert asked == [32]


def test_what_raised_in_a_factory_is_in_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Plain):
        def __init__(self, problem: Problem) -> None:
            raise KeyError("what broke")

    looked = Subject(SolverSpec.of(Broken), TASK)
    assert "KeyError: 'what broke'" in (contract["build"].run(looked).traceback or "")

    def alone(*_: Any, **__: Any) -> None:
        raise ValueError("without a cause")

    monkeypatch.setattr(Subject, "build", alone)
    assert "ValueError: without a cause" in (contract["build"].run(subject()).traceback or "")


def test_both_dtypes_have_to_come_back() -> None:
    for dtype in (torch.float32, torch.float64):
        found = contract["dtype"].run(subject(forward=lambda self, b, g, dtype=dtype: b.to(dtype)))
        assert found.status == "fail", output_checks.__name__
        assert f"forward returned {dtype} for" in found.reason


def test_the_parts_of_the_contract_stand_in_their_places() -> None:
    places = [part.place for part in find_parts()]
    assert places == sorted(places)
    assert len(set(places)) == len(places) > 5
    assert [check.id for part in find_parts() for check in part.checks] == [c.id for c in contract.checks]


def test_a_short_training_ends_where_nothing_can_be_learned_and_is_told_the_true_symbols() -> None:
    told: list[tuple[bool, bool]] = []

    def loss(self: Plain, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        told.append((bool((answer[given] == -1).all()), bool((answer[~given] >= 0).all())))
        return beliefs.sum((1, 2))  # cut off from the weight

    best, _ = _learned(subject(loss=loss), None, 0)
    assert told == [(True, True)] * 2
    assert set(best.values()) == {0.0}


def test_a_preference_is_kept_where_all_but_one_symbol_are_legal_and_no_query_is_asked() -> None:
    sample = subject().sample(3)
    nothing = replace(sample, given=torch.ones_like(sample.given))
    legal = torch.ones(2, 4, dtype=torch.bool)
    assert foreknowledge_checks._preference(torch.rand(3, 2, 4), nothing, legal) == 0.0


def test_differences_settle_at_the_first_step_that_agrees_with_the_one_before() -> None:
    backward = torch.ones(4).double().numpy()
    asked: list[float] = []

    def differences(step: float) -> Any:
        asked.append(step)
        return backward

    exact = compare(backward, differences, 0.01)
    assert (exact.relative, exact.noise) == (0.0, 0.0)
    assert len(asked) == 2


def test_a_mean_difference_is_that_of_the_entry_that_moves_most() -> None:
    moved = movement(lambda _: torch.tensor([0.0, 1.0]), lambda _: torch.zeros(2), noisy=True)
    assert moved.figure == 1.0


def test_a_bound_is_kept_where_it_is_met() -> None:
    kept = {direction: holds(1.0, 1.0) for direction, holds in HOLDS.items()}
    assert kept == {"at_most": True, "at_least": True, "above": False, "below": False}
    assert Criterion("at_most", 1.0).judge(Measurement(2.0, "")).status == "fail"
    assert Registry("some").place == 0


def test_of_several_tensors_the_worst_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"one": Agreement(1.0, 0.05, 0.0), "two": Agreement(1.0, 0.3, 0.0)}
    for found in (table, dict(reversed(table.items()))):
        monkeypatch.setattr(gradient_checks, "agreement_of_parameters", lambda *_, found=found: found)
        told = contract["gradient-parameters"].run(subject())
        assert (told.status, told.figure) == ("fail", 0.3)
        assert told.reason.startswith("two: ")


def test_a_finding_belongs_to_the_first_part_of_its_name() -> None:
    assert [Finding(name, "pass", "").family for name in ("leak/labels", "audit")] == ["leak", "audit"]


def test_what_a_solver_knows_before_is_asked_of_untrained_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, bool]] = []
    build = Subject.build

    def note(self: Subject, *args: Any, **options: Any) -> nn.Module:
        if "seed" in options:
            asked.append((options["seed"], options.get("untrained", False)))
        return build(self, *args, **options)

    monkeypatch.setattr(Subject, "build", note)
    monkeypatch.setattr(foreknowledge_checks, "STEPS", (1, 2))
    contract["untrained"].run(subject())
    _learned(subject(), None, 4)
    assert [pair for pair in asked if pair[0] >= 100] == [
        *((100 + seed, True) for seed in range(5)), (204, True), (204, True)
    ]  # fmt: skip
