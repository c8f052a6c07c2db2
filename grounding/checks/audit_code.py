"""The code that an audit tries, a loss or a training step of a user's, and the model that it is tried on."""

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch
from ...datasets.errors import UsageError
from ...datasets.image_set import GREY, ImageShape
from ...datasets.task import Task
from ..perception.spec import PerceptionSpec
from ..trials.network import Network, build_network
from ..trials.spec import SolverSpec
from ..trials.training import Training

MODEL = SolverSpec("mlp")  # hands the givens through, as SATNet does: the way the leak of 2019 took
WRITTEN = "write loss(model, images, given, labels), or step(model, optimiser, batch)"

Kind = Literal["loss", "step"]
Images = Float[Tensor, "batch variables channels height width"]


class AuditBatch(NamedTuple):
    """What a training step is handed; `labels` are the true symbols of every variable, givens included."""

    images: Images
    given: Bool[Tensor, "batch variables"]
    labels: Int[Tensor, "batch variables"]


class AuditCrashError(RuntimeError):
    """The audited code raised something; `traceback` is from its own first line on."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message, trace)
        self.traceback = trace

    def __str__(self) -> str:
        return str(self.args[0])


class AuditModel(nn.Module):
    """A network that a loss can be tried on: `model(images, given)` returns beliefs about every variable.

    `images` is (batch, variables, channels, height, width), zero where a variable shows none.
    What the solver returns at the givens is what perception believes of them.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, images: Images, given: Bool[Tensor, "batch variables"]
    ) -> Float[Tensor, "batch variables symbols"]:
        """Reads every image at a given and completes."""
        place = torch.full(given.shape, -1)
        place[given] = torch.arange(int(given.sum()))
        unknown = torch.full(given.shape, -1)
        batch = Batch(images[given], place, unknown, given, unknown)
        return self.network.solver(self.network.beliefs(batch), given)


def build_model(task: Task, seed: int, image_shape: ImageShape = GREY) -> AuditModel:
    """A small one for a task. Its perception reads 7×7 means: a leak needs no eyes, but many steps."""
    channels, height, width = image_shape
    window = max(1, height // 7), max(1, width // 7)
    seen = channels * (height // window[0]) * (width // window[1])
    with torch.random.fork_rng(devices=[]):
        network = build_network(task, MODEL, Training().interface, seed, PerceptionSpec("mlp"), image_shape)
        torch.manual_seed(seed)
        reader = nn.Sequential(nn.AvgPool2d(window), nn.Flatten(), nn.Linear(seen, 32), nn.ReLU())
        network.perception = nn.Sequential(reader, nn.Linear(32, len(task.classes)))
    return AuditModel(network)


@dataclass(frozen=True)
class AuditedCode:
    """A loss or a training step, told apart by its arguments, under the name that messages call it by."""

    function: Callable[..., Any]
    name: str
    kind: Kind

    @classmethod
    def of(cls, function: Callable[..., Any], name: str | None = None) -> "AuditedCode":
        """A step takes three arguments, the second of them an optimiser by name; a loss takes four.

        Raises `UsageError` where it is neither.
        """
        name = name or str(getattr(function, "__qualname__", type(function).__name__))
        try:
            signature = inspect.signature(function)
        except ValueError:  # something compiled, which keeps its arguments to itself
            return cls(function, name, "loss")
        arguments = [
            p.name
            for p in signature.parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if _takes(signature, 3) and len(arguments) > 1 and arguments[1].startswith("opt"):
            return cls(function, name, "step")
        if _takes(signature, 4):
            return cls(function, name, "loss")
        raise UsageError(f"{name} takes ({', '.join(signature.parameters)}): {WRITTEN}")

    def call(self, model: nn.Module, optimiser: torch.optim.Optimizer, batch: AuditBatch) -> Tensor | None:
        """One training step; returns the loss of a loss, which is averaged and followed downhill.

        Raises `UsageError` where a loss is none, or where the code asks for a GPU; `AuditCrashError` for
        whatever else it raises.
        """
        try:
            if self.kind == "step":
                self.function(model, optimiser, batch)
                return None
            optimiser.zero_grad()
            value = self.function(model, *batch)
            mean = self._mean(value, model)
            if mean.requires_grad:
                mean.backward()
                optimiser.step()
        except UsageError:
            raise
        except BaseException as error:
            raise self._told(error) from error
        return mean.detach()

    def _mean(self, value: Any, model: nn.Module) -> Tensor:
        if any(p.grad is not None for p in model.parameters()):
            raise UsageError(
                f"{self.name} calls backward() itself: return the loss and leave that to the audit, or write "
                "a training step, step(model, optimiser, batch)"
            )
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            raise UsageError(
                f"{self.name} returned {type(value).__name__} {value!r:.60}: a loss returns a tensor of "
                "floats, without .item()"
            )
        mean = value.mean()
        if not bool(mean.isfinite()):
            raise UsageError(f"{self.name} returned {float(mean.detach())}: nothing can be told from that")
        return mean

    def _told(self, error: BaseException) -> Exception:
        text = " ".join(str(error).split())
        if any(word in text for word in ("CUDA", "NVIDIA")):
            return UsageError(
                f"{self.name} asks for a GPU ({text[:100]}), and an audit runs on the CPU: take the device "
                "from images.device"
            )
        message = f"{self.name} raised {type(error).__name__}: {text[:300]}"
        return AuditCrashError(message, _own_traceback(error))


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _own_traceback(error: BaseException) -> str:
    """From the first line that is not of this file on."""
    trace = error.__traceback__
    while (
        trace is not None
        and trace.tb_next is not None
        and Path(trace.tb_frame.f_code.co_filename) == Path(__file__)
    ):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))
