"""The ood images of a task that has no puzzles of its own for that split."""

import numpy as np
import torch

from groundcheck.datasets.addition import Addition
from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.slant import MAX_SLANT, MIN_SLANT, slanted


def test_an_upright_stroke_leans_by_the_angle_and_keeps_its_middle() -> None:
    stroke = np.zeros((40, 1, 28, 28), dtype=np.uint8)
    stroke[..., 4:24, 13:15] = 255
    leaning = slanted(torch.from_numpy(stroke))[:, 0].numpy().astype(float)
    columns = (leaning * np.arange(28)).sum(axis=2) / np.maximum(leaning.sum(axis=2), 1)
    angles = np.degrees(np.arctan((columns[:, 22] - columns[:, 5]) / (22 - 5)))
    assert (np.abs(angles) > MIN_SLANT - 0.5).all()
    assert (np.abs(angles) < MAX_SLANT + 0.5).all()
    assert 10 < (angles > 0).sum() < 30
    assert np.allclose(columns[:, 13:15].mean(axis=1), 13.5, atol=0.05)


def test_colours_lean_together_and_their_edge_is_repeated() -> None:
    pictures = np.random.default_rng(0).integers(1, 256, (6, 3, 20, 32), np.uint8)
    pictures[:, 1] = pictures[:, 0]
    leaning = slanted(torch.from_numpy(pictures)).numpy()
    assert np.array_equal(leaning[:, 1], leaning[:, 0])
    assert not np.array_equal(leaning[:, 2], leaning[:, 0])
    assert leaning.min() > 0  # nothing black came in
    assert slanted(torch.from_numpy(pictures[:, :1])).min() == 0


def test_only_a_task_without_puzzles_of_its_own_leans_and_only_out_of_distribution() -> None:
    images = load_images("digits")
    assert images.bank("ood", Addition.shift) is images.test
    assert images.bank("test", Mapping.shift) is images.test
    assert images.bank("train", Mapping.shift) is images.train
    bank = images.bank("ood", Mapping.shift)
    assert bank is images.leaning is not images.test
    assert np.array_equal(bank.labels, images.test.labels)
    known = {
        picture.tobytes()
        for part in (images.train, images.validation, images.test)
        for picture in part.gallery.pictures.numpy()
    }
    fresh = [picture.tobytes() not in known for picture in bank.gallery.pictures.numpy()]
    assert all(fresh)
