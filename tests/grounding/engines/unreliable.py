"""Solvers that die, wait, or take their machine along; each leaves a mark, so that its lives are counted."""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

PATIENCE = 300.0  # seconds that a solver waits to be ended


class Even(nn.Module):
    """Answers with the mean of what it sees."""

    def __init__(self, problem):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, beliefs, given):
        return torch.softmax(self.scale * beliefs.mean(1, keepdim=True).expand_as(beliefs), -1)


def mark(folder) -> int:
    """Leaves a mark with the ids of this process and the two above it; tells how many there were."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    before = len(list(place.iterdir()))
    server = os.getppid()
    worker = int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])
    partial = place.parent / f".{place.name}-{os.getpid()}"
    partial.write_text(f"{os.getpid()} {server} {worker}")
    partial.rename(place / str(os.getpid()))
    return before


def first_waits(problem, marks):
    """In its first life it waits to be ended."""
    if mark(marks) == 0:
        time.sleep(PATIENCE)
    return Even(problem)


def always_waits(problem, marks):
    mark(marks)
    time.sleep(PATIENCE)
    return Even(problem)


def kills_itself(problem, marks):
    mark(marks)
    sys.stdout.write("farewell\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def marked(problem, marks):
    mark(marks)
    return Even(problem)
