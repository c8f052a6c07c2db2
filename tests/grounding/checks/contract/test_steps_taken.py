"""How far, along what and how often the gradient checks step: watched from inside the loss."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.grounding.checks.contract import gradient_checks
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.finite_differences import (
    STEPS,
    GradientFixture,
    agreement_of_batch,
    agreement_of_beliefs,
    make_training_fixture,
)
from groundcheck.grounding.checks.contract.gradient_checks import STEP_LENGTHS
from groundcheck.grounding.checks.contract.subject import Sample, Subject
from groundcheck.grounding.trials.spec import SolverSpec

TASK = Mapping(symbols=4)


class Watched(nn.Module):
    """A smooth loss that remembers where it was asked; gradients may be multiplied on their way back."""

    def __init__(self, **factors: float) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.one = nn.Parameter(torch.randn(3, 4, dtype=torch.float64, generator=rng))
        self.two = nn.Parameter(torch.randn(3, 4, dtype=torch.float64, generator=rng))
        self.still = nn.Parameter(torch.zeros(2, dtype=torch.float64), requires_grad=False)
        self.factors = factors
        self.asked: list[tuple[Tensor, ...]] = []

    def bent(self, name: str, value: Tensor) -> Tensor:
        factor = self.factors.get(name, 1.0)
        return factor * value + (1 - factor) * value.detach()

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        self.asked.append(tuple(part.detach().clone() for part in (beliefs, self.one, self.two)))
        seen = torch.where(given.unsqueeze(-1), self.bent("beliefs", beliefs), 0.0)
        weights = self.bent("parameters", self.one).sin() + self.bent("parameters", self.two).cos()
        return (weights * seen).sum((1, 2)).exp() + 0.1 * beliefs[:, 1].sum(1)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return beliefs


def fixture(**factors: float) -> GradientFixture:
    rng = torch.Generator().manual_seed(1)
    beliefs = torch.rand(5, 3, 4, dtype=torch.float64, generator=rng)
    given = torch.tensor([[True, False, True]]).expand(5, 3)
    legal = torch.ones(3, 4, dtype=torch.bool)
    legal[2, 3] = False
    return GradientFixture(Watched(**factors), Sample(beliefs, given, torch.full((5, 3), -1)), legal)


def test_a_batch_is_moved_along_its_gradient_and_three_other_directions() -> None:
    made = fixture()
    solver: Any = made.solver
    before = [p.detach().clone() for p in (made.sample.beliefs, solver.one, solver.two)]
    found = agreement_of_batch(made, 0.2)
    assert found.keys() == {"the beliefs", "the parameters"}
    for agreement in found.values():
        assert agreement.relative < 1e-4
        assert agreement.cosine == pytest.approx(1)
    steps = 2  # the second agrees with the first to a hundredth
    assert len(solver.asked) == 1 + 2 * steps * 4 * 2
    moved = [[a - b for a, b in zip(asked, before, strict=True)] for asked in solver.asked[1:]]
    lengths = [torch.stack([part.norm() for part in parts]).norm().item() for parts in moved]
    assert lengths == pytest.approx([*[STEPS[0]] * 8, *[STEPS[1]] * 8] * 2)
    for parts in moved[:16]:  # of beliefs: where they are given and legal alone
        assert not parts[1].any()
        assert not parts[2].any()
        assert not parts[0][:, 1].any()
        assert not parts[0][:, 2, 3].any()
    for parts in moved[16:]:
        assert not parts[0].any()
        assert parts[1].any()
        assert parts[2].any()
    for up, down in zip(moved[::2], moved[1::2], strict=True):
        assert all(torch.allclose(a, -b) for a, b in zip(up, down, strict=True))
    ways = torch.stack([torch.cat([p.flatten() for p in parts]) / STEPS[0] for parts in moved[:8:2]])
    assert (ways @ ways.T).fill_diagonal_(0).abs().max() < 0.7  # four directions, no two alike
    after = [made.sample.beliefs, solver.one, solver.two]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["beliefs", "parameters"])
@pytest.mark.parametrize("factor", [2.0, -1.0, 1.1])
def test_a_factor_of_a_whole_batch_is_measured_where_it_is(name: str, factor: float) -> None:
    found = agreement_of_batch(fixture(**{name: factor}), 0.1)
    for other, agreement in found.items():
        wrong = factor if other == f"the {name}" else 1.0
        assert agreement.relative == pytest.approx(abs(wrong - 1), abs=1e-3)
        assert agreement.cosine == pytest.approx(np.sign(wrong), abs=1e-3)


def test_rows_are_moved_one_by_one_in_two_directions_each() -> None:
    made = fixture()
    solver: Any = made.solver
    before = made.sample.beliefs.detach().clone()
    assert agreement_of_beliefs(made, 0.2).relative < 1e-4
    assert len(solver.asked) == 1 + 2 * 10 * 2
    moved = [asked[0] - before for asked in solver.asked[1:]]
    rows = [int(part.flatten(1).any(1).nonzero().item()) for part in moved]
    assert rows == [row for row in [*range(5)] * 2 for _ in range(2)] * 2
    for part in moved:
        assert float(part.abs().max()) <= STEPS[0] + 1e-12
        assert not part[:, 1].any()
        assert not part[:, 2, 3].any()
    assert not torch.allclose(moved[0][0], moved[10][0])  # the second direction is another one


class Stepped(nn.Module):
    """Falls along either gradient; remembers where it was asked."""

    asked: ClassVar[list[tuple[Tensor, Tensor, Tensor]]] = []
    uphill: ClassVar[float] = 1.0

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))
        self.still = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return beliefs

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        self.asked.append((beliefs.detach().clone(), self.weight.detach().clone(), given))
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0)
        return seen.square().sum((1, 2)) + self.uphill * self.weight.square().sum() + beliefs.sum((1, 2))


def test_the_loss_has_to_fall_along_both_gradients_at_one_of_five_lengths() -> None:
    Stepped.asked.clear()
    checked = contract["descends"].run(Subject(SolverSpec.of(Stepped), TASK))
    assert (checked.status, checked.bound) == ("pass", 0.0)
    assert len(Stepped.asked) == 2 + 2 * len(STEP_LENGTHS)  # once to see that it can be built for it
    start, weight, given = Stepped.asked[1]
    for (beliefs, _, _), length in zip(Stepped.asked[2:7], STEP_LENGTHS, strict=True):
        assert not (beliefs - start)[~given].any()
        assert float((beliefs - start).norm()) <= length + 1e-9
        assert float((beliefs - start).norm()) == pytest.approx(length, rel=0.35)  # clamped to [0, 1]
        assert float(beliefs.min()) >= 0
    for (beliefs, moved, _), length in zip(Stepped.asked[7:], STEP_LENGTHS, strict=True):
        assert torch.equal(beliefs, start)
        torch.testing.assert_close(moved, weight * (1 - length / 5), rtol=1e-9, atol=1e-12)
    by_weight = 25 * (1 - (1 - 0.1 / 5) ** 2)
    assert f", {by_weight:.3g} nats by the parameters" in checked.reason
    assert checked.figure is not None
    assert -by_weight < checked.figure < 0  # the lesser of the two


def test_what_has_no_parameters_descends_by_its_beliefs() -> None:
    class Bare(Stepped):
        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.weight.requires_grad_(False)

    checked = contract["descends"].run(Subject(SolverSpec.of(Bare), TASK))
    assert (checked.status, "parameters" in checked.reason) == ("pass", False)


class InTraining(nn.Module):
    """Its gradient is wrong by a factor, in training, at the size of a training batch."""

    factor: ClassVar[float] = 1.0
    exact: ClassVar[bool] = False

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.2, 1.0, 4).diag())
        self.rows: list[int] = []

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        factor = self.factor if self.training and len(beliefs) == 12 else 1.0
        seen = factor * beliefs + (1 - factor) * beliefs.detach()
        return (seen[:, :1] @ self.weight.to(beliefs)).softmax(-1).expand_as(beliefs)


@pytest.mark.parametrize(
    ("factor", "exact", "status"),
    [
        (1.29, False, "pass"), (1.31, False, "fail"), (0.71, False, "pass"), (0.69, False, "fail"),
        (1.00009, True, "pass"), (1.00011, True, "fail"), (-1.0, False, "fail"),
    ],
)  # fmt: skip
def test_the_gradient_of_training_is_held_to_its_bound(factor: float, exact: bool, status: str) -> None:
    solver = type("Bent", (InTraining,), {"factor": factor, "exact": exact})
    subject = Subject(SolverSpec.of(solver), TASK, batch=12)
    checked = contract["gradient-training"].run(subject)
    assert (checked.status, checked.bound) == (status, 1e-4 if exact else 0.3)
    assert checked.figure == pytest.approx(abs(factor - 1), abs=2e-3 if not exact else 2e-6)
    assert checked.reason.startswith("the beliefs: cosine ")
    made = make_training_fixture(subject)
    assert (made.solver.training, made.sample.beliefs.dtype) == (True, torch.float64)
    assert len(made.sample.given) == 12


def test_a_gradient_of_the_right_direction_and_another_size_is_a_surrogate() -> None:
    """Within a tenth, and a cosine of 0.99, nothing has to be declared."""
    for factor, said in ((1.09, True), (1.11, False)):

        class Bent(InTraining):
            surrogate: ClassVar[bool] = True
            size: ClassVar[float] = factor

            def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
                seen = self.size * beliefs + (1 - self.size) * beliefs.detach()
                first = seen[:, :1] @ self.weight.to(beliefs)[: seen.shape[-1]]
                return first.softmax(-1).expand_as(beliefs)

        checked = contract["surrogate"].run(Subject(SolverSpec.of(Bent), TASK))
        assert ("nothing has to be declared" in checked.reason) == said, checked.reason
    assert gradient_checks.FOLLOWED == 12


def test_what_has_no_gradient_is_left_out_and_the_rest_is_not() -> None:
    assert set(agreement_of_batch(fixture(beliefs=0.0), 0.1)) == {"the parameters"}
    assert set(agreement_of_batch(fixture(parameters=0.0), 0.1)) == {"the beliefs"}
