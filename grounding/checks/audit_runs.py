"""Short trainings with the code that is audited, each from the same start whatever ran before."""

import copy
import hashlib
import importlib
import io
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from ...datasets.errors import UsageError
from ...datasets.image_set import ImageSet
from ...datasets.task import Task
from .audit_code import AuditBatch, AuditCrashError, AuditedCode
from .seeding import seeded_generators

RATE = 0.01  # of plain gradient descent, which carries a rounding on as small as it was; Adam would not
LARGE = 8  # batches that make a large one

Step = dict[str, np.ndarray]  # "loss", "gradient NAME", "move NAME" of a parameter, at the end "answers"
T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """A training to be run: what its generators start from, and its length."""

    seed: int
    steps: int
    batch: int  # rows


@dataclass(frozen=True)
class Trace:
    """What a training showed, step by step; after the last one stands what the model then answers."""

    digests: tuple[bytes, ...]  # SHA-256 of every step
    reached: bool  # some gradient towards a parameter was not zero, or a parameter moved
    steps: tuple[Step, ...]  # empty unless they were asked for


class Rehearsal:
    """Puzzles with their images and labels, and a model, on which code is tried again and again.

    Where the system can fork, every training is run in a process of its own, so that nothing that the code
    leaves behind (in a closure, a cache, the model, a generator) reaches the next.
    """

    def __init__(
        self, code: AuditedCode, task: Task, images: ImageSet, model: nn.Module, batch: int, seed: int
    ) -> None:
        self.code, self.task, self.model = code, task, model
        self.names = [name for name, _ in model.named_parameters()]
        if not self.names:
            raise UsageError("the model has no parameters: there is nothing that a loss could train")
        puzzles = task.generate("train", LARGE * batch, seed=seed)
        shown = puzzles.picture >= 0
        if not shown.any():
            raise UsageError(f"{task.name} shows no images: there are no labels of givens to leak")
        self.given = torch.from_numpy(puzzles.given.copy())
        self.labels = torch.from_numpy(puzzles.solution.astype(np.int64))
        rows = images.train.find(
            np.asarray(images.train.classes_of(task))[puzzles.solution[shown]], puzzles.picture[shown]
        )
        self.images = torch.zeros(*puzzles.given.shape, *images.shape)
        self.images[torch.from_numpy(shown)] = images.train.gallery.gather(torch.from_numpy(rows))
        # torch imports it at the first step of an optimiser, which every process would wait for.
        importlib.import_module("torch._dynamo")
        self.forks = can_fork()

    def run(
        self,
        course: Course,
        labels: Int[Tensor, "puzzles variables"],
        *,
        keep: bool = False,
        nudge: int = 0,
        code: AuditedCode | None = None,
    ) -> Trace:
        """Trains along a course with these labels.

        `keep` asks for the steps and not for their digests alone. `nudge`, from 1 on, draws for every pixel
        and initial weight whether its last bit goes up or down. Raises what `AuditedCode.call` does.
        """

        def work() -> Trace:
            model = self.model if self.forks else copy.deepcopy(self.model)
            with seeded_generators(course.seed), redirect_stdout(io.StringIO()):
                return self._train(code or self.code, model, course, labels, keep, nudge)

        return in_child(work) if self.forks else work()

    def _train(
        self, code: AuditedCode, model: nn.Module, course: Course, labels: Tensor, keep: bool, nudge: int
    ) -> Trace:
        order = np.random.default_rng(course.seed)
        images = self.images
        if nudge:
            images = _nudged(images, nudge)
            for parameter in model.parameters():
                parameter.data = _nudged(parameter.data, nudge)
        model.zero_grad()
        optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
        gradients: dict[str, Tensor] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(_listener(name, gradients))
        digests: list[bytes] = []
        steps: list[Step] = []
        reached = False
        for _ in range(course.steps):
            rows = torch.from_numpy(order.permutation(len(labels))[: course.batch])
            before = (
                {n: p.detach().clone() for n, p in model.named_parameters()} if code.kind == "step" else {}
            )
            gradients.clear()
            batch = AuditBatch(images[rows], self.given[rows], labels[rows])
            loss = code.call(model, optimiser, batch)
            step = {f"gradient {name}": _array(gradient) for name, gradient in gradients.items()}
            step |= {f"move {n}": _array(p - before[n]) for n, p in model.named_parameters() if n in before}
            reached = reached or any(bool(moved.any()) for moved in step.values())
            if loss is not None:
                step["loss"] = _array(loss)
            digests.append(_digest(step))
            if keep:
                steps.append(step)
        last = self._answers(model, course.batch)
        digests.append(_digest(last))
        return Trace(tuple(digests), reached, (*steps, last) if keep else ())

    @torch.no_grad()
    def _answers(self, model: nn.Module, rows: int) -> Step:
        """What the trained model says of some puzzles, for labels that it may have memorised.

        A model of the user's own may be called in another way: then nothing is asked.
        """
        try:
            answers = model.eval()(self.images[:rows].clone(), self.given[:rows].clone())
        except Exception:
            return {}
        return {"answers": _array(answers)} if isinstance(answers, Tensor) else {}

    def other_labels(self, seed: int, variable: int | None = None) -> Int[Tensor, "puzzles variables"]:
        """A wrong label at every given, drawn from `seed`; of one variable alone if it is named."""
        domains = np.asarray(self.task.problem.domains)
        shift = np.random.default_rng(seed).integers(1, domains, size=tuple(self.given.shape))
        chosen = self.given
        if variable is not None:
            chosen = torch.zeros_like(self.given)
            chosen[:, variable] = self.given[:, variable]
        return torch.where(
            chosen, (self.labels + torch.from_numpy(shift)) % torch.from_numpy(domains), self.labels
        )


def _listener(name: str, gradients: dict[str, Tensor]) -> Callable[[Tensor], None]:
    def listen(parameter: Tensor) -> None:
        if parameter.grad is not None:
            gradients[name] = gradients.get(name, 0) + parameter.grad.detach().clone()

    return listen


def _nudged(values: Tensor, nudge: int) -> Tensor:
    if not values.is_floating_point():
        return values
    up = torch.randint(2, values.shape, generator=torch.Generator().manual_seed(nudge)).bool()
    step = torch.finfo(values.dtype).eps
    return values * (1 + torch.where(up, step, -step).to(values.dtype))


def _array(values: Tensor) -> np.ndarray:
    values = values.detach().cpu()
    return (values if values.dtype == torch.float64 else values.float()).numpy()


def _digest(step: Step) -> bytes:
    sha = hashlib.sha256()
    for name in sorted(step):
        sha.update(name.encode())
        sha.update(step[name].tobytes())
    return sha.digest()


def in_child(work: Callable[[], T]) -> T:
    """What `work` returns or raises, from a forked process: all that it changes ends there.

    Raises `AuditCrashError` where the process ends without a word.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of threads; the child starts none
        child = os.fork()
    if not child:
        _answer(writing, work)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if not said:
        code = os.waitstatus_to_exitcode(status)
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise AuditCrashError(f"the process of the audited code ended without a word, with {ended}", "")
    returned, value = pickle.loads(said)
    if returned:
        return value
    raise value


def _answer(writing: int, work: Callable[[], Any]) -> None:
    """Never returns: not into what the parent was about to do."""
    try:
        torch.set_num_threads(1)  # the threads of the parent were not forked
        try:
            said = pickle.dumps((True, work()))
        except (UsageError, AuditCrashError) as error:
            said = pickle.dumps((False, error))
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(said)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a fault of ours
    finally:
        os._exit(0)


def can_fork() -> bool:
    """Whether a forked process can train: not on macOS or Windows, nor where a GPU has threads already."""
    if sys.platform != "linux":
        return False

    def work() -> bool:
        try:
            torch.ones((), requires_grad=True).backward()
        except RuntimeError:
            return False
        return True

    return in_child(work)
