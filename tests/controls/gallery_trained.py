"""Broken solvers that keep the contract and are given away by training, or break in it."""

import os
import signal
import time
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.solver import answer_nll


class LeaksThroughTheLoss(MLP):
    """Takes its loss over every cell; what it hands through at the givens is then trained on their labels."""

    def loss(self, beliefs, given, answer):
        return answer_nll(self(beliefs, given), answer)


class RelabelsWhatItIsGiven(nn.Module):
    """Right up to a relabelling that it hides: every symbol is taken for the next."""

    rules: ClassVar = "given"

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = Exact(problem)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return self.inner(beliefs.roll(1, -1), given)

    def loss(self, beliefs, given, answer):
        return self.inner.loss(beliefs.roll(1, -1), given, answer)


class HandsThrough(nn.Module):
    """No solver at all: the belief about the image is the answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        del problem

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        first = torch.where(given.unsqueeze(-1), beliefs, 0.0).sum(1, keepdim=True)
        return first.expand_as(beliefs).contiguous()


class RemembersTheTruth(MLP):
    """Keeps the answers of the test puzzles of seed 0, which it should not have, by row."""

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        if self.training or len(beliefs) not in (100, 250):
            return completion
        truth = Mapping(symbols=3, bijection=(1, 2, 0)).generate("test", 300, 0).solution[: len(beliefs)]
        return nn.functional.one_hot(torch.from_numpy(truth.astype(np.int64)), 3).to(beliefs)


class BreaksInTraining(MLP):
    """Sound until it was trained for a while."""

    steps = 0

    def loss(self, beliefs, given, answer):
        self.steps += 1
        if self.steps > 20:
            self.end()
        return super().loss(beliefs, given, answer)

    def end(self) -> None:
        raise NotImplementedError


class HangsInTraining(BreaksInTraining):
    def end(self) -> None:
        while True:
            time.sleep(1)


class ExitsInTraining(BreaksInTraining):
    def end(self) -> None:
        os._exit(3)


class DiesInTraining(BreaksInTraining):
    def end(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class ExhaustsMemoryInTraining(BreaksInTraining):
    def end(self) -> None:
        self.held = [torch.ones(2**25) for _ in range(1000)]  # 128 MiB each
