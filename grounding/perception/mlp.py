"""Fully connected perception: the plainest there is, and what other kinds of linear layers are put into."""

from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from ...datasets.errors import UsageError
from ...datasets.image_set import ImageShape

RELU_GAIN = 2.0  # He et al. 2015, arXiv:1502.01852: half of what enters a ReLU is lost


class FullyConnected(nn.Module):
    """Linear layers on the pixels, with ReLU between them; subclasses say what a linear layer is.

    Args:
        linear: Makes a layer from its inputs, its outputs, and its gain: the variance that a row of inputs
            of mean square 1 is given, 2 before a ReLU, 1 at the end.
    """

    name: ClassVar[str]

    def __init__(
        self,
        image_shape: ImageShape,
        symbols: int,
        hidden: int,
        layers: int,
        linear: Callable[[int, int, float], nn.Module],
    ) -> None:
        super().__init__()
        if hidden < 1 or layers < 0:
            raise UsageError(
                f"perception {self.name} takes hidden of 1 or more and layers of 0 or more: {hidden=}, "
                f"{layers=}"
            )
        channels, height, width = image_shape
        widths = [channels * height * width, *[hidden] * layers]
        parts = [part for a, b in pairwise(widths) for part in (linear(a, b, RELU_GAIN), nn.ReLU())]
        self.layers = nn.Sequential(nn.Flatten(), *parts, linear(widths[-1], symbols, 1.0))

    def forward(
        self, images: Float[Tensor, "images channels height width"]
    ) -> Float[Tensor, "images symbols"]:
        """Logits of the symbols each image may show."""
        return self.layers(images)


class MLP(FullyConnected):
    """Fully connected layers on the pixels, for images of any size: the plainest perception there is.

    Args:
        hidden: Units of each hidden layer.
        layers: How many hidden layers.
    """

    name = "mlp"
    summary = "Fully connected layers on the pixels; images of any size."
    source = ""

    def __init__(self, image_shape: ImageShape, symbols: int, hidden: int = 256, layers: int = 2) -> None:
        super().__init__(image_shape, symbols, hidden, layers, lambda a, b, _: nn.Linear(a, b))
