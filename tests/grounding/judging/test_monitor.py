"""A monitor in a training loop of a user's own."""

import networks
import numpy as np
import pytest
import torch
from networks import TASK
from predicted import predicted, without
from torch import nn

from groundcheck.datasets.errors import UsageError
from groundcheck.grounding import Monitor, write_page


class Learner(nn.Module):
    """Reads three symbols, adds what was read, and answers it."""

    def __init__(self) -> None:
        super().__init__()
        self.perception = nn.Sequential(nn.Dropout(0.5), nn.Linear(784, 3))

    def read(self, images: torch.Tensor) -> torch.Tensor:
        return self.perception(images.flatten(1)).softmax(-1)

    def answer(self, images: torch.Tensor, place: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        assert not self.perception.training
        return self.read(images).argmax(-1)[place.clamp_min(0)[:, :1]].expand(given.shape)


def test_a_curve_has_the_signals_of_our_own_trials() -> None:
    monitor, learner = Monitor(TASK, puzzles=30, name="mine"), Learner()
    optimiser = torch.optim.SGD(learner.parameters(), 0.1)
    images, labels = torch.rand(8, 784), torch.arange(8) % 3
    monitor.epoch(learner)
    for scale in (1.0, 0.0):
        beliefs = monitor.watch(learner.read(images))
        loss = -scale * beliefs.gather(1, labels[:, None]).mean()
        loss.backward()
        optimiser.step()
        monitor.epoch(learner, loss=loss, skipped=0.25)
    before, first, second = monitor.curve
    assert [point.epoch for point in monitor.curve] == [0, 1, 2]
    assert (before.loss, before.gradient, before.skipped) == (None, None, 0.0)
    assert first.gradient is not None
    assert first.gradient > 0
    assert (first.no_gradient, second.no_gradient, second.gradient) == (0.0, 1.0, 0.0)
    assert first.skipped == 0.25
    assert first.symbols_used is not None
    assert 1 <= first.symbols_used <= 3
    assert learner.perception.training  # left as it was


def test_a_gradient_that_is_switched_off_is_heard_of() -> None:
    monitor, learner = Monitor(TASK, puzzles=30), Learner()
    monitor.epoch(learner)
    monitor.watch(learner.read(torch.rand(8, 784)).detach())
    assert monitor.epoch(learner).no_gradient == 1.0
    with torch.no_grad():
        monitor.watch(learner.read(torch.rand(8, 784)))  # no step of training
    assert monitor.epoch(learner).no_gradient == 0.0


def test_looking_changes_nothing_that_is_drawn_in_training() -> None:
    draws: list[list[float]] = []
    for looks in (True, False):
        torch.manual_seed(0)
        learner, monitor = Learner(), Monitor(TASK, puzzles=30)
        if looks:
            monitor.epoch(learner)
        draws.append(learner.read(torch.ones(2, 784)).flatten().tolist())
    assert draws[0] == draws[1]


def test_the_report_has_the_curve_and_what_judge_would_say(tmp_path: object) -> None:
    monitors = [Monitor(TASK, seed=seed, puzzles=60, name="mine", rules="given") for seed in range(2)]
    for monitor in monitors:
        network = networks.Interfaced()
        monitor.epoch(network)
        monitor.epoch(network, loss=0.5)
        monitor.finish(network)
    report = monitors[0].report(monitors[1], ceiling=1.0)
    [task] = report.tasks
    assert (report.solver, report.images, report.rules) == ("mine", "digits", "given")
    assert (task.judgement.grounded, task.judgement.seeds) == (2, 2)
    assert [len(o.curve) for o in task.outcomes if o.role == "grounding"] == [2, 2]
    assert all(o.interventions for o in task.outcomes if o.role == "grounding")
    page = tmp_path / "report.html"  # type: ignore[operator]
    write_page(page, report)
    assert "Learning curves" in page.read_text()


def test_arrays_without_a_task() -> None:
    monitor = Monitor(None, seed=3)
    for epoch in range(3):
        point = monitor.epoch(predicted(epoch, read=0.5 + 0.2 * epoch), loss=1.0 / (1 + epoch))
        assert point.aligned == pytest.approx(0.5 + 0.2 * epoch, abs=0.1)
        assert point.symbols_used == 5
    monitor.finish(predicted(9))
    [task] = monitor.report(ceiling=0.99).tasks
    assert (task.task, task.outcomes[0].seed) == ("own task", 3)
    assert task.judgement.grounded == 1


def test_what_a_monitor_cannot_be_handed() -> None:
    monitor = Monitor(None)
    with pytest.raises(UsageError, match="this monitor has no task to ask a network on"):
        monitor.epoch(networks.Good())
    with pytest.raises(UsageError, match="a learning curve is of answers too"):
        monitor.epoch(without(predicted(), "solution", "given", "answers", "image"))
    with pytest.raises(UsageError, match="epoch 0: `beliefs` holds nan"):
        monitor.epoch({**predicted(), "beliefs": np.full((400, 5), np.nan)})
    assert monitor.curve == []
    with pytest.raises(UsageError, match=r"seed 0 has not finished: call finish\(network\)"):
        monitor.report()
    with pytest.raises(UsageError, match="of type <U5"):
        Monitor(TASK, puzzles=30).epoch(networks.Words())
    with pytest.raises(RuntimeError, match=r"^out of ideas$"):  # as in any loop of a user's own
        Monitor(TASK, puzzles=30).epoch(networks.Raises())
    first, second, other = Monitor(None), Monitor(None), Monitor(TASK, seed=1, puzzles=30)
    for one in (first, second):
        one.finish(predicted())
    other.finish(networks.Good())
    with pytest.raises(UsageError, match="seeds 0, 0: every seed counts once"):
        first.report(second)
    with pytest.raises(UsageError, match="of several tasks"):
        first.report(other)
