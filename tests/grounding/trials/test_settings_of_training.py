"""Settings that remedies change: the usual ones change nothing, each other one what it says."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from groundcheck.datasets.batch import Batch
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.results.run_directory import key_of
from groundcheck.grounding.suite.settings import apply_settings
from groundcheck.grounding.trials import run
from groundcheck.grounding.trials.curriculum import give_more
from groundcheck.grounding.trials.network import build_network
from groundcheck.grounding.trials.reading import read_logits, uncertainty
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training, loss_named, train
from groundcheck.grounding.trials.trial import Trial
from groundcheck.solvers.solver import answer_nll

TINY = Trial(
    task=Mapping(symbols=3), solver=SolverSpec("mlp", {"hidden": 8}), role="grounding", seed=0,
    training=Training(puzzles=24, epochs=2, batch=8), perception=PerceptionSpec("mlp", {"hidden": 32}),
    validation_puzzles=10, test_puzzles=10,
)  # fmt: skip
HERE = str(Path(__file__).parent)
EXAMPLES = LocalSession(TINY).training


def trained(**changed: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Weights before and after."""
    training = replace(TINY.training, **changed)
    with torch.random.fork_rng():
        network = build_network(TINY.task, TINY.solver, training.interface, 0, TINY.perception)
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        loss = loss_named(training.loss)
        train(network, EXAMPLES, training, torch.Generator().manual_seed(0), loss=loss)
    return before, {name: p.detach() for name, p in network.named_parameters()}


USUAL = trained()[1]


def moved(**changed: Any) -> bool:
    after = trained(**changed)[1]
    return any(not torch.equal(after[name], USUAL[name]) for name in USUAL)


def test_the_usual_settings_train_step_by_step_as_written_out_here() -> None:
    """A loop without any of them, to the last bit."""
    with torch.random.fork_rng():
        network = build_network(TINY.task, TINY.solver, "softmax", 0, TINY.perception)
        groups = [
            {"params": list(part.parameters()), "lr": 1e-3} for part in (network.perception, network.solver)
        ]
        optimiser, order = torch.optim.Adam(groups), torch.Generator().manual_seed(0)
        network.train()
        for _ in range(2):
            for rows in torch.randperm(24, generator=order).split(8):
                batch = EXAMPLES.batch(rows)
                beliefs = network.beliefs(batch)
                loss = answer_nll(network.solver(beliefs, batch.given), batch.answer).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter.detach(), USUAL[name])


@pytest.mark.parametrize(
    "changed",
    [
        {"interface": "straight-through"}, {"temperature": 2.0}, {"annealed_from": 3.0}, {"clip": 0.01},
        {"loss": "bce"}, {"information": 1.0}, {"information": 1.0, "information_from": 0.0},
        {"perception_first": 1}, {"solver_first": 1}, {"precision": "bfloat16"},
    ],
)  # fmt: skip
def test_each_setting_changes_training(changed: dict[str, Any]) -> None:
    assert moved(**changed)


@pytest.mark.parametrize(
    "changed", [{"balance": 1.0}, {"loss": "likelihood"}, {"clip": 1e9}, {"curriculum": 1.0}]
)
def test_what_has_nothing_to_act_on_changes_nothing(changed: dict[str, Any]) -> None:
    """The MLP's own loss is the likelihood; a puzzle of the mapping task has one query to give."""
    if "curriculum" in changed:
        batch = EXAMPLES.batch(slice(0, 8))
        assert torch.equal(give_more(batch, 0.5, torch.Generator().manual_seed(0)).given, batch.given)
    else:
        assert not moved(**changed)


@pytest.mark.parametrize(("side", "rests"), [("perception_first", "solver"), ("solver_first", "perception")])
def test_the_side_that_waits_is_left_as_it_is(side: str, rests: str) -> None:
    weights: list[dict[str, torch.Tensor]] = []
    training = replace(TINY.training, epochs=2, **{side: 1})
    with torch.random.fork_rng():
        network = build_network(TINY.task, TINY.solver, "softmax", 0, TINY.perception)

        def keep(_: Any = None) -> None:
            weights.append({name: p.detach().clone() for name, p in network.named_parameters()})

        keep()
        train(network, EXAMPLES, training, torch.Generator().manual_seed(0), after_epoch=keep)
    for name in weights[0]:
        first = torch.equal(weights[0][name], weights[1][name])
        assert first == name.startswith(rests)
        assert not torch.equal(weights[1][name], weights[2][name])


def test_schedules_begin_and_end_where_they_say() -> None:
    training = Training(temperature=0.5, annealed_from=2.0, information=2.0, curriculum=0.5)
    assert [training.temperature_at(share) for share in (0.0, 0.5, 1.0)] == [2.0, 1.0, 0.5]
    assert [training.information_at(share) for share in (0.0, 1 / 3, 1 / 3 + 0.1, 0.9)] == pytest.approx(
        [0, 0, 1.0, 2.0]
    )
    assert [training.revealed_at(share) for share in (0.0, 0.25, 0.5, 1.0)] == [0.5, 0.25, 0.0, 0.0]


def test_straight_through_hands_on_a_symbol_and_takes_back_the_gradient_of_the_softmax() -> None:
    drawn = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits, weights = drawn.clone().requires_grad_(), torch.arange(4.0, dtype=torch.float64)
    hard = read_logits(logits, "straight-through", 2.0)
    assert torch.equal(hard, torch.nn.functional.one_hot(drawn.argmax(-1), 4).double())
    [back] = torch.autograd.grad((hard * weights).sum(), logits)
    [soft] = torch.autograd.grad(((logits / 2).softmax(-1) * weights).sum(), logits)
    torch.testing.assert_close(back, soft)


@pytest.mark.parametrize("interface", ["softmax", "sigmoid"])
def test_uncertainty_is_least_of_sure_beliefs_that_use_all_symbols(interface: Any) -> None:
    sure = 60 * torch.eye(4) - 30
    figures = [
        float(uncertainty(logits, interface, 1.0, 3.0)) for logits in (sure, sure[[0, 0, 0, 0]], 0 * sure)
    ]
    assert figures == pytest.approx([-3 * np.log(4), 0.0, -2 * np.log(4)], abs=1e-5)


def test_a_curriculum_gives_queries_as_symbols_and_opens_no_label_of_a_given() -> None:
    given = torch.tensor([[True, False, False, False, False]]).repeat(50, 1)
    answer = torch.where(given, -1, torch.tensor([0, 1, 2, 0, 1]))
    none = torch.full((50, 5), -1)
    batch = Batch(torch.zeros(0, 1, 8, 8), none, none, given, answer)
    told = give_more(batch, 0.5, torch.Generator().manual_seed(0))
    more = told.given & ~given
    assert (more.sum(1) == 2).all()
    assert torch.equal(told.symbols[more], answer[more])
    assert (told.answer[more] == -1).all()
    assert (told.symbols[~more] == -1).all()
    assert torch.equal(told.answer[~more], answer[~more])
    assert (more.sum(0)[1:] > 10).all()
    assert not more[:, 0].any()


def test_a_ceiling_is_the_same_trial_whatever_a_solver_is_trained_with() -> None:
    changed = replace(TINY.training, information=1.0, temperature=2.0, clip=1.0, solver_first=1)
    ceilings = [replace(TINY, role="ceiling", training=t) for t in (TINY.training, changed)]
    assert key_of(ceilings[0]) == key_of(ceilings[1])
    assert run.run_trial(ceilings[0]).scores == run.run_trial(ceilings[1]).scores
    assert key_of(TINY) != key_of(replace(TINY, training=changed))
    assert "information" not in TINY.training.settings
    assert changed.settings["information"] == 1.0


def test_in_bfloat16_training_repeats_and_weights_readings_and_state_stay_in_float32() -> None:
    narrow = {"precision": "bfloat16"}
    first, again = (trained(**narrow)[1] for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert {weight.dtype for weight in first.values()} == {torch.float32}
    network = build_network(TINY.task, TINY.solver, "softmax", 0, TINY.perception)
    network.precision = "bfloat16"
    images = EXAMPLES.batch(slice(0, 8)).images
    exact = network.perception(images)
    rounded = network.train().perceive(images)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)
    assert torch.equal(network.eval().perceive(images), exact)


IN_BFLOAT16 = """
import sys, torch
from dataclasses import replace
from test_settings_of_training import TINY
from groundcheck.grounding.trials.run import run_trial
trial = replace(TINY, training=replace(TINY.training, precision="bfloat16"))
outcomes = [replace(run_trial(trial), seconds=0.0) for _ in range(2)]
assert outcomes[0] == outcomes[1] and outcomes[0].error is None, outcomes[0].error
print(torch.ops.mkldnn._is_mkldnn_bf16_supported(), outcomes[0].scores.task)
"""


def test_a_processor_without_bfloat16_trains_in_it_all_the_same() -> None:
    """oneDNN is told to know no more than AVX2, so that torch falls back on loops of its own."""
    older = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "PYTHONPATH": os.pathsep.join([HERE, *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", IN_BFLOAT16], env=older, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    supported, task = done.stdout.split()
    assert supported == "False"
    assert 0 <= float(task) <= 1


def test_the_precision_is_the_ceilings_too_and_is_recorded_where_it_is_set() -> None:
    narrow = replace(TINY.training, precision="bfloat16")
    assert narrow.of_ceiling.precision == "bfloat16"
    assert narrow.settings["precision"] == "bfloat16"
    assert "precision" not in TINY.training.settings
    ceilings = [replace(TINY, role="ceiling", training=t) for t in (TINY.training, narrow)]
    assert key_of(ceilings[0]) != key_of(ceilings[1])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"interface": "hard"}, "interface='hard': it is 'softmax' or 'sigmoid' or 'straight-through'"),
        ({"loss": "mse"}, "loss='mse': it is 'own' or 'likelihood' or 'bce'"),
        ({"precision": "float16"}, "precision='float16': it is 'float32' or 'bfloat16'"),
        ({"temperature": None}, "temperature=None: it is a number"),
        ({"solver_first": 1.5}, "solver_first=1.5: it is a whole number"),
        ({"information_ramp": True}, "information_ramp=True: it is a number"),
        ({"temperature": 0.0}, "temperature=0.0: a temperature is a positive number"),
        ({"annealed_from": -1.0}, "annealed_from=-1.0: a temperature is a positive number"),
        ({"clip": 0.0}, "clip=0.0: the norm of a gradient is a positive number"),
        ({"information": -1.0}, "information=-1.0: a weight is a number of at least 0"),
        ({"balance": float("nan")}, "balance=nan: a weight is a number of at least 0"),
        ({"information_from": 2.0}, "information_from=2.0: a share of the training is from 0 to 1"),
        ({"curriculum": -0.1}, "curriculum=-0.1: a share of the training is from 0 to 1"),
        ({"solver_first": -1}, "solver_first=-1: it is a whole number of epochs"),
        ({"solver_first": 2}, "solver_first=2: of 2 epochs one at least is for both sides"),
        ({"solver_first": 1, "perception_first": 1}, "one side is trained first, set one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        apply_settings(changed, [TINY.task], TINY.solver, [TINY.training])
    assert told in str(refused.value)
