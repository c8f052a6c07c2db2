"""What a process keeps for everybody in it, apart from random states: read, and put back."""

import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np
import torch

Item = TypeVar("Item")


def global_state() -> dict[str, Any]:
    """Each setting by the name under which it is told."""
    return {
        "the default dtype": torch.get_default_dtype(),
        "the default device": str(torch.get_default_device()),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "anomaly detection": torch.is_anomaly_enabled(),
        "the number of threads": torch.get_num_threads(),
        "deterministic algorithms": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "cuDNN's flags": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "the precision of float32 products": torch.get_float32_matmul_precision(),
        "NumPy's handling of errors": tuple(sorted(np.geterr().items())),
        "warning filters": tuple(str(entry) for entry in warnings.filters),
    }


@contextmanager
def kept_global_state() -> Generator[None]:
    """Puts back what was changed meanwhile, so that one check's solver does not change another's."""
    before = global_state()
    filters = list(warnings.filters)
    try:
        yield
    finally:
        after = global_state()
        if after["the default dtype"] != before["the default dtype"]:
            torch.set_default_dtype(before["the default dtype"])
        if after["the default device"] != before["the default device"]:
            torch.set_default_device(None if before["the default device"] == "cpu" else "cuda")
        if after["grad mode"] != before["grad mode"]:
            torch.set_grad_enabled(before["grad mode"])
        if after["anomaly detection"] != before["anomaly detection"]:
            torch.autograd.set_detect_anomaly(before["anomaly detection"])
        if after["the number of threads"] != before["the number of threads"]:
            with suppress(RuntimeError):
                torch.set_num_threads(before["the number of threads"])
        if after["deterministic algorithms"] != before["deterministic algorithms"]:
            enabled, warn_only = before["deterministic algorithms"]
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before["cuDNN's flags"]
        if after["the precision of float32 products"] != before["the precision of float32 products"]:
            torch.set_float32_matmul_precision(before["the precision of float32 products"])
        np.seterr(**dict(before["NumPy's handling of errors"]))
        if after["warning filters"] != before["warning filters"]:
            warnings.filters[:] = filters  # pyright: ignore[reportIndexIssue]


def each_with_kept_state(running: Iterator[Item]) -> Iterator[Item]:
    """What an iterator makes, each with the state put back that making it changed."""
    while True:
        with kept_global_state():
            try:
                item = next(running)
            except StopIteration:
                return
        yield item
