"""Does a user's own training loss see the labels of the givens? Found out by changing them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch
from ...datasets.images import SIDE, load_images
from ...datasets.task import Task
from ..trials.network import Network, build_network
from ..trials.spec import SolverSpec
from ..trials.training import Training
from .finding import Finding
from .registry import Check, Result, SkipCheckError, failed, passed

PUZZLES = 8
RELABELLINGS = 3  # how often all labels of givens are replaced
PARALLEL = 0.999  # cosine from which on two gradients differ in scale only
MODEL = SolverSpec("mlp")  # hands the givens through, as SATNet does: the way the leak of 2019 took

Images = Float[Tensor, "batch variables 1 28 28"]
Loss = Callable[[nn.Module, Images, Bool[Tensor, "batch variables"], Int[Tensor, "batch variables"]], Tensor]


class AuditModel(nn.Module):
    """A network that a loss can be tried on: `model(images, given)` returns beliefs about every variable.

    `images` is (batch, variables, 1, 28, 28), zero where a variable shows none. What the solver returns at
    the givens is what perception believes of them.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, images: Images, given: Bool[Tensor, "batch variables"]
    ) -> Float[Tensor, "batch variables symbols"]:
        """Reads every image at a given and completes."""
        place = torch.full(given.shape, -1)
        place[given] = torch.arange(int(given.sum()))
        unknown = torch.full(given.shape, -1)
        batch = Batch(images[given], place, unknown, given, unknown)
        return self.network.solver(self.network.beliefs(batch), given)


@dataclass(frozen=True)
class Audit:
    """What moved when the labels of the givens were replaced."""

    task: str
    variables: tuple[str, ...]  # through which the loss or a gradient moved
    loss: float  # largest change of the loss, relative
    gradient: float  # largest change of the gradient of all parameters, relative
    perception: float  # the same for the perception network alone; None where there is none
    repeatable: bool  # the same labels gave the same loss and gradients, bit by bit
    scale: (
        float | None
    )  # of the gradient, against the masked loss it is parallel to; None where there is none
    masked: str = ""  # that masked loss
    findings: list[Finding] = field(default_factory=list)

    @property
    def leaks(self) -> bool:
        """Whether anything moved."""
        return self.loss > 0 or self.gradient > 0


def audit(
    loss: Loss,
    task: Task,
    *,
    model: nn.Module | None = None,
    images: str = "digits",
    seed: int = 0,
) -> Audit:
    """Tries `loss(model, images, given, labels)` on puzzles of a task and changes the labels of the givens.

    `images` is (batch, variables, 1, 28, 28), `given` (batch, variables) of bool, `labels` (batch,
    variables) the true symbols of every variable; the loss is a tensor, whose mean is taken. `model` is
    yours, or a small one: `model(images, given)` then returns beliefs (batch, variables, symbols).
    All labels of givens are replaced a few times, then those of one variable at a time, on the same
    images and from the same random state. Nothing may move, bit by bit.

    Raises `ValueError` where the loss is not a finite number.
    """
    subject = _Audited(loss, task.drawn(seed), model, images, seed)
    first, again = subject.measure(subject.labels), subject.measure(subject.labels)
    repeatable = bool(torch.equal(first.loss, again.loss) and _apart(first.gradients, again.gradients) == 0)
    changed = [subject.measure(labels) for labels in subject.relabelled()]
    loss_moved = max(_relative(first.loss, other.loss) for other in changed)
    gradient_moved = max(_apart(first.gradients, other.gradients) for other in changed)
    seen = {n: g for n, g in first.gradients.items() if "perception" in n}
    perception_moved = max(
        (_apart(seen, {n: other.gradients[n] for n in seen}) for other in changed if seen), default=0.0
    )
    variables: list[str] = []
    if loss_moved or gradient_moved:
        for name, labels in subject.one_by_one():
            other = subject.measure(labels)
            if not torch.equal(other.loss, first.loss) or _apart(first.gradients, other.gradients):
                variables.append(name)
    scale, masked = subject.scale(first.gradients)
    found = Audit(
        task.name, tuple(variables), loss_moved, gradient_moved, perception_moved, repeatable, scale, masked
    )
    found.findings.extend(check.run(found, task.name) for check in AUDIT)
    return found


@dataclass(frozen=True)
class _Measured:
    loss: Tensor
    gradients: dict[str, Tensor]


class _Audited:
    def __init__(self, loss: Loss, task: Task, model: nn.Module | None, images: str, seed: int) -> None:
        self.loss, self.task, self.rng = loss, task, np.random.default_rng(seed)
        puzzles = task.generate("train", PUZZLES, seed)
        bank = load_images(images).train
        self.given = torch.from_numpy(puzzles.given.copy())
        self.labels = torch.from_numpy(puzzles.solution.astype(np.int64))
        shown = puzzles.picture >= 0
        if not shown.any():
            raise ValueError(f"{task.name} shows no images: there are no labels of givens to leak")
        pictures = torch.zeros(*puzzles.given.shape, 1, SIDE, SIDE)
        rows = bank.find(np.asarray(task.classes)[puzzles.solution[shown]], puzzles.picture[shown])
        pictures[torch.from_numpy(shown)] = bank.gallery.gather(torch.from_numpy(rows))
        self.images, self.shown = pictures, torch.from_numpy(shown)
        with torch.random.fork_rng(devices=[]):
            self.model = model or AuditModel(build_network(task, MODEL, Training().interface, seed))
        self.ours = model is None

    def measure(self, labels: Tensor, loss: Loss | None = None) -> _Measured:
        """The loss and its gradients, from one random state, on copies of the arguments."""
        self.model.zero_grad()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            arguments = (self.images.clone(), self.given.clone(), labels.clone())
            value: Any = (loss or self.loss)(self.model, *arguments)
            if not isinstance(value, torch.Tensor) or not value.requires_grad:
                raise ValueError(
                    f"the loss returned {type(value).__name__} {value!r:.80}: it is to return a tensor that "
                    "depends on the model's parameters"
                )
            mean = value.mean()
            if not bool(mean.isfinite()):
                raise ValueError(f"the loss is {float(mean.detach())}: nothing can be told from that")
            mean.backward()
        return _Measured(
            mean.detach().clone(),
            {n: p.grad.clone() for n, p in self.model.named_parameters() if p.grad is not None},
        )

    def relabelled(self) -> Iterator[Tensor]:
        """The labels of all givens replaced by others, a few times."""
        for _ in range(RELABELLINGS):
            yield self._other(self.given)

    def one_by_one(self) -> Iterator[tuple[str, Tensor]]:
        """The labels of the givens of one variable replaced, variable by variable."""
        for number, name in enumerate(self.task.problem.variables):
            chosen = torch.zeros_like(self.given)
            chosen[:, number] = self.given[:, number]
            if chosen.any():
                yield name, self._other(chosen)

    def _other(self, chosen: Tensor) -> Tensor:
        domains = np.asarray(self.task.problem.domains)
        shift = torch.from_numpy(self.rng.integers(1, domains, size=tuple(chosen.shape)))
        return torch.where(chosen, (self.labels + shift) % torch.from_numpy(domains), self.labels)

    def scale(self, gradients: dict[str, Tensor]) -> tuple[float | None, str]:
        """How the gradient compares with that of the masked loss of which it is a multiple, most nearly."""
        if not self.ours:
            return None, ""
        nearest, scale, masked = PARALLEL, None, ""
        for name, reference in MASKED.items():
            other = self.measure(self.labels, reference).gradients
            if other.keys() != gradients.keys():
                return None, ""
            one, two = (
                torch.cat([g.double().flatten() for g in found.values()]) for found in (gradients, other)
            )
            cosine = float(nn.functional.cosine_similarity(one, two, dim=0))
            if cosine >= nearest:
                nearest, scale, masked = cosine, float(one.norm() / two.norm()), name
        return scale, masked


def masked_cross_entropy(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihood of the answers, mean over the queries."""
    completion = model(images, given)
    share = completion / completion.sum(-1, keepdim=True)
    picked = share.gather(-1, labels.unsqueeze(-1))
    return -(picked + 1e-30).log()[~given].mean()


def masked_binary(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of the bits of the answers, mean over the bits of the queries."""
    completion = model(images, given)
    hot = nn.functional.one_hot(labels, completion.shape[-1]).to(completion)
    return nn.functional.binary_cross_entropy(completion[~given].clamp(0, 1), hot[~given])


MASKED: dict[str, Loss] = {
    "binary cross-entropy over the queries, averaged": masked_binary,
    "cross-entropy over the queries, averaged": masked_cross_entropy,
}


def _relative(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs() / one.abs().clamp_min(1e-30))


def _apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Norm of the difference of two gradients, relative to that of the first."""
    if not one:
        return 0.0
    names = one.keys() | other.keys()
    zero = torch.zeros(())
    squares = [float((one.get(n, zero).double() - other.get(n, zero).double()).square().sum()) for n in names]
    size = sum(float(g.double().square().sum()) for g in one.values())
    return float(np.sqrt(sum(squares) / max(size, 1e-300)))


def check_labels(found: Audit) -> Result:
    """Neither the loss nor a gradient moves when the labels of the givens are replaced by others.

    The leak of 2019 sat in a training script: SATNet returns its givens unchanged, so that cross-entropy over
    all cells was an ordinary digit-classification loss at the given ones. No check of a layer can see that.

    Failure: the figure is the largest change of the gradient, relative; the reason names the variables
    through which it leaks.

    Remedy: Take the loss over the queries only: `loss[~given]`.

    Source: Chang et al. 2020, arXiv:2312.11522, §4.
    """
    if not found.repeatable:
        return Result("inconclusive", "the loss differs from call to call on the same labels: fix its seed")
    if not found.leaks:
        return passed("loss and gradients stay bit-identical with other labels at the givens", 0.0, 0.0)
    few = ", ".join(found.variables[:4]) + (", …" if len(found.variables) > 4 else "")
    message = (
        f"with other labels at the givens the loss moves by {found.loss:.2g} and its gradient by "
        f"{found.gradient:.2g} of its size (perception's by {found.perception:.2g}), through "
        f"{len(found.variables)} variables ({few})"
    )
    return failed(message, found.gradient, 0.0)


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


AUDIT: tuple[Check[Audit], ...] = (Check("audit/labels", check_labels), Check("audit/scale", check_scale))
