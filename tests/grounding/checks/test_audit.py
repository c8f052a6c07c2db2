import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks import audit as audit_module
from groundcheck.grounding.checks.audit import AuditModel, audit
from groundcheck.grounding.cli import app
from groundcheck.grounding.trials.ceiling import NO_SOLVER
from groundcheck.grounding.trials.network import build_network

EXAMPLES = Path(__file__).parents[3] / "examples"
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


@pytest.mark.parametrize(
    "drift",
    [
        lambda loss, calls: loss * calls,
        lambda loss, calls: loss + calls,
        lambda loss, calls: loss + calls * (loss - loss.detach()),
    ],
    ids=["both", "loss", "gradient"],
)
def test_a_loss_that_is_never_the_same_is_not_judged(drift) -> None:
    state = {"calls": 0}

    def drifting(model, images, given, labels):
        state["calls"] += 1
        return drift(losses.over_the_queries(model, images, given, labels), state["calls"])

    found = audit(drifting, Mapping(symbols=4))
    assert not found.repeatable
    assert found.findings[0].status == "inconclusive"


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (lambda *_: 1.0, "a tensor that depends"),
        (lambda *_: torch.zeros(()), "a tensor that depends"),
        (lambda model, images, given, _: model(images, given).sum() * torch.nan, "nan"),
    ],
)
def test_what_is_no_loss_is_told(loss, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        audit(loss, Mapping(symbols=4))


def test_the_model_reads_images_at_the_givens_alone() -> None:
    puzzles = Sudoku().generate("train", 3, 0)
    given = torch.from_numpy(puzzles.given)
    model = AuditModel(build_network(Sudoku(), NO_SOLVER, "softmax", 0))
    one, other = (model(torch.full((*given.shape, 1, 28, 28), shade), given) for shade in (0.0, 1.0))
    assert torch.equal(one[~given], other[~given])
    assert (one[~given] == 0.25).all()
    assert not torch.equal(one[given], other[given])


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


def test_a_constant_that_depends_on_the_labels_is_a_leak_of_the_loss_alone() -> None:
    def shifted(model, images, given, labels):
        return losses.over_the_queries(model, images, given, labels) + labels[given].float().sum()

    found = audit(shifted, Sudoku())
    assert found.leaks
    assert found.loss > 0
    assert (found.gradient, found.perception) == (0.0, 0.0)
    assert found.findings[0].status == "fail"
    seen = Sudoku().generate("train", 8, 0).given.any(axis=0)
    assert len(found.variables) == seen.sum()


def test_a_gradient_that_depends_on_the_labels_is_a_leak_whatever_the_loss_says() -> None:
    def hidden(model, images, given, labels):
        completion = model(images, given)
        zero = (completion - completion.detach()) * labels.unsqueeze(-1)
        return losses.over_the_queries(model, images, given, labels) + zero[given].sum()

    found = audit(hidden, Sudoku())
    assert found.leaks
    assert found.loss == 0
    assert found.gradient > 0
    assert found.findings[0].status == "fail"
    assert (found.findings[0].figure, found.findings[0].bound) == (found.gradient, 0.0)
    assert f"({', '.join(found.variables[:4])}, …)" in found.findings[0].reason


def test_how_far_two_gradients_are_apart() -> None:
    one = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}
    other = {"a": torch.tensor([3.0, 2.0]), "b": torch.tensor([4.0])}
    assert audit_module._apart(one, one) == 0.0
    assert audit_module._apart(one, other) == pytest.approx(2 / 5)
    assert audit_module._apart(one, {"a": one["a"]}) == pytest.approx(4 / 5)
    assert audit_module._apart({"a": one["a"]}, one) == pytest.approx(4 / 3)
    assert audit_module._apart({}, one) == 0.0
    assert audit_module._relative(torch.tensor(-2.0), torch.tensor(1.0)) == pytest.approx(1.5)


def test_the_masked_losses_are_those_of_the_queries() -> None:
    """By hand, on one row of two variables, of which the first is given."""
    completion = torch.tensor([[[0.5, 0.5], [0.2, 0.6]]])
    given, labels = torch.tensor([[True, False]]), torch.tensor([[0, 1]])

    class Known(torch.nn.Module):
        def forward(self, images, given):
            return completion

    arguments = (Known(), torch.zeros(1), given, labels)
    assert audit_module.masked_cross_entropy(*arguments) == pytest.approx(-np.log(0.75))
    assert audit_module.masked_binary(*arguments) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    completion.copy_(torch.tensor([[[0.5, 0.5], [1 + 1e-6, 0.0]]]))  # wrong, and rounded
    assert audit_module.masked_cross_entropy(*arguments) == pytest.approx(-np.log(1e-30))
    assert audit_module.masked_binary(*arguments) == pytest.approx(100)  # torch takes no smaller logarithm


def test_a_multiple_of_cross_entropy_is_known_as_that() -> None:
    def doubled(model, images, given, labels):
        return 2 * audit_module.masked_cross_entropy(model, images, given, labels)

    found = audit(doubled, Sudoku())
    assert found.masked == "cross-entropy over the queries, averaged"
    assert found.scale == pytest.approx(2)
    assert [f.status for f in found.findings] == ["pass", "inconclusive"]
    assert (found.findings[1].figure, found.findings[1].bound) == (pytest.approx(2), 1.0)


def test_a_model_of_the_user_s_own_is_taken_as_it_is() -> None:
    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = torch.nn.Linear(28 * 28, 4)

        def forward(self, images, given):
            return torch.where(given[..., None], self.read(images.flatten(2)).softmax(-1), 0.25)

    own = Own()
    found = audit(losses.over_all_cells, Sudoku(), model=own)
    assert found.leaks
    assert found.perception == 0.0  # no part of it is called so
    assert found.scale is None
    assert found.gradient > 0.1


def test_a_task_that_shows_no_images_has_no_labels_to_leak() -> None:
    class Blind(Mapping):
        def draw(self, split, size, rng):
            drawn = super().draw(split, size, rng)
            return replace(drawn, picture=np.full_like(drawn.picture, -1))

    with pytest.raises(ValueError, match="no labels of givens to leak"):
        audit(losses.over_all_cells, Blind(symbols=4))


@pytest.mark.parametrize(("factor", "status"), [(1.0009, "pass"), (1.0015, "inconclusive")])
def test_a_scale_is_told_from_a_thousandth_on(factor: float, status: str) -> None:
    def scaled(model, images, given, labels):
        return factor * losses.over_the_queries(model, images, given, labels)

    assert audit(scaled, Mapping(symbols=4)).findings[1].status == status


def test_a_leak_that_only_some_labels_show_is_seen() -> None:
    """Whether the labels add up to an even number is the same for some of the labels that are put in."""
    odd: list[bool] = []

    def by_parity(model, images, given, labels):
        odd.append(bool(labels[given].sum() % 2))
        return losses.over_the_queries(model, images, given, labels) * (2 if odd[-1] else 1)

    found = audit(by_parity, Mapping(symbols=4))
    true, _, *others = odd[: 2 + audit_module.RELABELLINGS]
    assert set(others) == {True, False}
    factor = 0.5 if true else 2.0
    for moved in (found.loss, found.gradient, found.perception):
        assert moved == pytest.approx(abs(factor - 1))
    assert (found.findings[0].status, found.findings[0].bound) == ("fail", 0.0)


def through(number: int):
    """A loss that sees the labels of the first few variables that are ever given."""
    seen = np.flatnonzero(Sudoku().generate("train", 8, 0).given.any(axis=0))[:number]

    def loss(model, images, given, labels):
        leaked = (labels * given)[:, torch.from_numpy(seen)].float().sum()
        return losses.over_the_queries(model, images, given, labels) + leaked

    return loss


@pytest.mark.parametrize(("number", "more"), [(4, False), (5, True)])
def test_four_variables_are_named_and_of_more_it_is_told_that_there_are_more(number: int, more: bool) -> None:
    found = audit(through(number), Sudoku())
    assert len(found.variables) == number
    first = ", ".join(found.variables[:4])
    assert f"through {number} variables ({first}{', …' if more else ''})" in found.findings[0].reason


def test_every_given_shows_its_image_the_first_of_a_bank_as_well() -> None:
    class First(Mapping):
        def draw(self, split, size, rng):
            drawn = super().draw(split, size, rng)
            return replace(drawn, picture=np.where(drawn.given, 0, -1).astype(drawn.picture.dtype))

    seen: list[torch.Tensor] = []

    def watching(model, images, given, labels):
        seen.append(images.flatten(2).any(-1) == given)
        return losses.over_the_queries(model, images, given, labels)

    audit(watching, First(symbols=4))
    assert all(part.all() for part in seen)


def test_an_audit_does_not_depend_on_what_was_drawn_before() -> None:
    def dropped(model, images, given, labels):
        kept = torch.rand(given.shape) < 0.5
        return (losses.over_all_cells(model, images, given, labels) * kept).mean()

    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(audit(dropped, Mapping(symbols=4)))
        assert found[-1].repeatable
    assert found[0] == found[1]


def test_a_loss_that_trains_the_perception_alone_has_no_scale() -> None:
    def reads(model, images, given, labels):
        return model.network.perception(images[given]).square().mean()

    found = audit(reads, Mapping(symbols=4))
    assert (found.scale, found.masked) == (None, "")
    assert [f.status for f in found.findings] == ["pass", "skip"]
