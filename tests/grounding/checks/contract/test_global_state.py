"""Every setting of the process that a solver may change: told by its name, and put back."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import Problem
from groundcheck.grounding.checks.contract.contract import contract
from groundcheck.grounding.checks.contract.global_state import (
    each_with_kept_state,
    global_state,
    kept_global_state,
)
from groundcheck.grounding.checks.contract.subject import Subject
from groundcheck.grounding.trials.spec import SolverSpec

CHANGES: dict[str, Callable[[], object]] = {
    "the default dtype": lambda: torch.set_default_dtype(torch.float64),
    "the default device": lambda: torch.set_default_device("meta"),
    "grad mode": lambda: torch.set_grad_enabled(False),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "the number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "cuDNN's flags": lambda: setattr(
        torch.backends.cudnn, "benchmark", not torch.backends.cudnn.benchmark
    ),
    "the precision of float32 products": lambda: torch.set_float32_matmul_precision("medium"),
    "NumPy's handling of errors": lambda: np.seterr(divide="raise"),
    "warning filters": lambda: warnings.filterwarnings("ignore", "nothing that anybody says"),
}  # fmt: skip


@pytest.mark.parametrize("setting", CHANGES)
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_what_is_changed_is_seen_and_put_back(setting: str) -> None:
    with warnings.catch_warnings():
        before = global_state()
        with kept_global_state():
            CHANGES[setting]()
            during = global_state()
        after = global_state()
    changed = [name for name in before if before[name] != during[name]]
    assert setting in changed
    assert set(changed) <= {setting, "warning filters"}  # torch adds one with some
    assert after == before


def test_what_is_changed_before_an_error_is_put_back_too() -> None:
    before = global_state()

    def breaks() -> None:
        with kept_global_state():
            torch.set_default_dtype(torch.float64)
            raise KeyError

    with pytest.raises(KeyError):
        breaks()
    assert global_state() == before


def test_both_flags_of_determinism_are_put_back() -> None:
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        with kept_global_state():
            torch.use_deterministic_algorithms(True, warn_only=False)
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_each_item_is_made_with_the_state_kept_and_handed_out_after() -> None:
    before = torch.get_default_dtype()
    seen: list[torch.dtype] = []

    def items() -> Any:
        for number in range(3):
            seen.append(torch.get_default_dtype())
            torch.set_default_dtype(torch.float64)
            yield number

    running = each_with_kept_state(items())
    for number in range(3):
        assert next(running) == number
        assert torch.get_default_dtype() == before
    assert list(running) == []
    assert seen == [before] * 3


class Changes(nn.Module):
    """Changes one setting, in one place."""

    where, setting = "", ""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.change("building it")

    def change(self, where: str) -> None:
        if where == self.where:
            CHANGES[self.setting]()

    def forward(self, beliefs: Tensor, given: Tensor) -> Tensor:
        self.change(f"forward in {'training' if self.training else 'evaluation'}")
        return self.weight * beliefs[:, :1].expand_as(beliefs)

    def loss(self, beliefs: Tensor, given: Tensor, answer: Tensor) -> Tensor:
        self.change(f"the loss in {'training' if self.training else 'evaluation'}")
        return self.weight * beliefs[:, 0, 0]


@pytest.mark.parametrize(
    "where", ["building it", "forward in evaluation", "the loss in evaluation", "the loss in training"]
)
@pytest.mark.parametrize("setting", ["the default dtype", "grad mode", "NumPy's handling of errors"])
def test_it_is_told_what_was_changed_and_by_what(where: str, setting: str) -> None:
    solver = type("Spoilt", (Changes,), {"where": where, "setting": setting})
    with kept_global_state():
        found = contract["globals"].run(Subject(SolverSpec.of(solver), Mapping(symbols=3)))
    if (where, setting) == ("forward in evaluation", "grad mode"):
        assert found.status == "pass"  # forward is called without gradients, and that is put back
        return
    assert found.status == "fail"
    assert found.reason.startswith(f"{where} changed {setting} ({setting} from ")
    if setting == "grad mode":
        assert found.reason.endswith("from True to False)")


def test_one_that_changes_nothing_passes() -> None:
    found = contract["globals"].run(Subject(SolverSpec.of(Changes), Mapping(symbols=3)))
    assert (found.status, found.reason) == ("pass", "the settings of the process are as they were")
