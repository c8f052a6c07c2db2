"""Every leaky loss and step is found, every sound one passes, by what they were written for."""

import audited
import pytest

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.audit import Audit, audit

LATE = {"after_steps": 21, "labels_of_the_step_before": 2, "buffer_of_the_model": 2, "draws_by_label": 2,
        "step_that_lags": 8, "step_with_replay": 4}  # fmt: skip
LONG = {"sometimes_by_numpy", "sometimes_by_python", "sometimes_by_torch", "sometimes_by_its_own",
        "after_steps", "step_that_lags"}  # fmt: skip


def tried(code, steps: int) -> Audit:
    return audit(code, Mapping(symbols=4), steps=steps, batch=16)


def name_of(code) -> str:
    return getattr(code, "__name__", "an_object")


@pytest.mark.parametrize("code", audited.LEAKY_LOSSES + audited.LEAKY_STEPS, ids=name_of)
def test_what_leaks_is_found(code) -> None:
    found = tried(code, 24 if name_of(code) in LONG else 4)
    assert found.findings[0].status == "fail"
    assert found.movement == "leak"
    # Noise is told of where the same labels do not repeat a training, and there alone.
    assert ("the same labels move it by" in found.findings[0].reason) == (found.first is None)
    if name_of(code) in LATE:
        assert found.first == LATE[name_of(code)]


@pytest.mark.parametrize("code", audited.SOUND, ids=name_of)
def test_what_is_sound_passes(code) -> None:
    found = tried(code, 8)
    assert [f.status for f in found.findings[:2]] == ["pass", "pass"]
    assert (found.movement == "rounding") == (code is audited.rows_in_another_order)


@pytest.mark.parametrize("code", audited.IDLE, ids=name_of)
def test_what_trains_nothing_is_told(code) -> None:
    labels, gradient, scale = tried(code, 3).findings
    assert [f.status for f in (labels, gradient, scale)] == ["skip", "fail", "skip"]
    assert "no gradient reaches the model" in gradient.reason


@pytest.mark.parametrize("code", [audited.after_steps, audited.step_that_lags], ids=name_of)
def test_a_leak_that_needs_more_steps_than_were_asked_for_is_not_seen(code) -> None:
    assert tried(code, 7).findings[0].status == "pass"
