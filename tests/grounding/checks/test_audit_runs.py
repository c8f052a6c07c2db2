"""Short trainings of audited code: what each starts from, what is noted, and which labels are put in."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks import audit_runs
from groundcheck.grounding.checks.audit import Audit, _measure, audit
from groundcheck.grounding.checks.audit_code import AuditedCode, build_model
from groundcheck.grounding.checks.audit_masked import masked_cross_entropy
from groundcheck.grounding.checks.audit_runs import Course, Rehearsal, Trace

TASK = Mapping(symbols=4).drawn(0)
BANK = ImageSource.of("digits").load()


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_runs, "can_fork", lambda: False)


def rehearsal(
    code: Any, task: Any = TASK, model: nn.Module | None = None, name: str | None = None
) -> Rehearsal:
    return Rehearsal(AuditedCode.of(code, name), task, BANK, model or build_model(task, 0, BANK.shape), 4, 0)


def run(code: Any, steps: int = 2, model: nn.Module | None = None, **options: Any) -> Trace:
    made = rehearsal(code, model=model)
    return made.run(Course(0, steps, 4), made.labels, **options)


def masked(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
    return model(images, given)[~given].sum()


def test_steps_are_kept_on_demand_and_the_answers_after_them() -> None:
    kept, digests = run(masked, keep=True), run(masked)
    assert kept.digests == digests.digests
    assert digests.steps == ()
    assert (len(kept.digests), len(kept.steps), kept.reached) == (3, 3, True)
    assert "loss" in kept.steps[0]
    assert any(name.startswith("gradient ") for name in kept.steps[1])
    assert list(kept.steps[2]) == ["answers"]
    assert kept.steps[2]["answers"].shape == (4, 2, 4)


def test_the_last_bits_move_only_where_they_are_to() -> None:
    plain, again, one, two = (run(masked, nudge=nudge).digests for nudge in (0, 0, 1, 2))
    assert plain == again
    assert len({plain, one, two}) == 3


def test_a_gradient_that_is_left_from_before_is_none_of_this_training() -> None:
    model = build_model(TASK, 0, BANK.shape)
    fresh = run(masked, keep=True, model=model)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)
    stale = run(masked, keep=True, model=model)
    assert stale.digests == fresh.digests
    seen: list[bool] = []

    def step(model: nn.Module, optimiser: torch.optim.Optimizer, batch: Any) -> None:
        seen.append(all(p.grad is None for p in model.parameters()))

    run(step, model=model)
    assert seen[0]


def test_a_step_without_a_gradient_shows_how_parameters_moved() -> None:
    def step(model: nn.Module, optimiser: torch.optim.Optimizer, batch: Any) -> None:
        assert optimiser.param_groups[0]["lr"] == 0.01
        with torch.no_grad():
            next(model.parameters()).view(-1)[0] += 0.5  # of one entry alone

    found = run(step, keep=True)
    moves = {name: moved for name, moved in found.steps[0].items() if moved.any()}
    assert len(moves) == 1
    [(name, moved)] = moves.items()
    assert name.startswith("move ")
    assert sorted(moved.ravel())[-1] == pytest.approx(0.5)
    assert found.reached
    assert not run(lambda model, optimiser, batch: None).reached


def test_wrong_labels_stand_at_givens_and_each_other_symbol_is_among_them() -> None:
    made = rehearsal(masked)
    wrong = made.other_labels(3)
    moved = (wrong - made.labels) % 4
    assert ((moved != 0) == made.given).all()
    many = torch.stack([(made.other_labels(seed) - made.labels) % 4 for seed in range(30)])
    assert set(many[:, made.given].unique().tolist()) == {1, 2, 3}
    assert wrong.max() < 4
    alone = made.other_labels(3, 0)
    assert torch.equal(alone[:, 0], wrong[:, 0])
    assert torch.equal(alone[:, 1], made.labels[:, 1])
    two = rehearsal(masked, Mapping(symbols=2).drawn(0))
    assert ((two.other_labels(0) != two.labels) == two.given).all()


def test_sizes_are_the_largest_so_far() -> None:
    one = Trace((), True, ({"gradient a": np.array([1.0]), "loss": np.array([2.0])},))
    same = _measure(Audit("t", "none", 1, True), one, one, 0.0)
    assert (same.loss, same.gradient, same.perception, same.answers, same.noise) == (0, 0, 0, 0, 0)
    two = Trace((), True, ({"gradient a": np.array([4.0]), "loss": np.array([4.0])},))
    found = _measure(same, one, two, 0.1)
    assert (found.loss, found.gradient, found.answers, found.noise) == (0.5, 0.75, 0.0, 0.1)
    bare = [Trace((), True, ({"gradient perception": np.array([x])},)) for x in (1.0, 2.0)]
    again = _measure(found, *bare, 0.05)
    assert (again.loss, again.gradient, again.perception, again.noise) == (0.5, 0.75, 0.5, 0.1)


def test_only_a_loss_that_does_not_leak_is_held_against_masked_ones() -> None:
    def leaking(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
        share = model(images, given)
        return -(share.gather(-1, labels.unsqueeze(-1)) + 1e-30).log().mean()

    def doubled(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
        return 2 * masked_cross_entropy(model, images, given, labels)

    clean = audit(doubled, TASK, steps=1, batch=4)
    assert (clean.movement, clean.scale) == ("none", pytest.approx(2.0))
    assert clean.masked == "cross-entropy over the queries, averaged"
    leak = audit(leaking, TASK, steps=1, batch=4)
    assert (leak.leaks, leak.scale, leak.masked) == (True, None, "")

    def step(model: nn.Module, optimiser: torch.optim.Optimizer, batch: Any) -> None:
        optimiser.zero_grad()
        doubled(model, *batch).backward()
        optimiser.step()

    stepped = audit(step, TASK, steps=1, batch=4)
    assert (stepped.movement, stepped.reached, stepped.scale) == ("none", True, None)
    own = audit(doubled, TASK, steps=1, batch=4, model=build_model(TASK, 0, BANK.shape))
    assert (own.movement, own.scale) == ("none", None)
