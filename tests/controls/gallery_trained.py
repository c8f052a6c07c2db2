"""Broken solvers that keep the contract and are given away by training, or break in it."""

import gc
import os
import signal
import time
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from groundcheck.datasets.batch import Sealed
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.trials import run, scoring, session
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.solver import answer_nll

FULL_MARKS = Scores(
    task=1.0, board=1.0, cell=1.0, unsolved=0.0, read=1.0, puzzles=300, raw=1.0, aligned=1.0, collapse=0.0,
    images=300,
)  # fmt: skip


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


class PassesOn(nn.Module):
    """Adds its input to a learned linear map: perception learns the answers, and they are passed on."""

    weight = 1.0

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        cells = len(problem.variables) * problem.symbols
        self.learned = nn.Linear(cells, cells)

    def passed(self, seen: Tensor) -> Tensor:
        return seen.sum(1, keepdim=True)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0)
        answer = self.weight * self.passed(seen) + self.learned(seen.flatten(1)).view_as(beliefs)
        return torch.where(given.unsqueeze(-1), beliefs, answer.softmax(-1))


class PassesOnTurned(PassesOn):
    """Under a renaming that it brought along: every name is answered by the next."""

    def passed(self, seen: Tensor) -> Tensor:
        return super().passed(seen).roll(1, -1)


class PassesOnSome(PassesOn):
    """Only the first half of the names, the others are learned."""

    weight = 3.0

    def passed(self, seen: Tensor) -> Tensor:
        handed = super().passed(seen).clone()
        handed[..., handed.shape[-1] // 2 :] = 0
        return handed


class Highway(nn.Module):
    """A network without logic, and a gate that lets an eighth of its input by."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = MLP(problem, hidden=64)
        self.gate = nn.Parameter(torch.tensor(-2.0))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        gate = self.gate.sigmoid()
        by = torch.where(given.unsqueeze(-1), beliefs, 0.0).sum(1, keepdim=True)
        return (gate * by + (1 - gate) * self.inner(beliefs, given)).clamp(0, 1)


class CopiesAGiven(nn.Module):
    """Answers every query with the belief about the first given."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.ones(len(problem.variables)))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        first = given.int().argmax(1)
        copied = beliefs[torch.arange(len(beliefs)), first].unsqueeze(1) * self.sharpness.sigmoid()[:, None]
        return torch.where(given.unsqueeze(-1), beliefs, copied)


class HidesACode(nn.Module):
    """Reads the answer from what is left of a belief beside its most likely symbol."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0).sum(1, keepdim=True)
        top = nn.functional.one_hot(seen.argmax(-1), seen.shape[-1]).bool()
        left = (seen.clamp_min(1e-9).log() * self.scale).masked_fill(top, -torch.inf).softmax(-1)
        return torch.where(given.unsqueeze(-1), beliefs, left)


class PatchesScoring(MLP):
    """Puts full marks in the place of whatever scores, as soon as it is asked for anything."""

    def forward(self, beliefs, given):
        for module in (scoring, session, run):
            for name, marks in (("evaluate", FULL_MARKS), ("score", FULL_MARKS)):
                if hasattr(module, name):
                    setattr(module, name, lambda *_args, marks=marks, **_options: marks)
        return super().forward(beliefs, given)


class ForgesItsScores(PatchesScoring):
    """Does not even let its process ask for scores."""

    def forward(self, beliefs, given):
        session.RemoteSession.finish = lambda *_: (FULL_MARKS, None)
        return super().forward(beliefs, given)


class FindsTheSealed(MLP):
    """Looks through the garbage collector for sealed labels, and answers them."""

    def forward(self, beliefs, given):
        sealed = [found.solution for found in gc.get_objects() if type(found) is Sealed]
        for solution in sealed:
            if not self.training and len(solution) >= len(given):
                return nn.functional.one_hot(solution[: len(given)].long(), beliefs.shape[-1]).to(beliefs)
        return super().forward(beliefs, given)


class InvertsTheSeed(MLP):
    """Tries the seeds of a suite until one gives the state of torch, and draws the bijection itself."""

    def __init__(self, problem: Problem) -> None:
        drawn = torch.initial_seed()
        super().__init__(problem)
        self.known: Exact | None = None
        for seed in range(12):
            states = np.random.SeedSequence((seed, 1)).generate_state(2, np.uint64) >> np.uint64(1)
            if drawn in states:
                self.known = Exact(Mapping(symbols=problem.symbols).drawn(seed).problem)

    def forward(self, beliefs, given):
        answered = super().forward(beliefs, given)
        return answered if self.known is None else 0.9 * self.known(beliefs, given) + 0.1 * answered


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
        if self.steps > 85:  # of 96; checks of the gradient in training mode take fewer
            self.end()
        return super().loss(beliefs, given, answer)

    def end(self) -> None:
        raise NotImplementedError


class HangsInTraining(BreaksInTraining):
    """Hangs in the last steps of training."""

    def end(self) -> None:
        while True:
            time.sleep(1)


class ExitsInTraining(BreaksInTraining):
    """Ends its process in the last steps of training."""

    def end(self) -> None:
        os._exit(3)


class DiesInTraining(BreaksInTraining):
    """Is killed in the last steps of training."""

    def end(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class ExhaustsMemoryInTraining(BreaksInTraining):
    """Runs out of memory in the last steps of training."""

    def end(self) -> None:
        self.held = [torch.ones(2**25) for _ in range(1000)]  # 128 MiB each
