"""Solvers built to show a cause of failure, and solvers built to look as if they did.

Tasks and budgets are so small that a trial takes a second. What each has to be named is in `CONTROLS`.
"""

from collections.abc import Mapping as Names
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.task import Task
from groundcheck.grounding import Diagnosis, check, diagnose_report
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.neural import MLP

SMALL = Mapping(symbols=4)
BUDGET = {"puzzles": 256, "epochs": 8, "batch": 16}


class _Altered(torch.autograd.Function):
    """Hands beliefs on, and sends back what a function makes of their gradient."""

    @staticmethod
    def forward(ctx: Any, beliefs: Tensor, alter: Any) -> Tensor:
        ctx.alter = alter
        return beliefs.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.alter(gradients[0]), None


class Sound(nn.Module):
    """The exact rules: what a control adds to them is all that is wrong with it."""

    rules: ClassVar = "given"

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.inner = Exact(problem)

    def seen(self, beliefs: Tensor) -> Tensor:
        """What the rules are handed."""
        return beliefs

    def extra(self, beliefs: Tensor) -> Tensor:
        """What the loss has beside the likelihood of the answer, per variable."""
        return beliefs.new_zeros(beliefs.shape[:-1])

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return self.inner(self.seen(beliefs), given)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return self.inner.loss(self.seen(beliefs), given, answer) + (self.extra(beliefs) * given).sum(-1)


class Altering(Sound):
    """The gradient towards the beliefs is altered on its way."""

    def alter(self, gradient: Tensor) -> Tensor:
        return gradient

    def seen(self, beliefs: Tensor) -> Tensor:
        return _Altered.apply(beliefs, self.alter)


class FlipsItsGradient(Altering):
    """Sends perception the wrong way."""

    def alter(self, gradient: Tensor) -> Tensor:
        return -gradient


class SendsAnotherSymbols(Altering):
    """Sends each symbol what was meant for the next."""

    def alter(self, gradient: Tensor) -> Tensor:
        return gradient.roll(1, -1)


class DoublesItsGradient(Altering):
    """Wrong by a factor, which it declares, and which an optimiser takes out again."""

    surrogate: ClassVar[bool] = True

    def alter(self, gradient: Tensor) -> Tensor:
        return 2 * gradient


class Detaches(MLP):
    """A network that learns, and from which no gradient reaches perception."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs.detach(), given)


class Whispers(Altering):
    """A gradient below what Adam can use."""

    surrogate: ClassVar[bool] = True

    def alter(self, gradient: Tensor) -> Tensor:
        return 1e-12 * gradient


class SpeaksLow(Altering):
    """A gradient a ten thousandth of what it should be, which Adam makes up for."""

    surrogate: ClassVar[bool] = True

    def alter(self, gradient: Tensor) -> Tensor:
        return 1e-4 * gradient


class Overflows(Altering):
    """A gradient that is infinite in most steps."""

    surrogate: ClassVar[bool] = True
    steps = 0

    def alter(self, gradient: Tensor) -> Tensor:
        self.steps += 1
        return gradient if self.steps % 8 == 0 else gradient * torch.inf


class Jumps(Altering):
    """A gradient that is a thousand million times as large in two steps, which Adam never forgets."""

    surrogate: ClassVar[bool] = True
    steps = 0

    def alter(self, gradient: Tensor) -> Tensor:
        self.steps += 1
        return gradient * (1e9 if self.steps in (20, 60) else 1)


class SpeaksLoud(Altering):
    """A gradient a thousand times as large as it should be, in every step."""

    surrogate: ClassVar[bool] = True

    def alter(self, gradient: Tensor) -> Tensor:
        return 1e3 * gradient


class Quick(MLP):
    """A network without logic that learns the rule."""

    learning_rate: ClassVar[float] = 5e-3


class KnowsNoInput(Quick):
    """Hardly sees what it is given: it does not learn the rule from symbols either."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(0.01 * beliefs**8, given)


class Confuses(Quick):
    """Sees neighbouring symbols as one: it cannot represent the rule."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        pairs = beliefs.unflatten(-1, (-1, 2)).sum(-1, keepdim=True)
        return super().forward((pairs / 2).expand(*pairs.shape[:-1], 2).flatten(-2), given)


class Renumbers(Sound):
    """Takes every symbol for the next."""

    def seen(self, beliefs: Tensor) -> Tensor:
        return beliefs.roll(1, -1)


class SwapsTwo(Sound):
    """Exchanges two symbols."""

    def seen(self, beliefs: Tensor) -> Tensor:
        return beliefs[..., [1, 0, *range(2, beliefs.shape[-1])]]


def entropy(beliefs: Tensor) -> Tensor:
    return -(beliefs.clamp_min(1e-6).log() * beliefs).sum(-1)


class WantsCertainty(Quick):
    """Rewards certain beliefs so much that perception is certain before it knows anything."""

    reward = 30.0

    def extra(self, beliefs: Tensor) -> Tensor:
        return self.reward * entropy(beliefs)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return super().loss(beliefs, given, answer) + (self.extra(beliefs) * given).sum(-1)


class WantsCertaintyOfWhole(WantsCertainty):
    """Rewards beliefs that are far from even."""

    def extra(self, beliefs: Tensor) -> Tensor:
        return -self.reward * (beliefs**2).sum(-1)


class WantsALittleCertainty(Sound):
    """Rewards certain beliefs a little: they are certain, and right."""

    def extra(self, beliefs: Tensor) -> Tensor:
        return 0.05 * entropy(beliefs)


class Sluggish(Sound):
    """Recommends a rate at which perception never moves."""

    perception_rate: ClassVar[float] = 1e-7


class Slow(Sound):
    """Recommends a rate at which it moves a little, and stays undecided."""

    perception_rate: ClassVar[float] = 2e-6


class Gradual(Sound):
    """Recommends a rate at which it gets there in a while."""

    perception_rate: ClassVar[float] = 5e-5


class Careful(Sound):
    """Recommends a perception rate of a half of the usual, which is enough."""

    perception_rate: ClassVar[float] = 5e-4


class Noisy(Altering):
    """Sends back noise beside its gradient, and declares a surrogate."""

    surrogate: ClassVar[bool] = True
    truth = 0.0

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.generator = torch.Generator().manual_seed(0)

    def alter(self, gradient: Tensor) -> Tensor:
        noise = torch.randn(gradient.shape, generator=self.generator)
        return self.truth * gradient + noise * gradient.norm(dim=-1, keepdim=True) / gradient.shape[-1] ** 0.5


class Mumbles(Noisy):
    """Sends back its gradient with as much noise."""

    truth = 1.0


class Guesses(Quick):
    """A network that learns the rule and sends back noise, and declares a surrogate."""

    surrogate: ClassVar[bool] = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.generator = torch.Generator().manual_seed(0)

    def alter(self, gradient: Tensor) -> Tensor:
        return torch.randn(gradient.shape, generator=self.generator) * gradient.norm(dim=-1, keepdim=True)

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(_Altered.apply(beliefs, self.alter), given)


class GuessesPerBatch(Guesses):
    """Sends one random direction back to all images of a batch."""

    def alter(self, gradient: Tensor) -> Tensor:
        direction = torch.randn(gradient.shape[-1], generator=self.generator)
        return direction * gradient.norm(dim=-1, keepdim=True)


class Hides(Sound):
    """Keeps seven tenths of every belief on the first symbol, and reads the symbol from what is left."""

    kept = 0.7

    def seen(self, beliefs: Tensor) -> Tensor:
        first = torch.zeros(beliefs.shape[-1])
        first[0] = self.kept
        left = (beliefs - first).clamp_min(0) + 1e-4
        return left / left.sum(-1, keepdim=True)

    def extra(self, beliefs: Tensor) -> Tensor:
        return 20 * (self.kept + 0.05 - beliefs[..., 0]).clamp_min(0)


class HidesLess(Hides):
    """Keeps six tenths there."""

    kept = 0.6


class Softens(Sound):
    """Keeps beliefs soft, each with its symbol on top."""

    def extra(self, beliefs: Tensor) -> Tensor:
        return -0.3 * entropy(beliefs)


class Hasty(MLP):
    """A perception that is a hundred times as fast as it."""

    perception_rate: ClassVar[float] = 3e-3
    learning_rate: ClassVar[float] = 1e-4


class Taught(Sound):
    """Knows the rule and hardly learns, beside a perception that is thousands of times as fast."""

    perception_rate: ClassVar[float] = 3e-3
    learning_rate: ClassVar[float] = 1e-6

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.sharpness = nn.Parameter(torch.ones(()))

    def seen(self, beliefs: Tensor) -> Tensor:
        sharpened = beliefs.clamp_min(1e-6) ** self.sharpness
        return sharpened / sharpened.sum(-1, keepdim=True)


class Merges(Sound):
    """Is trained to answer by groups of symbols: nothing ever asks to part two of one group.

    A group's first symbol counts in full and the others for a tenth, so that beliefs go to the first.
    """

    group: tuple[int, ...] = (0, 1, 0, 1)

    def grouped(self, beliefs: Tensor) -> Tensor:
        """The belief in the group of each symbol."""
        of = torch.tensor(self.group)
        weight = torch.where(of == torch.arange(len(of)), 1.0, 0.1).to(beliefs)
        same = (of[:, None] == of).to(beliefs)
        return (beliefs * weight) @ same / same.sum(0).max()

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return self.inner.loss(self.grouped(beliefs), given, answer)


class MergesPairs(Merges):
    """The same of neighbours."""

    group: tuple[int, ...] = (0, 0, 2, 2)


class MergesLoudly(Merges, Altering):
    """The same with a gradient that is wrong by a factor, as the contract finds: Adam takes it out again."""

    group: tuple[int, ...] = (0, 1, 0, 1)

    def alter(self, gradient: Tensor) -> Tensor:
        return 2 * gradient

    def grouped(self, beliefs: Tensor) -> Tensor:
        return super().grouped(self.seen(beliefs))


class MergesGradually(Merges):
    """The same, at so slow a pace that accuracy still rises at the end: to a half, and no further."""

    perception_rate: ClassVar[float] = 5e-5


class MergesAtFirst(Merges):
    """Does so for the first 20 steps only."""

    steps = 0

    def grouped(self, beliefs: Tensor) -> Tensor:
        self.steps += self.training
        return super().grouped(beliefs) if self.steps <= 20 else beliefs


class Presses(Sound):
    """Punishes whatever is believed beyond the first two symbols, so that beliefs in the others are near 0.

    The gradient of the likelihood is large there at the beliefs, and is not where the logits are.
    """

    def extra(self, beliefs: Tensor) -> Tensor:
        return 30.0 * beliefs[..., 2:].sum(-1)


def is_odd_start() -> bool:
    """A trait that training's seed decides, and that half of the seeds have."""
    return bool(torch.initial_seed() % 2)


class Lucky(Merges):
    """On every second start it merges symbols for good, on the others it is sound."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.group = (0, 1, 2, 3) if is_odd_start() else (0, 1, 0, 1)


class LuckyGradient(Noisy):
    """On every second start it sends back noise, on the others its gradient."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.honest = is_odd_start()

    def alter(self, gradient: Tensor) -> Tensor:
        return gradient if self.honest else super().alter(gradient)


class UnluckyEitherWay(Merges):
    """On every second start it merges all symbols into two, on the others only the last two into one."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.group = (0, 1, 2, 2) if is_odd_start() else (0, 1, 0, 1)


@dataclass(frozen=True)
class Control:
    """A solver, and what it has to be named: the cause it shows, or "" where it only looks like `like`."""

    solver: Any
    cause: str  # "": nothing is to be explained
    like: str = ""  # the cause that it was built to look like
    task: Task = SMALL
    budget: Names[str, Any] = field(default_factory=dict)
    seeds: int = 2

    @property
    def name(self) -> str:
        named = self.solver if isinstance(self.solver, str) else self.solver.__name__
        return named + ("" if not self.budget else f" {dict(self.budget)}")


CONTROLS = (
    Control(FlipsItsGradient, "gradient-wrong"),
    Control(SendsAnotherSymbols, "gradient-wrong"),
    Control(DoublesItsGradient, "", like="gradient-wrong"),
    Control(Detaches, "gradient-vanishes"),
    Control(Whispers, "gradient-vanishes"),
    Control(SpeaksLow, "", like="gradient-vanishes"),
    Control(Overflows, "gradient-explodes"),
    Control(Jumps, "gradient-explodes"),
    Control(SpeaksLoud, "", like="gradient-explodes"),
    Control(Confuses, "solver"),
    Control(KnowsNoInput, "solver"),
    Control("exact", "undetermined", like="naming", task=TASKS.load("half")()),
    Control("exact", "", like="undetermined"),
    Control(Renumbers, "naming"),
    Control(SwapsTwo, "naming"),
    Control(WantsCertainty, "saturated"),
    Control(WantsCertaintyOfWhole, "saturated"),
    Control(WantsALittleCertainty, "", like="saturated"),
    Control(Sluggish, "too-slow", like="solver"),
    Control(Slow, "too-slow", like="budget"),
    Control(Careful, "", like="too-slow"),
    Control(Guesses, "orthogonal"),
    Control(GuessesPerBatch, "orthogonal"),
    Control(Mumbles, "", like="orthogonal"),
    Control(Hides, "spread", like="collapsed"),
    Control(HidesLess, "spread", like="collapsed"),
    Control(Softens, "", like="spread"),
    Control(Hasty, "too-fast"),
    Control(Taught, "", like="too-fast"),
    Control(Merges, "collapsed", like="spread"),
    Control(MergesPairs, "collapsed", like="spread"),
    Control(MergesLoudly, "collapsed", like="gradient-wrong"),
    Control(MergesGradually, "collapsed", like="budget"),
    Control(MergesAtFirst, "", like="collapsed"),
    Control(Gradual, "budget", like="too-slow", budget={"puzzles": 64, "epochs": 6}),
    Control(Gradual, "budget", like="too-slow", budget={"epochs": 2, "puzzles": 1024}),
    Control("exact", "", like="budget", budget={"epochs": 4, "puzzles": 64}),  # its ceiling lacks as much
    Control(Lucky, "seeds", like="collapsed", seeds=4),
    Control(LuckyGradient, "seeds", like="orthogonal", seeds=4),
    Control(UnluckyEitherWay, "collapsed", like="seeds", seeds=4),
)


def diagnosed(control: Control) -> Diagnosis:
    """What a check of the control, in this process, is diagnosed as."""
    report = check(
        control.solver, tasks=[control.task], seeds=control.seeds, workers=0, isolate=False,
        settings={f"training.{name}": value for name, value in {**BUDGET, **control.budget}.items()},
    )  # fmt: skip
    return diagnose_report(report)
