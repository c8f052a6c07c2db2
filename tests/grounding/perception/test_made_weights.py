"""Perceptions whose weights are shared or generated: what passes through them at first, what is refused."""

from typing import Any

import pytest
import torch
from torch import nn

from groundcheck.datasets.errors import UsageError
from groundcheck.grounding.perception.hashed import HASHES, HashedLinear
from groundcheck.grounding.perception.hypernetwork import GeneratedLinear
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.suite.settings import apply_perception_settings

WIDTH = 256


def layer(name: str, inputs: int = 784) -> Any:
    if name == "generated":
        return GeneratedLinear(inputs, WIDTH, 16, 64)
    return HashedLinear(inputs, WIDTH, 8.0, name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*HASHES, "generated"])
def test_initial_weights_have_the_variance_of_weights_drawn_one_by_one(name: str) -> None:
    torch.manual_seed(0)
    drawn = torch.stack([layer(name).weight.detach() for _ in range(20)])
    assert float(drawn.mean()) == pytest.approx(0.0, abs=2e-3)
    assert float(drawn.var()) == pytest.approx(2 / 784, rel=0.1)


@pytest.mark.parametrize("name", ["modular", "balanced", "generated"])
@torch.no_grad()
def test_what_passes_through_four_layers_keeps_its_size_on_average_over_draws(name: str) -> None:
    """Single draws differ more than where each weight is drawn by itself, as fewer numbers are drawn."""
    torch.manual_seed(0)
    sizes = []
    for _ in range(60):
        read = torch.randn(32, 784)
        for inputs in (784, WIDTH, WIDTH, WIDTH):
            read = layer(name, inputs)(read).relu()
        sizes.append(float(read.square().mean()))
    error = float(torch.tensor(sizes).std()) / 60**0.5
    assert error < 0.3
    assert sum(sizes) / 60 == pytest.approx(1.0, abs=2 * error)


def test_a_generating_layer_that_is_drawn_as_a_layer_of_its_own_makes_weights_too_large() -> None:
    """What the scale of its last weights is for."""
    torch.manual_seed(0)
    made = GeneratedLinear(784, WIDTH, 16, 64)
    made.deviation = (2 / 64) ** 0.5
    assert float(made.weight.detach().var()) > 300 * 2 / 784


def test_hashes_are_balanced_and_deterministic_as_they_say() -> None:
    drawn = {}
    for name, chosen in HASHES.items():
        torch.manual_seed(0)
        first, second = chosen(32, 48, 48), chosen(32, 48, 48)
        counts = torch.bincount(first.flatten(), minlength=48)
        drawn[name] = (torch.equal(first, second), int(counts.max() - counts.min()))
    assert drawn["modular"] == (True, 0)
    assert drawn["balanced"] == (False, 0)
    assert not drawn["dirichlet"][0]
    assert drawn["dirichlet"][1] > 32
    row = HASHES["modular"](4, 40, 40)
    assert all(len(set(each.tolist())) == 40 for each in row)


def test_a_shared_weight_is_one_and_its_gradient_the_sum_over_its_places() -> None:
    torch.manual_seed(0)
    made = HashedLinear(6, 4, 3.0)
    weights = made.weight
    assert len(made.table) == 8
    assert torch.equal(weights.flatten()[:8], weights.flatten()[8:16])
    made(torch.ones(1, 6)).sum().backward()
    assert made.table.grad is not None
    assert torch.equal(made.table.grad, torch.full((8,), 3.0))


@pytest.mark.parametrize("name", ["hashed", "hypernetwork"])
def test_they_are_perceptions_of_ours_and_learn(name: str) -> None:
    torch.manual_seed(0)
    network = PerceptionSpec(name, {"hidden": 32}).build((1, 8, 8), 3)
    images, symbols = torch.rand(60, 1, 8, 8), torch.arange(60) % 3
    images[torch.arange(60), 0, symbols] += 1.0
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images), symbols).backward()
        optimiser.step()
    assert float((network(images).argmax(-1) == symbols).float().mean()) > 0.95


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        (
            "hashed",
            {"hidden": 0},
            "perception hashed takes hidden of 1 or more and layers of 0 or more: hidden=0",
        ),
        ("hashed", {"share": 0.5}, "takes a share of 1 or more weights to an entry: share=0.5"),
        ("hashed", {"share": float("inf")}, "takes a share of 1 or more weights to an entry: share=inf"),
        ("hashed", {"hash": "sha"}, "hash='sha': it is 'modular' or 'balanced' or 'dirichlet'"),
        (
            "hypernetwork",
            {"layers": -1},
            "perception hypernetwork takes hidden of 1 or more and layers of 0 or more: hidden=256",
        ),
        (
            "hypernetwork",
            {"generator": 0},
            "perception hypernetwork takes embedding and generator of 1 or more: embedding=16, generator=0",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, options: dict[str, Any], told: str) -> None:
    settings = {f"perception.{option}": value for option, value in options.items()}
    with pytest.raises(UsageError) as refused:
        apply_perception_settings(settings, PerceptionSpec(name))[1].build((1, 8, 8), 3)
    assert told in str(refused.value)
