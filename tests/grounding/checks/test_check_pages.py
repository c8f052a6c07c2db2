from pathlib import Path

import pytest

from groundcheck.grounding.checks.catalogue import every_check, page
from groundcheck.grounding.checks.names import check_ids
from groundcheck.grounding.checks.registry import (
    BROKE,
    MEASURED,
    Check,
    FailCheckError,
    Measurement,
    Registry,
    Result,
    SkipCheckError,
    explain,
    failed,
    passed,
)

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"


def test_the_page_of_checks_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m groundcheck.grounding.checks.catalogue docs/checks.md"


def test_names_for_who_may_not_import_torch_are_those_of_the_checks() -> None:
    of_suites = [check.id for check in every_check() if not check.id.startswith("audit/")]
    assert list(check_ids()) == of_suites
    assert (*check_ids(trained=False), *check_ids(trained=True)) == check_ids()
    assert check_ids(trained=True)[:4] == ("grounding", "reasoning", "baseline", "ceiling")


def test_ids_are_distinct_and_every_check_explains_itself() -> None:
    checks = list(every_check())
    assert len({check.id for check in checks}) == len(checks) >= 35
    for check in checks:
        text = explain(check.examine)
        assert text.shows, check.id
        assert text.failure, check.id
        assert text.remedy, check.id


def raising(_: float) -> Result:
    """Breaks.

    Remedy: Mend it.
    """
    raise KeyError("lost")


def test_one_failing_check_never_stops_the_others() -> None:
    registry: Registry[float] = Registry("family")
    registry.check("breaks", decides=True)(raising)
    registry.check("fails", decides=True)(lambda n: failed("no", n, 0.0))
    registry.check("needs", needs=["fails"], decides=True)(lambda _: passed("never"))
    registry.check("holds", decides=True)(lambda n: passed("yes", n))

    def not_for_this(_: float) -> Result:
        raise SkipCheckError("only for even days")

    registry.check("skips", decides=True)(not_for_this)
    started: list[str] = []
    found = list(registry.run(3.0, "task", starting=started.append))
    assert [f.id for f in found] == [
        f"family/{n}/task" for n in ("breaks", "fails", "needs", "holds", "skips")
    ]
    assert [f.status for f in found] == ["error", "fail", "skip", "pass", "skip"]
    assert found[0].reason == "KeyError: 'lost'"
    assert found[0].remedy == BROKE
    assert found[0].traceback.startswith("Traceback")
    assert found[0].traceback.endswith("KeyError: 'lost'\n")
    assert [f.traceback for f in found[1:]] == [""] * 4
    assert (found[1].figure, found[1].bound) == (3, 0.0)
    assert "family/fails" in found[2].reason
    assert found[4].reason == "only for even days"
    assert len(started) == 5


def test_checks_that_ran_before_are_not_run_again() -> None:
    registry: Registry[float] = Registry("family")
    registry.check("first", decides=True)(raising)
    registry.check("second", needs=["first"], decides=True)(lambda _: passed("ran"))
    [found] = registry.run(0, known={"family/first": "pass"})
    assert (found.check, found.status) == ("family/second", "pass")
    [found] = registry.run(0, known={"family/first": "error"})
    assert (found.check, found.status) == ("family/second", "skip")


def test_a_docstring_is_read_in_its_parts() -> None:
    text = Check("x", raising).text
    assert (text.shows, text.remedy, text.failure) == ("Breaks.", "Mend it.", "")


@pytest.mark.parametrize("status", ["inconclusive"])
def test_an_inconclusive_check_does_not_stop_those_that_need_it(status: str) -> None:
    registry: Registry[float] = Registry("f")
    registry.check("a", decides=True)(lambda _: Result(status, "perhaps"))
    registry.check("b", needs=["a"], decides=True)(lambda _: passed("ran"))
    assert [f.status for f in registry.run(0)] == ["inconclusive", "pass"]


@pytest.mark.parametrize(
    ("bound", "holds", "fails"),
    [
        ({"at_most": 1.0}, 1.0, 1.1),
        ({"at_least": 1.0}, 1.0, 0.9),
        ({"above": 1.0}, 1.1, 1.0),
        ({"below": 1.0}, 0.9, 1.0),
    ],
)
def test_the_registry_decides_where_a_figure_has_to_lie(
    bound: dict[str, float], holds: float, fails: float
) -> None:
    registry: Registry[float] = Registry("f")
    registry.check("a", **bound)(lambda n: Measurement(n, "so", (0.0, 2.0)))
    registry.check("b", otherwise="inconclusive", **bound)(lambda n: Measurement(n, "so"))
    registry.check("c", **bound)(lambda n: Measurement(n, "so", settled=False))
    statuses = {n: [f.status for f in registry.run(n)] for n in (holds, fails, float("nan"))}
    assert statuses[holds] == ["pass", "pass", "inconclusive"]
    assert statuses[fails] == ["fail", "inconclusive", "inconclusive"]
    assert list(statuses.values())[2] == ["fail", "inconclusive", "inconclusive"]
    found = next(registry.run(fails))
    assert (found.figure, found.bound, found.interval) == (fails, 1.0, (0.0, 2.0))


def test_a_bound_may_come_with_the_figure_and_a_check_may_fail_without_one() -> None:
    registry: Registry[float] = Registry("f")
    registry.check("measured", at_most=MEASURED)(lambda n: Measurement(n, "so", bound=2.0))
    registry.check("forgotten", at_most=MEASURED)(lambda n: Measurement(n, "so"))
    registry.check("twice", at_most=1.0)(lambda n: Measurement(n, "so", bound=2.0))

    def impossible(_: float) -> Measurement:
        raise FailCheckError("no value", traceback="Traceback: there")

    def whatever(number: float) -> Measurement:
        raise FailCheckError("for another reason", number)

    registry.check("impossible", at_most=1.0)(impossible)
    registry.check("whatever", at_most=1.0)(whatever)
    found = list(registry.run(1.5))
    assert [f.status for f in found] == ["pass", "error", "error", "fail", "fail"]
    assert [f.bound for f in found] == [2.0, None, None, 1.0, 1.0]
    assert (found[3].reason, found[3].figure, found[3].traceback) == ("no value", None, "Traceback: there")
    assert (found[4].reason, found[4].figure) == ("for another reason", 1.5)


def test_what_a_check_returns_is_what_it_was_registered_for() -> None:
    registry: Registry[float] = Registry("f")
    registry.check("a", at_most=1.0)(lambda _: passed("by itself"))
    registry.check("b", decides=True)(lambda n: Measurement(n, "so"))
    told = list(registry.run(0.0))
    assert [f.status for f in told] == ["error", "error"]
    assert "TypeError: f/a returned a Result, and has to return a Measurement" in told[0].reason
    assert "TypeError: f/b returned a Measurement, and has to return a Result: it was" in told[1].reason
    with pytest.raises(TypeError, match="f/c: one bound"):
        registry.check("c")
    with pytest.raises(TypeError, match="f/c: one bound"):
        registry.check("c", at_most=1.0, decides=True)
    with pytest.raises(TypeError, match="f/c: one bound"):
        registry.check("c", at_most=1.0, below=2.0)


def test_the_page_tells_every_bound() -> None:
    assert "**Passes where** the figure is at most 0.0001." in page()
    assert "**Passes where** the figure is at least the bound that is measured with it." in page()
