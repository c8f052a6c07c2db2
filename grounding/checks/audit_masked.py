"""Masked losses that a user's loss may be a multiple of."""

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn

from .audit_code import AuditedCode
from .audit_runs import Course, Rehearsal

PARALLEL = 0.999  # cosine from which on two gradients differ in scale only


def compare_scale(rehearsal: Rehearsal, course: Course) -> tuple[float | None, str]:
    """How the first gradient compares with that of the masked loss of which it is a multiple, most nearly."""
    own = rehearsal.run(course, rehearsal.labels, keep=True).steps[0]
    nearest, scale, masked = PARALLEL, None, ""
    for name, reference in MASKED.items():
        other = rehearsal.run(
            course, rehearsal.labels, keep=True, code=AuditedCode(reference, name, "loss")
        ).steps[0]
        if own.keys() != other.keys():
            return None, ""
        one, two = (
            np.concatenate([step[n].astype(np.float64).ravel() for n in sorted(step) if n != "loss"])
            for step in (own, other)
        )
        sizes = float(np.linalg.norm(one)), float(np.linalg.norm(two))
        if min(sizes) and float(one @ two) / (sizes[0] * sizes[1]) >= nearest:
            nearest, scale, masked = float(one @ two) / (sizes[0] * sizes[1]), sizes[0] / sizes[1], name
    return scale, masked


def masked_cross_entropy(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihood of the answers, mean over the queries."""
    completion = model(images, given)
    share = completion / completion.sum(-1, keepdim=True)
    picked = share.gather(-1, labels.unsqueeze(-1))
    return -(picked + 1e-30).log()[~given].mean()


def masked_binary(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of the bits of the answers, mean over the bits of the queries."""
    completion = model(images, given)
    hot = nn.functional.one_hot(labels, completion.shape[-1]).to(completion)
    return nn.functional.binary_cross_entropy(completion[~given].clamp(0, 1), hot[~given])


MASKED: dict[str, Callable[..., Tensor]] = {
    "binary cross-entropy over the queries, averaged": masked_binary,
    "cross-entropy over the queries, averaged": masked_cross_entropy,
}
