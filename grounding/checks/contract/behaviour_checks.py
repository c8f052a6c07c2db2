"""The contract of a solver: how it behaves from call to call."""

import copy
import random
from typing import Any

import numpy as np
import torch

from ...trials.training import solver_loss
from ..registry import FailCheckError, Measurement, Registry, Result, SkipCheckError, failed, passed
from .subject import Subject, distance, row_losses, run_forward

# Rounding: a matrix product of another size adds up in another order, and an iterative solver carries that
# on. Largest seen with the solvers that come with groundcheck: 4e-6.
ROUNDING = 1e-4


PART: Registry[Subject] = Registry("contract", place=20)


@PART.check("deterministic", needs=["shape", "device"], at_most=0.0)
def check_deterministic(subject: Subject) -> Measurement:
    """A solver that declares itself deterministic gives the same beliefs twice, bit by bit.

    Compared are two calls, and a call of a copy that was made before the first: a solver that changes with
    every call differs from that copy. One that declares that it draws random numbers must be seen to: else
    what it is let off for is only said.

    Failure: the figure is the largest difference. An evaluation can then not be repeated; or, where it is 0,
    `deterministic = False` is not true.

    Remedy: Draw start values once, when the solver is built, and keep them as buffers; or declare
    `deterministic = False` where it is so, and only there.
    """
    if not subject.deterministic:
        if _draws(subject):
            raise SkipCheckError("the solver declares that it draws random numbers, and does")
        raise FailCheckError("the solver declares that it draws random numbers, and draws none", 0.0)
    sample, solver, snapshot = subject.few, subject.solver(), subject.solver()
    first = run_forward(solver, sample).clone()
    moved = max(distance(first, run_forward(solver, sample)), distance(first, run_forward(snapshot, sample)))
    return Measurement(moved, f"beliefs differ by {moved:.2g} from call to call")


def _draws(subject: Subject) -> bool:
    """Whether forward or the loss, in training or evaluation, differ from call to call."""
    sample, solver = subject.few, subject.solver()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for training in (False, True):
            solver.train(training)
            for call in (solver_loss, lambda one, beliefs, given, _: one(beliefs, given)):
                one, other = (call(solver, *(part.clone() for part in sample.parts)) for _ in range(2))
                if distance(one, other) > 0:
                    return True
    return False


@PART.check("seed", needs=["shape", "device"], at_most=0.0)
def check_seed(subject: Subject) -> Measurement:
    """Built twice from one seed, the solver gives the same beliefs, bit by bit.

    Failure: the figure is the largest difference. No result of this solver can be reproduced.

    Remedy: Take every random number from torch's generator while the solver is built, and later from a
    generator that was seeded then; never from the clock, the operating system, or the order of a set.
    """
    first, second = (run_forward(subject.build(seed=3), subject.few) for _ in range(2))
    moved = distance(first, second)
    return Measurement(moved, f"two solvers of one seed differ by {moved:.2g}")


@PART.check("rows", needs=["shape", "device", "deterministic"], at_most=ROUNDING)
def check_rows(subject: Subject) -> Measurement:
    """What a row comes to does not depend on the rest of its batch, nor on its place in it.

    Puzzles know nothing of each other. Where they do influence each other, accuracy depends on how the test
    set was cut into batches, and a solver can remember by position.

    Failure: the figure is the largest change of a belief when the batch is reversed, or its rows are
    passed one by one.

    Remedy: Look for statistics over the batch (batch normalisation, a maximum over all), state that is kept
    between rows, and answers stored by position.
    """
    sample, solver = subject.few, subject.solver()
    whole = run_forward(solver, sample)
    reverse = torch.arange(len(whole) - 1, -1, -1, device=whole.device)
    reversed_ = run_forward(solver, sample.rows(reverse))[reverse]
    single = torch.cat([run_forward(solver, sample.rows([row])) for row in range(len(whole))])
    moved = max(distance(whole, reversed_), distance(whole, single))
    return Measurement(moved, f"beliefs move by {moved:.2g} with the batch around them")


@PART.check("queries", needs=["shape", "device", "deterministic"], at_most=0.0)
def check_queries(subject: Subject) -> Measurement:
    """Beliefs at variables that are not given change nothing.

    They carry no information: the harness puts uniform beliefs there, another may put zeros. A solver that
    reads them works only with the harness it was written for, or hears what it should not.

    Failure: the figure is the largest change of a belief at the queries when others are put in.

    Remedy: Multiply the beliefs by `given`, or use `hide_queries`.
    """
    sample, solver = subject.few, subject.solver()
    noise = torch.rand(sample.beliefs.shape, generator=torch.Generator().manual_seed(1)).to(sample.beliefs)
    other = copy.copy(sample)
    other.beliefs = torch.where(sample.given.unsqueeze(-1), sample.beliefs, noise)
    moved = distance(run_forward(solver, sample)[~sample.given], run_forward(solver, other)[~sample.given])
    return Measurement(moved, f"answers move by {moved:.2g} with beliefs at the queries")


@PART.check("listens", needs=["shape", "device"], above=0.0)
def check_listens(subject: Subject) -> Measurement:
    """Answers depend on what is believed about the givens.

    A solver that answers with a prior, or by majority, can look well on a task that is not balanced, and
    nothing can be learned through it.

    Failure: wholly other beliefs at the givens left every answer as it was, bit by bit.

    Remedy: Check that `beliefs` reach the result, and that `given` is not inverted.
    """
    sample, solver = subject.few, subject.solver()
    certain = subject.sample(len(sample.given), certain=True)
    moved = distance(run_forward(solver, sample)[~sample.given], run_forward(solver, certain)[~sample.given])
    return Measurement(moved, f"answers move by {moved:.2g} with other beliefs at the givens")


@PART.check("inputs", needs=["shape", "device"], decides=True)
def check_inputs(subject: Subject) -> Result:
    """Neither forward nor the loss changes the tensors it is handed.

    The harness uses them again: for the loss after forward, for scoring after both.

    Failure: the reason names the argument that was written to.

    Remedy: Work on a copy; look for operations that end in an underscore, `out=`, and `[...] =`.
    """
    for call in ("forward", "loss"):
        solver, sample = subject.solver(), subject.few
        beliefs, given, answer = sample.beliefs.clone(), sample.given.clone(), sample.answer.clone()
        arguments = {"beliefs": beliefs, "given": given, "answer": answer}
        with torch.no_grad():
            own: Any = getattr(solver, "loss", None)
            if call == "forward":
                solver(beliefs, given)
            elif own is not None:
                own(beliefs, given, answer)
        for name, argument in arguments.items():
            before = getattr(sample, name)
            if argument.shape != before.shape or distance(argument, before) != 0:
                return failed(f"{call} changed its argument {name}")
    return passed("beliefs, given and answer are as they were")


@PART.check("randomness", needs=["shape", "device"], decides=True)
def check_randomness(subject: Subject) -> Result:
    """Forward and loss leave the global random states of torch, NumPy and Python alone.

    A solver that draws from them changes what everybody else draws: initial weights, the order of batches.
    Two solvers can then not be compared under one seed.

    Failure: the reason names the generator that was used.

    Remedy: Give the solver a generator of its own, seeded when it is built.
    """
    solver, sample = subject.solver(), subject.few
    own: Any = getattr(solver, "loss", None)

    def call() -> None:
        with torch.no_grad():
            solver(sample.beliefs.clone(), sample.given.clone())
        if own is not None:
            own(sample.beliefs.clone(), sample.given.clone(), sample.answer.clone())

    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        call()  # what is compiled at the first call may draw names for files
        # States of this check's own: a solver that seeds them may have done so in a check before.
        torch.manual_seed(2**20)
        np.random.seed(2**20)  # noqa: NPY002
        random.seed(2**20)
        before = _random_states()
        call()
        after = _random_states()
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(python_state)
    used = [name for name, state in before.items() if state != after[name]]
    if used:
        return failed(f"the global generator of {', '.join(used)} was drawn from, or seeded")
    return passed("the global generators are as they were")


def _random_states() -> dict[str, bytes]:
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": repr(np.random.get_state()).encode(),  # noqa: NPY002 - it is this legacy state that is watched
        "random": repr(random.getstate()).encode(),
    }


@PART.check("modes", needs=["shape", "device", "deterministic"], at_most=ROUNDING)
def check_modes(subject: Subject) -> Measurement:
    """A solver that declares itself deterministic gives the same beliefs in training and in evaluation.

    What was trained would else not be what is evaluated, and a learning curve would speak of neither.

    Failure: the figure is the largest difference between `train()` and `eval()`.

    Remedy: Remove dropout and batch statistics, or declare `deterministic = False`.
    """
    if not subject.deterministic:
        raise SkipCheckError("the solver declares that it draws random numbers")
    sample = subject.few
    moved = distance(
        run_forward(subject.solver().train(), sample), run_forward(subject.solver().eval(), sample)
    )
    return Measurement(moved, f"beliefs differ by {moved:.2g} between training and evaluation")


@PART.check("state", needs=["shape", "device", "deterministic"], at_most=0.0)
def check_state(subject: Subject) -> Measurement:
    """A solver that was built anew and given the `state_dict` of another is that other.

    Failure: the figure is the largest difference. What was trained is lost when it is saved.

    Remedy: Keep everything that forward uses, and that is not the same for every seed, in parameters or in
    persistent buffers.
    """
    sample, trained, fresh = subject.few, subject.solver(), subject.build(seed=17)
    with torch.no_grad():  # as if trained: a default that every seed shares would hide what was not saved
        generator = torch.Generator().manual_seed(5)
        for parameter in trained.parameters():
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            parameter.add_(0.01 * noise)
    fresh.load_state_dict(trained.state_dict())
    moved = distance(run_forward(trained, sample), run_forward(fresh, sample))
    return Measurement(moved, f"beliefs differ by {moved:.2g} after a round trip")


@PART.check("loss-rows", needs=["loss", "rows"], at_most=ROUNDING)
def check_loss_rows(subject: Subject) -> Measurement:
    """The loss of a row does not depend on the rest of its batch.

    Failure: the figure is the largest change of a row's loss, relative to the largest loss.

    Remedy: Sum over variables and symbols only; leave the batch dimension alone.
    """
    sample, solver = subject.few, subject.solver()
    with torch.no_grad():
        whole = row_losses(solver, sample)
        single = torch.cat([row_losses(solver, sample.rows([row])) for row in range(len(whole))])
    moved = distance(whole, single) / max(1.0, float(whole.abs().max()))
    return Measurement(moved, f"losses move by {moved:.2g} of the largest with the batch around them")
