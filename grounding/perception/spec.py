"""From what a user names to a network that reads images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ...datasets.errors import UnknownNameError, UsageError
from ...datasets.image_set import ImageShape
from ...datasets.outside import OutsideCodeError, import_attribute, is_portable
from ...datasets.pictures import told_shape
from .catalogue import PERCEPTIONS
from .torchvision_models import TorchvisionModel
from .weights import digest_of, load_weights

WEIGHTS = "weights"  # the option that names a file of weights, of any perception
OF_TORCHVISION = "torchvision:"
Factory = Callable[..., Any]  # called with the shape of the images and the number of symbols


class PerceptionBrokenError(OutsideCodeError):
    """A perception that could not be built, or that is no network."""


@dataclass(frozen=True)
class PerceptionSpec:
    """Which perception, and its options: part of what a trial is.

    Args:
        name: A perception of ours or of an installed package, `torchvision:MODEL`, or
            `package.module:attribute`.
        options: What it is built with besides the shape of the images and the number of symbols, by name;
            `weights` is a file of weights to start from.
        factory: The callable itself, `(image_shape, symbols) -> nn.Module`; the name is then only what it is
            called.
    """

    name: str = "lenet"
    options: Mapping[str, Any] = field(default_factory=dict)
    factory: Factory | None = None

    @classmethod
    def of(cls, perception: "str | Factory | PerceptionSpec") -> "PerceptionSpec":
        """A spec of what a user passes to `check`.

        Args:
            perception: A name, a callable, or a spec, which is returned as it is.

        Raises:
            UnknownNameError: For what is neither, such as an instance of a network.
        """
        if isinstance(perception, PerceptionSpec):
            return perception
        if isinstance(perception, str):
            return cls(perception)
        if not callable(perception) or isinstance(perception, nn.Module):
            raise UnknownNameError(
                f"perception {perception!r:.80}: name one, or pass a callable (image_shape, symbols) that "
                "returns an nn.Module (the class itself, not an instance: every trial builds its own)"
            )
        return cls(getattr(perception, "__qualname__", type(perception).__name__), factory=perception)

    @property
    def usual(self) -> bool:
        """Whether it is the one that is taken where none is named."""
        return self == PerceptionSpec()

    @property
    def ours(self) -> bool:
        """Whether it comes with groundcheck, or with torchvision."""
        own = self.name in PERCEPTIONS.ours or self.name.startswith(OF_TORCHVISION)
        return self.factory is None and own

    @property
    def portable(self) -> bool:
        """Whether another process can be told of it."""
        return self.factory is None or is_portable(self.factory)

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of the file of weights, where one is named."""
        return {WEIGHTS: digest_of(str(self.options[WEIGHTS]))} if WEIGHTS in self.options else {}

    @property
    def built_with(self) -> dict[str, Any]:
        """The options that the factory is handed."""
        return {name: value for name, value in self.options.items() if name != WEIGHTS}

    @property
    def record(self) -> dict[str, Any]:
        """Everything that decides it, for a record."""
        return {"name": self.name, "options": dict(self.options), "files": self.files}

    @property
    def told(self) -> str:
        """In a line: its name, and its options in brackets."""
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name} ({options})" if options else self.name

    def load(self) -> Factory:
        """The callable that builds it.

        Raises:
            UnknownNameError: Where there is none of that name.
        """
        if self.factory is not None:
            return self.factory
        if self.name.startswith(OF_TORCHVISION):
            return TorchvisionModel(self.name.removeprefix(OF_TORCHVISION))
        if ":" not in self.name:
            return PERCEPTIONS.load(self.name)
        found = import_attribute(self.name, "perception")
        if not callable(found) or isinstance(found, nn.Module):
            raise UnknownNameError(
                f"perception {self.name!r} is a {type(found).__name__}, not a callable (image_shape, "
                f"symbols) "
                "that returns an nn.Module"
            )
        return found

    def build(self, image_shape: ImageShape, symbols: int) -> nn.Module:
        """Builds it, with random weights from torch's generator or with those of the file that was named.

        Lazy modules are given their shapes by one call.

        Args:
            image_shape: Channels, height and width of the images.
            symbols: How many symbols they show: logits per image.

        Raises:
            PerceptionBrokenError: Where one from outside could not be built, or is no network.
            UsageError: For images, options or weights that do not fit.
        """
        factory = self.load()
        try:
            network = factory(image_shape, symbols, **self.built_with)
        except Exception as error:
            if isinstance(error, UsageError) and self.ours:
                raise
            raise PerceptionBrokenError(
                f"perception {self.name} could not be built for images {told_shape(image_shape)} and "
                f"{symbols} "
                f"symbols: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(network, nn.Module):
            raise PerceptionBrokenError(
                f"perception {self.name} returned a {type(network).__name__} where an nn.Module that reads "
                "images was expected"
            )
        _materialise(network, image_shape)
        if WEIGHTS in self.options:
            load_weights(network, str(self.options[WEIGHTS]), self.name)
        return network

    def try_on(self, image_shape: ImageShape, symbols: int) -> None:
        """Sees to it that a perception of ours reads images of this shape, and takes the user's weights.

        Those from outside are left to the checks: they are no code of ours.

        Raises:
            UsageError: Where it does not.
        """
        if not self.ours:
            self.load()
            return
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            network = self.build(image_shape, symbols).eval()
            try:
                network(torch.zeros(1, *image_shape))
            except Exception as error:
                line = " ".join(str(error).split())[:160]
                raise UsageError(
                    f"perception {self.name} does not read images of {told_shape(image_shape)} ({line}): "
                    f"take "
                    "another, or have them scaled (folder:PATH?size=224)"
                ) from error


@torch.no_grad()
def _materialise(network: nn.Module, image_shape: ImageShape) -> None:
    """Lets lazy modules see images once, so that an optimiser finds their parameters."""
    if any(nn.parameter.is_lazy(p) for p in network.parameters()):
        training = network.training
        network.eval()(torch.zeros(2, *image_shape))
        network.train(training)
