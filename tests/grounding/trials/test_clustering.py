"""Symbols from images alone."""

from pathlib import Path

import numpy as np
import torch

from groundcheck.datasets.images import load_images
from groundcheck.grounding.measures.metrics import (
    best_relabelling,
    confusion_matrix,
    grounding_accuracy,
    relabel,
)
from groundcheck.grounding.perception.lenet import LeNet
from groundcheck.grounding.trials.clustering import discover_symbols, distorted, first_clusters


def aligned(true, read, symbols):
    confusion = confusion_matrix(true, read, symbols)
    return grounding_accuracy(relabel(confusion, best_relabelling(confusion)))


def test_ones_and_zeros_are_told_apart_without_labels():
    bank = load_images("digits", Path(), download=False).bank("train")
    rows = np.flatnonzero(np.isin(bank.labels, (0, 1)))
    images, true = bank.gallery.gather(torch.from_numpy(rows)), bank.labels[rows].astype(np.int64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        perception = LeNet((1, 28, 28), 2)
        discover_symbols(perception, images, 2, torch.Generator().manual_seed(0), epochs=8)
    with torch.no_grad():
        read = perception(images).argmax(-1).numpy()
    assert aligned(true, read, 2) > 0.97


def test_first_clusters_are_found_among_few_images():
    rng = np.random.default_rng(0)
    true = np.arange(12) % 3
    images = rng.normal(size=(12, 50)) + 20 * np.eye(50)[true]
    assert aligned(true, first_clusters(images, 3).astype(np.int64), 3) == 1


def test_distortion_repeats_with_its_generator_and_stays_in_range():
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    first, second = (distorted(images, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.allclose(first, images)
    assert 0 <= first.min() <= first.max() <= 1
