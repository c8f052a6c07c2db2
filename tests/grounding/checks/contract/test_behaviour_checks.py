"""Single checks of the contract on solvers that are right or wrong in one respect."""

import random
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.checks import identifiable
from groundcheck.grounding.checks.contract import behaviour_checks as conduct
from groundcheck.grounding.checks.contract import claim_checks as declared
from groundcheck.grounding.checks.contract import foreknowledge_checks as foreknowledge
from groundcheck.grounding.checks.contract import gradient_checks as gradient
from groundcheck.grounding.checks.contract.contract import check_contract, contract
from groundcheck.grounding.checks.contract.subject import Subject
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.measures import identifiability
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.extras import MissingExtraError
from groundcheck.solvers.neural import MLP
from groundcheck.solvers.solver import UnsupportedProblemError

TINY_TASK = Mapping(symbols=4)
check_untrained = contract["untrained"].run


def found(name: str, solver: type, task=TINY_TASK, *, bound: float | None = None) -> Finding:
    """The finding of one check, alone; or as it would be with another bound."""
    check = contract[name]
    if bound is not None:
        assert check.criterion is not None
        check = replace(check, criterion=replace(check.criterion, limit=bound))
    return check.run(Subject(SolverSpec.of(solver), task))


class Plain(nn.Module):
    """Answers every variable with what is believed of the first."""

    def __init__(self, problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return (self.weight * self.heard(beliefs[:, :1])).softmax(-1).expand_as(beliefs)

    def heard(self, first: Tensor) -> Tensor:
        return first


class HearsCertaintyAlone(Plain):
    def heard(self, first: Tensor) -> Tensor:
        return torch.where(first == 1, 1.0, 0.0 * first)


class HearsDoubtAlone(Plain):
    """Of its givens; certain ones, whatever they say, are all the same to it."""

    def heard(self, first: Tensor) -> Tensor:
        return torch.where((first == 1).any(-1, keepdim=True), 0.0, first)


class HearsNothing(Plain):
    def heard(self, first: Tensor) -> Tensor:
        return 0 * first


@pytest.mark.parametrize(
    ("solver", "status"),
    [(Plain, "pass"), (HearsCertaintyAlone, "pass"), (HearsDoubtAlone, "pass"), (HearsNothing, "fail")],
)
def test_who_listens(solver: type, status: str) -> None:
    listens = found("listens", solver)
    assert listens.status == status
    assert (listens.figure == 0) == (status == "fail")


class Steep(Plain):
    """Losses around a million, which one more row in the batch moves by a hundred-thousandth of that."""

    share = 1e-5

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return 1e6 + beliefs[:, 0, 0] + self.share * 1e6 * (len(beliefs) > 1)


class Steeper(Steep):
    share = 1e-3


class Flat(Plain):
    """Losses near zero, which the batch moves by a thousandth of a nat."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return 1e-6 * beliefs[:, 0, 0] + self.share * (len(beliefs) > 1)

    share = 1e-3


class Flatter(Flat):
    share = 1.5e-4


class Still(Flat):
    share = 5e-5


class Uneven(Steep):
    """Steep in some rows alone."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        whole = super().loss(beliefs, given, answer)
        return torch.where(beliefs[:, 0, 0] > beliefs[:, 0, 1], whole, beliefs[:, 0, 0])


@pytest.mark.parametrize(
    ("solver", "figure"),
    [(Steep, 1e-5), (Uneven, 1e-5), (Steeper, 1e-3), (Flat, 1e-3), (Flatter, 1.5e-4), (Still, 5e-5)],
)
def test_losses_move_relative_to_the_largest_and_never_below_a_nat(solver: type, figure: float) -> None:
    rows = found("loss-rows", solver)
    assert rows.figure == pytest.approx(figure, rel=0.1)
    assert rows.status == ("pass" if figure <= 1e-4 else "fail")


class DrawsOnce(Plain):
    """What is compiled at the first call may draw names for files."""

    drawn = False

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        if not self.drawn:
            random.random()
            self.drawn = True
        return super().forward(beliefs, given)


class SeedsAll(Plain):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002
        return super().forward(beliefs, given)


def test_what_is_drawn_at_the_first_call_alone_is_left_alone() -> None:
    assert found("randomness", DrawsOnce).status == "pass"


def test_the_global_generators_are_as_they_were_after_the_check() -> None:
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    seeds = found("randomness", SeedsAll)
    assert seeds.status == "fail"
    assert seeds.reason.startswith("the global generator of numpy, random was")
    assert np.random.get_state()[1].tolist() == before[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


class DrawsInItsLoss(Plain):
    """From the global generator, in its loss alone."""

    deterministic: ClassVar = False

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return beliefs[:, 0, 0] + torch.rand(len(beliefs))


class DrawsHere(Plain):
    deterministic: ClassVar = False

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given) * (1 - 1e-3 * torch.rand(()))

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return beliefs[:, 0, 0]


class DrawsInEvaluation(Plain):
    """Samples its answer, and is trained on an expectation."""

    deterministic: ClassVar = False

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given)
        return answer if self.training else answer * (1 - 1e-3 * torch.rand(()))


class DrawsInTraining(Plain):
    deterministic: ClassVar = False

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given)
        return answer * (1 - 1e-3 * torch.rand(())) if self.training else answer


class DrawsNowhere(Plain):
    deterministic: ClassVar = False


def test_whoever_says_that_it_draws_is_seen_to_draw() -> None:
    """Where it draws in one mode alone, that is a difference in training, which has to be declared."""
    for solver in (DrawsInItsLoss, DrawsHere, DrawsInEvaluation, DrawsInTraining):
        drawn = found("deterministic", solver)
        assert drawn.status == "pass"
        assert drawn.figure is not None
        assert drawn.figure > 0
        differs = solver in (DrawsInEvaluation, DrawsInTraining)
        assert found("modes", solver).status == ("fail" if differs else "pass")
        declared_so = type("Declared", (solver,), {"differs_in_training": True})
        assert found("modes", declared_so).status == ("pass" if differs else "fail")
    claimed = found("deterministic", DrawsNowhere)
    assert (claimed.status, claimed.figure, claimed.bound) == ("fail", 0.0, 0.0)


def needs_an_extra(problem) -> nn.Module:
    raise MissingExtraError("install groundcheck[rare]")


def test_a_missing_extra_is_a_skip_and_everything_else_with_it() -> None:
    findings = list(check_contract(SolverSpec.of(needs_an_extra), TINY_TASK))
    assert {f.status for f in findings} == {"skip"}
    assert findings[0].reason == "install groundcheck[rare]"


class Nowhere(Plain):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given) * torch.nan


class Below(Plain):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given) - 2


class Above(Plain):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given) + 2


def test_how_far_outside_the_range() -> None:
    assert (found("range", Plain).status, found("range", Plain).figure) == ("pass", 0.0)
    for solver in (Below, Above):
        outside = found("range", solver)
        assert outside.status == "fail"
        assert outside.figure is not None
        assert 1 < outside.figure < 2
    nowhere = found("range", Nowhere)
    assert (nowhere.status, nowhere.figure, nowhere.bound) == ("fail", None, 0.0)
    assert nowhere.reason == "no value at a query is finite"
    assert found("finite", Nowhere).figure == 1.0


class HalfInfinite(Plain):
    """The loss of every other row."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return beliefs[:, 0, 0] + torch.where(torch.arange(len(beliefs)) % 4 == 0, torch.inf, 0.0)


def test_the_share_of_losses_that_are_no_numbers_is_told() -> None:
    loss = found("loss", HalfInfinite)
    assert (loss.status, loss.figure, loss.bound) == ("fail", 0.25, 0.0)


class Mutters(Plain):
    """Out of the range at its givens, or NaN at one symbol of a query in some of its rows."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given).clone()
        answer[given] += 2
        return answer


class Stumbles(Plain):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given).clone()
        answer[:, 1, 2] = torch.where(torch.arange(len(beliefs)) % 4 == 0, torch.nan, answer[:, 1, 2])
        return answer


def test_values_at_the_givens_may_be_anything() -> None:
    assert found("range", Mutters).status == "pass"


def test_one_symbol_that_is_no_number_makes_its_row_one_that_is_not_finite() -> None:
    finite = found("finite", Stumbles)
    assert (finite.status, finite.figure, finite.bound) == ("fail", 0.25, 0.0)
    assert finite.reason == "250 of 1000 rows are not finite"


class WritesInForward(Plain):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given)
        beliefs.zero_()
        return answer

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return beliefs[:, 0, 0]


class WritesInItsLoss(Plain):
    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        answer.clamp_(min=0)
        return beliefs[:, 0, 0]


@pytest.mark.parametrize(
    ("solver", "told"),
    [
        (WritesInForward, "forward changed its argument beliefs"),
        (WritesInItsLoss, "loss changed its argument answer"),
    ],
)
def test_it_is_told_where_an_argument_was_written_to(solver: type, told: str) -> None:
    assert (found("inputs", solver).status, found("inputs", solver).reason) == ("fail", told)


class Constant(Plain):
    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return torch.zeros(len(beliefs))


class Certain(Plain):
    """Cut off where beliefs are certain."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        certain = bool((beliefs == 1).any())
        return (self.weight if certain else beliefs[:, 0, 0] + self.weight).expand(len(beliefs))


def test_a_loss_that_is_cut_off_is_told_where() -> None:
    assert found("reach", Constant).reason == "the loss is cut off from the beliefs and from every parameter"
    assert found("reach", Constant).status == "fail"
    assert found("saturated", Certain).reason == "no gradient reaches beliefs of 0 and 1"
    assert found("saturated", Certain).status == "fail"


class Sharp(Plain):
    size = 0.9e6

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return self.size * beliefs[:, 0, 0]


class AsSharpAsMayBe(Sharp):
    size = 1e6


class TooSharp(Sharp):
    size = 1.1e6


class SharpByItsRules(TooSharp):
    rules: ClassVar = "given"


@pytest.mark.parametrize(
    ("solver", "status"),
    [(Sharp, "pass"), (AsSharpAsMayBe, "pass"), (TooSharp, "fail"), (SharpByItsRules, "pass")],
)
def test_a_million_is_too_steep_unless_rules_are_given(solver: type, status: str) -> None:
    saturated = found("saturated", solver)
    assert (saturated.status, saturated.figure) == (status, solver.size)


class Surrogate(Plain):
    surrogate: ClassVar = True


def test_a_surrogate_need_not_descend() -> None:
    assert found("descends", Surrogate).status == "skip"
    fell = found("descends", Plain)
    assert fell.status == "pass"
    assert fell.figure is not None
    assert fell.figure < 0


class Narrow(Plain):
    """The loss falls along a thousandth of the parameter alone; steps that are longer lead uphill."""

    def __init__(self, problem) -> None:
        super().__init__(problem)
        self.weight = nn.Parameter(torch.zeros(()))

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return (1e3 * self.weight - 1).square() - beliefs[:, 0, 0]


class Pretends(Plain):
    """Has a gradient, and a loss that never moves."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return 1 + 0 * self.weight + (beliefs[:, 0, 0] - beliefs[:, 0, 0].detach())


class Refuses(Plain):
    """What is no probability; its loss is steep where beliefs are near 1."""

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        if bool((beliefs < 0).any() | (beliefs > 1).any()):
            raise ValueError("beliefs are to lie in [0, 1]")
        return -(beliefs**40).sum((1, 2)) - self.weight


class InLargeBatchesAlone(Plain):
    """Uses a parameter where there are many rows."""

    def __init__(self, problem) -> None:
        super().__init__(problem)
        self.second = nn.Parameter(torch.ones(()))

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        return self.weight * beliefs[:, 0, 0] * (self.second if len(beliefs) > 8 else 1.0)


def test_the_length_of_a_step_that_lowers_the_loss_is_looked_for() -> None:
    fell = found("descends", Narrow)
    assert fell.status == "pass"
    assert fell.figure is not None
    assert -0.1 < fell.figure < 0  # by the beliefs, the least; by the parameter it falls by a whole nat
    assert "1 nats by the parameters" in fell.reason


def test_a_loss_that_no_step_moves_does_not_descend() -> None:
    fell = found("descends", Pretends)
    assert (fell.status, fell.figure, fell.bound) == ("fail", 0.0, 0.0)
    assert "gradient of the beliefs" in fell.reason


def test_no_step_leads_out_of_the_probabilities() -> None:
    assert found("descends", Refuses).status == "pass"


def test_a_parameter_that_small_batches_do_not_use_is_stepped_along_with_the_others() -> None:
    for name in ("reach", "descends"):
        assert found(name, InLargeBatchesAlone).status == "pass"


class Untaught(nn.Module):
    """Answers like the solution in some share of the seeds."""

    right: ClassVar[set[int]] = set()

    def __init__(self, problem) -> None:
        super().__init__()
        self.seed = torch.initial_seed()

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        task = TINY_TASK.drawn(0)
        puzzles = task.generate("validation", len(beliefs), 2)
        solution = torch.from_numpy(puzzles.solution.astype(np.int64))
        if self.seed not in self.right:
            solution = (solution + 1) % 4
        sure = 0.5 + 0.01 * (self.seed % 10)  # no two seeds believe the same, whatever they answer
        return sure * nn.functional.one_hot(solution, 4).to(beliefs)


@pytest.mark.parametrize(("seeds", "status"), [((), "pass"), ((100, 101, 102, 103, 104), "fail")])
def test_knowing_without_training_is_held_against_chance(seeds: tuple[int, ...], status: str) -> None:
    """Five solvers, of seeds 100 to 104, on 100 puzzles; all right, or all wrong, there is no spread."""
    solver = type("Taught", (Untaught,), {"right": set(seeds)})
    result = check_untrained(Subject(SolverSpec.of(solver), TINY_TASK))
    assert (result.status, result.figure) == (status, len(seeds) / 5)
    solution = TINY_TASK.drawn(0).generate("validation", 100, 2).solution[:, 1]
    chance = np.bincount(solution).max() / 100
    assert result.bound == pytest.approx(max(chance, 0.25) + 0.1)


def test_the_spread_over_seeds_is_allowed_for() -> None:
    """One of five knows everything: a mean of 1/5, with a standard error of 1/5."""
    solver = type("Lucky", (Untaught,), {"right": {102}})
    result = check_untrained(Subject(SolverSpec.of(solver), TINY_TASK))
    solution = TINY_TASK.drawn(0).generate("validation", 100, 2).solution[:, 1]
    chance = max(np.bincount(solution).max() / 100, 0.25)
    assert result.figure == pytest.approx(0.2)
    assert result.bound == pytest.approx(chance + 0.1 + 3 * 0.2)
    assert result.status == "pass"


class UntaughtInPart(Untaught):
    """Knows everything, and says of every other symbol that it is no number."""

    right: ClassVar = set(range(100, 105))

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given)
        return answer.masked_fill(answer == 0, torch.nan)


def test_a_symbol_that_is_no_number_is_not_an_answer() -> None:
    result = check_untrained(Subject(SolverSpec.of(UntaughtInPart), TINY_TASK))
    assert (result.status, result.figure) == ("fail", 1.0)


def test_who_is_right_as_often_as_may_be_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Subject(SolverSpec.of(Untaught), TINY_TASK)
    bound = check_untrained(never).bound
    assert bound is not None
    monkeypatch.setattr(foreknowledge, "CHANCE_MARGIN", -(bound - foreknowledge.CHANCE_MARGIN))
    assert (check_untrained(never).status, check_untrained(never).figure) == ("pass", 0.0)


def test_whoever_is_given_the_rules_may_know_them() -> None:
    assert found("untrained", SharpByItsRules).status == "skip"


def test_symmetries_are_asked_of_the_deterministic_and_of_rules_that_have_them() -> None:
    drawing = type("Drawing", (DrawsHere,), {"equivariant": True})
    assert found("equivariance", drawing, Sudoku()).status in ("pass", "fail")
    assert found("equivariance", Plain).status == "skip"
    held = found("equivariance", type("Held", (Plain,), {"equivariant": True}), Sudoku())
    assert held.bound == 1e-4


def test_rules_without_a_symmetry_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared, "find_symmetries", lambda *_: [])
    lopsided = found("equivariance", type("Held", (Plain,), {"equivariant": True}))
    assert (lopsided.status, lopsided.reason) == ("skip", "no symmetry of these rules was found")


def test_exactness_is_asked_of_those_that_declare_it() -> None:
    assert found("posterior", MLP).status == "skip"
    claimed = found("posterior", type("Claims", (Plain,), {"exact": True}))
    assert (claimed.status, claimed.bound) == ("fail", 1e-5)


class OnlyHere(Plain):
    """For the problem of one task alone."""

    exact: ClassVar = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        if problem.domains != Mapping().problem.domains:
            raise UnsupportedProblemError("mapping alone")


def test_who_solves_one_problem_alone_is_not_asked_for_others() -> None:
    skipped = found("posterior", OnlyHere)
    assert (skipped.status, skipped.reason) == ("skip", "no random problem can be tried: mapping alone")


class HandsThrough(Exact):
    """The posterior at the queries; the givens stay as they were believed."""

    exact: ClassVar = True

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return torch.where(given.unsqueeze(-1), beliefs, super().forward(beliefs, given))


def test_the_posterior_is_asked_for_at_the_queries_alone() -> None:
    assert found("posterior", HandsThrough).status == "pass"


class Halved(Exact):
    exact: ClassVar = True

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given) / 2


def test_the_posterior_need_not_add_up_to_one() -> None:
    posterior = found("posterior", Halved)
    assert posterior.status == "pass"
    assert posterior.figure is not None
    assert posterior.figure < 1e-9


class Wobbly(Plain):
    """A belief moves a little with the batch and with the mode."""

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(beliefs, given) * (1 - 1e-6 * len(beliefs) - 1e-5 * self.training)


class Leaning(Exact):
    """Prefers the first symbol, a little."""

    exact: ClassVar = True

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given)
        return answer * torch.where(torch.arange(answer.shape[-1]) == 0, 1.0, 1 - 1e-6)


@pytest.mark.parametrize(
    ("name", "solver", "bound"),
    [
        ("rows", Wobbly, 1e-4),
        ("modes", Wobbly, 1e-4),
        ("loss-rows", Still, 1e-4),
        ("posterior", Leaning, 1e-5),
        ("equivariance", Leaning, 1e-4),
    ],
)
def test_what_is_just_at_its_bound_passes(name: str, solver: type, bound: float) -> None:
    plain = found(name, solver)
    figure = plain.figure
    assert plain.bound == bound
    assert figure is not None
    assert figure > 0
    at_bound = found(name, solver, bound=figure)
    assert (at_bound.status, at_bound.bound) == ("pass", figure)
    assert found(name, solver, bound=float(np.nextafter(figure, 0))).status == "fail"


def test_what_docstrings_promise_in_numbers_is_so() -> None:
    for name in ("posterior", "descends", "gradient-beliefs"):
        found(name, Leaning)
    assert sorted(np.prod(domains) for domains in declared.SHAPES) == [16, 24, 27]
    assert f"{identifiability.MAX_RELABELLINGS:,} relabellings" in (
        identifiable.check_identifiable.__doc__ or ""
    )
    assert (gradient.RELATIVE, gradient.RELATIVE_EXACT, gradient.COSINE) == (0.1, 1e-4, 0.99)
    assert (gradient.STEP_LENGTHS[0], gradient.STEP_LENGTHS[-1]) == (1e-1, 1e-5)
    assert "under 4 symmetries of the rules" in found("equivariance", Exact, Sudoku()).reason


class Lopsided(Plain):
    """One symbol far below, or above, and the others as they should be."""

    low = -2.0

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        answer = super().forward(beliefs, given).clone()
        answer[:, :, 0] = self.low
        return answer


class Towering(Lopsided):
    low = 3.0


def test_the_farthest_value_is_told() -> None:
    assert found("range", Lopsided).figure == 2.0
    assert found("range", Towering).figure == 2.0
    assert "values from -2 to" in found("range", Lopsided).reason


class Flipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * gradient, None


class UphillAsUsed(Plain):
    """Its gradient has the right sign only with the options that it calls precise."""

    precise: ClassVar = {"factor": 1.0}

    def __init__(self, problem, factor: float = -1.0) -> None:
        super().__init__(problem)
        self.factor = factor

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        return super().forward(Flipped.apply(beliefs, self.factor), given)


class FineAsUsed(UphillAsUsed):
    def __init__(self, problem, factor: float = 1.0) -> None:
        super().__init__(problem, factor)


class UphillForItsParameterAsUsed(UphillAsUsed):
    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        weight = Flipped.apply(self.weight, self.factor)
        return (weight * beliefs[:, :1]).softmax(-1).expand_as(beliefs)


def test_settings_are_examined_of_whoever_names_more_precise_ones() -> None:
    assert found("gradient-settings", Plain).status == "skip"


def test_a_gradient_of_parameters_that_points_elsewhere_as_used_is_told() -> None:
    uphill = found("gradient-settings", UphillForItsParameterAsUsed)
    assert (uphill.status, uphill.figure, uphill.bound) == ("fail", pytest.approx(-1), 0.9)
    assert "weight: cosine -1.0" in uphill.reason


def test_the_coarsest_cosine_passes() -> None:
    cosine = found("gradient-settings", FineAsUsed).figure
    assert cosine is not None
    assert found("gradient-settings", FineAsUsed, bound=cosine).status == "pass"
    assert found("gradient-settings", FineAsUsed, bound=float(np.nextafter(cosine, 2))).status == "fail"


def test_a_solver_descends_as_it_is_used() -> None:
    assert found("gradient-settings", FineAsUsed).status == "pass"
    assert found("descends", UphillAsUsed).status == "fail"
    assert found("gradient-beliefs", UphillAsUsed).status == "pass"
    assert found("gradient-settings", UphillAsUsed).status == "fail"


def test_the_state_of_pythons_generator_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    own = random.Random(5)  # in place of the module, from which beartype draws in tests
    monkeypatch.setattr(conduct, "random", own)
    before = own.getstate()
    assert found("randomness", Plain).status == "pass"
    assert own.getstate() == before
