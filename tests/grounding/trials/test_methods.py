"""Ways of training with weights of their own: what they do to a batch, that they learn, and go on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from groundcheck.datasets.batch import Batch
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.results.run_directory import key_of
from groundcheck.grounding.suite.settings import apply_settings
from groundcheck.grounding.trials import checkpoint, run
from groundcheck.grounding.trials.method import Method
from groundcheck.grounding.trials.mixup import LossMixup, lay_over, pair_up
from groundcheck.grounding.trials.network import Network, build_network
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.sharing import SharedGradients, renamed, renaming
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import (
    METHODS,
    Training,
    end_to_end,
    method_of,
    optimiser_for,
    train,
)
from groundcheck.grounding.trials.trial import Trial

TINY = Trial(
    task=Mapping(symbols=3), solver=SolverSpec("mlp", {"hidden": 8}), role="grounding", seed=0,
    training=Training(puzzles=24, epochs=3, batch=8), perception=PerceptionSpec("mlp", {"hidden": 32}),
    validation_puzzles=10, test_puzzles=10,
)  # fmt: skip
EXAMPLES = LocalSession(TINY).training
STRENGTHS = {"mixup": 1.0, "sharing": 0.1}


def begun(name: str, **changed: Any) -> tuple[Network, Method]:
    training = replace(TINY.training, **{name: STRENGTHS[name]}, **changed)
    with torch.random.fork_rng():
        network = build_network(TINY.task, TINY.solver, "softmax", 0, TINY.perception)
    order = torch.Generator().manual_seed(0)
    method = method_of(training, end_to_end, network, len(EXAMPLES), order)
    assert method is not None
    train(network, EXAMPLES, training, order, loss=method, optimiser=optimiser_for(network, training, method))
    return network, method


def a_batch() -> Batch:
    return EXAMPLES.batch(torch.arange(8))


def fresh(name: str) -> tuple[Network, Method]:
    with torch.random.fork_rng():
        network = build_network(TINY.task, TINY.solver, "softmax", 0, TINY.perception)
    return network, METHODS[name](STRENGTHS[name], end_to_end, network, 8, torch.Generator().manual_seed(0))


def test_pairs_are_of_puzzles_that_show_the_same_variables() -> None:
    place = torch.tensor([[0, -1], [1, -1], [-1, 2], [-1, 3], [-1, 4], [5, 6]])
    given = place >= 0
    batch = Batch(torch.zeros(7, 1, 8, 8), place, torch.full((6, 2), -1), given, torch.where(given, -1, 0))
    for seed in range(5):
        partner = pair_up(batch, torch.Generator().manual_seed(seed))
        assert partner[:2].tolist() == [1, 0]
        assert sorted(partner[2:5].tolist()) == [2, 3, 4]
        assert all(int(partner[row]) != row for row in (2, 3, 4))
        assert int(partner[5]) == 5


def test_images_of_a_pair_are_laid_over_each_other_in_their_shares() -> None:
    batch = a_batch()
    partner, share = torch.arange(8).roll(1), torch.linspace(0, 1, 8)
    mixed, reduced = lay_over(batch, partner, share)
    own, other = batch.images[batch.place[:, 0]], batch.images[batch.place[partner, 0]]
    part = share.view(-1, 1, 1, 1)
    torch.testing.assert_close(mixed.images[mixed.place[:, 0]], part * own + (1 - part) * other)
    assert (mixed.place[:, 1] == -1).all()
    torch.testing.assert_close(reduced.mean(1), mixed.images.mean((1, 2, 3)))


def test_mixed_losses_begin_in_the_shares_of_the_images_and_a_pair_may_change_places() -> None:
    _, method = fresh("mixup")
    assert isinstance(method, LossMixup)
    reduced, share = torch.rand(5, 49), torch.linspace(0.1, 0.9, 5)
    torch.testing.assert_close(method.weight(reduced, share), share)
    with torch.no_grad():
        method.outward += torch.randn(16, generator=torch.Generator().manual_seed(0))
    weight = method.weight(reduced, share)
    assert not torch.allclose(weight[[0, 1, 3, 4]], share[[0, 1, 3, 4]], atol=1e-2)
    torch.testing.assert_close(method.weight(reduced, 1 - share), 1 - weight)


def test_a_mixed_loss_is_that_of_both_answers_under_the_weight_that_is_learned() -> None:
    network, method = fresh("mixup")
    batch = a_batch()
    losses = method(network, batch)
    drawn = torch.Generator().manual_seed(0)
    torch.randn(16, 50, generator=drawn)  # θ
    partner = pair_up(batch, drawn)
    seed = int(torch.randint(2**62, (1,), generator=drawn))
    share = torch.from_numpy(np.random.default_rng(seed).beta(1.0, 1.0, 8)).float()
    mixed, _ = lay_over(batch, partner, share)
    own, other = (
        end_to_end(network, replace(mixed, answer=a)) for a in (batch.answer, batch.answer[partner])
    )
    torch.testing.assert_close(losses, share * own + (1 - share) * other)
    assert not torch.allclose(own, other)
    losses.mean().backward()
    assert isinstance(method, LossMixup)
    assert method.outward.grad is not None
    assert bool(method.outward.grad.any())


def test_answers_are_renamed_one_to_one_within_the_symbols_of_a_variable() -> None:
    legal = torch.tensor([[True, True, True, True], [True, True, False, False], [True, True, True, True]])
    names = renaming(legal, torch.Generator().manual_seed(3))
    assert [sorted(row.tolist()) for row in names] == [[0, 1, 2, 3]] * 3
    assert sorted(names[1, :2].tolist()) == [0, 1]
    assert torch.equal(names[0], names[2])
    assert torch.equal(renaming(legal, None), torch.arange(4).expand(3, 4))
    answer = torch.tensor([[-1, 0, 3], [2, 1, -1]])
    batch = Batch(torch.zeros(0, 1, 8, 8), answer, answer, answer < 0, answer)
    found = renamed(batch, names).answer
    assert found.tolist() == [
        [-1, int(names[1, 0]), int(names[2, 3])], [int(names[0, 2]), int(names[1, 1]), -1]
    ]  # fmt: skip


def test_an_inner_step_leaves_the_weights_and_hands_on_the_gradients_at_those_it_came_to() -> None:
    """Written out task by task; the slopes of the coefficients by finite differences."""
    network, method = fresh("sharing")
    assert isinstance(method, SharedGradients)
    batch = a_batch()
    names = [renaming(network.legal, None), *(renaming(network.legal, method.generator) for _ in range(3))]
    method.generator.manual_seed(0)
    with torch.no_grad():
        method.past += torch.randn(len(method.past), generator=torch.Generator().manual_seed(1))
    past, before = method.past.clone(), [p.detach().clone() for p in network.parameters()]
    method(network, batch).mean().backward()
    assert all(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))

    def loss_of(half: slice, order: Tensor) -> Tensor:
        return end_to_end(network, renamed(batch.part(half), order)).mean()

    def flat(loss: Tensor) -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))])

    own = [flat(loss_of(slice(4), order)) for order in names]
    together = torch.stack(own).mean(0)
    torch.testing.assert_close(method.past, 0.9 * past + 0.1 * together)

    def after(a: float, b: float) -> tuple[float, Tensor]:
        """Mean loss and mean gradient over tasks after their inner steps."""
        losses, gradients = [], []
        for order, gradient in zip(names, own, strict=True):
            step = 0.1 * (gradient + a * together + b * past)
            with torch.no_grad():
                for p, start, part in zip(
                    network.parameters(), before, step.split([p.numel() for p in before]), strict=True
                ):
                    p.copy_(start - part.view_as(start))
            loss = loss_of(slice(4, 8), order)
            losses.append(float(loss.detach()))
            gradients.append(flat(loss))
        return sum(losses) / len(losses), torch.stack(gradients).mean(0)

    expected = after(0.0, 0.0)[1]
    found = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert method.shares.grad is not None
    e = 0.05
    slopes = [(after(e, 0)[0] - after(-e, 0)[0]) / (2 * e), (after(0, e)[0] - after(0, -e)[0]) / (2 * e)]
    assert method.shares.grad.tolist() == pytest.approx(slopes, rel=0.1, abs=1e-4)


@pytest.mark.parametrize("name", STRENGTHS)
def test_their_own_weights_are_learned_and_the_same_seed_learns_the_same(name: str) -> None:
    once, again = begun(name), begun(name)
    for one, other in zip(once, again, strict=True):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key])
    assert all(bool(p.any()) for p in once[1].parameters())


@pytest.mark.parametrize("name", STRENGTHS)
@pytest.mark.parametrize("epoch", [1, 2])
def test_interrupted_it_goes_on_to_the_same_end_bit_by_bit(
    name: str, epoch: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "COSTS", 0)
    trial = replace(TINY, training=replace(TINY.training, **{name: STRENGTHS[name]}))
    whole = run.run_trial(trial)

    def stop(point: Any) -> None:
        if point.epoch == epoch:
            raise KeyboardInterrupt

    kept = replace(trial, checkpoint=tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        run.run_trial(kept, stop)
    state = checkpoint.read_whole(sorted((tmp_path / "kept").glob("*.pt"))[-1])["state"]
    assert state["epoch"] == epoch
    assert state["method"]
    assert replace(run.run_trial(kept), seconds=0.0) == replace(whole, seconds=0.0)
    assert whole.error is None
    assert key_of(trial) != key_of(TINY)
    assert key_of(replace(trial, role="ceiling")) == key_of(replace(TINY, role="ceiling"))


@pytest.mark.parametrize(
    ("solver", "changed", "told"),
    [
        ("mlp", {"mixup": -1.0}, "mixup=-1.0: it is a number of at least 0"),
        ("mlp", {"sharing": float("nan")}, "sharing=nan: it is a number of at least 0"),
        ("mlp", {"mixup": "much"}, "mixup='much': it is a number"),
        ("mlp", {"mixup": 1, "sharing": 1}, "mixup and sharing: each makes the losses of a batch, set one"),
        (
            "mlp",
            {"sharing": 0.1, "curriculum": 0.5},
            "sharing and curriculum: what one renames the other gives",
        ),
        (
            "exact",
            {"sharing": 0.1},
            "sharing=0.1: exact is given its rules, and this is for solvers that learn",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(solver: str, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        apply_settings(changed, [TINY.task], SolverSpec(solver), [TINY.training])
    assert told in str(refused.value)
