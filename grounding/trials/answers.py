"""What scoring asks of a trained network, in arrays: readings, beliefs and completions, nothing else."""

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...datasets.batch import Examples
from ...datasets.task import Split
from .network import Network

CHUNK = 250  # puzzles or images evaluated at once
Held = Split | Literal["corrupted"]  # what a network is asked: puzzles of a split, or corrupted test puzzles


@runtime_checkable
class Answers(Protocol):
    """A trained network as scoring meets it; it sees held-out puzzles without their labels."""

    def read(
        self, split: Held, most: int | None
    ) -> tuple[Int[np.ndarray, " images"], Float[np.ndarray, " images"]]:
        """The symbol read on each image of a split (the first `most`), and its probability."""
        ...

    def predict(self, split: Held) -> Float[np.ndarray, "puzzles variables symbols"]:
        """The solver's completion of every puzzle of a split, from what perception reads."""
        ...

    def believe(self, split: Held, most: int) -> Float[np.ndarray, "puzzles variables symbols"]:
        """What the solver is handed of the first `most` puzzles of a split."""
        ...

    def complete(
        self,
        beliefs: Float[np.ndarray, "puzzles variables symbols"],
        given: Bool[np.ndarray, "puzzles variables"],
    ) -> Float[np.ndarray, "puzzles variables symbols"]:
        """The solver's completion of beliefs that perception did not form."""
        ...


@runtime_checkable
class Probed(Protocol):
    """A network whose beliefs about images can be looked at whole, not only their most likely symbol."""

    def probe(self, split: Split, most: int) -> Float[np.ndarray, "images shown"]:
        """What perception believes of the first `most` images of a split."""
        ...


class NetworkAnswers:
    """The answers of a network that lies in this process."""

    def __init__(self, network: Network, held_out: Mapping[Held, Examples]) -> None:
        self.network = network
        self.held_out = held_out

    @torch.no_grad()
    def read(
        self, split: Held, most: int | None
    ) -> tuple[Int[np.ndarray, " images"], Float[np.ndarray, " images"]]:
        """As `Answers.read`."""
        sure, read = self._readings(split, most).max(-1)
        return read.numpy(force=True), sure.double().numpy(force=True)

    @torch.no_grad()
    def probe(self, split: Split, most: int) -> Float[np.ndarray, "images shown"]:
        """As `Probed.probe`."""
        return self._readings(split, most).numpy(force=True)

    def _readings(self, split: Held, most: int | None) -> Float[Tensor, "images shown"]:
        self.network.eval()
        gallery = self.held_out[split].gallery
        size = len(gallery) if most is None else min(most, len(gallery))
        rows = torch.arange(size, device=self.network.legal.device)
        return torch.cat([self.network.read(gallery.gather(part)) for part in rows.split(CHUNK)])

    @torch.no_grad()
    def predict(self, split: Held) -> Float[np.ndarray, "puzzles variables symbols"]:
        """As `Answers.predict`."""
        self.network.eval()
        examples = self.held_out[split]
        parts: list[Tensor] = []
        for start in range(0, len(examples), CHUNK):
            batch = examples.batch(slice(start, start + CHUNK))
            parts.append(self.network.solver(self.network.beliefs(batch), batch.given))
        return torch.cat(parts).numpy(force=True)

    @torch.no_grad()
    def believe(self, split: Held, most: int) -> Float[np.ndarray, "puzzles variables symbols"]:
        """As `Answers.believe`."""
        self.network.eval()
        examples = self.held_out[split]
        starts = range(0, min(most, len(examples)), CHUNK)
        parts = [
            self.network.beliefs(examples.batch(slice(start, min(start + CHUNK, most)))) for start in starts
        ]
        return torch.cat(parts).numpy(force=True)

    @torch.no_grad()
    def complete(
        self,
        beliefs: Float[np.ndarray, "puzzles variables symbols"],
        given: Bool[np.ndarray, "puzzles variables"],
    ) -> Float[np.ndarray, "puzzles variables symbols"]:
        """As `Answers.complete`."""
        self.network.eval()
        device = self.network.legal.device
        asked = torch.from_numpy(beliefs.copy()).to(device), torch.from_numpy(given.copy()).to(device)
        return self.network.solver(*asked).numpy(force=True)
