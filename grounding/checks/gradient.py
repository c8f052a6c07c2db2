"""The contract of a solver: what training gets from it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...datasets.sudoku import Sudoku
from .contract import contract
from .registry import Result, SkipCheckError, failed, passed
from .subject import Sample, Subject, row_losses

LARGEST = 100  # beliefs of a row up to which finite differences are taken on the problem of the task itself
# Steps of central differences, relative to beliefs of order 1. The widest suits solvers that stop at a
# tolerance or compute in float32 inside, the narrowest those that are smooth in float64.
STEPS = (3e-3, 1e-3, 1e-4, 1e-5, 1e-6)
DIRECTIONS = 6  # per row, of beliefs; and per tensor, of parameters
RELATIVE = 0.1  # largest relative error of a gradient
RELATIVE_EXACT = 1e-4  # the same for solvers that claim to be exact
COSINE = 0.99
STEP_LENGTHS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # of a step along the gradient, in its own norm


@contract.check("reach", needs=["loss", "listens"])
def check_reach(subject: Subject) -> Result:
    """The gradient of the loss reaches the beliefs at the givens, and every parameter.

    Perception learns from the gradient of the beliefs alone; a parameter without one is dead weight.

    Failure: the reason names what gets no gradient, or one that is zero or not finite everywhere.

    Remedy: Look for `detach`, `item`, `argmax`, in-place tricks under `no_grad`, and tensors made anew from
    numbers.
    """
    solver, sample = subject.solver(), subject.sample(4 * len(subject.few.given), seed=1)
    sample.beliefs.requires_grad_()
    losses = row_losses(solver, sample)
    if not losses.requires_grad:
        return failed("the loss is cut off from the beliefs and from every parameter")
    losses.sum().backward()
    gradients = {"the beliefs": sample.beliefs.grad}
    gradients |= {name: p.grad for name, p in solver.named_parameters() if p.requires_grad}
    for name, gradient in gradients.items():
        if gradient is None or not bool(gradient.any()):
            return failed(f"no gradient reaches {name}", 0.0, 0.0)
        if not bool(gradient.isfinite().all()):
            return failed(f"the gradient of {name} is not finite")
    return passed(f"the beliefs and {len(gradients) - 1} parameters get a gradient")


@contract.check("saturated", needs=["reach"])
def check_saturated(subject: Subject) -> Result:
    """Where perception is certain, the gradient stays finite and of a size that can be used.

    At beliefs of exactly 0 and 1 formulas like log p or 1/sin(πz) divide by zero; the public SATNet code has
    gradients of 1e10 there, and one such row ruins the step of a whole batch.

    Failure: the figure is the largest entry of the gradient towards the beliefs (of one row, in nats).

    Remedy: Clamp by adding a small number inside the logarithm, or treat saturated inputs as constants.
    """
    solver, sample = subject.solver(), subject.sample(len(subject.few.given), certain=True)
    sample.beliefs.requires_grad_()
    row_losses(solver, sample).sum().backward()
    gradient = sample.beliefs.grad
    if gradient is None:
        return failed("no gradient reaches beliefs of 0 and 1")
    if subject.rules == "given":
        # Rules that exclude a symbol for certain have a steep logarithm there: only NaN and infinity count.
        largest, bound = float(gradient.abs().nan_to_num(torch.inf).max()), torch.finfo(gradient.dtype).max
    else:
        largest, bound = float(gradient.abs().nan_to_num(torch.inf).max()), 1e6
    told = f"entries of the gradient up to {largest:.3g} where beliefs are 0 and 1"
    return passed(told, largest, bound) if largest <= bound else failed(told, largest, bound)


@contract.check("descends", needs=["reach"])
def check_descends(subject: Subject) -> Result:
    """A small step against the gradient lowers the loss: of the beliefs, and of the parameters.

    Failure: no step between 1e-1 and 1e-5 along the reason's gradient lowered the loss. Training goes
    nowhere, or uphill.

    Remedy: Check the sign of the backward pass, and that forward and backward speak of the same function.
    """
    if subject.surrogate:
        raise SkipCheckError("the solver declares a surrogate gradient")
    solver, sample = _double(_small(subject))
    beliefs = sample.beliefs.requires_grad_()
    loss = row_losses(solver, sample).mean()
    parameters = [p for p in solver.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [beliefs, *parameters], allow_unused=True)
    start = float(loss.detach())
    downhill = _project(gradients[0], sample)
    moves: dict[str, Callable[[float], float]] = {}
    if downhill is not None:
        moves["the beliefs"] = lambda length: _moved_beliefs(solver, sample, downhill, length)
    steps = [g for g in gradients[1:] if g is not None]
    if steps and len(steps) == len(parameters):
        moves["the parameters"] = lambda length: _moved_parameters(solver, sample, steps, length)
    best: dict[str, float] = {}
    for name, move in moves.items():
        best[name] = min(move(length) for length in STEP_LENGTHS) - start
        if not best[name] < 0:
            return failed(f"no step along the gradient of {name} lowers the loss", best[name], 0.0)
    told = ", ".join(f"{-change:.3g} nats by {name}" for name, change in best.items())
    return passed(f"the loss falls from {start:.4g} by {told}", max(best.values()), 0.0)


def _project(gradient: Tensor | None, sample: Sample) -> Tensor | None:
    """The direction downhill at the givens, of norm 1."""
    if gradient is None:
        return None
    masked = torch.where(sample.given.unsqueeze(-1), -gradient, 0.0)
    return masked / masked.norm().clamp_min(1e-300)


@torch.no_grad()
def _moved_beliefs(solver: nn.Module, sample: Sample, direction: Tensor, length: float) -> float:
    beliefs = (sample.beliefs.detach() + length * direction).clamp(0, 1)
    return float(row_losses(solver, Sample(beliefs, sample.given, sample.answer)).mean())


@torch.no_grad()
def _moved_parameters(solver: nn.Module, sample: Sample, gradients: list[Tensor], length: float) -> float:
    parameters = [p for p in solver.parameters() if p.requires_grad]
    before = [p.clone() for p in parameters]
    norm = torch.stack([g.norm() for g in gradients]).norm().clamp_min(1e-300)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.sub_(length / norm * gradient)
    loss = float(row_losses(solver, Sample(sample.beliefs.detach(), sample.given, sample.answer)).mean())
    for parameter, value in zip(parameters, before, strict=True):
        parameter.copy_(value)
    return loss


@dataclass(frozen=True)
class Agreement:
    """Directional derivatives by backward and by finite differences, compared."""

    cosine: float
    relative: float  # ‖backward − differences‖ / ‖differences‖
    noise: float  # by how much the differences of two neighbouring steps disagree, relative

    @property
    def told(self) -> str:
        """For a reason."""
        return f"cosine {self.cosine:.6f}, relative error {self.relative:.2g}"


def compare(
    backward: Float[np.ndarray, " samples"], differences: Callable[[float], Float[np.ndarray, " samples"]]
) -> Agreement:
    """Compares with the step whose differences agree best with those of its neighbour."""
    found = [differences(step) for step in STEPS]
    pairs = list(zip(found, found[1:], strict=False))
    gaps = [float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-300)) for a, b in pairs]
    best = int(np.argmin(gaps))
    numeric, size = pairs[best][1], float(np.linalg.norm(pairs[best][1]))
    norms = size * float(np.linalg.norm(backward))
    cosine = float(backward @ numeric) / norms if norms > 0 else 0.0
    relative = float(np.linalg.norm(backward - numeric)) / size if size > 0 else np.inf
    return Agreement(cosine, relative, gaps[best])


@contract.check("gradient-beliefs", needs=["reach", "rows"])
def check_gradient_beliefs(subject: Subject) -> Result:
    """The gradient towards the beliefs is that of finite differences, in float64, at fractional beliefs.

    It is all that perception learns from. The public SATNet code has it wrong (relative error 2.1 to 2.6,
    cosine −0.58 to 0.56) while the gradient of its parameters is right, so that it learns rules from true
    symbols and symbols from nothing.

    Compared are derivatives along random directions, per row; the step is the one whose differences are most
    stable. Bounds: relative error 0.1 (1e-4 for solvers that claim to be exact), cosine 0.99.

    Failure: the figure is the relative error. A cosine near −1 is a sign, one near 1 a factor, anything
    between another function.

    Remedy: Derive the backward pass again and compare it with `torch.autograd.gradcheck` on a small problem;
    if it is meant to differ (straight-through, sampling), declare `surrogate = True`.

    Source: Wang et al. 2019, arXiv:1905.12149, and their public code.
    """
    _true_gradient(subject)
    subject = _small(subject)
    solver, sample = _double(subject)
    beliefs = sample.beliefs.requires_grad_()
    [gradient] = torch.autograd.grad(row_losses(solver, sample).sum(), [beliefs])
    generator = torch.Generator().manual_seed(2)
    legal = torch.from_numpy(subject.problem.legal).to(beliefs.device)
    inside = (sample.given.unsqueeze(-1) & legal).double()
    drawn = torch.randn(DIRECTIONS, *beliefs.shape, generator=generator, dtype=torch.float64)
    directions = drawn.clamp(-2, 2).to(beliefs.device) * inside / 2
    backward = (directions * gradient).sum((2, 3)).flatten().numpy(force=True)

    @torch.no_grad()
    def differences(step: float) -> Float[np.ndarray, " samples"]:
        sides = [
            torch.stack([row_losses(solver, _shifted(sample, sign * step * d)) for d in directions])
            for sign in (1, -1)
        ]
        return ((sides[0] - sides[1]) / (2 * step)).flatten().double().numpy(force=True)

    return _judge(subject, compare(backward, differences), "the beliefs")


@contract.check("gradient-parameters", needs=["reach"])
def check_gradient_parameters(subject: Subject) -> Result:
    """The gradient of every parameter is that of finite differences, in float64.

    As for the beliefs, with the same bounds, one tensor of parameters after the other; a tensor with less than
    a thousandth of the whole gradient is left out.

    Failure: the reason names the worst tensor, the figure is its relative error.

    Remedy: Derive the backward pass again and compare it with `torch.autograd.gradcheck` on a small problem;
    if it is meant to differ (straight-through, sampling), declare `surrogate = True`.
    """
    _true_gradient(subject)
    subject = _small(subject)
    solver, sample = _double(subject)
    named = {name: p for name, p in solver.named_parameters() if p.requires_grad}
    if not named:
        raise SkipCheckError("the solver has no parameters")
    found = torch.autograd.grad(row_losses(solver, sample).mean(), list(named.values()), allow_unused=True)
    gradients = {
        n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(named.items(), found, strict=True)
    }
    whole = float(torch.stack([g.norm() for g in gradients.values()]).norm())
    generator = torch.Generator().manual_seed(3)
    worst: tuple[float, str, Agreement] | None = None
    for name, parameter in named.items():
        if float(gradients[name].norm()) < 1e-3 * whole:
            continue
        shape = (DIRECTIONS, *parameter.shape)
        directions = torch.randn(shape, generator=generator, dtype=torch.float64).to(parameter)
        directions /= directions.flatten(1).norm(dim=1).view(-1, *[1] * parameter.dim()).clamp_min(1e-300)
        # Random directions hardly meet the gradient of a large tensor; the gradient itself is one of them.
        directions[0] = gradients[name] / gradients[name].norm()
        backward = (directions * gradients[name]).flatten(1).sum(1).numpy(force=True)

        def differences(
            step: float, parameter: Tensor = parameter, directions: Tensor = directions
        ) -> Float[np.ndarray, " samples"]:
            sides = [_displaced(solver, sample, parameter, sign * step, directions) for sign in (1, -1)]
            return (sides[0] - sides[1]) / (2 * step)

        agreement = compare(backward, differences)
        if worst is None or agreement.relative > worst[0]:
            worst = (agreement.relative, name, agreement)
    if worst is None:
        return failed("no parameter has a gradient")
    return _judge(subject, worst[2], worst[1])


def _true_gradient(subject: Subject) -> None:
    if subject.surrogate:
        raise SkipCheckError("the solver declares a surrogate gradient")
    if not subject.deterministic:
        raise SkipCheckError("the loss of a solver that draws random numbers has no finite differences")


def _judge(subject: Subject, agreement: Agreement, name: str) -> Result:
    bound = RELATIVE_EXACT if subject.exact else RELATIVE
    if agreement.noise > bound:
        reason = (
            f"finite differences of {name} do not settle (they differ by {agreement.noise:.2g} from step to "
            f"step): {agreement.told}"
        )
        return Result("inconclusive", reason, agreement.relative, bound)
    told = f"{name}: {agreement.told}"
    good = agreement.relative <= bound and agreement.cosine >= COSINE
    return passed(told, agreement.relative, bound) if good else failed(told, agreement.relative, bound)


def _small(subject: Subject) -> Subject:
    """The subject, or the same solver on 4×4 Sudoku where the problem of the task is large."""
    cells = len(subject.problem.variables) * subject.problem.symbols
    if cells <= LARGEST:
        return subject
    smaller = Subject(subject.spec, Sudoku(size=4), subject.device)
    try:
        smaller.solver()
    except Exception:  # a solver for one kind of problem only is examined on that
        return subject
    return smaller


def _double(subject: Subject) -> tuple[nn.Module, Sample]:
    return subject.solver().double(), subject.few.double()


def _shifted(sample: Sample, by: Tensor) -> Sample:
    return Sample(sample.beliefs.detach() + by, sample.given, sample.answer)


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
