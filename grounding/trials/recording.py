"""What a trial records of its interface: on the side that trains, without a label.

A few pairs of neighbouring steps of every epoch are heard, so that it costs next to nothing; what is made of
them is scoring's, which alone may open labels (`probing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch
from ..measures.interface import Passed

PAIRS = 3  # of neighbouring steps that are heard in an epoch
MAX_IMAGES = 256  # heard in one step


@dataclass(frozen=True)
class Recorded:
    """What was recorded in one epoch.

    Attributes:
        steps: How many there were.
        passed: What passed through the interface; None where nothing came back through it.
        perception_update: Norm of a step of perception's weights over that of the weights, in mid-epoch.
        solver_update: The same of the solver's weights; None where it has none.
        norm: Norm of the gradient at an image's logits, of the loss of its puzzle: mean over the images of a
            step, median over steps; None where none came back.
        largest_norm: The same of the step with the largest.
    """

    steps: int
    passed: Passed | None = None
    perception_update: float | None = None
    solver_update: float | None = None
    norm: float | None = None
    largest_norm: float | None = None


class Recorder:
    """Listens to the interface in some steps of one epoch.

    Args:
        perception: Whose steps are measured.
        solver: The same.
        steps: How many the epoch will have.
    """

    def __init__(self, perception: nn.Module, solver: nn.Module, steps: int) -> None:
        self.parts = (perception, solver)
        self.steps = steps
        starts = {round(steps * (2 * pair + 1) / (2 * PAIRS)) for pair in range(PAIRS)}
        self.heard = {step for start in starts for step in (start, start + 1)}
        self.measured = min(steps // 2, steps - 1)
        self.step = -1
        self.rows: Int[Tensor, " rows"] | None = None
        self.before: list[list[Tensor]] = []
        self.updates: list[float | None] = [None, None]
        self.parcels: list[tuple[int, Tensor, Tensor, Tensor, Tensor]] = []
        self.norms: list[Tensor] = []

    def begin(self, rows: Int[Tensor, " rows"]) -> None:
        """A step on these training puzzles begins."""
        self.step += 1
        self.rows = rows

    def listen_at_logits(self, logits: Float[Tensor, "images symbols"], rows: int) -> None:
        """Will hear, in every step, how large what comes back is where no belief near 0 enlarges it."""
        logits.register_hook(lambda gradient: self.hear_norm(gradient, rows))

    def hear_norm(self, gradient: Float[Tensor, "images symbols"], rows: int) -> None:
        """Keeps how large what came back to the logits is: as of the loss of a row, not of their mean."""
        self.norms.append(gradient.detach().norm(dim=-1).double().mean() * rows)

    def listen(self, beliefs: Float[Tensor, "batch variables symbols"], batch: Batch) -> None:
        """Will hear what comes back to these beliefs, if this step is one of those that are heard."""
        rows = self.rows
        if self.step not in self.heard or rows is None or len(rows) != len(beliefs):
            return
        seen, place, step = beliefs.detach(), batch.place, self.step
        beliefs.register_hook(lambda gradient: self.hear(step, rows, seen, place, gradient))

    def hear(
        self,
        step: int,
        rows: Int[Tensor, " batch"],
        beliefs: Float[Tensor, "batch variables symbols"],
        place: Int[Tensor, "batch variables"],
        gradient: Float[Tensor, "batch variables symbols"],
    ) -> None:
        """Keeps what came back to beliefs about images: as of the loss of a row, not of their mean."""
        row, variable = (found[:MAX_IMAGES] for found in torch.nonzero(place >= 0, as_tuple=True))
        back = gradient[row, variable] * len(gradient)
        self.parcels.append((step, rows[row.to(rows.device)], variable, beliefs[row, variable], back))

    def before_step(self) -> None:
        """Keeps the weights, where the coming step is the one that is measured."""
        if self.step == self.measured:
            self.before = [[p.detach().clone() for p in part.parameters()] for part in self.parts]

    def after_step(self) -> None:
        """Measures how far the step went."""
        if self.before:
            pairs = zip(self.parts, self.before, strict=True)
            self.updates = [_update(list(part.parameters()), before) for part, before in pairs]
            self.before = []

    @property
    def recorded(self) -> Recorded:
        """What was heard, in arrays."""
        perception, solver = self.updates
        return Recorded(
            self.steps, _passed(self.parcels), perception, solver, *_middle_and_largest(self.norms)
        )


def _update(after: Sequence[Tensor], before: Sequence[Tensor]) -> float | None:
    if not before or len(after) != len(before):
        return None
    whole = float(torch.stack([b.norm() for b in before]).norm())
    moved = float(torch.stack([(a.detach() - b).norm() for a, b in zip(after, before, strict=True)]).norm())
    return moved / whole if whole > 0 else None


def _middle_and_largest(norms: Sequence[Tensor]) -> tuple[float | None, float | None]:
    known = torch.stack(list(norms)).cpu() if norms else torch.zeros(0)
    known = known[known.isfinite()]
    return (float(known.median()), float(known.max())) if len(known) else (None, None)


def _passed(parcels: Sequence[tuple[int, Tensor, Tensor, Tensor, Tensor]]) -> Passed | None:
    if not parcels:
        return None
    _, puzzles, variables, beliefs, gradients = zip(*parcels, strict=True)
    step = np.concatenate([np.full(len(puzzle), step, dtype=np.int64) for step, puzzle, *_ in parcels])
    joined = (torch.cat(parts).numpy(force=True) for parts in (puzzles, variables, beliefs, gradients))
    found = Passed(step, *joined)
    return found if len(found) else None
