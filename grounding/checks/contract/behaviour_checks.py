"""The contract of a solver: how it behaves from call to call."""

import copy
import itertools
import random
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...trials.training import solver_loss
from ..registry import FailCheckError, Measurement, Registry, Result, SkipCheckError, failed, passed
from .noise import Movement, movement
from .subject import Sample, Subject, distance, row_losses, run_forward

# Rounding: a matrix product of another size adds up in another order, and an iterative solver carries that
# on. Largest seen with the solvers that come with groundcheck: 4e-6.
ROUNDING = 1e-4
SINGLE_ROWS = 8  # of a batch that are passed by themselves as well


PART: Registry[Subject] = Registry("contract", place=20)


@PART.check("deterministic", needs=["shape", "device"], decides=True)
def check_deterministic(subject: Subject) -> Result:
    """A solver that declares itself deterministic gives the same beliefs twice, bit by bit, at every size of
    batch that it meets.

    Compared are two calls, and a call of a copy that was made before the first: a solver that changes with
    every call differs from that copy. One that declares that it draws random numbers must be seen to, and
    its noise is measured: other checks then ask for what moves by more than that.

    Failure: the figure is the largest difference. An evaluation can then not be repeated; or, where it is 0,
    `deterministic = False` is not true.

    Remedy: Draw start values once, when the solver is built, and keep them as buffers; or declare
    `deterministic = False` where it is so, and only there.
    """
    if not subject.deterministic:
        if noise := _noise(subject):
            return passed(
                f"the solver draws random numbers, as it declares: calls differ by {noise:.2g}", noise
            )
        return failed("the solver declares that it draws random numbers, and draws none", 0.0, 0.0)
    moved = 0.0
    for sample in subject.samples.values():
        solver, snapshot = subject.solver(), subject.solver()
        first = run_forward(solver, sample).clone()
        moved = max(
            moved,
            distance(first, run_forward(solver, sample)),
            distance(first, run_forward(snapshot, sample)),
        )
    message = f"beliefs differ by {moved:.2g} from call to call"
    return passed(message, moved, 0.0) if moved == 0 else failed(message, moved, 0.0)


def _noise(subject: Subject) -> float:
    """By how much forward or the loss, in training or evaluation, differ from call to call."""
    sample, solver, largest = subject.few, subject.solver(), 0.0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for training in (False, True):
            solver.train(training)
            for call in (solver_loss, lambda one, beliefs, given, _: one(beliefs, given)):
                one, other = (call(solver, *(part.clone() for part in sample.parts)) for _ in range(2))
                largest = max(largest, distance(one, other))
    return largest


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

    Tried are a few rows, and as many as training and scoring hand over at once; of solvers that draw random
    numbers, what moves by more than their noise (what lies far below it is not seen).

    Failure: the figure is the largest change of a belief when the batch is reversed, or its rows are
    passed one by one.

    Remedy: Look for statistics over the batch (batch normalisation, a maximum over all), state that is kept
    between rows, and answers stored by position.
    """
    found: dict[str, Movement] = {}
    for name, sample in subject.samples.items():
        solver, count = subject.solver(), len(sample.given)
        reverse = torch.arange(count - 1, -1, -1, device=sample.given.device)
        chosen = torch.linspace(0, count - 1, min(count, SINGLE_ROWS)).long()
        some = sample.rows(chosen)

        def together(seed: int, solver: nn.Module = solver, sample: Sample = sample) -> Tensor:
            return run_forward(solver, sample, seed)

        def reversed_(
            seed: int, solver: nn.Module = solver, sample: Sample = sample, reverse: Tensor = reverse
        ) -> Tensor:
            return run_forward(solver, sample.rows(reverse), seed)[reverse]

        def single(seed: int, solver: nn.Module = solver, some: Sample = some) -> Tensor:
            rows = range(len(some.given))
            return torch.cat([run_forward(solver, some.rows([row]), seed + row) for row in rows])

        def picked(
            seed: int, solver: nn.Module = solver, sample: Sample = sample, chosen: Tensor = chosen
        ) -> Tensor:
            return run_forward(solver, sample, seed)[chosen]

        for one, other in ((together, reversed_), (picked, single)):
            moved = movement(one, other, noisy=not subject.deterministic, tolerance=ROUNDING)
            if name not in found or moved.figure > found[name].figure:
                found[name] = moved
    return _largest(found, "beliefs move by {:.2g} with the batch around them")


def _largest(found: dict[str, Movement], message: str) -> Measurement:
    """What moved most, and at which size of batch."""
    size = max(found, key=lambda name: found[name].figure)
    moved = found[size]
    return Measurement(moved.figure, f"{message.format(moved.figure)}, of {size}{moved.words}")


@PART.check("queries", needs=["shape", "device", "deterministic"], at_most=0.0)
def check_queries(subject: Subject) -> Measurement:
    """Beliefs at variables that are not given change nothing.

    They carry no information: the harness puts uniform beliefs there, another may put zeros. A solver that
    reads them works only with the harness it was written for, or hears what it should not.

    Failure: the figure is the largest change of a belief at the queries when others are put in.

    Remedy: Multiply the beliefs by `given`, or use `hide_queries`.
    """
    found: dict[str, Movement] = {}
    for name, sample in subject.samples.items():
        solver, other = subject.solver(), copy.copy(sample)
        drawn = torch.rand(sample.beliefs.shape, generator=torch.Generator().manual_seed(1))
        other.beliefs = torch.where(sample.given.unsqueeze(-1), sample.beliefs, drawn.to(sample.beliefs))

        def answers(seed: int, solver: nn.Module = solver, sample: Sample = sample) -> Tensor:
            return run_forward(solver, sample, seed)[~sample.given]

        def others(seed: int, solver: nn.Module = solver, other: Sample = other) -> Tensor:
            return run_forward(solver, other, seed)[~other.given]

        found[name] = movement(answers, others, noisy=not subject.deterministic)
    return _largest(found, "answers move by {:.2g} with beliefs at the queries")


@PART.check("listens", needs=["shape", "device"], above=0.0)
def check_listens(subject: Subject) -> Measurement:
    """Answers depend on what is believed about the givens.

    A solver that answers with a prior, or by majority, can look well on a task that is not balanced, and
    nothing can be learned through it.

    A solver that declares the `evidence` it has to see first has seen it. Where it says that it is not
    `informed` even so, the check is skipped, once it is seen that no answer moves.

    Failure: wholly other beliefs at the givens left every answer as it was, bit by bit; or they moved answers
    of a solver that says it has nothing to go by.

    Remedy: Check that `beliefs` reach the result, and that `given` is not inverted.
    """
    sample, solver = subject.few, subject.solver()
    certain = subject.sample(len(sample.given), certain=True)
    moved = distance(run_forward(solver, sample)[~sample.given], run_forward(solver, certain)[~sample.given])
    if subject.blind:
        said = f"the solver says that it found nothing to go by in {subject.evidence} answers"
        if moved > 0:
            raise FailCheckError(f"{said}, and its answers move by {moved:.2g} with other beliefs", moved)
        raise SkipCheckError(said)
    return Measurement(moved, f"answers move by {moved:.2g} with other beliefs at the givens")


@PART.check("inputs", needs=["shape", "device", "loss"], decides=True)
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


@PART.check("randomness", needs=["shape", "device", "loss"], decides=True)
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
    """A solver gives the same beliefs in training and in evaluation, unless it declares that it does not.

    What was trained would else not be what is evaluated, and a learning curve would speak of neither. Who
    declares `differs_in_training` (dropout, batch normalisation) must be seen to differ.

    Failure: the figure is the largest difference between `train()` and `eval()`; or, where it is 0,
    `differs_in_training = True` is not true.

    Remedy: Remove dropout and batch statistics, or declare `differs_in_training = True`.
    """
    found: dict[str, Movement] = {}
    for name, sample in subject.samples.items():
        training, evaluation = subject.solver().train(), subject.solver().eval()

        def trained(seed: int, solver: nn.Module = training, sample: Sample = sample) -> Tensor:
            return run_forward(solver, sample, seed)

        def evaluated(seed: int, solver: nn.Module = evaluation, sample: Sample = sample) -> Tensor:
            return run_forward(solver, sample, seed)

        found[name] = movement(trained, evaluated, noisy=not subject.deterministic, tolerance=ROUNDING)
    largest = _largest(found, "beliefs differ by {:.2g} between training and evaluation")
    if not subject.differs_in_training:
        return largest
    modes = (subject.solver().train(), subject.solver())
    losses = (lambda seed, s=s: row_losses(s, subject.few, seed).detach() for s in modes)
    noisy = not subject.deterministic
    if max(largest.figure or 0.0, movement(*losses, noisy=noisy, tolerance=ROUNDING).figure) <= ROUNDING:
        raise FailCheckError("the solver declares that it differs in training, and does not", 0.0)
    return Measurement(0.0, f"{largest.reason}, as it declares")


@PART.check("state", needs=["shape", "device", "deterministic"], at_most=0.0)
def check_state(subject: Subject) -> Measurement:
    """A solver that was built anew and given the `state_dict` of another is that other.

    Failure: the figure is the largest difference. What was trained is lost when it is saved.

    Remedy: Keep everything that forward uses, and that is not the same for every seed, in parameters or in
    persistent buffers.
    """
    trained, fresh = subject.solver(), subject.build(seed=17)
    with torch.no_grad():  # as if trained: a default that every seed shares would hide what was not saved
        generator = torch.Generator().manual_seed(5)
        for parameter in trained.parameters():
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            parameter.add_(0.01 * noise)
    fresh.load_state_dict(trained.state_dict())
    found: dict[str, Movement] = {}
    for name, sample in subject.samples.items():

        def kept(seed: int, sample: Sample = sample) -> Tensor:
            return run_forward(trained, sample, seed)

        def loaded(seed: int, sample: Sample = sample) -> Tensor:
            return run_forward(fresh, sample, seed)

        found[name] = movement(kept, loaded, noisy=not subject.deterministic)
    return _largest(found, "beliefs differ by {:.2g} after a round trip")


@PART.check("loss-rows", needs=["loss", "rows"], at_most=ROUNDING)
def check_loss_rows(subject: Subject) -> Measurement:
    """The loss of a row does not depend on the rest of its batch, in evaluation and in training.

    In training it may where the solver declares `differs_in_training`: batch normalisation does.

    Failure: the figure is the largest change of a row's loss, relative to the largest loss.

    Remedy: Sum over variables and symbols only; leave the batch dimension alone.
    """
    found: dict[str, Movement] = {}
    modes = (
        {"in evaluation": False}
        if subject.differs_in_training
        else {"in evaluation": False, "in training": True}
    )
    for (size, sample), (mode, training) in itertools.product(subject.samples.items(), modes.items()):
        solver = subject.solver().train(training)
        count = len(sample.given)
        chosen = torch.linspace(0, count - 1, min(count, SINGLE_ROWS)).long()
        largest = max(1.0, float(row_losses(solver, sample).detach().abs().max()))

        @torch.no_grad()
        def together(
            seed: int, solver: nn.Module = solver, sample: Sample = sample, chosen: Tensor = chosen
        ) -> Tensor:
            return row_losses(solver, sample, seed)[chosen]

        @torch.no_grad()
        def single(
            seed: int, solver: nn.Module = solver, sample: Sample = sample, chosen: Tensor = chosen
        ) -> Tensor:
            return torch.cat([row_losses(solver, sample.rows([int(row)]), seed) for row in chosen])

        moved = movement(together, single, noisy=not subject.deterministic, tolerance=ROUNDING * largest)
        found[f"{size} {mode}"] = replace(moved, figure=moved.figure / largest)
    return _largest(found, "losses move by {:.2g} of the largest with the batch around them")
