"""Memory and threads around kernels that are compiled for the CPU.

Threads are Python's, over kernels that let go of the interpreter lock, as many as torch is set to use:
numba starts no threads of its own, so that no two OpenMP runtimes spin against each other.
"""

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Work that one thread does faster than several are started, in multiply-adds.
MIN_PARALLEL_WORK = 10_000_000


class Workspace(threading.local):
    """Buffers of one thread, kept from call to call; aligned, as torch's memory is."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, torch.dtype], Tensor] = {}
        self._latest: dict[str, tuple[tuple[Any, ...], dict[str, np.ndarray]]] = {}

    def arrays(self, kernel: str, dtype: torch.dtype, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
        """The buffers of a kernel, by name; at hand if its latest call had the same shapes."""
        wanted = (dtype, *shapes.values())
        latest, buffers = self._latest.get(kernel, (None, {}))
        if latest != wanted:
            buffers = {
                name: self.take(f"{kernel} {name}", shape, dtype).numpy() for name, shape in shapes.items()
            }
            self._latest[kernel] = wanted, buffers
        return buffers

    def take(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A buffer of this shape, its content undefined; valid until the next one of this name."""
        size, kept = math.prod(shape), self._kept.get((name, dtype))
        if kept is None or len(kept) < size:
            kept = self._kept[name, dtype] = torch.empty(size, dtype=dtype)
        return kept[:size].view(shape)


WORKSPACE = Workspace()


def parallel(work: Callable[[int, int, int], None], count: int, cost: int) -> None:
    """Calls work(thread, first, last) for equal shares of range(count); one call where that is quicker."""
    threads = min(torch.get_num_threads(), count) if cost > MIN_PARALLEL_WORK else 1
    if threads <= 1:
        work(0, 0, count)
        return
    edges = [count * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work, i, edges[i], edges[i + 1]) for i in range(1, threads)]
        work(0, edges[0], edges[1])
        for other in others:
            other.result()
