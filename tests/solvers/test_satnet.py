"""SATNet: its contract, its gradients, and the inputs that break the public implementation."""

import pytest
import torch
from torch.nn import functional

from groundcheck.datasets.problem import make_problem
from groundcheck.solvers.mixing.layer import compiled, dimension
from groundcheck.solvers.satnet import SATNet

PROBLEM = make_problem(("a", "b", "c"), (3, 2, 3))
PATHS = ("lanes", "blocks", "torch")
CONVERGED = {"max_sweeps": 2000, "tolerance": 1e-20, "backward_tolerance": 1e-20, "prox": 0.0}


@pytest.fixture(params=PATHS)
def path(request):
    """What computes; the compiled ones are not there where numba is not."""
    if request.param != "torch" and not compiled():
        pytest.skip("numba is missing or disabled")
    return request.param


def layer(path, seed=0, m=7, aux=3, **options):
    return SATNet(PROBLEM, m=m, aux=aux, generator=torch.Generator().manual_seed(seed), path=path, **options)


def puzzles(rows=6, seed=0, dtype=torch.float32, soft=True):
    rng = torch.Generator().manual_seed(seed)
    symbols = torch.stack([torch.randint(d, (rows,), generator=rng) for d in PROBLEM.domains], 1)
    beliefs = functional.one_hot(symbols, 3).to(dtype)
    if soft:
        beliefs = torch.rand(rows, 3, 3, generator=rng, dtype=dtype) * torch.from_numpy(PROBLEM.legal)
    given = torch.rand(rows, 3, generator=rng) < 0.6
    given[:, 0] = ~given[:, 1]  # at least one of each
    return beliefs, given, torch.where(given, -1, symbols)


def test_completes_the_queries_and_returns_the_givens(path):
    beliefs, given, _ = puzzles()
    out = layer(path)(beliefs, given)
    assert torch.equal(out[given], beliefs[given])
    assert out.shape == beliefs.shape
    assert out.min() >= 0
    assert out.max() <= 1
    assert (out[:, 1, 2] == 0).all()  # variable b has two symbols
    assert (out[~given][:, :2] != beliefs[~given][:, :2]).all()


def test_values_at_queries_are_ignored_even_when_they_are_not_numbers(path):
    beliefs, given, _ = puzzles()
    noise = torch.where(given[..., None], beliefs, float("nan"))
    sat = layer(path)
    assert torch.equal(sat(beliefs, given), sat(noise, given))


def test_a_row_does_not_depend_on_its_batch(path):
    beliefs, given, _ = puzzles(rows=9)
    sat = layer(path)
    together = sat(beliefs, given)
    alone = torch.cat([sat(beliefs[i : i + 1], given[i : i + 1]) for i in range(9)])
    assert torch.equal(together, alone)


def test_weights_and_start_come_from_the_ambient_generator_unless_one_is_passed(path):
    torch.manual_seed(3)
    first = SATNet(PROBLEM, m=7)
    torch.manual_seed(3)
    again = SATNet(PROBLEM, m=7)
    other = SATNet(PROBLEM, m=7)
    assert torch.equal(first.layer.start, again.layer.start)
    assert torch.equal(first.layer.clauses, again.layer.clauses)
    assert not torch.equal(first.layer.start, other.layer.start)
    torch.manual_seed(3)
    layer(path, seed=1)
    assert torch.equal(
        SATNet(PROBLEM, m=7).layer.start, first.layer.start
    )  # the ambient stream was left alone


def test_state_round_trips_and_forward_draws_nothing(path):
    beliefs, given, _ = puzzles()
    first, second = layer(path, seed=0), layer(path, seed=1)
    second.load_state_dict(first.state_dict())
    expected = first(beliefs, given)
    torch.manual_seed(99)
    assert torch.equal(second(beliefs, given), expected)


@pytest.mark.parametrize("soft", [True, False])
def test_gradients_agree_with_finite_differences(path, soft):
    if path == "torch" and not soft:
        pytest.skip("slow, and the other paths are held against this one")
    sat = layer(path, m=6, **CONVERGED).double()
    beliefs, given, _ = puzzles(rows=3, dtype=torch.float64, soft=soft)
    weights = torch.rand(beliefs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    beliefs.requires_grad_()

    def value():
        return (sat(beliefs, given) * weights).sum()

    value().backward()
    rng = torch.Generator().manual_seed(2)
    fixed = given[..., None] & torch.from_numpy(PROBLEM.legal)
    # Where all givens are 0 or 1 the optimum is free to turn about the truth, and the first fraction
    # decides how it turns: a kink in the beliefs, but not in the clauses.
    for tensor in (sat.layer.clauses, beliefs) if soft else (sat.layer.clauses,):
        assert tensor.grad is not None
        for _ in range(2):
            way = torch.randn(tensor.shape, generator=rng, dtype=torch.float64)
            with torch.no_grad():
                tensor.add_(way, alpha=1e-6)
                above = value()
                tensor.sub_(way, alpha=2e-6)
                numeric = (above - value()) / 2e-6
                tensor.add_(way, alpha=1e-6)
            assert (tensor.grad * way).sum().item() == pytest.approx(numeric.item(), rel=1e-5)
    assert (beliefs.grad[~fixed] == 0).all()


def test_loss_is_the_binary_cross_entropy_of_the_answered_bits(path):
    sat = layer(path)
    beliefs, given, answer = puzzles()
    out = sat(beliefs, given).detach()
    loss = sat.loss(beliefs, given, answer)
    for row in range(len(given)):
        expected = 0.0
        for variable, size in enumerate(PROBLEM.domains):
            if answer[row, variable] >= 0:
                truth = functional.one_hot(answer[row, variable], size).float()
                expected += functional.binary_cross_entropy(out[row, variable, :size], truth, reduction="sum")
        assert loss[row].item() == pytest.approx(float(expected), rel=1e-4)


def test_loss_covers_the_givens_when_they_are_answered(path):
    sat = layer(path)
    beliefs, given, answer = puzzles()
    first = given.int().argmax(1)
    rows = torch.arange(len(given))
    answer[rows, first] = 0
    leaky = beliefs.clone().requires_grad_()
    sat.loss(leaky, given, answer).sum().backward()
    assert leaky.grad is not None
    assert (leaky.grad[rows, first].abs().sum(-1) > 0.5).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_loss_and_gradient_are_finite_at_saturated_values(path, value):
    sat = layer(path)
    beliefs = torch.full((2, 3, 3), value) * torch.from_numpy(PROBLEM.legal)
    beliefs.requires_grad_()
    given = torch.tensor([[True, True, True], [True, False, False]])
    loss = sat.loss(beliefs, given, torch.tensor([[0, 1, 2], [1, 1, 1]]))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert (loss > 0).all()
    assert sat.layer.clauses.grad is not None
    assert beliefs.grad is not None
    assert sat.layer.clauses.grad.isfinite().all()
    assert beliefs.grad.isfinite().all()


def test_nothing_unknown_and_nothing_known(path):
    sat = SATNet(PROBLEM, m=5, aux=0, path=path)
    beliefs, _, _ = puzzles()
    beliefs.requires_grad_()
    everything = torch.ones(6, 3, dtype=torch.bool)
    out = sat(beliefs, everything)
    assert torch.equal(out, beliefs)
    out.sum().backward()
    assert torch.equal(beliefs.grad, torch.from_numpy(PROBLEM.legal).float().expand(6, 3, 3))
    out = sat(beliefs, ~everything)
    assert out.isfinite().all()
    assert torch.allclose(out[0], out[5], rtol=0, atol=1e-6)  # products of matrices round by row


def test_zero_rows_of_the_clause_matrix_pull_nothing_and_get_finite_gradients(path):
    sat = layer(path)
    with torch.no_grad():
        sat.layer.clauses[2] = 0
        sat.layer.clauses[-1] = 0
    beliefs, given, answer = puzzles()
    sat.loss(beliefs, given, answer).sum().backward()
    assert sat.layer.clauses.grad is not None
    assert sat.layer.clauses.grad.isfinite().all()
    with torch.no_grad():
        sat.layer.clauses[:] = 0
    assert sat(beliefs, given).isfinite().all()


def test_a_row_that_is_not_a_number_spoils_itself_alone(path):
    beliefs, given, _ = puzzles()
    given[1] = torch.tensor([True, False, True])
    sat = layer(path)
    sound = sat(beliefs, given)
    beliefs[1, 0, 0] = float("nan")
    beliefs.requires_grad_()
    out = sat(beliefs, given)
    others = torch.arange(6) != 1
    assert torch.equal(out[others], sound[others])
    assert out[1, 1, :2].isnan().all()
    out[others].sum().backward()
    assert sat.layer.clauses.grad is not None
    assert sat.layer.clauses.grad.isfinite().all()
    assert beliefs.grad is not None
    assert beliefs.grad.isfinite().all()


def test_dimension_is_above_the_bound_of_barvinok_and_pataki():
    assert dimension(1030) == 47
    assert all(dimension(n) * (dimension(n) + 1) / 2 > n for n in range(1, 2000))


@pytest.mark.parametrize("option", ["m", "aux"])
def test_refuses_sizes_that_make_no_layer(option):
    with pytest.raises(ValueError, match=f"{option}=-1"):
        SATNet(PROBLEM, **{option: -1})
