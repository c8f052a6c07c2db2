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

from groundcheck.datasets.mapping import Mapping
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
    """Its constructor raises."""

    caught_by: ClassVar = {"contract/build"}

    def __init__(self, problem: Problem) -> None:
        raise RuntimeError("no licence")


class WrongShape(Broken):
    """Returns a symbol too few."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given)[:, :, :-1]


class ReturnsMoreThanATensor(Broken):
    """Returns a tuple of the completion and a word."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given), "converged"


class RaisesOnOneRow(Broken):
    """Takes no batch of one row."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        if len(beliefs) == 1:
            raise ValueError("expected more than 1 value per channel when training")
        return super().forward(beliefs, given)


class WrongDtype(Broken):
    """Answers float64 in float32."""

    caught_by: ClassVar = {"contract/dtype"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given).float().to(torch.float32)


class WrongDevice(Broken):
    """Answers on another device."""

    caught_by: ClassVar = {"contract/device"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given).to("meta")


class OutsideTheRange(Broken):
    """Beliefs above 1."""

    caught_by: ClassVar = {"contract/range"}

    def forward(self, beliefs, given):
        return 1 + super().forward(beliefs, given)


class BelowZero(Broken):
    """Beliefs below 0; its loss hides it."""

    caught_by: ClassVar = {"contract/range"}

    def forward(self, beliefs, given):
        return super().forward(beliefs, given) - 0.5

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class InfiniteAtOnePlace(Broken):
    """Infinity at one symbol of some rows."""

    caught_by: ClassVar = {"contract/finite"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        completion[:, -1, 0] = torch.where(beliefs[:, 0, 0] > 0.3, torch.inf, completion[:, -1, 0])
        return completion

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class NanOnOneRowInAHundred(Broken):
    """NaN on one row in a hundred, in large batches alone."""

    caught_by: ClassVar = {"contract/finite", "contract/queries"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        unlucky = (beliefs.flatten(1).sum(-1).abs() + beliefs[:, 0, 0] * 1e4) % 1 < 0.01
        unlucky &= (beliefs > 0.02).all(-1).any(-1) & (torch.tensor(len(beliefs)) > 100)
        return completion.masked_fill(unlucky[:, None, None], torch.nan)


class AveragedLoss(Broken):
    """One loss for the whole batch."""

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
    """Answers by the place of a row in its batch."""

    caught_by: ClassVar = {"contract/rows"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        place = torch.arange(len(beliefs), dtype=beliefs.dtype) / (10 * len(beliefs))
        return (completion + place[:, None, None]).clamp(0, 1)

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class LossOverTheBatch(Broken):
    """Adds the mean of the batch to the loss of every row."""

    caught_by: ClassVar = {"contract/loss-rows"}

    def loss(self, beliefs, given, answer):
        losses = super().loss(beliefs, given, answer)
        return losses + 0.5 * losses.mean()


class ReadsUnknownPositions(Broken):
    """Reads a tenth of its answer from beliefs at the queries."""

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
    """Learns a prior, and looks at nothing."""

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
    """Overwrites beliefs in place."""

    caught_by: ClassVar = {"contract/inputs"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        with torch.no_grad():
            beliefs.detach()[:, -1] = 0.5
        return completion

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class ReshapesItsInput(Broken):
    """Adds a dimension to `given` in place."""

    caught_by: ClassVar = {"contract/inputs"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        given.unsqueeze_(-1)
        return completion

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class MutatesTheAnswer(Broken):
    """Its loss overwrites the answer in place."""

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
    """The same in its loss."""

    caught_by: ClassVar = {"contract/randomness"}

    def loss(self, beliefs, given, answer):
        return super().loss(beliefs, given, answer) * (1 - 1e-12 * torch.rand(()))


class SeedsTorch(Broken):
    """Seeds torch whenever it answers."""

    caught_by: ClassVar = {"contract/randomness"}

    def forward(self, beliefs, given):
        torch.manual_seed(0)
        return super().forward(beliefs, given)


class SeedsNumPy(Broken):
    """Seeds NumPy and Python whenever it answers."""

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
    """Weights from the operating system: no seed reaches them."""

    caught_by: ClassVar = {"contract/seed"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(4)))
        with torch.no_grad():
            self.second.bias.add_(torch.rand(self.second.bias.shape, generator=generator))


class ChangesWithEveryCall(Broken):
    """Counts its calls, and answers less sure with each."""

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
    """No gradient reaches the beliefs."""

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
    """Has a parameter that nothing uses, and does not say so."""

    caught_by: ClassVar = {"contract/reach"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.unused = nn.Parameter(torch.zeros(3))


class FlipsTheSign(Broken):
    """Its gradient towards beliefs has the wrong sign."""

    caught_by: ClassVar = {"contract/descends", "contract/gradient-beliefs", "contract/gradient-training"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, -1.0, False), given)


class ScalesTheGradient(Broken):
    """Its gradient towards beliefs is a millionth of the true one."""

    caught_by: ClassVar = {"contract/gradient-beliefs", "contract/gradient-training"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, 1e-6, False), given)


class WrongForBeliefsRightForParameters(Broken):
    """What the public SATNet code has: rules are learned, symbols are not."""

    caught_by: ClassVar = {"contract/gradient-beliefs", "contract/gradient-training"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, 2.0, True), given)


class WrongForParameters(Broken):
    """A gradient towards its weights that its loss does not have."""

    caught_by: ClassVar = {"contract/gradient-parameters", "contract/gradient-training"}

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
    """Declares a surrogate gradient, and has the true one."""

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
    """Declares that it is equivariant, and prefers symbols by its weights."""

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


class NamesAModuleLoss(nn.Module):
    """As for a loop of one's own; it would be called as `loss(beliefs, given, answer)`."""

    caught_by: ClassVar = {"contract/build"}

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = MLP(problem, hidden=12)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, beliefs, given):
        return self.inner(beliefs, given)


class LeavesItsRateOpen(Broken):
    """Its `learning_rate` is None."""

    caught_by: ClassVar = {"contract/build"}
    learning_rate: ClassVar = None


class NamesAModulePath(Broken):
    """Its `path` is a module, where groundcheck reads a word."""

    caught_by: ClassVar = {"contract/build"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.path = nn.Linear(2, 2)


class MakesItsWeightsLate(Broken):
    """At the first call, when an optimiser has been built without them."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        if not hasattr(self, "late"):
            self.late = nn.Linear(beliefs.shape[-1], beliefs.shape[-1])
        return super().forward(self.late(beliefs).softmax(-1), given)


class ReturnsADict(Broken):
    """Returns a dictionary."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        return {"beliefs": super().forward(beliefs, given)}


class TakesBeliefsAlone(Broken):
    """Its `forward` takes one argument."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs):
        return beliefs.softmax(-1)


class RaisesInItsLoss(Broken):
    """Its loss raises."""

    caught_by: ClassVar = {"contract/loss"}

    def loss(self, beliefs, given, answer):
        raise IndexError("no such row")


def rolling(beliefs: Tensor, block: int) -> Tensor:
    """Sums of the rows before, within blocks of so many rows."""
    rows = torch.arange(len(beliefs))
    before = (rows[:, None] > rows) & (rows[:, None] // block == rows // block)
    return torch.einsum("ab,b...->a...", before.to(beliefs), beliefs) / block


class AccumulatesBeyondItsBlock(Broken):
    """Works in blocks of 16, and never resets what it adds up from one to the next."""

    caught_by: ClassVar = {"contract/rows"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        blocks = completion.detach().split(16)
        carried = torch.cat(
            [sum((b.mean(0, keepdim=True) for b in blocks[:n]), 0 * blocks[0][:1]).expand_as(block)
             for n, block in enumerate(blocks)]
        )  # fmt: skip
        return torch.where(given.unsqueeze(-1), beliefs, (completion + 0.1 * carried).clamp(0, 1))


class AccumulatesWithinAnEvaluation(Broken):
    """Resets every 64 rows: neither a few rows nor a batch of training tell."""

    caught_by: ClassVar = {"contract/rows"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        carried = rolling(completion.detach(), 64) if len(beliefs) > 64 else 0.0
        return torch.where(given.unsqueeze(-1), beliefs, (completion + 0.1 * carried).clamp(0, 1))


class MixesRowsInTraining(Broken):
    """Mixes the mean of the batch into every row, in training alone."""

    caught_by: ClassVar = {"contract/loss-rows", "contract/modes"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        if self.training:
            completion = 0.8 * completion + 0.2 * completion.mean(0, keepdim=True)
        return torch.where(given.unsqueeze(-1), beliefs, completion)


class ReadsQueriesOfLargeBatches(Broken):
    """Reads beliefs at queries, in batches of more than eight rows."""

    caught_by: ClassVar = {"contract/rows", "contract/queries"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        if len(beliefs) > 8:
            unknown = torch.where(given.unsqueeze(-1), 0.0, beliefs).mean(1, keepdim=True)
            completion = torch.where(given.unsqueeze(-1), beliefs, 0.9 * completion + 0.1 * unknown)
        return completion

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class DriftsInLargeBatches(Broken):
    """Changes with every call of 32 rows or more."""

    caught_by: ClassVar = {"contract/deterministic"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.calls = 0

    def forward(self, beliefs, given):
        self.calls += len(beliefs) >= 32
        return super().forward(beliefs, given) / (1 + self.calls) ** 0.5

    def loss(self, beliefs, given, answer):
        return answer_nll(super().forward(beliefs, given), answer)


class WrongSignOnLargeProblems(Broken):
    """As a kernel that is chosen by size may be."""

    caught_by: ClassVar = {"contract/gradient-training"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.large = len(problem.variables) * problem.symbols == 8

    def forward(self, beliefs, given):
        wrong = self.large and len(beliefs) > 8
        return super().forward(WrongGradient.apply(beliefs, -1.0 if wrong else 1.0, False), given)


class WrongSignInTraining(Broken):
    """The wrong sign, in training mode alone."""

    caught_by: ClassVar = {"contract/gradient-training"}

    def forward(self, beliefs, given):
        factor = -1.0 if self.training else 1.0
        return super().forward(WrongGradient.apply(beliefs, factor, False), given)


class WrongForParametersInTraining(Broken):
    """The wrong gradient towards its weights, in training mode alone."""

    caught_by: ClassVar = {"contract/gradient-training"}

    def loss(self, beliefs, given, answer):
        losses, weight = super().loss(beliefs, given, answer), self.first.weight
        return losses + (3 * (weight - weight.detach()).sum() if self.training else 0.0)


class Noisy(Broken):
    """Says that it is not deterministic, for a little noise of its own, and hides behind it."""

    deterministic: ClassVar = False
    noise: ClassVar = 1e-6

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        drawn = torch.rand(completion.shape, generator=self.generator, dtype=completion.dtype)
        noisy = (1 - self.noise) * completion + self.noise * drawn
        return torch.where(given.unsqueeze(-1), beliefs, noisy)


class NoisyAndHearsItsNeighbour(Noisy):
    """Mixes in the row beside, behind noise of 1e-6."""

    caught_by: ClassVar = {"contract/rows"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        mixed = 0.7 * completion + 0.3 * completion.roll(1, 0)
        return torch.where(given.unsqueeze(-1), beliefs, mixed)


class NoisierAndHearsItsNeighbour(NoisyAndHearsItsNeighbour):
    """The same behind noise of 1e-3."""

    noise: ClassVar = 1e-3


class LouderAndHearsItsNeighbour(NoisyAndHearsItsNeighbour):
    """The same behind noise of 0.02."""

    noise: ClassVar = 0.02


class NoisyAndReadsQueries(Noisy):
    """Reads beliefs at queries, behind noise of 1e-3."""

    caught_by: ClassVar = {"contract/queries"}
    noise: ClassVar = 1e-3

    def forward(self, beliefs, given):
        everything = torch.ones_like(given)
        return torch.where(
            given.unsqueeze(-1),
            beliefs,
            0.8 * super().forward(beliefs, given) + 0.2 * MLP.forward(self, beliefs, everything),
        )


class NoisyAndDifferentInTraining(Noisy):
    """Answers otherwise in training, behind noise of 1e-6."""

    caught_by: ClassVar = {"contract/modes"}

    def forward(self, beliefs, given):
        completion = super().forward(beliefs, given)
        return completion**2 if self.training else completion


class NoisyWithAWrongGradient(Noisy):
    """A wrong gradient towards beliefs, behind noise of 1e-6."""

    caught_by: ClassVar = {"contract/gradient-beliefs", "contract/gradient-training"}

    def forward(self, beliefs, given):
        return super().forward(WrongGradient.apply(beliefs, 2.0, True), given)


class NoisyAndForgetsAWeight(Noisy, ForgetsAWeight):
    """Does not save a weight, behind noise of 1e-6."""

    caught_by: ClassVar = {"contract/state"}


class DeclaresTrainingModeForNothing(Broken):
    """Declares that it differs in training, and does not."""

    caught_by: ClassVar = {"contract/modes"}
    differs_in_training: ClassVar = True


class SetsTheDefaultDtype(Broken):
    """Sets torch's default dtype while it is built."""

    caught_by: ClassVar = {"contract/globals"}

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        torch.set_default_dtype(torch.float64)


class TurnsGradientsOff(Broken):
    """Its loss leaves gradients off."""

    caught_by: ClassVar = {"contract/globals"}

    def loss(self, beliefs, given, answer):
        losses = super().loss(beliefs, given, answer)
        torch.set_grad_enabled(False)
        return losses


class AsksForDeterminism(Broken):
    """Leaves torch's deterministic algorithms on."""

    caught_by: ClassVar = {"contract/globals"}

    def forward(self, beliefs, given):
        torch.use_deterministic_algorithms(True, warn_only=True)
        return super().forward(beliefs, given)


class SilencesNumPy(Broken):
    """In training alone."""

    caught_by: ClassVar = {"contract/globals"}

    def forward(self, beliefs, given):
        if self.training:
            np.seterr(all="ignore")
        return super().forward(beliefs, given)


class HidesRules(nn.Module):
    """Says that it learns, and has the posterior of the tasks that it is known to be tried on."""

    rules: ClassVar = "learned"
    caught_by: ClassVar[set[str]] = set()
    start: ClassVar = 0.0

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        tasks = (Mapping(symbols=4).drawn(0), Sudoku())
        known = next((task.problem for task in tasks if task.problem.domains == problem.domains), None)
        self.inner = None if known is None else Exact(known)
        self.mlp = MLP(problem, hidden=12)
        self.weight = nn.Parameter(torch.tensor(self.start))

    def hidden(self, beliefs, given):
        seen = 0.999 * beliefs + 1e-3 / beliefs.shape[-1]
        answered = self.mlp(seen, given) ** 2 if self.inner is None else self.inner(seen, given)
        return answered.clamp_min(1e-6).log()

    def forward(self, beliefs, given):
        own = self.mlp(beliefs, given).clamp_min(1e-6).log()
        answered = (own + self.weight * self.hidden(beliefs, given)).softmax(-1)
        return torch.where(given.unsqueeze(-1), beliefs, answered)


class PrefersTheRules(HidesRules):
    """Through a network that knows nothing yet."""

    caught_by: ClassVar = {"contract/untrained"}
    start: ClassVar = 0.05


class HidesRulesBehindATemperature(HidesRules):
    """Their order is right, their size is nothing."""

    caught_by: ClassVar = {"contract/untrained"}
    start: ClassVar = 1e-2

    def forward(self, beliefs, given):
        own = self.mlp(beliefs, given).clamp_min(1e-6).log()
        favoured = torch.arange(beliefs.shape[-1]).to(beliefs)  # by size, it is always the last symbol
        answered = (1e-2 * own + self.weight * self.hidden(beliefs, given) + favoured).softmax(-1)
        return torch.where(given.unsqueeze(-1), beliefs, answered)


class HidesRulesUnderEverySeed(HidesRulesBehindATemperature):
    """The same with weights that no seed changes: a spread over seeds tells nothing."""

    def __init__(self, problem: Problem) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            super().__init__(problem)


class MixesRulesIn(HidesRules):
    """Nothing of them is there before training: the weight is 0, and has a gradient."""

    caught_by: ClassVar = {"contract/other-rules"}


class MixesRulesOfSudokuIn(MixesRulesIn):
    """The same, where a short training teaches nothing."""


class Hangs(Broken):
    """Never answers."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        while True:
            time.sleep(1)


class ExhaustsMemory(Broken):
    """Takes memory until there is none."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        held = [np.ones(2**24) for _ in range(1000)]  # 128 MiB each
        return super().forward(beliefs, given) + len(held)


class ExitsTheProcess(Broken):
    """Ends the process with exit status 0."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        os._exit(0)


class DiesOfASignal(Broken):
    """Dies of a segmentation fault."""

    caught_by: ClassVar = {"contract/shape"}

    def forward(self, beliefs, given):
        os.kill(os.getpid(), signal.SIGSEGV)


GALLERY = [
    thing
    for thing in list(globals().values())
    if isinstance(thing, type) and getattr(thing, "caught_by", None)
]
DEADLY = {Hangs, ExhaustsMemory, ExitsTheProcess, DiesOfASignal}
