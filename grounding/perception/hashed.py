"""Fully connected perception whose weights share the entries of a table, by a hash of where they stand."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ...datasets.errors import UsageError
from ...datasets.image_set import ImageShape
from .mlp import RELU_GAIN, FullyConnected

Hash = Literal["modular", "balanced", "dirichlet"]


def modular(outputs: int, inputs: int, entries: int) -> Int[Tensor, "outputs inputs"]:
    """Deterministic and balanced: the place in the matrix, row by row, modulo the entries."""
    return (torch.arange(outputs * inputs) % entries).view(outputs, inputs)


def balanced(outputs: int, inputs: int, entries: int) -> Int[Tensor, "outputs inputs"]:
    """Drawn and balanced: every entry is used equally often, or once more than another."""
    return modular(outputs, inputs, entries).flatten()[torch.randperm(outputs * inputs)].view(outputs, inputs)


def dirichlet(outputs: int, inputs: int, entries: int) -> Int[Tensor, "outputs inputs"]:
    """Drawn and unbalanced: how often an entry is used comes from a Dirichlet distribution.

    It has concentration 1, so that shares of the weights are uniform over all there may be.
    """
    unscaled = -torch.rand(entries).clamp_min(torch.finfo(torch.float32).tiny).log()  # exponential
    return torch.multinomial(unscaled, outputs * inputs, replacement=True).view(outputs, inputs)


HASHES: Mapping[str, Callable[[int, int, int], Tensor]] = {
    "modular": modular, "balanced": balanced, "dirichlet": dirichlet,
}  # fmt: skip


class HashedLinear(nn.Module):
    """A linear layer with w_ij = table[h(i, j)], of which the hash h is kept with the weights.

    The table is drawn so that each w_ij has variance gain / inputs. That of a sum over a row is what it would
    be with weights of their own where no entry stands twice in the row; with a modular hash none does while
    there are at least as many entries as inputs.

    Args:
        inputs: Width of what it takes.
        outputs: Of what it gives.
        share: Weights to an entry of the table, on average.
        chosen: What `HASHES` is asked for.
        gain: Variance that a row of inputs of mean square 1 is given: 2 before a ReLU, 1 else.
    """

    places: Tensor

    def __init__(
        self, inputs: int, outputs: int, share: float, chosen: Hash = "modular", gain: float = RELU_GAIN
    ) -> None:
        super().__init__()
        entries = max(1, round(inputs * outputs / share))
        self.shape = outputs, inputs
        self.register_buffer("places", HASHES[chosen](outputs, inputs, entries).flatten())
        self.table = nn.Parameter(torch.randn(entries) * (gain / inputs) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))

    @property
    def weight(self) -> Float[Tensor, "outputs inputs"]:
        """The whole matrix. Its gradient adds up in one order, so that runs repeat bit by bit."""
        return self.table.index_select(0, self.places).view(self.shape)

    def forward(self, read: Float[Tensor, "images inputs"]) -> Float[Tensor, "images outputs"]:
        """As `nn.Linear`."""
        return functional.linear(read, self.weight, self.bias)


class HashedMLP(FullyConnected):
    """The perception `mlp` with weights that are shared arbitrarily within each layer.

    Source: Chang & Lipson 2023, arXiv:2312.08401 (ArbNets), after Chen et al. 2015, arXiv:1504.04788
    (HashedNets): weights in a table under a hash; there balanced and deterministic sharing did best. Derived
    here: the three hashes, of which each lacks one more of these two properties, and the variance of the
    table.

    Args:
        hidden: Units of each hidden layer.
        layers: How many hidden layers.
        share: Weights to an entry of a table, on average; 1 shares none.
        hash: "modular", balanced and the same for every seed; "balanced", drawn; or "dirichlet", drawn and
            unbalanced.
    """

    name = "hashed"
    summary = "Fully connected layers whose weights share the entries of a table, by a hash of their place."
    source = "Chang & Lipson 2023, arXiv:2312.08401"

    def __init__(
        self,
        image_shape: ImageShape,
        symbols: int,
        hidden: int = 256,
        layers: int = 2,
        share: float = 8.0,
        hash: Hash = "modular",  # noqa: A002 - the paper's word, as users set it
    ) -> None:
        if not 1 <= share < float("inf"):
            raise UsageError(f"perception hashed takes a share of 1 or more weights to an entry: {share=}")
        super().__init__(
            image_shape, symbols, hidden, layers, lambda a, b, gain: HashedLinear(a, b, share, hash, gain)
        )
