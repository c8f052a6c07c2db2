"""Gradients of a solver's loss against finite differences."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .random_problem import random_beliefs, random_problem
from .subject import Sample, Subject, row_losses

DOMAINS = (3, 2, 4)  # of the random problem on which finite differences are taken
# Steps of central differences, relative to beliefs of order 1. The widest suits solvers that stop at a
# tolerance or compute in float32 inside, the narrowest those that are smooth in float64.
STEPS = (3e-3, 1e-3, 1e-4, 1e-5, 1e-6)
DIRECTIONS = 2  # per row, of beliefs; and at most per tensor, of parameters
ALL_DIRECTIONS = 12  # of all parameters together, but at least one per tensor
NEGLIGIBLE = 1e-3  # share of the whole gradient below which that of a tensor is left out


@dataclass(frozen=True)
class Agreement:
    """Directional derivatives by backward and by finite differences, compared."""

    cosine: float
    relative: float  # ‖backward − differences‖ / ‖differences‖
    noise: float  # by how much the differences of two neighbouring steps disagree, relative

    @property
    def message(self) -> str:
        """For a reason."""
        return f"cosine {self.cosine:.6f}, relative error {self.relative:.2g}"


def compare(
    backward: Float[np.ndarray, " samples"],
    differences: Callable[[float], Float[np.ndarray, " samples"]],
    settled: float,
) -> Agreement:
    """Compares with the step whose differences agree best with those of the wider one before it.

    Narrower steps are not tried where two agree to `settled` already.
    """
    numeric = wider = differences(STEPS[0])
    noise = np.inf
    for step in STEPS[1:]:
        narrower = differences(step)
        gap = float(np.linalg.norm(wider - narrower) / max(np.linalg.norm(narrower), 1e-300))
        if gap < noise:
            numeric, noise = narrower, gap
        if noise < settled:
            break
        wider = narrower
    size = float(np.linalg.norm(numeric))
    norms = size * float(np.linalg.norm(backward))
    cosine = float(backward @ numeric) / norms if norms > 0 else 0.0
    relative = float(np.linalg.norm(backward - numeric)) / size if size > 0 else np.inf
    return Agreement(cosine, relative, noise)


@dataclass(frozen=True)
class GradientFixture:
    """A solver in float64 with rows to differentiate at."""

    solver: nn.Module
    sample: Sample
    legal: Tensor  # (variables, symbols)


def make_gradient_fixture(subject: Subject, *, precise: bool = True) -> GradientFixture:
    """A bench on a small random problem, with the options the solver calls precise.

    A solver that was written for the problem of the task alone gets that.
    """
    problem, worlds = random_problem(DOMAINS, 0)
    options = getattr(subject.declared, "precise", {}) if precise else {}
    chosen = replace(subject, spec=replace(subject.spec, options={**subject.spec.options, **options}))
    try:
        solver = chosen.build(problem=problem).double()
        sample = random_beliefs(problem, worlds, 0)
        row_losses(solver, sample)
    except Exception:
        problem, sample, solver = subject.problem, subject.few.double(), chosen.build().double()
    there = Sample(*(part.to(subject.device) for part in sample.parts))
    return GradientFixture(solver, there, torch.from_numpy(problem.legal).to(subject.device))


def agreement_of_beliefs(fixture: GradientFixture, bound: float) -> Agreement:
    """Derivatives of the loss of the whole batch along random directions of the beliefs of single rows.

    Of the whole batch, so that rows that influence each other are no reason for a difference.
    """
    sample, rng = fixture.sample, torch.Generator().manual_seed(2)
    beliefs = sample.beliefs.requires_grad_()
    [gradient] = torch.autograd.grad(row_losses(fixture.solver, sample).sum(), [beliefs])
    inside = (sample.given.unsqueeze(-1) & fixture.legal).double()
    rows = torch.arange(DIRECTIONS * len(beliefs)) % len(beliefs)
    drawn = torch.randn(len(rows), *beliefs.shape[1:], generator=rng, dtype=torch.float64).clamp(-2, 2) / 2
    directions = drawn.to(beliefs.device) * inside[rows]
    backward = (directions * gradient[rows]).sum((1, 2)).numpy(force=True)

    @torch.no_grad()
    def differences(step: float) -> Float[np.ndarray, " samples"]:
        found: list[float] = []
        for row, direction in zip(rows.tolist(), directions, strict=True):
            sides: list[float] = []
            for side in (step, -step):
                moved = beliefs.detach().clone()
                moved[row] += side * direction
                losses = row_losses(fixture.solver, Sample(moved, sample.given, sample.answer))
                sides.append(float(losses.double().sum()))
            found.append((sides[0] - sides[1]) / (2 * step))
        return np.array(found)

    return compare(backward, differences, bound / 20)


def agreement_of_parameters(fixture: GradientFixture, bound: float) -> dict[str, Agreement]:
    """Derivatives of the mean loss along the gradient of each tensor of parameters, and random directions."""
    solver, sample = fixture.solver, fixture.sample
    named = {name: p for name, p in solver.named_parameters() if p.requires_grad}
    loss = row_losses(solver, sample).mean()
    found = torch.autograd.grad(loss, list(named.values()), materialize_grads=True)
    gradients = dict(zip(named, found, strict=True))
    whole = float(torch.stack([g.norm() for g in found]).norm())
    generator = torch.Generator().manual_seed(3)
    agreements: dict[str, Agreement] = {}
    for name, parameter in named.items():
        size = float(gradients[name].norm())
        if size <= NEGLIGIBLE * whole:
            continue
        shape = (max(1, min(DIRECTIONS, ALL_DIRECTIONS // len(named))), *parameter.shape)
        directions = torch.randn(shape, generator=generator, dtype=torch.float64).to(parameter)
        sizes = directions.reshape(len(directions), -1).norm(dim=1).clamp_min(1e-300)
        directions /= sizes.view(-1, *[1] * parameter.dim())
        # Random directions hardly meet the gradient of a large tensor; the gradient itself is one of them.
        directions[0] = gradients[name] / size
        products = (directions * gradients[name]).reshape(len(directions), -1)
        backward = products.sum(1).numpy(force=True)

        def differences(
            step: float, parameter: Tensor = parameter, directions: Tensor = directions
        ) -> Float[np.ndarray, " samples"]:
            sides = [_displaced(solver, sample, parameter, sign * step, directions) for sign in (1, -1)]
            return (sides[0] - sides[1]) / (2 * step)

        agreements[name] = compare(backward, differences, bound / 20)
    return agreements


@torch.no_grad()
def _displaced(
    solver: nn.Module, sample: Sample, parameter: Tensor, step: float, directions: Tensor
) -> Float[np.ndarray, " samples"]:
    """The mean loss with one parameter moved along each direction in turn."""
    losses: list[float] = []
    before = parameter.detach().clone()
    for direction in directions:
        parameter.copy_(before + step * direction)
        losses.append(float(row_losses(solver, sample).mean()))
    parameter.copy_(before)
    return np.array(losses)
