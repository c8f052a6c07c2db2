"""From what perception hands on to beliefs: the interface, its temperature, and how sharp and how evenly used
the symbols are that come of it.
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Interface = Literal["softmax", "sigmoid", "straight-through"]
INTERFACES: tuple[Interface, ...] = get_args(Interface)


def read_logits(
    logits: Float[Tensor, "images symbols"], interface: Interface, temperature: float
) -> Float[Tensor, "images symbols"]:
    """Beliefs in [0, 1]; those of "straight-through" are 0 or 1.

    Its gradient is that of the softmax behind it. Source: Bengio, Léonard, Courville 2013, arXiv:1308.3432.
    """
    cooled = cool(logits, temperature)
    if interface == "sigmoid":
        return cooled.sigmoid()
    soft = cooled.softmax(-1)
    if interface == "softmax":
        return soft
    hard = functional.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return hard + (soft - soft.detach())


def cool(logits: Float[Tensor, "images symbols"], temperature: float) -> Float[Tensor, "images symbols"]:
    """The logits over the temperature."""
    return logits if temperature == 1.0 else logits / temperature


def uncertainty(
    logits: Float[Tensor, "images symbols"], interface: Interface, temperature: float, balance: float
) -> Float[Tensor, ""]:
    """Mean entropy of a belief, less `balance` times the entropy of the mean belief, in nats.

    Minimised, each image is believed to show one symbol, and all symbols are used alike. Source: Hu et al.
    2017, arXiv:1702.08720, who maximise this information with a weight on its second part.
    """
    cooled = cool(logits, temperature)
    if interface == "sigmoid":
        bits = cooled.sigmoid()
        shares = bits / bits.sum(-1, keepdim=True).clamp_min(torch.finfo(bits.dtype).tiny)
    else:
        shares = cooled.softmax(-1)
    return entropy(shares).mean() - balance * entropy(shares.mean(0))


def entropy(shares: Float[Tensor, "*rows symbols"]) -> Float[Tensor, "*rows"]:
    """Nats."""
    return -torch.xlogy(shares, shares.clamp_min(1e-30)).sum(-1)
