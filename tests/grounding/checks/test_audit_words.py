"""What an audit says of what it measured, and how it measures, on traces and codes that are written down."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks import audit as audit_module
from groundcheck.grounding.checks import audit_runs
from groundcheck.grounding.checks.audit import (
    NEGLIGIBLE,
    NOISE_ERROR,
    NOISY_PAIRS,
    Audit,
    _chance_of,
    _compare,
    audit,
    audit_checks,
)
from groundcheck.grounding.checks.audit_code import AuditBatch, AuditCrashError, AuditedCode, build_model
from groundcheck.grounding.checks.audit_masked import MASKED, PARALLEL, compare_scale
from groundcheck.grounding.checks.audit_movement import exceeding_step, largest_movements, whole_movement
from groundcheck.grounding.checks.audit_runs import Course, Rehearsal, Trace
from groundcheck.grounding.checks.finding import Finding

CLEAN = Audit("mapping", "none", 44, reached=True)


def said(check: str, found: Audit) -> Finding:
    return audit_checks[check].run(found)


LEAK = replace(
    CLEAN, movement="leak", loss=0.1, gradient=0.2, perception=0.3, answers=0.4, noise=0.5, first=1,
    variables=("a",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "through"),
    [
        ((), "through no single variable alone"),
        (("a",), "through 1 variable (a)"),
        (tuple("ab"), "through 2 variables (a, b)"),
        (tuple("abcd"), "through 4 variables (a, b, c, d)"),
        (tuple("abcde"), "through 5 variables (a, b, c, d, …)"),
    ],
)
@pytest.mark.parametrize(("first", "since"), [(None, ""), (1, ""), (2, ", from step 2 on")])
def test_a_leak_is_told_with_its_sizes_its_variables_and_its_first_step(
    variables: tuple[str, ...], through: str, first: int | None, since: str
) -> None:
    finding = said("labels", replace(LEAK, variables=variables, first=first))
    noise = "; the same labels move it by 0.5" if first is None else ""
    assert finding.reason == (
        "with other labels at the givens the loss moves by 0.1 and the gradient by 0.2 of its size "
        f"(perception's by 0.3), what the trained model answers by 0.4, {through}{since}{noise}"
    )
    assert (finding.status, finding.figure, finding.bound) == ("fail", 0.2, 0.0)


@pytest.mark.parametrize(
    ("movement", "status", "figure", "words"),
    [
        ("none", "pass", 0.0, "nothing moves by a bit with other labels at the givens in 44 steps"),
        ("rounding", "pass", 0.2, "the gradient moves by 0.2, as rounding moves it (0.5), in 44 steps"),
        (
            "noise",
            "inconclusive",
            0.2,
            "the same labels move the gradient by 0.5 of its size and other labels by 0.2",
        ),
    ],
)
def test_what_is_no_leak_is_told_as_what_it_is(movement: Any, status: str, figure: float, words: str) -> None:
    found = replace(LEAK, movement=movement)
    finding = said("labels", found)
    assert (finding.status, finding.figure, finding.bound) == (status, figure, 0.0)
    assert words in finding.reason
    if status == "pass":
        assert "a leak in one step of ten is missed with probability 0.01" in finding.reason
        assert said("labels", replace(found, reached=False)).status == "skip"
        assert "probability 0.1" in said("labels", replace(found, steps=22)).reason
    else:
        assert said("labels", replace(found, reached=False)).status == status
    assert not found.leaks


def test_a_gradient_that_reaches_nothing_fails() -> None:
    assert said("gradient", CLEAN).status == "pass"
    assert said("gradient", replace(CLEAN, reached=False)).status == "fail"


@pytest.mark.parametrize(
    ("scale", "status"),
    [(None, "skip"), (1.0009, "pass"), (0.9991, "pass"), (1.0011, "inconclusive"), (0.9989, "inconclusive")],
)
def test_a_scale_is_one_within_a_thousandth(scale: float | None, status: str) -> None:
    finding = said("scale", replace(CLEAN, scale=scale, masked="the masked one"))
    assert finding.status == status
    if scale is not None:
        assert (finding.figure, finding.bound) == (scale, 1.0)
        assert finding.reason.endswith("times that of the masked one")
    assert said("scale", replace(LEAK, scale=1.0)).status == "skip"


def test_chance_is_that_of_a_fair_coin() -> None:
    assert [_chance_of(k, 3) for k in range(4)] == [1.0, 7 / 8, 4 / 8, 1 / 8]
    assert _chance_of(10, 10) < 1e-3 < _chance_of(9, 9)


class Rehearsed(Rehearsal):
    """A rehearsal of written traces: of the true labels, of others, and of nudges of the last bits."""

    labels: Any = "true"

    def __init__(self, reach: float = 0.0, **moved: float) -> None:
        self.task: Any = Mapping(symbols=3)
        self.given = torch.tensor([[True, False]])
        self.moved, self.reach = moved, reach
        self.ran: list[tuple[Course, str, int]] = []
        self.repeats = True

    def other_labels(self, seed: int, variable: int | None = None) -> Any:
        return f"other {variable}"

    def run(
        self, course: Course, labels: Any, *, keep: bool = False, nudge: int = 0, code: object = None
    ) -> Trace:
        self.ran.append((course, labels, nudge))
        size = 0.0 if labels == "true" else self.moved.get("gradient", 0.0)
        loss = 0.0 if labels == "true" else self.moved.get("loss", 0.0)
        steps = [
            {"gradient a": np.array([1.0 + (size if n + 1 >= self.moved.get("since", 1) else 0)
                                     + self.reach * nudge / 3]),
             "loss": np.array([1.0 + loss])}
            for n in range(course.steps)
        ]  # fmt: skip
        digest = repr(steps).encode() if self.repeats else repr(len(self.ran)).encode()
        return Trace((digest,), True, (*steps, {"answers": np.ones(1)}) if keep else ())


COURSES = [Course(0, 4, 2), Course(1, 4, 2)]


def test_what_moves_by_no_bit_is_compared_to_the_end() -> None:
    rehearsed = Rehearsed()
    found = _compare(rehearsed, COURSES)
    assert (found.movement, found.steps, found.reached, found.gradient) == ("none", 8, True, 0.0)
    assert len(rehearsed.ran) == 4


def test_what_moves_further_than_ten_times_rounding_is_a_leak_from_its_first_step() -> None:
    moved = Rehearsed(gradient=0.3, since=3)
    found = _compare(moved, COURSES)
    assert (found.movement, found.first) == ("leak", 3)
    assert len(found.variables) == 1
    alone = [course.steps for course, labels, _ in moved.ran if labels not in ("true", "other None")]
    assert alone == [3]  # no further than it takes to see it
    assert found.gradient == pytest.approx(0.3 / 1.3)
    assert found.noise == 0.0


@pytest.mark.parametrize(
    ("moved", "reach", "movement"),
    [
        (9e-7, 0.0, "rounding"),
        (2e-6, 0.0, "leak"),
        (9e-6, 1e-6, "rounding"),
        (1.1e-5, 1e-6, "leak"),
        (0.9e-4, 1e-4, "rounding"),
        (1.1e-4, 1e-4, "noise"),  # rounding explains it, and it could hide a leak
    ],
)
def test_rounding_is_told_from_a_leak_and_from_what_could_hide_one(
    moved: float, reach: float, movement: str
) -> None:
    rehearsed = Rehearsed(gradient=moved, reach=reach)
    found = _compare(rehearsed, COURSES)
    assert found.movement == movement
    assert found.noise == pytest.approx(reach, rel=1e-3)
    if movement == "rounding":
        assert {course.seed for course, _, _ in rehearsed.ran} == {0, 1}  # the next course is run as well
    nudges = {nudge for _, _, nudge in rehearsed.ran}
    assert nudges == {0, 1, 2, 3}


def test_a_training_that_does_not_repeat_itself_is_held_against_its_own_noise() -> None:
    moved = Rehearsed(gradient=0.3)
    moved.repeats = False
    found = _compare(moved, COURSES)
    assert (found.movement, found.first, found.variables) == ("leak", None, ())
    still = Rehearsed()
    still.repeats = False
    quiet = _compare(still, COURSES)
    assert (quiet.movement, quiet.gradient) == ("rounding", 0.0)
    pairs = {course.seed for course, _, _ in still.ran if course.steps} - {0, 1}
    assert len({c.seed for c, _, _ in still.ran}) >= NOISY_PAIRS
    assert max(pairs) == NOISY_PAIRS == 24
    pair = [(c.steps, labels) for c, labels, _ in still.ran if c.seed == NOISY_PAIRS]
    assert sorted(pair) == [(4, "other None"), (4, "true"), (4, "true")]
    assert pair[0] == (4, "true")
    tenth = {course.seed for course, _, _ in moved.ran}
    assert max(tenth) == 10  # a coin falls ten times on one side less than once in a thousand times
    assert NEGLIGIBLE == 1e-4


def trace(*steps: dict[str, list[float]]) -> Trace:
    return Trace((), True, tuple({name: np.array(v) for name, v in step.items()} for step in steps))


def test_movements_are_the_largest_of_all_steps_in_either_direction() -> None:
    small, large = {"gradient a": [1.0], "move b": [5.0]}, {"gradient a": [2.0], "move b": [1.0]}
    one, other = trace(small, small, small), trace(small, large, small)
    assert largest_movements(one, other) == {"gradient a": 0.5, "move b": 0.8}
    assert largest_movements(other, one) == {"gradient a": 0.5, "move b": 0.8}
    assert whole_movement(one, other) == whole_movement(other, one) == 0.5  # gradients go before moves
    assert whole_movement(trace({"move b": [5.0]}), trace({"move b": [1.0]})) == 0.8
    assert whole_movement(one, other, "move") == 0.8
    assert exceeding_step(one, other, {}) == 2
    assert exceeding_step(one, other, {"gradient a": 0.051, "move b": 0.081}) is None
    assert exceeding_step(one, other, {"gradient a": 0.049, "move b": 0.081}) == 2
    assert exceeding_step(one, other, {"gradient a": 0.051, "move b": 0.079}) == 2
    both = trace({"gradient a": [3.0], "gradient b": [0.0, 4.0]})
    turned = trace({"gradient a": [3.0], "gradient b": [4.0, 0.0]})
    assert whole_movement(both, turned) == pytest.approx(np.sqrt(32) / 5)
    assert whole_movement(trace({"gradient a": [np.inf]}), trace({"gradient a": [np.inf]})) == 0
    assert whole_movement(trace({"gradient a": [np.inf]}), trace({"gradient a": [1.0]})) == np.inf


class Parallel(Rehearsal):
    """One step whose gradient is known, of a user's loss and of the masked ones."""

    labels: Any = None

    def __init__(self, own: list[float], more: str = "", **masked: list[float]) -> None:
        self.own, self.masked, self.more = own, masked, more

    def run(
        self,
        course: Course,
        labels: Any,
        *,
        keep: bool = False,
        nudge: int = 0,
        code: AuditedCode | None = None,
    ) -> Trace:
        name = "own" if code is None else "binary" if code.name.startswith("binary") else "cross"
        gradient = self.own if code is None else self.masked[name]
        more = {"gradient z": [0.0]} if name == self.more else {}
        return trace({"gradient a": gradient, "loss": [99.0 if code else 1.0], **more})


@pytest.mark.parametrize(
    ("own", "binary", "cross", "scale", "named"),
    [
        ([3.0, 4.0], [3.0, -4.0], [6.0, 8.0], 0.5, "cross"),
        ([6.0, 8.0], [3.0, 4.0], [8.0, 6.0], 2.0, "binary"),
        ([6.0, 8.0], [3.0, 4.1], [3.0, 4.0], 2.0, "cross"),  # the nearest of two
        ([6.0, 8.0], [3.0, 4.0], [3.0, 4.1], 2.0, "binary"),
        ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0], None, ""),
        ([0.0, 0.0], [0.0, 1.0], [1.0, 1.0], None, ""),
        ([1.0, 0.0], [0.0, 0.0], [0.0, 0.0], None, ""),
        ([1.0, 0.0], [1.0, 0.0446], [0.0, 1.0], 1 / np.hypot(1, 0.0446), "binary"),  # cosine 0.99901
        ([1.0, 0.0], [1.0, 0.0449], [0.0, 1.0], None, ""),  # 0.99899
        ([1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], None, ""),
    ],
)
def test_a_gradient_is_a_multiple_of_the_masked_loss_that_is_most_nearly_parallel(
    own: list[float], binary: list[float], cross: list[float], scale: float | None, named: str
) -> None:
    found, name = compare_scale(Parallel(own, binary=binary, cross=cross), Course(0, 1, 1))
    assert found == (None if scale is None else pytest.approx(scale))
    assert name.startswith(named)
    assert bool(name) == bool(named)
    assert PARALLEL == 0.999
    assert [key.split("-")[0].split(" ")[0] for key in MASKED] == ["binary", "cross"]


def test_a_gradient_of_other_parameters_is_no_multiple() -> None:
    other = Parallel([3.0], binary=[3.0], cross=[3.0], more="cross")
    assert compare_scale(other, Course(0, 1, 1)) == (None, "")


@pytest.mark.parametrize("settings", [{"steps": 0}, {"batch": 0}, {"steps": -1}])
def test_an_audit_takes_a_step_and_a_row_at_least(settings: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="an audit takes 1 or more of each"):
        audit(lambda model, images, given, labels: 0, Mapping(symbols=3), **settings)


@pytest.mark.parametrize(("shape", "seen"), [((1, 28, 28), 49), ((3, 8, 6), 3 * 8 * 6), ((1, 15, 30), 7 * 7)])
def test_the_small_model_reads_means_over_windows(shape: tuple[int, int, int], seen: int) -> None:
    model = build_model(Mapping(symbols=3), 0, shape)
    [reader, last] = model.network.perception  # type: ignore[misc]
    assert (reader[2].in_features, last.out_features) == (seen, 3)
    images = torch.rand(2, 2, *shape)
    answered = model(images, torch.tensor([[True, False]] * 2))
    assert answered.shape == (2, 2, 3)
    again, other = build_model(Mapping(symbols=3), 0, shape), build_model(Mapping(symbols=3), 1, shape)
    weights = [m.network.perception[1].weight for m in (model, again, other)]  # type: ignore[index]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def called(function: Any, **parameters: Any) -> tuple[Any, nn.Linear]:
    model = nn.Linear(2, 1, bias=False)
    nn.init.ones_(model.weight)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    batch = AuditBatch(
        torch.ones(1, 1, 1, 1, 2), torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.long)
    )
    return AuditedCode.of(function).call(model, optimiser, batch), model


def test_a_loss_is_averaged_and_followed_downhill() -> None:
    mean, model = called(
        lambda model, images, given, labels: torch.cat([model(images).flatten(), torch.zeros(1)])
    )
    assert (float(mean), mean.requires_grad) == (1.0, False)
    assert model.weight.detach().tolist() == [[0.75, 0.75]]
    detached, still = called(lambda model, images, given, labels: model(images).mean().detach())
    assert (float(detached), still.weight.detach().tolist()) == (2.0, [[1.0, 1.0]])

    def step(model: nn.Module, optimiser: torch.optim.Optimizer, batch: AuditBatch) -> int:
        model(batch.images).sum().backward()
        optimiser.step()
        return 7

    nothing, stepped = called(step)
    assert (nothing, stepped.weight.detach().tolist()) == (None, [[0.5, 0.5]])


def backward_by_itself(model: nn.Module, images: Any, given: Any, labels: Any) -> Any:
    model.register_parameter("unused", nn.Parameter(torch.ones(())))
    loss = model(images).sum()
    loss.backward()
    return loss.detach()


def raising(text: str) -> None:
    raise RuntimeError(text)


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda model, images, given, labels: images.sum() / 0 * 0, UsageError, "returned nan"),
        (lambda model, images, given, labels: labels, UsageError, "returned Tensor tensor"),
        (backward_by_itself, UsageError, r"backward_by_itself calls backward\(\) itself"),
        (lambda model, images, given, labels: "x" * 99, UsageError, "returned str 'xxxxx"),
        (lambda model, images, given, labels: 1 / 0, AuditCrashError, "raised ZeroDivisionError: div"),
        (lambda model, images, given, labels: raising("no CUDA here"), UsageError, "for a GPU"),
        (lambda model, images, given, labels: raising("NVIDIA"), UsageError, r"\(NVIDIA\)"),
        (lambda model, images, given, labels: raising("a  b\n c"), AuditCrashError, "a b c$"),
    ],
)  # fmt: skip
def test_what_a_code_does_instead_is_told(function: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as told:
        called(function)
    assert f"{function.__name__} " in str(told.value)
    assert "\n" not in str(told.value)


def test_boards_leak_through_the_variables_that_are_given() -> None:
    board = Sudoku()
    rehearsed = Rehearsed(gradient=0.3)
    rehearsed.task = board
    rehearsed.given = torch.zeros(2, 16, dtype=torch.bool)
    rehearsed.given[1, [3, 15]] = True
    found = _compare(rehearsed, COURSES[:1])
    assert found.variables == (board.problem.variables[3], board.problem.variables[15])


def test_a_nudge_moves_every_number_by_its_last_bit_up_or_down() -> None:
    values = torch.linspace(0.5, 2.0, 4000)
    for dtype in (torch.float32, torch.float64):
        plain = values.to(dtype)
        moved = audit_runs._nudged(plain, 1) / plain - 1
        step = torch.finfo(dtype).eps
        assert (moved.abs() - step).abs().max() < 0.6 * step
        assert 0.45 < float((moved > 0).double().mean()) < 0.55
        assert not torch.equal(audit_runs._nudged(plain, 1), audit_runs._nudged(plain, 2))
    whole = torch.arange(3)
    assert audit_runs._nudged(whole, 1) is whole


def test_a_traceback_begins_in_the_code_that_raised() -> None:
    with pytest.raises(AuditCrashError) as told:
        called(lambda model, images, given, labels: raising("lost"))
    assert "audit_code.py" not in told.value.traceback
    assert "in raising" in told.value.traceback

    class Typed:
        def __call__(self, model: nn.Module, images: Any, given: Any, labels: Any, /) -> None:
            raise ValueError("lost")

    with pytest.raises(AuditCrashError) as told:
        called(Typed())
    assert "in __call__" in told.value.traceback


def test_a_quantity_that_one_training_alone_has_moves_as_a_whole() -> None:
    bare, more = trace({"gradient a": [1.0]}), trace({"gradient a": [1.0], "gradient b": [2.0]})
    for one, other in ((bare, more), (more, bare)):
        assert whole_movement(one, other) == pytest.approx(2 / np.sqrt(5))
        assert largest_movements(one, other) == {"gradient a": 0.0, "gradient b": 1.0}
        assert exceeding_step(one, other, {}) == 1


def test_a_step_is_told_by_its_second_argument_whatever_follows() -> None:
    def step(model: nn.Module, optimiser: Any, *batch: Any) -> None:
        """Two names are enough."""

    assert AuditedCode.of(step).kind == "step"
    assert AuditedCode.of(lambda model, *rest: 0).kind == "loss"
    assert AuditedCode.of(lambda *rest: 0).kind == "loss"


def test_noise_that_shows_in_the_gradient_alone_could_hide_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "_chance_of", lambda farther, pairs: 1.0)
    moved = Rehearsed(gradient=0.3)
    moved.repeats = False
    assert _compare(moved, COURSES).movement == "noise"
    at_bound = Rehearsed()
    at_bound.repeats = False
    monkeypatch.setattr(audit_module, "_measure", lambda found, *_: replace(found, gradient=NEGLIGIBLE))
    assert _compare(at_bound, COURSES).movement == "rounding"
    monkeypatch.setattr(audit_module, "_chance_of", lambda farther, pairs: NOISE_ERROR)
    assert _compare(at_bound, COURSES).movement == "rounding"  # as unlikely as that is not enough
