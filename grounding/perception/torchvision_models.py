"""torchvision's image classifiers as perception, with random weights unless a file of weights is named."""

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...datasets.errors import UnknownNameError, UsageError
from ...datasets.image_set import ImageShape
from ...datasets.pictures import told_shape
from ...datasets.vision import import_torchvision

RESNET = "He et al. 2015, arXiv:1512.03385"
SMALL = 64  # pixels a side below which a ResNet begins as He et al. 2015 have it for CIFAR-10, §4.2
COLOURS = 3  # channels that torchvision's models take; grey is repeated
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's weights expect

Stem = Literal["auto", "small", "imagenet"]
Normalise = Literal["none", "imagenet"]


@dataclass(frozen=True)
class TorchvisionModel:
    """A model of torchvision.models by its name.

    Called with the shape of the images and the number of symbols it builds the model, its last layer of as
    many outputs. Grey images are handed on three times, as red, green and blue.

    Args:
        name: As torchvision.models has it.
        source: Where it comes from.
    """

    name: str
    source: str = "torchvision"
    summary: ClassVar[str] = (
        "A classifier of torchvision's, from random weights; grey images as three equal colours."
    )

    def __call__(
        self, image_shape: ImageShape, symbols: int, stem: Stem = "auto", normalise: Normalise = "none"
    ) -> nn.Module:
        """Builds it.

        Args:
            image_shape: Channels, height and width.
            symbols: Outputs.
            stem: Of a ResNet: "small" begins with a 3×3 convolution of stride 1 and no pooling, "imagenet" as
                torchvision has it; "auto" takes the small one below 64 pixels a side.
            normalise: "imagenet" subtracts the mean of ImageNet and divides by its deviation, as the weights
                that torchvision publishes want it.

        Raises:
            UsageError: For images that it does not read, and where torchvision is not installed.
        """
        if image_shape[0] not in (1, COLOURS):
            raise UsageError(
                f"perception {self.name} reads grey images or colour ones, of 1 or 3 channels, and these are "
                f"{told_shape(image_shape)}: take lenet or mlp"
            )
        model = self._builder()(weights=None, num_classes=symbols)
        plain = isinstance(getattr(model, "conv1", None), nn.Conv2d) and hasattr(model, "maxpool")
        if stem != "auto" and not plain:
            raise UsageError(f"perception {self.name} has no stem to choose: leave stem={stem} out")
        if plain and (stem == "small" or (stem == "auto" and min(image_shape[1:]) < SMALL)):
            first = model.conv1.out_channels
            model.conv1 = nn.Conv2d(COLOURS, first, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
            model.maxpool = nn.Identity()
        return ThreeColours(model, normalise=normalise == "imagenet")

    def _builder(self) -> Callable[..., Any]:
        try:
            import_torchvision()
            models: Any = importlib.import_module("torchvision.models")
        except ImportError as error:
            raise UsageError(
                f"perception {self.name} is torchvision's, which is not installed: pip install torchvision"
            ) from error
        known = models.list_models(module=models)
        if self.name not in known:
            near = difflib.get_close_matches(self.name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else "it has resnet18, mobilenet_v3_small, …"
            raise UnknownNameError(f"torchvision has no model {self.name!r}: {hint}")
        options = {"init_weights": True} if self.name in ("googlenet", "inception_v3") else {}
        if options:  # they answer with a second head in training
            options["aux_logits"] = False
        return lambda **more: models.get_model(self.name, **more, **options)


class ThreeColours(nn.Module):
    """Hands images to a model that takes three channels."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: nn.Module, *, normalise: bool) -> None:
        super().__init__()
        self.model = model
        self.normalise = normalise
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(
        self, images: Float[Tensor, "images channels height width"]
    ) -> Float[Tensor, "images symbols"]:
        """Logits of the symbols each image may show."""
        images = images.expand(-1, COLOURS, -1, -1)
        if self.normalise:
            images = (images - self.mean) / self.deviation
        return self.model(images)


resnet18 = TorchvisionModel(name="resnet18", source=RESNET)
resnet34 = TorchvisionModel(name="resnet34", source=RESNET)
resnet50 = TorchvisionModel(name="resnet50", source=RESNET)
