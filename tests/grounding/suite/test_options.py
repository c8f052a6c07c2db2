import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pytest
from torch import nn

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.suite.options import check_options, options_of
from groundcheck.grounding.suite.settings import apply_settings
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.solvers.solver import Solver


class Keeps(Solver):
    def __init__(self, problem: Any, depth: int = 1, **more: Any) -> None:
        super().__init__(problem)


class HandsOn(Keeps):
    def __init__(self, problem: Any, kind: Literal["a", "b"] = "a", **more: Any) -> None:
        super().__init__(problem, **more)


class Bare(nn.Module):
    def __init__(self, problem: Any, odd: "NotThere" = 3, pair: tuple[int, int] = (1, 2)) -> None:  # noqa: F821
        super().__init__()


def function(problem: Any, *, rate: float = 0.1) -> None:
    """A factory that is no class."""


@pytest.mark.parametrize(
    ("factory", "names", "is_open"),
    [
        (Keeps, {"depth"}, True),
        (HandsOn, {"kind", "depth"}, True),
        (Bare, {"odd", "pair"}, False),
        (function, {"rate"}, False),
        (partial(function, rate=3), {"rate"}, False),
        (lambda problem, **more: None, set(), True),
    ],
)
def test_options_of_classes_functions_and_what_they_hand_on(
    factory: Callable[..., Any], names: set[str], is_open: bool
) -> None:
    found = options_of(factory)
    assert (set(found.known), found.open) == (names, is_open)
    assert all(isinstance(parameter, inspect.Parameter) for parameter in found.known.values())


@pytest.mark.parametrize(
    "options",
    [{"kind": "b"}, {"depth": 2}, {"other": object()}, {}],
)
def test_what_fits_passes(options: dict[str, Any]) -> None:
    check_options(SolverSpec.of(HandsOn, **options))
    check_options(SolverSpec.of(Bare, odd="anything", pair=(3, 4)))
    check_options(SolverSpec.of(function, rate=1))


@pytest.mark.parametrize(
    ("factory", "options", "told"),
    [
        (HandsOn, {"kind": "c"}, "kind='c': it is 'a' or 'b'"),
        (HandsOn, {"depth": "2"}, "depth='2': it is a whole number"),
        (function, {"rates": 1}, "has no option 'rates': did you mean rate"),
        (function, {"zzz": 1}, "has no option 'zzz': it has rate"),
        (function, {"rate": False}, "rate=False: it is a number"),
    ],
)
def test_what_does_not_is_told(factory: Callable[..., Any], options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_options(SolverSpec.of(factory, **options))


def test_a_whole_number_is_the_number_that_a_setting_asks_for() -> None:
    """1 and 1.0 are one setting: one trial in the cache, one cell in an experiment."""
    told = {"information": 1, "annealed_from": 2, "perception_rate": 1, "epochs": 3}
    _, _, [training] = apply_settings(told, [Mapping()], SolverSpec("mlp"), [Training()])
    found = [getattr(training, name) for name in told]
    assert found == [1.0, 2.0, 1.0, 3]
    assert [type(value) for value in found] == [float, float, float, int]
