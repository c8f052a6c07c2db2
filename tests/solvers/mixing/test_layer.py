"""Every path of the mixing method against the plain one in float64."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from groundcheck.solvers.mixing import layer as mixing
from groundcheck.solvers.mixing.layer import Mixing, MixingLayer, choose_path, compiled
from groundcheck.solvers.mixing.schedule import StoppingRule

K = 5  # one size for all, as each is compiled
needs_numba = pytest.mark.skipif(not compiled(), reason="numba is missing or disabled")


@st.composite
def layers(draw):
    """Clauses (some rows zero), start, bits (some saturated) and what is known of them."""
    bits, aux, m, batch = (draw(st.integers(low, high)) for low, high in ((1, 12), (0, 4), (1, 9), (1, 20)))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    n = 1 + bits + aux
    clauses = torch.randn(n, m, generator=rng, dtype=torch.float64) / (n + m) ** 0.5
    clauses[torch.rand(n, generator=rng) < draw(st.sampled_from((0.0, 0.2)))] = 0
    start = torch.randn(n, K, generator=rng, dtype=torch.float64)
    values = torch.rand(batch, bits, generator=rng, dtype=torch.float64)
    values = torch.where(torch.rand(batch, bits, generator=rng) < 0.3, values.round(), values)
    share = draw(st.sampled_from((0.0, 0.3, 0.7, 1.0)))
    known = torch.rand(batch, bits, generator=rng) < share
    if draw(st.booleans()):
        known = known[:1].expand(batch, bits)  # shared by the batch, and not contiguous
    slope = torch.randn(batch, bits, generator=rng, dtype=torch.float64)
    return clauses, start / start.norm(dim=1, keepdim=True), values, known, slope


def outcome(layer, stopping, path, dtype=torch.float64):
    clauses, start, values, known, slope = layer
    clauses, values = (part.to(dtype).requires_grad_() for part in (clauses.clone(), values.clone()))
    out = Mixing.apply(clauses, values, known, start.to(dtype), stopping, path)
    out.backward(slope.to(dtype))
    return [part.double() for part in (out.detach(), clauses.grad, values.grad)]


def assert_near(found, true, tolerance):
    for part, exact in zip(found, true, strict=True):
        torch.testing.assert_close(
            part, exact, rtol=tolerance, atol=tolerance * (1 + float(exact.abs().max()))
        )


@needs_numba
@pytest.mark.parametrize("path", ["lanes", "blocks"])
@given(layer=layers(), counted=st.booleans(), prox=st.sampled_from((0.0, 1e-2)))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_paths_make_the_same_iterates_and_stop_alike(path, layer, counted, prox):
    stopping = StoppingRule(limit=30, prox=prox, backward_tolerance=None if counted else 1e-4)
    assert_near(outcome(layer, stopping, path), outcome(layer, stopping, "torch"), 1e-9)


@pytest.mark.parametrize(
    "path", [pytest.param("lanes", marks=needs_numba), pytest.param("blocks", marks=needs_numba), "torch"]
)
@given(layer=layers())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_single_precision_over_relaxed_stays_near_double(path, layer):
    # A set number of sweeps: rounding may otherwise decide about one more.
    stopping = StoppingRule(
        limit=12, tolerance=0.0, backward_tolerance=0.0, prox=0.1, relaxation=0.7, backward_relaxation=0.5
    )
    single = outcome(layer, stopping, path, torch.float32)
    assert_near(single, outcome(layer, stopping, "torch"), 2e-3)


@needs_numba
@pytest.mark.parametrize("m", [3, 30])  # fewer clauses than half the free variables, and more
@pytest.mark.parametrize("k", [3, 20])
def test_vectors_of_every_length(k, m):
    rng = torch.Generator().manual_seed(k)
    start = torch.randn(40, k, generator=rng, dtype=torch.float64)
    layer = (
        torch.randn(40, m, generator=rng, dtype=torch.float64),
        start / start.norm(dim=1, keepdim=True),
        torch.rand(3, 30, generator=rng, dtype=torch.float64),
        torch.rand(3, 30, generator=rng) < 0.4,
        torch.randn(3, 30, generator=rng, dtype=torch.float64),
    )
    assert_near(outcome(layer, StoppingRule(), "blocks"), outcome(layer, StoppingRule(), "torch"), 1e-9)


@needs_numba
def test_in_double_precision_small_layers_of_every_size_share_their_kernels():
    forward = sys.modules["groundcheck.solvers.mixing.lanes"].forward
    backward = sys.modules["groundcheck.solvers.mixing.lanes_adjoint"].backward
    counts = []
    for bits in (2, 11, 63):
        layer = MixingLayer(bits, m=3, generator=torch.Generator().manual_seed(0)).double()
        assert layer.path == "lanes"
        given = (torch.arange(bits) % 2 == 0).expand(4, bits)
        values = torch.rand(4, bits, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
        layer(values, given).sum().backward()
        counts.append((len(forward.signatures), len(backward.signatures)))
    assert counts[0] == counts[1] == counts[2] != (0, 0)


@needs_numba
@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("length", [2, 6])
def test_a_chain_in_one_call_is_the_layer_step_by_step(rounded, length):
    rng = torch.Generator().manual_seed(0)
    found = []
    for path in ("lanes", "torch"):
        layer = MixingLayer(3, m=4, aux=4, path=path, generator=torch.Generator().manual_seed(1)).double()
        sequence = torch.rand(19, length, generator=rng.manual_seed(2), dtype=torch.float64).requires_grad_()
        end = layer.chain(sequence, rounded=rounded)
        (end * torch.arange(19)).sum().backward()
        found.append([end.detach(), layer.clauses.grad, sequence.grad])
    assert_near(found[0], found[1], 1e-9)
    reached = found[0][2].abs().sum(0) > 0
    assert reached.all() != (rounded and length > 2)
    assert reached[-1]


@pytest.mark.parametrize(("bits", "length"), [(4, 3), (3, 1)])
def test_a_chain_needs_three_bits_and_two_to_fold(bits, length):
    with pytest.raises(ValueError, match=f"{length} bits by a layer of {bits}"):
        MixingLayer(bits, m=4).chain(torch.rand(2, length))


@needs_numba
@pytest.mark.parametrize("bits", [20, 90])
def test_threads_change_nothing_but_rounding(bits, monkeypatch):
    monkeypatch.setattr(sys.modules["groundcheck.solvers.mixing.workspace"], "MIN_PARALLEL_WORK", 0)
    layer = MixingLayer(bits, m=12, generator=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(1)
    values = torch.rand(40, bits, generator=rng)
    known = torch.rand(40, bits, generator=rng) < 0.5
    found = []
    for threads in (1, 3, 3):
        torch.set_num_threads(threads)
        layer.zero_grad()
        bits_in = values.clone().requires_grad_()
        out = layer(bits_in, known)
        out.sum().backward()
        found.append((out.detach(), bits_in.grad, layer.clauses.grad))
    torch.set_num_threads(1)
    one, three, again = found
    # The Gram matrix is the library's product, which rounds by its number of threads on some processors.
    assert torch.allclose(one[0], three[0], rtol=0, atol=1e-6)
    assert all((a - b).norm() <= 1e-5 * a.norm() for a, b in zip(one, three, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(three, again, strict=True))


def test_the_path_is_chosen_by_the_layer_alone():
    if compiled():
        assert choose_path(torch.zeros(41, 3)) == "lanes"
        assert choose_path(torch.zeros(1030, 3, dtype=torch.float64)) == "blocks"
    assert choose_path(torch.zeros(41, 3, dtype=torch.float16)) == "torch"
    assert choose_path(torch.zeros(41, 3, device="meta")) == "torch"
    assert choose_path(torch.zeros(41, 3), "blocks") == "blocks"
    with pytest.raises(ValueError, match="path='gpu': it is one of lanes, blocks, torch"):
        MixingLayer(3, m=2, path="gpu")


def test_without_numba_torch_computes(monkeypatch):
    monkeypatch.setattr(mixing, "compiled", lambda: False)
    layer = MixingLayer(3, m=2)
    assert layer.path == "torch"
    assert layer(torch.rand(2, 3), torch.tensor([[True, False, True]] * 2)).isfinite().all()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("limit", 0),
        ("tolerance", -1.0),
        ("prox", float("nan")),
        ("relaxation", 1.0),
        ("backward_relaxation", -0.1),
    ],
)
def test_refuses_schedules_that_cannot_work(option, value):
    with pytest.raises(ValueError, match=f"{'max_sweeps' if option == 'limit' else option}={value}"):
        StoppingRule(**{option: value})


@needs_numba
def test_a_chain_learns_parity_in_an_epoch():
    rng = torch.Generator().manual_seed(1)
    stopping = StoppingRule(prox=0.1, relaxation=0.7, backward_relaxation=0.5)
    layer = MixingLayer(3, m=4, aux=4, stopping=stopping, generator=rng)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    sequences = torch.randint(0, 2, (10_000, 20), generator=rng).float()
    parity = sequences.sum(1) % 2
    for rows in torch.arange(9000).split(100):
        end = layer.chain(sequences[rows], rounded=True).clamp(1e-6, 1 - 1e-6)
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy(end, parity[rows]).backward()
        optimiser.step()
    wrong = (layer.chain(sequences[9000:], rounded=True) > 0.5) != (parity[9000:] > 0.5)
    assert wrong.float().mean() < 0.01
