"""Solvers that are broken on purpose, each in one way, and sound ones beside them.

Every class says in `caught_by` which checks must fail on it: those and no others.
"""

import os
import random
import signal
import time
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from groundcheck.datasets.problem import Problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.solver import Solver, answer_nll


class Broken(MLP):
    caught_by: ClassVar[set[str]] = set()

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, hidden=12)


class WrongGradient(torch.autograd.Function):
    """The identity with a gradient of choice."""

    @staticmethod
    def forward(ctx, beliefs: Tensor, factor: float, swap: bool) -> Tensor:
        ctx.factor, ctx.swap = factor, swap
        return beliefs.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.factor * (gradient.roll(1, -1) if ctx.swap else gradient), None, None


class RaisesAtOnce(Broken):
    caught_by: ClassVar = {"contract/build"}

    def __init__(self, problem: Problem) -> None:
        raise RuntimeError("no licence")


class WrongShape(Broken):
    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given)[:, :, :-1]


class ReturnsMoreThanATensor(Broken):
    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given), "converged"


class RaisesOnOneRow(Broken):
    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        if len(beliefs) == 1:
            raise ValueError("expected more than 1 value per channel when training")
        return super().forward(beliefs, given)


class WrongDtype(Broken):
    caught_by: ClassVar = {"contract/dtype"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given).float().to(torch.float32)


class WrongDevice(Broken):
    caught_by: ClassVar = {"contract/device"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given).to("meta")


class OutsideTheRange(Broken):
    caught_by: ClassVar = {"contract/range"}

    def forward(self, beliefs, given):
        return 1 + super().forward(beliefs, given)


class BelowZero(Broken):
    caught_by: ClassVar = {"contract/range"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given) - 0.5

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class InfiniteAtOnePlace(Broken):
    caught_by: ClassVar = {"contract/finite"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        completion[:, -1, 0] = torch.where(beliefs[:, 0, 0] > 0.3, torch.inf, completion[:, -1, 0])
        return completion

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class NanOnOneRowInAHundred(Broken):
    caught_by: ClassVar = {"contract/finite"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        unlucky = (beliefs.flatten(1).sum(-1).abs() + beliefs[:, 0, 0] * 1e4) % 1 < 0.01
        unlucky &= (beliefs > 0.02).all(-1).any(-1) & (torch.tensor(len(beliefs)) > 100)
        return completion.masked_fill(unlucky[:, None, None], torch.nan)


class AveragedLoss(Broken):
    caught_by: ClassVar = {"contract/loss"}

    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer).mean()


class LossThatIsNoNumber(Broken):
    """On some rows alone."""

    caught_by: ClassVar = {"contract/loss"}

    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer) + torch.where(beliefs[:, 0, 0] > 0.3, torch.inf, 0.0)


class DependsOnOtherRows(Broken):
    """Normalises over the batch, in evaluation as well."""

    caught_by: ClassVar = {"contract/rows"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        shifted = completion * (0.5 + 0.5 * completion[:1])
        return torch.where(given.unsqueeze(-1), beliefs, shifted)

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class RemembersByRowIndex(Broken):
    caught_by: ClassVar = {"contract/rows"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        place = torch.arange(len(beliefs), dtype=beliefs.dtype) / (10 * len(beliefs))
        return (completion + place[:, None, None]).clamp(0, 1)

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class LossOverTheBatch(Broken):
    caught_by: ClassVar = {"contract/loss-rows"}

    def loss(self, beliefs, given, answer):
        losses = super().loss(beliefs, given, answer)
        return losses + 0.5 * losses.mean()


class ReadsUnknownPositions(Broken):
    caught_by: ClassVar = {"contract/queries"}

    def forward(self, beliefs, given):
        everything = torch.ones_like(given)
        answered = super().forward(beliefs, given)
        return torch.where(
            given.unsqueeze(-1), beliefs, 0.9 * answered + 0.1 * super().forward(beliefs, everything)
        )


class IgnoresItsBeliefs(Broken):
    """Answers by majority."""

    caught_by: ClassVar = {"contract/listens"}

    def forward(self, beliefs, given):
        return super().forward(torch.zeros_like(beliefs), given)


class ConstantPrior(Broken):
    caught_by: ClassVar = {"contract/listens"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.prior = nn.Parameter(torch.zeros(problem.symbols))

    def forward(self, beliefs, given):
        return torch.where(given.unsqueeze(-1), beliefs, self.prior.softmax(0).expand_as(beliefs))


class EchoesItsGivens(Broken):
    """Right wherever it was told, and silent elsewhere."""

    caught_by: ClassVar = {"contract/listens"}

    def forward(self, beliefs, given):
        return torch.where(given.unsqueeze(-1), beliefs, self.second.bias.sum().sigmoid())


class MutatesItsInput(Broken):
    caught_by: ClassVar = {"contract/inputs"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        with torch.no_grad():
            beliefs.detach()[:, -1] = 0.5
        return completion

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class ReshapesItsInput(Broken):
    caught_by: ClassVar = {"contract/inputs"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        given.unsqueeze_(-1)
        return completion

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class MutatesTheAnswer(Broken):
    caught_by: ClassVar = {"contract/inputs"}

    def loss(self, beliefs, given, answer):
        losses = super().loss(beliefs, given, answer)
        answer.clamp_(min=0)
        return losses


class GlobalRandomState(Broken):
    """Noise from torch's global generator, so small that nothing else sees it."""

    caught_by: ClassVar = {"contract/randomness"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given) * (1 - 1e-12 * torch.rand(()))


class DrawsInItsLoss(Broken):
    caught_by: ClassVar = {"contract/randomness"}

    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer) * (1 - 1e-12 * torch.rand(()))


class SeedsTorch(Broken):
    caught_by: ClassVar = {"contract/randomness"}

    def forward(self, beliefs, given):
        torch.manual_seed(0)
        return super().forward(beliefs, given)


class SeedsNumPy(Broken):
    caught_by: ClassVar = {"contract/randomness"}

    def forward(self, beliefs, given):
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        return super().forward(beliefs, given)


class NotDeterministic(Broken):
    """Random under every seed: from the operating system."""

    caught_by: ClassVar = {"contract/seed", "contract/deterministic"}

    def forward(self, beliefs, given):
        noise = int.from_bytes(os.urandom(2)) / 2**16
        return super().forward(beliefs, given) * (1 - 0.1 * noise)

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class UnseededWeights(Broken):
    caught_by: ClassVar = {"contract/seed"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(4)))
        with torch.no_grad():
            self.second.bias.add_(torch.rand(self.second.bias.shape, generator=generator))


class ChangesWithEveryCall(Broken):
    caught_by: ClassVar = {"contract/deterministic"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.calls = 0

    def forward(self, beliefs, given):
        self.calls += 1
        return super().forward(beliefs, given) / self.calls**0.5

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class DifferentInTraining(Broken):
    """Without saying that it is not deterministic."""

    caught_by: ClassVar = {"contract/modes"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        return completion**2 if self.training else completion


class LosesItsState(Broken):
    """What it drew when it was built is in no state dict."""

    caught_by: ClassVar = {"contract/state"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.scale = float(torch.rand(()))

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        return torch.where(given.unsqueeze(-1), beliefs, completion ** (1 + self.scale))


class ForgetsAWeight(Broken):
    """Starts at 1 with every seed, and is not saved: a round trip before training would not tell."""

    caught_by: ClassVar = {"contract/state"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.gain = nn.Parameter(torch.ones(()))

    def state_dict(self, *args, **kwargs):
        return {name: value for name, value in super().state_dict(*args, **kwargs).items() if name != "gain"}

    def load_state_dict(self, state, *args, **kwargs):
        return super().load_state_dict(state, strict=False)

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        return torch.where(given.unsqueeze(-1), beliefs, completion ** (self.gain**2))


class DetachesTheGradient(Broken):
    caught_by: ClassVar = {"contract/reach"}

    def forward(self, beliefs, given):
        return super().forward(beliefs.detach(), given)


class EndlessGradient(Broken):
    """√ of 0 has an infinite one, √ of 1 has not."""

    caught_by: ClassVar = {"contract/reach"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.start = nn.Parameter(torch.tensor([0.0, 1.0]))

    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer) + (self.start.abs() + 0 * self.start).sqrt().sum()


class DeadWeight(Broken):
    caught_by: ClassVar = {"contract/reach"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.unused = nn.Parameter(torch.zeros(3))


class FlipsTheSign(Broken):
    caught_by: ClassVar = {"contract/descends", "contract/gradient-beliefs"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, -1.0, False), given)


class ScalesTheGradient(Broken):
    caught_by: ClassVar = {"contract/gradient-beliefs"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, 1e-6, False), given)


class WrongForBeliefsRightForParameters(Broken):
    """What the public SATNet code has: rules are learned, symbols are not."""

    caught_by: ClassVar = {"contract/gradient-beliefs"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, 2.0, True), given)


class WrongForParameters(Broken):
    caught_by: ClassVar = {"contract/gradient-parameters"}

    def loss(self, beliefs, given, answer):
        weight = self.first.weight
        return (
            super().loss(beliefs, given, answer) + 3 * (weight - weight.detach()).sum()
        )  # 0, with a gradient


class HidesItsSignBehindASurrogate(Broken):
    """Uphill; and the declaration lets it off every other check of its gradient."""

    surrogate: ClassVar = True
    caught_by: ClassVar = {"contract/surrogate"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, -1.0, False), given)


class HidesItsParametersBehindASurrogate(Broken):
    """Downhill by the beliefs, uphill by the parameters."""

    surrogate: ClassVar = True
    caught_by: ClassVar = {"contract/surrogate"}

    def loss(self, beliefs, given, answer):
        learned = super().loss(beliefs.detach(), given, answer)
        return super().loss(beliefs, given, answer) - 2 * (learned - learned.detach())


class DeclaresASurrogateForNothing(Broken):
    surrogate: ClassVar = True
    caught_by: ClassVar = {"contract/surrogate"}


class ExplodesWhereCertain(Broken):
    """1 / sin(πz), as in the public SATNet code, at beliefs of 0 and 1."""

    caught_by: ClassVar = {"contract/saturated"}

    def loss(self, beliefs, given, answer):
        sure = (beliefs.clamp(0, 1) - 0.5).abs() * 2
        steep = ((1 - sure + 1e-20).sqrt() * given.unsqueeze(-1)).sum((1, 2))
        return super().loss(beliefs, given, answer) + 0.1 * steep


class DeclaresExactAndIsNot(Exact):
    """Multiplies the marginals of single variables."""

    caught_by: ClassVar = {"contract/posterior"}

    def forward(self, beliefs, given):
        return (super().forward(beliefs, given) + 1e-3) / (1 + 1e-3 * beliefs.shape[-1])


class RelabelsInSecret(Exact):
    """Exact for symbols that it exchanged, in and out: the rules' symmetries are then others as well."""

    caught_by: ClassVar = {"contract/posterior", "contract/equivariance"}

    def forward(self, beliefs, given):
        return super().forward(beliefs.flip(-1), given).flip(-1)


class BreaksTies(Solver):
    """Has the rules, and prefers the first symbol."""

    caught_by: ClassVar = {"contract/equivariance"}
    rules: ClassVar = "given"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.inner = Exact(problem)

    def forward(self, beliefs, given):
        tilt = torch.ones(beliefs.shape[-1], dtype=beliefs.dtype)
        tilt[0] = 1.2
        return self.inner(beliefs * tilt / 1.2, given)


class DeclaresRandomNumbersAndDrawsNone(Broken):
    """To be let off what is asked of solvers that are deterministic."""

    caught_by: ClassVar = {"contract/deterministic"}
    deterministic: ClassVar = False


class DeclaresSymmetryAndHasWeights(Broken):
    caught_by: ClassVar = {"contract/equivariance"}
    equivariant: ClassVar = True


class CarriesTheRules(nn.Module):
    """Says that it learns, and knows Sudoku."""

    caught_by: ClassVar = {"contract/untrained"}
    rules: ClassVar = "learned"

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        known = Sudoku().problem
        self.fits = known.domains == problem.domains
        self.inner = Exact(known) if self.fits else MLP(problem, hidden=4)
        for parameter in self.inner.parameters():
            parameter.requires_grad_(False)

    def forward(self, beliefs, given):
        completion = self.inner(beliefs, given)
        return completion ** self.weight.abs()


class Hangs(Broken):
    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        while True:
            time.sleep(1)


class ExhaustsMemory(Broken):
    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        held = [np.ones(2**24) for _ in range(1000)]  # 128 MiB each
        return super().forward(beliefs, given) + len(held)


class ExitsTheProcess(Broken):
    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        os._exit(0)


class DiesOfASignal(Broken):
    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        os.kill(os.getpid(), signal.SIGSEGV)


GALLERY = [
    thing
    for thing in list(globals().values())
    if isinstance(thing, type) and getattr(thing, "caught_by", None)
]
DEADLY = {Hangs, ExhaustsMemory, ExitsTheProcess, DiesOfASignal}
