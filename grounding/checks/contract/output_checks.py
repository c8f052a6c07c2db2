"""The contract of a solver: what its output looks like."""

import traceback
from typing import Any

import torch

from ....solvers.extras import MissingExtraError
from ....solvers.solver import UnsupportedProblemError
from ..registry import FailCheckError, Measurement, Registry, Result, SkipCheckError, failed, passed
from .subject import Sample, Subject, row_losses, run_forward

PART: Registry[Subject] = Registry("contract", place=10)


@PART.check("build", decides=True)
def check_build(subject: Subject) -> Result:
    """The solver can be built for the problem of the task. Everything else needs that.

    Failure: the factory raised, returned something else than an `nn.Module`, or an attribute that groundcheck
    reads (`loss`, `learning_rate`, `path`, …) is something else. A solver that is not made for this problem
    is skipped: it has `supports(problem)`, or raises `UnsupportedProblemError`.

    Remedy: The factory takes a Problem and its options, and returns an nn.Module; try it by hand on
    the problem of this task.
    """
    try:
        subject.build()
    except (MissingExtraError, UnsupportedProblemError) as missing:
        raise SkipCheckError(str(missing)) from missing
    except Exception as error:
        raised = "".join(traceback.format_exception(error.__cause__ or error))
        raise FailCheckError(str(error), traceback=raised) from error
    return passed(f"{subject.spec.name} was built")


@PART.check("shape", needs=["build"], decides=True)
def check_shape(subject: Subject) -> Result:
    """`forward(beliefs, given)` returns a tensor of the shape of the beliefs.

    Failure: forward raised on legal beliefs, returned something of another form, or made a parameter.

    Remedy: Take `forward(beliefs, given)`, and return one tensor (batch, variables, symbols), whatever the
    number of rows.
    """
    sample = subject.few
    for rows in (slice(None), slice(0, 1)):
        part, solver = sample.rows(rows), subject.solver()
        built = {name for name, _ in solver.named_parameters()}
        try:
            completion: Any = run_forward(solver, part)
        except Exception as error:
            raised = f"forward raised {type(error).__name__}: {error}"
            raise FailCheckError(raised, traceback=traceback.format_exc()) from error
        if not isinstance(completion, torch.Tensor):
            return failed(f"forward returned a {type(completion).__name__}, not a tensor")
        came, fits = tuple(completion.shape), tuple(part.beliefs.shape)
        if came != fits:
            return failed(f"forward returned the shape {came} where {fits} was expected")
        if late := sorted({name for name, _ in solver.named_parameters()} - built):
            return failed(
                f"forward made the parameter {late[0]}, which no optimiser then trains: make it when the "
                "solver is built, or use a lazy module of torch"
            )
    return passed(f"the shape of the beliefs, {tuple(sample.beliefs.shape)}, and of a single row")


@PART.check("dtype", needs=["shape"], decides=True)
def check_dtype(subject: Subject) -> Result:
    """The output has the dtype of the beliefs: float64 in, float64 out.

    Silent casts lose the precision that finite differences, and exact solvers on long products, need.

    Failure: the names of the two dtypes.

    Remedy: Cast the solver's constants to the dtype of the beliefs, and the result back to it.
    """
    single = subject.few
    for sample, solver in ((single, subject.solver()), (single.double(), subject.solver().double())):
        came = run_forward(solver, sample).dtype
        if came != sample.beliefs.dtype:
            return failed(f"forward returned {came} for {sample.beliefs.dtype}")
    return passed("float32 in and out, float64 in and out")


@PART.check("device", needs=["shape"], decides=True)
def check_device(subject: Subject) -> Result:
    """The output is on the device of the beliefs.

    Failure: the names of the two devices.

    Remedy: Register constants as buffers, so that `.to(device)` moves them, and create tensors on
    `beliefs.device`.
    """
    came, fits = run_forward(subject.solver(), subject.few).device, subject.few.beliefs.device
    return passed(f"on {came}") if came == fits else failed(f"forward returned a tensor on {came} for {fits}")


@PART.check("range", needs=["shape", "device"], at_most=0.0)
def check_range(subject: Subject) -> Measurement:
    """Beliefs at the queries lie in [0, 1], those about symbols a variable does not take included.

    Failure: the figure is how far outside the farthest value lies. Losses that take a logarithm then turn to
    NaN, or are gained from by going beyond 1.

    Remedy: Normalise or clamp the completion; a last division in float32 may leave 1 + 1e-7, which is
    outside as well.
    """
    at_queries = subject.many_completed[~subject.many.given]
    finite = at_queries[at_queries.isfinite()]
    if not len(finite):
        raise FailCheckError("no value at a query is finite")
    low, high = float(finite.min()), float(finite.max())
    outside = max(0.0, -low, high - 1)
    return Measurement(outside, f"values from {low:.3g} to {high:.3g}")


@PART.check("finite", needs=["shape", "device"], at_most=0.0)
def check_finite(subject: Subject) -> Measurement:
    """No NaN and no infinity at the queries of rows that can be solved.

    NaN says "this row has no solution". Here every given's beliefs allow every symbol, the right one
    included, so every row has one. Up to 1,000 rows are tried, so that what happens to one row in a hundred
    is seen.

    Failure: the figure is the share of rows with NaN or infinity. In training these rows are left out of
    the step; in scoring they count as wrong.

    Remedy: Look for 0/0 in a normalisation, log 0, or a search that gave up.
    """
    completion = subject.many_completed
    bad = (~completion.isfinite() & ~subject.many.given.unsqueeze(-1)).flatten(1).any(1)
    share = float(bad.double().mean())
    if not share:
        return Measurement(0.0, f"all of {len(bad)} rows are finite")
    return Measurement(share, f"{int(bad.sum())} of {len(bad)} rows are not finite")


@PART.check("loss", needs=["shape", "device"], decides=True)
def check_loss(subject: Subject) -> Result:
    """The training loss is one finite number per row, with a gradient.

    A loss that is already averaged hides rows that could not be solved, and weighs batches by their size.

    Failure: the loss has another shape, or rows that are not finite, or nothing to differentiate.

    Remedy: `loss(beliefs, given, answer)` returns a tensor (batch,); leave averaging to the harness.
    """
    few = subject.few
    sample = Sample(few.beliefs.clone().requires_grad_(), few.given, few.answer)
    rows = len(sample.given)
    try:
        losses: Any = row_losses(subject.solver(), sample)
    except Exception as error:
        raised = f"the loss raised {type(error).__name__}: {error}"
        raise FailCheckError(raised, traceback=traceback.format_exc()) from error
    if not isinstance(losses, torch.Tensor):
        return failed(f"the loss is a {type(losses).__name__}, not a tensor")
    losses = losses.detach()
    if tuple(losses.shape) != (rows,):
        return failed(f"the loss has the shape {tuple(losses.shape)} where ({rows},) was expected")
    bad = int((~losses.isfinite()).sum())
    if bad:
        return failed(f"the loss of {bad} of {rows} rows is not finite", bad / rows, 0.0)
    return passed(f"{rows} finite losses, {float(losses.min()):.3g} to {float(losses.max()):.3g} nats")
