"""What contract checks look at: a solver as it is built for a task, and beliefs to feed it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....datasets.problem import Problem
from ....datasets.task import Split, Task
from ...trials.answers import CHUNK
from ...trials.spec import SolverSpec
from ...trials.training import Training, solver_loss
from .global_state import kept_global_state

ROWS = 8  # puzzles that a check looks at
LARGE_SAMPLE_BELIEFS = 40_000  # beliefs in a large sample
MIN_LARGE_SAMPLE_ROWS, MAX_LARGE_SAMPLE_ROWS = (
    16,
    1000,
)  # its rows: 1000 miss what goes wrong on 1 % of them once in 23,000


@dataclass
class Sample:
    """Rows of beliefs with what is given in them and the answers at their queries."""

    beliefs: Tensor  # (rows, variables, symbols)
    given: Tensor  # (rows, variables)
    answer: Tensor  # (rows, variables), −1 at the givens

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Its three tensors."""
        return self.beliefs, self.given, self.answer

    def double(self) -> "Sample":
        """With float64 beliefs."""
        return Sample(self.beliefs.double(), self.given, self.answer)

    def rows(self, chosen: Any) -> "Sample":
        """Some of the rows, in that order."""
        return Sample(self.beliefs[chosen], self.given[chosen], self.answer[chosen])


@dataclass
class Subject:
    """A solver under examination: built afresh for each check, on the problem of a task."""

    spec: SolverSpec
    task: Task
    device: str = "cpu"
    batch: int = Training.batch  # rows that training hands the solver at once

    @cached_property
    def problem(self) -> Problem:
        """The problem of the task as the trial of seed 0 meets it."""
        return self._task.problem

    @cached_property
    def _task(self) -> Task:
        return self.task.drawn(seed=0)

    @cached_property
    def declared(self) -> Any:
        """The factory, which carries what the solver declares."""
        return self.spec.load()

    @property
    def rules(self) -> str:
        """`learned` or `given`; learned where nothing is declared."""
        return getattr(self.declared, "rules", "learned")

    @property
    def exact(self) -> bool:
        """Whether it claims the exact posterior."""
        return bool(getattr(self.declared, "exact", False))

    @property
    def deterministic(self) -> bool:
        """Whether it claims to draw no random numbers."""
        return bool(getattr(self.declared, "deterministic", True))

    @property
    def equivariant(self) -> bool:
        """Whether it claims to keep the symmetries of the rules. Where nothing is declared, whoever is given
        the rules and has no parameters must.
        """
        claimed = getattr(self.declared, "equivariant", None)
        if claimed is not None:
            return bool(claimed)
        return self.rules == "given" and not any(p.requires_grad for p in self.solver().parameters())

    @property
    def differs_in_training(self) -> bool:
        """Whether it says that forward or loss are others in training than in evaluation."""
        return bool(getattr(self.declared, "differs_in_training", False))

    @property
    def idle(self) -> tuple[str, ...]:
        """Parameters, or modules that hold some, which it says a task may leave unused."""
        return tuple(getattr(self.declared, "idle", ()))

    @property
    def surrogate(self) -> bool:
        """Whether it says that its gradient is not meant to be the derivative of its loss."""
        return bool(getattr(self.declared, "surrogate", False))

    @property
    def evidence(self) -> int:
        """Answers that it says it has to see before it can listen to beliefs."""
        return int(getattr(self.declared, "evidence", 0))

    @cached_property
    def blind(self) -> bool:
        """Whether it says that it found nothing to go by in the evidence that it asks for."""
        return self.evidence > 0 and not getattr(self._built, "informed", True)

    def build(self, seed: int = 0, problem: Problem | None = None, *, untrained: bool = False) -> nn.Module:
        """A new solver, for evaluation, with initial weights from `seed`.

        Where it declares that it needs `evidence` before it listens, it has seen as many answers of the
        training split (of a `problem` of its own: as many of its solutions), unless it is to be `untrained`.
        """
        with kept_global_state():  # contract/globals tells of one that changes it
            solver = self.build_freely(seed, problem)
            if self.evidence and not untrained:
                self._show_evidence(solver, problem)
            return solver

    @torch.no_grad()
    def _show_evidence(self, solver: nn.Module, problem: Problem | None) -> None:
        if problem is None:
            sample = self.sample(self.evidence, seed=6, split="train")
        else:
            sample = solutions_of(problem, self.evidence, self.device)
        training = solver.training
        solver.train()
        for start in range(0, self.evidence, self.batch):
            row_losses(solver, sample.rows(slice(start, start + self.batch)))
        solver.train(training)

    def build_freely(self, seed: int = 0, problem: Problem | None = None) -> nn.Module:
        """The same, and the process stays as building it leaves it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.spec.build(problem or self.problem).to(self.device).eval()

    @cached_property
    def _built(self) -> nn.Module:
        return self.build()

    def solver(self) -> nn.Module:
        """A solver that nothing else uses: what a check does to it, no other check sees."""
        try:
            return copy.deepcopy(self._built)
        except Exception:  # what cannot be copied is built again
            return self.build()

    @cached_property
    def few(self) -> Sample:
        """`ROWS` puzzles with fractional beliefs."""
        return self.sample(ROWS)

    @cached_property
    def as_trained(self) -> Sample:
        """As many puzzles as training hands the solver at once."""
        return self.sample(self.batch, seed=4)

    @cached_property
    def as_scored(self) -> Sample:
        """As many puzzles as scoring hands the solver at once."""
        return self.sample(CHUNK, seed=5)

    @property
    def samples(self) -> Mapping[str, Sample]:
        """Puzzles at each size that a solver meets, by what a reason calls it."""
        sized = (self.few, self.as_trained, self.as_scored)
        return {f"{len(sample.given)} rows": sample for sample in sized}

    @cached_property
    def many(self) -> Sample:
        """As many puzzles as are looked at within seconds, for what goes wrong rarely."""
        cells = len(self.problem.variables) * self.problem.symbols
        return self.sample(
            min(MAX_LARGE_SAMPLE_ROWS, max(MIN_LARGE_SAMPLE_ROWS, LARGE_SAMPLE_BELIEFS // cells))
        )

    @cached_property
    def many_completed(self) -> Tensor:
        """What a solver makes of them."""
        return run_forward(self.solver(), self.many)

    def sample(
        self, rows: int, *, seed: int = 0, certain: bool = False, split: Split = "validation"
    ) -> Sample:
        """Puzzles of a split. Beliefs at the givens are random, each at least a tenth of the
        uniform one; or, where `certain`, wholly the true symbol. At the queries they are uniform.
        """
        puzzles = self._task.generate(split, rows, seed)
        given = torch.from_numpy(puzzles.given.copy())
        solution = torch.from_numpy(puzzles.solution.astype(np.int64))
        legal = self.problem.legal
        uniform = legal / legal.sum(1, keepdims=True)
        if certain:
            hot: Any = np.eye(self.problem.symbols)[puzzles.solution]
        else:
            drawn = np.random.default_rng(seed).gamma(1.0, size=(*puzzles.given.shape, self.problem.symbols))
            drawn = drawn * legal
            hot = 0.9 * drawn / drawn.sum(-1, keepdims=True) + 0.1 * uniform
        beliefs = torch.from_numpy(np.where(puzzles.given[..., None], hot, uniform).astype(np.float32))
        answer = torch.where(given, -1, solution)
        return Sample(beliefs.to(self.device), given.to(self.device), answer.to(self.device))


def solutions_of(problem: Problem, rows: int, device: str) -> Sample:
    """Random solutions of a problem as answers, half of the variables of each given; beliefs are uniform."""
    rng = np.random.default_rng(0)
    worlds = np.array(list(problem.solutions()))
    solution = worlds[rng.integers(len(worlds), size=rows)]
    given = torch.from_numpy(rng.integers(2, size=solution.shape) == 1)
    legal = torch.from_numpy(problem.legal).float()
    beliefs = (legal / legal.sum(1, keepdim=True)).repeat(rows, 1, 1)
    answer = torch.where(given, -1, torch.from_numpy(solution.astype(np.int64)))
    return Sample(beliefs.to(device), given.to(device), answer.to(device))


@torch.no_grad()
def run_forward(solver: nn.Module, sample: Sample, seed: int = 0) -> Tensor:
    """Forward on copies of the inputs, from one state of the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return solver(sample.beliefs.clone(), sample.given.clone())


def row_losses(solver: nn.Module, sample: Sample, seed: int = 0) -> Tensor:
    """The training loss of every row, from one state of the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return solver_loss(solver, sample.beliefs, sample.given.clone(), sample.answer.clone())


def distance(one: Tensor, other: Tensor) -> float:
    """Largest difference; NaN or the same infinity in both is none, NaN in one of them is an infinite one."""
    if one.numel() == 0:
        return 0.0
    same = (one == other) | (one.isnan() & other.isnan())
    apart = torch.where(same, 0.0, (one.double() - other.double()).abs())
    return float(apart.nan_to_num(torch.inf, torch.inf).max())
