"""The interface is recorded, changes nothing, and tells the process that trains nothing of labels."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.pairs import run_trials
from groundcheck.grounding.measures.interface import InterfaceRecord
from groundcheck.grounding.trials.recording import Recorder
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial
from groundcheck.solvers.exact import Exact

TRIAL = Trial(
    task=Mapping(symbols=3), solver=SolverSpec("exact"), role="grounding", seed=0,
    training=Training(puzzles=96, epochs=2, batch=16),
)  # fmt: skip
LABELLED = ("supervised", "supervised_raw", "strength")


def records(outcome: Outcome) -> list[InterfaceRecord]:
    assert outcome.error is None, outcome.error
    assert all(point.interface is not None for point in outcome.curve)
    return [point.interface for point in outcome.curve if point.interface is not None]


@pytest.fixture(scope="module")
def exact() -> Outcome:
    return run_trial(TRIAL)


def test_every_epoch_is_recorded(exact: Outcome) -> None:
    before, first, _ = records(exact)
    assert before.confidence == pytest.approx(math.log(3), abs=0.01)
    assert (before.steps, before.supervised, before.perception_update) == (0, None, None)
    assert first.steps == 6
    assert first.perception_update is not None
    assert first.solver_update is None  # exact rules have no weights
    assert first.unsolved == 0.0
    assert first.information is not None
    assert 0 <= first.information <= math.log(3)


def test_exact_rules_point_where_labels_would(exact: Outcome) -> None:
    """On mapping with known rules the answer is the label: the gradients are the same, as far as rounding."""
    for record in records(exact)[1:]:
        assert record.supervised_raw == pytest.approx(1.0, abs=1e-3)
        assert record.strength == pytest.approx(1.0, abs=0.02)
        assert record.norm is not None
        assert record.largest_norm is not None
        assert 0 < record.norm <= record.largest_norm < math.sqrt(2)


class Noise(Exact):
    """Sends back noise in the place of its gradient."""

    surrogate = True

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        loss = super().loss(beliefs.detach(), given, answer)
        noise = torch.randn(beliefs.shape, generator=torch.Generator().manual_seed(len(beliefs)))
        return loss + (noise * beliefs * given.unsqueeze(-1)).sum((1, 2)) * (loss > -1)


def test_noise_points_nowhere() -> None:
    found = records(run_trial(replace(TRIAL, solver=SolverSpec.of(Noise))))[1]
    assert found.supervised_raw is not None
    assert abs(found.supervised_raw) < 0.3


def test_recording_changes_nothing(exact: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("listen", "listen_at_logits", "before_step", "after_step"):
        monkeypatch.setattr(Recorder, name, lambda *_: None)
    silent = run_trial(TRIAL)
    assert silent.scores == exact.scores
    for one, other in zip(silent.curve, exact.curve, strict=True):
        assert replace(one, interface=None) == replace(other, interface=None)


def test_labels_of_training_puzzles_do_not_reach_the_process_that_trains(
    tmp_path: Path, exact: Outcome
) -> None:
    """The scoring process keeps what it found with labels; the trace is written where training runs."""
    trace, found = tmp_path / "trace.jsonl", []
    run_trials([replace(TRIAL, trace=trace)], 1, lambda _, outcome: found.append(outcome))
    [outcome] = found
    assert records(outcome) == records(exact)
    told: list[dict[str, Any]] = [json.loads(line)["interface"] for line in trace.read_text().splitlines()]
    assert len(told) == 3
    assert all(line[name] is None for line in told for name in LABELLED)
    assert all(line["consistency"] is not None for line in told[1:])
    assert all(line["perception_update"] is not None for line in told[1:])


def test_few_steps_are_heard_and_one_is_measured() -> None:
    recorder = Recorder(torch.nn.Linear(2, 2), torch.nn.Identity(), 100)
    assert sorted(recorder.heard) == [17, 18, 50, 51, 83, 84]
    for _ in range(100):
        recorder.begin(torch.arange(4))
        recorder.before_step()
        with torch.no_grad():
            recorder.parts[0].weight *= 1.01  # pyright: ignore[reportOperatorIssue]
            recorder.parts[0].bias *= 1.01
        recorder.after_step()
    found = recorder.recorded
    assert found.perception_update == pytest.approx(0.01, rel=1e-3)
    assert (found.solver_update, found.passed, found.steps) == (None, None, 100)


def test_one_step_is_heard_too() -> None:
    trial = replace(TRIAL, training=Training(puzzles=16, epochs=1, batch=16))
    found = records(run_trial(trial))[1]
    assert found.consistency is None  # there is no neighbour
    assert found.perception_update is not None


def test_an_older_outcome_is_read_without_a_record() -> None:
    from groundcheck.grounding.results.records import decode_record  # noqa: PLC0415

    line = json.dumps({
        "role": "grounding", "task": "mapping", "solver": "mlp", "seed": 0,
        "curve": [{"epoch": 0, "loss": None, "skipped": 0.0, "task": 0.1, "raw": 0.2, "aligned": 0.3,
                   "symbols_used": 2}],
    })  # fmt: skip
    outcome = decode_record(line.encode(), Outcome)
    assert outcome.curve[0].interface is None
