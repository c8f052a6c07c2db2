"""Solvers with a fault of a known size in a known place: the figure is that size, and the bound holds."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.foreknowledge_checks import (
    ROWS_PER_STEP,
    STEPS,
    Renaming,
    _learned,
    _preference,
    _share_right,
    _standard_error,
    other_rules,
)
from groundcheck.grounding.checks.contract.noise import DRAWS, movement, sign_flip_test
from groundcheck.grounding.checks.contract.subject import ROWS, Sample, Subject
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.trials.answers import CHUNK
from groundcheck.grounding.trials.spec import SolverSpec

TASK = Mapping(symbols=4)
Spoil = Callable[[nn.Module, Tensor, Tensor], Any]


class Known(nn.Module):
    """Believes half of what it is told of the first variable, of every variable; `more` is added to that."""

    more: ClassVar[Spoil] = staticmethod(lambda solver, beliefs, given: 0.0)
    more_loss: ClassVar[Spoil] = staticmethod(lambda solver, beliefs, given: 0.0)

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        believed = (0.5 * self.weight * beliefs[:, :1]).expand_as(beliefs)
        return believed + type(self).more(self, beliefs, given)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return self.weight - beliefs[:, 0, 0] + type(self).more_loss(self, beliefs, given)


def found(check: str, task: Any = TASK, **members: Any) -> Finding:
    wrapped = {name: staticmethod(part) if callable(part) else part for name, part in members.items()}
    return contract[check].run(Subject(SolverSpec.of(type("Spoilt", (Known,), wrapped)), task, batch=12))


def at(row: int, value: float, rows: int) -> Tensor:
    """A value in one row, counted from the end where it is negative."""
    found = torch.zeros(rows)
    found[row] = value if rows > 1 else 0.0
    return found


@pytest.mark.parametrize(("size", "status"), [(0.9e-4, "pass"), (1.1e-4, "fail")])
@pytest.mark.parametrize("row", [0, -1])
def test_the_first_and_the_last_row_are_passed_by_themselves_as_well(
    row: int, size: float, status: str
) -> None:
    rows = found("rows", more=lambda s, b, g: at(row, size, len(b)).view(-1, 1, 1))
    losses = found("loss-rows", more_loss=lambda s, b, g: at(row, size, len(b)))
    for checked in (rows, losses):
        assert (checked.status, checked.bound) == (status, 1e-4)
        assert checked.figure == pytest.approx(size, rel=0.02)


@pytest.mark.parametrize("rows", [ROWS, 12, CHUNK])
def test_a_fault_at_one_size_of_batch_is_found_and_the_size_named(rows: int) -> None:
    """A few rows, as many as training hands over, as many as scoring does."""

    def then(value: Any) -> Spoil:
        return lambda s, b, g: value(s, b, g) if len(b) == rows else 0.0

    for check in ("rows", "queries", "modes", "deterministic", "state"):
        spoil = {
            "rows": then(lambda s, b, g: 0.25 * torch.arange(len(b)).view(-1, 1, 1)),
            "queries": then(
                lambda s, b, g: 0.25 * b.masked_fill(g.unsqueeze(-1), 0).sum((1, 2), keepdim=True)
            ),
            "modes": then(lambda s, b, g: 0.25 * s.training),
            "deterministic": then(lambda s, b, g: 0.25 * counted(s)),
            "state": then(lambda s, b, g: 0.25 * unsaved(s)),
        }[check]
        checked = found(check, more=spoil)
        assert checked.status == "fail", check
        if check != "deterministic":
            assert f", of {rows} rows" in checked.reason
    losses = found("loss-rows", more_loss=then(lambda s, b, g: 0.25 * torch.ones(len(b))))
    assert f", of {rows} rows in evaluation" in losses.reason
    assert losses.status == "fail"


def counted(solver: nn.Module) -> int:
    solver.calls = getattr(solver, "calls", 0) + 1  # type: ignore[assignment]
    return int(solver.calls)  # type: ignore[arg-type]


def unsaved(solver: nn.Module) -> float:
    """Something that two solvers do not share and that their state does not hold."""
    return float(id(solver) % 1009)


def test_a_loss_that_differs_in_training_alone_is_found_unless_it_is_declared() -> None:
    spoil = lambda s, b, g: 0.25 * (len(b) > 1) * s.training  # noqa: E731
    checked = found("loss-rows", more_loss=spoil)
    assert (checked.status, checked.figure) == ("fail", pytest.approx(0.25, rel=0.1))
    assert " in training" in checked.reason
    assert found("loss-rows", more_loss=spoil, differs_in_training=True).status == "pass"


@pytest.mark.parametrize(("size", "status"), [(0.9e-4, "pass"), (1.1e-4, "fail")])
def test_modes_may_differ_by_rounding(size: float, status: str) -> None:
    checked = found("modes", more=lambda s, b, g: size * s.training)
    assert (checked.status, checked.figure) == (status, pytest.approx(size, rel=0.02))
    declared = found("modes", more=lambda s, b, g: size * s.training, differs_in_training=True)
    assert declared.status == ("fail" if status == "pass" else "pass")
    lossy = found("modes", more_loss=lambda s, b, g: size * s.training, differs_in_training=True)
    assert lossy.status == declared.status
    assert (declared.figure, declared.bound) == (0.0, 1e-4)
    assert declared.reason.endswith(", as it declares") == (status == "fail")


def test_a_seed_decides_what_is_built() -> None:
    class Unseeded(Known):
        built = 0

        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            type(self).built += 1
            self.weight.data += 0.125 * type(self).built

    checked = contract["seed"].run(Subject(SolverSpec.of(Unseeded), TASK))
    assert (checked.status, checked.bound) == ("fail", 0.0)
    assert checked.figure is not None
    assert 0.03 < checked.figure <= 0.0625
    assert found("seed").status == "pass"


def test_what_is_outside_of_the_range_is_measured_on_either_side() -> None:
    for beyond in (2.0, -2.0):
        checked = found("range", more=lambda s, b, g, beyond=beyond: beyond)
        assert checked.status == "fail"
        assert checked.figure is not None
        assert 1 < checked.figure <= 2
    assert found("range").figure == 0


def test_one_row_that_is_not_finite_is_counted() -> None:
    for wrong in (torch.nan, torch.inf, -torch.inf):
        checked = found("finite", more=lambda s, b, g, wrong=wrong: at(-1, wrong, len(b)).view(-1, 1, 1))
        assert (checked.status, checked.figure) == ("fail", 1e-3)
        assert checked.reason == "1 of 1000 rows are not finite"
    assert found("finite").reason == "all of 1000 rows are finite"
    lost = found("loss", more_loss=lambda s, b, g: at(-1, torch.nan, len(b)))
    assert (lost.status, lost.figure, lost.bound) == ("fail", 1 / 8, 0.0)
    assert lost.reason == "the loss of 1 of 8 rows is not finite"


def noisy(size: float, shift: float, seed: int) -> Callable[[int], Tensor]:
    def draw(number: int) -> Tensor:
        rng = torch.Generator().manual_seed(1000 * seed + number)
        return shift + size * torch.randn(3, generator=rng)

    return draw


@pytest.mark.parametrize(
    ("shift", "figure", "draws"), [(5.0, 5.0, DRAWS[0]), (0.0, 0.0, None), (0.8, 0.8, None)]
)
def test_what_moves_by_more_than_noise_is_measured_and_noise_is_none(
    shift: float, figure: float, draws: int | None
) -> None:
    moved = movement(noisy(1.0, 0.0, 1), noisy(1.0, shift, 2), noisy=True)
    assert moved.figure == (0.0 if not figure else pytest.approx(figure, abs=0.9))
    assert moved.draws in ((draws,) if draws else DRAWS)
    assert moved.words == f" (means of {moved.draws} draws, beyond their noise)"
    seed = lambda number: torch.tensor([float(number)])  # noqa: E731
    assert movement(seed, seed, noisy=False).figure == 0  # both sides start from one state
    once = movement(noisy(0.0, 0.0, 1), noisy(0.0, shift, 2), noisy=False)
    assert (once.figure, once.draws, once.words) == (pytest.approx(shift), 1, "")


def test_a_mean_within_the_tolerance_is_none_whatever_the_noise() -> None:
    exact = lambda value: lambda _: torch.full((2,), value)  # noqa: E731
    assert movement(exact(0.0), exact(0.5), noisy=True, tolerance=0.5).figure == 0.5
    assert movement(exact(0.0), exact(0.5), noisy=True, tolerance=0.5).draws == DRAWS[0]
    assert movement(exact(0.0), exact(0.5), noisy=True, tolerance=0.49).figure == 0.5
    assert movement(exact(torch.nan), exact(0.5), noisy=True).figure == np.inf
    assert movement(exact(torch.nan), exact(torch.nan), noisy=True).figure == 0.0
    nothing = lambda _: torch.zeros(0)  # noqa: E731
    assert movement(nothing, nothing, noisy=True).figure == 0.0


def test_what_drifts_with_every_call_lies_on_either_side_in_turn() -> None:
    calls = []

    def drifting(_: int) -> Tensor:
        calls.append(1)
        return torch.tensor([float(len(calls))])

    assert movement(drifting, drifting, noisy=True).figure == 0.0


@pytest.mark.parametrize("count", [4, 6])
def test_signs_are_as_likely_as_their_opposites(count: int) -> None:
    """All differences alike: as large a mean comes of two of all 2ⁿ signs."""
    chance = sign_flip_test(np.ones((count, 3)))
    assert chance == pytest.approx(2 * 0.5**count, rel=0.15)
    assert sign_flip_test(np.zeros((count, 3))) == 1.0
    apart = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert sign_flip_test(apart) == 1.0


def sample_of(answer: list[list[int]], given: list[list[bool]]) -> Sample:
    known, rows = torch.tensor(given), torch.tensor(answer)
    symbols = int(rows.max()) + 1
    return Sample(torch.full((*rows.shape, symbols), 1 / symbols), known, rows.masked_fill(known, -1))


def test_shares_and_preferences_are_counted_query_by_query() -> None:
    rng = np.random.default_rng(0)
    answer, given = rng.integers(0, 3, (40, 3)), rng.random((40, 3)) < 0.4
    answer[0, 0] = 2
    given[0, 0] = False
    sample = sample_of(answer.tolist(), given.tolist())
    completion = torch.from_numpy(rng.random((40, 3, 3)))
    completion[rng.random((40, 3, 3)) < 0.1] = 0.25  # ties
    legal = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
    right = [
        int(completion[r, v].argmax()) == answer[r, v] for r in range(40) for v in range(3) if not given[r, v]
    ]
    assert _share_right(completion, sample) == pytest.approx(np.mean(right))
    logs = completion.log().numpy()
    wins = []
    for v in range(3):
        rows = [r for r in range(40) if not given[r, v]]
        usual = logs[rows, v].mean(0)
        for r in rows:
            level = logs[r, v] - usual
            for k in range(3):
                if k != answer[r, v] and legal[v, k]:
                    gap = level[answer[r, v]] - level[k]
                    wins.append(0.5 if abs(gap) <= 1e-6 * (1 + abs(level[k])) else float(gap > 0))
    assert _preference(completion, sample, legal) == pytest.approx(np.mean(wins))
    flat = torch.full_like(completion, 0.25)
    assert _preference(flat, sample, legal) == 0.5
    alike = completion[..., :1].expand_as(completion)  # ties at another level in every row
    assert _preference(alike, sample, legal) == 0.5
    assert _standard_error([1.0, 2.0, 6.0]) == pytest.approx(np.std([1, 2, 6], ddof=1) / 3**0.5)


def test_other_rules_are_those_of_a_renamed_problem() -> None:
    """Symbols and places go along with each other: what was read at v is read, renamed, where v went."""
    problem = Problem(("a", "b", "c", "d"), (3, 2, 3, 2))
    renaming = other_rules(problem, 4)
    assert sorted(renaming.variables.tolist()) == [0, 1, 2, 3]
    sizes = np.array(problem.domains)
    assert (sizes[renaming.variables] == sizes).all()
    for v in range(4):
        assert sorted(renaming.symbols[v][: sizes[v]].tolist()) == list(range(sizes[v]))
    assert (renaming.symbols[0] == renaming.symbols[2]).all()
    assert any((other_rules(problem, n).variables != np.arange(4)).any() for n in range(3))
    swapped = Renaming(np.array([2, 1, 0, 3]), np.array([[1, 2, 0], [0, 1, 2], [1, 2, 0], [1, 0, 2]]))
    sample = sample_of(
        [[0, 1, 2, 0], [1, 0, 0, 1]], [[True, False, False, True], [False, False, True, False]]
    )
    sample.beliefs = torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(0))
    moved = swapped(sample)
    for row in range(2):
        for v in range(4):
            place = int(swapped.variables[v])
            assert moved.given[row, place] == sample.given[row, v]
            for k in range(3):
                assert moved.beliefs[row, place, int(swapped.symbols[v, k])] == sample.beliefs[row, v, k]
            named = -1 if sample.given[row, v] else int(swapped.symbols[v, int(sample.answer[row, v])])
            assert moved.answer[row, place] == named


class Remembers(nn.Module):
    """Notes the rows and the rates that it is trained with."""

    seen: ClassVar[list[tuple[int, bool]]] = []
    finite: ClassVar[int] = 10**9  # steps after which its loss is none

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 4))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        self.seen.append((len(beliefs), self.training))
        return (beliefs[:, :1] @ self.weight).softmax(-1).expand_as(beliefs)


def test_a_short_training_takes_twenty_steps_at_two_rates_and_looks_twice() -> None:
    Remembers.seen.clear()
    best, chance = _learned(Subject(SolverSpec.of(Remembers), TASK), None, 0)
    trained = [rows for rows, training in Remembers.seen if training]
    looked = [place for place, (_, training) in enumerate(Remembers.seen) if not training]
    assert trained == [ROWS_PER_STEP] * 2 * STEPS[-1] == [16] * 40
    assert looked == [2, 21, 24, 43]
    assert {rows for rows, training in Remembers.seen if not training} == {100}
    assert list(best) == [2, 20]
    assert best[20] > 0.9 > chance  # learned at the larger of the two rates
    assert best[20] >= best[2]


def test_who_has_nothing_to_learn_with_is_asked_for_no_other_rules() -> None:
    class Bare(nn.Module):
        def __init__(self, problem: Problem) -> None:
            super().__init__()

        def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
            return deaf(beliefs, given)

    frozen = contract["other-rules"].run(Subject(SolverSpec.of(Bare), TASK))
    assert (frozen.status, frozen.reason) == ("skip", "the solver has no parameters")
    given = found("other-rules", rules="given")
    assert (given.status, given.reason) == ("skip", "the solver declares that it is given the rules")


def test_a_loss_that_is_none_ends_a_short_training() -> None:
    class Breaks(Remembers):
        seen: ClassVar[list[tuple[int, bool]]] = []

        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            self.seen.append((len(beliefs), self.training))
            return beliefs.sum((1, 2)) * torch.nan * self.weight.sum()

    best, _ = _learned(Subject(SolverSpec.of(Breaks), TASK), None, 0)
    assert best == {2: 0.0, 20: 0.0}
    assert [training for _, training in Breaks.seen] == [True, True]  # one step at each rate


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_gradient_that_is_lost_for_one_tensor_is_named(place: str) -> None:
    class Two(Known):
        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.first, self.last = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))

        def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
            parts = {"first": self.first, "last": self.last}
            used = sum(p.sum() for name, p in parts.items() if name != place)
            return super().loss(beliefs, given, answer) + used

    reach = contract["reach"].run(Subject(SolverSpec.of(Two), TASK))
    assert (reach.status, reach.figure, reach.bound) == ("fail", 0.0, 0.0)
    assert reach.reason.startswith(f"no gradient reaches {place}: if this task leaves it unused on purpose")
    declared = contract["reach"].run(Subject(SolverSpec.of(type("Idle", (Two,), {"idle": (place,)})), TASK))
    assert (declared.status, declared.reason) == ("pass", "the beliefs and 3 parameters get a gradient")


def test_a_gradient_that_is_no_number_is_named() -> None:
    infinite = found("reach", more_loss=lambda s, b, g: (s.weight - 1).abs().sqrt())
    assert (infinite.status, infinite.reason) == ("fail", "the gradient of weight is not finite")
    lost = found("reach", loss=lambda s, b, g, a: s.weight.expand(len(b)))
    assert lost.status in ("fail", "error")


@pytest.mark.parametrize(("size", "status"), [(0.9e-4, "pass"), (1.1e-4, "fail")])
def test_symmetries_are_kept_within_a_ten_thousandth(size: float, status: str) -> None:
    prefers = lambda b, g: 0.25 + size * (torch.arange(4) == 0) + 0 * b  # noqa: E731
    checked = found("equivariance", Sudoku(), equivariant=True, forward=prefers)
    assert (checked.status, checked.bound) == (status, 1e-4)
    assert checked.figure == pytest.approx(size, rel=0.01)


def deaf(beliefs: Tensor, given: Tensor) -> Tensor:
    return torch.full_like(beliefs, 0.25)


@pytest.mark.parametrize(
    ("members", "status", "said"),
    [
        (
            {"evidence": 3, "informed": False, "forward": deaf},
            "skip",
            "the solver says that it found nothing",
        ),
        ({"evidence": 3, "informed": False}, "fail", "and its answers move by "),
        ({"evidence": 3, "informed": True, "forward": deaf}, "fail", "answers move by 0 with other beliefs"),
        ({"evidence": 3, "informed": True}, "pass", "answers move by "),
        ({"evidence": 3, "forward": deaf}, "fail", "answers move by 0 with other"),
        ({"informed": False, "forward": deaf}, "fail", "answers move by 0 with other"),
        ({"informed": False}, "pass", "answers move by "),
    ],
)
def test_who_found_nothing_to_go_by_need_not_listen_and_must_not(
    members: dict[str, Any], status: str, said: str
) -> None:
    checked = found("listens", **members)
    assert (checked.status, said in checked.reason) == (status, True), checked.reason
    if members.get("evidence") and members.get("informed") is False:
        assert "nothing to go by in 3 answers" in checked.reason
        assert (checked.figure is not None and checked.figure > 0) == (status == "fail")


class Shown(Known):
    """Notes what it is shown, and in which mode."""

    evidence: ClassVar = 30
    shown: ClassVar[list[tuple[int, bool, int]]] = []

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        self.shown.append((len(beliefs), self.training, int((answer >= 0).sum())))
        return super().loss(beliefs, given, answer)


def test_evidence_is_shown_in_batches_of_training_and_to_no_one_who_is_to_be_untrained() -> None:
    subject = Subject(SolverSpec.of(Shown), TASK, batch=12)
    Shown.shown.clear()
    assert not subject.build().training
    assert Shown.shown == [(12, True, 12), (12, True, 12), (6, True, 6)]  # one query each
    Shown.shown.clear()
    subject.build(untrained=True)
    assert Shown.shown == []
    small = Mapping(symbols=2).problem
    subject.build(problem=small)
    assert [rows for rows, *_ in Shown.shown] == [12, 12, 6]
    assert 0 < sum(answers for *_, answers in Shown.shown) < 60  # each of two variables half the time
