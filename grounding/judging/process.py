"""A network from outside in a process of its own: only arrays come back, and how it dies is told."""

import os
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from ...datasets.errors import UsageError
from ..engines.children import Died, Limits, Worker, process_context, settle
from ..trials.session import decode, encode
from .network import METHODS, NetworkError, ask_network, import_network


@dataclass
class NetworkProcess:
    """A process that imported a network, and answers what it is asked."""

    worker: Worker
    pipe: Connection
    limits: Limits
    methods: tuple[str, ...] = ()

    def call(self, method: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """What a method returns. Raises `NetworkError` where the network raised, or its process ended."""
        self.pipe.send((method, list(arrays)))
        return self.hear()["found"]

    def hear(self) -> dict[str, Any]:
        """What it says next."""
        seconds = self.limits.seconds
        if not wait([self.pipe, self.worker.process.sentinel], seconds):
            raise NetworkError(f"the process of this network was ended after the time limit of {seconds:g} s")
        try:
            if not self.pipe.poll():
                raise EOFError
            kind, arrays = decode(self.pipe.recv_bytes())
        except (EOFError, OSError) as error:
            died = self.worker.read()
            cause = died.cause if isinstance(died, Died) else "ended before it answered"
            raise NetworkError(f"the process of this network {cause}") from error
        if kind == "usage":
            raise UsageError(str(arrays["message"]))
        if kind == "raised":
            raise NetworkError(str(arrays["message"]))
        return arrays


@contextmanager
def network_process(name: str, device: str, limits: Limits) -> Generator[NetworkProcess]:
    """A process in which the network of that name lies, until the context ends.

    Raises `UsageError` where there is no network of that name, `NetworkError` where importing it ends the
    process.
    """
    pipe, other = process_context().Pipe()
    worker = Worker.start(_answer_calls, (name, device, limits.memory, other))
    other.close()
    found = NetworkProcess(worker, pipe, limits)
    try:
        found.methods = tuple(str(method) for method in found.hear()["methods"])
        yield found
    finally:
        worker.end()
        pipe.close()


def _answer_calls(
    name: str, device: str, memory: float | int | None, pipe: Connection, sender: Connection
) -> None:
    del sender
    settle(memory)
    os.dup2(2, 1)  # what a network prints is no part of the report
    sys.stdout = sys.stderr
    try:
        network = import_network(name)
    except UsageError as error:
        pipe.send_bytes(encode("usage", message=np.array(str(error))))
        return
    methods = [method for method in METHODS if callable(getattr(network, method, None))]
    pipe.send_bytes(encode("ready", methods=np.array(methods)))
    while True:
        try:
            method, arrays = pipe.recv()
        except EOFError:
            return
        pipe.send_bytes(_reply(network, method, arrays, device))


def _reply(network: Any, method: str, arrays: Sequence[np.ndarray], device: str) -> bytes:
    try:
        found = ask_network(network, method, arrays, device)
        if found.dtype == object:
            raise UsageError(f"{method}(…) returned an array of Python objects")
        return encode("answer", found=found)
    except UsageError as error:
        return encode("usage", message=np.array(str(error)))
    except NetworkError as error:
        return encode("raised", message=np.array(str(error)))
    except BaseException:
        return encode("raised", message=np.array(traceback.format_exc()))
