"""The contract of a solver: what training gets from it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..registry import (
    MEASURED,
    FailCheckError,
    Measurement,
    Registry,
    Result,
    SkipCheckError,
    failed,
    passed,
)
from .finite_differences import (
    Agreement,
    GradientFixture,
    agreement_of_batch,
    agreement_of_beliefs,
    agreement_of_parameters,
    make_gradient_fixture,
    make_training_fixture,
)
from .subject import MIN_LARGE_SAMPLE_ROWS, Sample, Subject, row_losses

RELATIVE = 0.1  # largest relative error of a gradient
RELATIVE_TRAINING = 0.3  # the same for a batch of the task, where iterations converge less
RELATIVE_EXACT = 1e-4  # the same for solvers that claim to be exact
COSINE = 0.99
COARSE_COSINE = 0.9  # with the settings a solver is used with
STEP_LENGTHS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # of a step along the gradient, in its own norm
FOLLOWED = 12  # steps along a surrogate gradient
FOLLOWED_CELLS = 10_000  # beliefs in the sample that takes them, or `MIN_LARGE_SAMPLE_ROWS` rows
BELIEF_STEP = 1.0  # of the logits of one row, in nats
PARAMETER_RATE = 1e-2  # of Adam


PART: Registry[Subject] = Registry("contract", place=40)


@PART.check("reach", needs=["loss", "listens", "globals"], decides=True)
def check_reach(subject: Subject) -> Result:
    """The gradient of the loss reaches the beliefs at the givens, and every parameter.

    Perception learns from the gradient of the beliefs alone; a parameter without one is dead weight.

    Failure: the reason names what gets no gradient, or one that is zero or not finite everywhere.

    Remedy: Look for `detach`, `item`, `argmax`, in-place tricks under `no_grad`, and tensors made anew from
    numbers; what a task leaves unused on purpose is declared in `idle`, a tuple of names.
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
            if any(name == idle or name.startswith(f"{idle}.") for idle in subject.idle):
                continue
            hint = f': if this task leaves it unused on purpose, declare idle = ("{name}",)'
            return failed(f"no gradient reaches {name}{hint if name != 'the beliefs' else ''}", 0.0, 0.0)
        if not bool(gradient.isfinite().all()):
            return failed(f"the gradient of {name} is not finite")
    return passed(f"the beliefs and {len(gradients) - 1} parameters get a gradient")


@PART.check("saturated", needs=["reach"], at_most=MEASURED)
def check_saturated(subject: Subject) -> Measurement:
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
        raise FailCheckError("no gradient reaches beliefs of 0 and 1")
    if subject.rules == "given":
        # Rules that exclude a symbol for certain have a steep logarithm there: only NaN and infinity count.
        largest, bound = float(gradient.abs().nan_to_num(torch.inf).max()), torch.finfo(gradient.dtype).max
    else:
        largest, bound = float(gradient.abs().nan_to_num(torch.inf).max()), 1e6
    message = f"entries of the gradient up to {largest:.3g} where beliefs are 0 and 1"
    return Measurement(largest, message, bound=bound)


@PART.check("descends", needs=["reach"], below=0.0)
def check_descends(subject: Subject) -> Measurement:
    """A small step against the gradient lowers the loss: of the beliefs, and of the parameters.

    Failure: no step between 1e-1 and 1e-5 along the reason's gradient lowered the loss. Training goes
    nowhere, or uphill.

    Remedy: Check the sign of the backward pass, and that forward and backward speak of the same function; if
    the gradient is an estimate (REINFORCE, sampling, straight-through), declare `surrogate = True`.
    """
    if subject.surrogate:
        raise SkipCheckError("the solver declares a surrogate gradient")
    fixture = make_gradient_fixture(subject, precise=False)
    solver, sample = fixture.solver, fixture.sample
    beliefs = sample.beliefs.requires_grad_()
    loss = row_losses(solver, sample).mean()
    parameters = [p for p in solver.parameters() if p.requires_grad]
    towards, *steps = torch.autograd.grad(loss, [beliefs, *parameters], materialize_grads=True)
    start = float(loss.detach())
    downhill = torch.where(sample.given.unsqueeze(-1), -towards, 0.0)
    downhill = downhill / downhill.norm().clamp_min(1e-300)
    moves: dict[str, Callable[[float], float]] = {
        "the beliefs": lambda length: _moved_beliefs(solver, sample, downhill, length)
    }
    if parameters:
        moves["the parameters"] = lambda length: _moved_parameters(solver, sample, steps, length)
    best: dict[str, float] = {}
    for name, move in moves.items():
        best[name] = min(move(length) for length in STEP_LENGTHS) - start
        if not best[name] < 0:
            return Measurement(best[name], f"no step along the gradient of {name} lowers the loss")
    message = ", ".join(f"{-change:.3g} nats by {name}" for name, change in best.items())
    return Measurement(max(best.values()), f"the loss falls from {start:.4g} by {message}")


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


@PART.check("gradient-beliefs", needs=["reach"], at_most=MEASURED)
def check_gradient_beliefs(subject: Subject) -> Measurement:
    """The gradient towards the beliefs is that of finite differences, in float64, at fractional beliefs.

    It is all that perception learns from. The public SATNet code has it wrong (relative error 2.1 to 2.6,
    cosine −0.58 to 0.56) while the gradient of its parameters is right, so that it learns rules from true
    symbols and symbols from nothing.

    Compared are derivatives along random directions, per row; the step is the one whose differences are most
    stable. Bound: relative error 0.1 (1e-4 for solvers that claim to be exact), from which a cosine of 0.995
    follows.

    Failure: the figure is the relative error. A cosine near −1 is a sign, one near 1 a factor, anything
    between another function.

    Remedy: Derive the backward pass again and compare it with `torch.autograd.gradcheck` on a small problem;
    if it is meant to differ (straight-through, REINFORCE, sampling), declare `surrogate = True`, which is
    checked.

    Source: Wang et al. 2019, arXiv:1905.12149, and their public code.
    """
    fixture = _differentiable(subject)
    return _judge(agreement_of_beliefs(fixture, _bound(subject)), "the beliefs", _bound(subject))


@PART.check("gradient-parameters", needs=["reach"], at_most=MEASURED)
def check_gradient_parameters(subject: Subject) -> Measurement:
    """The gradient of every parameter is that of finite differences, in float64.

    As for the beliefs, with the same bounds, one tensor of parameters after the other, first along its own
    gradient; a tensor with less than a thousandth of the whole gradient is left out.

    Failure: the reason names the worst tensor, the figure is its relative error.

    Remedy: Derive the backward pass again and compare it with `torch.autograd.gradcheck` on a small problem;
    if it is meant to differ (straight-through, REINFORCE, sampling), declare `surrogate = True`, which is
    checked.
    """
    fixture = _differentiable(subject)
    if not any(p.requires_grad for p in fixture.solver.parameters()):
        raise SkipCheckError("the solver has no parameters")
    found = agreement_of_parameters(fixture, _bound(subject))
    if not found:
        raise FailCheckError("no parameter has a gradient")
    name = max(found, key=lambda name: found[name].relative)
    return _judge(found[name], name, _bound(subject))


@PART.check("gradient-settings", needs=["gradient-beliefs", "gradient-parameters"], at_least=COARSE_COSINE)
def check_gradient_settings(subject: Subject) -> Measurement:
    """With the options it is used with, the gradient of an approximate solver still points the right way.

    A solver that iterates, or adds to a diagonal to keep its backward pass finite, names options under which
    its approximations vanish (`precise`), and the other gradient checks use those. This one takes the solver
    as it is. Bound: cosine 0.9 with finite differences, for the beliefs and for every parameter.

    Failure: the figure is the worst cosine. Training follows something else than the loss.

    Remedy: More iterations, a tighter tolerance, less regularisation of the backward pass.
    """
    if not getattr(subject.declared, "precise", {}):
        raise SkipCheckError("the solver names no options that are more precise than its own")
    fixture = _differentiable(subject, precise=False)
    found = {"the beliefs": agreement_of_beliefs(fixture, RELATIVE)}
    found |= agreement_of_parameters(fixture, RELATIVE)
    worst = min(found, key=lambda name: found[name].cosine)
    message = "; ".join(f"{name}: {agreement.message}" for name, agreement in found.items())
    return Measurement(found[worst].cosine, message)


@PART.check("gradient-training", needs=["reach"], at_most=MEASURED)
def check_gradient_training(subject: Subject) -> Measurement:
    """On the task's own problem, in training mode and at the batch size of training, the gradient is that of
    finite differences.

    Kernels switch by size, and modules by mode: what is right on a small random problem need not be right
    where it is trained. Compared are derivatives of the loss of a whole batch, towards the beliefs and
    towards all parameters together, along the gradient itself and along random directions, in float64 where
    the solver has it. The bound is 0.3 (1e-4 for solvers that claim to be exact): iterations converge less on
    large problems, and a wrong sign is 2, a wrong factor seldom less than 0.5.

    Failure: the figure is the relative error; the reason says of what.

    Remedy: Take the gradient of this problem's loss apart by size (block by block, row by row), in `train()`.
    """
    if subject.surrogate:
        raise SkipCheckError("the solver declares a surrogate gradient")
    fixture = make_training_fixture(subject)
    bound = RELATIVE_EXACT if subject.exact else RELATIVE_TRAINING
    found = agreement_of_batch(fixture, bound)
    if not found:
        raise FailCheckError("the loss of a batch has no gradient")
    name = max(found, key=lambda name: found[name].relative)
    return _judge(found[name], name, bound)


@PART.check("surrogate", needs=["reach"], below=0.0)
def check_surrogate(subject: Subject) -> Measurement:
    """A solver that declares `surrogate = True` needs to, and following its gradient still lowers the loss.

    The declaration lets a solver off finite differences and the small step downhill, which a loss that is
    flat between jumps cannot pass; a sign error could hide behind it. So on 16 to 64 puzzles the beliefs at
    the givens go a dozen steps of one nat down the gradient, then as many up; and the parameters, by Adam.

    Failure: the loss does not fall, or falls as much the other way; the figure is the larger of both, and not
    below 0. Or the gradient is that of finite differences after all.

    Remedy: Turn the sign of the backward pass; or take the declaration out, and pass the other checks.

    Source: Vlastelica et al. 2020, arXiv:1912.02175; Bengio et al. 2013, arXiv:1308.3432 (straight-through).
    """
    if not subject.surrogate:
        raise SkipCheckError("the solver does not declare a surrogate gradient")
    fixture = make_gradient_fixture(subject, precise=False)
    learns = any(p.requires_grad for p in fixture.solver.parameters())
    found = {"the beliefs": agreement_of_beliefs(fixture, RELATIVE)}
    if learns:
        found |= agreement_of_parameters(fixture, RELATIVE)
    if all(each.relative <= RELATIVE and each.cosine >= COSINE for each in found.values()):
        raise FailCheckError("the gradient is that of finite differences: nothing has to be declared")
    rows = min(4 * MIN_LARGE_SAMPLE_ROWS, FOLLOWED_CELLS // subject.problem.legal.size)
    sample = subject.sample(max(MIN_LARGE_SAMPLE_ROWS, rows), seed=3)
    followed = {
        "the beliefs": _followed_by_beliefs,
        **({"the parameters": _followed_by_parameters} if learns else {}),
    }
    message: list[str] = []
    figures: list[float] = []
    for name, follow in followed.items():
        down, up = (follow(subject.solver(), sample, sign) for sign in (1.0, -1.0))
        figures += [down, down - up]
        message.append(f"{down:+.3g} down the gradient of {name}, {up:+.3g} up")
    reason = f"in {FOLLOWED} steps the loss moves by {'; '.join(message)}"
    return Measurement(float(np.max(figures)), reason)  # NaN if one of them is


def _followed_by_beliefs(solver: nn.Module, sample: Sample, sign: float) -> float:
    """How the mean loss has changed after some steps of the beliefs of each row."""
    # Every legal symbol of a given has some belief; elsewhere the logits stand for nothing.
    logits = sample.beliefs.clamp_min(torch.finfo(sample.beliefs.dtype).tiny).log()
    losses: list[Tensor] = []
    for _ in range(FOLLOWED + 1):
        logits.requires_grad_()
        seen = torch.where(sample.given.unsqueeze(-1), logits.softmax(-1), sample.beliefs)
        losses.append(row_losses(solver, Sample(seen, sample.given, sample.answer)))
        (slope,) = torch.autograd.grad(losses[-1].sum(), [logits])
        norm = slope.flatten(1).norm(dim=1).clamp_min(1e-30).view(-1, 1, 1)
        logits = (logits - sign * BELIEF_STEP * slope / norm).detach()
    return float((losses[-1] - losses[0]).detach().double().mean())


def _followed_by_parameters(solver: nn.Module, sample: Sample, sign: float) -> float:
    """How the mean loss has changed after some steps of the parameters."""
    optimizer = torch.optim.Adam(solver.parameters(), lr=PARAMETER_RATE, maximize=sign < 0)
    losses: list[Tensor] = []
    for _ in range(FOLLOWED + 1):
        losses.append(row_losses(solver, sample))
        optimizer.zero_grad()
        losses[-1].mean().backward()
        optimizer.step()
    return float((losses[-1] - losses[0]).detach().double().mean())


def _differentiable(subject: Subject, *, precise: bool = True) -> GradientFixture:
    """A fixture; where the loss still moves on one state of every generator, differences carry noise, and
    `_judge` tells when that is too much.
    """
    if subject.surrogate:
        raise SkipCheckError("the solver declares a surrogate gradient")
    return make_gradient_fixture(subject, precise=precise)


def _bound(subject: Subject) -> float:
    return RELATIVE_EXACT if subject.exact else RELATIVE


def _judge(agreement: Agreement, name: str, bound: float) -> Measurement:
    if agreement.noise > bound:
        reason = (
            f"finite differences of {name} do not settle (they differ by {agreement.noise:.2g} from step to "
            f"step): {agreement.message}"
        )
        return Measurement(agreement.relative, reason, bound=bound, settled=False)
    return Measurement(agreement.relative, f"{name}: {agreement.message}", bound=bound)
