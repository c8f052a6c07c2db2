"""Ways of training with weights of their own, which train along: each makes the losses of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...datasets.batch import Batch
from .network import Network

Loss = Callable[[Network, Batch], Float[Tensor, " batch"]]


class Method(nn.Module, ABC):
    """What makes the losses of training in another way; it is asked once in every step.

    A setting of `Training` whose field names the class turns it on. Its weights have a rate of their own in
    the optimiser, and are kept in checkpoints with its buffers.

    Args:
        strength: The value of that setting, more than 0.
        loss: Of a batch, in nats per row.
        network: What is trained.
        steps: How many steps the training has.
        generator: Draws all that is drawn.
    """

    rate: ClassVar[float] = 1e-3  # Adam's, for its own weights
    tried: ClassVar[tuple[float, ...]]  # by a search for a remedy
    # Whether only a solver that learns its rules can be trained so.
    learns_rules: ClassVar[bool] = False

    def __init__(
        self, strength: float, loss: Loss, network: Network, steps: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        del network, steps
        self.strength, self.loss, self.generator = strength, loss, generator

    @abstractmethod
    def forward(self, network: Network, batch: Batch) -> Float[Tensor, " rows"]:
        """Losses in nats, whose mean is what a step goes down; NaN in rows that were not solved."""
