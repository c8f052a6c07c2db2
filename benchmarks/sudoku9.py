"""Seconds per epoch of SATNet on 9×9 Sudoku at the size of Wang et al. 2019, without the images.

    python benchmarks/sudoku9.py [--boards 9000] [--threads 1]

9,000 boards of about 36 givens, m=600, 300 auxiliary bits, batches of 40, Adam with rate 2e-3, masked loss.
Boards are relabelled, turned and shuffled copies of one grid; the beliefs about the givens are those of a
sure reader (0.99 on the digit), with gradients to them, as a perception would want.
"""

import argparse
import time

import torch
from torch import Tensor, nn

from groundcheck.datasets.problem import Problem
from groundcheck.solvers.satnet import SATNet

SIDE, BATCH, GIVENS = 9, 40, 36


def boards(count: int, rng: torch.Generator) -> Tensor:
    """Valid grids: relabelled, with rows and columns shuffled inside their bands, and bands shuffled."""
    row = torch.arange(SIDE)
    grid = (row[:, None] * 3 + row[:, None] // 3 + row[None, :]) % SIDE

    def lines() -> Tensor:
        bands = torch.randperm(3, generator=rng)
        return torch.cat([3 * band + torch.randperm(3, generator=rng) for band in bands])

    return torch.stack(
        [torch.randperm(SIDE, generator=rng)[grid[lines()][:, lines()]].flatten() for _ in range(count)]
    )


def main() -> None:
    """Parses, trains an epoch, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--boards", type=int, default=9000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rng = torch.Generator().manual_seed(0)
    problem = Problem(tuple(f"cell {i}" for i in range(SIDE**2)), (SIDE,) * SIDE**2)
    layer = SATNet(problem, m=600, aux=300, generator=rng)
    optimiser = torch.optim.Adam(layer.parameters(), lr=layer.learning_rate)
    solution = boards(options.boards, rng)
    given = torch.rand(solution.shape, generator=rng).argsort(1) < GIVENS
    answer = torch.where(given, -1, solution)
    reader = nn.functional.one_hot(solution, SIDE) * 0.98875 + 0.00125
    layer(reader[:1], given[:1]).sum().backward()  # compiles
    begin, working, losses = time.perf_counter(), time.process_time(), []
    for rows in torch.arange(options.boards).split(BATCH):
        beliefs = reader[rows].requires_grad_()  # as a perception would want
        loss = layer.loss(beliefs, given[rows], answer[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    taken, worked, steps = time.perf_counter() - begin, time.process_time() - working, len(losses)
    print(
        f"path {layer.path}, {options.threads} threads: {steps} steps of {BATCH} boards in {taken:.1f} s,"
        f" {worked:.1f} s of processor time ({1000 * worked / steps:.0f} ms each);"
        f" loss per board {losses[0]:.1f} at first, {sum(losses[-10:]) / 10:.1f} at last"
    )


if __name__ == "__main__":
    main()
