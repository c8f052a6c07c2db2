"""Learns to add digits from sums alone and writes what it predicts: python examples/plain_training.py."""

import numpy as np
import torch
from sklearn.datasets import load_digits

DIGITS = load_digits()
IMAGES, LABELS = torch.tensor(DIGITS.data / 16, dtype=torch.float32), torch.tensor(DIGITS.target)
TRAINING, TEST = torch.randperm(1797, generator=torch.Generator().manual_seed(0)).split([1200, 597])
SUMS = (torch.arange(10)[:, None] + torch.arange(10)).flatten()


def add(first, second):
    """Probabilities of both digits, (pairs, 10), to those of their sum, (pairs, 19)."""
    joint = (first[:, :, None] * second[:, None, :]).flatten(1)
    return torch.zeros(len(first), 19).index_add(1, SUMS, joint)


def train(seed, epochs, *, labelled=False):
    """A network from an image to ten logits, trained on sums; or, for the ceiling, on labels."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(epochs):
        for pairs in TRAINING[torch.randperm(len(TRAINING))].view(-1, 2).split(20):
            read, labels = net(IMAGES[pairs]).softmax(-1), LABELS[pairs]
            answer = add(read[:, 0], read[:, 1]).gather(1, labels.sum(1, keepdim=True))
            loss = -(read.gather(2, labels[..., None]) if labelled else answer).clamp_min(1e-9).log().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net


def main(folder=".", seeds=6, epochs=40):
    """Writes predictions0.npz, predictions1.npz, … and ceiling.npz."""
    for seed in range(seeds + 1):
        net = train(seed, epochs, labelled=seed == seeds)
        beliefs, true = net(IMAGES[TEST]).softmax(-1).detach(), LABELS[TEST]
        pairs = torch.randint(len(TEST), (300, 2), generator=torch.Generator().manual_seed(seed))
        answers = add(beliefs[pairs[:, 0]], beliefs[pairs[:, 1]]).argmax(-1, keepdim=True)
        np.savez(
            f"{folder}/predictions{seed}.npz" if seed < seeds else f"{folder}/ceiling.npz",
            true=true,  # the digit on each test image
            beliefs=beliefs,  # what was read of each
            image=torch.cat([pairs, torch.full((300, 1), -1)], 1),  # which images a sum is of
            given=np.tile([True, True, False], (300, 1)),
            solution=torch.cat([true[pairs], true[pairs].sum(1, keepdim=True)], 1),
            answers=torch.cat([true[pairs], answers], 1),  # at the givens nothing is looked at
        )


if __name__ == "__main__":
    main()
