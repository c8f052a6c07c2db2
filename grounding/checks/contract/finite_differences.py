"""Gradients of a solver's loss against finite differences."""

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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
BATCH_DIRECTIONS = 3  # random ones of a whole batch, beside the gradient
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

    @cached_property
    def generators(self) -> list[tuple[Any, Any]]:
        """The random generators that the solver keeps as attributes, each with the state it began in."""
        kept = [value for module in self.solver.modules() for value in vars(module).values()]
        return [
            *((g, g.get_state()) for g in kept if isinstance(g, torch.Generator)),
            *((g, g.bit_generator.state) for g in kept if isinstance(g, np.random.Generator)),
            *((g, g.getstate()) for g in kept if isinstance(g, random.Random)),
        ]

    def losses(self, sample: Sample) -> Tensor:
        """The training loss of every row, from one state of the global and of the solver's own generators:
        of a solver that draws random numbers, a function like any other.
        """
        for generator, state in self.generators:
            if isinstance(generator, torch.Generator):
                generator.set_state(state)
            elif isinstance(generator, np.random.Generator):
                generator.bit_generator.state = state
            else:
                generator.setstate(state)
        return row_losses(self.solver, sample)


def make_gradient_fixture(subject: Subject, *, precise: bool = True) -> GradientFixture:
    """A bench on a small random problem, with the options the solver calls precise.

    A solver that was written for the problem of the task alone gets that, and so does one that finds nothing
    to go by in solutions of the small one.
    """
    problem, worlds = random_problem(DOMAINS, 0)
    options = getattr(subject.declared, "precise", {}) if precise else {}
    chosen = replace(subject, spec=replace(subject.spec, options={**subject.spec.options, **options}))
    try:
        solver, sample = chosen.build(problem=problem).double(), random_beliefs(problem, worlds, 0)
        row_losses(solver, sample)
    except Exception:
        solver, sample = None, None
    if solver is None or sample is None or (subject.evidence and not getattr(solver, "informed", True)):
        problem, sample, solver = subject.problem, subject.few.double(), chosen.build().double()
    there = Sample(*(part.to(subject.device) for part in sample.parts))
    legal = torch.from_numpy(problem.legal).to(subject.device)
    return GradientFixture(solver, there, legal)


def make_training_fixture(subject: Subject) -> GradientFixture:
    """The problem of the task, in training mode, at the batch size of training; in float64 if it can be."""
    options = getattr(subject.declared, "precise", {})
    chosen = replace(subject, spec=replace(subject.spec, options={**subject.spec.options, **options}))
    legal = torch.from_numpy(subject.problem.legal).to(subject.device)
    solver, sample = chosen.build().double().train(), subject.as_trained.double()
    try:
        row_losses(copy.deepcopy(solver), sample)
    except Exception:
        solver, sample = chosen.build().train(), subject.as_trained
    return GradientFixture(solver, sample, legal)


def agreement_of_batch(fixture: GradientFixture, bound: float) -> dict[str, Agreement]:
    """Derivatives of the mean loss of a whole batch along its gradient and along random directions: of the
    beliefs, and of all parameters together.
    """
    solver, sample = fixture.solver, fixture.sample
    beliefs = sample.beliefs.detach().clone().requires_grad_()
    named = {name: p for name, p in solver.named_parameters() if p.requires_grad}
    moved: dict[str, Sequence[Tensor]] = {"the beliefs": [beliefs]}
    if named:
        moved["the parameters"] = list(named.values())
    loss = fixture.losses(Sample(beliefs, sample.given, sample.answer)).mean()
    everything = [part for parts in moved.values() for part in parts]
    slopes = torch.autograd.grad(loss, everything, materialize_grads=True)
    found = dict(zip(map(id, everything), slopes, strict=True))
    generator = torch.Generator().manual_seed(6)
    inside = (sample.given.unsqueeze(-1) & fixture.legal).to(beliefs)
    agreements: dict[str, Agreement] = {}
    for name, parts in moved.items():
        gradients = [found[id(part)] * (inside if part is beliefs else 1) for part in parts]
        if not any(bool(gradient.any()) for gradient in gradients):
            continue
        directions = [gradients]
        for _ in range(BATCH_DIRECTIONS):
            drawn = [torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p) for p in parts]
            directions.append([d * inside if p is beliefs else d for d, p in zip(drawn, parts, strict=True)])
        directions = [_unit(direction) for direction in directions]
        products = [
            [float((d * g).sum()) for d, g in zip(direction, gradients, strict=True)]
            for direction in directions
        ]
        backward = np.array([sum(parts) for parts in products])

        @torch.no_grad()
        def differences(
            step: float, parts: Sequence[Tensor] = parts, directions: list[list[Tensor]] = directions
        ) -> Float[np.ndarray, " samples"]:
            at = Sample(beliefs, sample.given, sample.answer)
            values: list[float] = []
            for direction in directions:
                sides: list[float] = []
                before = [part.detach().clone() for part in parts]
                for side in (step, -step):
                    for part, start, way in zip(parts, before, direction, strict=True):
                        part.copy_(start + side * way)
                    sides.append(float(fixture.losses(at).double().mean()))
                for part, start in zip(parts, before, strict=True):
                    part.copy_(start)
                values.append((sides[0] - sides[1]) / (2 * step))
            return np.array(values)

        agreements[name] = compare(backward, differences, bound / 20)
    return agreements


def _unit(direction: list[Tensor]) -> list[Tensor]:
    norm = torch.stack([part.norm() for part in direction]).norm().clamp_min(1e-300)
    return [part / norm for part in direction]


def agreement_of_beliefs(fixture: GradientFixture, bound: float) -> Agreement:
    """Derivatives of the loss of the whole batch along random directions of the beliefs of single rows.

    Of the whole batch, so that rows that influence each other are no reason for a difference.
    """
    sample, rng = fixture.sample, torch.Generator().manual_seed(2)
    beliefs = sample.beliefs.requires_grad_()
    [gradient] = torch.autograd.grad(fixture.losses(sample).sum(), [beliefs])
    inside = (sample.given.unsqueeze(-1) & fixture.legal).double()
    rows = torch.arange(DIRECTIONS * len(beliefs)) % len(beliefs)
    drawn = torch.randn(len(rows), *beliefs.shape[1:], generator=rng, dtype=torch.float64).clamp(-2, 2) / 2
    directions = drawn.to(beliefs.device) * inside[rows]
    backward = (directions * gradient[rows]).sum((1, 2)).cpu().numpy()

    @torch.no_grad()
    def differences(step: float) -> Float[np.ndarray, " samples"]:
        found: list[float] = []
        for row, direction in zip(rows.tolist(), directions, strict=True):
            sides: list[float] = []
            for side in (step, -step):
                moved = beliefs.detach().clone()
                moved[row] += side * direction
                losses = fixture.losses(Sample(moved, sample.given, sample.answer))
                sides.append(float(losses.double().sum()))
            found.append((sides[0] - sides[1]) / (2 * step))
        return np.array(found)

    return compare(backward, differences, bound / 20)


def agreement_of_parameters(fixture: GradientFixture, bound: float) -> dict[str, Agreement]:
    """Derivatives of the mean loss along the gradient of each tensor of parameters, and random directions."""
    solver, sample = fixture.solver, fixture.sample
    named = {name: p for name, p in solver.named_parameters() if p.requires_grad}
    loss = fixture.losses(sample).mean()
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
        backward = products.sum(1).cpu().numpy()

        def differences(
            step: float, parameter: Tensor = parameter, directions: Tensor = directions
        ) -> Float[np.ndarray, " samples"]:
            sides = [_displaced(fixture, parameter, sign * step, directions) for sign in (1, -1)]
            return (sides[0] - sides[1]) / (2 * step)

        agreements[name] = compare(backward, differences, bound / 20)
    return agreements


@torch.no_grad()
def _displaced(
    fixture: GradientFixture, parameter: Tensor, step: float, directions: Tensor
) -> Float[np.ndarray, " samples"]:
    """The mean loss with one parameter moved along each direction in turn."""
    losses: list[float] = []
    before = parameter.detach().clone()
    for direction in directions:
        parameter.copy_(before + step * direction)
        losses.append(float(fixture.losses(fixture.sample).mean()))
    parameter.copy_(before)
    return np.array(losses)
