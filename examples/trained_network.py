"""Trained elsewhere: groundcheck judge trained_network:network --task sudoku --rules given."""

from itertools import permutations, product

import torch
from torch.nn.functional import cross_entropy

from groundcheck.datasets import load_images

ROWS = list(permutations(range(4)))
GRIDS = torch.tensor([
    grid for grid in product(ROWS, repeat=4)
    if all(len({*column}) == 4 for column in zip(*grid, strict=True))
    and all(len({grid[r][c], grid[r][c + 1], grid[r + 1][c], grid[r + 1][c + 1]}) == 4
            for r in (0, 2) for c in (0, 2))
]).flatten(1)  # fmt: skip  # the 288 Sudokus of size 4


class Network(torch.nn.Module):
    """Reads digits 1 to 4, and answers with the mean of all grids, weighted by what it read."""

    def __init__(self):
        super().__init__()
        self.perception = torch.nn.Sequential(
            torch.nn.AvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(196, 64), torch.nn.ReLU(),
            torch.nn.Linear(64, 4), torch.nn.Softmax(-1),
        )  # fmt: skip

    def read(self, images):
        """(images, 1, 28, 28) in [0, 1] to beliefs about the symbols, (images, 4)."""
        return self.perception(images)

    def answer(self, images, place, given):
        """`place`, (puzzles, 16), names the image that stands in each cell, -1 where none does."""
        return self.complete(self.read(images)[place.clamp_min(0)], given)

    def complete(self, beliefs, given):
        """Beliefs about the givens, (puzzles, 16, 4), to beliefs about every cell."""
        logs = torch.where(given[..., None], beliefs.clamp_min(1e-9).log(), 0)
        choice = torch.nn.functional.one_hot(GRIDS, 4).to(logs.dtype)  # (grids, 16, 4)
        weight = torch.einsum("pvs,gvs->pg", logs, choice).softmax(-1)
        return torch.einsum("pg,gvs->pvs", weight, choice)


def network(epochs=20):
    """Trained with labels, on training images alone."""
    torch.manual_seed(0)
    trained, bank = Network(), load_images("digits").train
    rows = torch.from_numpy((bank.labels >= 1) & (bank.labels <= 4)).nonzero().flatten()
    images, labels = bank.gallery.gather(rows), torch.from_numpy(bank.labels)[rows] - 1
    optimiser = torch.optim.Adam(trained.parameters(), 2e-3)
    for _ in range(epochs):
        for part in torch.randperm(len(rows)).split(20):
            loss = cross_entropy(trained.read(images[part]).log(), labels[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return trained
