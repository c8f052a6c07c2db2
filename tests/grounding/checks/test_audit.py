import importlib.util
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks import audit as audit_module
from groundcheck.grounding.checks import audit_runs
from groundcheck.grounding.checks.audit import Audit, audit
from groundcheck.grounding.checks.audit_code import AuditCrashError, AuditedCode, AuditModel
from groundcheck.grounding.checks.audit_masked import masked_binary, masked_cross_entropy
from groundcheck.grounding.checks.audit_movement import (
    exceeding_step,
    largest_movements,
    rounding_reach,
    whole_movement,
)
from groundcheck.grounding.checks.audit_runs import Trace, in_child
from groundcheck.grounding.checks.seeding import seeded_generators
from groundcheck.grounding.cli import app
from groundcheck.grounding.trials.ceiling import NO_SOLVER
from groundcheck.grounding.trials.network import build_network

EXAMPLES = Path(__file__).parents[3] / "examples"
_found = importlib.util.spec_from_file_location("losses", EXAMPLES / "losses.py")
losses = importlib.util.module_from_spec(_found)
_found.loader.exec_module(losses)

SHORT = {"steps": 2, "batch": 8}
SMALL = Mapping(symbols=4)


def statuses(found: Audit) -> list[str]:
    return [finding.status for finding in found.findings]


def test_the_loss_over_all_cells_leaks_through_every_given_variable() -> None:
    found = audit(losses.over_all_cells, Sudoku(), steps=1, batch=16)
    assert statuses(found) == ["fail", "pass", "skip"]
    assert found.loss > 1e-4
    assert found.gradient > 0.1
    assert found.perception > 0.1
    assert len(found.variables) == 16
    assert "through 16 variables (r1c1, r1c2, r1c3, r1c4, …)" in found.findings[0].reason


def test_the_masked_loss_passes_at_the_right_scale() -> None:
    found = audit(losses.over_the_queries, Sudoku(), **SHORT)
    assert statuses(found) == ["pass", "pass", "pass"]
    assert (found.movement, found.variables, found.gradient) == ("none", (), 0.0)
    assert found.scale == pytest.approx(1)


def test_labels_written_into_the_givens_pass_with_another_scale() -> None:
    found = audit(losses.with_labels_written_in, Sudoku(), **SHORT)
    assert statuses(found) == ["pass", "pass", "inconclusive"]
    assert 0.2 < found.scale < 0.9


def test_the_pass_says_how_likely_a_rare_leak_is_missed() -> None:
    found = audit(losses.over_the_queries, SMALL, **SHORT)
    assert found.steps == 3 * 2 + 2
    assert (
        "in 8 steps, so that a leak in one step of ten is missed with probability 0.4"
        in found.findings[0].reason
    )


def test_a_leak_through_one_variable_is_named() -> None:
    def through_r1c1(model, images, given, labels):
        completion = model(images, given)
        read = completion[:, 0].gather(-1, labels[:, :1]).squeeze(-1)
        return losses.over_the_queries(model, images, given, labels) - (read * given[:, 0]).mean()

    assert audit(through_r1c1, Sudoku(), **SHORT).variables == ("r1c1",)


def test_a_leak_through_several_labels_at_once_is_told() -> None:
    def together(model, images, given, labels):
        odd = (labels * given).sum(1) % 2
        return losses.over_the_queries(model, images, given, labels) + (odd.float().mean() > 0.5).float()

    found = audit(together, Sudoku(), steps=4, batch=8)
    assert found.leaks
    assert "variable" in found.findings[0].reason


def test_noise_that_no_seed_reaches_leaves_undecided_what_it_hides() -> None:
    def noisy(model, images, given, labels):
        return losses.over_the_queries(model, images, given, labels) * (
            1 + int.from_bytes(os.urandom(2)) / 2**16
        )

    found = audit(noisy, SMALL, steps=1, batch=4)
    assert found.movement == "noise"
    assert statuses(found)[0] == "inconclusive"
    assert found.noise > 0.01


def test_noise_far_below_what_matters_is_no_reason_to_doubt() -> None:
    def noisy(model, images, given, labels):
        return losses.over_the_queries(model, images, given, labels) * (1 + 1e-7 * os.urandom(1)[0] / 256)

    found = audit(noisy, SMALL, steps=1, batch=4)
    assert found.movement in ("rounding", "none")  # as the bytes fell
    assert statuses(found)[0] == "pass"


@pytest.mark.parametrize("farther", range(25))
def test_the_sign_test_is_that_of_a_fair_coin(farther: int) -> None:
    rng = np.random.default_rng(0)
    thrown = rng.binomial(24, 0.5, 20_000)
    assert audit_module._chance_of(farther, 24) == pytest.approx((thrown >= farther).mean(), abs=0.012)


def never_seen(*arguments):
    raise KeyError("lost")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (lambda model, images, given, labels: model(images, given).mean().item(), "returned float"),
        (lambda model, images, given, labels: (model(images, given).mean(), 1), "returned tuple"),
        (lambda model, images, given, labels: labels.sum(), "a tensor of floats"),
        (lambda model, images, given, labels: model(images, given).sum() * torch.nan, "returned nan"),
        (lambda model, batch, labels: 0, r"takes \(model, batch, labels\): write loss\("),
        (lambda model: 0, r"or step\(model, optimiser, batch\)"),
    ],
)
def test_what_is_no_loss_is_told_in_one_sentence_that_names_it(code, words: str) -> None:
    with pytest.raises(UsageError, match=words) as told:
        audit(code, SMALL, name="mine:loss", **SHORT)
    assert str(told.value).startswith("mine:loss ")
    assert "\n" not in str(told.value)


def test_a_loss_that_calls_backward_is_told_how_a_step_is_written() -> None:
    def backward_inside(model, images, given, labels):
        loss = losses.over_the_queries(model, images, given, labels)
        loss.backward()
        return loss

    def optimises(model, images, given, labels):
        optimiser = torch.optim.Adam(model.parameters(), 1e-2)
        loss = losses.over_the_queries(model, images, given, labels)
        optimiser.zero_grad()
        loss.backward(retain_graph=True)
        optimiser.step()
        return loss

    for code in (backward_inside, optimises):
        with pytest.raises(
            UsageError, match=rf"{code.__name__} calls backward\(\) itself.*step\(model, optimiser"
        ):
            audit(code, SMALL, **SHORT)


def test_a_loss_that_asks_for_a_gpu_is_told_where_an_audit_runs() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")

    def cuda(model, images, given, labels):
        return losses.over_the_queries(model.cuda(), images.cuda(), given.cuda(), labels.cuda())

    with pytest.raises(UsageError, match=r"cuda asks for a GPU .*runs on the CPU"):
        audit(cuda, SMALL, **SHORT)


def test_what_the_code_raises_comes_with_its_traceback() -> None:
    with pytest.raises(AuditCrashError, match="never_seen raised KeyError: 'lost'") as crash:
        audit(never_seen, SMALL, **SHORT)
    assert "test_audit.py" in crash.value.traceback
    assert 'raise KeyError("lost")' in crash.value.traceback
    assert "audit_code.py" not in crash.value.traceback


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda: os._exit(7), "exit code 7"),
        (lambda: os._exit(0), "exit code 0"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal 9"),
    ],
)
def test_code_that_ends_its_process_is_told(end, words: str) -> None:
    with pytest.raises(AuditCrashError, match=words):
        in_child(end)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (lambda model, images, given, labels: 0, "loss"),
        (lambda model, images, given, labels, weight=1: 0, "loss"),
        (lambda *_: 0, "loss"),
        (lambda model, optimiser, batch: 0, "step"),
        (lambda model, optimizer, batch, weight=1: 0, "step"),
        (lambda model, opt, batch: 0, "step"),
    ],
)
def test_a_loss_is_told_from_a_step_by_its_arguments(code, kind: str) -> None:
    assert AuditedCode.of(code).kind == kind


def test_a_step_gets_images_given_and_labels_by_name_and_in_order() -> None:
    def step(model, optimiser, batch):
        images, given, labels = batch
        assert images is batch.images
        assert given is batch.given
        assert labels is batch.labels
        assert images.shape == (8, 2, 1, 28, 28) or len(images) == 64
        assert isinstance(optimiser, torch.optim.Optimizer)
        losses.over_the_queries(model, *batch).backward()
        optimiser.step()

    found = audit(step, SMALL, **SHORT)
    assert statuses(found) == ["pass", "pass", "skip"]


def test_what_code_leaves_behind_does_not_reach_the_next_training() -> None:
    calls = []

    def counting(model, images, given, labels):
        calls.append(1)
        return losses.over_the_queries(model, images, given, labels) * len(calls)

    found = audit(counting, SMALL, **SHORT)
    assert found.movement == "none"
    assert calls == []


@pytest.mark.parametrize(("code", "status"), [("over_all_cells", "fail"), ("over_the_queries", "pass")])
def test_without_forks_an_audit_runs_in_place(
    code: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_runs.sys, "platform", "win32")
    assert not audit_runs.can_fork()
    before = torch.get_rng_state()
    assert statuses(audit(getattr(losses, code), SMALL, **SHORT))[0] == status
    assert torch.equal(before, torch.get_rng_state())


def test_in_place_a_drift_from_call_to_call_is_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_runs.sys, "platform", "win32")
    calls = []

    def drifting(model, images, given, labels):
        calls.append(1)
        return losses.over_the_queries(model, images, given, labels) * len(calls)

    assert audit(drifting, SMALL, steps=1, batch=4).movement == "noise"


def test_all_global_generators_are_seeded_and_put_back() -> None:
    import random  # noqa: PLC0415

    def draw():
        return random.random(), np.random.rand(), float(torch.rand(()))  # noqa: NPY002

    with seeded_generators(1):
        first = draw()
        with seeded_generators(2):
            other = draw()
        following = draw()
    with seeded_generators(1):
        assert draw() == first
        assert draw() == following
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_relabellings_start_from_different_states_and_their_controls_from_the_same(tmp_path: Path) -> None:
    log = tmp_path / "drawn"

    def noting(model, images, given, labels):
        with log.open("a") as file:
            file.write(f"{len(images)} {float(torch.rand(())):.9f} {np.random.rand():.9f}\n")  # noqa: NPY002
        return losses.over_the_queries(model, images, given, labels)

    audit(noting, SMALL, steps=1, batch=4)
    drawn = log.read_text().splitlines()[:8]
    assert drawn[::2] == drawn[1::2]
    assert len(set(drawn)) == 4
    assert [line.split()[0] for line in drawn[::2]] == ["4", "4", "4", "32"]


@pytest.mark.parametrize(("steps", "compared"), [(1, 4), (3, 12), (5, 19)])
def test_three_trainings_of_all_steps_are_compared_and_one_of_four_at_most(steps: int, compared: int) -> None:
    assert audit(losses.over_the_queries, SMALL, steps=steps, batch=2).steps == compared


def trace(*steps: dict[str, list[float]]) -> Trace:
    arrays = tuple({name: np.array(values) for name, values in step.items()} for step in steps)
    return Trace((), True, arrays)


def test_how_far_two_traces_are_apart() -> None:
    one = trace({"loss": [1.0], "gradient a": [3.0, 0.0], "gradient b": [4.0]}, {"loss": [2.0]})
    other = trace({"loss": [1.0], "gradient a": [3.0, 2.0], "gradient b": [4.0]}, {"loss": [1.0]})
    assert largest_movements(one, one) == {"loss": 0, "gradient a": 0, "gradient b": 0}
    assert largest_movements(one, other)["loss"] == pytest.approx(0.5)
    assert largest_movements(one, other)["gradient a"] == pytest.approx(2 / np.sqrt(13))
    assert whole_movement(one, other) == pytest.approx(2 / np.sqrt(29))
    assert whole_movement(one, other, "b") == 0
    assert whole_movement(trace({"move a": [1.0]}), trace({"move a": [2.0]})) == pytest.approx(0.5)
    assert largest_movements(trace({}), trace({"gradient a": [2.0]})) == {"gradient a": pytest.approx(1)}
    nan, number = trace({"gradient a": [np.nan, 1.0]}), trace({"gradient a": [1.0, 1.0]})
    assert largest_movements(nan, nan) == {"gradient a": 0}
    assert largest_movements(nan, number) == {"gradient a": np.inf}


def test_a_movement_is_held_against_rounding_quantity_by_quantity() -> None:
    one = trace({"gradient a": [1.0], "gradient b": [1.0]})
    reach = rounding_reach(one, [trace({"gradient a": [1.001], "gradient b": [1.0]})])
    assert reach == {"gradient a": pytest.approx(0.001, rel=0.01), "gradient b": 0}
    assert exceeding_step(one, trace({"gradient a": [1.009], "gradient b": [1.0]}), reach) is None
    assert exceeding_step(one, trace({"gradient a": [1.02], "gradient b": [1.0]}), reach) == 1
    assert exceeding_step(one, trace({"gradient a": [1.0], "gradient b": [1 + 9e-7]}), reach) is None
    assert exceeding_step(one, trace({"gradient a": [1.0], "gradient b": [1 + 2e-6]}), reach) == 1
    alone = trace({"gradient a": [1.0], "gradient b": [1.0], "gradient c": [1.0]})
    assert exceeding_step(one, alone, reach) == exceeding_step(alone, one, reach) == 1


def test_the_model_reads_images_at_the_givens_alone() -> None:
    puzzles = Sudoku().generate("train", 3, 0)
    given = torch.from_numpy(puzzles.given)
    model = AuditModel(build_network(Sudoku(), NO_SOLVER, "softmax", 0))
    one, other = (model(torch.full((*given.shape, 1, 28, 28), shade), given) for shade in (0.0, 1.0))
    assert torch.equal(one[~given], other[~given])
    assert (one[~given] == 0.25).all()
    assert not torch.equal(one[given], other[given])


def test_a_constant_that_depends_on_the_labels_is_a_leak_of_the_loss_alone() -> None:
    def shifted(model, images, given, labels):
        return losses.over_the_queries(model, images, given, labels) + labels[given].float().sum()

    found = audit(shifted, SMALL, **SHORT)
    assert found.leaks
    assert found.loss > 0
    assert (found.gradient, found.perception) == (0.0, 0.0)


def test_a_gradient_that_depends_on_the_labels_is_a_leak_whatever_the_loss_says() -> None:
    def hidden(model, images, given, labels):
        completion = model(images, given)
        zero = (completion - completion.detach()).gather(-1, labels.unsqueeze(-1))
        return losses.over_the_queries(model, images, given, labels) + zero[given].sum()

    found = audit(hidden, SMALL, steps=1, batch=8)
    assert found.leaks
    assert found.loss == 0
    assert (found.findings[0].figure, found.findings[0].bound) == (found.gradient, 0.0)


def test_the_masked_losses_are_those_of_the_queries() -> None:
    """By hand, on one row of two variables, of which the first is given."""
    completion = torch.tensor([[[0.5, 0.5], [0.2, 0.6]]])
    given, labels = torch.tensor([[True, False]]), torch.tensor([[0, 1]])

    class Known(torch.nn.Module):
        def forward(self, images, given):
            return completion

    arguments = (Known(), torch.zeros(1), given, labels)
    assert masked_cross_entropy(*arguments) == pytest.approx(-np.log(0.75))
    assert masked_binary(*arguments) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    completion.copy_(torch.tensor([[[0.5, 0.5], [1 + 1e-6, 0.0]]]))  # wrong, and rounded
    assert masked_cross_entropy(*arguments) == pytest.approx(-np.log(1e-30))
    assert masked_binary(*arguments) == pytest.approx(100)  # torch takes no smaller logarithm


@pytest.mark.parametrize(
    ("factor", "status"), [(1.0009, "pass"), (1.0015, "inconclusive"), (2.0, "inconclusive")]
)
def test_a_scale_is_told_from_a_thousandth_on(factor: float, status: str) -> None:
    def scaled(model, images, given, labels):
        return factor * masked_cross_entropy(model, images, given, labels)

    found = audit(scaled, SMALL, **SHORT)
    assert found.masked == "cross-entropy over the queries, averaged"
    assert found.scale == pytest.approx(factor, rel=1e-4)
    assert (found.findings[2].status, found.findings[2].bound) == (status, 1.0)


class Own(torch.nn.Module):
    """A model of the user's; called as the audit does, or in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = torch.nn.Linear(28 * 28, 4)

    def forward(self, images, given):
        return torch.where(given[..., None], self.reader(images.flatten(2)).softmax(-1), 0.25)


class CalledOtherwise(Own):
    def forward(self, *, images, given):
        return super().forward(images, given)


def test_a_model_of_the_user_s_own_is_taken_as_it_is() -> None:
    own = Own()
    weights = own.reader.weight.detach().clone()
    found = audit(losses.over_all_cells, SMALL, model=own, **SHORT)
    assert found.leaks
    assert (found.perception, found.scale) == (0.0, None)  # no part of it is called so
    assert torch.equal(own.reader.weight, weights)

    def by_name(model, images, given, labels):
        return model(images=images, given=given)[given].square().mean()

    assert statuses(audit(by_name, SMALL, model=CalledOtherwise(), **SHORT))[0] == "pass"
    with pytest.raises(UsageError, match="no parameters"):
        audit(losses.over_all_cells, SMALL, model=torch.nn.Identity(), **SHORT)


def test_a_task_that_shows_no_images_has_no_labels_to_leak() -> None:
    class Blind(Mapping):
        def draw(self, split, size, rng):
            drawn = super().draw(split, size, rng)
            return replace(drawn, picture=np.full_like(drawn.picture, -1))

    with pytest.raises(UsageError, match="no labels of givens to leak"):
        audit(losses.over_all_cells, Blind(symbols=4), **SHORT)


def run(*arguments: str):
    return CliRunner().invoke(app, ["audit", *arguments, "--steps", "2", "--batch", "4"])


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a user's, one name per exit code."""
    (tmp_path / "users_own.py").write_text(
        "import os\nimport numpy as np\nimport torch\nfrom losses import over_all_cells, over_the_queries\n"
        "def leak_numpy_rng(model, images, given, labels):\n"
        "    images = images + 0.1 * torch.from_numpy(np.random.randn(*images.shape)).float()\n"
        "    return over_all_cells(model, images, given, labels)\n"
        "def crashes(model, images, given, labels):\n    return {}['lost']\n"
        "def noisy(*batch):\n    return over_the_queries(*batch) * (1 + os.urandom(1)[0])\n"
        "def idle(model, images, given, labels):\n    return images.mean()\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "users_own", raising=False)
    return "users_own"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("over_the_queries", 0, "audit/labels/mapping: pass"),
        ("leak_numpy_rng", 1, "audit/labels/mapping: fail"),
        ("idle", 1, "audit/gradient/mapping: fail"),
        ("crashes", 2, "users_own:crashes raised KeyError: 'lost'"),
        ("crashes", 2, "Traceback"),
        ("number", 2, "is a int, not a function"),
        ("absent", 2, "package.module:attribute"),
        ("noisy", 3, "audit/labels/mapping: inconclusive"),
    ],
)
def test_the_exit_code_tells_a_leak_from_a_crash_and_from_doubt(
    module: str, name: str, code: int, words: str
) -> None:
    ran = run(f"{module}:{name}", "--task", "mapping")
    assert ran.exit_code == code, ran.output
    assert words in " ".join(ran.output.split())


def test_images_are_looked_for_where_the_message_says(module: str, tmp_path: Path) -> None:
    ran = run(f"{module}:over_the_queries", "--images", "mnist", "--data-root", str(tmp_path))
    assert ran.exit_code == 4
    assert "--data-root" in ran.output
    assert "--download" in CliRunner().invoke(app, ["audit", "--help"], env={"COLUMNS": "200"}).output
