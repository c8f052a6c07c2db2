"""What is measured at the interface, against codes and gradients that are known."""

import math

import numpy as np
import pytest
import torch

from groundcheck.grounding.measures.interface import (
    InterfaceRecord,
    Passed,
    consistency_of,
    cosine,
    entropy,
    mutual_information,
    naming_of,
    saturated,
    shares,
    spread_of,
    supervised_gradient,
    to_logits,
)

TRUE = np.arange(120) % 4
SYMBOLS = np.eye(4)


def test_information_is_confidence_and_balance_where_every_symbol_has_one_belief() -> None:
    sharp = SYMBOLS[TRUE]
    assert mutual_information(sharp, TRUE) == pytest.approx(math.log(4), abs=1e-4)
    assert mutual_information(np.full((120, 4), 0.25), TRUE) == pytest.approx(0.0, abs=1e-9)
    soft = 0.6 * SYMBOLS[TRUE] + 0.1
    balance, confidence = float(entropy(soft.mean(0))), float(entropy(soft).mean())
    assert mutual_information(soft, TRUE) == pytest.approx(balance - confidence)


def test_a_code_in_two_symbols_is_decoded_and_not_read() -> None:
    """Symbols 0 and 1 share their largest entry, and the second largest tells them apart."""
    codes = np.array([[0.7, 0.0, 0.3, 0.0], [0.7, 0.3, 0.0, 0.0], [0, 0, 1, 0], [0, 0, 0, 1]])
    decoded, spread = spread_of(codes[TRUE], TRUE)
    assert (decoded, spread) == (1.0, 0.25)


def test_merged_symbols_are_not_decoded_either() -> None:
    merged = SYMBOLS[np.array([0, 0, 2, 3])][TRUE]
    decoded, spread = spread_of(merged, TRUE)
    assert decoded == 0.75
    assert spread == 0.0


def test_a_millionth_is_no_code() -> None:
    codes = SYMBOLS[np.array([0, 0, 2, 3])] + 1e-6 * SYMBOLS[np.array([1, 2, 3, 1])]
    assert spread_of(codes[TRUE], TRUE)[1] == 0.0


def test_saturated_is_what_hardly_moves() -> None:
    assert saturated(np.array([[1.0, 0.0], [0.995, 0.005], [0.98, 0.02], [0.5, 0.5]])) == 0.5


def test_shares_of_a_sigmoid_sum_to_one() -> None:
    assert shares(np.array([[0.9, 0.9], [0.0, 0.0]])).tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("interface", ["softmax", "sigmoid"])
def test_a_gradient_reaches_the_logits_as_autograd_says(interface: str) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    beliefs = logits.softmax(-1) if interface == "softmax" else logits.sigmoid()
    gradient = torch.randn(6, 4, generator=rng, dtype=torch.float64)
    beliefs.backward(gradient)
    assert logits.grad is not None
    found = to_logits(beliefs.detach().numpy(), gradient.numpy(), interface)
    np.testing.assert_allclose(found, logits.grad.numpy())


def test_the_supervised_gradient_is_that_of_cross_entropy() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logits.requires_grad_()
    named = np.array([0, 1, 2, 3, 0])
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(named), reduction="sum").backward()
    assert logits.grad is not None
    found = supervised_gradient(logits.detach().softmax(-1).numpy(), named)
    np.testing.assert_allclose(found, logits.grad.numpy(), atol=1e-12)


def test_the_naming_makes_most_readings_right() -> None:
    assert naming_of(np.array([2, 0, 1])[TRUE % 3], TRUE % 3, 3).tolist() == [2, 0, 1]


def test_batches_that_say_the_same_agree() -> None:
    step = np.repeat([0, 1], 60)
    beliefs = 0.6 * SYMBOLS[TRUE] + 0.1
    where = np.zeros(120, dtype=np.int64)
    push = np.random.default_rng(0).normal(size=(4, 4))[TRUE]
    same = Passed(step, where, where, beliefs, push)
    assert consistency_of(same, push) == pytest.approx(1.0)
    turned = np.where(step[:, None] == 1, -push, push)
    assert consistency_of(same, turned) == pytest.approx(-1.0)
    alone = Passed(np.zeros(120, dtype=np.int64), where, where, beliefs, push)
    assert consistency_of(alone, push) is None


def test_what_is_no_number_is_no_measurement() -> None:
    assert InterfaceRecord(supervised=math.nan, strength=math.inf, steps=3) == InterfaceRecord(steps=3)
    assert cosine(np.zeros(3), np.ones(3)) is None
