"""The perception network of the SATNet experiments, for images of any size."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...datasets.errors import UsageError
from ...datasets.image_set import ImageShape
from ...datasets.pictures import told_shape

MIN_SIDE = 16  # pixels: two convolutions of 5×5, each halved, leave one
MAX_MAP = 7  # pixels a side of the maps that the fully connected layers see


class LeNet(nn.Module):
    """The perception of the SATNet experiments: two convolutions, two fully connected layers.

    conv 5×5 to 20, pool, conv 5×5 to 50, pool, fc to 500, fc to symbols; unnormalised images to logits. On
    1×28×28 it is theirs weight by weight; where more than 7×7 pixels are left (from 44 on) they are pooled
    once more, so that the fully connected layers stay of about that size. On a CPU it runs with its channels
    last, which takes about two thirds of the time.
    """

    summary = "LeNet: two convolutions, two fully connected layers; images of 16 pixels a side or more."
    source = "LeCun et al. 1998; as in Wang et al. 2019 and their public code"

    def __init__(self, image_shape: ImageShape, symbols: int) -> None:
        super().__init__()
        channels, *sides = image_shape
        if min(sides) < MIN_SIDE:
            raise UsageError(
                f"perception lenet reads images of {MIN_SIDE} pixels a side or more, and these are "
                f"{told_shape(image_shape)}: take --perception mlp, or have them scaled (folder:PATH?size=28)"
            )
        left = [((side - 4) // 2 - 4) // 2 for side in sides]
        window = [max(1, side // 4) if side > MAX_MAP else 1 for side in left]
        pixels = (left[0] // window[0]) * (left[1] // window[1])
        further = [nn.MaxPool2d((window[0], window[1]))] if max(window) > 1 else []
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 20, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Sequential(*further, nn.Flatten()),
            nn.Linear(50 * pixels, 500),
            nn.ReLU(),
            nn.Linear(500, symbols),
        )
        # Missing in torch's stub:
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, images: Float[Tensor, "images channels height width"]
    ) -> Float[Tensor, "images symbols"]:
        """Logits of the symbols each image may show."""
        return self.layers(images.contiguous(memory_format=torch.channels_last))
