"""What checks feed a solver with, and how they compare what comes back."""

import itertools
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks.contract import subject as subject_module
from groundcheck.grounding.checks.contract.claim_checks import enumerated_posterior
from groundcheck.grounding.checks.contract.foreknowledge_checks import _guessing
from groundcheck.grounding.checks.contract.random_problem import random_beliefs, random_problem
from groundcheck.grounding.checks.contract.subject import Subject, distance, row_losses, run_forward
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.neural import MLP

INF, NAN = torch.inf, torch.nan


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.5, 4.0], 2.0),
        ([NAN, 2.0], [NAN, 2.25], 0.25),
        ([NAN, 2.0], [1.0, 2.0], INF),
        ([1.0, 2.0], [1.0, NAN], INF),
        ([INF, 2.0], [INF, 2.5], 0.5),
        ([INF, 2.0], [-INF, 2.0], INF),
        ([], [], 0.0),
        ([1.0], [3.0], 2.0),
    ],
)
def test_distance(one: list[float], other: list[float], apart: float) -> None:
    assert distance(torch.tensor(one), torch.tensor(other)) == apart


def subject(task=None, solver: type = MLP) -> Subject:
    return Subject(SolverSpec.of(solver), task or Sudoku())


@pytest.mark.parametrize("name", ["sudoku", "addition", "mapping"])
def test_samples_hold_distributions_that_rule_nothing_out(name: str) -> None:
    task = TASKS.load(name)().drawn(0)
    examined = subject(task)
    sample = examined.sample(30, seed=1)
    legal = torch.from_numpy(task.problem.legal)
    uniform = legal / legal.sum(-1, keepdim=True)
    puzzles = task.generate("validation", 30, 1)
    assert torch.equal(sample.given, torch.from_numpy(puzzles.given))
    assert torch.allclose(sample.beliefs.sum(-1), torch.ones(()))
    assert (sample.beliefs >= 0.1 * uniform - 1e-6).all()
    assert (sample.beliefs[~legal.expand_as(sample.beliefs)] == 0).all()
    queries = ~sample.given
    assert torch.allclose(sample.beliefs[queries], uniform.float().expand_as(sample.beliefs)[queries])
    assert (sample.answer[sample.given] == -1).all()
    solution = torch.from_numpy(puzzles.solution.astype(np.int64))
    assert torch.equal(sample.answer[queries], solution[queries])
    assert len(sample.beliefs[sample.given].unique(dim=0)) > 20  # every given has beliefs of its own
    certain = examined.sample(30, seed=1, certain=True).beliefs[sample.given]
    assert torch.equal(certain.argmax(-1), solution[sample.given])
    assert set(certain.unique().tolist()) == {0.0, 1.0}


def test_samples_are_drawn_from_their_seed() -> None:
    examined = subject()
    assert torch.equal(examined.sample(4).beliefs, examined.sample(4).beliefs)
    assert not torch.equal(examined.sample(4).beliefs, examined.sample(4, seed=1).beliefs)
    assert len(examined.few.given) == 8


@pytest.mark.parametrize(
    ("task", "rows"), [(Mapping(symbols=4), 1000), (Sudoku(), 625), (Sudoku(size=9), 54)]
)
def test_a_large_sample_is_as_large_as_seconds_allow(task, rows: int) -> None:
    assert len(subject(task).many.given) == rows


def test_of_the_largest_problems_a_few_rows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_module, "LARGE_SAMPLE_BELIEFS", 1)
    assert len(subject().many.given) == 16


def test_what_a_check_does_to_its_solver_no_other_sees() -> None:
    examined = subject()
    one = examined.solver()
    assert not one.training
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.zero_()
    assert any(p.any() for p in examined.solver().parameters())


class Uncopied(MLP):
    def __deepcopy__(self, memo: object) -> nn.Module:
        raise TypeError("holds a handle")


def test_what_cannot_be_copied_is_built_again() -> None:
    examined = subject(solver=Uncopied)
    one, other = examined.solver(), examined.solver()
    assert one is not other
    assert torch.equal(one.first.weight, other.first.weight)


def test_building_and_completing_leave_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    examined = subject()
    solver = examined.build(seed=4)
    run_forward(solver, examined.few)
    row_losses(solver, examined.few)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(solver.first.weight, examined.build(seed=4).first.weight)
    assert not torch.equal(solver.first.weight, examined.build(seed=5).first.weight)


class Tossing(MLP):
    """Draws from the global generator whenever it is asked."""

    def forward(self, beliefs, given):
        return super().forward(beliefs, given) * torch.rand(())


def test_every_call_starts_from_one_state_of_the_global_generator() -> None:
    examined = subject(solver=Tossing)
    for ask in (run_forward, row_losses):
        answers = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            answers.append(ask(examined.solver(), examined.few))
        assert torch.equal(*answers)


class Declares(MLP):
    rules: ClassVar = "given"
    exact: ClassVar = True
    deterministic: ClassVar = False
    surrogate: ClassVar = True


class NoWeights(nn.Module):
    rules: ClassVar = "given"

    def __init__(self, problem) -> None:
        super().__init__()

    def forward(self, beliefs, given):
        return beliefs


class OneWeight(NoWeights):
    def __init__(self, problem) -> None:
        super().__init__(problem)
        self.learned = nn.Parameter(torch.ones(()))
        self.kept = nn.Parameter(torch.ones(()), requires_grad=False)


class KeptWeight(NoWeights):
    def __init__(self, problem) -> None:
        super().__init__(problem)
        self.kept = nn.Parameter(torch.ones(()), requires_grad=False)


class Asymmetric(NoWeights):
    equivariant: ClassVar = False


def test_what_is_not_declared_is_taken_for_the_usual() -> None:
    quiet = Subject(SolverSpec.of(lambda problem: nn.Identity()), Sudoku())
    assert (quiet.rules, quiet.exact, quiet.deterministic, quiet.surrogate) == ("learned", False, True, False)
    said = subject(solver=Declares)
    assert (said.rules, said.exact, said.deterministic, said.surrogate) == ("given", True, False, True)


@pytest.mark.parametrize(
    ("solver", "must"),
    [
        (MLP, False),
        (Declares, False),
        (NoWeights, True),
        (OneWeight, False),
        (KeptWeight, True),
        (Asymmetric, False),
        (Exact, True),
    ],
)
def test_who_must_keep_the_symmetries_of_the_rules(solver: type, must: bool) -> None:
    assert subject(solver=solver).equivariant is must


@pytest.mark.parametrize("domains", [(2, 2, 2, 2), (3, 2, 4)])
def test_random_problems_allow_a_third_of_all_worlds_and_these_alone(domains: tuple[int, ...]) -> None:
    problem, worlds = random_problem(domains, 3)
    everything = list(itertools.product(*map(range, domains)))
    assert len(worlds) == len(everything) // 3
    assert {tuple(w.tolist()) for w in problem.solutions()} == set(worlds) < set(everything)
    assert random_problem(domains, 4)[1] != worlds
    sample = random_beliefs(problem, worlds, 3)
    assert sample.beliefs.dtype == torch.float64
    assert torch.allclose(sample.beliefs.sum(-1), torch.ones((), dtype=torch.float64))
    legal = torch.from_numpy(problem.legal).expand_as(sample.beliefs)
    assert ((sample.beliefs > 0) == legal).all()
    given = sample.given.sum(1)
    assert given.min() == 1
    assert given.max() == len(domains) - 1
    assert ((sample.answer == -1) == sample.given).all()
    for answer, known in zip(sample.answer.tolist(), sample.given.tolist(), strict=True):
        assert any(all(k or a == w for a, k, w in zip(answer, known, world, strict=True)) for world in worlds)


def test_the_posterior_that_exact_solvers_are_held_against() -> None:
    """Of 00, 01 and 11, with the first variable given at 0.25 and 0.75: 1/5, 1/5 and 3/5."""
    beliefs = torch.tensor([[[0.25, 0.75], [0.9, 0.1]]], dtype=torch.float64)
    found = enumerated_posterior(beliefs, torch.tensor([[True, False]]), ((0, 0), (0, 1), (1, 1)))
    assert found[0].tolist() == [[pytest.approx(0.4), pytest.approx(0.6)],
                                 [pytest.approx(0.2), pytest.approx(0.8)]]  # fmt: skip


def test_chance_is_the_best_constant_answer_or_a_uniform_guess() -> None:
    answer = torch.tensor([[0, 0], [0, 1], [0, 2], [1, 3]])
    counts = torch.tensor([[2, 4]]).expand(4, 2)
    asked = torch.ones(4, 2, dtype=torch.bool)
    assert _guessing(answer, counts, asked) == (3 + 1) / 8
    asked[0, 1] = asked[1, 1] = False
    assert _guessing(answer, counts, asked) == (3 + 1) / 6
    assert _guessing(torch.tensor([[0], [1]]), torch.tensor([[1], [1]]), torch.tensor([[True], [True]])) == 1
    assert _guessing(answer, counts, torch.zeros(4, 2, dtype=torch.bool)) == 0
    assert _guessing(torch.tensor([[3]]), torch.tensor([[4]]), torch.tensor([[True]])) == 1
