"""Boards per second of the solvers that search, on 9×9 Sudoku, and the share of time inside the search.

    python benchmarks/solvers.py [--boards 60] [--batch 20]

One training step each: loss and its gradient towards the beliefs, in one process with one thread. Beliefs are
those of a perception that has learnt nothing (noise) and of one that reads most images. The first pass over
the boards finds the worlds that agree with each answer; later epochs remember them.
"""

import argparse
import time

import numpy as np
import torch
from pysat.examples.rc2 import RC2
from pysat.formula import WCNF

from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers.catalogue import SOLVERS

SEARCHING = ("conditional", "abductive", "perturbed", "blackbox", "imle")
CONFIDENT = 4.0  # logit on top of unit noise: the true symbol of nine is the most likely in about 95 of 100


def main() -> None:
    """Prints one line per solver and kind of beliefs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=60)
    parser.add_argument("--batch", type=int, default=20)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    task = Sudoku(size=9)
    puzzles = task.generate("train", asked.boards, 0)
    solution = torch.from_numpy(puzzles.solution.astype(np.int64))
    given = torch.from_numpy(puzzles.given)
    answer = torch.where(given, -1, solution)
    noise = torch.randn(asked.boards, 81, 9, generator=torch.Generator().manual_seed(0))
    print(f"{asked.boards} boards of 9×9 with {puzzles.given.sum(1).mean():.1f} givens, one thread")
    print(f"{'solver':12} {'beliefs':8} {'first pass':>12} {'in search':>10} {'later':>12} {'in search':>10}")
    for name in SEARCHING:
        for kind, lift in (("noise", 0.0), ("reading", CONFIDENT)):
            logits = noise + lift * torch.nn.functional.one_hot(solution, 9)
            torch.manual_seed(0)
            solver = SOLVERS.load(name)(task.problem)
            figures: list[str] = []
            for _ in range(2):
                searched, started = solver.search.seconds, time.perf_counter()
                for rows in torch.arange(asked.boards).split(asked.batch):
                    part = logits[rows].clone().requires_grad_()
                    loss = solver.loss(part.softmax(-1), given[rows], answer[rows])
                    loss.nansum().backward()
                wall = time.perf_counter() - started
                inside = (solver.search.seconds - searched) / wall
                figures.append(f"{asked.boards / wall:8.0f} /s {inside:10.0%}")
            print(f"{name:12} {kind:8} {'  '.join(figures)}", flush=True)
    compare_with_maxsat(task, noise + CONFIDENT * torch.nn.functional.one_hot(solution, 9), puzzles.given)


def compare_with_maxsat(task: Sudoku, logits: torch.Tensor, given: np.ndarray, boards: int = 10) -> None:
    """The most likely world of the same boards by branch and bound and by RC2, rebuilt for each board."""
    solver = SOLVERS.load("abductive")(task.problem)
    weights = solver.weights(logits.softmax(-1), torch.from_numpy(given))[:boards].double().numpy()
    started = time.perf_counter()
    ours = [solver.search.heaviest(own, [-1] * 81, proven=True) for own in weights]
    middle = time.perf_counter()
    theirs = [maxsat(task, own) for own in weights]
    ended = time.perf_counter()
    rows, total = np.arange(81), [0.0, 0.0]
    proven = [i for i, world in enumerate(ours) if world is not None]
    for i in proven:
        total[0] += weights[i][rows, ours[i]].sum()
        total[1] += weights[i][rows, theirs[i]].sum()
    print(
        f"most likely world without the answer, {boards} boards: branch and bound {middle - started:.2f} s "
        f"({len(proven)} proven), RC2 {ended - middle:.2f} s; log-likelihoods {total[0]:.3f} "
        f"and {total[1]:.3f}"
    )


def maxsat(task: Sudoku, weights: np.ndarray) -> np.ndarray:
    """The same by python-sat's core-guided MaxSAT, weights in thousandths of a nat."""
    formula = WCNF()
    formula.extend(task.problem.rules.clauses)
    for v, k in np.argwhere(weights < 0).tolist():
        formula.append([-task.problem.literal(v, k)], weight=max(1, round(-1000 * weights[v, k])))
    with RC2(formula) as solver:
        return task.problem.decode(solver.compute())


if __name__ == "__main__":
    main()
