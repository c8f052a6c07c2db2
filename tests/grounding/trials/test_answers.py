"""What scoring asks of a network, within bounds of memory."""

from typing import Any

import numpy as np
import pytest
import torch

from groundcheck.datasets.images import load_images
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.trials import network as trials_network
from groundcheck.grounding.trials.answers import NetworkAnswers
from groundcheck.grounding.trials.network import build_network
from groundcheck.grounding.trials.scoring import make_evaluation_set
from groundcheck.grounding.trials.spec import SolverSpec


def test_images_are_read_some_at_a_time_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Sudoku()
    network = build_network(task, SolverSpec("mlp"), "softmax", seed=0)
    examples = make_evaluation_set(task, "test", 30, 0, load_images("digits")).examples
    answers = NetworkAnswers(network, {"test": examples})
    sizes: list[int] = []
    perceive = network.perception.forward

    def counted(images: torch.Tensor) -> Any:
        sizes.append(len(images))
        return perceive(images)

    monkeypatch.setattr(network.perception, "forward", counted)
    at_once = answers.predict("test"), answers.believe("test", 7)
    whole = max(sizes)
    sizes.clear()
    monkeypatch.setattr(trials_network, "IMAGES_AT_ONCE", 16)
    assert whole > 16
    for found, before in zip((answers.predict("test"), answers.believe("test", 7)), at_once, strict=True):
        np.testing.assert_allclose(found, before, rtol=1e-5, atol=1e-6)
    assert max(sizes) == 16
    sizes.clear()
    network.beliefs(examples.batch(slice(0, 30)))  # while it trains they are read at once
    assert sizes == [whole]
