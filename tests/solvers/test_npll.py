import numpy as np
import pytest
import torch

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.npll import ENPLL

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
    solver = ENPLL(FRAME, **options).double()
    with torch.no_grad():
        solver.unsymmetric.copy_(torch.randn(9, 9, dtype=torch.float64))
    return solver


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
    assert 0.2 < float(kept.double().mean(0).min())
    together = solver.loss(*parts)
    alone = torch.cat([solver.loss(*(part[n : n + 1] for part in parts)) for n in range(20)])
    assert torch.allclose(together[:20], alone)
    assert not torch.allclose(together, built(kept=1.0).loss(*parts))


def test_with_the_costs_of_sudoku_it_solves_sudoku():
    task = Sudoku()
    problem = task.problem
    solver = ENPLL(problem.without_rules())
    with torch.no_grad():
        solver.unsymmetric.zero_()
        for clause in problem.rules.clauses:
            if len(clause) == 2:
                cells = [literal_cell(problem, literal) for literal in clause]
                solver.unsymmetric[cells[0], cells[1]] = 6.0
    puzzles = task.generate("test", 60, 0)
    solution = torch.from_numpy(puzzles.solution.astype(np.int64))
    given = torch.from_numpy(puzzles.given.copy())
    beliefs = torch.where(given.unsqueeze(-1), torch.eye(4)[solution], torch.full((4,), 0.25))
    assert torch.equal(solver(beliefs, given).argmax(-1), solution)


def literal_cell(problem, literal):
    variable, symbol = problem.meaning(literal)
    return variable * problem.symbols + symbol


@pytest.mark.parametrize("options", [{"kept": 0.0}, {"kept": 1.5}, {"penalty": -1.0}, {"steps": 0}])
def test_options_that_cannot_be_meant_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        ENPLL(FRAME, **options)
