"""Training a network end to end, on what trains and on nothing else."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch, Examples
from ...datasets.errors import UsageError
from ...solvers.solver import answer_nll
from .network import Interface, Network
from .recording import Recorded, Recorder

Loss = Callable[[Network, Batch], Float[Tensor, " batch"]]


@dataclass(frozen=True)
class Progress:
    """One epoch of training that ended, counted from 1."""

    epoch: int
    loss: float  # mean over the rows that were solved; nats per row
    skipped: float  # fraction of steps without a solved row, or with a gradient that is not finite
    gradient: float | None = None  # norm of the loss's gradient towards the beliefs, mean over rows and steps
    no_gradient: float = 0.0  # fraction of steps on images that brought perception no gradient, or a zero one
    recorded: Recorded | None = None


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training budget; nothing stops a run before it is spent.

    Args:
        puzzles: How many puzzles of the training split are passed through.
        epochs: How often.
        batch: Puzzles of a step.
        perception_rate: Adam's learning rate for perception; None for what the solver recommends.
        solver_rate: That for the solver.
        interface: How logits of perception become beliefs: "softmax" or "sigmoid".
        pretraining: What perception learns before: "clusters" of the training puzzles' images, found without
            labels; "none"; or None for what the solver asks for.
        wrong_answers: Share of the answers that training sees which are replaced by another symbol of their
            variable; the ceiling's labels stay right.

    Raises:
        UsageError: For a field that cannot be meant.
    """

    puzzles: int = 600
    epochs: int = 15
    batch: int = 32
    perception_rate: float | None = None
    solver_rate: float | None = None
    interface: Interface = "softmax"
    pretraining: str | None = None
    wrong_answers: float = 0.0

    def __post_init__(self) -> None:
        for name in ("puzzles", "epochs", "batch"):
            count = getattr(self, name)
            if type(count) is not int or count < 1:
                raise UsageError(f"{name}={count!r}: it is a whole number of at least 1")
        for name in ("perception_rate", "solver_rate"):
            rate = getattr(self, name)
            if rate is not None and (
                type(rate) not in (int, float) or not (rate > 0 and math.isfinite(rate))
            ):
                raise UsageError(f"{name}={rate!r}: a learning rate is a positive number")
        if type(self.wrong_answers) not in (int, float) or not 0 <= self.wrong_answers < 1:
            raise UsageError(f"wrong_answers={self.wrong_answers!r}: a share from 0 up to, not including, 1")
        if self.interface not in ("softmax", "sigmoid"):
            raise UsageError(f"interface={self.interface!r}: it is softmax or sigmoid")
        if self.pretraining not in (None, "none", "clusters"):
            raise UsageError(f"pretraining={self.pretraining!r}: it is none or clusters")

    @property
    def settings(self) -> dict[str, Any]:
        """For a record."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def solver_loss(
    solver: nn.Module,
    beliefs: Float[Tensor, "batch variables symbols"],
    given: Bool[Tensor, "batch variables"],
    answer: Int[Tensor, "batch variables"],
) -> Tensor:
    """The solver's own loss where it has one, else the likelihood of the answer under its completion.

    A number per row, if the solver keeps its contract: `contract/loss` looks.
    """
    own = getattr(solver, "loss", None)
    return answer_nll(solver(beliefs, given), answer) if own is None else own(beliefs, given, answer)


def end_to_end(network: Network, batch: Batch) -> Float[Tensor, " batch"]:
    """The loss of the solver on what perception reads."""
    return solver_loss(network.solver, network.beliefs(batch), batch.given, batch.answer)


def orders(
    size: int, epochs: int, batch: int, generator: torch.Generator
) -> Iterator[list[Int[Tensor, " rows"]]]:
    """The batches of each epoch: every puzzle once, in a fresh order."""
    for _ in range(epochs):
        yield list(torch.randperm(size, generator=generator).split(batch))


def optimiser_for(network: Network, training: Training) -> torch.optim.Optimizer:
    """Adam with a learning rate for perception and one for the solver."""
    rate = training.solver_rate or getattr(network.solver, "learning_rate", 1e-3)
    perception_rate = training.perception_rate or getattr(network.solver, "perception_rate", 1e-3)
    groups: list[dict[str, Any]] = [
        {
            "params": list(network.perception.parameters()),
            "lr": perception_rate,
        },
        {"params": [p for p in network.solver.parameters() if p.requires_grad], "lr": rate},
    ]
    return torch.optim.Adam([group for group in groups if group["params"]])


@dataclass
class TrainingState:
    """A training between two epochs: the network, and all that goes on with it.

    Of the network it is parameters, persistent buffers and extra state; of torch its global generators, that
    of the CPU and that of a network's CUDA device. Python's and NumPy's are left out: a trial never seeds
    them.
    """

    network: Network
    optimiser: torch.optim.Optimizer
    order: torch.Generator  # draws the order of the puzzles
    epoch: int = 0  # that ended

    def as_dict(self) -> dict[str, Any]:
        """In tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "order": self.order.get_state(),
            "drawn": [torch.get_rng_state(), *self._drawn_there()],
            "epoch": self.epoch,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Takes up what `as_dict` held. What it raises leaves this state unusable."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.order.set_state(state["order"])
        self.epoch = state["epoch"]
        drawn, *drawn_there = state["drawn"]
        torch.set_rng_state(drawn)
        for there in drawn_there:
            torch.cuda.set_rng_state(there, self.network.legal.device)

    def _drawn_there(self) -> list[Tensor]:
        device = self.network.legal.device
        return [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []


def train(
    network: Network,
    examples: Examples,
    training: Training,
    generator: torch.Generator,
    *,
    loss: Loss = end_to_end,
    after_epoch: Callable[[Progress], None] = lambda _: None,
    optimiser: torch.optim.Optimizer | None = None,
    ended: int = 0,
) -> None:
    """Spends the training budget, telling `after_epoch` of each epoch that ends.

    Where so many epochs `ended` before, it goes on with the next, with their `optimiser` and `generator`.

    Rows whose loss is NaN are rows the solver could not solve: they are left out of the step. A step
    without a solved row, or whose gradient is not finite, is skipped and counted. So is, apart, a step on
    images from which perception gets no gradient: a solver may have switched gradients off.
    """
    optimiser = optimiser or optimiser_for(network, training)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    device = examples.given.device
    left = orders(len(examples), training.epochs - ended, training.batch, generator)
    for epoch, batches in enumerate(left, ended + 1):
        network.train()
        network.belief_gradients.clear()
        total, solved_rows, skipped, no_gradient = 0.0, 0, 0, 0
        network.recorder = recorder = Recorder(network.perception, network.solver, len(batches))
        for rows in batches:
            recorder.begin(rows)
            batch = examples.batch(rows.to(device))
            losses = loss(network, batch)
            solved = losses[~losses.isnan()]
            if len(solved):
                mean = solved.mean()
                optimiser.zero_grad()
                if mean.requires_grad:  # else nothing is there to train: exact rules on true symbols
                    mean.backward()
                no_gradient += bool(len(batch.images)) and not _any_gradient(network.perception)
                total += float(mean.detach()) * len(solved)
                solved_rows += len(solved)
            if len(solved) and _finite(parameters):
                recorder.before_step()
                optimiser.step()
                recorder.after_step()
            else:
                skipped += 1
        mean_loss = total / solved_rows if solved_rows else math.nan
        belief_gradients = (
            float(torch.stack(network.belief_gradients).mean()) if network.belief_gradients else None
        )
        steps = len(batches)
        network.recorder = None
        shares = skipped / steps, belief_gradients, no_gradient / steps
        after_epoch(Progress(epoch, mean_loss, *shares, recorder.recorded))


def _any_gradient(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def _finite(parameters: list[nn.Parameter]) -> bool:
    gradients = [p.grad for p in parameters if p.grad is not None]
    # One sum instead of a look at every entry: it is finite unless an entry, or their scale, is not.
    return all(bool(torch.isfinite(gradient.sum())) for gradient in gradients)
