"""Which devices can be used here."""

import torch

from .errors import UsageError


def require_device(name: str) -> None:
    """Raises `UsageError` where nothing can be computed on the device of this name."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device {name!r} is none: it is cpu, cuda, cuda:1 …") from error
    try:
        torch.zeros(1, device=device).tolist()
    except Exception as error:  # every backend has errors of its own for this
        reason = (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0].rstrip(".!")
        raise UsageError(f"device {name!r} cannot be used here: {reason}; take {_usable()}") from error


def _usable() -> str:
    return " or ".join(["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))])
