"""When the sweeps of the mixing method stop, and how far they step."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from ...datasets.errors import UsageError

Bits = Float[Tensor, "batch bits"]
Known = Bool[Tensor, "batch bits"]
Clauses = Float[Tensor, "n m"]
Start = Float[Tensor, "n k"]


@dataclass(frozen=True)
class StoppingRule:
    """When to stop, and how far to step.

    A sample stops after the sweep that decreased the objective by less than `tolerance` times the
    decrease of its first sweep, or after `limit` sweeps. The backward system has the same test, on
    Σ (|g|+prox)|Δu|², with `backward_tolerance`; `None` runs as many backward sweeps as there were forward
    sweeps before the last, without a test, as the implementation of 2019 does. `prox` is added to the
    diagonal of the backward system. A step goes 1 + `relaxation` times as far as the exact minimiser of
    its coordinate (forward: then back to the sphere); 0 is the plain mixing method.
    """

    limit: int = 40
    tolerance: float = 1e-4
    backward_tolerance: float | None = 1e-4
    prox: float = 1e-2
    relaxation: float = 0.0
    backward_relaxation: float = 0.0

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise UsageError(f"max_sweeps={self.limit}: at least one sweep is needed")
        for name in ("tolerance", "backward_tolerance", "prox"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UsageError(f"{name}={value}: it is 0 or more")
        for name in ("relaxation", "backward_relaxation"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(
                    f"{name}={getattr(self, name)}: from 0 to below 1, where sweeps stop converging"
                )
