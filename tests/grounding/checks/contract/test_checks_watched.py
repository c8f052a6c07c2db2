"""Contract checks watched from inside the solver: what they hand over, how often, and what comes of it."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.grounding.checks.contract import foreknowledge_checks, noise
from groundcheck.grounding.checks.contract.behaviour_checks import SINGLE_ROWS
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.foreknowledge_checks import LEAD, STEPS, _learned
from groundcheck.grounding.checks.contract.gradient_checks import (
    FOLLOWED,
    _followed_by_beliefs,
    _followed_by_parameters,
)
from groundcheck.grounding.checks.contract.noise import DRAWS, MOVES, RESTS, movement
from groundcheck.grounding.checks.contract.subject import Subject, solutions_of
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.trials.spec import SolverSpec

TASK = Mapping(symbols=4)


class Watched(nn.Module):
    """A weight, and a note of every call: what, in which mode, of how many rows."""

    seen: ClassVar[list[Any]] = []

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return self.weight * beliefs

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return self.weight * beliefs.sum((1, 2))


def subject(**members: Any) -> Subject:
    return Subject(SolverSpec.of(type("Spied", (Watched,), {"seen": [], **members})), TASK, batch=12)


# --- two sides of a movement


def test_sides_are_drawn_in_turn_under_seeds_that_are_never_used_twice() -> None:
    calls: list[tuple[str, int]] = []

    def draw(name: str) -> Callable[[int], Tensor]:
        def call(seed: int) -> Tensor:
            calls.append((name, seed))
            return torch.tensor([float(name == "other")])

        return call

    assert movement(draw("one"), draw("other"), noisy=True).figure == 1.0
    pairs = [("one", "other"), ("other", "one")] * (DRAWS[0] // 2)
    assert calls == [(name, 2 * n + place) for n, pair in enumerate(pairs) for place, name in enumerate(pair)]


@pytest.mark.parametrize(
    ("chances", "figure", "draws"),
    [
        ([MOVES * 0.99], 1.0, 16),
        ([MOVES, RESTS * 1.01], 0.0, 32),
        ([RESTS, MOVES * 0.99], 1.0, 32),
        ([RESTS * 1.01], 0.0, 16),
        ([0.1, 0.1, 0.1], 0.0, 64),
        ([0.1, 0.1, 0.0], 1.0, 64),
    ],
)
def test_draws_go_on_until_a_chance_decides(
    chances: list[float], figure: float, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(chances)
    sizes: list[tuple[int, ...]] = []
    monkeypatch.setattr(noise, "sign_flip_test", lambda d: (sizes.append(d.shape), next(told))[1])
    moved = movement(lambda _: torch.zeros(3), lambda _: torch.ones(3), noisy=True)
    assert (moved.figure, moved.draws) == (figure, draws)
    assert sizes == [(count, 3) for count in DRAWS[: len(chances)]]
    assert (MOVES, RESTS) == (1e-3, 0.2)


def test_what_differs_where_one_is_no_number_is_infinitely_far_whatever_its_draw() -> None:
    turn = iter(range(100))
    late = lambda _: torch.full((2,), torch.nan if next(turn) > 5 else 0.0)  # noqa: E731
    assert movement(late, lambda _: torch.zeros(2), noisy=True).figure == np.inf


# --- behaviour


def test_rows_are_passed_by_themselves_from_the_first_to_the_last() -> None:
    alone: list[Tensor] = []

    def forward(self: nn.Module, beliefs: Tensor, given: Tensor) -> Tensor:
        if len(beliefs) == 1:
            alone.append(beliefs[0])
        return beliefs

    looked = subject(forward=forward)
    assert contract["rows"].run(looked).status == "pass"
    wanted = [
        sample.beliefs[row]
        for sample in looked.samples.values()
        for row in np.linspace(0, len(sample.given) - 1, min(len(sample.given), SINGLE_ROWS)).astype(int)
    ]
    assert len(alone) == len(wanted)
    assert all(map(torch.equal, alone, wanted))


def test_a_generator_that_the_loss_alone_draws_from_is_named() -> None:
    def loss(self: nn.Module, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return beliefs.sum((1, 2)) + np.random.random() * 0  # noqa: NPY002

    found = contract["randomness"].run(subject(loss=loss))
    assert (found.status, found.reason) == ("fail", "the global generator of numpy was drawn from, or seeded")
    assert contract["randomness"].run(subject()).status == "pass"


def test_solutions_of_a_problem_are_drawn_with_uniform_beliefs() -> None:
    sample = solutions_of(Mapping(symbols=3).problem, 5, "cpu")
    assert sample.beliefs.shape == (5, 2, 3)
    assert torch.allclose(sample.beliefs, torch.tensor(1 / 3))


# --- following a gradient


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_followed_losses_are_those_of_the_first_and_the_last_step(sign: float) -> None:
    class Counts(Watched):
        calls = 0

        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            self.calls += 1
            return self.calls**2 + 0 * (self.weight * beliefs).sum((1, 2))

    sample = subject().sample(4)
    for follow in (_followed_by_beliefs, _followed_by_parameters):
        assert follow(Counts(TASK.problem), sample, sign) == (FOLLOWED + 1) ** 2 - 1
    fallen = _followed_by_parameters(Watched(TASK.problem), sample, sign)
    assert np.sign(fallen) == -sign


# --- what is known before


def learned(
    monkeypatch: pytest.MonkeyPatch, own: list[float], other: list[float], chance: float = 0.25
) -> Finding:
    """`check_other_rules` with what each seed's solver learns of either rules, after two steps and all."""
    asked: list[tuple[bool, int]] = []

    def table(_: Subject, renaming: Any, seed: int) -> tuple[dict[int, float], float]:
        asked.append((renaming is None, seed))
        share = (own if renaming is None else other)[seed]
        return dict.fromkeys(STEPS, share), chance

    monkeypatch.setattr(foreknowledge_checks, "_learned", table)
    found = contract["other-rules"].run(subject())
    assert [seed for first, seed in asked if first] == list(range(len(own)))
    return found


@pytest.mark.parametrize(
    ("own", "other", "figure", "status"),
    [
        ([1.0] * 5, [0.5] * 5, 0.5, "fail"),
        ([1.0] * 5, [0.5, 0.25, 0.5, 0.625, 0.5], 0.375, "fail"),
        ([1.0, 1.0], [0.5, 0.75], LEAD, "pass"),  # one that leads no further ends it
        ([1.0], [0.9], 0.1, "pass"),
        ([0.5], [0.0], 0.25, "pass"),  # nothing is there to lead with
        ([1.0, 0.4], [0.5, 0.0], 0.15, "pass"),
    ],
)
def test_every_solver_has_to_lead(
    own: list[float], other: list[float], figure: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = learned(monkeypatch, own, other)
    assert (found.figure, found.status, found.bound) == (pytest.approx(figure), status, 0.25)


class Trained(Watched):
    """Notes what gradient is there when the loss is asked for, and what it is trained on."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return (beliefs[:, :1] * self.weight).expand_as(beliefs)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        sure = bool((beliefs[given].max(-1).values == 1).all())
        self.seen.append((float(self.weight.grad or 0), sure))
        return self.weight * beliefs.sum((1, 2))


def test_every_step_of_a_short_training_has_a_gradient_of_its_own_and_true_symbols() -> None:
    Trained.seen.clear()
    _learned(Subject(SolverSpec.of(Trained), TASK), None, 0)
    assert Trained.seen == [(0.0, True), *[(2.0, True)] * (STEPS[-1] - 1)] * 2


def test_a_gradient_that_is_no_number_ends_a_short_training() -> None:
    class Breaks(Trained):
        seen: ClassVar[list[Any]] = []

        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            self.seen.append(1)
            return (self.weight - self.weight.detach()).abs().sqrt() + 0 * beliefs.sum((1, 2))

    _learned(Subject(SolverSpec.of(Breaks), TASK), None, 0)
    assert len(Breaks.seen) == 2  # one step at each rate


def told_untrained(
    shares: list[float],
    orders: list[float],
    monkeypatch: pytest.MonkeyPatch,
    other: list[float] | None = None,
) -> Finding:
    """`check_untrained` with what each seed answers and prefers, and one solver under other rules."""
    answered, preferred = iter([*shares, *(other or ())]), iter([*orders, *(other or ())])
    monkeypatch.setattr(foreknowledge_checks, "_share_right", lambda *_: next(answered))
    monkeypatch.setattr(foreknowledge_checks, "_preference", lambda *_: next(preferred))
    monkeypatch.setattr(foreknowledge_checks, "_guessing", lambda *_: 0.25)
    return contract["untrained"].run(subject() if other else Subject(SolverSpec.of(Random), TASK))


class Random(Watched):
    """Another weight on every seed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.weight.data = torch.rand(())


def test_untrained_answers_and_their_order_have_a_bound_each(monkeypatch: pytest.MonkeyPatch) -> None:
    table = [
        ([0.34] * 5, [0.59] * 5, "pass"), ([0.36] * 5, [0.59] * 5, "fail"), ([0.34] * 5, [0.61] * 5, "fail"),
        ([0.36] * 5, [0.9] * 5, "fail"), ([0.0] * 5, [0.0] * 5, "pass"),
    ]  # fmt: skip
    for shares, orders, status in table:
        found = told_untrained(shares, orders, monkeypatch)
        assert (found.status, found.figure) == (status, pytest.approx(shares[0]))
        assert ("at most 0.60 may be" in found.reason) == (status == "fail" and shares[0] < 0.35)
        assert f"answers {shares[0]:.2f} of the queries (chance 0.25)" in found.reason
        assert f"another one in {orders[0]:.2f} of the cases (chance 0.50)" in found.reason
    spread = [0.2, 0.3, 0.4, 0.5, 0.6]
    error = np.std(spread, ddof=1) / 5**0.5
    found = told_untrained(spread, [0.5] * 5, monkeypatch)
    assert (found.figure, found.bound) == (pytest.approx(0.4), pytest.approx(0.35 + 3 * error))
    for more, status in ((0.4, "pass"), (0.42, "fail")):
        ordered = told_untrained([0.3] * 5, [x + more for x in spread], monkeypatch)
        assert ordered.status == status
        assert (f"at most {0.6 + 3 * error:.2f} may be" in ordered.reason) == (status == "fail")
    renamed = [0.2, 0.4] * 10
    found = told_untrained([0.9] * 5, [0.5] * 5, monkeypatch, renamed)
    assert found.bound == pytest.approx(0.35 + 3 * np.std(renamed))
