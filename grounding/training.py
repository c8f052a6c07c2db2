"""Training a network end to end, on what trains and on nothing else."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..datasets.batch import Batch, Examples
from ..solvers.solver import answer_nll
from .perception import Interface, Network

Loss = Callable[[Network, Batch], Float[Tensor, " batch"]]


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training budget and how it is spent; nothing stops a run before its budget is spent.

    `puzzles` of the training split are passed through `epochs` times in batches of `batch`. Adam's
    learning rates are apart for perception and solver; None leaves the solver's to what it recommends.
    """

    puzzles: int = 600
    epochs: int = 15
    batch: int = 32
    perception_rate: float = 1e-3
    solver_rate: float | None = None
    interface: Interface = "softmax"

    def __post_init__(self) -> None:
        for name in ("puzzles", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: it takes at least 1")
        for name in ("perception_rate", "solver_rate"):
            rate = getattr(self, name)
            if rate is not None and not (rate > 0 and math.isfinite(rate)):
                raise ValueError(f"{name}={rate}: a learning rate is a positive number")
        if self.interface not in ("softmax", "sigmoid"):
            raise ValueError(f"interface={self.interface!r}: it is softmax or sigmoid")

    @property
    def settings(self) -> dict[str, Any]:
        """For a record."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def end_to_end(network: Network, batch: Batch) -> Float[Tensor, " batch"]:
    """The solver's own loss where it has one, else the likelihood of the answer under its completion."""
    beliefs = network.beliefs(batch)
    own = getattr(network.solver, "loss", None)
    if own is not None:
        return own(beliefs, batch.given, batch.answer)
    return answer_nll(network.solver(beliefs, batch.given), batch.answer)


def orders(size: int, epochs: int, batch: int, generator: torch.Generator) -> Iterator[list[Int[Tensor, " rows"]]]:
    """The batches of each epoch: every puzzle once, in a fresh order."""
    for _ in range(epochs):
        yield list(torch.randperm(size, generator=generator).split(batch))


def optimiser_for(network: Network, training: Training) -> torch.optim.Optimizer:
    """Adam with a learning rate for perception and one for the solver."""
    rate = training.solver_rate or getattr(network.solver, "learning_rate", 1e-3)
    groups: list[dict[str, Any]] = [
        {"params": list(network.perception.parameters()), "lr": training.perception_rate},
        {"params": [p for p in network.solver.parameters() if p.requires_grad], "lr": rate},
    ]
    return torch.optim.Adam([group for group in groups if group["params"]])


def train(
    network: Network,
    examples: Examples,
    training: Training,
    generator: torch.Generator,
    *,
    loss: Loss = end_to_end,
    after_epoch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> None:
    """Spends the training budget; `after_epoch` hears the epoch (from 1) and its mean loss (nats per row).

    Rows whose loss is NaN are rows the solver could not solve: they are left out of the step. A step in
    which no row was solved is skipped.
    """
    optimiser = optimiser_for(network, training)
    device = examples.given.device
    for epoch, batches in enumerate(orders(len(examples), training.epochs, training.batch, generator), 1):
        network.train()
        total, rows_seen = 0.0, 0
        for rows in batches:
            losses = loss(network, examples.batch(rows.to(device)))
            solved = losses[~losses.isnan()]
            if not len(solved):
                continue
            optimiser.zero_grad()
            mean = solved.mean()
            mean.backward()
            _drop_unsolved(network)
            optimiser.step()
            total += float(mean.detach()) * len(solved)
            rows_seen += len(solved)
        after_epoch(epoch, total / rows_seen if rows_seen else math.nan)


def _drop_unsolved(module: nn.Module) -> None:
    """NaN gradients, which unsolved rows can send through shared weights, are taken as zero."""
    for parameter in module.parameters():
        if parameter.grad is not None:
            parameter.grad.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
