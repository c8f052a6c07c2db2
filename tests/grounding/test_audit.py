import importlib.util
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks.audit import audit
from groundcheck.grounding.cli import app

EXAMPLES = Path(__file__).parents[2] / "examples"
_found = importlib.util.spec_from_file_location("losses", EXAMPLES / "losses.py")
losses = importlib.util.module_from_spec(_found)
_found.loader.exec_module(losses)


def test_the_loss_over_all_cells_leaks_through_every_given_variable() -> None:
    found = audit(losses.over_all_cells, Sudoku())
    labels, scale = found.findings
    assert labels.status == "fail"
    assert found.loss > 1e-4
    assert found.gradient > 0.1
    assert found.perception > 0.1
    assert len(found.variables) >= 12
    assert scale.status == "skip"


def test_the_masked_loss_passes_at_the_right_scale() -> None:
    found = audit(losses.over_the_queries, Sudoku())
    assert [f.status for f in found.findings] == ["pass", "pass"]
    assert found.scale == pytest.approx(1)
    assert found.variables == ()
    assert [(f.figure, f.bound) for f in found.findings] == [(0.0, 0.0), (pytest.approx(1), 1.0)]


def test_labels_written_into_the_givens_pass_with_another_scale() -> None:
    found = audit(losses.with_labels_written_in, Sudoku())
    assert [f.status for f in found.findings] == ["pass", "inconclusive"]
    given = Sudoku().generate("train", 8, 0).given
    assert found.scale == pytest.approx(1 - given.mean(), rel=1e-4)


def test_a_leak_through_one_variable_is_named() -> None:
    def through_r1c1(model, images, given, labels):
        completion = model(images, given)
        read = completion[:, 0].gather(-1, labels[:, :1]).squeeze(-1)
        return losses.over_the_queries(model, images, given, labels) - (read * given[:, 0]).mean()

    assert audit(through_r1c1, Sudoku()).variables == ("r1c1",)


def test_a_loss_that_is_never_the_same_is_not_judged() -> None:
    state = {"calls": 0}

    def drifting(model, images, given, labels):
        state["calls"] += 1
        return losses.over_the_queries(model, images, given, labels) * state["calls"]

    assert audit(drifting, Mapping(symbols=4)).findings[0].status == "inconclusive"


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (lambda *_: 1.0, "a tensor that depends"),
        (lambda model, images, given, _: model(images, given).sum() * torch.nan, "nan"),
    ],
)
def test_what_is_no_loss_is_told(loss, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        audit(loss, Mapping(symbols=4))


def test_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    run = CliRunner().invoke
    leaky = run(app, ["audit", "losses:over_all_cells", "--task", "sudoku"])
    assert leaky.exit_code == 1
    assert "audit/labels/sudoku: fail" in leaky.output
    assert run(app, ["audit", "losses:over_the_queries", "--task", "sudoku"]).exit_code == 0
    absent = run(app, ["audit", "losses:absent", "--task", "sudoku"])
    assert absent.exit_code == 2
    assert "package.module:attribute" in absent.output
