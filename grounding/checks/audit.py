"""Does a user's own training code see the labels of the givens? Found out by changing them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from scipy.special import bdtrc
from torch import nn

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from .audit_code import AuditedCode, build_model
from .audit_masked import compare_scale
from .audit_movement import exceeding_step, largest_movements, rounding_reach, whole_movement
from .audit_runs import LARGE, Course, Rehearsal, Trace
from .finding import Finding
from .registry import Registry, Result, SkipCheckError, failed, passed

STEPS = 44  # 0.9 ** 44 is 0.01: what shows in one step of ten is missed once in a hundred audits
BATCH = 32
RELABELLINGS = 3  # trainings of that length, each with other labels, puzzles and generator states
FEW_STEPS = 4  # of the training with a large batch, and of those that are repeated against noise
NUDGES = 3  # trainings with every last bit drawn anew, which tell how far rounding carries
NEGLIGIBLE = 1e-4  # of the whole gradient, relative: noise above it could hide a leak
NOISY_PAIRS = 24  # at most, where a training does not repeat itself
NOISE_ERROR = 1e-3  # of the sign test over these

Movement = Literal["none", "rounding", "leak", "noise"]


@dataclass(frozen=True)
class Audit:
    """What moved when the labels of the givens were replaced."""

    task: str
    movement: Movement
    steps: int  # that were compared, each with generator states of its own
    reached: bool  # a gradient reached the model, or a parameter of it moved
    loss: float = 0.0  # largest change of the loss in a step, relative
    gradient: float = 0.0  # largest change of the gradient of all parameters, or of a step, relative
    perception: float = 0.0  # the same for the perception network alone
    answers: float = 0.0  # change of what the trained model answers, relative
    noise: float = 0.0  # how far the same labels, or their last bits, move the same; 0 where nothing moved
    first: int | None = None  # the first step that leaked, from 1
    variables: tuple[str, ...] = ()  # each of which is enough to move something
    scale: float | None = None  # of the gradient, against the masked loss it is parallel to, if there is one
    masked: str = ""  # that masked loss
    findings: list[Finding] = field(default_factory=list, compare=False)

    @property
    def leaks(self) -> bool:
        """Whether the labels of the givens reach training."""
        return self.movement == "leak"


audit_checks: Registry[Audit] = Registry("audit")


def audit(
    code: Callable[..., Any],
    task: Task,
    *,
    name: str | None = None,
    model: nn.Module | None = None,
    images: str | ImageSource = "digits",
    seed: int = 0,
    steps: int = STEPS,
    batch: int = BATCH,
) -> Audit:
    """Changes the labels of the givens under a loss(model, images, given, labels) or a training step,
    step(model, optimiser, batch), and tells what moves.

    `images` is (batch, variables, channels, height, width), `given` (batch, variables) of bool, `labels`
    (batch, variables) the true symbols of every variable; `batch` holds the three, by these names and in this
    order.
    A loss is a tensor, whose mean is taken; a step calls `backward()` and the optimiser itself. `model` is
    yours, or a small one: `model(images, given)` then returns beliefs (batch, variables, symbols).

    Trainings of `steps` steps are run in pairs, from the same weights, on the same images and generator
    states: one with the true labels of the givens, one with wrong ones. What needs more steps is not seen.

    Raises `UsageError` for what is neither a loss nor a step, `AuditCrashError` for what the code raises.
    """
    if min(steps, batch) < 1:
        raise UsageError(f"steps={steps}, batch={batch}: an audit takes 1 or more of each")
    audited = AuditedCode.of(code, name)
    task = task.drawn(seed)
    bank = ImageSource.of(images).load()
    tried = build_model(task, seed, bank.shape) if model is None else model
    rehearsal = Rehearsal(audited, task, bank, tried, batch, seed)
    courses = [Course(seed + number, steps, batch) for number in range(RELABELLINGS)]
    courses.append(Course(seed + RELABELLINGS, min(steps, FEW_STEPS), LARGE * batch))
    found = _compare(rehearsal, courses)
    if model is None and audited.kind == "loss" and not found.leaks:
        scale, masked = compare_scale(rehearsal, Course(seed, 1, batch))
        found = replace(found, scale=scale, masked=masked)
    found.findings.extend(audit_checks.run(found, task.name))
    return found


def _compare(rehearsal: Rehearsal, courses: list[Course]) -> Audit:
    """The first course on which labels move more than rounding does decides; else all of them."""
    found = Audit(rehearsal.task.name, "none", sum(course.steps for course in courses), reached=False)
    for course in courses:
        other = rehearsal.other_labels(course.seed)
        true, wrong = (rehearsal.run(course, labels) for labels in (rehearsal.labels, other))
        found = replace(found, reached=found.reached or true.reached)
        if true.digests == wrong.digests:
            continue
        first, second = (rehearsal.run(course, labels, keep=True) for labels in (rehearsal.labels, other))
        if (first.digests, second.digests) != (true.digests, wrong.digests):
            return _against_noise(rehearsal, course, found)
        nudged = [rehearsal.run(course, rehearsal.labels, keep=True, nudge=n + 1) for n in range(NUDGES)]
        reach = rounding_reach(first, nudged)
        found = _measure(found, first, second, max(whole_movement(first, trace) for trace in nudged))
        step = exceeding_step(first, second, reach)
        if step is not None:
            variables = _variables(rehearsal, replace(course, steps=min(step, course.steps)), reach)
            return replace(found, movement="leak", first=step, variables=tuple(variables))
        if found.gradient > NEGLIGIBLE:
            return replace(found, movement="noise")
        found = replace(found, movement="rounding")
    return found


def _measure(found: Audit, true: Trace, other: Trace, noise: float) -> Audit:
    """The sizes of what moved, each the largest so far."""
    moved = largest_movements(true, other)
    return replace(
        found,
        loss=max(found.loss, moved.get("loss", 0.0)),
        gradient=max(found.gradient, whole_movement(true, other)),
        perception=max(found.perception, whole_movement(true, other, "perception")),
        answers=max(found.answers, moved.get("answers", 0.0)),
        noise=max(found.noise, noise),
    )


def _against_noise(rehearsal: Rehearsal, course: Course, found: Audit) -> Audit:
    """Where a training does not repeat itself: are other labels further away than the same ones?

    The same training is run twice with the true labels and once with wrong ones, in a drawn order, so that
    what drifts from call to call favours neither. If labels do not matter, each of the two is the farther one
    half the time: a sign test over pairs, until it decides.
    """
    order = np.random.default_rng(course.seed)
    farther = 0
    for pair in range(1, NOISY_PAIRS + 1):
        short = Course(course.seed + pair, min(course.steps, FEW_STEPS), course.batch)
        labels = {False: rehearsal.labels, True: rehearsal.other_labels(short.seed)}
        true = rehearsal.run(short, rehearsal.labels, keep=True)
        traces = {bool(w): rehearsal.run(short, labels[bool(w)], keep=True) for w in order.permutation(2)}
        same, changed = (sum(largest_movements(true, traces[wrong]).values()) for wrong in (False, True))
        farther += changed > same
        found = _measure(found, true, traces[True], whole_movement(true, traces[False]))
        if _chance_of(farther, pair) < NOISE_ERROR:
            return replace(found, movement="leak")
    largest = max(found.loss, found.gradient, found.answers)
    return replace(found, movement="rounding" if largest <= NEGLIGIBLE else "noise")


def _chance_of(farther: int, pairs: int) -> float:
    """That a fair coin falls on one side at least so often."""
    return float(bdtrc(farther - 1, pairs, 0.5))


def _variables(rehearsal: Rehearsal, course: Course, reach: dict[str, float]) -> Iterator[str]:
    """Those of which the wrong labels alone are enough to move more than rounding does."""
    true = rehearsal.run(course, rehearsal.labels, keep=True)
    for number, name in enumerate(rehearsal.task.problem.variables):
        if rehearsal.given[:, number].any():
            alone = rehearsal.run(course, rehearsal.other_labels(course.seed, number), keep=True)
            if exceeding_step(true, alone, reach) is not None:
                yield name


@audit_checks.check("labels", decides=True)
def check_labels(found: Audit) -> Result:
    """Neither a loss nor a gradient nor an answer moves when the labels of the givens are replaced by others.

    The leak of 2019 sat in a training script: SATNet returns its givens unchanged, so that cross-entropy over
    all cells was an ordinary digit-classification loss at the given ones. No check of a layer can see that.
    Trainings are run in pairs, which differ in these labels and in nothing else: not in weights, images or
    the states of Python's, NumPy's and torch's generators. What moves no further than the last bit of every
    pixel and weight carries is rounding. A leak that needs more steps than were asked for is not seen.

    Failure: the figure is the largest change of the gradient, relative; the reason names the variables
    through which it leaks. It is inconclusive where the same labels do not give the same training, and
    other labels do not move it further.

    Remedy: Take the loss over the queries only: `loss[~given]`.

    Source: Chang et al. 2020, arXiv:2312.11522, §4.
    """
    if found.movement == "leak":
        return failed(_told_leak(found), found.gradient, 0.0)
    if found.movement == "noise":
        message = (
            f"the same labels move the gradient by {found.noise:.2g} of its size and other labels by "
            f"{found.gradient:.2g}, which tells neither a leak nor that there is none: draw random numbers "
            "from generators that are seeded"
        )
        return Result("inconclusive", message, found.gradient, 0.0)
    if not found.reached:
        raise SkipCheckError("means nothing without audit/gradient, which did not pass")
    power = (
        f"in {found.steps} steps, so that a leak in one step of ten is missed with probability "
        f"{0.9**found.steps:.1g}"
    )
    if found.movement == "rounding":
        message = (
            f"with other labels at the givens the gradient moves by {found.gradient:.2g}, as rounding moves "
            f"it ({found.noise:.2g}), {power}"
        )
        return passed(message, found.gradient, 0.0)
    return passed(f"nothing moves by a bit with other labels at the givens {power}", 0.0, 0.0)


def _told_leak(found: Audit) -> str:
    few = ", ".join(found.variables[:4]) + (", …" if len(found.variables) > 4 else "")
    count = len(found.variables)
    through = (
        f"through {count} variable{'s' * (count != 1)} ({few})"
        if count
        else "through no single variable alone"
    )
    since = f", from step {found.first} on" if found.first and found.first > 1 else ""
    noise = f"; the same labels move it by {found.noise:.2g}" if found.first is None else ""
    return (
        f"with other labels at the givens the loss moves by {found.loss:.2g} and the gradient by "
        f"{found.gradient:.2g} of its size (perception's by {found.perception:.2g}), what the trained model "
        f"answers by {found.answers:.2g}, {through}{since}{noise}"
    )


@audit_checks.check("gradient", decides=True)
def check_gradient(found: Audit) -> Result:
    """A gradient reaches the model: some parameter has one that is not zero, or moves in a training step.

    A loss that never calls the model, or multiplies it by zero, leaks nothing, and trains nothing either.

    Failure: no parameter of the model has a gradient in any step.

    Remedy: Call the model that is handed over, and detach nothing on the way to the loss.
    """
    if found.reached:
        return passed("a gradient reaches the model")
    return failed("no gradient reaches the model in any step: nothing is trained")


@audit_checks.check("scale", decides=True)
def check_scale(found: Audit) -> Result:
    """The gradient is that of a masked loss in size as well, not only in direction.

    Writing the labels into the givens before a loss over all cells masks the gradient, but the mean is
    then taken over more cells than contribute: learning rates mean something else, and on boards
    with more givens the step is smaller.

    Failure: the figure is the size of the gradient relative to the masked loss named in the reason. It is
    inconclusive, not wrong.

    Remedy: Average over the queries alone, or know that the learning rate is scaled.
    """
    if found.leaks or found.scale is None:
        raise SkipCheckError("the gradient is no multiple of a masked loss that is known here")
    message = f"the gradient is {found.scale:.3g} times that of {found.masked}"
    if abs(found.scale - 1) <= 1e-3:
        return passed(message, found.scale, 1.0)
    return Result("inconclusive", message, found.scale, 1.0)
