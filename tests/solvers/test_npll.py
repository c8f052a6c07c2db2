import copy

import numpy as np
import pytest
import torch

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.measures.acquired_rules import compare_rules
from groundcheck.solvers.npll import ENPLL, energy

FRAME = Problem(("x", "y", "z"), (2, 3, 3))


def rows(size=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    legal = torch.from_numpy(FRAME.legal).double()
    beliefs = (torch.rand(size, 3, 3, generator=rng, dtype=torch.float64) + 0.1) * legal
    given = torch.rand(size, 3, generator=rng) < 0.4
    given[:, 2] = False
    answer = torch.stack([torch.randint(n, (size,), generator=rng) for n in FRAME.domains], 1)
    return beliefs / beliefs.sum(-1, keepdim=True), given, answer.masked_fill(given, -1)


def built(seed=0, **options):
    torch.manual_seed(seed)
    solver = ENPLL(FRAME, **options).double().eval()
    with torch.no_grad():
        solver.between.normal_()
        solver.relation.normal_()
    return solver


def told_sudoku(task, cost=6.0):
    """Costs that say exactly what the rules of the task say."""
    problem = task.problem
    solver = ENPLL(problem.without_rules())
    with torch.no_grad():
        solver.between.zero_()
        solver.relation.zero_()
        solver.relation[0] = cost * torch.eye(problem.symbols)
        for clause in problem.rules.clauses:
            cells = [problem.meaning(literal) for literal in clause]
            if len(cells) == 2 and cells[0][0] != cells[1][0]:
                first, second = sorted(cell[0] for cell in cells)
                solver.between[0, first, second] = 2
    return solver


def shown(task, puzzles):
    """Beliefs that are sure of the givens, the givens, and the solutions."""
    solution = torch.from_numpy(puzzles.solution.astype(np.int64))
    given, symbols = torch.from_numpy(puzzles.given.copy()), task.problem.symbols
    hot = torch.eye(symbols)[solution]
    return torch.where(given.unsqueeze(-1), hot, torch.full((symbols,), 1 / symbols)), given, solution


def test_loss_is_the_pseudo_likelihood_worked_out_by_hand():
    solver, (beliefs, given, answer) = built(penalty=0.0), rows()
    costs = solver.costs.detach().view(3, 3, 3, 3)
    assert torch.equal(costs, costs.permute(2, 3, 0, 1))
    assert not costs[[0, 1, 2], :, [0, 1, 2]].any()
    for row, loss in enumerate(solver.loss(beliefs, given, answer).tolist()):
        total = 0.0
        for v in (v for v in range(3) if not given[row, v]):
            weight = []
            for a in range(FRAME.domains[v]):
                energy = 0.0
                for u in (u for u in range(3) if u != v):
                    known = beliefs[row, u] if given[row, u] else torch.eye(3).double()[answer[row, u]]
                    energy += float((known * costs[u, :, v, a]).sum())
                weight.append(np.exp(-energy))
            total -= np.log(weight[answer[row, v]] / sum(weight))
        assert loss == pytest.approx(total)


def test_the_penalty_is_on_every_cost_once_per_row():
    parts = rows()
    difference = built(penalty=0.1).loss(*parts) - built(penalty=0.0).loss(*parts)
    assert torch.allclose(difference, 0.1 * built().costs.abs().sum())


def test_which_variables_are_kept_depends_on_the_row_alone():
    parts = rows(40)
    solver = built(kept=0.5)
    boards = torch.randint(-1, 4, (500, 16), generator=torch.Generator().manual_seed(0))
    kept = ENPLL(Sudoku().problem, kept=0.3)._kept_of(boards)
    assert 0.25 < float(kept.double().mean()) < 0.35
    assert float(kept.double().mean(0).min()) > 0.2
    together = solver.loss(*parts)
    alone = torch.cat([solver.loss(*(part[n : n + 1] for part in parts)) for n in range(20)])
    assert torch.allclose(together[:20], alone)
    assert not torch.allclose(together, built(kept=1.0).loss(*parts))


def heard(solver, beliefs, given, answer):
    """Whether the loss of each row depends on what is believed of its givens."""
    beliefs = beliefs.clone().requires_grad_()
    (slope,) = torch.autograd.grad(solver.loss(beliefs, given, answer).sum(), beliefs)
    assert not slope[~given].any()
    return slope.flatten(1).any(1)


def untrained(**options):
    torch.manual_seed(0)
    return ENPLL(FRAME, **options).double()


def test_while_costs_rule_out_nothing_training_goes_by_answers_alone():
    beliefs, given, answer = rows(40)
    shows, several = given.any(1), (answer >= 0).sum(1) > 1
    solver = untrained()
    assert torch.equal(heard(solver, beliefs, given, answer), shows & ~several)
    assert (shows & several).any()
    solver.eval()
    assert torch.equal(heard(solver, beliefs, given, answer), shows)
    solver.train()
    with torch.no_grad():
        solver.between.fill_(1.0)
        solver.relation.fill_(1.0)  # something is ruled out: seen from the next step on, and for good
    heard(solver, beliefs, given, answer)
    assert torch.equal(heard(solver, beliefs, given, answer), shows)
    with torch.no_grad():
        solver.relation.mul_(0.01)
    assert torch.equal(heard(solver, beliefs, given, answer), shows)
    again = untrained()
    again.load_state_dict(solver.state_dict())
    assert torch.equal(heard(again, beliefs, given, answer), shows)


def test_after_enough_answers_givens_are_shown_whatever_costs_say():
    parts, solver = rows(40), untrained()
    several = (parts[2] >= 0).sum(1) > 1
    for _ in range(solver.evidence // 40):
        assert not heard(copy.deepcopy(solver), *parts)[several].any()
        solver.loss(*parts)
    assert torch.equal(heard(solver, *parts), parts[1].any(1))


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ([2.0, 1.9, 0.3, 0.2], 2),
        ([2.5, 1.0, 0.8, 0.45], 1),
        ([2.0, 1.3, 0.8, 0.45], 0),  # they fall off without a gap
        ([0.45, 0.0, 0.0, 0.0], 0),  # apart, and too little
    ],
)
def test_rules_are_told_where_they_stand_apart(costs, told):
    solver = ENPLL(FRAME)
    with torch.no_grad():
        solver.between.zero_()
        solver.relation.zero_()
        for place, cost in enumerate(costs):
            solver.between[place, 1, 2] = 2.0
            solver.relation[place, place // 3, place % 3] = cost
    found = solver.learned_rules
    assert [rule.pair for rule in found] == [(0, place) for place in range(told)]
    assert all((rule.first, rule.second) == (1, 2) for rule in found)


def test_what_it_goes_by_moves_with_it():
    task = Sudoku()
    solver = told_sudoku(task)
    beliefs, given, solution = shown(task, task.generate("test", 10, 0))
    assert torch.equal(solver(beliefs, given).argmax(-1), solution)
    solver.double()
    assert torch.equal(solver(beliefs.double(), given).argmax(-1), solution)
    solver.to("meta")
    assert {part.device.type for part in solver._reasoners[0].buffers()} == {"meta"}


@pytest.mark.parametrize(("size", "boards"), [(4, 60), (9, 5)])
def test_with_the_costs_of_sudoku_it_solves_sudoku(size, boards):
    task = Sudoku(size=size)
    solver = told_sudoku(task)
    beliefs, given, solution = shown(task, task.generate("test", boards, 0))
    assert torch.equal(solver(beliefs, given).argmax(-1), solution)


def test_what_costs_too_little_rules_nothing_out():
    task = Sudoku()
    assert told_sudoku(task, cost=0.4).learned_rules == []
    found = compare_rules(task.problem, told_sudoku(task).learned_rules)
    assert found.equivalent
    assert {rule.kind for rule in told_sudoku(task).learned_rules} == {"equal"}


def test_costs_that_leave_no_solution_are_answered_locally():
    solver = ENPLL(FRAME)
    with torch.no_grad():
        solver.between.fill_(1.0)
        solver.relation.fill_(1.0)  # every two symbols of two variables cost more than the bar
        solver.relation[:, 1, 1] = 0.6
    beliefs, given, _ = rows()
    answered = solver(beliefs.float(), given)
    assert solver._reasoners == []
    assert torch.isfinite(answered).all()
    assert (answered.sum(-1) - 1).abs().max() < 1e-5


def test_rules_under_which_a_world_is_hard_to_find_are_not_searched():
    """Ten variables of nine symbols, any two of them different: SAT takes hours to say no."""
    problem = Problem(tuple("abcdefghij"), (9,) * 10)
    solver = ENPLL(problem)
    with torch.no_grad():
        solver.between.fill_(1.0)
        solver.relation.zero_()
        solver.relation[0] = 5 * torch.eye(9)
    assert len(solver.learned_rules) == 45
    beliefs, given = torch.full((3, 10, 9), 1 / 9), torch.zeros(3, 10, dtype=torch.bool)
    given[:, 0] = True
    assert solver(beliefs, given).isfinite().all()
    assert solver._reasoners == []


def test_of_both_solvers_the_answer_that_costs_less_is_taken():
    solver, (beliefs, given, _) = built(seed=3), rows(40)
    answered, (exact,) = solver(beliefs, given), solver._reasoners
    world = exact.certain(exact.heaviest(exact.weights(beliefs, given)), beliefs)
    sure = (beliefs.clamp_min(1e-30).log() * given.unsqueeze(-1)).masked_fill(~solver.legal, -1e4)
    state = solver._annealed(sure, solver.costs)
    rounded = torch.nn.functional.one_hot(state.argmax(-1), 3).double()
    better = energy(world, sure, solver.costs) <= energy(rounded, sure, solver.costs)
    assert 0 < int(better.sum()) < len(better)
    taken = (answered == world).flatten(1).all(1)
    assert torch.equal(taken, better)
    assert torch.equal(
        answered[~better].argmax(-1)[~given[~better]], state[~better].argmax(-1)[~given[~better]]
    )


def test_three_hundred_boards_tell_the_rules():
    task = Sudoku(size=6)
    beliefs, given, solution = shown(task, task.generate("train", 300, 0))
    torch.manual_seed(0)
    solver = ENPLL(task.problem.without_rules())
    optimiser = torch.optim.Adam(solver.parameters(), lr=solver.learning_rate)
    order = torch.Generator().manual_seed(0)
    for _ in range(6):
        for part in torch.randperm(300, generator=order).split(16):
            optimiser.zero_grad()
            answer = solution[part].masked_fill(given[part], -1)
            solver.loss(beliefs[part], given[part], answer).mean().backward()
            optimiser.step()
    assert compare_rules(task.problem, solver.learned_rules).equivalent


@pytest.mark.parametrize(
    "options", [{"kept": 0.0}, {"kept": 1.5}, {"penalty": -1.0}, {"steps": 0}, {"relations": 0}]
)
def test_options_that_cannot_be_meant_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        ENPLL(FRAME, **options)
