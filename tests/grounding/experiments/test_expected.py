"""What an experiment will take: counted, measured, timed, or not known; and said so."""

import time
from pathlib import Path

import pytest

from groundcheck.grounding.experiments.duration import parse_duration, told_duration
from groundcheck.grounding.experiments.expected import Expected, expect
from groundcheck.grounding.experiments.file import parse_experiment
from groundcheck.grounding.experiments.plan import Plan, plan_experiment
from groundcheck.grounding.report.expected import expected_lines
from groundcheck.grounding.trials.trial import Outcome, Trial

TWO = (
    'solvers = ["mlp", "exact"]\ntasks = "mapping"\nmax-seeds = 3\n[settings]\nepochs = 1\npuzzles = [32, 64]'
)


def plan(text: str) -> Plan:
    return plan_experiment(parse_experiment(text, "sweep.toml", "sweep"))


def ran(trial: Trial, seconds: float) -> Outcome:
    return Outcome(trial.role, trial.task.name, trial.solver.name, trial.seed, seconds=seconds)


def test_trials_are_counted_once_and_those_measured_before_tell_of_others() -> None:
    """Of seed 0 everything ran before; the ceilings belong to both solvers."""
    found = expect(plan(TWO), lambda trial: ran(trial, 3.0) if trial.seed == 0 else None, timing=0.0)
    assert found.trials == {
        "grounding": (8, 12), "baseline": (4, 6), "ceiling": (4, 6), "reasoning": (8, 12),
    }  # fmt: skip
    assert (found.cells, found.least, found.most, found.kept) == (4, 24, 36, 12)
    assert found.seconds == pytest.approx((12 * 4.0, 24 * 4.0))  # 3 s and a second to begin, each
    assert found.lasting(2) == pytest.approx((24.0, 48.0))
    assert dict(found.sources) == {"measured": 12}
    told = expected_lines(found, 2)
    assert told[0] == (
        "4 cells, 24 to 36 trials: grounding 8 to 12, baseline 4 to 6, ceiling 4 to 6, reasoning 8 to 12"
    )
    assert told[1] == "12 trials of these ran before, and need not run again"
    assert told[2] == (
        "time: about 24 s to 48 s, 2 trials at a time, checks not counted; kinds of trials: 12 measured on "
        "trials that ran before"
    )


def test_nothing_is_left_where_all_ran_before() -> None:
    found = expect(plan(TWO), lambda trial: ran(trial, 3.0), timing=0.0)
    assert (found.kept, found.seconds) == (36, (0.0, 0.0))
    assert expected_lines(found, 2)[2] == "time: nothing is left to run"


def test_a_few_steps_tell_of_what_never_ran() -> None:
    found = expect(plan('solvers = "mlp"\ntasks = "mapping"\nseeds = 2\n[settings]\nepochs = [1, 3]'))
    assert found.sources["timed"] == 6
    assert found.seconds is not None
    assert found.seconds[0] == found.seconds[1] > 12  # a second for each to begin
    assert found.memory is not None
    assert 2**26 < found.memory < 2**33
    assert "memory: up to 0." in expected_lines(found, 1)[-1]


def test_what_is_not_known_is_said() -> None:
    nothing = Expected(cells=1, trials={"grounding": (2, 2)})
    assert expected_lines(nothing, 1)[1:] == [
        "time: not known: no trial ran before, and no step could be timed",
        "memory: not known: no step could be timed in a process of its own",
    ]
    some = expect(
        plan('solvers = "mlp"\ntasks = "mapping"\nseeds = 1'),
        lambda trial: ran(trial, 3.0) if trial.role == "ceiling" else None,
        timing=0.0,
    )
    assert some.kept == 1
    assert sum(some.sources.values()) == 3


def test_a_million_trials_are_estimated_within_seconds() -> None:
    values = [list(range(4, 4 + count)) for count in (100, 100, 25)]
    text = 'solvers = "satnet"\ntasks = "mapping"\nseeds = 1\n[settings]\nm = {}\naux = {}\nepochs = {}\n'
    began = time.process_time()
    found = expect(plan(text.format(*values)), timing=1.0)
    assert time.process_time() - began < 10
    assert (found.cells, found.most, found.sampled) == (250_000, 1_000_000, 8)
    assert found.seconds is not None
    assert found.seconds[0] > 1_000_000
    assert "from 8 cells looked at, spread over all" in expected_lines(found, 2)[0]


def test_solvers_whose_package_is_missing_have_no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundcheck.solvers.extras.Extra.installed", False)
    found = expect(plan('solvers = ["mlp", "public-satnet"]\ntasks = "mapping"\nseeds = 1'), timing=0.0)
    assert found.most == 3
    assert "needs satnet" in plan('solvers = "public-satnet"\ntasks = "mapping"')[0].lacking


@pytest.mark.parametrize(
    ("text", "seconds", "told"),
    [
        ("90s", 90.0, "1 min 30 s"), ("30m", 1800.0, "30 min"), ("2h", 7200.0, "2 h"), ("5s", 5.0, "5 s"),
        ("1h30m", 5400.0, "1 h 30 min"), ("1.5 h", 5400.0, "1 h 30 min"), ("2d", 172800.0, "2 days"),
    ],
)  # fmt: skip
def test_times_as_people_write_them(text: str, seconds: float, told: str) -> None:
    assert parse_duration(text) == seconds
    assert told_duration(seconds) == told


@pytest.mark.parametrize("text", ["", "2", "h", "2 hours", "-2h", "0s", "2h 3q"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="a time is written 2h, 30m, 90s or 1h30m"):
        parse_duration(text)


def test_the_budget_of_a_file_is_told_by_its_line(tmp_path: Path) -> None:
    from groundcheck.grounding.experiments.driver import allowed_seconds  # noqa: PLC0415

    found = parse_experiment('seeds = 2\nbudget = "2 hours"', "sweep.toml", "sweep")
    with pytest.raises(ValueError, match=r"^sweep.toml, line 2: budget: '2 hours': a time is written"):
        allowed_seconds(found, None)
    assert allowed_seconds(found, "30m") == 1800
    assert allowed_seconds(parse_experiment("", "sweep.toml", "sweep"), None) is None
