"""What `check` is asked, as objects and as keywords, comes to the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.children import NO_LIMITS, OUTSIDE_LIMITS, Limits
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.suite.budget import Budget
from groundcheck.grounding.suite.check import check
from groundcheck.grounding.suite.keywords import apply_keywords
from groundcheck.grounding.trials.spec import SolverSpec


def test_every_keyword_sets_its_field() -> None:
    limits = Limits(seconds=5)
    found = apply_keywords(
        "mnist",
        None,
        None,
        {
            "data_root": "here", "download": True, "device": "cuda:1",
            "seeds": 3, "epochs": 2, "settings": {"batch": 8}, "train": False,
            "workers": 4, "isolate": True, "limits": limits,
        },
    )  # fmt: skip
    assert found == (
        ImageSource("mnist", Path("here"), download=True, device="cuda:1"),
        Budget(3, 2, {"batch": 8}, train=False),
        Processes(4, isolate=True, limits=limits),
    )


def test_none_leaves_what_it_is() -> None:
    assert apply_keywords("digits", None, None, {"data_root": None, "settings": None, "epochs": None}) == (
        ImageSource(), Budget(), Processes(),
    )  # fmt: skip


def test_objects_are_taken_as_they_are() -> None:
    parts = ImageSource("mnist"), Budget(2), Processes(1)
    assert apply_keywords(*parts, {}) == parts
    assert apply_keywords(ImageSource("mnist"), None, None, {"seeds": 2, "workers": 1}) == parts


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"seeds": 4}, "seeds beside budget=Budget"),
        ({"workers": 4}, "workers beside engine=Processes"),
        ({"data_root": "x"}, "root beside images=ImageSource"),
    ],
)
def test_what_is_said_in_two_ways_is_refused(keywords: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check("mlp", images=ImageSource(), budget=Budget(), engine=Processes(), **keywords)


def test_a_keyword_that_nothing_has_is_refused_as_by_any_function() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'worker'"):
        check("mlp", worker=1)


def test_objects_and_keywords_give_the_same_report() -> None:
    settings = {"puzzles": 8, "batch": 8}
    asked = {"solver": "mlp", "tasks": [Mapping(symbols=3)]}
    by_object = check(**asked, budget=Budget(1, 1, settings, train=False), engine=Processes(0))
    by_keyword = check(**asked, seeds=1, epochs=1, settings=settings, train=False, workers=0)
    when = {"started": "", "ended": "", "spent": None}
    assert replace(by_object, **when) == replace(by_keyword, **when)


def test_processes_are_fitted_to_the_solver_and_the_device() -> None:
    ours, outside, here = SolverSpec("mlp"), SolverSpec("a:Solver"), SolverSpec.of(lambda problem: problem)
    assert Processes(3).fitted(ours, ImageSource()) == Processes(3, False, NO_LIMITS)
    assert Processes(0).fitted(outside, ImageSource()) == Processes(1, True, OUTSIDE_LIMITS)
    assert Processes(3, False).fitted(outside, ImageSource()) == Processes(3, False, NO_LIMITS)
    assert Processes(3, True, Limits(5)).fitted(ours, ImageSource()) == Processes(3, True, Limits(5))
    assert Processes(3, True).fitted(here, ImageSource()) == Processes(0, False, NO_LIMITS)
    assert Processes(3).fitted(ours, ImageSource(device="cuda")) == Processes(0, False, NO_LIMITS)
    assert (Processes().fitted(ours, ImageSource()).workers or 0) >= 1
