"""The network that reads images."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


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
