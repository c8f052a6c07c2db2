"""Perception and solver joined by beliefs, and the interface through which a solver hears of images."""

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...datasets.batch import Batch
from ...datasets.image_set import GREY, ImageShape
from ...datasets.problem import Problem
from ...datasets.task import Task
from ..perception.spec import PerceptionSpec
from .reading import Interface, read_logits
from .recording import Recorder
from .spec import SolverSpec

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# That perception reads where nothing is differentiated: it bounds the memory of scoring.
IMAGES_AT_ONCE = 1000


class Network(nn.Module):
    """Perception and solver joined by beliefs; what a trial trains.

    `perception` reads the symbols that images show, and the beliefs about the remaining symbols of an image
    are zero. Beliefs at queries are uniform over the variable's symbols.
    """

    legal: Tensor

    def __init__(
        self, problem: Problem, perception: nn.Module, solver: nn.Module, interface: Interface = "softmax"
    ) -> None:
        super().__init__()
        self.perception = perception
        self.solver = solver
        self.interface: Interface = interface
        self.temperature = 1.0  # by which logits are divided
        self.precision: Precision = "float32"  # of perception's products while it trains
        self.keeps_logits = False
        self.logits: Float[Tensor, "images shown"] | None = None  # of the last batch, if they are kept
        self.belief_gradients: list[Float[Tensor, ""]] = []  # what each backward pass brought to the beliefs
        self.recorder: Recorder | None = None  # listens while it trains
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)

    def read(self, images: Float[Tensor, "images channels height width"]) -> Float[Tensor, "images shown"]:
        """Probability of every symbol, per image."""
        return read_logits(self.perception(images), self.interface, self.temperature)

    def perceive(
        self, images: Float[Tensor, "images channels height width"]
    ) -> Float[Tensor, "images shown"]:
        """The logits of every image; in training with the precision that was asked."""
        if self.training and self.precision == "bfloat16":
            with torch.autocast(images.device.type, torch.bfloat16):
                return self.perception(images).float()
        if torch.is_grad_enabled() or len(images) <= IMAGES_AT_ONCE:
            return self.perception(images)
        return torch.cat([self.perception(part) for part in images.split(IMAGES_AT_ONCE)])

    def beliefs(self, batch: Batch) -> Float[Tensor, "batch variables symbols"]:
        """What the solver is handed: reads every image of the batch once."""
        readings = None
        if len(batch.images):
            logits = self.perceive(batch.images)
            if self.recorder is not None and logits.requires_grad:
                self.recorder.listen_at_logits(logits, len(batch.place))
            self.logits = logits if self.keeps_logits else None
            readings = read_logits(logits, self.interface, self.temperature)
        beliefs = place_readings(self.legal, batch, readings)
        if beliefs.requires_grad:
            beliefs.register_hook(self._hear)
            if self.recorder is not None:
                self.recorder.listen(beliefs, batch)
        return beliefs

    def _hear(self, gradient: Float[Tensor, "batch variables symbols"]) -> None:
        # Of a mean over rows, so that the sum of the rows' norms is the mean of the norms of their losses.
        self.belief_gradients.append(gradient.flatten(1).norm(dim=1).sum())


def place_readings(
    legal: Tensor, batch: Batch, read: Float[Tensor, "images shown"] | None
) -> Float[Tensor, "batch variables symbols"]:
    """What is read of the images of a batch, where they stand; elsewhere what is seen as symbols, or uniform.

    `legal` tells which symbols each variable may take; `read` is None where there are no images.
    """
    beliefs = (legal / legal.sum(-1, keepdim=True)).expand(len(batch.given), -1, -1)
    if (batch.symbols >= 0).any():
        known = nn.functional.one_hot(batch.symbols.clamp_min(0), legal.shape[1]).to(beliefs.dtype)
        beliefs = torch.where((batch.symbols >= 0).unsqueeze(-1), known, beliefs)
    if read is not None:
        read = nn.functional.pad(read, (0, legal.shape[1] - read.shape[1]))
        # index_select, not indexing: its backward adds up in one order, so that runs repeat bit by bit.
        seen = read.index_select(0, batch.place.clamp_min(0).flatten()).view(*batch.place.shape, -1)
        beliefs = torch.where((batch.place >= 0).unsqueeze(-1), seen, beliefs)
    return beliefs.contiguous()


def build_network(
    task: Task,
    spec: SolverSpec,
    interface: Interface,
    seed: int,
    perception: PerceptionSpec | None = None,
    image_shape: ImageShape = GREY,
) -> Network:
    """Perception and solver with initial weights from `seed`; the perception's do not depend on the solver.

    Without `perception` it is the usual one.

    Leaves torch's global generator seeded, for solvers that use it.
    """
    perception_seed, solver_seed = (
        int(state) for state in np.random.SeedSequence((seed, 1)).generate_state(2, np.uint64) >> np.uint64(1)
    )
    torch.manual_seed(solver_seed)
    solver = spec.build(task.problem)
    after_solver = torch.get_rng_state()
    torch.manual_seed(perception_seed)
    reader = (perception or PerceptionSpec()).build(image_shape, len(task.classes))
    network = Network(task.problem, reader, solver, interface)
    torch.set_rng_state(after_solver)
    return network
