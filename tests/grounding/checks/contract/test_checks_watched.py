"""Contract checks watched from inside the solver: what they hand over, how often, and what comes of it."""

import random
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem, make_problem
from groundcheck.grounding.checks.contract import (
    behaviour_checks,
    finite_differences,
    foreknowledge_checks,
    noise,
    output_checks,
    symmetry,
)
from groundcheck.grounding.checks.contract.behaviour_checks import SINGLE_ROWS
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.finite_differences import (
    Agreement,
    agreement_of_batch,
    agreement_of_beliefs,
    agreement_of_parameters,
    make_training_fixture,
)
from groundcheck.grounding.checks.contract.foreknowledge_checks import LEAD, STEPS, _learned
from groundcheck.grounding.checks.contract.gradient_checks import (
    FOLLOWED,
    _followed_by_beliefs,
    _followed_by_parameters,
)
from groundcheck.grounding.checks.contract.noise import DRAWS, MOVES, RESTS, Movement, movement
from groundcheck.grounding.checks.contract.subject import Sample, Subject, solutions_of
from groundcheck.grounding.checks.contract.symmetry import find_symmetries
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
        self.seen.append((float(self.weight.grad or 0), sure, float(self.weight.detach())))
        return self.weight * beliefs.sum((1, 2))


def test_every_step_of_a_short_training_has_a_gradient_of_its_own_and_true_symbols() -> None:
    Trained.seen.clear()
    _learned(Subject(SolverSpec.of(Trained), TASK), None, 0)
    assert [(grad, sure) for grad, sure, _ in Trained.seen] == [
        (0.0, True), *[(2.0, True)] * (STEPS[-1] - 1)
    ] * 2  # fmt: skip
    weights = [weight for *_, weight in Trained.seen]
    assert np.subtract(weights[:2], weights[1:3]) == pytest.approx([0.01, 0.01], rel=1e-4)  # Adam's steps
    assert np.subtract(weights[20:22], weights[21:23]) == pytest.approx([1.0, 1.0], rel=1e-4)


def test_a_gradient_that_is_no_number_ends_a_short_training() -> None:
    class Breaks(Trained):
        seen: ClassVar[list[Any]] = []

        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.sound = nn.Parameter(torch.ones(()))

        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            self.seen.append(1)
            broken = (self.weight - self.weight.detach()).abs().sqrt()
            return self.sound + broken + 0 * beliefs.sum((1, 2))

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


def test_half_of_the_variables_of_a_drawn_solution_are_given() -> None:
    given = solutions_of(Mapping(symbols=3).problem, 2000, "cpu").given
    assert given.dtype == torch.bool
    assert (given.double().mean(0) - 0.5).abs().max() < 0.04


@pytest.mark.parametrize("seed", range(8))
def test_a_pair_of_literals_is_of_two(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pair that can be exchanged, and one that cannot: a single attempt at the first is enough."""
    monkeypatch.setattr(symmetry, "ATTEMPTS", 1)
    frame = Problem(("a", "b"), (2, 2))
    problem = make_problem(("a", "b"), (2, 2), [[frame.literal(1, 0)]])
    assert len(find_symmetries(problem, 1, seed)) == 1


def test_a_search_that_finds_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, int]] = []
    monkeypatch.setattr(symmetry.Graph, "match", lambda self, one, other, rng: tried.append((one, other)))
    assert find_symmetries(TASK.problem, 1) == []
    assert len(tried) == symmetry.ATTEMPTS


def test_of_sizes_at_which_a_row_moves_alike_the_first_is_named() -> None:
    moved = subject(forward=lambda self, beliefs, given: beliefs + 0.25 * (len(beliefs) == 1))
    assert contract["rows"].run(moved).reason.endswith(", of 8 rows")


def test_a_loss_that_is_no_tensor_is_told_by_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_checks, "row_losses", lambda *_: [1.0])  # typed, where tests run
    told = contract["loss"].run(subject())
    assert (told.status, told.reason) == ("fail", "the loss is a list, not a tensor")


def test_what_is_not_saved_shows_once_parameters_have_moved() -> None:
    class Unsaved(Watched):
        def state_dict(self, *args: Any, **options: Any) -> Any:
            return {}

        def load_state_dict(self, state: Any, *args: Any, **options: Any) -> Any:
            return None

    found = contract["state"].run(Subject(SolverSpec.of(Unsaved), TASK, batch=12))
    assert found.status == "fail"
    assert found.figure is not None
    assert 1e-4 < found.figure < 0.1
    assert contract["state"].run(subject()).figure == 0


def test_who_differs_in_training_has_to_by_more_than_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    for figure, status in ((1e-4, "fail"), (1.01e-4, "pass")):
        monkeypatch.setattr(behaviour_checks, "movement", lambda *_, figure=figure, **__: Movement(figure, 1))
        assert contract["modes"].run(subject(differs_in_training=True)).status == status


def test_a_mean_difference_of_the_tolerance_is_none_whatever_the_noise() -> None:
    noise = iter([8.25, -7.75] * 64)
    moved = movement(
        lambda _: torch.full((1,), next(noise)), lambda _: torch.zeros(1), noisy=True, tolerance=0.25
    )
    assert (moved.figure, moved.draws) == (0.25, DRAWS[0])
    assert Movement(0.5, 1).words == ""
    assert Movement(0.5, 2).words == " (means of 2 draws, beyond their noise)"


def test_a_solver_that_cannot_take_float64_is_differentiated_in_float32() -> None:
    def loss(self: Watched, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        if beliefs.dtype == torch.float64:
            raise TypeError("float32 alone")
        return self.weight * beliefs.sum((1, 2))

    made = make_training_fixture(subject(loss=loss))
    assert (made.sample.beliefs.dtype, made.solver.training) == (torch.float32, True)
    assert make_training_fixture(subject()).sample.beliefs.dtype == torch.float64


def test_differences_have_to_settle_to_a_twentieth_of_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[float] = []
    agreed = Agreement(1.0, 0.0, 0.0)
    compare = lambda one, two, bound: (settled.append(bound), agreed)[1]  # noqa: E731
    monkeypatch.setattr(finite_differences, "compare", compare)
    made = make_training_fixture(subject())
    for agree in (agreement_of_batch, agreement_of_beliefs, agreement_of_parameters):
        agree(made, 0.1)
    assert settled == [pytest.approx(0.005)] * 4  # of a batch: of beliefs, and of parameters


def test_preferences_are_ties_within_rounding_of_their_size() -> None:
    """One query each; a symbol's mean over both rows is taken off."""
    given, answer = torch.zeros(2, 1, dtype=torch.bool), torch.tensor([[0], [1]])
    sample, legal = Sample(torch.zeros(2, 1, 2), given, answer), torch.ones(1, 2, dtype=torch.bool)
    for low, share in ((1e-300, 1.0), (0.5, 1.0), (1 - 1e-9, 0.5), (1 - 1e-5, 1.0)):
        completion = torch.tensor([[[1.0, low]], [[low, 1.0]]], dtype=torch.float64)
        assert foreknowledge_checks._preference(completion, sample, legal) == share
    for apart, share in ((0.0, 0.5), (2e-4, 0.5), (5e-4, 1.0)):  # of logarithms 300 from their mean
        high, low = np.exp(-1.0), np.exp(-601.0)
        rows = [[high, high * np.exp(-apart)], [low * np.exp(-apart), low]]
        completion = torch.tensor(rows, dtype=torch.float64).unsqueeze(1)
        assert foreknowledge_checks._preference(completion, sample, legal) == share


def test_the_larger_lead_of_few_steps_and_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = STEPS
    for own, steps in (({few: 0.5, many: 1.0}, many), ({few: 1.0, many: 0.5}, few)):
        table = {True: own, False: {few: 0.5, many: 0.5}}
        monkeypatch.setattr(
            foreknowledge_checks,
            "_learned",
            lambda _, renaming, seed, table=table: (table[renaming is None], 0.25),
        )
        found = contract["other-rules"].run(subject())
        assert (found.figure, found.status) == (0.5, "fail")
        assert found.reason.startswith(
            f"after {steps} steps it answers 1.00 of the queries under the rules of the task, 0.50 under"
        )


@pytest.mark.parametrize("broken", ["rows", "entry"])
def test_a_short_training_ends_where_no_row_is_a_number_or_one_entry_of_a_gradient_is_none(
    broken: str,
) -> None:
    class Ends(Trained):
        seen: ClassVar[list[Any]] = []

        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.two = nn.Parameter(torch.ones(2))

        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            self.seen.append(1)
            if broken == "rows":
                return self.weight * torch.full((len(beliefs),), torch.nan)
            first = (self.two[0] - self.two[0].detach()).abs().sqrt()
            return self.two[1] + first + 0 * beliefs.sum((1, 2))

    _learned(Subject(SolverSpec.of(Ends), TASK), None, 0)
    assert len(Ends.seen) == 2


def test_a_solver_s_own_generators_start_alike_every_time() -> None:
    def loss(self: Watched, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        own: Any = self
        drawn = own.torch_own.initial_seed() * 0 + torch.rand((), generator=own.torch_own)
        return self.weight * beliefs.sum((1, 2)) + drawn + own.numpy_own.random() + own.python_own.random()

    made = make_training_fixture(subject(loss=loss, torch_own=None, numpy_own=None, python_own=None))
    solver: Any = made.solver
    solver.torch_own = torch.Generator().manual_seed(0)
    solver.numpy_own, solver.python_own = np.random.default_rng(0), random.Random(0)
    assert len(made.generators) == 3
    first, second = made.losses(made.sample), made.losses(made.sample)
    assert torch.equal(first, second)


def test_one_answer_is_evidence_too() -> None:
    class Asks(Watched):
        evidence = 1
        informed = False

    assert Subject(SolverSpec.of(Asks), TASK).blind
    assert not Subject(SolverSpec.of(type("Told", (Asks,), {"informed": True})), TASK).blind
    assert not Subject(SolverSpec.of(type("None_", (Asks,), {"evidence": 0})), TASK).blind
