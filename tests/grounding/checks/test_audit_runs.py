"""Short trainings of audited code: what each starts from, what is noted, and which labels are put in."""

import random
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks import audit as audit_module
from groundcheck.grounding.checks import audit_runs
from groundcheck.grounding.checks.audit import Audit, _measure, audit
from groundcheck.grounding.checks.audit_code import AuditCrashError, AuditedCode, AuditModel, build_model
from groundcheck.grounding.checks.audit_masked import masked_cross_entropy
from groundcheck.grounding.checks.audit_runs import Course, Rehearsal, Trace
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.seeding import seeded_generators

TASK = Mapping(symbols=4).drawn(0)
CAN_FORK = audit_runs.can_fork
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


def test_a_fault_of_ours_in_a_child_is_told_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AuditCrashError, match="ended without a word, with exit code 0"):
        audit_runs.in_child(lambda: lambda: None)  # no pickle holds that
    assert "lambda" in capfd.readouterr().err
    for error in (UsageError("as it was"), AuditCrashError("as it was", "trace")):
        with pytest.raises(type(error), match="as it was"):
            audit_runs.in_child(lambda error=error: raised(error))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert audit_runs.in_child(lambda: (torch.get_num_threads(), "said")) == (1, "said")
    finally:
        torch.set_num_threads(threads)


def raised(error: Exception) -> None:
    raise error


def test_every_step_shows_its_own_gradient() -> None:
    def flat(model: nn.Module, images: Tensor, given: Tensor, labels: Tensor) -> Tensor:
        return sum(p.sum() for p in model.parameters()) + 0 * model(images, given).sum()

    for step in run(flat, steps=3, keep=True).steps[:3]:
        assert all((g == 1).all() for name, g in step.items() if name.startswith("gradient "))


def test_a_model_without_parameters_cannot_be_trained() -> None:
    with pytest.raises(UsageError, match="the model has no parameters"):
        rehearsal(masked, model=nn.Flatten())


def test_numbers_are_kept_in_float64_where_they_are() -> None:
    kept = {dtype: audit_runs._array(torch.ones(2, dtype=dtype)).dtype for dtype in (
        torch.float64, torch.float32, torch.float16, torch.int64)}  # fmt: skip
    assert list(kept.values()) == [np.float64, np.float32, np.float32, np.float32]


def test_a_scale_is_looked_for_with_the_small_model_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Course] = []
    monkeypatch.setattr(
        audit_module, "compare_scale", lambda _, course: (asked.append(course), (2.0, "x"))[1]
    )
    clean = Audit("mapping", "none", 1, reached=True)
    monkeypatch.setattr(audit_module, "_compare", lambda *_: clean)
    assert (audit(masked, TASK, steps=1, batch=4).scale, asked) == (2.0, [Course(0, 1, 4)])
    own = audit(masked, TASK, steps=1, batch=4, model=build_model(TASK, 0, BANK.shape))
    step = audit(lambda model, optimiser, batch: None, TASK, steps=1, batch=4)
    monkeypatch.setattr(audit_module, "_compare", lambda *_: replace(clean, movement="leak"))
    leak = audit(masked, TASK, steps=1, batch=4)
    assert [found.scale for found in (own, step, leak)] == [None, None, None]
    assert len(asked) == 1


def test_where_autograd_fails_in_a_fork_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Tensor) -> None:
        raise RuntimeError("threads of a GPU")

    assert CAN_FORK() == (sys.platform == "linux")
    monkeypatch.setattr(Tensor, "backward", broken)
    assert not CAN_FORK()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not CAN_FORK()


def test_images_stand_at_every_given_whatever_their_number() -> None:
    made = Rehearsal(AuditedCode.of(masked, None), TASK, BANK, build_model(TASK, 0, BANK.shape), 100, 0)
    assert torch.equal(made.images.flatten(2).any(-1), made.given)


def test_one_variable_alone_is_relabelled_on_boards() -> None:
    board = Sudoku()
    made = rehearsal(masked, board, build_model(board, 0, BANK.shape))
    moved = made.other_labels(0, 5) != made.labels
    assert torch.equal(moved[:, 5], made.given[:, 5])
    assert moved.sum() == made.given[:, 5].sum() > 0
    assert (made.other_labels(0) != made.labels).sum() == made.given.sum()


def test_courses_are_three_and_a_short_one_of_large_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[Course]] = []
    found = Audit("mapping", "leak", 1, reached=True)
    assert (found.loss, found.gradient, found.perception, found.answers, found.noise) == (0, 0, 0, 0, 0)
    monkeypatch.setattr(audit_module, "_compare", lambda _, courses: (asked.append(courses), found)[1])
    for steps in (3, 9):
        audit(masked, TASK, steps=steps, batch=4, seed=7)
    assert asked == [
        [Course(7, n, 4), Course(8, n, 4), Course(9, n, 4), Course(10, min(n, 4), 32)] for n in (3, 9)
    ]


def test_generators_are_seeded_whatever_was_drawn_before() -> None:
    drawn = []
    for _ in range(2):
        torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002
        with seeded_generators(3):
            drawn.append((float(torch.rand(())), np.random.rand(), random.random()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_a_model_that_a_fork_inherits_starts_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_runs, "in_child", lambda work: work())
    seen: list[bool] = []

    def step(model: nn.Module, optimiser: torch.optim.Optimizer, batch: Any) -> None:
        seen.append(all(p.grad is None for p in model.parameters()))

    made = rehearsal(step)
    made.forks = True
    for parameter in made.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    made.run(Course(0, 1, 4), made.labels)
    assert seen == [True]


def test_a_digest_tells_names_apart_and_not_their_order() -> None:
    one, two = np.ones(2, dtype=np.float32), np.zeros(2, dtype=np.float32)
    assert audit_runs._digest({"a": one}) != audit_runs._digest({"b": one})
    assert audit_runs._digest({"a": one, "b": two}) == audit_runs._digest({"b": two, "a": one})


def test_the_first_picture_of_a_symbol_is_shown_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    puzzles = TASK.generate("train", 32, seed=0)
    first = replace(puzzles, picture=np.where(puzzles.picture >= 0, 0, -1).astype(puzzles.picture.dtype))
    monkeypatch.setattr(Mapping, "generate", lambda *_, **__: first)
    made = rehearsal(masked)
    assert torch.equal(made.images.flatten(2).any(-1), made.given)


def test_a_small_model_is_the_same_for_a_seed_and_reads_each_image_where_it_stands() -> None:
    built: list[Any] = []
    for before in (3, 4):
        torch.manual_seed(before)
        built.append(build_model(TASK, 7, BANK.shape))
    assert all(map(torch.equal, *(model.state_dict().values() for model in built)))
    read: list[Any] = []
    network = SimpleNamespace(
        beliefs=lambda batch: (read.append(batch), torch.zeros(2, 2, 4))[1],
        solver=lambda beliefs, given: beliefs,
    )
    given = torch.tensor([[True, False], [True, True]])
    images = torch.arange(4.0).view(2, 2, 1, 1, 1).expand(2, 2, *BANK.shape)
    AuditModel.forward(SimpleNamespace(network=network), images, given)  # type: ignore[arg-type]
    shown, place, *_ = (getattr(read[0], name) for name in type(read[0]).__dataclass_fields__)
    assert shown[:, 0, 0, 0].tolist() == [0.0, 2.0, 3.0]
    assert place.tolist() == [[0, -1], [1, 2]]


def test_unless_it_is_said_nothing_moved() -> None:
    bare = Audit("t", "none", 1, reached=False)
    assert (bare.loss, bare.gradient, bare.perception, bare.answers, bare.noise) == (0, 0, 0, 0, 0)
    assert (bare.first, bare.variables, bare.scale, bare.masked, bare.leaks) == (None, (), None, "", False)


@pytest.mark.parametrize(("gradient", "movement"), [(1e-4, "rounding"), (1.01e-4, "noise")])
def test_a_gradient_beyond_the_bound_is_noise(
    gradient: float, movement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rehearsal(masked)

    def run(course: Course, labels: Tensor, **_: Any) -> Trace:
        return Trace((bytes([labels is made.labels]),), True, ())

    monkeypatch.setattr(made, "run", run)
    for name, value in (("rounding_reach", {}), ("whole_movement", 0.0), ("exceeding_step", None)):
        monkeypatch.setattr(audit_module, name, lambda *_, value=value: value)
    monkeypatch.setattr(audit_module, "_measure", lambda found, *_: replace(found, gradient=gradient))
    assert audit_module._compare(made, [Course(0, 1, 4)]).movement == movement


def test_findings_are_no_part_of_what_moved() -> None:
    bare = Audit("t", "none", 1, reached=False)
    told = Finding("audit", "pass", "why")
    assert replace(bare, findings=[told]) == bare


def test_every_size_stays_the_largest() -> None:
    def trace(value: float) -> Trace:
        names = ("loss", "gradient perception.a", "answers")
        return Trace((), True, ({name: np.array([value]) for name in names},))

    large = _measure(Audit("t", "none", 1, True), trace(1.0), trace(2.0), 0.5)
    small = _measure(large, trace(1.0), trace(1.0), 0.1)
    sizes = [(f.loss, f.gradient, f.perception, f.answers, f.noise) for f in (large, small)]
    assert sizes[0] == sizes[1]
    assert min(sizes[0]) > 0.4
