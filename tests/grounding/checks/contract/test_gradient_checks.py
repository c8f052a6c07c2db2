"""The gradient checks against functions whose gradient is known, and against SATNet's public code."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.finite_differences import compare, make_gradient_fixture
from groundcheck.grounding.checks.contract.subject import Subject
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.solvers.neural import MLP

TINY_TASK = Mapping(symbols=4)
check_gradient_beliefs = contract["gradient-beliefs"].run
check_gradient_parameters = contract["gradient-parameters"].run
check_gradient_settings = contract["gradient-settings"].run
check_surrogate = contract["surrogate"].run


class PublicSATNet(nn.Module):
    """The `satnet` package as it is published, behind our contract."""

    def __init__(self, problem: Problem) -> None:
        satnet = pytest.importorskip("satnet", reason="the public satnet package is not installed")
        super().__init__()
        cells = len(problem.variables) * problem.symbols
        self.layer = satnet.SATNet(cells, m=12, aux=4, max_iter=500, eps=1e-7, prox_lam=0.0)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0).flatten(1).float()
        known = given.unsqueeze(-1).expand(beliefs.shape).flatten(1).int()
        return self.layer(seen, known).view_as(beliefs).to(beliefs.dtype)


def test_the_public_satnet_is_caught_and_ours_is_not() -> None:
    public = Subject(SolverSpec.of(PublicSATNet), TINY_TASK)
    result = check_gradient_beliefs(public)
    assert result.status == "fail", result.reason
    assert result.figure is not None
    assert result.figure > 0.5
    assert check_gradient_parameters(public).status in ("pass", "inconclusive")
    assert check_gradient_beliefs(Subject(SolverSpec("satnet"), TINY_TASK)).status == "pass"


def test_our_satnet_has_the_right_gradient_and_tells_what_its_settings_cost() -> None:
    subject = Subject(SolverSpec("satnet"), TINY_TASK)
    for check in (check_gradient_beliefs, check_gradient_parameters):
        result = check(subject)
        assert result.status == "pass", result.reason
        assert result.figure is not None
        assert result.figure < 0.02
        assert "cosine 1.000000" in result.reason or "cosine 0.9999" in result.reason
    assert check_gradient_settings(subject).status == "pass"


def test_settings_that_point_elsewhere_are_caught() -> None:
    class Turn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, beliefs: Tensor, by: int) -> Tensor:
            ctx.by = by
            return beliefs.clone()

        @staticmethod
        def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
            return gradient.roll(ctx.by, -1), None

    class Coarse(MLP):
        """Its backward pass approximates, wildly."""

        precise: ClassVar = {"by": 0}

        def __init__(self, problem: Problem, by: int = 1) -> None:
            super().__init__(problem, hidden=12)
            self.by = by

        def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
            return super().forward(Turn.apply(beliefs, self.by), given)

    assert check_gradient_beliefs(Subject(SolverSpec.of(Coarse), TINY_TASK)).status == "pass"
    result = check_gradient_settings(Subject(SolverSpec.of(Coarse), TINY_TASK))
    assert result.status == "fail", result.reason
    assert result.figure is not None
    assert result.figure < 0.9


def cubes(at: np.ndarray):
    return lambda step: ((at + step) ** 3 - (at - step) ** 3) / (2 * step)


def test_agreement_is_measured() -> None:
    at = np.array([0.3, -1.0, 2.0])
    right = compare(3 * at**2, cubes(at), 1e-9)
    assert right.cosine == pytest.approx(1)
    assert right.relative < 1e-7
    double = compare(6 * at**2, cubes(at), 1e-9)
    assert double.cosine == pytest.approx(1)
    assert double.relative == pytest.approx(1, rel=1e-6)
    flipped = compare(-3 * at**2, cubes(at), 1e-9)
    assert flipped.cosine == pytest.approx(-1)
    assert flipped.relative == pytest.approx(2, rel=1e-6)


def test_differences_that_do_not_settle_are_known() -> None:
    rng = np.random.default_rng(0)
    assert compare(np.ones(20), lambda step: rng.normal(size=20) / step, 1e-3).noise > 0.5


def test_nothing_moves_is_no_agreement() -> None:
    nothing = compare(np.zeros(3), lambda _: np.zeros(3), 1e-3)
    assert (nothing.cosine, nothing.relative) == (0.0, np.inf)


def test_a_solver_for_one_problem_alone_is_examined_on_that() -> None:
    class OnlyMapping(nn.Module):
        def __init__(self, problem: Problem) -> None:
            if len(problem.variables) != 2:
                raise ValueError("one image, one output")
            super().__init__()
            self.map = nn.Parameter(torch.rand(problem.symbols, problem.symbols))

        def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
            out = beliefs[:, :1] @ self.map.softmax(-1)
            return torch.cat([beliefs[:, :1], out], dim=1)

    fixture = make_gradient_fixture(Subject(SolverSpec.of(OnlyMapping), TINY_TASK))
    assert fixture.sample.beliefs.shape[1:] == (2, 4)
    assert fixture.sample.beliefs.dtype == torch.float64
    assert check_gradient_parameters(Subject(SolverSpec.of(OnlyMapping), TINY_TASK)).status == "pass"


class Leaning(nn.Module):
    """Hard decisions about a bias and the image; the gradient of either can be turned, or lost."""

    surrogate: ClassVar = True
    of_beliefs: ClassVar = 1.0
    of_bias: ClassVar = 1.0

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.eye(problem.symbols)[0] / 20)  # prefers 0

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        bias = 10 * self.bias.to(beliefs)
        soft = self.of_beliefs * beliefs[:, :1] + self.of_bias * bias
        hard = nn.functional.one_hot((beliefs[:, :1] + bias).argmax(-1), beliefs.shape[-1])
        answered = (hard + soft - soft.detach()).expand_as(beliefs)
        return torch.where(given.unsqueeze(-1), beliefs, answered)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return nn.functional.cross_entropy(5 * self(beliefs, given)[:, 1], answer[:, 1], reduction="none")


@pytest.mark.parametrize(
    ("of_beliefs", "of_bias", "status"), [(1, 1, "pass"), (-1, 1, "fail"), (1, -1, "fail"), (0, 1, "fail")]
)
def test_a_surrogate_gradient_leads_downhill(of_beliefs: float, of_bias: float, status: str) -> None:
    turned = type("Turned", (Leaning,), {"of_beliefs": float(of_beliefs), "of_bias": float(of_bias)})
    result = check_surrogate(Subject(SolverSpec.of(turned), TINY_TASK))
    assert result.status == status, result.reason
    assert result.bound == 0
    assert result.figure is not None
    assert (result.figure < 0) == (status == "pass")
    assert result.reason.startswith("in 12 steps the loss moves by ")
    assert "the gradient of the beliefs" in result.reason
    assert "the gradient of the parameters" in result.reason


def test_right_for_beliefs_and_not_for_parameters_is_a_surrogate_too() -> None:
    class HardBias(Leaning):
        def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
            soft = beliefs[:, :1].expand_as(beliefs)
            leaning = (self.bias > self.bias.mean()).to(beliefs) - self.bias.detach() + self.bias
            return torch.where(given.unsqueeze(-1), beliefs, (soft + 3 * leaning) / 4)

    result = check_surrogate(Subject(SolverSpec.of(HardBias), TINY_TASK))
    assert "the gradient of the parameters" in result.reason, result.reason


def test_who_has_no_parameters_is_followed_by_the_beliefs_alone() -> None:
    class Unlearned(Leaning):
        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.bias.requires_grad_(False)

    result = check_surrogate(Subject(SolverSpec.of(Unlearned), TINY_TASK))
    assert (result.status, "parameters" in result.reason) == ("pass", False), result.reason


class Scaled(torch.autograd.Function):
    """The identity, with a gradient so many times as large."""

    @staticmethod
    def forward(ctx, beliefs: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return beliefs.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * gradient, None


def test_a_gradient_of_another_size_is_a_surrogate_with_the_options_of_use() -> None:
    class Large(MLP):
        surrogate: ClassVar = True
        precise: ClassVar = {"factor": 1.0}

        def __init__(self, problem: Problem, factor: float = 3.0) -> None:
            super().__init__(problem, hidden=12)
            self.frozen = nn.Parameter(torch.zeros(()), requires_grad=False)
            self.factor = factor

        def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
            return super().forward(Scaled.apply(beliefs, self.factor), given)

    result = check_surrogate(Subject(SolverSpec.of(Large), TINY_TASK))
    assert result.status == "pass", result.reason
    assert "the gradient of the parameters" in result.reason


class Watched(Leaning):
    """Keeps what it is asked, from the first call in which its sample is followed."""

    seen: ClassVar[list[tuple[Tensor, ...]]] = []

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        losses = super().loss(beliefs, given, answer) + (self.bias * torch.arange(4.0)).sum()
        if len(beliefs) == 64:
            slope = torch.zeros(4) if self.bias.grad is None else self.bias.grad
            kept = beliefs, self.bias, slope, losses
            self.seen.append(tuple(part.detach().clone() for part in kept))
        return losses


def test_a_surrogate_gradient_is_followed_in_steps_of_one_nat_and_of_a_hundredth() -> None:
    Watched.seen.clear()
    subject = Subject(SolverSpec.of(Watched), TINY_TASK)
    result = check_surrogate(subject)
    beliefs, biases, slopes, losses = (torch.stack(part) for part in zip(*Watched.seen, strict=True))
    assert len(beliefs) == 4 * 13  # both ways, by the beliefs and by the bias
    torch.testing.assert_close(
        beliefs[[0, 13, 26, 39]], subject.sample(64, seed=3).beliefs.expand(4, -1, -1, -1)
    )
    for first in (0, 13):
        steps = beliefs[first : first + 13, :, 0].log().diff(dim=0)
        lengths = (steps - steps.mean(-1, keepdim=True)).norm(dim=-1)
        moved = lengths > 1e-3  # no gradient is left where an answer is sure
        assert moved[0].all()
        torch.testing.assert_close(lengths[0], torch.ones(64), rtol=1e-3, atol=1e-3)
    down, up = biases[26:39].diff(dim=0), biases[39:52].diff(dim=0)
    torch.testing.assert_close(down[0].abs(), torch.full((4,), 0.01), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(up[0], -down[0])
    # The gradient is that of one step, not of all so far.
    assert float(slopes[27:52].abs().max()) < 2 * float(slopes[[27, 40]].abs().max())
    change = [float((losses[first + 12] - losses[first]).double().mean()) for first in (0, 13, 26, 39)]
    for name, down_by, up_by in (("beliefs", *change[:2]), ("parameters", *change[2:])):
        assert f"{down_by:+.3g} down the gradient of the {name}, {up_by:+.3g} up" in result.reason
    largest = max(change[0], change[0] - change[1], change[2], change[2] - change[3])
    assert result.figure == pytest.approx(largest, rel=1e-4)


def test_a_loss_that_is_no_number_in_the_end_is_no_lower() -> None:
    class Breaking(Leaning):
        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            lost = torch.where(self.bias[0] < 0.04, torch.nan, 0.0)
            return super().loss(beliefs, given, answer) + lost

    result = check_surrogate(Subject(SolverSpec.of(Breaking), TINY_TASK))
    assert result.status == "fail", result.reason


def test_a_true_gradient_is_no_surrogate() -> None:
    class True_(MLP):
        surrogate: ClassVar = True

    result = check_surrogate(Subject(SolverSpec.of(True_), TINY_TASK))
    assert (result.status, result.figure) == ("fail", None)
    assert "nothing has to be declared" in result.reason
    assert check_surrogate(Subject(SolverSpec.of(MLP), TINY_TASK)).status == "skip"


class Weighted(nn.Module):
    """Two weights, of which one may be kept as it is, or be in vain."""

    kept, vain = False, False

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.kept_weight = nn.Parameter(torch.ones(()), requires_grad=not self.kept)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        weight = self.kept_weight * (0 * self.weight if self.vain else self.weight)
        return (weight * beliefs).sum(1, keepdim=True).softmax(-1).expand_as(beliefs)


def test_one_parameter_that_learns_is_enough_to_be_examined() -> None:
    solver = type("Kept", (Weighted,), {"kept": True})
    result = check_gradient_parameters(Subject(SolverSpec.of(solver), TINY_TASK))
    assert result.status == "pass"
    assert result.reason.startswith("weight: ")


def test_parameters_that_are_all_in_vain_fail() -> None:
    solver = type("Vain", (Weighted,), {"kept": True, "vain": True})
    result = check_gradient_parameters(Subject(SolverSpec.of(solver), TINY_TASK))
    assert (result.status, result.reason) == ("fail", "no parameter has a gradient")


def test_a_dead_weight_behind_an_idle_one_is_found() -> None:
    class Idle(MLP):
        idle: ClassVar = ("spare", "single")

        def __init__(self, problem: Problem) -> None:
            super().__init__(problem, hidden=8)
            self.spare = nn.Linear(2, 2)
            self.single = nn.Parameter(torch.zeros(2))
            self.spared = nn.Parameter(torch.zeros(2))

    class AllDeclared(Idle):
        idle: ClassVar = ("spare", "single", "spared")

    dead, declared = (
        contract["reach"].run(Subject(SolverSpec.of(solver), TINY_TASK)) for solver in (Idle, AllDeclared)
    )
    assert (dead.status, declared.status) == ("fail", "pass")
    assert dead.reason.startswith("no gradient reaches spared")


def test_who_has_no_parameters_has_no_gradient_of_theirs() -> None:
    result = check_gradient_parameters(Subject(SolverSpec("exact"), TINY_TASK))
    assert (result.status, result.reason) == ("skip", "the solver has no parameters")
