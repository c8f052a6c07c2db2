"""What a solver knows before it was trained: the bounds of its answers."""

import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.subject import Subject, run_forward
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.solvers.neural import MLP

SUBJECT = Subject(SolverSpec.of(MLP), Mapping(symbols=4))
with torch.random.fork_rng():
    torch.manual_seed(0)
    ONE = MLP(SUBJECT.problem.without_rules(), hidden=12)


def shares(subject: Subject, builds: int = 5) -> list[float]:
    sample = subject.sample(100, seed=2, certain=True)
    answers = [run_forward(subject.build(seed=100 + seed), sample).argmax(-1) for seed in range(builds)]
    return [float((a == sample.answer)[~sample.given].double().mean()) for a in answers]


def test_the_bound_is_chance_and_a_tenth_and_three_standard_errors_over_the_seeds() -> None:
    found = contract["untrained"].run(SUBJECT)
    told = re.search(r"\(chance ([\d.]+)\), and prefers", found.reason)
    assert told
    assert found.bound is not None
    beyond = found.bound - float(told[1]) - 0.1
    assert beyond == pytest.approx(3 * np.std(shares(SUBJECT), ddof=1) / 5**0.5, abs=0.006)
    assert beyond > 0.05
    assert found.figure == pytest.approx(np.mean(shares(SUBJECT)))


def cached(problem: object) -> nn.Module:
    return ONE


def test_one_model_for_all_seeds_is_held_against_other_rules_and_never_trained_itself() -> None:
    subject = Subject(SolverSpec.of(cached), Mapping(symbols=4))
    before = [p.clone() for p in ONE.parameters()]
    assert len(set(shares(subject))) == 1
    found = contract["untrained"].run(subject)
    assert found.status == "pass"
    assert found.bound is not None
    chance = float(re.findall(r"chance ([\d.]+)", found.reason)[0])
    assert found.bound > chance + 0.1 + 0.03  # no spread over seeds, and yet one over other rules
    assert contract["other-rules"].run(subject).status == "pass"
    assert all(map(torch.equal, ONE.parameters(), before))
    assert ONE.first.weight.dtype == torch.float32


class Unteachable(MLP):
    """Has a gradient, and nothing to learn from it."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return 1e-9 * super().loss(beliefs, given, answer).detach() + self.first.bias.sum() * given[:, 0]


def test_who_learns_nothing_of_the_task_in_a_few_steps_is_not_asked_for_other_rules() -> None:
    found = contract["other-rules"].run(Subject(SolverSpec.of(Unteachable), Mapping(symbols=4)))
    told = re.fullmatch(
        r"after 20 steps it answers ([\d.]+) of the queries \(chance ([\d.]+)\)", found.reason
    )
    assert told
    assert found.status == "pass"
    assert found.figure is not None
    assert found.figure <= 0.25
