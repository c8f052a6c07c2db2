"""Solvers that every check must pass."""

import multiprocessing
import os
import subprocess
import time
from multiprocessing.connection import Connection
from typing import ClassVar

import torch
from torch import Tensor, nn

from groundcheck.datasets.problem import Problem
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.satnet import SATNet
from groundcheck.solvers.solver import UnsupportedProblemError, answer_nll


class Enumeration(nn.Module):
    """The exact posterior, one world at a time."""

    rules: ClassVar = "given"
    exact: ClassVar = True

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.register_buffer("worlds", torch.tensor([w.tolist() for w in problem.solutions()]))
        self.symbols = problem.symbols

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        hot = nn.functional.one_hot(self.worlds, self.symbols).to(beliefs)
        likely = torch.where(given.unsqueeze(-1), beliefs, 1.0)
        weights = (likely.unsqueeze(1) * hot).sum(-1).prod(-1)
        marginals = torch.einsum("bw,wvk->bvk", weights, hot)
        return (marginals / marginals.sum(-1, keepdim=True)).clamp(0, 1)


class DoubleSATNet(SATNet):
    """SATNet in float64 inside, converged."""

    precise: ClassVar = {}

    def __init__(self, problem: Problem) -> None:
        super().__init__(
            problem, m=12, aux=2, max_sweeps=300, tolerance=1e-8, backward_tolerance=1e-8, prox=0.0
        )
        super().double()

    def float(self) -> "DoubleSATNet":
        return self

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs.double(), given).to(beliefs.dtype)


class NoisyOracle(nn.Module):
    """The exact posterior, and a little of the uniform one."""

    rules: ClassVar = "given"

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.exact_posterior = Exact(problem)
        self.register_buffer("legal", torch.from_numpy(problem.legal))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        uniform = self.legal / self.legal.sum(-1, keepdim=True).to(beliefs)
        return 0.98 * self.exact_posterior(beliefs, given) + 0.02 * uniform


class Tempered(Exact):
    """The posterior of beliefs to a learned power: a parameter that prefers no symbol."""

    exact: ClassVar = False
    equivariant: ClassVar = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.power = nn.Parameter(torch.tensor(1.2))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs ** self.power.to(beliefs), given)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return answer_nll(self(beliefs, given), answer)


class Dropping(nn.Module):
    """Drops beliefs at random, as it says, from torch's global generator while it is trained, and from no
    other.
    """

    differs_in_training: ClassVar = True

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = MLP(problem, hidden=12)
        self.dropout = nn.Dropout(0.2)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return self.inner(self.dropout(beliefs).clamp(0, 1), given)


class MapSolver(nn.Module):
    """Takes every given for its most likely symbol, with the gradient of the identity."""

    surrogate: ClassVar = True

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = MLP(problem, hidden=12)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        hard = nn.functional.one_hot(beliefs.argmax(-1), beliefs.shape[-1]).to(beliefs)
        answered = self.inner(beliefs + (hard - beliefs).detach(), given)
        return torch.where(given.unsqueeze(-1), beliefs, answered)


class Normalising(nn.Module):
    """Normalises over the batch in training, as it says."""

    differs_in_training: ClassVar = True

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        cells = len(problem.variables) * problem.symbols
        self.first, self.norm, self.second = nn.Linear(cells, 12), nn.BatchNorm1d(12), nn.Linear(12, cells)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0).flatten(1)
        answered = self.second(self.norm(self.first(seen)).tanh()).view_as(beliefs).softmax(-1)
        return torch.where(given.unsqueeze(-1), beliefs, answered)


class Jittering(nn.Module):
    """Adds noise from a generator of its own, in training and evaluation, as it says."""

    deterministic: ClassVar = False

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = MLP(problem, hidden=12)
        self.generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        completion = self.inner(beliefs, given)
        drawn = torch.rand(completion.shape, generator=self.generator, dtype=completion.dtype)
        return torch.where(given.unsqueeze(-1), beliefs, 0.98 * completion + 0.02 * drawn)


class Sampling(Jittering):
    """REINFORCE: its gradient is an estimate, as it says, from symbols that it samples."""

    surrogate: ClassVar = True

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        completion = self.inner(beliefs, given)
        share = (completion / completion.sum(-1, keepdim=True)).clamp_min(1e-9)
        draws = 64
        spread = share.detach().unsqueeze(0).expand(draws, *share.shape)
        noise = torch.rand(spread.shape, generator=self.generator, dtype=share.dtype)
        sampled = (spread.log() - (-noise.clamp_min(1e-9).log()).log()).argmax(-1)
        reward = ((sampled == answer) & ~given).double().to(share)
        picked = share.log().expand_as(spread).gather(-1, sampled.unsqueeze(-1)).squeeze(-1)
        score = ((reward - reward.mean(0)).detach() * picked * ~given).mean(0).sum(-1)
        missed = (1 - reward).mean(0) * ~given
        return missed.sum(-1) + score.detach() - score


class Lazy(nn.Module):
    """Learns the number of its inputs from the first call."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.linear = nn.LazyLinear(len(problem.variables) * problem.symbols)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0).flatten(1)
        return torch.where(given.unsqueeze(-1), beliefs, self.linear(seen).view_as(beliefs).softmax(-1))


class KeepsAnIdleHead(MLP):
    """Has a part for tasks of more symbols, which this one leaves alone."""

    idle: ClassVar = ("spare",)

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, hidden=12)
        self.spare = nn.Linear(3, 3)


class ForFourSymbols(Enumeration):
    """For one problem only, as it says."""

    @staticmethod
    def supports(problem: Problem) -> bool:
        return problem.domains == (4, 4)


class KeepsAPool(MLP):
    """Hands part of its work to processes of its own."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(abs, [1, -2])
        return super().forward(beliefs, given)


class ForBoardsAlone(MLP):
    """Refuses every other problem while it is built."""

    def __init__(self, problem: Problem) -> None:
        if len(problem.variables) < 4:
            raise UnsupportedProblemError("it is made for boards")
        super().__init__(problem)


BUILT: dict[tuple[int, ...], nn.Module] = {}


def cached(problem: Problem) -> nn.Module:
    """A factory under a cache: every run is handed the same model."""
    return BUILT.setdefault(problem.domains, MLP(problem, hidden=12))


class Linear64(torch.autograd.Function):
    """A linear map in NumPy, with its adjoint written by hand."""

    @staticmethod
    def forward(ctx, seen: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(seen, weight)
        return torch.from_numpy(seen.detach().double().numpy() @ weight.detach().double().numpy()).to(seen)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        seen, weight = ctx.saved_tensors
        return gradient @ weight.T.to(gradient), seen.T.to(gradient) @ gradient


class ThroughNumPy(nn.Module):
    """Computes in NumPy and float64, with a gradient of its own, as wrapped libraries do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        cells = len(problem.variables) * problem.symbols
        self.weight = nn.Parameter(0.5 * torch.randn(cells, cells))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0).flatten(1)
        answered = Linear64.apply(seen, self.weight).view_as(beliefs).softmax(-1)
        return torch.where(given.unsqueeze(-1), beliefs, answered)


class PretrainedInPart(MLP):
    """Its first layer is kept as it is, its second is trained."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, hidden=12)
        for parameter in self.first.parameters():
            parameter.requires_grad_(False)


class WeightNormed(nn.Module):
    """Direction and length of its weights are parameters of their own."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        cells = len(problem.variables) * problem.symbols
        self.first = nn.utils.parametrizations.weight_norm(nn.Linear(cells, 12))
        self.second = nn.utils.parametrizations.weight_norm(nn.Linear(12, cells))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        seen = torch.where(given.unsqueeze(-1), beliefs, 0.0).flatten(1)
        answered = self.second(self.first(seen).tanh()).view_as(beliefs).softmax(-1)
        return torch.where(given.unsqueeze(-1), beliefs, answered)


class SquaredError(MLP):
    """Trains on the squared distance to the answer, not on its likelihood."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, hidden=12)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        due = nn.functional.one_hot(answer.clamp_min(0), beliefs.shape[-1]).to(beliefs)
        missed = (self(beliefs, given) - due).square().sum(-1)
        return (missed * (answer >= 0)).sum(-1)


class CountsItsCalls(MLP):
    """Keeps statistics of its calls, in a buffer and beside it; nothing comes of them."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, hidden=12)
        self.rows = 0
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        self.rows += len(beliefs)
        self.calls += 1
        return super().forward(beliefs, given)


class PutsSettingsBack(MLP):
    """Draws under a seed of its own, without gradients, and leaves everything as it was."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, hidden=12)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            tilt = 0.9 + 0.1 * torch.rand(beliefs.shape[-1])
        completion = super().forward(beliefs, given) * tilt.to(beliefs)
        return torch.where(given.unsqueeze(-1), beliefs, completion)


def start_another(sender: Connection) -> None:
    """Starts a process that outlives it, and tells its number."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    sender.send(subprocess.Popen(["sleep", "60"]).pid)
    time.sleep(60)


SOUND = [
    Enumeration,
    DoubleSATNet,
    NoisyOracle,
    Tempered,
    Dropping,
    MapSolver,
    Normalising,
    Jittering,
    Sampling,
    Lazy,
    KeepsAnIdleHead,
    ForFourSymbols,
    cached,
    ThroughNumPy,
    PretrainedInPart,
    WeightNormed,
    SquaredError,
    CountsItsCalls,
    PutsSettingsBack,
]
