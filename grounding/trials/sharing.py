"""Gradients shared between tasks that differ in their bijection: a start from which each is soon learned."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch
from ...datasets.errors import UsageError
from .method import Loss, Method
from .network import Network

TASKS = 4  # of a step: the one that is asked, and others whose answers are renamed
UNTIL = 0.5  # share of the training; what is left of it trains on the task alone
KEPT = 0.9  # of the mean gradient of past tasks, in every step


class SharedGradients(Method):
    """Learns weights from which one step with shared gradients solves a task, whatever its bijection.

    In the first half of the training a step meets four tasks: the one of the trial, and three in which the
    symbols of the answers are renamed, drawn anew. On half of the batch's puzzles each task k has a gradient
    g_k, and goes from weights w to w_k = w − strength · (g_k + a · mean of all g + b · mean of past ones);
    the other half gives the gradient at w_k, whose mean over tasks trains w, a and b. The second half of the
    training is on the task of the trial alone, without inner steps.

    Source: Chang & Lipson 2023, arXiv:2312.08398: an inner loop that shares the gradients of concurrent and
    of past tasks, scaled by coefficients that are meta-learned. Derived here: one inner step; a and b, which
    begin at 0 and belong to all weights alike; the running mean of the past; gradients at w_k taken for those
    at w (the first-order form of Finn et al. 2017, arXiv:1703.03400), while those of a and b are exact; tasks
    that differ in their bijection; and the half that trains on one of them.

    Only for solvers that learn their rules: those that are given do not fit a renamed answer.
    """

    rate = 1e-2
    tried = (0.1, 0.01)
    learns_rules = True
    shares: nn.Parameter
    past: Tensor
    steps: Tensor

    def __init__(
        self, strength: float, loss: Loss, network: Network, steps: int, generator: torch.Generator
    ) -> None:
        super().__init__(strength, loss, network, steps, generator)
        if getattr(network.solver, "rules", "learned") == "given":
            raise UsageError(
                "sharing: this solver is given its rules, which renamed answers break; leave sharing at 0"
            )
        self.until = round(UNTIL * steps)
        self.shares = nn.Parameter(torch.zeros(2))  # a and b
        self.register_buffer("past", torch.zeros(sum(p.numel() for p in _trained(network))))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, network: Network, batch: Batch) -> Float[Tensor, " rows"]:
        """As `Method.forward`: in the first half of the training losses after the inner step, a row for each
        puzzle of the second half of the batch.
        """
        self.steps += 1
        rows = len(batch.given)
        if int(self.steps) > self.until or rows < 2:
            return self.loss(network, batch)
        parameters = _trained(network)
        start = [p.detach().clone() for p in parameters]
        practised, asked = batch.part(slice(rows // 2)), batch.part(slice(rows // 2, rows))
        orders = [renaming(network.legal, self.generator if task else None) for task in range(TASKS)]
        own = [self._gradient(network, renamed(practised, order))[1] for order in orders]
        together = torch.stack(own).mean(0)
        common = torch.stack([together, self.past])  # what a and b are shares of
        losses, gradients = [], []
        for order, gradient in zip(orders, own, strict=True):
            _move(parameters, start, -self.strength * (gradient + self.shares.detach() @ common))
            found, after = self._gradient(network, renamed(asked, order))
            losses.append(found)
            gradients.append(after)
        _move(parameters, start, torch.zeros_like(together))
        self.past.lerp_(together, 1 - KEPT)
        network.logits = None  # they are of weights that are no more
        mean = torch.stack(gradients).mean(0)
        of_shares = -self.strength * (common @ mean)
        parts = [part.view_as(p) for part, p in zip(_split(mean, parameters), parameters, strict=True)]
        shown: Any = _HandOn.apply(
            torch.stack(losses).nanmean(0), [of_shares, *parts], self.shares, *parameters
        )
        return shown

    def _gradient(
        self, network: Network, batch: Batch
    ) -> tuple[Float[Tensor, " rows"], Float[Tensor, " all"]]:
        """The losses, and the gradient of their mean over the rows that were solved; 0 where none is."""
        parameters = _trained(network)
        losses = self.loss(network, batch)
        solved = losses[~losses.isnan()]
        found: Sequence[Tensor | None] = [None] * len(parameters)
        if len(solved) and solved.requires_grad:
            found = torch.autograd.grad(solved.mean(), parameters, allow_unused=True)
        parts = [
            (torch.zeros_like(p) if g is None else g).flatten()
            for p, g in zip(parameters, found, strict=True)
        ]
        return losses.detach(), torch.cat(parts)


class _HandOn(torch.autograd.Function):
    """Losses whose mean has gradients that were found before."""

    @staticmethod
    def forward(ctx: Any, losses: Tensor, gradients: list[Tensor], *weights: Tensor) -> Tensor:
        """The losses."""
        del weights
        ctx.gradients = gradients
        return losses.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        """To each weight its gradient, by the sum of what comes back: 1 for a mean."""
        whole = grad_outputs[0].sum()
        return None, None, *(whole * gradient for gradient in ctx.gradients)


def renaming(legal: Tensor, generator: torch.Generator | None) -> Int[Tensor, "variables symbols"]:
    """What each symbol of each variable is called in a task that is drawn; without a generator, as it is.

    Variables of as many symbols are renamed alike.
    """
    symbols = legal.shape[1]
    if generator is None:
        return torch.arange(symbols, device=legal.device).expand(legal.shape)
    drawn = torch.rand(symbols, generator=generator).to(legal.device)
    return drawn.expand(legal.shape).masked_fill(~legal.bool(), torch.inf).argsort(stable=True, dim=-1)


def renamed(batch: Batch, names: Int[Tensor, "variables symbols"]) -> Batch:
    """The puzzles with the symbols of their answers renamed."""
    answer = (
        names.expand(len(batch.answer), -1, -1).gather(2, batch.answer.clamp_min(0).unsqueeze(2)).squeeze(2)
    )
    return replace(batch, answer=torch.where(batch.answer >= 0, answer, batch.answer))


def _trained(network: Network) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]


def _split(whole: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
    return whole.split([p.numel() for p in parameters])


@torch.no_grad()
def _move(parameters: Sequence[Tensor], start: Sequence[Tensor], by: Float[Tensor, " all"]) -> None:
    for parameter, before, part in zip(parameters, start, _split(by, parameters), strict=True):
        parameter.copy_(before + part.view_as(before))
