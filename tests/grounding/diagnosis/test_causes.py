"""Each cause is named of a trial that was built to show it, and of none that only looks like it.

The whole list, on more seeds and through `check`, is benchmarks/causes.py's.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groundcheck.grounding.diagnosis import code, learning
from groundcheck.grounding.diagnosis.cause import Explanation, clearest
from groundcheck.grounding.diagnosis.causes import CAUSE, CAUSES, explain
from groundcheck.grounding.diagnosis.subject import Seed, make_subject
from groundcheck.grounding.measures.identifiability import Identifiability
from groundcheck.grounding.remedies import UNKNOWN, Evidence, remedy
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial

sys.path.insert(0, str(Path(__file__).parents[2] / "controls"))
controls = importlib.import_module("causes")

# Controls that a single seed and the record of its training give away; a trial of one takes a second or two.
TRIED = ("Detaches", "Overflows", "WantsCertainty", "GuessesPerBatch", "Hides", "Merges")
LOOKALIKES = ("SpeaksLoud",)


@pytest.fixture(scope="module")
def ceiling() -> Outcome:
    """Of all of them: perception and labels are the same."""
    return trained("exact", "ceiling")


@cache
def trained(solver: Any, role: Any = "grounding", seed: int = 0) -> Outcome:
    outcome = run_trial(
        Trial(
            task=controls.SMALL, solver=SolverSpec.of(solver), role=role, seed=seed,
            training=Training(**controls.BUDGET),
        )
    )  # fmt: skip
    assert outcome.error is None, outcome.error
    return outcome


def named(solver: Any, ceiling: Outcome, **known: Any) -> Sequence[Explanation]:
    known.setdefault("rules_given", getattr(solver, "rules", "learned") == "given")
    return explain(make_subject([trained(solver)], [ceiling], on_symbols=1.0, **known))


@pytest.mark.parametrize("name", TRIED)
def test_a_cause_is_named_first_where_it_was_built_in(name: str, ceiling: Outcome) -> None:
    [control] = [c for c in controls.CONTROLS if c.name == name]
    found = named(control.solver, ceiling)
    assert [e.cause for e in found][:1] == [control.cause], found
    first = found[0]
    assert first.sentence
    assert first.remedy
    assert first.refuted_by
    assert first.figures
    assert first.plot


@pytest.mark.parametrize("name", LOOKALIKES)
def test_what_only_looks_like_it_is_named_nothing(name: str, ceiling: Outcome) -> None:
    [control] = [c for c in controls.CONTROLS if c.name == name]
    assert control.like
    assert not named(control.solver, ceiling)


def test_the_contract_names_a_wrong_gradient_before_what_follows_from_it(ceiling: Outcome) -> None:
    found = named(controls.FlipsItsGradient, ceiling, gradients={"contract/gradient-beliefs": "fail"})
    assert found[0].cause == "gradient-wrong"
    assert "contract/gradient-beliefs" in found[0].remedy
    assert all(e.follows for e in found[1:])
    doubled = {"contract/gradient-beliefs": "fail"}  # of a trial that grounds nothing is explained
    assert named("exact", ceiling, gradients=doubled, rules_given=True) == []


def test_a_gradient_that_is_wrong_and_points_to_the_symbols_explains_little(ceiling: Outcome) -> None:
    wrong = {"contract/gradient-beliefs": "fail"}
    assert [e.cause for e in named(controls.Merges, ceiling, gradients=wrong)] == ["collapsed"]


def test_a_gradient_check_that_broke_says_nothing_of_the_gradient(ceiling: Outcome) -> None:
    found = named(controls.FlipsItsGradient, ceiling, gradients={"contract/gradient-beliefs": "error"})
    assert "gradient-wrong" not in [e.cause for e in found]


def test_a_solver_that_fails_on_symbols_is_named_before_the_merges_that_follow(ceiling: Outcome) -> None:
    outcome = trained(controls.KnowsNoInput)
    found = explain(make_subject([outcome], [ceiling], on_symbols=0.4))
    assert found[0].cause == "solver"
    assert "0.40 of the puzzles" in found[0].remedy
    alone = explain(make_subject([outcome], [ceiling], on_symbols=1.0))
    assert "solver" not in [e.cause for e in alone]


def test_seeds_of_two_kinds_are_two_modes(ceiling: Outcome) -> None:
    sound, merged = trained("exact"), replace(trained(controls.Merges), seed=1)
    found = explain(make_subject([sound, merged], [ceiling, replace(ceiling, seed=1)], rules_given=True))
    assert [e.cause for e in found] == ["seeds", "collapsed"]
    assert found[0].figures["grounded"] == 1


def with_use(outcome: Outcome, *used: float) -> Seed:
    """The seed of an outcome in whose epochs so many symbols were in use."""
    curve = [
        replace(point, interface=replace(point.interface, effective=count))
        for point, count in zip(outcome.curve, used, strict=False)
        if point.interface is not None
    ]
    [seed] = make_subject([replace(outcome, curve=curve)]).seeds
    return seed


@pytest.mark.parametrize(
    ("used", "told", "epoch"),
    [
        (
            (1.2, 3.1, 3.9, 2.2, 2.0, 2.0),
            ", of 3.9 in use in epoch 2: the last were lost by step 48 (epoch 3)",
            3,
        ),
        ((1.0, 1.1, 1.2, 1.9, 2.0, 2.1), ", and gained none after step 48 (epoch 3)", 3),
        ((1.0, 1.0, 1.0, 1.0), ", and never told more", 0),
        ((3.9, 2.0, 2.1, 2.0), ", of 3.9 in use in epoch 0: the last were lost by step 16 (epoch 1)", 1),
    ],
)
def test_symbols_are_lost_only_where_there_were_more(
    used: tuple[float, ...], told: str, epoch: int, ceiling: Outcome
) -> None:
    history, figures = code._history(with_use(ceiling, *used))  # pyright: ignore[reportPrivateUsage]
    assert history == told
    assert figures["epoch"] == epoch
    assert figures["step"] == 16 * epoch


def test_beliefs_near_nothing_do_not_make_a_gradient_explode(ceiling: Outcome) -> None:
    outcome = trained(controls.Presses)
    norms = [point.gradient for point in outcome.curve if point.gradient is not None]
    assert max(norms) > 1000
    found = explain(make_subject([outcome], [ceiling], rules_given=True, on_symbols=1.0))
    assert found
    assert "gradient-explodes" not in [e.cause for e in found]


def test_names_that_are_swapped_are_told(ceiling: Outcome) -> None:
    found = named(controls.SwapsTwo, ceiling)
    assert found[0].cause == "naming"
    assert "0 is called 1, 1 is called 0" in found[0].sentence


def test_a_short_curve_that_rises_is_a_budget(ceiling: Outcome) -> None:
    trial = Trial(
        task=controls.SMALL, solver=SolverSpec.of(controls.Gradual), role="grounding", seed=0,
        training=replace(Training(**controls.BUDGET), epochs=2),
    )  # fmt: skip
    found = explain(make_subject([run_trial(trial)], [ceiling], rules_given=True, on_symbols=1.0))
    assert "budget" in [e.cause for e in found]


def with_readings(outcome: Outcome, *raw: float) -> Seed:
    """The seed of an outcome whose perception read so many images right, epoch by epoch."""
    before, *after = outcome.curve
    curve = [
        replace(point, raw=share, epoch=n)
        for n, (point, share) in enumerate(zip(after, raw, strict=False), 1)
    ]
    [seed] = make_subject([replace(outcome, curve=[before, *curve])], rules_given=True).seeds
    assert not seed.grounds
    return seed


@pytest.mark.parametrize(
    ("raw", "arrives"),
    [
        ((0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 10),  # steady
        ((0.2, 0.2, 0.2, 0.2, 0.6, 0.7), 8),  # faster and faster: taken for steady
        ((0.2, 0.3, 0.5, 0.5, 0.58, 0.62), None),  # slower and slower: towards 0.7
        ((0.2, 0.2, 0.22, 0.23, 0.25, 0.26), None),  # a crawl: 0.36 in three times the budget
        ((0.2, 0.5, 0.7, 0.7, 0.7, 0.7), None),  # a plateau
        ((0.2, 0.5, 0.7, 0.8, 0.6, 0.5), None),  # it falls
    ],
)
def test_a_rise_arrives_only_where_it_leads_there(
    raw: tuple[float, ...], arrives: int | None, ceiling: Outcome
) -> None:
    rise = learning.rise_of(with_readings(trained(controls.Merges), *raw))
    assert rise is not None
    assert rise.goal == pytest.approx(0.95)
    assert rise.arrives == arrives


def test_a_rise_of_two_epochs_is_none(ceiling: Outcome) -> None:
    assert learning.rise_of(with_readings(trained(controls.Merges), 0.2, 0.5)) is None


def test_nothing_is_explained_where_nothing_failed_or_nothing_is_known(ceiling: Outcome) -> None:
    assert explain(make_subject([])) == []
    assert explain(make_subject([trained("exact")], [ceiling], rules_given=True)) == []
    outcome = trained(controls.Merges)
    older = replace(outcome, curve=[replace(point, interface=None) for point in outcome.curve])
    assert not make_subject([older], [ceiling], rules_given=True).recorded


def test_the_remedy_of_a_verdict_is_that_of_its_first_cause(ceiling: Outcome) -> None:
    found = named(controls.Merges, ceiling)
    assert remedy("UNGROUNDED", Evidence(causes=found)) == CAUSE["collapsed"].remedy
    assert remedy("SHORTCUT", Evidence(causes=found)) == CAUSE["collapsed"].remedy
    assert remedy("GROUNDED", Evidence(causes=found)) == UNKNOWN["GROUNDED"]


@pytest.mark.parametrize("verdict", ["SHORTCUT", "NOT REASONING", "UNGROUNDED"])
def test_nobody_is_told_to_train_longer_where_training_got_no_further(verdict: Any) -> None:
    one = Identifiability(1, True, np.eye(2, dtype=bool), (), 10, 1)
    known = Evidence(1.0, {"contract/gradient-beliefs": "pass"}, identified=[one], stopped=True)
    told = remedy(verdict, known)
    assert "longer" not in told
    assert "budget" not in told
    assert told != remedy(verdict, replace(known, stopped=False))


def test_the_list_is_whole() -> None:
    names = [cause.name for cause in CAUSES]
    assert len(set(names)) == len(names)
    for cause in CAUSES:
        assert set(cause.follows) <= set(names) - {cause.name}
        shown = [c for c in controls.CONTROLS if c.cause == cause.name]
        alike = [c for c in controls.CONTROLS if c.like == cause.name]
        assert shown, f"no control shows {cause.name}"
        assert alike, f"no control looks like {cause.name}"


def test_strengths_are_held_between_nothing_and_all(ceiling: Outcome) -> None:
    seeds = make_subject([ceiling, replace(ceiling, seed=1)]).seeds
    found = clearest(seeds, lambda seed: 7.0 if seed is seeds[1] else -3.0)
    assert found is not None
    strengths, seed = found
    assert strengths.values == (0.0, 1.0)
    assert (strengths.mean, strengths.shown) == (0.5, 1)
    assert seed is seeds[1]
    assert clearest(seeds, lambda _: 0.0) is None
