"""All global random generators at once: Python's, NumPy's legacy one and torch's."""

import random
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def kept_generators() -> Generator[None]:
    """Every global generator goes on afterwards where it was."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - it is what users use
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


@contextmanager
def seeded_generators(seed: int) -> Generator[None]:
    """Every global generator starts from `seed` inside; afterwards they go on where they were."""
    with kept_generators():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        yield
