import numpy as np
import pytest
import torch

from groundcheck.datasets.addition import Addition
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial
from groundcheck.solvers.abductive import Conditional
from groundcheck.solvers.acquired import Acquired
from groundcheck.solvers.rules.acquisition import acquire


def puzzles(task, size, seed=0):
    made = task.generate("train", size, seed)
    solution, given = torch.from_numpy(made.solution.astype(np.int64)), torch.from_numpy(made.given.copy())
    rng = torch.Generator().manual_seed(seed)
    beliefs = torch.rand(*solution.shape, task.problem.symbols, generator=rng) + 0.05
    return beliefs / beliefs.sum(-1, keepdim=True), given, solution.masked_fill(given, -1)


@pytest.fixture(scope="module")
def trained():
    task = Sudoku()
    solver = Acquired(task.problem.without_rules()).train()
    for part in zip(*(tensor.split(32) for tensor in puzzles(task, 320)), strict=True):
        solver.loss(*part)
    return solver.eval()


def test_before_any_evidence_it_answers_with_the_prior_and_says_so():
    solver = Acquired(Mapping(symbols=4).problem.without_rules()).train()
    beliefs = torch.tensor([[[0.7, 0.1, 0.1, 0.1], [0.25] * 4]])
    given = torch.tensor([[True, False]])
    assert torch.equal(solver(beliefs, given), torch.full((1, 2, 4), 0.25))
    assert solver.path == "prior: no rule was found in 0 different answers"
    assert not solver.informed
    solver.loss(beliefs, given, torch.tensor([[-1, 2]]))
    assert torch.allclose(solver(beliefs, given)[0, 1], torch.tensor([0.2, 0.2, 0.4, 0.2]))


def test_under_acquired_rules_it_is_the_likelihood_under_the_true_ones(trained):
    task = Sudoku()
    beliefs, given, answer = puzzles(task, 20, seed=5)
    exact = Conditional(task.problem)
    assert torch.allclose(trained.loss(beliefs, given, answer), exact.loss(beliefs, given, answer))
    assert torch.equal(trained(beliefs, given), exact(beliefs, given))
    assert trained.informed
    assert trained.path == "56 rules acquired from 320 different answers"


def test_an_answer_counts_once_however_often_it_is_repeated(trained):
    solver = Acquired(Sudoku().problem.without_rules()).train()
    part = puzzles(Sudoku(), 16)
    for _ in range(40):
        solver.loss(*part)
    assert int(solver.together.diagonal().sum()) == int((part[2] >= 0).sum())
    assert solver.learned_rules == []


def test_when_answers_repeat_rules_rest_on_all_of_them():
    solver = Acquired(Sudoku().problem.without_rules()).train()
    answers = puzzles(Sudoku(), 200)
    for row in range(200):
        solver.loss(*(part[row : row + 1] for part in answers))
    assert solver._acquired_from < 200
    solver.loss(*(part[:1] for part in answers))
    assert solver._acquired_from == len(solver._counted)
    assert solver.learned_rules == acquire(solver.problem, solver.together.numpy())


def test_while_there_are_no_rules_perception_is_left_alone():
    solver = Acquired(Sudoku().problem.without_rules()).train()
    beliefs, given, answer = puzzles(Sudoku(), 8)
    losses = solver.loss(beliefs.requires_grad_(), given, answer)
    assert not losses.requires_grad
    assert torch.allclose(losses, (answer >= 0).sum(-1) * torch.tensor(4.0).log())


def test_evidence_against_a_rule_removes_it(trained):
    solver = Acquired(Sudoku().problem.without_rules()).train()
    solver.load_state_dict(trained.state_dict())
    assert len(solver.learned_rules) == 56
    broken = torch.full((1, 16), -1)
    broken[0, :2] = 3
    solver.loss(torch.full((1, 16, 4), 0.25), broken < 0, broken)
    rules = {(rule.first, rule.second) for rule in solver.learned_rules}
    assert (len(rules), (0, 1) in rules) == (55, False)


def test_an_answer_may_contradict_several_rules_at_once(trained):
    """Three cells of a row are the same."""
    solver = Acquired(Sudoku().problem.without_rules()).train()
    solver.load_state_dict(trained.state_dict())
    broken = torch.full((1, 16), -1)
    broken[0, :3] = 3
    solver.loss(torch.full((1, 16, 4), 0.25), broken < 0, broken)
    assert len(solver.learned_rules) == 53
    assert not {(0, 1), (0, 2), (1, 2)} & {(rule.first, rule.second) for rule in solver.learned_rules}


def test_rules_that_leave_no_solution_are_told_and_not_gone_by():
    """Three variables of two symbols, of which any two are answered, and differ; six more are free."""
    problem = Problem(tuple("abcdefghi"), (2,) * 9)
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 2, (300, 9))
    for row in answers:
        hidden = rng.integers(3)
        one, other = (place for place in range(3) if place != hidden)
        row[other], row[hidden] = 1 - row[one], -1
    solver = Acquired(problem).train()
    answer = torch.from_numpy(answers)
    beliefs = torch.full((300, 9, 2), 0.5)
    for part in zip(beliefs.split(50), (answer < 0).split(50), answer.split(50), strict=True):
        assert solver.loss(*part).isfinite().all()
    assert [rule.written(problem) for rule in solver.learned_rules] == ["a ≠ b", "a ≠ c", "b ≠ c"]
    assert "3 rules acquired from" in solver.path
    assert solver.path.startswith("prior: ")
    assert solver.path.endswith("leave no solution")
    assert not solver.informed
    assert solver(beliefs, answer < 0).isfinite().all()


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_in_a_trial_wrong_answers_do_not_hide_the_rules(share):
    trial = Trial(
        task=Sudoku(seen="symbols"), solver=SolverSpec("acquired"), role="reasoning", seed=0,
        training=Training(puzzles=600, epochs=2, wrong_answers=share),
        validation_puzzles=10, test_puzzles=50,
    )  # fmt: skip
    outcome = run_trial(trial)
    assert outcome.error is None
    assert outcome.rules is not None
    assert len(outcome.rules) == 56
    assert (sum(rule.broken for rule in outcome.rules) > 20) == (share > 0)
    assert outcome.scores is not None
    assert outcome.scores.task == 1.0


def test_what_it_goes_by_moves_with_it(trained):
    solver = Acquired(Sudoku().problem.without_rules())
    solver.load_state_dict(trained.state_dict())
    solver.to("meta")
    assert {part.device.type for part in solver._reasoners[0].buffers()} == {"meta"}


def test_state_holds_what_was_learned(trained):
    fresh = Acquired(Sudoku().problem.without_rules())
    fresh.load_state_dict(trained.state_dict())
    assert (fresh.path, fresh.learned_rules) == (trained.path, trained.learned_rules)
    beliefs, given, _ = puzzles(Sudoku(), 20, seed=6)
    assert torch.equal(fresh(beliefs, given), trained(beliefs, given))
    counted = int(fresh.together.diagonal().sum())
    fresh.train().loss(*puzzles(Sudoku(), 320))  # all of them seen before
    assert int(fresh.together.diagonal().sum()) == counted


def test_one_that_is_taken_up_again_seeks_rules_when_the_other_does(trained):
    def fed(solver, first, last):
        for row in range(first, last):
            solver.loss(*(part[row : row + 1] for part in answers))
            rested.append((solver._acquired_from, len(solver.learned_rules)))
        return solver

    answers = puzzles(Sudoku(), 200)
    rested: list[tuple[int, int]] = []
    whole = fed(Acquired(Sudoku().problem.without_rules()).train(), 0, 200)
    expected, rested[:] = list(rested), []
    half = fed(Acquired(Sudoku().problem.without_rules()).train(), 0, 130)
    resumed = Acquired(Sudoku().problem.without_rules()).train()
    resumed.load_state_dict(half.state_dict())
    assert half._acquired_from < 130  # so that the rules of now would be others than those that are kept
    fed(resumed, 130, 200)
    assert rested == expected
    assert resumed.learned_rules == whole.learned_rules
    assert resumed.learned_rules


@pytest.mark.parametrize(
    ("task", "path"),
    [
        (Mapping(), "prior: no rule was found in 10 different answers, none of two variables"),
        (Addition(), "prior: no rule was found in 19 different answers, too few to tell"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_pairs_cannot_express_is_not_guessed(task, path):
    solver = Acquired(task.drawn(0).problem.without_rules()).train()
    solver.loss(*puzzles(task.drawn(0), 500))
    assert solver.learned_rules == []
    assert solver.path == path


def test_it_says_where_answers_are_too_few():
    solver = Acquired(Sudoku().problem.without_rules()).train()
    solver.loss(*puzzles(Sudoku(), 20))
    assert solver.path == "prior: no rule was found in 20 different answers, too few to tell"
