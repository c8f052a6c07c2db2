"""The measure of gradients, on losses whose gradients are known or wrong by a known amount."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.contract import gradient_checks as gradient
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.finite_differences import (
    ALL_DIRECTIONS,
    STEPS,
    Agreement,
    GradientFixture,
    agreement_of_batch,
    agreement_of_beliefs,
    agreement_of_parameters,
    compare,
    make_gradient_fixture,
)
from groundcheck.grounding.checks.contract.subject import Sample, Subject
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.registry import MEASURED, Registry
from groundcheck.grounding.trials.spec import SolverSpec

TINY_TASK = Mapping(symbols=4)


class Straight(nn.Module):
    """A smooth loss whose gradients are multiplied, by name, on their way back."""

    def __init__(self, **factors: float) -> None:
        super().__init__()
        self.factors = factors
        generator = torch.Generator().manual_seed(0)
        self.large = nn.Parameter(torch.randn(3, 4, dtype=torch.float64, generator=generator))
        self.small = nn.Parameter(torch.randn(3, 4, dtype=torch.float64, generator=generator))
        self.still = nn.Parameter(torch.zeros(2, dtype=torch.float64), requires_grad=False)
        self.size = 1e-2

    def bent(self, name: str, value: Tensor) -> Tensor:
        factor = self.factors.get(name, 1.0)
        return factor * value + (1 - factor) * value.detach()

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), self.bent("beliefs", beliefs), 0.0)
        large = self.bent("large", self.large.sin())
        small = self.size * self.bent("small", self.small.sin())
        return ((large + small) * seen).sum((1, 2)).exp()

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return beliefs


def fixture(size: float = 1e-2, **factors: float) -> GradientFixture:
    generator = torch.Generator().manual_seed(1)
    beliefs = torch.rand(5, 3, 4, dtype=torch.float64, generator=generator)
    given = torch.tensor([[True, False, True]]).expand(5, 3)
    solver = Straight(**factors)
    solver.size = size
    legal = torch.ones(3, 4, dtype=torch.bool)
    legal[2, 3] = False
    return GradientFixture(solver, Sample(beliefs, given, torch.full((5, 3), -1)), legal)


def test_a_right_gradient_agrees_to_the_rounding_of_differences() -> None:
    found = {"beliefs": agreement_of_beliefs(fixture(), 1e-6), **agreement_of_parameters(fixture(), 1e-6)}
    assert found.keys() == {"beliefs", "large", "small"}
    for agreement in found.values():
        assert agreement.relative < 1e-6
        assert agreement.cosine == pytest.approx(1)
        assert agreement.noise < 1e-6


@pytest.mark.parametrize("name", ["beliefs", "large", "small"])
@pytest.mark.parametrize("factor", [2.0, 0.5, -1.0, 1.02])
def test_a_factor_is_measured_where_it_is(name: str, factor: float) -> None:
    made = fixture(**{name: factor})
    found = {"beliefs": agreement_of_beliefs(made, 0.1), **agreement_of_parameters(made, 0.1)}
    for other, agreement in found.items():
        wrong = factor if other == name else 1.0
        assert agreement.relative == pytest.approx(abs(wrong - 1), abs=1e-4)
        assert agreement.cosine == pytest.approx(np.sign(wrong), abs=1e-4)


def test_a_tensor_with_less_than_a_thousandth_of_the_gradient_is_left_out() -> None:
    sizes = (1e-2, 3e-3, 3e-4, 1e-4)
    found = [agreement_of_parameters(fixture(size), 0.1).keys() for size in sizes]
    assert found == [{"large", "small"}, {"large", "small"}, {"large"}, {"large"}]
    assert agreement_of_parameters(fixture(size=0.0), 0.1).keys() == {"large"}


def test_parameters_of_a_batch_are_looked_at_where_any_of_them_has_a_gradient() -> None:
    """One that this batch leaves alone does not hide the others."""
    for factor, relative in ((1.0, 0.0), (3.0, 2.0)):
        found = agreement_of_batch(fixture(size=0.0, large=factor), 0.1)
        assert found.keys() == {"the beliefs", "the parameters"}
        assert found["the parameters"].relative == pytest.approx(relative, abs=1e-3)


def test_the_solver_is_left_as_it_was() -> None:
    made = fixture()
    before = {name: value.clone() for name, value in made.solver.state_dict().items()}
    beliefs = made.sample.beliefs.clone()
    agreement_of_parameters(made, 0.1)
    agreement_of_beliefs(made, 0.1)
    assert all(torch.equal(value, before[name]) for name, value in made.solver.state_dict().items())
    assert torch.equal(made.sample.beliefs, beliefs)


def test_beliefs_are_moved_where_they_are_given_and_legal_alone() -> None:
    """A gradient that is wrong at the queries, or at symbols a variable does not take, is not looked at."""

    class Elsewhere(Straight):
        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            away = beliefs[:, 1].sum(1) + beliefs[:, 2, 3]
            return super().loss(beliefs, given, answer) + 100 * (away - away.detach())

    made = fixture()
    other = GradientFixture(Elsewhere(), made.sample, made.legal)
    assert agreement_of_beliefs(other, 1e-6).relative < 1e-6


def asked(noises: list[float], settled: float) -> list[float]:
    """Which steps are tried where neighbouring differences disagree by `noises`, relative to 1."""
    steps: list[float] = []
    values = np.cumprod([1.0, *(1 / (1 + noise) for noise in noises)])

    def differences(step: float) -> np.ndarray:
        steps.append(step)
        return values[[len(steps) - 1]]

    compare(np.ones(1), differences, settled)
    return steps


def test_narrower_steps_are_tried_until_two_agree() -> None:
    assert asked([0.5, 0.01, 0.3, 0.3], 0.02) == list(STEPS[:3])
    assert asked([0.5, 0.3, 0.2, 0.1], 0.02) == list(STEPS)
    assert list(STEPS) == sorted(STEPS, reverse=True)
    assert (STEPS[0], STEPS[-1]) == (3e-3, 1e-6)


def test_the_step_that_agrees_best_with_its_neighbour_is_taken() -> None:
    values = iter([3.0, 2.0, 2.1, 5.0, 9.0])
    found = compare(np.array([2.1]), lambda _: np.array([next(values)]), 1e-9)
    assert found.relative == 0
    assert found.noise == pytest.approx(0.1 / 2.1)
    assert found.cosine == pytest.approx(1)


def test_noise_and_error_are_norms_over_all_directions() -> None:
    steps = iter([np.array([3.0, 4.0]), np.array([3.0, 4.0])])
    found = compare(np.array([3.0, 4.5]), lambda _: next(steps), 1e-9)
    assert (found.noise, found.relative) == (0.0, pytest.approx(0.1))
    assert found.cosine == pytest.approx((9 + 18) / (5 * np.hypot(3, 4.5)))


class Given(nn.Module):
    """What a declaration says, around a fixed bench."""

    def __init__(self, problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return self.mixed(beliefs).softmax(-1)

    def mixed(self, beliefs: Tensor) -> Tensor:
        return (beliefs * self.weight).sum(1, keepdim=True).expand_as(beliefs)


def judged(name: str, agreement: tuple[float, float, float], exact: bool = False) -> Finding:
    """What `_judge` makes of cosine, relative error and noise."""
    subject = Subject(SolverSpec.of(type("Claims", (Given,), {"exact": exact})), TINY_TASK)
    registry: Registry[Subject] = Registry("contract")
    bound = gradient._bound(subject)
    registry.check("x", at_most=MEASURED)(lambda _: gradient._judge(Agreement(*agreement), name, bound))
    return registry["x"].run(subject)


@pytest.mark.parametrize(
    ("agreement", "exact", "status"),
    [
        ((1.0, 0.1, 0.0), False, "pass"),
        ((1.0, 0.11, 0.0), False, "fail"),
        ((0.99, 0.05, 0.1), False, "pass"),
        ((1.0, 0.05, 0.11), False, "inconclusive"),
        ((-1.0, 2.0, 0.5), False, "inconclusive"),
        ((1.0, 1e-4, 0.0), True, "pass"),
        ((1.0, 1.1e-4, 0.0), True, "fail"),
        ((1.0, 1e-5, 1.1e-4), True, "inconclusive"),
    ],
)
def test_the_relative_error_decides_and_noise_leaves_it_open(
    agreement: tuple[float, float, float], exact: bool, status: str
) -> None:
    found = judged("the beliefs", agreement, exact)
    assert (found.status, found.figure) == (status, agreement[1])
    assert found.bound == (1e-4 if exact else 0.1)
    assert f"cosine {agreement[0]:.6f}, relative error {agreement[1]:.2g}" in found.reason


class Own(Given):
    """Draws from a generator of its own, in every loss."""

    deterministic: ClassVar = False

    def __init__(self, problem) -> None:
        super().__init__(problem)
        self.noise = torch.Generator().manual_seed(0)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        drawn = torch.rand(beliefs.shape, generator=self.noise, dtype=beliefs.dtype)
        return (self.mixed(beliefs) + drawn).softmax(-1)


class Global(Given):
    """Draws from torch's own generator: from one state its loss is a function like any other."""

    deterministic: ClassVar = False

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return (self.mixed(beliefs) + torch.rand(beliefs.shape, dtype=beliefs.dtype)).softmax(-1)


class Surrogate(Given):
    surrogate: ClassVar = True


@pytest.mark.parametrize(
    "check",
    ["gradient-beliefs", "gradient-parameters"],
)
def test_who_is_let_off_a_true_gradient(check: str) -> None:
    """Noise is none: every loss is drawn from one state of all generators."""
    assert contract[check].run(Subject(SolverSpec.of(Surrogate), TINY_TASK)).status == "skip"
    for solver in (Own, Global, Given):
        assert contract[check].run(Subject(SolverSpec.of(solver), TINY_TASK)).status == "pass"


def test_the_bench_is_a_random_problem_in_float64_with_precise_options() -> None:
    class Coarse(Given):
        precise: ClassVar = {"by": 0}

        def __init__(self, problem, by: int = 1) -> None:
            super().__init__(problem)
            self.by = by

    spec = SolverSpec.of(Coarse)
    assert make_gradient_fixture(Subject(spec, TINY_TASK)).solver.by == 0
    coarse = make_gradient_fixture(Subject(spec, TINY_TASK), precise=False)
    assert coarse.solver.by == 1
    assert coarse.solver.weight.dtype == torch.float64
    assert coarse.sample.beliefs.shape == (6, 3, 4)
    assert coarse.legal.sum() == 3 + 2 + 4


def test_a_parameter_that_nothing_uses_is_left_out() -> None:
    made = fixture()
    made.solver.unused = nn.Parameter(torch.ones(2, dtype=torch.float64))
    assert agreement_of_parameters(made, 0.1).keys() == {"large", "small"}


def test_a_solver_that_is_built_for_any_problem_and_works_for_one_is_examined_on_that() -> None:
    class Narrow(Given):
        def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
            if beliefs.shape[1] != 2:
                raise ValueError("one image, one output")
            return super().forward(beliefs, given)

    assert make_gradient_fixture(Subject(SolverSpec.of(Narrow), TINY_TASK)).sample.beliefs.shape[1:] == (2, 4)


class InManyParts(Straight):
    """More tensors than there are directions to try on all of them together."""

    def __init__(self, parts: int = ALL_DIRECTIONS) -> None:
        super().__init__()
        self.parts = nn.ParameterList(torch.ones(3, 4, dtype=torch.float64) for _ in range(parts))

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return super().loss(beliefs, given, answer) + sum(part.sin().sum() for part in self.parts)


def test_each_of_many_tensors_is_tried_along_its_own_gradient() -> None:
    agreements = agreement_of_parameters(replace(fixture(), solver=InManyParts()), 1e-5)
    assert len(agreements) >= ALL_DIRECTIONS
    assert all(a.cosine == pytest.approx(1) and a.relative < 1e-5 for a in agreements.values())


class Watched(Straight):
    """Remembers how far its parameters and its beliefs were moved, and how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.start = self.large.detach().clone()
        self.moved: list[float] = []
        self.least, self.most = np.inf, -np.inf

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        self.moved.append(float((self.large.detach() - self.start).norm()))
        self.least = min(self.least, float(beliefs.detach().min()))
        self.most = max(self.most, float(beliefs.detach().max()))
        return super().loss(beliefs, given, answer)


def test_parameters_are_moved_by_no_more_than_the_widest_step() -> None:
    solver = Watched()
    agreement_of_parameters(replace(fixture(), solver=solver), 1e-9)
    moved = np.unique(np.round([m for m in solver.moved if m], 12))
    assert moved == pytest.approx(sorted(STEPS))


def test_beliefs_are_moved_by_no_more_than_the_widest_step() -> None:
    made, solver = fixture(), Watched()
    beliefs = torch.full_like(made.sample.beliefs, 0.5)
    agreement_of_beliefs(GradientFixture(solver, replace(made.sample, beliefs=beliefs), made.legal), 1e-9)
    assert solver.least == pytest.approx(0.5 - STEPS[0])
    assert solver.most == pytest.approx(0.5 + STEPS[0])


@pytest.mark.parametrize("parts", [8, 12])
def test_many_tensors_are_tried_along_few_directions(parts: int) -> None:
    """Two of each of two tensors, one of each where two would be more than twelve; two steps, two sides."""

    class Asked(InManyParts):
        asked = 0

        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            self.asked += 1
            return super().loss(beliefs, given, answer)

    many = Asked(parts)
    tried = agreement_of_parameters(replace(fixture(), solver=many), 0.1)
    assert len(tried) > parts
    assert many.asked == 1 + len(tried) * 2 * 2
    few = Watched()
    assert len(agreement_of_parameters(replace(fixture(), solver=few), 0.1)) == 2
    assert len(few.moved) == 1 + 2 * 2 * 2 * 2


class Winding(Straight):
    """The wider steps go round a bend."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0)
        return (950 * (seen + self.large)).sin().sum((1, 2))


def test_the_step_is_narrow_enough_for_the_bound() -> None:
    made = replace(fixture(), solver=Winding())
    assert agreement_of_beliefs(made, 0.1).relative < 0.01
    assert agreement_of_parameters(made, 0.1)["large"].relative < 0.01


def test_what_comes_after_a_tensor_that_is_left_out_is_not() -> None:
    made = fixture(size=1e-5)
    large = made.solver.large
    del made.solver.large
    made.solver.large = large
    assert [name for name, _ in made.solver.named_parameters()] == ["small", "still", "large"]
    assert agreement_of_parameters(made, 0.1).keys() == {"large"}


def test_a_thousandth_is_measured_closely() -> None:
    made = fixture()
    loss = made.solver.loss(*made.sample.parts).mean()
    large, small = torch.autograd.grad(loss, [made.solver.large, made.solver.small])
    for share, names in ((0.9e-3, {"large"}), (1.1e-3, {"large", "small"})):
        size = share * 1e-2 * float(large.norm() / small.norm())
        assert agreement_of_parameters(fixture(size), 0.1).keys() == names


def test_nothing_to_move_is_no_tensor() -> None:
    made = fixture()
    nothing = torch.zeros_like(made.sample.given)
    assert agreement_of_parameters(replace(made, sample=replace(made.sample, given=nothing)), 0.1) == {}


def test_differences_that_are_no_numbers_never_settle() -> None:
    found = compare(np.ones(2), lambda _: np.full(2, np.nan), 0.1)
    assert (found.cosine, found.relative, found.noise) == (0.0, np.inf, np.inf)
