"""The entropy semiring: a circuit evaluated in it tells weight and entropy of its worlds at once.

A value is the pair ⟨log p, log(−p log p)⟩, in nats: of a world of weight p its weight and its share of the
entropy, both as logarithms, so that nothing underflows. Sums of worlds add up both; a product of independent
parts adds up the information of each, weighted by the other. Source: Chang et al. 2023, arXiv:2312.10087; the
expectation semiring of Eisner 2002, in logarithms.

`Circuit.entropy` carries normalised expectations instead, which weights above 1 do not disturb; this one is
what it is held against.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Log = Float[Tensor, "*values"]


@dataclass(frozen=True)
class Entropic:
    """Values of the semiring, elementwise.

    Attributes:
        log_weight: log p, at most 0.
        log_information: log(−p log p); −inf where p is 0 or 1.
    """

    log_weight: Log
    log_information: Log

    def __add__(self, other: "Entropic") -> "Entropic":
        """One of either: ⟨a, b⟩ ⊕ ⟨c, d⟩, both by logsumexp."""
        return Entropic(
            torch.logaddexp(self.log_weight, other.log_weight),
            torch.logaddexp(self.log_information, other.log_information),
        )

    def __mul__(self, other: "Entropic") -> "Entropic":
        """Both, independent: ⟨a, b⟩ ⊗ ⟨c, d⟩ = ⟨a + c, logsumexp(a + d, b + c)⟩."""
        return Entropic(
            self.log_weight + other.log_weight,
            torch.logaddexp(self.log_weight + other.log_information, self.log_information + other.log_weight),
        )

    @property
    def entropy(self) -> Log:
        """Of the worlds in proportion to their weights, nats: log Z + exp(log(−Σ p log p) − log Z)."""
        return self.log_weight + (self.log_information - self.log_weight).exp()


def weigh(log_weight: Log) -> Entropic:
    """The value of a world, or a leaf, of that weight: log p is at most 0."""
    known = log_weight.clamp_max(-torch.finfo(log_weight.dtype).tiny)
    nothing = log_weight.new_tensor(-torch.inf)
    return Entropic(log_weight, torch.where(log_weight < 0, log_weight + (-known).log(), nothing))


def zero(like: Log) -> Entropic:
    """Neutral to sums: nothing."""
    nothing = torch.full_like(like, -torch.inf)
    return Entropic(nothing, nothing)


def one(like: Log) -> Entropic:
    """Neutral to products: what is certain."""
    return Entropic(torch.zeros_like(like), torch.full_like(like, -torch.inf))
