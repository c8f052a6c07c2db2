"""The network that reads images, and the interface through which a solver hears of it."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..datasets.batch import Batch
from ..datasets.problem import Problem

Interface = Literal["softmax", "sigmoid"]


class LeNet(nn.Module):
    """The perception network of the SATNet experiments: two convolutions, two fully connected layers.

    conv 1→20 5×5, pool, conv 20→50 5×5, pool, fc 800→500, fc 500→symbols; (images, 1, 28, 28) unnormalised
    to (images, symbols) logits. Source: Wang et al. 2019 and their public code. On a CPU it runs with its
    channels last, which takes about two thirds of the time.
    """

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 20, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(800, 500),
            nn.ReLU(),
            nn.Linear(500, symbols),
        )
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # missing in torch's stub

    def forward(self, images: Float[Tensor, "images 1 28 28"]) -> Float[Tensor, "images symbols"]:
        """Logits of the symbols each image may show."""
        return self.layers(images.contiguous(memory_format=torch.channels_last))


class Network(nn.Module):
    """Perception and solver joined by beliefs; what a trial trains.

    `shown` is how many symbols images show: perception reads those, and the beliefs about the remaining
    symbols of an image are zero. Beliefs at queries are uniform over the variable's symbols.
    """

    legal: Tensor

    def __init__(
        self, problem: Problem, shown: int, solver: nn.Module, interface: Interface = "softmax"
    ) -> None:
        super().__init__()
        self.perception = LeNet(shown)
        self.solver = solver
        self.interface = interface
        self.heard: list[Float[Tensor, ""]] = []  # what each backward pass brought to the beliefs
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)

    def read(self, images: Float[Tensor, "images 1 28 28"]) -> Float[Tensor, "images shown"]:
        """Probability of every symbol, per image."""
        logits = self.perception(images)
        return logits.softmax(-1) if self.interface == "softmax" else logits.sigmoid()

    def beliefs(self, batch: Batch) -> Float[Tensor, "batch variables symbols"]:
        """What the solver is handed: reads every image of the batch once."""
        beliefs = (self.legal / self.legal.sum(-1, keepdim=True)).expand(len(batch.given), -1, -1)
        if (batch.symbols >= 0).any():
            known = nn.functional.one_hot(batch.symbols.clamp_min(0), self.legal.shape[1]).to(beliefs.dtype)
            beliefs = torch.where((batch.symbols >= 0).unsqueeze(-1), known, beliefs)
        if len(batch.images):
            read = self.read(batch.images)
            read = nn.functional.pad(read, (0, self.legal.shape[1] - read.shape[1]))
            # index_select, not indexing: its backward adds up in one order, so that runs repeat bit by bit.
            seen = read.index_select(0, batch.place.clamp_min(0).flatten()).view(*batch.place.shape, -1)
            beliefs = torch.where((batch.place >= 0).unsqueeze(-1), seen, beliefs)
        beliefs = beliefs.contiguous()
        if beliefs.requires_grad:
            beliefs.register_hook(self._hear)
        return beliefs

    def _hear(self, gradient: Float[Tensor, "batch variables symbols"]) -> None:
        # Of a mean over rows, so that the sum of the rows' norms is the mean of the norms of their losses.
        self.heard.append(gradient.flatten(1).norm(dim=1).sum())
