"""Learnable loss mixup: puzzles are laid over each other, and it is learned how much each answer counts."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ...datasets.batch import Batch
from .method import Loss, Method
from .network import Network

SIDE = 7  # pixels a side to which a mixed image is reduced where its weight is learned
HIDDEN = 16  # units of the mixing function
LEAST = 1e-6  # that λ and 1 − λ are


class LossMixup(Method):
    """Trains on x̃ = λ x₁ + (1 − λ) x₂ with the loss φ L(x̃, y₁) + (1 − φ) L(x̃, y₂), where φ = φ_θ(x̃, λ).

    λ comes from Beta(strength, strength), one for each pair. θ is learned along with the network, by the same
    loss. Only puzzles are paired that agree in what is given and in what of it is seen as symbols, image by
    image; where there is no such other in the batch, a puzzle stays as it is. No label of a given is opened.

    Source: Chang, Tran, Koishida 2021, arXiv:2312.17255, for the mixed losses and a mixing function that is
    learned and conditioned on the mixed data. Derived here: its form,
    φ = σ(logit λ + u_θ(x̃, λ) − u_θ(x̃, 1 − λ)), under which the two of a pair may change places, and which
    begins as plain mixup of losses (φ = λ); u_θ is one hidden layer that sees the mean of a puzzle's mixed
    images in 7×7 pixels.
    """

    tried = (0.2, 1.0)

    def __init__(
        self, strength: float, loss: Loss, network: Network, steps: int, generator: torch.Generator
    ) -> None:
        super().__init__(strength, loss, network, steps, generator)
        seen = SIDE * SIDE + 1
        drawn = torch.randn(HIDDEN, seen, generator=generator) * (2 / seen) ** 0.5
        self.inward = nn.Parameter(drawn)
        self.outward = nn.Parameter(torch.zeros(HIDDEN))

    def forward(self, network: Network, batch: Batch) -> Float[Tensor, " batch"]:
        """As `Method.forward`: a loss for each pair."""
        if not len(batch.images):
            return self.loss(network, batch)
        partner = pair_up(batch, self.generator)
        seed = int(torch.randint(2**62, (1,), generator=self.generator))
        drawn = np.random.default_rng(seed).beta(self.strength, self.strength, len(partner))
        share = torch.from_numpy(drawn).to(batch.images).clamp(LEAST, 1 - LEAST)
        mixed, reduced = lay_over(batch, partner, share)
        both = Batch(
            images=mixed.images,
            place=mixed.place.repeat(2, 1),
            symbols=batch.symbols.repeat(2, 1),
            given=batch.given.repeat(2, 1),
            answer=torch.cat([batch.answer, batch.answer[partner]]),
        )
        one, other = self.loss(network, both).chunk(2)
        weight = self.weight(reduced, share).to(one.dtype)
        return weight * one + (1 - weight) * other

    def weight(
        self, reduced: Float[Tensor, "batch pixels"], share: Float[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        """φ_θ(x̃, λ), from the reduced images of a mixed pair and the share of its first puzzle."""

        def raised(part: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
            seen = torch.cat([reduced, part.unsqueeze(1)], 1)
            return functional.linear(seen, self.inward).relu() @ self.outward

        return (share.logit() + raised(share) - raised(1 - share)).sigmoid()


def pair_up(batch: Batch, generator: torch.Generator) -> Int[Tensor, " batch"]:
    """For each row another that shows images, symbols and queries at the same variables; else itself.

    Rows that agree stand in a ring in a drawn order, and each is paired with the next.
    """
    shape = torch.cat([batch.place >= 0, batch.given, batch.symbols], 1)
    kind = torch.unique(shape, dim=0, return_inverse=True)[1]
    drawn = torch.rand(len(kind), generator=generator, dtype=torch.float64).to(kind.device)
    order = (kind + drawn).argsort()
    sorted_kind = kind[order].contiguous()
    first = torch.searchsorted(sorted_kind, sorted_kind)
    after = torch.arange(1, len(order) + 1, device=order.device)
    follows = sorted_kind == torch.cat([sorted_kind[1:], sorted_kind.new_full((1,), -1)])
    partner = torch.empty_like(order)
    partner[order] = order[torch.where(follows, after.clamp_max(len(order) - 1), first)]
    return partner


def lay_over(
    batch: Batch, partner: Int[Tensor, " batch"], share: Float[Tensor, " batch"]
) -> tuple[Batch, Float[Tensor, "batch pixels"]]:
    """The puzzles of a batch with the images of each laid over those of its partner, and these reduced.

    Args:
        batch: What is mixed.
        partner: For each row the other, which shows images at the same variables.
        share: The part of each row's own images.
    """
    row, variable = torch.nonzero(batch.place >= 0, as_tuple=True)
    own, other = batch.images[batch.place[row, variable]], batch.images[batch.place[partner[row], variable]]
    images = torch.lerp(other, own, share[row].view(-1, 1, 1, 1))
    place = torch.full_like(batch.place, -1)
    place[row, variable] = torch.arange(len(row), device=place.device)
    small = functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), SIDE).flatten(1)
    reduced = small.new_zeros(len(place), small.shape[1]).index_add_(0, row, small)
    shown = (place >= 0).sum(1, keepdim=True).clamp_min(1)
    return replace(batch, images=images, place=place), reduced / shown
