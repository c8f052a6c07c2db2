"""Perceptions that are broken on purpose, each in one way; `caught_by` says which checks must fail on it."""

import os
from typing import ClassVar

import torch
from torch import Tensor, nn


class Sound(nn.Module):
    """Reads images of any shape; the broken ones change it in one place."""

    caught_by: ClassVar[set[str]] = set()

    def __init__(self, image_shape: tuple[int, int, int], symbols: int) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.hidden = nn.Linear(channels * height * width, 8)
        self.last = nn.Linear(8, symbols)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.hidden(images.flatten(1)).relu())


class WithNoise(Sound):
    """Dropout and batch normalisation that heed eval()."""

    def __init__(self, image_shape, symbols):
        super().__init__(image_shape, symbols)
        self.between = nn.Sequential(nn.BatchNorm1d(8), nn.Dropout(0.5))

    def forward(self, images):
        return self.last(self.between(self.hidden(images.flatten(1))).relu())


class RaisesAtOnce(Sound):
    caught_by: ClassVar = {"perception/build"}

    def __init__(self, image_shape, symbols):
        raise RuntimeError("no licence")


class IsNoNetwork:
    caught_by: ClassVar = {"perception/build"}

    def __init__(self, image_shape, symbols):
        self.image_shape = image_shape


class ReadsOneChannelAlone(Sound):
    caught_by: ClassVar = {"perception/shape"}

    def __init__(self, image_shape, symbols):
        super().__init__((1, *image_shape[1:]), symbols)


class HasTooFewOutputs(Sound):
    caught_by: ClassVar = {"perception/shape"}

    def forward(self, images):
        return super().forward(images)[:, :-1]


class DropsTheAxisOfOneImage(Sound):
    caught_by: ClassVar = {"perception/shape"}

    def forward(self, images):
        return super().forward(images).squeeze(0)


class ReturnsASecondHeadInTraining(Sound):
    caught_by: ClassVar = {"perception/shape"}

    def forward(self, images):
        logits = super().forward(images)
        return (logits, logits) if self.training else logits


class ReturnsInfinity(Sound):
    caught_by: ClassVar = {"perception/shape"}

    def forward(self, images):
        return super().forward(images) / 0


class MakesItsWeightsLate(Sound):
    caught_by: ClassVar = {"perception/shape"}

    def forward(self, images):
        if not hasattr(self, "late"):
            self.late = nn.Linear(8, self.last.out_features)
        return self.late(self.hidden(images.flatten(1)))


class ReturnsProbabilities(Sound):
    caught_by: ClassVar = {"perception/logits"}

    def forward(self, images):
        return super().forward(images).softmax(-1)


class NormalisesOverTheBatch(Sound):
    caught_by: ClassVar = {"perception/rows"}

    def forward(self, images):
        logits = super().forward(images)
        return logits - logits.mean(0)


class DropsOutInEvaluation(Sound):
    caught_by: ClassVar = {"perception/modes", "perception/rows"}

    def forward(self, images):
        return nn.functional.dropout(super().forward(images), 0.5)


class CountsItsCalls(Sound):
    caught_by: ClassVar = {"perception/modes"}

    def __init__(self, image_shape, symbols):
        super().__init__(image_shape, symbols)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images):
        self.calls += 1
        return super().forward(images)


class CastsToFloat32(Sound):
    caught_by: ClassVar = {"perception/dtype"}

    def forward(self, images):
        return super().forward(images).float()


class KeepsAConstantOfItsOwnDtype(Sound):
    caught_by: ClassVar = {"perception/dtype"}

    def forward(self, images):
        return self.last(self.hidden(images.flatten(1)) @ torch.eye(8))


class Detaches(Sound):
    caught_by: ClassVar = {"perception/gradient"}

    def forward(self, images):
        return super().forward(images).detach()


class LeavesALayerUnused(Sound):
    caught_by: ClassVar = {"perception/gradient"}

    def __init__(self, image_shape, symbols):
        super().__init__(image_shape, symbols)
        self.unused = nn.Linear(2, 2)


class HasNothingToLearn(Sound):
    caught_by: ClassVar = {"perception/gradient"}

    def __init__(self, image_shape, symbols):
        super().__init__(image_shape, symbols)
        self.requires_grad_(False)


class MultipliesByZero(Sound):
    caught_by: ClassVar = {"perception/gradient"}

    def forward(self, images):
        logits = super().forward(images)
        return logits.detach() + 0 * logits


class ExitsTheProcess(Sound):
    """Not in the gallery: tried in a process of its own."""

    def forward(self, images):
        os._exit(3)


SOUND = (Sound, WithNoise)
GALLERY = tuple(
    thing
    for thing in list(globals().values())
    if isinstance(thing, type) and getattr(thing, "caught_by", None)
)
