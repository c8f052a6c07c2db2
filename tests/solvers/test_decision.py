"""Solvers that are given the rules and decide: what they answer, and where their gradients come from."""

import copy

import numpy as np
import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.solvers import decision
from groundcheck.solvers.abductive import Abductive, Conditional
from groundcheck.solvers.blackbox import IMLE, Blackbox, _Sampled, missed, sum_of_gamma
from groundcheck.solvers.exact import Exact
from groundcheck.solvers.fuzzy import Fuzzy, StraightThrough, godel, lukasiewicz, product
from groundcheck.solvers.perturbed import Perturbed
from groundcheck.solvers.rules.clauses import eliminate_auxiliaries

SUDOKU = Sudoku(size=4)
DECIDING = [Abductive, Conditional, Blackbox, IMLE, Perturbed, Fuzzy, StraightThrough]


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def boards(rows, *, certain=0.0, seed=0):
    """Beliefs of 4×4 boards around the truth, what is given, the answer and the truth."""
    puzzles = SUDOKU.generate("train", rows, seed)
    solution = torch.from_numpy(puzzles.solution.astype(np.int64))
    given = torch.from_numpy(puzzles.given)
    noise = torch.randn(rows, 16, 4, generator=torch.Generator().manual_seed(seed))
    beliefs = (noise + certain * torch.nn.functional.one_hot(solution, 4)).softmax(-1).double()
    return beliefs, given, torch.where(given, -1, solution), solution


def searching(build, problem, monkeypatch):
    monkeypatch.setattr(decision, "LISTED", 100)
    solver = build(problem)
    assert solver.table is None
    return solver


@pytest.mark.parametrize("build", DECIDING)
def test_answers_the_true_board_where_perception_is_right(build):
    beliefs, given, _, solution = boards(6, certain=9.0)
    solver = build(SUDOKU.problem)
    completion = solver(beliefs.masked_fill(~given.unsqueeze(-1), torch.nan), given)
    assert torch.equal(completion.argmax(-1), solution)
    assert torch.equal(completion.sum(-1), torch.ones_like(completion[..., 0]))


@pytest.mark.parametrize("build", DECIDING)
def test_search_and_table_decide_alike(build, monkeypatch):
    beliefs, given, answer, _ = boards(6)
    listing = build(SUDOKU.problem)
    torch.manual_seed(0)
    hunting = searching(build, SUDOKU.problem, monkeypatch)
    if hasattr(listing, "noise"):
        listing.noise.manual_seed(5)
        hunting.noise.manual_seed(5)
    found = hunting(beliefs, given)
    tied = listing(beliefs, given)  # the mean of the most likely worlds, of which the search finds one
    assert (tied[found == 1] > 0).all()
    certain = (tied.max(-1).values == 1).all(-1)
    assert certain.any()
    assert torch.equal(tied[certain], found[certain])
    if build not in (Blackbox, IMLE):  # whose losses are of that answer
        assert torch.allclose(listing.loss(beliefs, given, answer), hunting.loss(beliefs, given, answer))


@pytest.mark.parametrize("build", DECIDING)
def test_loss_teaches_the_givens_and_only_them(build):
    beliefs, given, answer, _ = boards(8)
    beliefs.requires_grad_()
    solver = build(SUDOKU.problem)
    solver.loss(beliefs, given, answer).sum().backward()
    assert beliefs.grad[given].abs().sum() > 0
    assert torch.equal(beliefs.grad[~given], torch.zeros_like(beliefs.grad[~given]))
    assert torch.isfinite(beliefs.grad).all()


@pytest.mark.parametrize("build", DECIDING)
def test_a_step_against_the_gradient_brings_beliefs_closer_to_the_truth(build):
    beliefs, given, answer, solution = boards(40, certain=0.5)
    logits = beliefs.log().requires_grad_()
    solver = build(SUDOKU.problem)
    for _ in range(5 if build is IMLE else 1):  # its gradient is a sample
        solver.loss(logits.softmax(-1), given, answer).sum().backward()
    moved = (logits - 0.1 * logits.grad).softmax(-1)
    right = moved.gather(-1, solution.unsqueeze(-1)).squeeze(-1)[given]
    before = logits.softmax(-1).gather(-1, solution.unsqueeze(-1)).squeeze(-1)[given]
    assert right.mean() > before.mean()


@pytest.mark.parametrize("listed", [2000, 100])
def test_conditional_loss_is_that_of_the_exact_posterior(listed, monkeypatch):
    monkeypatch.setattr(decision, "LISTED", listed)
    beliefs, given, answer, _ = boards(8)
    logits = beliefs.log().requires_grad_()
    losses = [build(SUDOKU.problem).loss(logits.softmax(-1), given, answer) for build in (Conditional, Exact)]
    assert torch.allclose(*losses)
    slopes = [torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0] for loss in losses]
    assert torch.allclose(*slopes)


def test_abduction_is_nan_where_no_world_has_the_answer():
    beliefs, given, answer, _ = boards(2)
    answer[0, :2] = 0  # the same symbol twice in a row
    for build in (Abductive, Conditional, Perturbed):
        loss = build(SUDOKU.problem).loss(beliefs, given, answer)
        assert loss.isnan().tolist() == [True, False]


def test_abduction_labels_with_the_nearest_world_of_the_answer():
    # Two numbers 0…2 and their sum; the answer 2 leaves 0+2, 1+1 and 2+0.
    problem = make_problem(
        ("a", "b", "sum"), (3, 3, 5), [[-(a + 1), -(b + 4), a + b + 7] for a in range(3) for b in range(3)]
    )
    a, b = [0.2, 0.5, 0.3], [0.5, 0.3, 0.2]
    beliefs = torch.zeros(1, 3, 5)
    beliefs[0, 0, :3], beliefs[0, 1, :3] = torch.tensor(a), torch.tensor(b)
    given, answer = torch.tensor([[True, True, False]]), torch.tensor([[-1, -1, 2]])
    # 0.2·0.2 < 0.5·0.3 = 0.3·0.5: ties are broken by the first of the table, so make 1+1 the nearest
    beliefs[0, 0, 1] = 0.6
    loss = Abductive(problem).loss(beliefs, given, answer).item()
    assert loss == pytest.approx(-np.log(0.6 / 1.1) - np.log(0.3), rel=1e-5)


def test_blackbox_gradient_is_that_of_the_interpolation():
    # Vlastelica et al. 2020, eq. 3: f_λ(θ) = L(y_λ) + [⟨θ, y_λ⟩ − ⟨θ, y(θ)⟩]·(−1/λ), for θ that is maximised.
    beliefs, given, answer, _ = boards(5)
    solver = Blackbox(SUDOKU.problem, strength=3.0)
    weights = solver.weights(beliefs, given)
    slope = torch.zeros_like(weights)
    slope.scatter_(-1, answer.clamp_min(0).unsqueeze(-1), -(answer >= 0).double().unsqueeze(-1))

    def interpolated(theta):
        near = solver.certain(solver.heaviest(theta), theta)
        far = solver.certain(solver.heaviest(theta - 3.0 * slope), theta)
        return (missed(far, answer) - ((theta * far).sum((1, 2)) - (theta * near).sum((1, 2))) / 3.0).sum()

    variable = weights.clone().requires_grad_()
    hot = beliefs.clone()
    hot[given] = variable[given].exp()
    solver.loss(hot, given, answer).sum().backward()
    for v, k in [(v, k) for v in range(16) if given[0, v] for k in range(4)][:12]:
        moved = [weights.clone(), weights.clone()]
        moved[0][0, v, k] += 1e-6
        moved[1][0, v, k] -= 1e-6
        difference = (interpolated(moved[0]) - interpolated(moved[1])) / 2e-6
        # the log of a normalised belief takes the mean of a variable's slopes out; the rows sum to zero here
        assert variable.grad[0, v, k].item() == pytest.approx(difference.item(), abs=1e-4)
    assert variable.grad.abs().sum() > 0


def test_imle_gradient_is_the_shift_of_the_distribution():
    # One variable of three symbols and Gumbel noise: the solver samples softmax(θ), and against a loss
    # ⟨c, y⟩ the gradient is softmax(θ) − softmax(θ − λ c).
    solver = IMLE(make_problem(("a",), (3,)))
    rows = 40_000
    theta = torch.tensor([0.5, 0.0, -1.0])
    weights = theta.expand(rows, 1, 3).clone().requires_grad_()
    noise = sum_of_gamma(weights.shape, 1, solver.noise, terms=200)
    cost = torch.tensor([1.0, 0.0, 0.0])
    (_Sampled.apply(weights, solver, noise) * cost).sum().backward()
    strength = theta.norm() / cost.norm()  # α starts at 1
    expected = theta.softmax(-1) - (theta - strength * cost).softmax(-1)
    assert torch.allclose(weights.grad.mean((0, 1)), expected, atol=0.01)


def test_imle_step_grows_while_gradients_are_empty_and_shrinks_when_they_are_not():
    solver = IMLE(SUDOKU.problem, step=0.25)
    solver.adapt(torch.zeros(4, 16, 4))
    assert solver.alpha.item() == 1.25
    solver.adapt(torch.ones(4, 16, 4))
    assert solver.alpha.item() == 1.0
    for _ in range(9):
        solver.adapt(torch.ones(4, 16, 4))
    assert solver.alpha.item() == 0.25


@pytest.mark.parametrize("among", ["assignments", "worlds"])
def test_perturbed_gradient_is_the_difference_of_the_perturbed_optima(among):
    # Mapping: the answer tells the image's symbol, so that the optimum with the answer is certain.
    task = Mapping(symbols=3, bijection="identity")
    beliefs = torch.tensor([[0.6, 0.3, 0.1], [0.0, 0.0, 0.0]]).expand(1, 2, 3).clone()
    log = beliefs.clone().clamp_min(1e-9).log().requires_grad_()
    given, answer = torch.tensor([[True, False]]), torch.tensor([[-1, 1]])
    solver = Perturbed(task.problem, samples=1500, among=among)
    loss = solver.loss(log.softmax(-1), given, answer)
    loss.sum().backward()
    assert loss.item() == pytest.approx(-np.log(0.3), abs=0.12)  # Gumbel: F is the log-partition function
    assert torch.allclose(log.grad[0, 0], torch.tensor([0.6, -0.7, 0.1]), atol=0.05)


def test_equally_likely_worlds_are_averaged():
    completion = Abductive(SUDOKU.problem)(torch.full((1, 16, 4), 0.25), torch.ones(1, 16, dtype=torch.bool))
    assert torch.allclose(completion, torch.full((1, 16, 4), 0.25))


@pytest.mark.parametrize("build", [IMLE, Perturbed])
def test_evaluation_draws_no_noise(build):
    beliefs, given, answer, _ = boards(4)
    solver = build(SUDOKU.problem).eval()
    whole = solver.loss(beliefs, given, answer)
    assert torch.allclose(whole[:1], solver.loss(beliefs[:1], given[:1], answer[:1]))


@pytest.mark.parametrize("build", [IMLE, Perturbed])
def test_noise_repeats_in_a_copy(build):
    beliefs, given, answer, _ = boards(4)
    solver = build(SUDOKU.problem)
    twin = copy.deepcopy(solver)
    first = solver.loss(beliefs, given, answer)
    assert torch.equal(first, twin.loss(beliefs, given, answer))
    assert not torch.equal(first, solver.loss(beliefs, given, answer))


def norm_of_two(norm, a, b):
    """The disjunction of two literals as each norm sees it."""
    loss = norm(torch.tensor([[[a, b]]])).item()
    return np.exp(-loss) if norm is product else 1 - loss


@pytest.mark.parametrize("norm", [product, lukasiewicz, godel])
def test_disjunction_is_a_t_conorm(norm):
    degrees = [0.0, 0.25, 0.5, 1.0]
    for a in degrees:
        assert norm_of_two(norm, a, 0.0) == pytest.approx(a, abs=1e-6)  # neutral element
        assert norm_of_two(norm, a, 1.0) == pytest.approx(1.0)  # absorbing element
        for b in degrees:
            assert norm_of_two(norm, a, b) == pytest.approx(norm_of_two(norm, b, a))
            for c in degrees:
                if b <= c:
                    assert norm_of_two(norm, a, b) <= norm_of_two(norm, a, c) + 1e-6
                left = norm_of_two(norm, norm_of_two(norm, a, b), c)
                assert left == pytest.approx(norm_of_two(norm, a, norm_of_two(norm, b, c)), abs=1e-6)


def test_conjunctions_by_hand():
    literals = torch.tensor([[[0.5, 0.2], [0.9, 0.0]]])
    assert product(literals).item() == pytest.approx(-np.log(0.6) - np.log(0.9), rel=1e-5)
    assert lukasiewicz(literals).item() == pytest.approx(0.3 + 0.1, rel=1e-5)
    assert godel(literals).item() == pytest.approx(0.5)


@pytest.mark.parametrize("norm", ["product", "lukasiewicz", "godel"])
def test_crisp_truth_is_the_same_in_every_logic(norm):
    beliefs, given, answer, solution = boards(3)
    truth = torch.nn.functional.one_hot(solution, 4).double()
    solver = Fuzzy(SUDOKU.problem, norm)
    assert torch.equal(solver.loss(truth, given, answer), torch.zeros(3, dtype=torch.float64))
    assert (solver.loss(truth.roll(1, dims=-1), given, answer) > 0.99).all()
    assert (solver.loss(beliefs, given, answer) > 0).all()


def test_straight_through_counts_broken_clauses():
    problem = make_problem(("a", "b"), (2, 2), [[-1, -3], [-2, -4]])  # two cells that must differ
    beliefs = torch.tensor([[[0.6, 0.4], [0.3, 0.7]], [[0.4, 0.6], [0.3, 0.7]]], requires_grad=True)
    given, answer = torch.ones(2, 2, dtype=torch.bool), torch.full((2, 2), -1)
    loss = StraightThrough(problem).loss(beliefs, given, answer)
    assert loss.tolist() == [0.0, 1.0]  # the second row has both at 1
    loss.sum().backward()
    assert beliefs.grad[1, 0, 1] > 0  # less of what breaks the clause


def test_auxiliaries_resolve_into_pairwise_exclusions():
    counted = make_problem(("a",), (20,))
    assert counted.rules.nv > 20
    clauses = eliminate_auxiliaries(counted)
    assert max(abs(literal) for clause in clauses for literal in clause) <= 20
    pairs = {tuple(sorted(-x for x in c)) for c in clauses if len(c) == 2 and max(c) < 0}
    assert {(i, j) for i in range(1, 21) for j in range(i + 1, 21)} <= pairs


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (Blackbox, {"strength": 0.0}, "strength=0"),
        (IMLE, {"samples": 0}, "samples=0"),
        (Perturbed, {"sigma": 0.0}, "sigma=0"),
        (Perturbed, {"among": "all"}, "among='all'"),
        (Fuzzy, {"norm": "drastic"}, "norm='drastic'"),
    ],
)
def test_options_out_of_range_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(SUDOKU.problem, **options)


@pytest.mark.parametrize("build", DECIDING)
def test_unknown_rules_are_refused(build):
    with pytest.raises(ValueError, match="without rules"):
        build(SUDOKU.problem.without_rules())


@pytest.mark.parametrize("build", [Conditional, Abductive, Blackbox, Perturbed])
def test_runs_on_nine_by_nine(build):
    task = Sudoku(size=9)
    puzzles = task.generate("train", 2, 0)
    solution = torch.from_numpy(puzzles.solution.astype(np.int64))
    given = torch.from_numpy(puzzles.given)
    logits = torch.randn(2, 81, 9) + 1.5 * torch.nn.functional.one_hot(solution, 9)
    logits.requires_grad_()
    solver = build(task.problem)
    solver.loss(logits.softmax(-1), given, torch.where(given, -1, solution)).sum().backward()
    assert logits.grad[given].abs().sum() > 0
    assert task.verify(solver(logits.softmax(-1), given).argmax(-1).numpy()).all()
