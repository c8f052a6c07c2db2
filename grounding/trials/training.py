"""Training a network end to end, on what trains and on nothing else."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...datasets.batch import Batch, Examples
from ...datasets.errors import UsageError
from ...solvers.solver import answer_nll
from .curriculum import give_more
from .method import Loss, Method
from .mixup import LossMixup
from .network import PRECISIONS, Network, Precision
from .reading import INTERFACES, Interface, uncertainty
from .recording import Recorded, Recorder
from .sharing import SharedGradients

LossName = Literal["own", "likelihood", "bce"]
LOSSES: tuple[LossName, ...] = get_args(LossName)
# Bits are kept this far from 0 and 1 in logarithms, so that a wrong bit that is saturated has a gradient.
MARGIN = 1e-6
REVEALED = 0.5  # of the queries of a puzzle that a curriculum begins with
OF_SOLVER = {"solver": True}  # what changes nothing of a ceiling, and is recorded where it is set
WHERE_SET = {"told": "set"}  # what is recorded where it is set


def by_method(method: type[Method]) -> dict[str, Any]:
    """What registers a way of training with the setting that turns it on, which is 0 where it is off."""
    return {**OF_SOLVER, "method": method}


POSITIVE = {  # what each is called
    "perception_rate": "a learning rate", "solver_rate": "a learning rate", "temperature": "a temperature",
    "annealed_from": "a temperature", "clip": "the norm of a gradient",
}  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """One epoch of training that ended, counted from 1."""

    epoch: int
    loss: float  # mean over the rows that were solved; nats per row
    skipped: float  # fraction of steps without a solved row, or with a gradient that is not finite
    gradient: float | None = None  # norm of the loss's gradient towards the beliefs, mean over rows and steps
    no_gradient: float = 0.0  # fraction of steps on images that brought perception no gradient, or a zero one
    recorded: Recorded | None = None


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training budget; nothing stops a run before it is spent.

    Args:
        puzzles: How many puzzles of the training split are passed through.
        epochs: How often.
        batch: Puzzles of a step.
        perception_rate: Adam's learning rate for perception; None for what the solver recommends.
        solver_rate: That for the solver.
        interface: How logits of perception become beliefs: "softmax", "sigmoid", or "straight-through": the
            most likely symbol alone, with the gradient of the softmax.
        pretraining: What perception learns before: "clusters" of the training puzzles' images, found without
            labels; "none"; or None for what the solver asks for.
        wrong_answers: Share of the answers that training sees which are replaced by another symbol of their
            variable; the ceiling's labels stay right.
        temperature: By which logits are divided at the interface, in training and after.
        annealed_from: The temperature that training begins with; from there it goes to `temperature` by the
            same factor in every step. None: there is but one.
        perception_first: Epochs, at first, in which perception is trained and the solver is left as it is.
        solver_first: Epochs, at first, in which the solver is trained and perception is left as it is.
        clip: At most so large is the norm of a step's gradient, of perception's and of the solver's weights
            each. None: as large as it comes.
        loss: The solver's "own", where it has one; the "likelihood" of the answer under what it completes; or
            "bce", the binary cross-entropy over the bits of the queries.
        information: Weight of a penalty on beliefs that are spread and on symbols that are used unevenly:
            mean entropy of a belief less `balance` times the entropy of the mean belief, per batch, in nats.
        balance: See `information`.
        information_from: When this penalty begins, as a share of the training.
        information_ramp: In what share of the training it then comes to its weight.
        curriculum: Share of the training, at first, in which some queries are given as symbols: half of them
            at the start, none at its end.
        mixup: Pairs of puzzles are laid over each other, in shares from Beta(mixup, mixup), and how much each
            answer counts is learned: `LossMixup`. 0: none are.
        sharing: In the first half, gradients are shared between tasks whose answers are renamed, in inner
            steps of this rate: `SharedGradients`. 0: there is but one task.
        precision: Of perception's products and convolutions in a step, forth and back: "float32" or
            "bfloat16", which is quicker where the processor has instructions for it and slower where not.
            Weights, Adam, the solver and all that is scored stay in float32.

    Raises:
        UsageError: For a field that cannot be meant.
    """

    puzzles: int = 600
    epochs: int = 15
    batch: int = 32
    perception_rate: float | None = None
    solver_rate: float | None = None
    interface: Interface = "softmax"
    pretraining: str | None = None
    wrong_answers: float = 0.0
    temperature: float = field(default=1.0, metadata=OF_SOLVER)
    annealed_from: float | None = field(default=None, metadata=OF_SOLVER)
    perception_first: int = field(default=0, metadata=OF_SOLVER)
    solver_first: int = field(default=0, metadata=OF_SOLVER)
    clip: float | None = field(default=None, metadata=OF_SOLVER)
    loss: LossName = field(default="own", metadata=OF_SOLVER)
    information: float = field(default=0.0, metadata=OF_SOLVER)
    balance: float = field(default=3.0, metadata=OF_SOLVER)
    information_from: float = field(default=1 / 3, metadata=OF_SOLVER)
    information_ramp: float = field(default=0.2, metadata=OF_SOLVER)
    curriculum: float = field(default=0.0, metadata=OF_SOLVER)
    precision: Precision = field(default="float32", metadata=WHERE_SET)
    mixup: float = field(default=0.0, metadata=by_method(LossMixup))
    sharing: float = field(default=0.0, metadata=by_method(SharedGradients))

    def __post_init__(self) -> None:
        for name in ("puzzles", "epochs", "batch"):
            count = getattr(self, name)
            if type(count) is not int or count < 1:
                raise UsageError(f"{name}={count!r}: it is a whole number of at least 1")
        for name, told in POSITIVE.items():
            value = getattr(self, name)
            optional = next(f.default is None for f in fields(self) if f.name == name)
            if not (optional if value is None else _number(value) and value > 0):
                raise UsageError(f"{name}={value!r}: {told} is a positive number")
        for name in ("information", "balance"):
            value = getattr(self, name)
            if not _number(value) or value < 0:
                raise UsageError(f"{name}={value!r}: a weight is a number of at least 0")
        for name in ("information_from", "information_ramp", "curriculum"):
            value = getattr(self, name)
            if not _number(value) or not 0 <= value <= 1:
                raise UsageError(f"{name}={value!r}: a share of the training is from 0 to 1")
        if not _number(self.wrong_answers) or not 0 <= self.wrong_answers < 1:
            raise UsageError(f"wrong_answers={self.wrong_answers!r}: a share from 0 up to, not including, 1")
        for name, known in (
            ("interface", INTERFACES), ("loss", LOSSES), ("precision", PRECISIONS)
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise UsageError(
                    f"{name}={getattr(self, name)!r}: it is {', '.join(known[:-1])} or {known[-1]}"
                )
        if self.pretraining not in (None, "none", "clusters"):
            raise UsageError(f"pretraining={self.pretraining!r}: it is none or clusters")
        self._require_turns()
        self._require_one_method()

    def _require_turns(self) -> None:
        for name in ("perception_first", "solver_first"):
            alone = getattr(self, name)
            if type(alone) is not int or alone < 0:
                raise UsageError(f"{name}={alone!r}: it is a whole number of epochs, 0 or more")
            if alone and alone >= self.epochs:
                raise UsageError(f"{name}={alone}: of {self.epochs} epochs one at least is for both sides")
        if self.perception_first and self.solver_first:
            raise UsageError("perception_first and solver_first: one side is trained first, set one of them")

    def _require_one_method(self) -> None:
        for name in METHODS:
            strength = getattr(self, name)
            if not _number(strength) or strength < 0:
                raise UsageError(f"{name}={strength!r}: it is a number of at least 0")
        if len(chosen := [name for name in METHODS if getattr(self, name)]) > 1:
            raise UsageError(f"{' and '.join(chosen)}: each makes the losses of a batch, set one of them")
        if self.sharing and self.curriculum:
            raise UsageError("sharing and curriculum: what one renames the other gives, set one of them")

    def require_rules_learned(self, solver: str) -> None:
        """Raises `UsageError` for what a solver cannot be trained with that is given its rules."""
        for name, method in METHODS.items():
            if getattr(self, name) and method.learns_rules:
                raise UsageError(
                    f"{name}={getattr(self, name)}: {solver} is given its rules, and this is for solvers "
                    f"that learn them; leave {name} at 0"
                )

    @property
    def settings(self) -> dict[str, Any]:
        """For a record; what is beside the budget is told where it was set."""
        return {
            f.name: value
            for f in fields(self)
            if (value := getattr(self, f.name)) != f.default or not f.metadata
        }

    @property
    def of_ceiling(self) -> "Training":
        """What the ceiling is trained with: nothing of it is about a solver."""
        return replace(self, **{f.name: f.default for f in fields(self) if f.metadata.get("solver")})

    def waiting(self, epoch: int) -> list[Literal["perception", "solver"]]:
        """Which side is left as it is in an epoch, counted from 1."""
        if epoch <= self.perception_first:
            return ["solver"]
        return ["perception"] if epoch <= self.solver_first else []

    def temperature_at(self, share: float) -> float:
        """The temperature after that share of the training."""
        if self.annealed_from is None:
            return self.temperature
        return self.annealed_from * (self.temperature / self.annealed_from) ** share

    def information_at(self, share: float) -> float:
        """The weight of the penalty on beliefs after that share of the training."""
        late = share - self.information_from
        if late < 0 or not self.information:
            return 0.0
        return self.information * min(1.0, late / self.information_ramp if self.information_ramp else 1.0)

    def revealed_at(self, share: float) -> float:
        """Which share of the queries is given after that share of the training."""
        return REVEALED * (1 - share / self.curriculum) if share < self.curriculum else 0.0


# Ways of training with weights of their own, by the setting that turns each on.
METHODS: dict[str, type[Method]] = {
    f.name: f.metadata["method"] for f in fields(Training) if "method" in f.metadata
}


def method_of(
    training: Training, loss: Loss, network: Network, puzzles: int, generator: torch.Generator
) -> Method | None:
    """The way of training that is asked for, on so many puzzles; None for the usual one."""
    steps = training.epochs * -(-puzzles // training.batch)
    for name, method in METHODS.items():
        if strength := getattr(training, name):
            return method(strength, loss, network, steps, generator).to(network.legal.device)
    return None


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def solver_loss(
    solver: nn.Module,
    beliefs: Float[Tensor, "batch variables symbols"],
    given: Bool[Tensor, "batch variables"],
    answer: Int[Tensor, "batch variables"],
) -> Tensor:
    """The solver's own loss where it has one, else the likelihood of the answer under its completion.

    A number per row, if the solver keeps its contract: `contract/loss` looks.
    """
    own = getattr(solver, "loss", None)
    return answer_nll(solver(beliefs, given), answer) if own is None else own(beliefs, given, answer)


def loss_named(name: LossName) -> Loss:
    """The loss of end-to-end training by its name in `Training.loss`."""
    return {"own": end_to_end, "likelihood": by_likelihood, "bce": by_bits}[name]


def by_likelihood(network: Network, batch: Batch) -> Float[Tensor, " batch"]:
    """The negative log-likelihood of the answer under what the solver completes, in nats."""
    return answer_nll(network.solver(network.beliefs(batch), batch.given), batch.answer)


def by_bits(network: Network, batch: Batch) -> Float[Tensor, " batch"]:
    """Binary cross-entropy over the symbols of the variables that have an answer, in nats."""
    bits = MARGIN + (1 - 2 * MARGIN) * network.solver(network.beliefs(batch), batch.given)
    right = nn.functional.one_hot(batch.answer.clamp_min(0), bits.shape[-1]).bool()
    asked = (batch.answer >= 0).unsqueeze(-1) & network.legal
    return -torch.where(asked, torch.where(right, bits, 1 - bits).log(), 0).sum((1, 2))


def end_to_end(network: Network, batch: Batch) -> Float[Tensor, " batch"]:
    """The loss of the solver on what perception reads."""
    return solver_loss(network.solver, network.beliefs(batch), batch.given, batch.answer)


def orders(
    size: int, epochs: int, batch: int, generator: torch.Generator
) -> Iterator[list[Int[Tensor, " rows"]]]:
    """The batches of each epoch: every puzzle once, in a fresh order."""
    for _ in range(epochs):
        yield list(torch.randperm(size, generator=generator).split(batch))


def optimiser_for(
    network: Network, training: Training, method: Method | None = None
) -> torch.optim.Optimizer:
    """Adam with a learning rate for perception, one for the solver, and one for a method's own weights."""
    rate = training.solver_rate or getattr(network.solver, "learning_rate", 1e-3)
    perception_rate = training.perception_rate or getattr(network.solver, "perception_rate", 1e-3)
    groups: list[dict[str, Any]] = [
        {
            "params": list(network.perception.parameters()),
            "lr": perception_rate,
        },
        {"params": [p for p in network.solver.parameters() if p.requires_grad], "lr": rate},
    ]
    if method is not None:
        groups.append({"params": list(method.parameters()), "lr": method.rate})
    return torch.optim.Adam([group for group in groups if group["params"]])


@dataclass
class TrainingState:
    """A training between two epochs: the network, and all that goes on with it.

    Of the network, and of a method of training, it is parameters, persistent buffers and extra state; of
    torch its global generators, that of the CPU and that of a network's CUDA device. Python's and NumPy's are
    left out: a trial never seeds them.
    """

    network: Network
    optimiser: torch.optim.Optimizer
    order: torch.Generator  # draws the order of the puzzles
    epoch: int = 0  # that ended
    method: Method | None = None

    def as_dict(self) -> dict[str, Any]:
        """In tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "order": self.order.get_state(),
            "drawn": [torch.get_rng_state(), *self._drawn_there()],
            "epoch": self.epoch,
            "method": {} if self.method is None else self.method.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Takes up what `as_dict` held. What it raises leaves this state unusable."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.order.set_state(state["order"])
        self.epoch = state["epoch"]
        if self.method is not None:
            self.method.load_state_dict(state["method"])
        drawn, *drawn_there = state["drawn"]
        torch.set_rng_state(drawn)
        for there in drawn_there:
            torch.cuda.set_rng_state(there, self.network.legal.device)

    def _drawn_there(self) -> list[Tensor]:
        device = self.network.legal.device
        return [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []


def train(
    network: Network,
    examples: Examples,
    training: Training,
    generator: torch.Generator,
    *,
    loss: Loss = end_to_end,
    after_epoch: Callable[[Progress], None] = lambda _: None,
    optimiser: torch.optim.Optimizer | None = None,
    ended: int = 0,
) -> None:
    """Spends the training budget, telling `after_epoch` of each epoch that ends.

    Where so many epochs `ended` before, it goes on with the next, with their `optimiser` and `generator`.

    Rows whose loss is NaN are rows the solver could not solve: they are left out of the step. A step
    without a solved row, or whose gradient is not finite, is skipped and counted. So is, apart, a step on
    images from which perception gets no gradient: a solver may have switched gradients off.
    """
    optimiser = optimiser or optimiser_for(network, training)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    device = examples.given.device
    left = orders(len(examples), training.epochs - ended, training.batch, generator)
    sides = {
        "perception": list(network.perception.parameters()), "solver": list(network.solver.parameters())
    }  # fmt: skip
    network.keeps_logits = training.information > 0
    network.precision = training.precision
    network.temperature = training.temperature_at(ended / training.epochs)
    for epoch, batches in enumerate(left, ended + 1):
        network.train()
        network.belief_gradients.clear()
        total, solved_rows, skipped, no_gradient = 0.0, 0, 0, 0
        network.recorder = recorder = Recorder(network.perception, network.solver, len(batches))
        for step, rows in enumerate(batches):
            share = (epoch - 1 + step / len(batches)) / training.epochs
            network.temperature = training.temperature_at(share)
            recorder.begin(rows)
            batch = examples.batch(rows.to(device))
            if revealed := training.revealed_at(share):
                batch = give_more(batch, revealed, generator)
            losses = loss(network, batch)
            solved = losses[~losses.isnan()]
            if len(solved):
                mean = objective = solved.mean()
                if (weight := training.information_at(share)) and network.logits is not None:
                    objective = mean + weight * uncertainty(
                        network.logits, network.interface, network.temperature, training.balance
                    )
                optimiser.zero_grad()
                if objective.requires_grad:  # else nothing is there to train: exact rules on true symbols
                    objective.backward()
                no_gradient += bool(len(batch.images)) and not _any_gradient(network.perception)
                total += float(mean.detach()) * len(solved)
                solved_rows += len(solved)
            if len(solved) and _finite(parameters):
                for side in training.waiting(epoch):
                    for parameter in sides[side]:
                        parameter.grad = None
                if training.clip is not None:
                    for part in sides.values():
                        nn.utils.clip_grad_norm_(part, training.clip)
                recorder.before_step()
                optimiser.step()
                recorder.after_step()
            else:
                skipped += 1
        network.temperature = training.temperature_at(epoch / training.epochs)
        network.logits = None
        mean_loss = total / solved_rows if solved_rows else math.nan
        belief_gradients = (
            float(torch.stack(network.belief_gradients).mean()) if network.belief_gradients else None
        )
        steps = len(batches)
        network.recorder = None
        shares = skipped / steps, belief_gradients, no_gradient / steps
        after_epoch(Progress(epoch, mean_loss, *shares, recorder.recorded))


def _any_gradient(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def _finite(parameters: list[nn.Parameter]) -> bool:
    gradients = [p.grad for p in parameters if p.grad is not None]
    # One sum instead of a look at every entry: it is finite unless an entry, or their scale, is not.
    return all(bool(torch.isfinite(gradient.sum())) for gradient in gradients)
